//! Streams in memory, and the contract as functions that check anybody's stream.
//!
//! * [`check_stream`]: each clause of the contract, by id, on any stream that you can make pairs of. It also drops every operation at
//!   every poll. [`Examiner`] has the knobs, and works without an allocator: [`check_one_way_stream`], [`check_two_way_stream`],
//!   [`check_half_closeable_stream`]. The [guide](#from-a-read--write-to-a-green-report) is below.
//! * [`MemoryPair`] and [`MemoryPipe`]: streams over buffers of any size, or in lockstep without any, to run a protocol without a network.
//!   [`HookedSender`] and [`HookedReceiver`] do something at certain moments; a [`Script`] is a peer that follows one.
//! * [`SeededExecutor`] and [`VirtualClock`]: tasks in an order that a seed decides, and time that jumps when all of them wait. A
//!   [`Sequencer`] makes them go in the order that a test wants.
//! * [`SimNet`]: hosts, links that lose and delay, listeners, names and datagrams; the same seed, the same events.
//! * [`Pattern`], [`DropPoint`] and [`count_polls`]: what the checks are made of, for tests of your own.
//!
//! Enabled by the feature `testing`; as `no_std` as the rest. What needs the feature `alloc` too: [`check_stream`],
//! [`check_stream_with_seeds`], [`SeededExecutor`], [`SimNet`] and [`VirtualClock::run`]; a target without atomic swaps has none of these.
//!
#![cfg_attr(feature = "alloc", doc = include_str!("guide.md"))]

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod check;
mod dropped;
mod dropping;
mod ending;
mod examiner;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod executor;
mod hooks;
mod memory_error;
mod memory_pair;
mod memory_pipe;
mod one_way;
mod pattern;
mod polls;
mod pump;
mod reach;
mod report;
mod script;
mod scripted_stream;
mod sequencer;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod sim;
mod steps;
mod turns;
mod two_way;
mod virtual_clock;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
mod woken;

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use check::{check_stream, check_stream_with_seeds};
pub use dropping::DropPoint;
pub use examiner::{Examiner, Maker, Makers};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use executor::{SeededExecutor, SpawnedTask};
pub use hooks::{HookedReceiver, HookedSender, ReceiveHooks, SendHooks};
pub use memory_error::MemoryError;
pub use memory_pair::{MemoryPair, MemoryStream};
pub use memory_pipe::{MemoryPipe, MemoryReceiveStream, MemorySendStream};
pub use one_way::check_one_way_stream;
pub use pattern::Pattern;
pub use polls::count_polls;
pub use reach::connect_to_listener;
pub use report::{Clause, Direction, Found, Outcome, Report, Summary, Violation};
pub use script::{Call, Script, ScriptError, Step};
pub use scripted_stream::{ScriptedReceiver, ScriptedSender, ScriptedStream};
pub use sequencer::{Sequencer, Turn, TurnError};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use sim::{
    Link, SimDatagram, SimDatagramReceiver, SimDatagramSender, SimError, SimEvent, SimEventKind,
    SimHost, SimListener, SimNet, SimPacket, SimReceiving, SimSending, SimStream,
};
pub use two_way::{check_half_closeable_stream, check_two_way_stream};
pub use virtual_clock::VirtualClock;
