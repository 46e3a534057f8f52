//! The algorithms of RustCrypto, as a provider for rustls.

mod aead;
mod hash;
mod hmac;
#[cfg(test)]
mod known_answers;
mod length;
mod p256;
mod random;
mod schemes;
mod signing;
mod suites;
#[cfg(test)]
mod vectors;
mod x25519;

use alloc::vec;

use rustls::crypto::{CryptoProvider, SecureRandom};

use self::p256::P256;
use self::signing::Keys;
use self::x25519::X25519;

/// A provider of algorithms in pure Rust, for boards that have an allocator and no operating system.
///
/// It speaks TLS 1.3. Keys are exchanged with X25519 or P-256, records are protected with ChaCha20-Poly1305 or AES-128-GCM, in
/// this order. Signatures, those of certificates too, are ECDSA of P-256 with SHA-256; the features `p384` and `ed25519` let it
/// check theirs as well. Private keys are of P-256, in PKCS #8 or SEC 1.
///
/// Wiped once they are over are private keys, secrets of exchanges, and keys of records; not the states of HMAC, of which HKDF makes those keys, and
/// what of a key was on the stack.
///
/// No message of a peer's handshake may have more than 4 KiB, a chain of certificates neither, or what rustls makes of it might exhaust
/// a board's memory: a longer one is refused as `rustls::InvalidMessage::HandshakePayloadTooLarge`. What rustls keeps of one for a
/// moment is up to 60 KB, in whatever state the connection is; a heap is to have room for that beside what its connections need.
///
/// Random bytes and the time come from the board. Where there are no random bytes, a handshake fails: with
/// `rustls::Error::FailedToGetRandomBytes`, which also is the answer to bytes that obviously repeat.
///
/// ```
/// use std::sync::Arc;
///
/// use tacket_tls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
/// use tacket_tls::rustls::crypto::{GetRandomFailed, SecureRandom};
/// use tacket_tls::rustls::time_provider::TimeProvider;
/// use tacket_tls::{RustCrypto, ServerConfig, rustls};
///
/// # mod board {
/// #     pub fn fill_from_trng(_: &mut [u8]) -> bool { true }
/// #     pub fn rtc() -> Option<u64> { Some(1_800_000_000) }
/// # }
/// #[derive(Debug)]
/// struct Trng;
///
/// impl SecureRandom for Trng {
///     fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
///         if board::fill_from_trng(buf) { Ok(()) } else { Err(GetRandomFailed) }
///     }
/// }
///
/// #[derive(Debug)]
/// struct Rtc;
///
/// impl TimeProvider for Rtc {
///     fn current_time(&self) -> Option<UnixTime> {
///         board::rtc().map(|seconds| UnixTime::since_unix_epoch(core::time::Duration::from_secs(seconds)))
///     }
/// }
///
/// static ALGORITHMS: RustCrypto = RustCrypto::new(&Trng);
///
/// fn server(
///     certificate: CertificateDer<'static>,
///     key: PrivateKeyDer<'static>,
/// ) -> Result<ServerConfig, rustls::Error> {
///     let config = rustls::ServerConfig::builder_with_details(ALGORITHMS.provider().into(), Arc::new(Rtc))
///         .with_protocol_versions(&[&rustls::version::TLS13])?
///         .with_no_client_auth()
///         .with_single_cert(vec![certificate], key)?;
///     Ok(config.into())
/// }
/// # let made = rcgen::generate_simple_self_signed(["board.example".to_owned()]).expect("a certificate");
/// # let key = made.signing_key.serialize_der().try_into().expect("a key");
/// # server(made.cert.der().clone(), key).expect("a configuration");
/// ```
#[derive(Debug)]
pub struct RustCrypto {
    x25519: X25519,
    p256: P256,
    keys: Keys,
}

impl RustCrypto {
    /// Draws all random bytes from `random`. They have to be those of a generator for cryptography, as of a TRNG or one
    /// that a TRNG has seeded.
    #[must_use]
    pub const fn new(random: &'static dyn SecureRandom) -> Self {
        Self {
            x25519: X25519 { random },
            p256: P256 { random },
            keys: Keys { random },
        }
    }

    /// What a configuration of rustls is made with.
    #[must_use]
    pub fn provider(&'static self) -> CryptoProvider {
        CryptoProvider {
            cipher_suites: vec![
                suites::TLS13_CHACHA20_POLY1305_SHA256,
                suites::TLS13_AES_128_GCM_SHA256,
            ],
            kx_groups: vec![&self.x25519, &self.p256],
            signature_verification_algorithms: schemes::SUPPORTED,
            secure_random: self.keys.random,
            key_provider: &self.keys,
        }
    }
}
