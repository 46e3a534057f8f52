//! The suites of TLS 1.3.

use aes_gcm::Aes128Gcm;
use chacha20poly1305::ChaCha20Poly1305;
use rustls::crypto::CipherSuiteCommon;
use rustls::crypto::tls13::HkdfUsingHmac;
use rustls::{CipherSuite, ConnectionTrafficSecrets, SupportedCipherSuite, Tls13CipherSuite};

use super::aead::Aead;
use super::hash::Sha256;
use super::hmac::HmacSha256;

/// Fast where the processor knows nothing of AES, and without tables that a cache could tell of.
pub(super) const TLS13_CHACHA20_POLY1305_SHA256: SupportedCipherSuite =
    SupportedCipherSuite::Tls13(&CHACHA20_POLY1305);

/// What every implementation has to know.
pub(super) const TLS13_AES_128_GCM_SHA256: SupportedCipherSuite =
    SupportedCipherSuite::Tls13(&AES_128_GCM);

static CHACHA20_POLY1305: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        hash_provider: &Sha256,
        // None that could be reached (RFC 8446, 5.5).
        confidentiality_limit: u64::MAX,
    },
    hkdf_provider: &HkdfUsingHmac(&HmacSha256),
    aead_alg: &Aead::<ChaCha20Poly1305>::new(|key, iv| {
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }
    }),
    quic: None,
};

static AES_128_GCM: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_AES_128_GCM_SHA256,
        hash_provider: &Sha256,
        // RFC 8446, 5.5: about 24 million records.
        confidentiality_limit: 1 << 24,
    },
    hkdf_provider: &HkdfUsingHmac(&HmacSha256),
    aead_alg: &Aead::<Aes128Gcm>::new(|key, iv| ConnectionTrafficSecrets::Aes128Gcm { key, iv }),
    quic: None,
};
