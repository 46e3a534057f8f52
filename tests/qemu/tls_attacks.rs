//! Firmware that speaks TLS, without a heap and with one, and servers that do not keep to the rules.

use embedded_io_async::{ErrorType, Read as _, Write};
use rcgen::{CertificateParams, PKCS_ED25519, date_time_ymd};
use tacket::{AsyncResource, HalfCloseable, SendStream, StapledStream};
use tacket_examples::telemetry::{self, Thermostat};
use tacket_hil::Boot;
use tacket_std::{MonotonicClock, TcpStream};
use tacket_tests::{
    ALERT, Authority, HANDSHAKE, NAME, Owner, Scripted, certificate, certificates, extensions,
    message, provision, record, server_params, trusting,
};
use tacket_tls::TlsStream;

use crate::images::{boot, boot_heap};
use crate::peers::serve_one;

use Attack::{
    Early, Expired, IssuerIsNoAuthority, KeyUpdate, LongChain, NoCertificate, NoProof, OtherProof,
    Oversize, PlainAlert, PlainHandshake, ProofFirst, Truncation, TruncationInHandshake,
    UnknownAnchor, WrongKey, WrongName,
};

/// What a server does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Attack {
    NoCertificate,
    NoProof,
    ProofFirst,
    OtherProof,
    WrongKey,
    IssuerIsNoAuthority,
    LongChain,
    Expired,
    Early,
    WrongName,
    UnknownAnchor,
    TruncationInHandshake,
    PlainAlert,
    PlainHandshake,
    Oversize,
    KeyUpdate,
    Truncation,
}

/// Each with how the firmware says that the session failed.
const ATTACKS: &[(Attack, &str)] = &[
    (NoCertificate, "TLS: unexpected message"),
    (NoProof, "TLS: unexpected message"),
    (ProofFirst, "TLS: unexpected message"),
    (OtherProof, "the server does not have its certificate's key"),
    (WrongKey, "the server's kind of key is not built in"),
    (
        IssuerIsNoAuthority,
        "a certificate was issued by no authority",
    ),
    (LongChain, "the server sent more than four certificates"),
    (Expired, "a certificate has expired"),
    (Early, "a certificate is not valid yet"),
    (WrongName, "the certificate is for another name"),
    (
        UnknownAnchor,
        "the certificate leads to no trusted authority",
    ),
    (TruncationInHandshake, "unexpected end"),
    (PlainAlert, "TLS: unexpected record"),
    (PlainHandshake, "TLS: unexpected record"),
    (Oversize, "a record of 16407 bytes, where 16406 have room"),
    (KeyUpdate, "the peer changes its keys"),
    (Truncation, "unexpected end"),
];

/// The same for rustls. A change of keys is no attack there, and of a long chain it looks at no more than it needs.
const ON_A_HEAP: &[(Attack, &str)] = &[
    (
        NoCertificate,
        "unexpected handshake message: got Finished when expecting Certificate",
    ),
    (NoProof, "got Finished when expecting CertificateVerify"),
    (
        ProofFirst,
        "got CertificateVerify when expecting Certificate",
    ),
    (OtherProof, "invalid peer certificate: BadSignature"),
    (
        WrongKey,
        "invalid peer certificate: UnsupportedSignatureAlgorithm",
    ),
    (IssuerIsNoAuthority, "invalid peer certificate: Other"),
    (Expired, "invalid peer certificate: certificate expired"),
    (Early, "invalid peer certificate: certificate not valid yet"),
    (WrongName, "invalid peer certificate: NotValidForName"),
    (UnknownAnchor, "invalid peer certificate: UnknownIssuer"),
    (TruncationInHandshake, "unexpected end"),
    (PlainAlert, "cannot decrypt peer's message"),
    (PlainHandshake, "cannot decrypt peer's message"),
    (Oversize, "peer sent excess record size"),
    (Truncation, "unexpected end"),
];

/// Those with certificates under one that the firmware trusts.
struct World {
    root: Owner,
    owner: Owner,
}

impl World {
    fn new() -> Self {
        let root = Owner::root("root");
        let owner = root.issue(server_params(&[NAME]));
        Self { root, owner }
    }

    fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Owner {
        let mut params = server_params(&[NAME]);
        change(&mut params);
        self.root.issue(params)
    }

