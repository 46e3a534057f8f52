//! The firmware in QEMU, against the desktop and against itself.
//!
//! `cargo test -p tacket-tests --test qemu`; it needs QEMU and a compiler for the targets, which `tests/run` installs.

#![allow(
    clippy::unwrap_used,
    clippy::large_futures,
    reason = "a test may panic, and has a stack"
)]

extern crate alloc;

mod boards;
mod budgets;
mod contract;
mod harness;
mod images;
mod ledger;
mod parts;
mod peers;
mod serving;
mod symbols;
mod tls;
mod wires;
