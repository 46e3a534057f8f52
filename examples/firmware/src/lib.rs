//! What the images share: a network of a chosen size, and what a client of TLS is told.
#![no_std]

mod memory;
mod provision;
mod telemetry_tls;

pub use memory::Memory;
pub use provision::{Date, Hex, Provision, generator};
pub use telemetry_tls::{TlsSessionError, telemetry_over_tls};
