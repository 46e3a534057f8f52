//! The firmware in QEMU, against the desktop and against itself.
//!
//! `cargo test -p tacket-tests --test qemu`; it needs QEMU and a compiler for the targets, which `tests/run` installs.

#![allow(
    clippy::unwrap_used,
    clippy::large_futures,
    reason = "a test may panic, and has a stack"
)]

extern crate alloc;

#[path = "../wire/peer.rs"]
#[allow(dead_code, reason = "the tests on the wire use more of it")]
mod foreign;

mod boards;
mod budgets;
mod contract;
mod harness;
mod images;
mod ledger;
mod name_server;
mod parts;
mod peers;
mod serving;
mod symbols;
mod tls;
mod tls_attacks;
mod tls_heap;
mod tls_names;
mod tls_peers;
mod tls_proxies;
mod tls_server;
mod wires;
