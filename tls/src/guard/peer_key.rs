//! The key of a server, kept from its certificate to its signature.

use embedded_tls::SignatureScheme;
use rustls_pki_types::SignatureVerificationAlgorithm;

use super::error::VerifyError;
use crate::algorithms;
use crate::fingerprint::Fingerprint;

/// What comes before the key itself in a `SubjectPublicKeyInfo`, without its own tag and length (RFC 5480, RFC 8410).
const P256: &[u8] = b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
#[cfg(feature = "p384")]
const P384: &[u8] =
    b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00";
#[cfg(feature = "ed25519")]
const ED25519: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// One that can sign handshakes.
#[derive(Clone, Copy, Debug)]
pub(super) enum PeerKey {
    /// An uncompressed point.
    P256([u8; 65]),
    /// An uncompressed point.
    #[cfg(feature = "p384")]
    P384([u8; 97]),
    #[cfg(feature = "ed25519")]
    Ed25519([u8; 32]),
}

impl PeerKey {
    /// Reads what is in a `SubjectPublicKeyInfo`.
    pub(super) fn new(info: &[u8]) -> Result<Self, VerifyError> {
        let parse = || {
            if let Some(key) = info.strip_prefix(P256) {
                return Some(Self::P256(key.try_into().ok()?));
            }
            #[cfg(feature = "p384")]
            if let Some(key) = info.strip_prefix(P384) {
                return Some(Self::P384(key.try_into().ok()?));
            }
            #[cfg(feature = "ed25519")]
            if let Some(key) = info.strip_prefix(ED25519) {
                return Some(Self::Ed25519(key.try_into().ok()?));
            }
            None
        };
        parse().ok_or(VerifyError::UnsupportedKey)
    }

    /// Checks a signature of the handshake, which has to be by the one algorithm that TLS 1.3 has for the key.
    pub(super) fn verify(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        let (algorithm, key): (&dyn SignatureVerificationAlgorithm, &[u8]) = match (self, scheme) {
            (Self::P256(key), SignatureScheme::EcdsaSecp256r1Sha256) => {
                (&algorithms::P256_SHA256, key)
            }
            #[cfg(feature = "p384")]
            (Self::P384(key), SignatureScheme::EcdsaSecp384r1Sha384) => {
                (&algorithms::P384_SHA384, key)
            }
            #[cfg(feature = "ed25519")]
            (Self::Ed25519(key), SignatureScheme::Ed25519) => (&algorithms::Ed25519, key),
            _ => return Err(VerifyError::WrongScheme),
        };
        let verified = algorithm.verify_signature(key, message, signature);
        verified.map_err(|_| VerifyError::BadProof)
    }
}

/// The fingerprint of a key, from what is in its `SubjectPublicKeyInfo`. `None`: it is longer than any that is supported.
pub(super) fn fingerprint(info: &[u8]) -> Option<Fingerprint> {
    let length = u8::try_from(info.len())
        .ok()
        .filter(|length| *length < 0x80)?;
    Some(Fingerprint::new(algorithms::sha256(&[
        &[0x30, length],
        info,
    ])))
}
