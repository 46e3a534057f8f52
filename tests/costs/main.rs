//! What operations cost: counts that do not depend on the machine's speed.
//!
//! A target of its own, because counting allocations takes the allocator over.

extern crate alloc;

mod allocations;
#[cfg(target_os = "linux")]
mod desktop;
#[cfg(target_os = "linux")]
mod system_calls;
