//! Programs made up by a fuzzer, against the embassy backend.
//!
//! A program of some bytes sets up a bad wire, connects, sends, receives, ends, drops futures in the middle, and forges packets, on
//! two networks at once. Whatever it does: nothing panics, nothing hangs, nobody who could go on is left asleep, every
//! byte that arrives is the next one that was sent, an end is one that was sent, and once everything is dropped, every socket
//! is back in the pool and works. What forged packets bring in is excepted from the two rules about bytes.

mod forgery;
mod ledger;
mod manner;
mod operation;
mod program;
mod thing;
mod world;

pub use program::Program;
