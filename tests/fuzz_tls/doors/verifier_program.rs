//! Certificates and proofs, as a server may show them to the verifier of a client without a heap.

use embedded_tls::{
    Aes128GcmSha256, CertificateEntryRef, CertificateRef, CertificateVerifyRef, Sha256,
    SignatureScheme, TlsError, TlsVerifier,
};
use tacket_tls::pki_types::{CertificateDer, ServerName};
use tacket_tls::{
    Anchors, Fingerprint, GuardTrust, GuardVerifier, PeerIdentity, PreSharedKey, Validity,
    VerifyError,
};

use super::chain::{Description, key};
use super::concert::{KNOWN_AS, KNOWN_KEY};
use super::der::{DerEdit, key_info};
use super::guard_parties::{Moment, sha256};
use super::program::{Gauge, Used};
use super::verifier_oracle::{Question, is_authority};
use crate::NAME;
use crate::fuzz_tls::input::Input;

const MOST_EDITS: usize = 12;

/// How many bytes the verifier may take from the allocator, where there is one: path building names a certificate's names in its errors.
const MOST_BYTES: i64 = 1 << 16;

/// What a server signs after an empty handshake (RFC 8446, 4.4.3).
const CONTEXT: &[u8] = b"TLS 1.3, server CertificateVerify\0";

/// What a server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Show {
    Certificates,
    Proof,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Belief {
    Roots,
    Certificate,
    Key,
    PreSharedKey,
    Others,
}

#[derive(Clone, Debug)]
struct Proof {
    scheme: u8,
    is_of_another_key: bool,
    is_of_another_handshake: bool,
    edits: Vec<DerEdit>,
}

/// What a fuzzer has made up: whom a client trusts to be whom, and what a server shows it.
#[derive(Clone, Debug)]
pub struct TlsVerifierProgram {
    belief: Belief,
    name: u8,
    /// What the clock says. `Err`: there is none.
    time: Result<Option<u64>, ()>,
    roots: [Description; 2],
    chain: Vec<Description>,
    proof: Proof,
    shows: &'static [Show],
}

impl TlsVerifierProgram {
    /// Reads a program. Any bytes are one.
    #[must_use]
    pub fn parse(input: &[u8]) -> Self {
        let mut input = Input::new(input);
        let (what, when, proof) = (input.byte(), input.byte(), input.byte());
        let count = match input.byte() % 16 {
            count @ 0..6 => count + 1,
            6..11 => 2,
            _ => 3,
        };
        let root = input.byte();
        let mut roots = [
            Description::root(0, root % 8),
            Description::root(6 + (root >> 3) % 6, root >> 6),
        ];
        let mut chain: Vec<_> = (0..count)
            .map(|place| Description::parse(&mut input, place, count))
            .collect();
        let mut proof = Proof {
            scheme: proof % 8,
            is_of_another_key: proof & 0x18 == 0x18,
            is_of_another_handshake: proof & 0x60 == 0x60,
            edits: Vec::new(),
        };
        for _ in 0..MOST_EDITS {
            if input.is_empty() {
                break;
            }
            let place = input.byte();
            let edit = DerEdit::parse(&mut input);
            let [first, _] = &mut roots;
            let edited = match place % 16 {
                15 => {
                    proof.edits.push(edit);
                    continue;
                }
                14 => first,
                place => {
                    let place = usize::from(place) % chain.len();
                    let Some(edited) = chain.get_mut(place) else {
                        continue;
                    };
                    edited
                }
            };
            match place & 0x80 {
                0 => edited.edits.push(edit),
                _ => edited.late_edits.push(edit),
            }
        }
        Self {
            belief: match what % 16 {
                0..10 => Belief::Roots,
                10 | 11 => Belief::Certificate,
                12 | 13 => Belief::Key,
                14 => Belief::PreSharedKey,
                _ => Belief::Others,
            },
            name: (what >> 4) % 8,
            time: time(when),
            roots,
            chain,
            proof,
            shows: shows(when >> 4),
        }
    }

