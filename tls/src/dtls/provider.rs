//! The algorithms of the engine, the cookie that it is to take for its own, and the identity of the key that it has asked for.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::Cell;
use std::sync::LazyLock;
use std::thread_local;

use dimpl::crypto::{
    CryptoProvider, HashAlgorithm, HmacProvider, SupportedDtls12CipherSuite, rust_crypto,
};
use dimpl::{CryptoError, crypto};

use super::hello::COOKIE;
use crate::error::ConfigError;

thread_local! {
    /// What is to come out of the next cookies.
    static PLANNED: Cell<Option<[u8; COOKIE]>> = const { Cell::new(None) };
    /// The identity of the key that was asked for last.
    static NAMED: Cell<Option<Arc<[u8]>>> = const { Cell::new(None) };
}

/// Those of RustCrypto. ChaCha20 goes before AES, whose nonces are random in DTLS 1.2.
pub(super) fn provider() -> CryptoProvider {
    static SUITES: LazyLock<Vec<&'static dyn SupportedDtls12CipherSuite>> = LazyLock::new(|| {
        let mut suites = rust_crypto::default_provider().cipher_suites.to_vec();
        let chacha20 = crypto::Dtls12CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256;
        suites.sort_by_key(|suite| suite.suite() != chacha20);
        suites
    });
    CryptoProvider {
        cipher_suites: &SUITES,
        hmac_provider: &PlannedHmac,
        ..rust_crypto::default_provider()
    }
}

/// Fills `buf` with random bytes.
pub(super) fn random(buf: &mut [u8]) -> Result<(), ConfigError> {
    let source = rust_crypto::default_provider().secure_random;
    source.fill(buf).map_err(|_| ConfigError::NoEntropy)
}

/// Runs `work`, during which an engine makes this cookie and no other, whatever its own secret is.
pub(super) fn with_cookie<R>(cookie: [u8; COOKIE], work: impl FnOnce() -> R) -> R {
    struct Unplan;
    impl Drop for Unplan {
        fn drop(&mut self) {
            PLANNED.set(None);
        }
    }
    PLANNED.set(Some(cookie));
    let _unplan = Unplan;
    work()
}

/// Runs `work`, and returns the identity of the key that an engine has found meanwhile: the resolver is shared by many, and the engine does not tell.
pub(super) fn with_name<R>(work: impl FnOnce() -> R) -> (R, Option<Arc<[u8]>>) {
    NAMED.set(None);
    let worked = work();
    (worked, NAMED.take())
}

/// A key of this name was found.
pub(super) fn found(name: &Arc<[u8]>) {
    NAMED.set(Some(Arc::clone(name)));
}

/// The engine makes cookies, and nothing else, by `hmac_sha256`; what it derives keys by is `hmac`.
#[derive(Debug)]
struct PlannedHmac;

impl HmacProvider for PlannedHmac {
    fn hmac_sha256(&self, key: &[u8], data: &[u8]) -> Result<[u8; 32], CryptoError> {
        if let Some(cookie) = PLANNED.get() {
            return Ok(cookie);
        }
        let mut hmac = [0; 32];
        self.hmac(HashAlgorithm::SHA256, key, data, &mut hmac)?;
        Ok(hmac)
    }

    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        data: &[u8],
        out: &mut [u8],
    ) -> Result<usize, CryptoError> {
        let provider = rust_crypto::default_provider().hmac_provider;
        provider.hmac(hash, key, data, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_planned_for_as_long_as_the_work_takes() {
        let cookie = || PlannedHmac.hmac_sha256(b"key", b"data").expect("a cookie");
        let own = cookie();
        assert_eq!(with_cookie([7; COOKIE], cookie), [7; COOKIE]);
        assert_eq!(cookie(), own);
        let known = rust_crypto::default_provider().hmac_provider;
        assert_eq!(Ok(own), known.hmac_sha256(b"key", b"data"));
    }

    #[test]
    fn a_name_is_of_what_was_found_during_the_work() {
        let name = Arc::from(&b"sensor 17"[..]);
        found(&name);
        assert_eq!(with_name(|| 7), (7, None));
        let named = with_name(|| found(&name));
        assert!(named.1.is_some_and(|named| Arc::ptr_eq(&named, &name)));
        assert_eq!(with_name(|| 7), (7, None));
    }

    #[test]
    fn chacha20_is_preferred() {
        let first = provider().cipher_suites.first().map(|suite| suite.suite());
        let chacha20 = crypto::Dtls12CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256;
        assert_eq!(first, Some(chacha20));
    }
}
