//! What was agreed on without a heap.

use super::verify::PeerIdentity;
use crate::negotiated::CipherSuite;

/// What was agreed on with a [`GuardedEngine`](crate::GuardedEngine).
///
/// ```
/// # fn show(negotiated: &tacket_tls::GuardNegotiated) {
/// println!("{} with {:?}", negotiated.cipher_suite(), negotiated.identity());
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct GuardNegotiated {
    pub(super) cipher_suite: CipherSuite,
    pub(super) identity: PeerIdentity,
}

impl GuardNegotiated {
    /// The algorithms that protect the data.
    #[must_use]
    pub const fn cipher_suite(&self) -> CipherSuite {
        self.cipher_suite
    }

    /// Who the server is.
    #[must_use]
    pub const fn identity(&self) -> PeerIdentity {
        self.identity
    }
}
