//! What stands between a peer and `embedded-tls`.

mod absent;
mod answers;
mod connector;
mod engine;
mod error;
mod extension;
mod flight;
mod gate;
mod hello;
mod negotiated;
mod opening;
mod path;
mod peer_key;
mod provider;
mod reason;
mod settings;
mod signal;
mod storage;
mod stream;
mod suite;
mod trust;
mod validity;
mod verify;
mod wire;

pub use connector::GuardedConnector;
pub use engine::GuardedEngine;
pub use error::{TrustError, VerifyError};
pub use negotiated::GuardNegotiated;
pub use reason::GuardError;
pub use settings::{ClientCertificate, GuardedClientConfig, MaxFragment};
pub use storage::TlsStorage;
pub use stream::{GuardedReceiving, GuardedSending};
pub use suite::{GuardAes128, GuardAes256, GuardSuite};
pub use trust::{Anchors, GuardTrust, PreSharedKey};
pub use validity::{CertificateClock, Validity};
pub use verify::{GuardVerifier, PeerIdentity};
