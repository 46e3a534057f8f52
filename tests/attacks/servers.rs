//! Servers that do not keep to the rules.

use rcgen::{CertificateParams, date_time_ymd};
use tacket::{Clock, IntoSplit, Stream};
use tacket_examples::telemetry::{self, Thermostat};

use crate::authority::{Authority, NAME};
use crate::owner::{Owner, server_params};
use crate::scripted::{
    ALERT, DATA, HANDSHAKE, Scripted, certificate, certificates, extensions, message, record,
};

use AttackOnClient::*;
use AttackOutcome::{GoesOn, Refused};

/// What a server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests play all")]
pub enum AttackOnClient {
    /// Its share of a key is a point that is not on the curve.
    PointOffCurve,
    /// It shows no certificate.
    NoCertificate,
    /// It does not prove to have its certificate's key.
    NoProof,
    /// It proves that before it shows the certificate.
    ProofFirst,
    /// It proves to have another key.
    OtherProof,
    /// Its last message of the handshake is not made of what was said.
    WrongFinished,
    /// Its certificate is for a kind of key that is not built in.
    WrongKey,
    /// Its certificate was issued by somebody who may not.
    IssuerIsNoAuthority,
    /// It shows five certificates, of which four are of no use.
    LongChain,
    /// Its certificate has expired.
    Expired,
    /// Its certificate is not valid yet.
    Early,
    /// Its certificate is for another name.
    WrongName,
    /// Its certificate leads to an authority that nobody trusts.
    UnknownAnchor,
    /// The transport ends in the middle of the handshake.
    TruncationInHandshake,
    /// It says in plain sight that it ends.
    PlainAlert,
    /// It sends a message of the handshake in plain sight.
    PlainHandshake,
    /// It sends data in plain sight.
    PlainData,
    /// It sends a record twice.
    Replay,
    /// It sends a record that is longer than one may be.
    Oversize,
    /// It changes its keys, and tells so.
    KeyUpdate,
    /// The transport ends, and the session has not.
    Truncation,
}

/// What comes of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests expect all")]
pub enum AttackOutcome {
    /// The session fails, with this in its reason.
    Refused(&'static str),
    /// It is none, and the session goes on to its end.
    GoesOn,
}

impl AttackOutcome {
    /// Whether that is it. Without the standard library, rustls has the same words for some reasons, but not the spaces between them.
    #[must_use]
    pub fn is_of<T>(self, session: &Result<T, String>) -> bool {
        let words = |text: &str| text.replace(' ', "").to_lowercase();
        match (self, session) {
            (Refused(wanted), Err(reason)) => words(reason).contains(&words(wanted)),
            (GoesOn, Ok(_)) => true,
            _ => false,
        }
    }
}

/// Each attack on a client, and what comes of it: without a heap, and over rustls with the algorithms for boards.
#[rustfmt::skip]
pub const ATTACKS_ON_CLIENTS: &[(AttackOnClient, AttackOutcome, AttackOutcome)] = &[
    (PointOffCurve, Refused("the server chose what was not offered"), Refused("InvalidKeyShare")),
    (NoCertificate, Refused("TLS: unexpected message"), Refused("got Finished when expecting Certificate")),
    (NoProof, Refused("TLS: unexpected message"), Refused("got Finished when expecting CertificateVerify")),
    (ProofFirst, Refused("TLS: unexpected message"), Refused("got CertificateVerify when expecting Certificate")),
    (OtherProof, Refused("the server does not have its certificate's key"), Refused("invalid peer certificate: BadSignature")),
    (WrongFinished, Refused("TLS:"), Refused("cannot decrypt peer's message")),
    (WrongKey, Refused("the server's kind of key is not built in"), Refused("invalid peer certificate: UnsupportedSignatureAlgorithm")),
    (IssuerIsNoAuthority, Refused("a certificate was issued by no authority"), Refused("invalid peer certificate: Other")),
    // Rustls looks at no more certificates than it needs.
    (LongChain, Refused("the server sent more than four certificates"), GoesOn),
    (Expired, Refused("a certificate has expired"), Refused("invalid peer certificate: certificate expired")),
    (Early, Refused("a certificate is not valid yet"), Refused("invalid peer certificate: certificate not valid yet")),
    (WrongName, Refused("the certificate is for another name"), Refused("NotValidForName")),
    (UnknownAnchor, Refused("the certificate leads to no trusted authority"), Refused("invalid peer certificate: UnknownIssuer")),
    (TruncationInHandshake, Refused("unexpected end"), Refused("unexpected end")),
    (PlainAlert, Refused("TLS: unexpected record"), Refused("cannot decrypt peer's message")),
    (PlainHandshake, Refused("TLS: unexpected record"), Refused("cannot decrypt peer's message")),
    (PlainData, Refused("TLS:"), Refused("cannot decrypt peer's message")),
    (Replay, Refused("TLS:"), Refused("cannot decrypt peer's message")),
    (Oversize, Refused("a record of 16407 bytes, where 16406 have room"), Refused("peer sent excess record size")),
    // The guard cannot follow, rustls can: the rules allow it.
    (KeyUpdate, Refused("the peer changes its keys"), GoesOn),
    (Truncation, Refused("unexpected end"), Refused("unexpected end")),
];

/// Those with certificates under one that the client trusts.
#[derive(Debug)]
pub struct HostileServers {
    root: Owner,
    owner: Owner,
}

impl Default for HostileServers {
    fn default() -> Self {
        Self::new()
    }
}

impl HostileServers {
    /// Makes the certificates.
    #[must_use]
    pub fn new() -> Self {
        let root = Owner::root("root");
        let owner = root.issue(server_params(&[NAME]));
        Self { root, owner }
    }