    /// Shows it all to a verifier. What that takes from the allocator is what `gauge` says.
    ///
    /// # Panics
    ///
    /// If it trusts whom it should not, or refuses whom it should.
    pub fn run(&self, gauge: Gauge) {
        let roots = self
            .roots
            .each_ref()
            .map(|root| CertificateDer::from(root.make()));
        let chain: Vec<_> = self.chain.iter().map(Description::make).collect();
        let Some(anchors) = self.anchors(&roots) else {
            return;
        };
        let leaf = chain.first().map(Vec::as_slice).unwrap_or_default();
        // Pins are of what was there before anything was done to it.
        let bare = self.chain.first().map(|leaf| leaf.unedited().make());
        let bare = bare.unwrap_or_default();
        let certificates = [Fingerprint::new(sha256(&bare))];
        let keys = [Fingerprint::new(sha256(
            &key_info(&bare).unwrap_or_default(),
        ))];
        let trust = self.trust(&anchors, &certificates, &keys);
        let name = self.name();
        let moment = Moment(self.time.ok().flatten());
        let validity = match self.time {
            Ok(_) => Validity::Now(&moment),
            Err(()) => Validity::Unchecked,
        };
        let (scheme, signature) = self.proof(leaf);
        let mut outcome = None;
        let Used { most, .. } = gauge(&mut || {
            let mut verifier = GuardVerifier::new(trust, &name, validity);
            for show in self.shows {
                let _ = match show {
                    Show::Certificates => present(&mut verifier, &chain),
                    Show::Proof => prove(&mut verifier, scheme, &signature),
                };
            }
            outcome = Some(verifier.verdict());
        });
        assert!(most <= MOST_BYTES, "it takes too much memory");
        let question = Question {
            anchors: anchors.as_slice(),
            chain: &chain,
            name: &name,
            time: self.time,
        };
        let is_pinned = match self.belief {
            Belief::Roots => None,
            Belief::Certificate => Some(leaf == bare),
            Belief::Key => Some(key_info(leaf).is_some() && key_info(leaf) == key_info(&bare)),
            Belief::PreSharedKey | Belief::Others => Some(false),
        };
        let is_proved = question.is_proved(scheme, &message(false), &signature);
        if let Some(outcome) = outcome {
            self.check(outcome, &question, is_pinned, is_proved);
        }
    }

    fn check(
        &self,
        outcome: Result<PeerIdentity, VerifyError>,
        question: &Question<'_>,
        is_pinned: Option<bool>,
        is_proved: bool,
    ) {
        let is_complete = self.shows == [Show::Certificates, Show::Proof];
        let leaf = question
            .chain
            .first()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let identity = match outcome {
            Ok(identity) => identity,
            Err(error) => {
                let is_trusted = is_pinned.unwrap_or_else(|| question.is_answered());
                if is_complete && is_trusted && is_proved {
                    assert!(self.may_refuse(error, question), "{error:?} for no reason");
                }
                return;
            }
        };
        if self.belief == Belief::PreSharedKey {
            assert_eq!(identity, PeerIdentity::PreSharedKey);
            assert!(self.shows.is_empty(), "certificates, where a key is known");
            return;
        }
        let fingerprint = Fingerprint::new(sha256(leaf));
        assert_eq!(identity, PeerIdentity::Certificate(fingerprint));
        assert!(
            is_complete,
            "certificates and proof are not all that was shown"
        );
        assert!(is_proved, "trust without a proof");
        match is_pinned {
            Some(is_pinned) => assert!(is_pinned, "trust in who is not pinned"),
            None => question.assert_answered(),
        }
    }

    /// Whether it may refuse for this reason what others accept.
    fn may_refuse(&self, error: VerifyError, question: &Question<'_>) -> bool {
        let is_edited = self.chain.iter().any(Description::is_edited);
        match error {
            VerifyError::WrongUsage => self.belief == Belief::Roots,
            VerifyError::ChainTooLong => question.chain.len() > 4,
            // Not all that others can check is built in, and of what is damaged, others may overlook something.
            VerifyError::UnsupportedKey
            | VerifyError::UnsupportedAlgorithm
            | VerifyError::Malformed
            | VerifyError::TooComplex => is_edited,
            _ => false,
        }
    }

