//! Signing, with keys of P-256.

use alloc::boxed::Box;
use alloc::string::ToString as _;
use alloc::sync::Arc;
use alloc::vec::Vec;

use p256::ecdsa::signature::RandomizedSigner as _;
use p256::ecdsa::{DerSignature, SigningKey as P256Key};
use p256::elliptic_curve::rand_core::{self, CryptoRng, RngCore};
use p256::elliptic_curve::zeroize::{Zeroize as _, Zeroizing};
use p256::pkcs8::{AssociatedOid as _, DecodePrivateKey as _};
use p256::{NistP256, SecretKey};
use rustls::crypto::{KeyProvider, SecureRandom};
use rustls::sign::{Signer, SigningKey, public_key_to_spki};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer, alg_id};
use sec1::EcPrivateKey;

use super::random::draw_secret;

/// Reads private keys.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) random: &'static dyn SecureRandom,
}

impl KeyProvider for Keys {
    fn load_private_key(
        &self,
        mut der: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, Error> {
        let read = read_key(&der);
        der.zeroize();
        let key = read.ok_or_else(|| Error::General("not a private key of P-256".to_string()))?;
        Ok(Arc::new(Key {
            key: Arc::new(key.into()),
            random: self.random,
        }))
    }
}

fn read_key(der: &PrivateKeyDer<'_>) -> Option<SecretKey> {
    match der {
        PrivateKeyDer::Pkcs8(der) => SecretKey::from_pkcs8_der(der.secret_pkcs8_der()).ok(),
        PrivateKeyDer::Sec1(der) => {
            let key = EcPrivateKey::try_from(der.secret_sec1_der()).ok()?;
            // A key of another curve may be as long.
            let curve = key.parameters.map(|parameters| parameters.named_curve());
            let is_ours = curve.is_none_or(|curve| curve == Some(NistP256::OID));
            is_ours.then(|| key.try_into().ok())?
        }
        _ => None,
    }
}

/// A private key, which signs itself.
#[derive(Clone, Debug)]
struct Key {
    key: Arc<P256Key>,
    random: &'static dyn SecureRandom,
}

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let is_offered = offered.contains(&self.scheme());
        is_offered.then(|| -> Box<dyn Signer> { Box::new(self.clone()) })
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        let point = self.key.verifying_key().to_encoded_point(false);
        Some(public_key_to_spki(&alg_id::ECDSA_P256, point.as_bytes()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut hedge = Hedge(draw_secret(self.random)?);
        let signed: Result<DerSignature, _> = self.key.try_sign_with_rng(&mut hedge, message);
        let signature = signed.map_err(|_| Error::General("cannot sign".to_string()))?;
        Ok(signature.as_bytes().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}

/// Random bytes for one signature.
///
/// Its secret number is made of the key and the message (RFC 6979) and of these (3.6 there). So it stays secret if they are not,
/// and whoever disturbs the processor does not get the same number for two messages.
struct Hedge(Zeroizing<[u8; 32]>);

impl RngCore for Hedge {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, buf: &mut [u8]) {
        for (byte, random) in buf.iter_mut().zip(self.0.iter().cycle()) {
            *byte = *random;
        }
    }

    fn try_fill_bytes(&mut self, buf: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(buf);
        Ok(())
    }
}

impl CryptoRng for Hedge {}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use rustls::crypto::ring;
    use rustls_pki_types::{
        PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer, SignatureVerificationAlgorithm,
    };

    use super::super::vectors::{NoEntropy, Scripted, hex};
    use super::*;
    use crate::algorithms::P256_SHA256;

    /// RFC 6979, A.2.5: a private key, its public one, and its signatures of two texts, r and s.
    const SECRET: &str = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
    const PUBLIC: &str = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
                          7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    const SAMPLE: [&str; 2] = [
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    ];
    const TEST: [&str; 2] = [
        "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
        "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
    ];

    /// What is signed with ECDSA and P-256, in a `SubjectPublicKeyInfo`.
    const SPKI: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

    /// Names of curves: P-256, P-224, and secp256k1, whose keys are as long.
    const P256: &str = "06082a8648ce3d030107";
    const P224: &str = "06052b81040021";
    const K256: &str = "06052b8104000a";

    /// SEC 1, C.4.
    fn sec1(secret: &[u8], curve: Option<&str>, public: Option<&[u8]>) -> Vec<u8> {
        let mut inside = vec![2, 1, 1, 4, length(secret)];
        inside.extend_from_slice(secret);
        if let Some(curve) = curve.map(hex) {
            inside.extend_from_slice(&[&[0xa0, length(&curve)], &curve[..]].concat());
        }
        if let Some(public) = public {
            let bits = [&[3, 1 + length(public), 0], public].concat();
            inside.extend_from_slice(&[&[0xa1, length(&bits)], &bits[..]].concat());
        }
        [&[0x30, length(&inside)], &inside[..]].concat()
    }

    /// RFC 5208, of a key in SEC 1.
    fn pkcs8(key: &[u8], curve: &str) -> Vec<u8> {
        let algorithm = [hex("06072a8648ce3d0201"), hex(curve)].concat();
        let mut inside = [&[2, 1, 0, 0x30, length(&algorithm)], &algorithm[..]].concat();
        inside.extend_from_slice(&[&[4, length(key)], key].concat());
        let long: &[u8] = if inside.len() > 127 { &[0x81] } else { &[] };
        [&[0x30], long, &[length(&inside)], &inside].concat()
    }

    fn length(of: &[u8]) -> u8 {
        of.len().try_into().expect("short")
    }

    fn load(
        der: impl Into<PrivateKeyDer<'static>>,
        random: &'static dyn SecureRandom,
    ) -> Result<Arc<dyn SigningKey>, Error> {
        Keys { random }.load_private_key(der.into())
    }

    fn signer(random: &'static dyn SecureRandom) -> Box<dyn Signer> {
        let key = load(
            PrivateSec1KeyDer::from(sec1(&hex(SECRET), None, None)),
            random,
        );
        let offered = [
            SignatureScheme::ED25519,
            SignatureScheme::ECDSA_NISTP256_SHA256,
        ];
        let key = key.expect("a key");
        key.choose_scheme(&offered).expect("it is offered")
    }

    /// A signature in DER, of numbers without zeros in front.
    fn signature(numbers: [&str; 2]) -> Vec<u8> {
        let mut inside = Vec::new();
        for number in numbers.map(hex) {
            let sign: &[u8] = if number[0] > 0x7f { &[0] } else { &[] };
            let number = [sign, &number].concat();
            inside.extend_from_slice(&[&[2, length(&number)], &number[..]].concat());
        }
        [&[0x30, length(&inside)], &inside[..]].concat()
    }

    #[test]
    fn keys_come_in_both_formats_with_the_public_key_and_without() {
        let (secret, public) = (hex(SECRET), hex(PUBLIC));
        for curve in [None, Some(P256)] {
            for known in [None, Some(&public[..])] {
                let sec1 = sec1(&secret, curve, known);
                let pkcs8 = PrivatePkcs8KeyDer::from(pkcs8(&sec1, P256));
                let sec1 = PrivateSec1KeyDer::from(sec1);
                for key in [load(sec1, &NoEntropy), load(pkcs8, &NoEntropy)] {
                    let key = key.expect("a key");
                    let spki = [hex(SPKI), public.clone()].concat();
                    assert_eq!(key.public_key().expect("known").as_ref(), spki);
                    assert_eq!(key.algorithm(), SignatureAlgorithm::ECDSA);
                    let others = [
                        SignatureScheme::ECDSA_NISTP384_SHA384,
                        SignatureScheme::ED25519,
                    ];
                    assert!(key.choose_scheme(&others).is_none());
                    assert!(!alloc::format!("{key:?}").contains("201"), "{key:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_private_key_of_this_curve_is_refused() {
        let (secret, mut public) = (hex(SECRET), hex(PUBLIC));
        let good = sec1(&secret, Some(P256), None);
        let sec1s = [
            sec1(&secret, Some(K256), None),
            sec1(&secret[..28], Some(P224), None),
            sec1(&[0; 32], None, None),
            sec1(&[0xff; 32], None, None),
            sec1(&[&secret[..], &[0]].concat(), None, None),
            {
                public[5] ^= 1;
                sec1(&secret, None, Some(&public))
            },
            good[..good.len() - 1].to_vec(),
            [&good[..], &[0]].concat(),
            vec![],
        ];
        for der in sec1s {
            load(PrivateSec1KeyDer::from(der), &NoEntropy).expect_err("no key");
        }
        for der in [pkcs8(&good, K256), pkcs8(&good[1..], P256), good.clone()] {
            load(PrivatePkcs8KeyDer::from(der), &NoEntropy).expect_err("no key");
        }
        let refused = load(PrivatePkcs1KeyDer::from(good), &NoEntropy);
        let said = refused.expect_err("of RSA").to_string();
        assert!(said.contains("not a private key of P-256"), "{said}");
    }

    #[test]
    fn the_signatures_of_the_standard_are_accepted() {
        let public = hex(PUBLIC);
        for (text, numbers) in [(&b"sample"[..], SAMPLE), (b"test", TEST)] {
            let signature = signature(numbers);
            let verified = P256_SHA256.verify_signature(&public, text, &signature);
            verified.expect("what the standard says");
            let verified = P256_SHA256.verify_signature(&public, b"another text", &signature);
            verified.expect_err("it was not signed");
        }
    }

    #[test]
    fn signatures_are_good_for_two_implementations_and_for_their_text_only() {
        let random = Scripted::one_secret(&hex(SECRET));
        let signed = signer(random).sign(b"text").expect("random bytes");
        let algorithms = ring::default_provider().signature_verification_algorithms;
        let is_ours = |it: &&&dyn SignatureVerificationAlgorithm| {
            it.public_key_alg_id() == alg_id::ECDSA_P256
                && it.signature_alg_id() == alg_id::ECDSA_SHA256
        };
        let theirs = algorithms.all.iter().find(is_ours).expect("ring has it");
        let public = hex(PUBLIC);
        for algorithm in [&P256_SHA256, *theirs] {
            let verified = algorithm.verify_signature(&public, b"text", &signed);
            verified.expect("it was signed");
            let verified = algorithm.verify_signature(&public, b"test", &signed);
            verified.expect_err("it was not signed");
        }
    }

    #[test]
    fn a_signature_takes_random_bytes_and_without_them_there_is_none() {
        let sign = |secret: &[u8]| signer(Scripted::one_secret(secret)).sign(b"text");
        let (one, other) = (hex(SECRET), hex(SAMPLE[0]));
        assert_eq!(sign(&one), sign(&one));
        assert_ne!(sign(&one), sign(&other));
        let refused = signer(&NoEntropy).sign(b"text");
        assert_eq!(refused, Err(Error::FailedToGetRandomBytes));
    }
}