    /// The certificate of the authority that a client is to trust.
    #[must_use]
    pub fn root(&self) -> &[u8] {
        &self.root.der
    }

    /// Plays `attack` to a client of telemetry. If that is to go on, serves it; or else listens until it goes.
    pub async fn play<S: IntoSplit + Stream>(
        &self,
        attack: AttackOnClient,
        wanted: AttackOutcome,
        stream: S,
        clock: &impl Clock,
    ) {
        let mut scripted = match attack {
            PointOffCurve => Scripted::greet(stream, |hello| leave_curve(hello)).await,
            _ => Scripted::greet(stream, |_| {}).await,
        };
        let first = extensions();
        match attack {
            PointOffCurve => {}
            NoCertificate => {
                let finished = scripted.finished(&[&first]);
                scripted.say(&[&first, &finished]).await;
            }
            NoProof => {
                let shown = certificate(&self.owner);
                let finished = scripted.finished(&[&first, &shown]);
                scripted.say(&[&first, &shown, &finished]).await;
            }
            ProofFirst => {
                let verify = scripted.verify(&self.owner, &[&first]);
                scripted.say(&[&first, &verify]).await;
            }
            TruncationInHandshake => {
                scripted.say(&[&first, &certificate(&self.owner)]).await;
                return end(scripted).await;
            }
            PlainAlert | PlainHandshake | PlainData | Replay | Oversize | KeyUpdate
            | Truncation => {
                scripted.be_honest(&self.owner).await;
                scripted.open_traffic().await;
                match attack {
                    PlainAlert => scripted.send(&record(ALERT, &[1, 0])).await,
                    PlainHandshake => {
                        let ticket = message(4, &[0; 13]);
                        scripted.send(&record(HANDSHAKE, &ticket)).await;
                    }
                    PlainData => scripted.send(&record(DATA, &[0; 40])).await,
                    Replay => {
                        // Nothing, so that the first is not noticed.
                        let empty = scripted.seal(&[DATA]);
                        scripted.send(&[&empty[..], &empty].concat()).await;
                    }
                    Oversize => scripted.send_inside(&[DATA; (1 << 14) + 2]).await,
                    KeyUpdate => {
                        scripted.send_inside(&[24, 0, 0, 1, 0, HANDSHAKE]).await;
                        scripted.change_keys();
                    }
                    _ => return end(scripted).await,
                }
            }
            _ => self.certify(&mut scripted, attack).await,
        }
        if wanted == GoesOn {
            if attack == LongChain {
                scripted.open_traffic().await;
            }
            let traffic = scripted.into_traffic();
            let served = telemetry::serve(traffic, &mut Thermostat::new(), clock).await;
            assert!(served.is_ok(), "{attack:?}: the session does not go on");
            return;
        }
        while scripted.hear().await.is_some() {}
    }

    fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Owner {
        let mut params = server_params(&[NAME]);
        change(&mut params);
        self.root.issue(params)
    }

    /// Who proves to be the server: the first, with all that it sends.
    fn chain(&self, attack: AttackOnClient) -> Vec<Owner> {
        let own = || self.issue(|_| {});
        match attack {
            WrongKey => vec![self.root.issue_for_rsa(server_params(&[NAME]))],
            IssuerIsNoAuthority => {
                let issuer = own();
                vec![issuer.issue(server_params(&[NAME])), issuer]
            }
            LongChain => (0..5).map(|_| own()).collect(),
            Expired => vec![self.issue(Authority::expire)],
            Early => vec![self.issue(|params| {
                params.not_before = date_time_ymd(2090, 1, 1);
                params.not_after = date_time_ymd(2091, 1, 1);
            })],
            WrongName => vec![self.root.issue(server_params(&["other.example"]))],
            UnknownAnchor => vec![Owner::root("stranger").issue(server_params(&[NAME]))],
            _ => vec![own()],
        }
    }

    /// Shows the certificates that belong to this attack, and all that belongs behind them.
    async fn certify<S: IntoSplit + Stream>(
        &self,
        scripted: &mut Scripted<S>,
        attack: AttackOnClient,
    ) {
        let chain = self.chain(attack);
        let shown = certificates(&chain.iter().collect::<Vec<_>>());
        let extensions = extensions();
        // Of a kind of key that the script cannot sign with, only the certificate is looked at.
        let prover = match attack {
            OtherProof | WrongKey => &self.owner,
            _ => &chain[0],
        };
        let verify = scripted.verify(prover, &[&extensions, &shown]);
        let mut finished = scripted.finished(&[&extensions, &shown, &verify]);
        if attack == WrongFinished {
            finished[4] ^= 1;
        }
        scripted
            .say(&[&extensions, &shown, &verify, &finished])
            .await;
    }
}

/// Changes the point that is the server's share of a key.
fn leave_curve(hello: &mut [u8]) {
    let share = [0, 51, 0, 69, 0, 23, 0, 65, 4];
    let at = hello.windows(share.len()).position(|part| part == share);
    hello[at.expect("a share") + share.len()..][..10].fill(1);
}

/// Ends the transport, with no end of TLS, and listens until the client goes.
async fn end<S: IntoSplit + Stream>(scripted: Scripted<S>) {
    let mut stream = scripted.into_wire();
    let _ = stream.send_eof().await;
    while let Ok(1..) = stream.receive_some(&mut [0; 1000]).await {}
    let _ = stream.close().await;
}
