//! Hashes, tags and derived keys.

use tacket_tls::rustls::Tls13CipherSuite;
use tacket_tls::rustls::crypto::ring::cipher_suite;
use tacket_tls::rustls::crypto::tls13::{HkdfExpander, OkmBlock};

use super::board;
use crate::fuzz_tls::input::Input;

/// More than can be derived of one key: 255 hashes.
const LENGTHS: [usize; 8] = [0, 1, 32, 33, 255, 255 * 32 - 1, 255 * 32, 255 * 32 + 1];

#[derive(Clone, Debug)]
pub(super) struct Derivation {
    suite: u8,
    salt: Option<Vec<u8>>,
    secret: Source,
    info: Vec<Vec<u8>>,
    length: usize,
}

#[derive(Clone, Debug)]
enum Source {
    Zeros,
    Secret(Vec<u8>),
    Derived(Vec<u8>),
}

impl Derivation {
    pub(super) fn parse(input: &mut Input<'_>) -> Self {
        let (how, length) = (input.byte(), input.byte());
        let length = match length {
            0..8 => LENGTHS
                .get(usize::from(length))
                .copied()
                .unwrap_or_default(),
            length => usize::from(length) * 3,
        };
        let salt = (how & 2 == 0).then(|| blown(input));
        let secret = match how >> 2 & 3 {
            0 => Source::Zeros,
            1 => Source::Derived(input.counted_bytes()),
            _ => Source::Secret(blown(input)),
        };
        let info = (0..how >> 5).map(|_| blown(input)).collect();
        Self {
            suite: how % 2,
            salt,
            secret,
            info,
            length,
        }
    }

    pub(super) fn run(&self) {
        let ours = board::provider().cipher_suites;
        let ours = ours.get(usize::from(self.suite)).and_then(|it| it.tls13());
        let theirs = [
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            cipher_suite::TLS13_AES_128_GCM_SHA256,
        ];
        let theirs = theirs.iter().filter_map(|it| it.tls13());
        let theirs = theirs
            .into_iter()
            .find(|it| ours.is_some_and(|ours| it.common.suite == ours.common.suite));
        let Some((ours, theirs)) = ours.zip(theirs) else {
            panic!("a suite that others do not have")
        };
        assert_eq!(self.hash(ours), self.hash(theirs), "another hash");
        assert_eq!(self.tag(ours), self.tag(theirs), "another tag");
        assert_eq!(self.derive(ours), self.derive(theirs), "another key");
    }

    /// Of all pieces, and of all but the last, which a fork does not hear of.
    fn hash(&self, suite: &Tls13CipherSuite) -> [Vec<u8>; 4] {
        let hash = suite.common.hash_provider;
        let mut running = hash.start();
        let mut before = hash.start();
        for piece in &self.info {
            before = running.fork();
            running.update(piece);
        }
        let so_far = running.fork_finish();
        assert_eq!(so_far.as_ref(), running.finish().as_ref());
        [
            so_far.as_ref().to_vec(),
            before.finish().as_ref().to_vec(),
            hash.hash(&self.info.concat()).as_ref().to_vec(),
            vec![u8::try_from(hash.output_len()).unwrap_or_default()],
        ]
    }

    fn tag(&self, suite: &Tls13CipherSuite) -> Vec<u8> {
        let key = match &self.secret {
            Source::Zeros => OkmBlock::new(&[]),
            Source::Secret(secret) | Source::Derived(secret) => {
                OkmBlock::new(secret.get(..OkmBlock::MAX_LEN).unwrap_or(secret))
            }
        };
        let tag = suite.hkdf_provider.hmac_sign(&key, &self.info.concat());
        tag.as_ref().to_vec()
    }

    /// Keys of any length, and of one hash. `None`: they are too long.
    fn derive(&self, suite: &Tls13CipherSuite) -> (Option<Vec<u8>>, Vec<u8>) {
        let salt = self.salt.as_deref();
        let expander: Box<dyn HkdfExpander> = match &self.secret {
            Source::Zeros => suite.hkdf_provider.extract_from_zero_ikm(salt),
            Source::Secret(secret) => suite.hkdf_provider.extract_from_secret(salt, secret),
            Source::Derived(okm) => suite.hkdf_provider.expander_for_okm(&OkmBlock::new(okm)),
        };
        let info: Vec<&[u8]> = self.info.iter().map(Vec::as_slice).collect();
        let mut derived = vec![0; self.length];
        let is_derived = expander.expand_slice(&info, &mut derived).is_ok();
        let block = expander.expand_block(&info);
        assert_eq!(block.as_ref().len(), expander.hash_len());
        (is_derived.then_some(derived), block.as_ref().to_vec())
    }
}

/// Some bytes, of which there may be many.
fn blown(input: &mut Input<'_>) -> Vec<u8> {
    let count = input.byte();
    match count {
        0x80.. => vec![input.byte(); usize::from(count - 0x80) * 7],
        _ => input.bytes(usize::from(count) % 64),
    }
}
