//! The signatures that can be checked, of certificates and of handshakes.

use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;

use crate::algorithms;

/// TLS 1.3 looks at the first algorithm of a scheme only.
pub(super) const SUPPORTED: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: algorithms::ALL,
    mapping: &[
        (
            SignatureScheme::ECDSA_NISTP256_SHA256,
            &[&algorithms::P256_SHA256],
        ),
        #[cfg(feature = "p384")]
        (
            SignatureScheme::ECDSA_NISTP384_SHA384,
            &[&algorithms::P384_SHA384],
        ),
        #[cfg(feature = "ed25519")]
        (SignatureScheme::ED25519, &[&algorithms::Ed25519]),
    ],
};
