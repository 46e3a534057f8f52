//! What stands between a peer and `embedded-tls`.

mod algorithms;
mod error;
mod extension;
mod path;
mod peer_key;
mod trust;
mod validity;
mod verify;

pub use error::{TrustError, VerifyError};
pub use trust::{Anchors, GuardTrust, PreSharedKey};
pub use validity::{CertificateClock, Validity};
pub use verify::{GuardVerifier, PeerIdentity};
