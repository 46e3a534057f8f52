//! Certificates by description, each with its issuer's signature, whatever was done to what it signs.

use core::cell::RefCell;
use std::collections::HashMap;
use std::sync::LazyLock;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyUsagePurpose, NameConstraints,
    PublicKeyData, date_time_ymd,
};

use super::der::{DerEdit, Inside, Node, read, write};
use super::keys::OwnKey;
use crate::NAME;
use crate::fuzz_tls::input::Input;

/// Two roots, authorities below them, and a server: each can have any of them.
pub(super) static KEYS: LazyLock<[OwnKey; 6]> = LazyLock::new(|| {
    [
        OwnKey::p256(21),
        OwnKey::p256(22),
        OwnKey::p256(23),
        OwnKey::p256(24),
        OwnKey::p256(25),
        OwnKey::ed25519(26),
    ]
});

/// Of signatures that were made before: to make them takes the most time.
const MOST_SIGNATURES: usize = 10_000;

const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// By key and message.
type Signatures = HashMap<(u8, Vec<u8>), Vec<u8>>;

thread_local! {
    static SIGNATURES: RefCell<Signatures> = RefCell::default();
}

pub(super) fn key(which: u8) -> &'static OwnKey {
    let keys = &*KEYS;
    let [first, ..] = keys;
    keys.get(usize::from(which) % keys.len()).unwrap_or(first)
}

fn sign(which: u8, message: &[u8]) -> Vec<u8> {
    SIGNATURES.with_borrow_mut(|known| {
        if known.len() > MOST_SIGNATURES {
            known.clear();
        }
        let signature = known.entry((which, message.to_vec()));
        signature
            .or_insert_with(|| key(which).sign(message))
            .clone()
    })
}

/// A certificate. All that is 0 is as it should be.
#[derive(Clone, Debug)]
pub(super) struct Description {
    pub(super) key: u8,
    /// Who signs.
    signer: u8,
    /// Who is named as the one that does.
    issuer: u8,
    is_authority: bool,
    constraints: u8,
    usage: u8,
    names: u8,
    limits: u8,
    time: u8,
    has_unknown: bool,
    pub(super) edits: Vec<DerEdit>,
    /// These are made behind the signature's back.
    pub(super) late_edits: Vec<DerEdit>,
}

impl Description {
    /// The certificate at this place in a chain of `count`, the last of which the first root has signed.
    pub(super) fn parse(input: &mut Input<'_>, place: u8, count: u8) -> Self {
        let (who, what) = (input.byte(), input.byte());
        let (usage, names, time) = (input.byte(), input.byte(), input.byte());
        let own = place + 1;
        let next = if place + 1 == count { 0 } else { place + 2 };
        let signer = next + (who >> 2) % 6;
        Self {
            key: own + if who & 1 == 0 { 0 } else { 1 + (who >> 5) },
            signer,
            issuer: signer + u8::from(who & 2 != 0),
            is_authority: place > 0,
            constraints: what % 8,
            usage,
            names: names % 8,
            limits: names >> 3,
            time: time % 8,
            has_unknown: time & 0x80 != 0,
            edits: Vec::new(),
            late_edits: Vec::new(),
        }
    }

    /// A root that signs itself.
    pub(super) const fn root(key: u8, constraints: u8) -> Self {
        Self {
            key,
            signer: key,
            issuer: key,
            is_authority: true,
            constraints,
            usage: 0,
            names: 0,
            limits: 0,
            time: 0,
            has_unknown: false,
            edits: Vec::new(),
            late_edits: Vec::new(),
        }
    }

    /// The same, before anything was done to it.
    pub(super) fn unedited(&self) -> Self {
        Self {
            edits: Vec::new(),
            late_edits: Vec::new(),
            ..self.clone()
        }
    }

    pub(super) const fn is_edited(&self) -> bool {
        !self.edits.is_empty() || !self.late_edits.is_empty()
    }

    #[expect(clippy::expect_used, reason = "what is made here is known to be valid")]
    pub(super) fn make(&self) -> Vec<u8> {
        let mut issuer = CertificateParams::default();
        issuer.distinguished_name = named(self.issuer);
        let issuer = Issuer::new(issuer, Unsigned(key(self.signer)));
        let made = self.params().signed_by(key(self.key), &issuer);
        let made = read(made.expect("it is valid").der()).expect("it is DER");
        let Some(Inside::Nodes(parts)) = made.into_iter().next().map(|node| node.inside) else {
            unreachable!("a certificate has parts")
        };
        let [signed, algorithm, _] = parts.try_into().expect("three parts");
        let mut signed = signed.write();
        for edit in &self.edits {
            edit.apply(&mut signed);
        }
        let mut signature = vec![0];
        signature.extend(sign(self.signer % 6, &signed));
        let parts = [Node::bytes(BIT_STRING, signature)];
        let content = [signed, algorithm.write(), write(&parts)].concat();
        let mut der = Node::bytes(SEQUENCE, content).write();
        for edit in &self.late_edits {
            edit.apply(&mut der);
        }
        der
    }

