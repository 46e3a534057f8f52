//! Two stacks in one process, joined by a wire, in virtual time.
//!
//! For tests on the host, without privileges: a [`Wire`] carries the packets of two real embassy-net stacks, and loses,
//! delays, doubles, reorders and cuts as its [`Impairments`] say and its seed decides. Its [`run`](Wire::run) drives everything on the calling thread. When
//! everybody waits, time jumps to what is due next; when nothing is due, or a hundred days have passed, the test would hang, and panics instead. The same
//! seed replays the same run.
//!
//! With this feature, embassy-time's clock is the virtual one, for the whole program; each thread has its own.

mod executor;
mod impairments;
mod time;
mod wire;

pub use impairments::Impairments;
pub use wire::{Carried, Side, Wire};
