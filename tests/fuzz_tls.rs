//! Programs made up by a fuzzer, against both ends of a TLS session.
//!
//! A program of some bytes lets a client and a server shake hands, send, receive, change keys, end, close and drop, each operation
//! for as many polls as it says, over a wire that moves few bytes at a time, holds them back, changes, repeats, loses and
//! swaps records, adds bytes of its own, and is cut. Whatever it does: nothing panics, nothing spins, every byte that arrives is the next one that
//! was sent, a strict end is one that was sent, and once the wire is gone nobody waits. Where the wire was honest, TLS
//! refuses nothing, and what was sent arrives to the last byte.

mod act;
#[expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what a program does wrong is to be seen"
)]
mod datagrams;
mod doors;
mod input;
mod ledger;
mod program;
mod wire;
mod world;

pub use datagrams::DtlsProgram;
pub use doors::{
    Gauge, TlsConfigProgram, TlsGuardProgram, TlsPeerProgram, TlsProviderProgram,
    TlsVerifierProgram, Used,
};
pub use program::TlsProgram;
