//! What the images share: memory of a chosen size and its ledger, and what a client of TLS is told.
#![no_std]

mod echo_tls;
mod ledger;
mod memory;
mod provision;
mod telemetry_tls;
mod tls_client;

pub use echo_tls::{EchoBuffers, echo_over_tls};
pub use ledger::{Ledger, Part, output_bytes, task_bytes};
pub use memory::{Handlers, Memory};
pub use provision::{Date, Hex, Provision, generator};
pub use telemetry_tls::{TlsSessionError, telemetry_over_tls};
pub use tls_client::{TlsClient, connect_tls};
