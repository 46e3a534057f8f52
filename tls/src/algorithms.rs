//! Checking signatures, by the algorithms that an engine or a provider has in the image anyway.

use digest::Digest as _;
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use rustls_pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use sha2_0_10::Sha256;
#[cfg(feature = "p384")]
use sha2_0_10::Sha384;

/// Those that certificates may be signed by.
pub(super) static ALL: &[&dyn SignatureVerificationAlgorithm] = &[
    &P256_SHA256,
    #[cfg(feature = "p384")]
    &P256_SHA384,
    #[cfg(feature = "p384")]
    &P384_SHA384,
    #[cfg(feature = "p384")]
    &P384_SHA256,
    #[cfg(feature = "ed25519")]
    &Ed25519,
];

pub(super) static P256_SHA256: Ecdsa = Ecdsa(Curve::P256, Hash::Sha256);
#[cfg(feature = "p384")]
static P256_SHA384: Ecdsa = Ecdsa(Curve::P256, Hash::Sha384);
#[cfg(feature = "p384")]
pub(super) static P384_SHA384: Ecdsa = Ecdsa(Curve::P384, Hash::Sha384);
#[cfg(feature = "p384")]
static P384_SHA256: Ecdsa = Ecdsa(Curve::P384, Hash::Sha256);

/// What a point begins with that is written out (SEC 1, 2.3.3).
const UNCOMPRESSED: u8 = 4;

#[derive(Debug)]
enum Curve {
    P256,
    #[cfg(feature = "p384")]
    P384,
}

/// SHA-384 is 12 KiB, and of use to those who have larger keys.
#[derive(Debug)]
enum Hash {
    Sha256,
    #[cfg(feature = "p384")]
    Sha384,
}

/// ECDSA, of uncompressed keys and signatures in DER (RFC 5480, RFC 5758).
#[derive(Debug)]
pub(super) struct Ecdsa(Curve, Hash);

impl Ecdsa {
    fn verify_hash(&self, key: &[u8], hash: &[u8], signature: &[u8]) -> Option<()> {
        // Those who read keys know more forms than there may be (RFC 8422, 5.3).
        if key.first() != Some(&UNCOMPRESSED) {
            return None;
        }
        match self.0 {
            Curve::P256 => {
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
                let signature = p256::ecdsa::Signature::from_der(signature).ok()?;
                key.verify_prehash(hash, &signature).ok()
            }
            #[cfg(feature = "p384")]
            Curve::P384 => {
                let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
                let signature = p384::ecdsa::Signature::from_der(signature).ok()?;
                key.verify_prehash(hash, &signature).ok()
            }
        }
    }
}

impl SignatureVerificationAlgorithm for Ecdsa {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let verified = match self.1 {
            Hash::Sha256 => self.verify_hash(public_key, &Sha256::digest(message), signature),
            #[cfg(feature = "p384")]
            Hash::Sha384 => self.verify_hash(public_key, &Sha384::digest(message), signature),
        };
        verified.ok_or(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        match self.0 {
            Curve::P256 => alg_id::ECDSA_P256,
            #[cfg(feature = "p384")]
            Curve::P384 => alg_id::ECDSA_P384,
        }
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        match self.1 {
            Hash::Sha256 => alg_id::ECDSA_SHA256,
            #[cfg(feature = "p384")]
            Hash::Sha384 => alg_id::ECDSA_SHA384,
        }
    }
}

/// Ed25519 (RFC 8410).
#[cfg(feature = "ed25519")]
#[derive(Debug)]
pub(super) struct Ed25519;

#[cfg(feature = "ed25519")]
impl SignatureVerificationAlgorithm for Ed25519 {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let verify = || {
            let key = ed25519_dalek::VerifyingKey::from_bytes(public_key.try_into().ok()?).ok()?;
            let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
            key.verify_strict(message, &signature).ok()
        };
        verify().ok_or(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }
}

/// The SHA-256 of these bytes, one after the other.
#[cfg(feature = "embedded-tls")]
pub(super) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(all(test, feature = "p384"))]
mod tests {
    use alloc::vec::Vec;

