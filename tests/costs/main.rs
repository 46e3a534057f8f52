//! What operations cost: counts that do not depend on the machine's speed.
//!
//! A target of its own, because counting allocations takes the allocator over.

#![allow(
    clippy::large_futures,
    clippy::indexing_slicing,
    reason = "these tests run on a desktop, and a panic is how they fail"
)]

extern crate alloc;

mod allocations;
#[cfg(target_os = "linux")]
mod desktop;
mod dtls;
mod dtls_strangers;
#[cfg(target_os = "linux")]
mod system_calls;
mod tls;