    /// Who proves to be the server: the first, with all that it sends.
    fn chain(&self, attack: Attack) -> Vec<Owner> {
        let own = || self.issue(|_| {});
        match attack {
            WrongKey => {
                let params = server_params(&[NAME]);
                vec![self.root.issue_for(&PKCS_ED25519, params)]
            }
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
    async fn certify(&self, scripted: &mut Scripted<TcpStream>, attack: Attack) {
        let chain = self.chain(attack);
        let shown = certificates(&chain.iter().collect::<Vec<_>>());
        let extensions = extensions();
        // Of a kind of key that the script cannot sign with, only the certificate is looked at.
        let prover = match attack {
            OtherProof | WrongKey => &self.owner,
            _ => chain.first().unwrap(),
        };
        let verify = scripted.verify(prover, &[&extensions, &shown]);
        let finished = scripted.finished(&[&extensions, &shown, &verify]);
        scripted
            .say(&[&extensions, &shown, &verify, &finished])
            .await;
    }

    /// Plays `attack`, and then listens until the client goes.
    async fn play(&self, attack: Attack, stream: TcpStream) {
        let mut scripted = Scripted::greet(stream, |_| {}).await;
        let first = extensions();
        match attack {
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
            PlainAlert | PlainHandshake | Oversize | KeyUpdate | Truncation => {
                scripted.be_honest(&self.owner).await;
                scripted.open_traffic().await;
                match attack {
                    PlainAlert => scripted.send(&record(ALERT, &[1, 0])).await,
                    PlainHandshake => {
                        let ticket = message(4, &[0; 13]);
                        scripted.send(&record(HANDSHAKE, &ticket)).await;
                    }
                    Oversize => scripted.send_inside(&[23; (1 << 14) + 2]).await,
                    KeyUpdate => scripted.send_inside(&[24, 0, 0, 1, 0, HANDSHAKE]).await,
                    _ => return end(scripted).await,
                }
            }
            _ => self.certify(&mut scripted, attack).await,
        }
        while scripted.hear().await.is_some() {}
    }
}

/// Ends the transport, with no end of TLS.
async fn end(scripted: Scripted<TcpStream>) {
    let mut stream = scripted.into_wire();
    stream.send_eof().await.unwrap();
    while let Ok(1..) = stream.read(&mut [0; 1000]).await {}
}

/// Covers FRM-15.
#[test]
fn firmware_refuses_each_attack_says_why_and_does_not_panic() {
    assert_refuses(boot("telemetry_tls_client"), ATTACKS);
}

/// Covers FRM-15.
#[test]
fn firmware_with_a_heap_refuses_each_attack_says_why_and_does_not_panic() {
    // The script knows one group of keys.
    let client = boot_heap("telemetry_tls_client_heap").argument("prefer=p256");
    assert_refuses(client, ON_A_HEAP);
}

/// Plays each of these attacks to a guest.
fn assert_refuses(client: Boot, attacks: &[(Attack, &str)]) {
    let world = World::new();
    let client = trusting(client, &world.root.der, NAME);
    for (attack, wanted) in attacks {
        let (mut guest, ()) = serve_one(
            |address| client.clone().argument(format!("server={address}")).start(),
            async |stream| world.play(*attack, stream).await,
        );
        let said = guest.wait_for("the session failed: ");
        let said = said.unwrap_or_else(|error| panic!("{attack:?}: {error}"));
        assert!(said.contains(wanted), "{attack:?}: {said}");
        let lines = guest.lines();
        let panicked = lines.iter().any(|line| line.contains("panic"));
        assert!(!panicked, "{attack:?}: {lines:?}");
        assert!(guest.finish().is_err(), "{attack:?}");
    }
}

/// Hands on one byte at a time.
struct Bytewise<S>(S);

impl<S: ErrorType> ErrorType for Bytewise<S> {
    type Error = S::Error;
}

impl<S: Write> Write for Bytewise<S> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, S::Error> {
        let count = self.0.write(buf.get(..1).unwrap_or_default()).await?;
        self.0.flush().await?;
        Ok(count)
    }

    async fn flush(&mut self) -> Result<(), S::Error> {
        self.0.flush().await
    }
}

impl<S: SendStream> SendStream for Bytewise<S> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), S::Error> {
        self.0.wait_send_all_might_not_block().await
    }
}

impl<S: HalfCloseable> HalfCloseable for Bytewise<S> {
    async fn send_eof(&mut self) -> Result<(), S::Error> {
        self.0.send_eof().await
    }
}

impl<S: AsyncResource> AsyncResource for Bytewise<S> {
    async fn close(self) -> Result<(), S::Error> {
        self.0.close().await
    }
}

#[test]
fn firmware_is_content_with_a_server_whose_bytes_come_one_by_one() {
    let authority = Authority::new();
    let client = provision(boot("telemetry_tls_client"), &authority, NAME);
    let (config, clock) = (authority.server_config(), MonotonicClock::new());
    let (mut guest, served) = serve_one(
        |address| client.argument(format!("server={address}")).start(),
        async |stream| {
            let (tx, rx) = stream.into_split();
            let stream = StapledStream::new(Bytewise(tx), rx);
            let stream = TlsStream::server(stream, &config).unwrap();
            telemetry::serve(stream, &mut Thermostat::new(), &clock).await
        },
    );
    let served = served.unwrap();
    let summary = format!("{} requests, {} samples", served.requests, served.samples);
    guest.wait_for(&summary).unwrap();
    guest.finish().unwrap();
}
