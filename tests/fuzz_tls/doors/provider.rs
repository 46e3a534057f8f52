//! The algorithms for boards, beside other implementations of them: what a peer controls of a share, a signature, a key, a record, a derivation,
//! and whole handshakes.

mod board;
mod curve25519;
mod derivations;
mod handshakes;
mod private_keys;
mod records;
mod shares;
mod signatures;

use self::derivations::Derivation;
use self::handshakes::Handshake;
use self::private_keys::PrivateKey;
use self::records::Record;
use self::shares::Share;
use self::signatures::Signature;
use super::der::DerEdit;
use crate::fuzz_tls::input::Input;

const MOST_EDITS: usize = 6;

/// What a fuzzer has made up: something that the algorithms for boards are given.
#[derive(Clone, Debug)]
pub struct TlsProviderProgram(Task);

#[derive(Clone, Debug)]
enum Task {
    Share(Share),
    Signature(Signature),
    PrivateKey(PrivateKey),
    Record(Record),
    Derivation(Derivation),
    Handshake(Handshake),
}

impl TlsProviderProgram {
    /// Reads a program. Any bytes are one.
    #[must_use]
    pub fn parse(input: &[u8]) -> Self {
        let mut input = Input::new(input);
        Self(match input.byte() % 6 {
            0 => Task::Share(Share::parse(&mut input)),
            1 => Task::Signature(Signature::parse(&mut input)),
            2 => Task::PrivateKey(PrivateKey::parse(&mut input)),
            3 => Task::Record(Record::parse(&mut input)),
            4 => Task::Derivation(Derivation::parse(&mut input)),
            _ => Task::Handshake(Handshake::parse(&mut input)),
        })
    }

    /// Runs it.
    ///
    /// # Panics
    ///
    /// If the algorithms and others do not agree, or what must fail does not.
    pub fn run(&self) {
        match &self.0 {
            Task::Share(share) => share.run(),
            Task::Signature(signature) => signature.run(),
            Task::PrivateKey(key) => key.run(),
            Task::Record(record) => record.run(),
            Task::Derivation(derivation) => derivation.run(),
            Task::Handshake(handshake) => handshake.run(),
        }
    }
}

/// What is left of the input, as changes.
fn edits(input: &mut Input<'_>) -> Vec<DerEdit> {
    let mut edits = Vec::new();
    while !input.is_empty() && edits.len() < MOST_EDITS {
        edits.push(DerEdit::parse(input));
    }
    edits
}

fn edited(mut bytes: Vec<u8>, edits: &[DerEdit]) -> Vec<u8> {
    for edit in edits {
        edit.apply(&mut bytes);
    }
    bytes
}