    /// The roots, if they are some.
    fn anchors<'r>(&self, roots: &'r [CertificateDer<'r>; 2]) -> Option<Anchors<'r, 2>> {
        let anchors = Anchors::from_certificates(roots).ok();
        let are_authorities = roots.iter().all(|root| is_authority(root));
        assert!(
            anchors.is_none() || are_authorities,
            "a root that is no authority"
        );
        let is_edited = self.roots.iter().any(Description::is_edited);
        assert!(
            anchors.is_some() || !are_authorities || is_edited,
            "an authority is no root"
        );
        anchors
    }

    fn trust<'t>(
        &self,
        anchors: &'t Anchors<'t, 2>,
        certificates: &'t [Fingerprint],
        keys: &'t [Fingerprint],
    ) -> GuardTrust<'t> {
        static OTHERS: [Fingerprint; 2] = [Fingerprint::new([7; 32]), Fingerprint::new([8; 32])];
        let trust = match self.belief {
            Belief::Roots => GuardTrust::in_roots(anchors.as_slice()),
            Belief::Certificate => GuardTrust::in_certificates(certificates),
            Belief::Key => GuardTrust::in_keys(keys),
            Belief::Others => GuardTrust::in_keys(&OTHERS),
            Belief::PreSharedKey => {
                PreSharedKey::new(KNOWN_AS, &KNOWN_KEY).map(GuardTrust::in_pre_shared_key)
            }
        };
        trust.unwrap_or_else(|error| panic!("{error:?}"))
    }

    fn name(&self) -> ServerName<'static> {
        let name = match self.name {
            0 | 1 => NAME,
            2 => "SERVER.example",
            3 => "server.example.",
            4 => "a.server.example",
            5 => "other.example",
            6 => "192.0.2.1",
            _ => "2001:db8::1",
        };
        let name = ServerName::try_from(name);
        name.unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// By which algorithm the server says that it signs, and its signature.
    fn proof(&self, leaf: &[u8]) -> (SignatureScheme, Vec<u8>) {
        let own = self.chain.first().map_or(0, |leaf| leaf.key);
        let is_ed25519 = key_info(leaf).is_some_and(|info| info.len() < 60);
        let signer = key(own + u8::from(self.proof.is_of_another_key));
        let mut signature = signer.sign(&message(self.proof.is_of_another_handshake));
        for edit in &self.proof.edits {
            edit.apply(&mut signature);
        }
        let scheme = match self.proof.scheme {
            0 if is_ed25519 => SignatureScheme::Ed25519,
            1 => SignatureScheme::Ed25519,
            2 => SignatureScheme::EcdsaSecp384r1Sha384,
            3 => SignatureScheme::RsaPssRsaeSha256,
            4 => SignatureScheme::EcdsaSha1,
            _ => SignatureScheme::EcdsaSecp256r1Sha256,
        };
        (scheme, signature)
    }
}

fn message(is_of_another_handshake: bool) -> Vec<u8> {
    let mut message = vec![b' '; 64];
    message.extend_from_slice(CONTEXT);
    message.extend(sha256(b""));
    if is_of_another_handshake {
        message.reverse();
    }
    message
}

fn time(when: u8) -> Result<Option<u64>, ()> {
    Ok(match when % 16 {
        0..5 => Some(1_800_000_000),
        5 => Some(1_600_000_000),
        6 => Some(1_850_000_000),
        7 => Some(2_000_000_000),
        8 => Some(3_000_000_000),
        9 => Some(0),
        10 => None,
        // From the first of January of 2027 on, and of 2028.
        11 => Some(1_798_761_600),
        12 => Some(1_830_297_600),
        _ => return Err(()),
    })
}

const fn shows(which: u8) -> &'static [Show] {
    use Show::{Certificates, Proof};
    match which {
        10 => &[Proof, Certificates],
        11 => &[Certificates, Certificates, Proof],
        12 => &[Certificates, Proof, Proof],
        13 => &[Certificates],
        14 => &[],
        15 => &[Certificates, Proof, Certificates],
        _ => &[Certificates, Proof],
    }
}

fn present(verifier: &mut GuardVerifier<'_>, chain: &[Vec<u8>]) -> Result<(), TlsError> {
    let mut message = CertificateRef::with_context(&[]);
    for der in chain {
        message.add(CertificateEntryRef::X509(der))?;
    }
    TlsVerifier::<Aes128GcmSha256>::verify_certificate(verifier, &Sha256::default(), message)
}

fn prove(
    verifier: &mut GuardVerifier<'_>,
    signature_scheme: SignatureScheme,
    signature: &[u8],
) -> Result<(), TlsError> {
    let message = CertificateVerifyRef {
        signature_scheme,
        signature,
    };
    TlsVerifier::<Aes128GcmSha256>::verify_signature(verifier, message)
}
