//! Algorithms that do the same each time, for the peer of a stream and for the stream itself.
//!
//! The randomness starts anew with each program, and all agree on one shared secret, whatever the shares are. Blind, they go
//! further: the hash of a conversation is the same for any, and every signature is right. So a message that was changed is
//! understood as far as it makes sense, and the handshake goes on behind it.

use alloc::sync::Arc;
use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::sync::LazyLock;

use tacket_tls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, UnixTime, alg_id,
};
use tacket_tls::rustls::crypto::cipher::{
    AeadKey, Iv, KeyBlockShape, MessageDecrypter, MessageEncrypter, OutboundOpaqueMessage,
    OutboundPlainMessage, PrefixedPayload, Tls12AeadAlgorithm, Tls13AeadAlgorithm,
    UnsupportedOperationError,
};
use tacket_tls::rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use tacket_tls::rustls::crypto::ring::{self, cipher_suite};
use tacket_tls::rustls::crypto::{
    ActiveKeyExchange, CipherSuiteCommon, CryptoProvider, GetRandomFailed, SecureRandom,
    SharedSecret, SupportedKxGroup, WebPkiSupportedAlgorithms,
};
use tacket_tls::rustls::ffdhe_groups::FfdheGroup;
use tacket_tls::rustls::time_provider::TimeProvider;
use tacket_tls::rustls::{
    ConnectionTrafficSecrets, ContentType, Error, NamedGroup, PeerMisbehaved, SignatureScheme,
    SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite,
};

/// The type of a record that is not protected yet. Its content: the number of the keys, and the type it is to have.
pub(super) const MARK: u8 = 0xf5;

thread_local! {
    static RANDOM: Cell<u64> = const { Cell::new(0) };
    static KEYS: RefCell<Vec<Box<dyn MessageEncrypter>>> = const { RefCell::new(Vec::new()) };
}

/// Forgets everything that was random, and all keys.
pub(super) fn start_anew() {
    RANDOM.set(0);
    forget_keys();
}

pub(super) fn forget_keys() {
    KEYS.take();
}

/// The number of the peer's newest keys.
pub(super) fn newest_keys() -> Option<usize> {
    KEYS.with_borrow(|all| all.len().checked_sub(1))
}

/// Protects a record with the keys of this number.
pub(super) fn seal(keys: usize, message: OutboundPlainMessage<'_>, number: u64) -> Option<Vec<u8>> {
    KEYS.with_borrow_mut(|all| {
        let sealed = all.get_mut(keys)?.encrypt(message, number).ok()?;
        Some(sealed.encode())
    })
}

/// The algorithms of a stream, or of its peer, which leaves the protection of what it says to others.
pub(super) fn provider(is_blind: bool, is_peer: bool) -> CryptoProvider {
    type Suites = LazyLock<Vec<SupportedCipherSuite>>;
    static PLAIN: Suites = LazyLock::new(|| suites(false, false));
    static PLAIN_OF_PEER: Suites = LazyLock::new(|| suites(false, true));
    static BLIND: Suites = LazyLock::new(|| suites(true, false));
    static BLIND_OF_PEER: Suites = LazyLock::new(|| suites(true, true));
    let suites = match (is_blind, is_peer) {
        (false, false) => &PLAIN,
        (false, true) => &PLAIN_OF_PEER,
        (true, false) => &BLIND,
        (true, true) => &BLIND_OF_PEER,
    };
    let mut provider = CryptoProvider {
        cipher_suites: suites.to_vec(),
        kx_groups: vec![&FIRST_GROUP, &SECOND_GROUP],
        secure_random: &Seeded,
        ..ring::default_provider()
    };
    if is_blind {
        provider.signature_verification_algorithms = WebPkiSupportedAlgorithms {
            all: CREDULOUS,
            mapping: CREDULOUS_BY_SCHEME,
        };
    }
    provider
}

/// A group that the peer may insist on, although the stream offers a share of the other.
pub(super) fn second_group() -> Vec<&'static dyn SupportedKxGroup> {
    vec![&SECOND_GROUP]
}

fn suites(is_blind: bool, is_peer: bool) -> Vec<SupportedCipherSuite> {
    let real = [
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ];
    let common = |common: &CipherSuiteCommon| CipherSuiteCommon {
        suite: common.suite,
        hash_provider: match is_blind {
            true => &Blind,
            false => common.hash_provider,
        },
        confidentiality_limit: common.confidentiality_limit,
    };
    let change = |suite| match suite {
        SupportedCipherSuite::Tls13(suite) => {
            SupportedCipherSuite::from(&*Box::leak(Box::new(Tls13CipherSuite {
                common: common(&suite.common),
                hkdf_provider: suite.hkdf_provider,
                aead_alg: match is_peer {
                    true => Box::leak(Box::new(Marking(suite.aead_alg))),
                    false => suite.aead_alg,
                },
                quic: None,
            })))
        }
        SupportedCipherSuite::Tls12(suite) => {
            SupportedCipherSuite::from(&*Box::leak(Box::new(Tls12CipherSuite {
                common: common(&suite.common),
                prf_provider: suite.prf_provider,
                kx: suite.kx,
                sign: suite.sign,
                aead_alg: match is_peer {
                    true => Box::leak(Box::new(Marking(suite.aead_alg))),
                    false => suite.aead_alg,
                },
            })))
        }
    };
    real.map(change).to_vec()
}

