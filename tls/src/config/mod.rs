//! What a client trusts, and what a server proves.

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
mod choice;
#[cfg(feature = "rustls")]
mod client;
#[cfg(feature = "rustls")]
mod server;

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
pub use choice::{ClientConfigBuilder, Identity, Provider, ServerConfigBuilder, Trust};
#[cfg(feature = "rustls")]
pub use client::ClientConfig;
#[cfg(feature = "rustls")]
pub use server::ServerConfig;

use crate::error::ConfigError;

/// The longest name of a protocol (RFC 7301, 3.1).
const MAX_PROTOCOL: usize = 255;

/// How long the names of all protocols may be together, each with a byte for its length, so that they fit the first message
/// together with whatever else is in it.
const MAX_PROTOCOLS: usize = 1 << 14;

/// Whether a message can be made of these names.
pub(crate) fn check_protocols<N: AsRef<[u8]>>(names: &[N]) -> Result<(), ConfigError> {
    let mut total = 0;
    for name in names.iter().map(AsRef::as_ref) {
        total += 1 + name.len();
        if !(1..=MAX_PROTOCOL).contains(&name.len()) || total > MAX_PROTOCOLS {
            return Err(ConfigError::InvalidProtocol);
        }
    }
    Ok(())
}
