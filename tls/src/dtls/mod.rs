//! DTLS: one socket, and a channel for each peer.
//!
//! From the outside in: `endpoint`, `serve` and `channel` are what users hold; `shared` and `driver` have every await; `table` says whom a datagram is for, and `association` what it does there,
//! without await, I/O or clock; `dimpl_engine` is the implementation of the protocol.

mod admission;
mod answer;
mod association;
mod attempts;
mod channel;
mod config;
mod cookie;
mod dimpl_engine;
mod driver;
mod driver_waker;
mod endpoint;
mod engine;
mod error;
mod half_open;
mod hello;
mod identity;
mod inbox;
mod negotiated;
mod numbered;
mod outbox;
mod provider;
mod receive_errors;
mod record;
mod send_errors;
mod serve;
mod serving;
mod shared;
mod sizes;
mod statistics;
mod table;
mod taken;
#[cfg(test)]
mod tests;
mod trust;

pub use channel::DtlsChannel;
pub use config::{DtlsClientConfig, DtlsPsk, DtlsServerConfig};
pub use endpoint::DtlsEndpoint;
pub use error::{DtlsConnectError, DtlsError, DtlsProblem};
pub use identity::DtlsIdentity;
pub use negotiated::{DtlsNegotiated, DtlsVersion};
pub use serve::DtlsServeStatistics;
pub use statistics::{DtlsChannelStatistics, DtlsStatistics};
pub use trust::DtlsTrust;
