//! Signatures, and the public keys that they are checked with.

use tacket_tls::pki_types::{SignatureVerificationAlgorithm, alg_id};
use tacket_tls::rustls::crypto::ring::default_provider;

use super::super::der::DerEdit;
use super::super::keys::OwnKey;
use super::board::{self, Drought};
use super::shares::in_form;
use super::{edited, edits};
use crate::fuzz_tls::input::Input;

#[derive(Clone, Debug)]
pub(super) struct Signature {
    /// Of those that can be checked.
    algorithm: u8,
    key: u8,
    /// The public key is in another form.
    form: Option<u8>,
    is_of_another_text: bool,
    text: Vec<u8>,
    edits: Vec<DerEdit>,
    edits_of_key: Vec<DerEdit>,
}

impl Signature {
    pub(super) fn parse(input: &mut Input<'_>) -> Self {
        let (how, form) = (input.byte(), input.byte());
        let text = input.counted_bytes();
        let mut all = edits(input);
        let of_key = all.split_off(usize::from(how >> 5).min(all.len()));
        Self {
            algorithm: how % 4,
            key: 1 + (how >> 2) % 4,
            form: (form % 8 == 7).then_some(form >> 3),
            is_of_another_text: form & 0x30 == 0x30,
            text,
            edits: all,
            edits_of_key: of_key,
        }
    }

    pub(super) fn run(&self) {
        board::start(Drought::Never);
        let ours = board::provider().signature_verification_algorithms.all;
        let Some(ours) = ours.get(usize::from(self.algorithm) % ours.len()) else {
            return;
        };
        let key = match ours.public_key_alg_id() == alg_id::ED25519 {
            true => OwnKey::ed25519(self.key),
            false => OwnKey::p256(self.key),
        };
        let original = rcgen::PublicKeyData::der_bytes(&key).to_vec();
        let public = match self.form {
            Some(form) => in_form(form, original.clone()),
            None => original.clone(),
        };
        let public = edited(public, &self.edits_of_key);
        let signature = edited(key.sign(&self.text), &self.edits);
        let text = match self.is_of_another_text {
            true => [&self.text[..], &[0]].concat(),
            false => self.text.clone(),
        };
        let verified = ours.verify_signature(&public, &text, &signature);
        let is_accepted = another(*ours)
            .is_some_and(|theirs| theirs.verify_signature(&public, &text, &signature).is_ok());
        // Ours refuses keys of low order, whose signatures say nothing.
        let may_refuse = ours.public_key_alg_id() == alg_id::ED25519 && public != original;
        let agree = verified.is_ok() == is_accepted || verified.is_err() && may_refuse;
        assert!(
            agree,
            "{ours:?} {verified:?}: {public:02x?} {signature:02x?}"
        );
    }
}

/// The same algorithm of ring.
pub(super) fn another(
    ours: &dyn SignatureVerificationAlgorithm,
) -> Option<&'static dyn SignatureVerificationAlgorithm> {
    let all = default_provider().signature_verification_algorithms.all;
    let is_same = |theirs: &&&'static dyn SignatureVerificationAlgorithm| {
        theirs.public_key_alg_id() == ours.public_key_alg_id()
            && theirs.signature_alg_id() == ours.signature_alg_id()
    };
    all.iter().find(is_same).copied()
}