#[derive(Debug)]
pub(super) struct Seeded;

impl SecureRandom for Seeded {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        RANDOM.set(RANDOM.get() + 1);
        tacket::testing::Pattern::new(RANDOM.get()).fill(buf);
        Ok(())
    }
}

static FIRST_GROUP: Group = Group(NamedGroup::X25519, 32);
static SECOND_GROUP: Group = Group(NamedGroup::secp256r1, 65);

/// A group by name, and how long its shares are. It keeps nothing secret.
#[derive(Debug)]
struct Group(NamedGroup, usize);

impl SupportedKxGroup for Group {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut share = vec![4; self.1];
        Seeded.fill(share.get_mut(1..).unwrap_or_default())?;
        Ok(Box::new(Share(self.0, share)))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        self.0
    }
}

struct Share(NamedGroup, Vec<u8>);

impl ActiveKeyExchange for Share {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        if peer.len() != self.1.len() || peer.first() != self.1.first() {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        Ok(SharedSecret::from(&[9; 32][..]))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        self.0
    }

    fn pub_key(&self) -> &[u8] {
        &self.1
    }
}

/// A hash that is the same for everything.
struct Blind;

const SAME_FOR_ALL: [u8; 32] = [7; 32];

impl Hash for Blind {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Self)
    }

    fn hash(&self, _: &[u8]) -> Output {
        Output::new(&SAME_FOR_ALL)
    }

    fn output_len(&self) -> usize {
        SAME_FOR_ALL.len()
    }

    fn algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }
}

impl Context for Blind {
    fn fork_finish(&self) -> Output {
        Output::new(&SAME_FOR_ALL)
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self)
    }

    fn finish(self: Box<Self>) -> Output {
        Output::new(&SAME_FOR_ALL)
    }

    fn update(&mut self, _: &[u8]) {}
}

/// Finds every signature right.
#[derive(Debug)]
struct Credulous;

type Verifiers = &'static [&'static dyn SignatureVerificationAlgorithm];

static CREDULOUS: Verifiers = &[&Credulous];
static CREDULOUS_BY_SCHEME: &[(SignatureScheme, Verifiers)] =
    &[(SignatureScheme::ED25519, CREDULOUS)];

impl SignatureVerificationAlgorithm for Credulous {
    fn verify_signature(&self, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), InvalidSignature> {
        Ok(())
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }
}

/// A protection that is put off: keys are kept, and what would have been protected with them is marked.
pub(super) struct Marking<A: ?Sized + 'static>(pub(super) &'static A);

struct Marker(u8);

fn keep(keys: Box<dyn MessageEncrypter>) -> Box<dyn MessageEncrypter> {
    KEYS.with_borrow_mut(|all| {
        all.push(keys);
        let number = u8::try_from(all.len() - 1).unwrap_or(u8::MAX);
        Box::new(Marker(number))
    })
}

impl MessageEncrypter for Marker {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        _: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let mut payload =
            PrefixedPayload::with_capacity(self.encrypted_payload_len(message.payload.len()));
        payload.extend_from_slice(&[self.0, message.typ.into()]);
        payload.extend_from_chunks(&message.payload);
        let mark = ContentType::from(MARK);
        Ok(OutboundOpaqueMessage::new(mark, message.version, payload))
    }

    fn encrypted_payload_len(&self, length: usize) -> usize {
        length + 2
    }
}

impl Tls13AeadAlgorithm for Marking<dyn Tls13AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        keep(self.0.encrypter(key, iv))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        self.0.decrypter(key, iv)
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv)
    }
}

impl Tls12AeadAlgorithm for Marking<dyn Tls12AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        keep(self.0.encrypter(key, iv, extra))
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        self.0.decrypter(key, iv)
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        self.0.key_block_shape()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: &[u8],
        explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv, explicit)
    }
}

/// A clock that stands still.
#[derive(Debug)]
pub(super) struct Standing;

impl TimeProvider for Standing {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(
            1_800_000_000,
        )))
    }
}

pub(super) fn standing_clock() -> Arc<dyn TimeProvider> {
    Arc::new(Standing)
}
