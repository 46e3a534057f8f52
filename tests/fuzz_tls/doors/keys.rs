//! Keys that are the same in each process, and sign without randomness.

use alloc::sync::Arc;

use p256::ecdh::diffie_hellman;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey as P256};
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use p256::{PublicKey, SecretKey};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use tacket_tls::rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use tacket_tls::rustls::ffdhe_groups::FfdheGroup;
use tacket_tls::rustls::sign::{Signer, SigningKey};
use tacket_tls::rustls::{Error, NamedGroup, PeerMisbehaved, SignatureAlgorithm, SignatureScheme};

#[derive(Clone, Debug)]
pub(super) struct OwnKey {
    public: Vec<u8>,
    secret: Secret,
}

#[derive(Clone, Debug)]
enum Secret {
    P256(P256),
    Ed25519(Arc<Ed25519KeyPair>),
}

#[expect(clippy::expect_used, reason = "the keys are known to be valid")]
impl OwnKey {
    pub(super) fn p256(seed: u8) -> Self {
        let key = SecretKey::from_slice(&[seed; 32]).expect("a key");
        let point = key.public_key().to_encoded_point(false);
        Self {
            public: point.as_bytes().to_vec(),
            secret: Secret::P256(key.into()),
        }
    }

    pub(super) fn ed25519(seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key");
        Self {
            public: pair.public_key().as_ref().to_vec(),
            secret: Secret::Ed25519(pair.into()),
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::P256(key) => {
                let signature: DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
            Secret::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

impl PublicKeyData for OwnKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        match self.secret {
            Secret::P256(_) => &PKCS_ECDSA_P256_SHA256,
            Secret::Ed25519(_) => &PKCS_ED25519,
        }
    }
}

impl rcgen::SigningKey for OwnKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(Self::sign(self, message))
    }
}

impl SigningKey for OwnKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let is_offered = offered.contains(&self.scheme());
        is_offered.then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.secret {
            Secret::P256(_) => SignatureAlgorithm::ECDSA,
            Secret::Ed25519(_) => SignatureAlgorithm::ED25519,
        }
    }
}

impl Signer for OwnKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(Self::sign(self, message))
    }

    fn scheme(&self) -> SignatureScheme {
        match self.secret {
            Secret::P256(_) => SignatureScheme::ECDSA_NISTP256_SHA256,
            Secret::Ed25519(_) => SignatureScheme::ED25519,
        }
    }
}

/// The group P-256, with the same key each time.
#[derive(Debug)]
pub(super) struct SameP256;

struct SameShare {
    secret: SecretKey,
    public: Vec<u8>,
}

impl SupportedKxGroup for SameP256 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let secret = SecretKey::from_slice(&[0x33; 32])
            .map_err(|_| Error::General("a key of no use".to_owned()))?;
        let public = secret.public_key().to_encoded_point(false);
        let public = public.as_bytes().to_vec();
        Ok(Box::new(SameShare { secret, public }))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }
}

impl ActiveKeyExchange for SameShare {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer = PublicKey::from_sec1_bytes(peer)
            .map_err(|_| Error::from(PeerMisbehaved::InvalidKeyShare))?;
        let shared = diffie_hellman(self.secret.to_nonzero_scalar(), peer.as_affine());
        Ok(SharedSecret::from(&shared.raw_secret_bytes()[..]))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }
}
