//! Private keys in DER, and signatures by them.

use p256::SecretKey;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use p256::pkcs8::DecodePrivateKey as _;
use tacket_tls::pki_types::{
    PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use tacket_tls::rustls::sign::{Signer, SigningKey};
use tacket_tls::rustls::{Error, SignatureScheme};

use super::super::der::{DerEdit, Inside, Node, read};
use super::board::{self, Drought};
use super::signatures::another;
use super::{edited, edits};
use crate::fuzz_tls::input::Input;

const INTEGER: u8 = 2;
const BIT_STRING: u8 = 3;
const OCTET_STRING: u8 = 4;
const OID: u8 = 6;
const SEQUENCE: u8 = 0x30;
const PARAMETERS: u8 = 0xa0;
const PUBLIC_KEY: u8 = 0xa1;

const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const K256: &[u8] = &[0x2b, 0x81, 4, 0, 0x0a];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Pkcs8,
    Sec1,
    Pkcs1,
}

#[derive(Clone, Debug)]
pub(super) struct PrivateKey {
    format: Format,
    secret: u8,
    has_curve: bool,
    has_public_key: bool,
    /// Another curve, whose keys are as long.
    is_of_another_curve: bool,
    /// The bytes are in another format than they are said to be.
    is_mistaken: bool,
    drought: Drought,
    edits: Vec<DerEdit>,
}

impl PrivateKey {
    pub(super) fn parse(input: &mut Input<'_>) -> Self {
        let (how, what, secret) = (input.byte(), input.byte(), input.byte());
        Self {
            format: match how % 8 {
                0..4 => Format::Pkcs8,
                4..7 => Format::Sec1,
                _ => Format::Pkcs1,
            },
            has_curve: how & 8 == 0,
            has_public_key: how & 16 == 0,
            is_of_another_curve: how & 0xe0 == 0xe0,
            is_mistaken: what & 0x0f == 0x0f,
            drought: match what >> 4 {
                dry @ 8..12 => Drought::Once(dry - 8),
                dry @ 12.. => Drought::From(dry - 12),
                _ => Drought::Never,
            },
            secret,
            edits: edits(input),
        }
    }

    pub(super) fn run(&self) {
        board::start(self.drought);
        let is_pkcs8 = (self.format == Format::Pkcs8) != self.is_mistaken;
        let sec1 = self.sec1();
        let original = if is_pkcs8 { self.pkcs8(sec1) } else { sec1 };
        let der = edited(original.clone(), &self.edits);
        let loaded = board::provider()
            .key_provider
            .load_private_key(match self.format {
                Format::Pkcs8 => PrivateKeyDer::from(PrivatePkcs8KeyDer::from(der.clone())),
                Format::Sec1 => PrivateSec1KeyDer::from(der.clone()).into(),
                Format::Pkcs1 => PrivatePkcs1KeyDer::from(der.clone()).into(),
            });
        let read = self.read(&der);
        match (loaded, read) {
            (Ok(key), Some(read)) => self.check(&*key, &read),
            (Ok(_), None) => panic!("no private key, and it is loaded: {der:02x?}"),
            (Err(_), None) => {}
            // What nobody writes so may be refused.
            (Err(error), Some(_)) => assert!(der != original, "{error}: {der:02x?}"),
        }
    }

    /// The key, as others read it.
    fn read(&self, der: &[u8]) -> Option<SecretKey> {
        match self.format {
            Format::Pkcs8 => SecretKey::from_pkcs8_der(der).ok(),
            Format::Sec1 => {
                let key = SecretKey::from_sec1_der(der).ok()?;
                // They do not look at the curve.
                let fields = read(der)?;
                let mut fields = fields.first().map(Node::nodes).into_iter().flatten();
                let named = fields.find(|field| field.tag == PARAMETERS);
                let is_ours = named.is_none_or(|curve| {
                    let ours = Node::bytes(OID, P256.to_vec()).write();
                    curve.nodes().first().map(Node::write) == Some(ours)
                });
                is_ours.then_some(key)
            }
            Format::Pkcs1 => None,
        }
    }

    fn check(&self, key: &dyn SigningKey, read: &SecretKey) {
        let point = read.public_key().to_encoded_point(false);
        let public = key.public_key();
        let public = public.as_ref().map(AsRef::as_ref).unwrap_or_default();
        assert!(public.ends_with(point.as_bytes()), "another key");
        assert!(
            key.choose_scheme(&[SignatureScheme::ED25519]).is_none(),
            "a signature of another kind"
        );
        let signer: Option<Box<dyn Signer>> =
            key.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256]);
        let signed = signer.map(|signer| signer.sign(b"text"));
        match signed {
            Some(Ok(signature)) => {
                assert!(!board::was_dry(), "signed without random bytes");
                let algorithms = board::provider().signature_verification_algorithms;
                let ours = algorithms.all.first().copied();
                let both = ours.into_iter().chain(ours.and_then(another));
                for algorithm in both {
                    let verified =
                        algorithm.verify_signature(point.as_bytes(), b"text", &signature);
                    assert!(verified.is_ok(), "{algorithm:?} refuses the signature");
                }
            }
            refused => {
                assert_eq!(refused, Some(Err(Error::FailedToGetRandomBytes)));
                assert!(board::was_dry(), "there are random bytes");
            }
        }
    }

    fn secret(&self) -> [u8; 32] {
        match self.secret {
            // No key of this curve.
            0 => [0; 32],
            0xff => [0xff; 32],
            secret => [secret; 32],
        }
    }

    /// RFC 5915, 3.
    fn sec1(&self) -> Vec<u8> {
        let secret = self.secret();
        let mut fields = vec![
            Node::bytes(INTEGER, vec![1]),
            Node::bytes(OCTET_STRING, secret.to_vec()),
        ];
        if self.has_curve {
            let curve = Node::bytes(OID, self.curve().to_vec());
            fields.push(list(PARAMETERS, vec![curve]));
        }
        let key = SecretKey::from_slice(&secret).ok();
        if let Some(key) = key.filter(|_| self.has_public_key) {
            let point = key.public_key().to_encoded_point(false);
            let bits = [&[0], point.as_bytes()].concat();
            fields.push(list(PUBLIC_KEY, vec![Node::bytes(BIT_STRING, bits)]));
        }
        list(SEQUENCE, fields).write()
    }

    /// RFC 5958, 2.
    fn pkcs8(&self, sec1: Vec<u8>) -> Vec<u8> {
        let algorithm = [EC_PUBLIC_KEY, self.curve()].map(|id| Node::bytes(OID, id.to_vec()));
        let fields = vec![
            Node::bytes(INTEGER, vec![0]),
            list(SEQUENCE, algorithm.to_vec()),
            Node::bytes(OCTET_STRING, sec1),
        ];
        list(SEQUENCE, fields).write()
    }

    const fn curve(&self) -> &'static [u8] {
        if self.is_of_another_curve { K256 } else { P256 }
    }
}

/// A key with this secret, as one writes it.
pub(super) fn pkcs8(secret: u8) -> Vec<u8> {
    let key = PrivateKey {
        format: Format::Pkcs8,
        secret,
        has_curve: false,
        has_public_key: true,
        is_of_another_curve: false,
        is_mistaken: false,
        drought: Drought::Never,
        edits: Vec::new(),
    };
    key.pkcs8(key.sec1())
}

const fn list(tag: u8, nodes: Vec<Node>) -> Node {
    let inside = Inside::Nodes(nodes);
    Node { tag, inside }
}