    #[expect(clippy::expect_used, reason = "the names are known to be valid")]
    fn params(&self) -> CertificateParams {
        let names: &[&str] = match (self.names, self.is_authority) {
            (0, true) => &[],
            (0, false) => &[NAME],
            (1, _) => &["*.example"],
            (2, _) => &["other.example"],
            (3, _) => &["192.0.2.1"],
            (4, _) => &["one.example", "two.example", "*.server.example", NAME],
            (5, _) => &["SERVER.example", "2001:db8::1"],
            (6, _) => &["*.server.example"],
            _ => &[],
        };
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name = named(self.key);
        params.serial_number = Some(vec![1 + self.key].into());
        let (from, until) = match self.time {
            0 => (2020, 2040),
            1 => (2020, 2024),
            2 => (2030, 2040),
            3 => (2040, 2020),
            4 => (2027, 2028),
            5 => (2028, 2030),
            6 => (1980, 2027),
            _ => (2020, 2060),
        };
        (params.not_before, params.not_after) =
            (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
        let constrained = |length| IsCa::Ca(BasicConstraints::Constrained(length));
        params.is_ca = match (self.constraints, self.is_authority) {
            (0, true) | (1, false) => IsCa::Ca(BasicConstraints::Unconstrained),
            (0, false) | (1, true) => IsCa::NoCa,
            (2 | 6 | 7, _) => IsCa::ExplicitNoCa,
            (3, _) => constrained(0),
            (4, _) => constrained(1),
            _ => constrained(2),
        };
        params.key_usages = match (self.usage % 8, self.is_authority) {
            (0, true) | (1, false) => vec![KeyUsagePurpose::KeyCertSign],
            (0, false) | (1, true) => vec![KeyUsagePurpose::DigitalSignature],
            (2, _) => vec![],
            (3, _) => vec![
                KeyUsagePurpose::DigitalSignature,
                KeyUsagePurpose::KeyCertSign,
            ],
            (4, _) => vec![KeyUsagePurpose::KeyEncipherment],
            (5, _) => vec![KeyUsagePurpose::DecipherOnly],
            (6, _) => vec![KeyUsagePurpose::CrlSign],
            _ => vec![KeyUsagePurpose::KeyAgreement],
        };
        params.extended_key_usages = match self.usage >> 3 {
            1 | 9 => vec![ExtendedKeyUsagePurpose::ServerAuth],
            2 => vec![ExtendedKeyUsagePurpose::ClientAuth],
            3 => vec![
                ExtendedKeyUsagePurpose::ClientAuth,
                ExtendedKeyUsagePurpose::ServerAuth,
            ],
            4 => vec![ExtendedKeyUsagePurpose::Any],
            _ => vec![],
        };
        params.name_constraints = limits(self.limits);
        if self.has_unknown {
            let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
            unknown.set_criticality(true);
            params.custom_extensions = vec![unknown];
        }
        params
    }
}

fn limits(which: u8) -> Option<NameConstraints> {
    let name = |name: &str| GeneralSubtree::DnsName(name.to_owned());
    let address = GeneralSubtree::IpAddress(CidrSubnet::V4([192, 0, 2, 0], [255, 255, 255, 0]));
    let (permitted, excluded) = match which {
        1 => (name("example"), None),
        2 => (name("other.example"), None),
        3 => (name("example"), Some(name(NAME))),
        4 => (name("example"), Some(name("other.example"))),
        5 => (address, None),
        _ => return None,
    };
    Some(NameConstraints {
        permitted_subtrees: vec![permitted],
        excluded_subtrees: excluded.into_iter().collect(),
    })
}

fn named(key: u8) -> rcgen::DistinguishedName {
    let mut name = rcgen::DistinguishedName::new();
    name.push(DnType::CommonName, format!("owner of key {}", key % 6));
    name
}

/// A key that puts off its signature.
struct Unsigned(&'static OwnKey);

impl PublicKeyData for Unsigned {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl rcgen::SigningKey for Unsigned {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(vec![0])
    }
}
