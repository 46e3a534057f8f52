//! Configurations that are made here, with a provider of algorithms.

mod client;
mod fingerprint;
mod identity;
mod pinning;
mod provider;
mod server;
mod trust;

pub use client::ClientConfigBuilder;
pub use identity::Identity;
pub use provider::Provider;
pub use server::ServerConfigBuilder;
pub use trust::Trust;