    use p256::ecdsa::signature::hazmat::PrehashSigner as _;

    use super::*;

    const MESSAGE: &[u8] = b"what a certificate says";

    /// The keys of both curves, and their signatures with both hashes.
    fn signed() -> [(Vec<u8>, [Vec<u8>; 2]); 2] {
        let hashes = [
            Sha256::digest(MESSAGE).to_vec(),
            Sha384::digest(MESSAGE).to_vec(),
        ];
        let p256 = p256::ecdsa::SigningKey::from_slice(&[7; 32]).expect("a key");
        let p384 = p384::ecdsa::SigningKey::from_slice(&[7; 48]).expect("a key");
        let by_p256 = |hash: &Vec<u8>| {
            let signature: p256::ecdsa::Signature = p256.sign_prehash(hash).expect("a signature");
            signature.to_der().as_bytes().to_vec()
        };
        let by_p384 = |hash: &Vec<u8>| {
            let signature: p384::ecdsa::Signature = p384.sign_prehash(hash).expect("a signature");
            signature.to_der().as_bytes().to_vec()
        };
        [
            (
                p256.verifying_key()
                    .to_encoded_point(false)
                    .as_bytes()
                    .to_vec(),
                hashes.each_ref().map(by_p256),
            ),
            (
                p384.verifying_key()
                    .to_encoded_point(false)
                    .as_bytes()
                    .to_vec(),
                hashes.each_ref().map(by_p384),
            ),
        ]
    }

    #[test]
    fn each_algorithm_accepts_what_was_signed_by_its_curve_and_hash_and_nothing_else() {
        let algorithms = [&P256_SHA256, &P256_SHA384, &P384_SHA256, &P384_SHA384];
        let signed = signed();
        let all = signed
            .iter()
            .flat_map(|(key, signatures)| signatures.iter().map(move |signature| (key, signature)));
        for (made_by, (key, signature)) in all.enumerate() {
            for (number, algorithm) in algorithms.iter().enumerate() {
                let verified = algorithm.verify_signature(key, MESSAGE, signature);
                assert_eq!(verified.is_ok(), made_by == number, "{algorithm:?}");
                let verified = algorithm.verify_signature(key, b"something else", signature);
                assert!(verified.is_err(), "{algorithm:?}");
            }
        }
    }

    #[test]
    fn a_key_that_is_compressed_is_none() {
        let (key, [signature, _]) = &signed()[0];
        let verified = P256_SHA256.verify_signature(key, MESSAGE, signature);
        verified.expect("it is written out");
        let odd = key[64] & 1;
        for other in [
            [&[2 + odd][..], &key[1..33]].concat(),
            [&[5][..], &key[1..33]].concat(),
            [&[6 + odd][..], &key[1..]].concat(),
            key[1..].to_vec(),
            Vec::new(),
        ] {
            let verified = P256_SHA256.verify_signature(&other, MESSAGE, signature);
            verified.expect_err("another form");
        }
    }

    #[test]
    fn algorithms_are_known_by_the_identifiers_of_their_curve_and_hash() {
        let expected = [
            (&P256_SHA256, alg_id::ECDSA_P256, alg_id::ECDSA_SHA256),
            (&P256_SHA384, alg_id::ECDSA_P256, alg_id::ECDSA_SHA384),
            (&P384_SHA384, alg_id::ECDSA_P384, alg_id::ECDSA_SHA384),
            (&P384_SHA256, alg_id::ECDSA_P384, alg_id::ECDSA_SHA256),
        ];
        for (algorithm, key, signature) in expected {
            assert_eq!(algorithm.public_key_alg_id(), key, "{algorithm:?}");
            assert_eq!(algorithm.signature_alg_id(), signature, "{algorithm:?}");
            let is_listed = |it: &&&dyn SignatureVerificationAlgorithm| {
                it.public_key_alg_id() == key && it.signature_alg_id() == signature
            };
            assert_eq!(ALL.iter().filter(is_listed).count(), 1, "{algorithm:?}");
        }
    }
}
