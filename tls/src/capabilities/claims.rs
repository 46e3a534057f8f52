//! What every build can do, or cannot.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use futures_util::FutureExt as _;
use futures_util::future::join;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SignatureAlgorithm, date_time_ymd,
};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};
use tacket::testing::{DropPoint, MemoryPair, MemoryPipe};
use tacket::{
    AsyncResource as _, HalfCloseable as _, IntoSplit as _, ReceiveStream as _, SendStream as _,
    StapledStream,
};

use super::allocations::counted;
use super::hello::{
    ALPN, Hello, MAX_FRAGMENT_LENGTH, PRE_SHARED_KEY, RECORD_SIZE_LIMIT, SERVER_NAME,
};
use super::parties::{NAME, Parties, certify, key, memory, pass, roots, run, shake_hands};
use super::stumbling::Stumbling;
use crate::{ConfigError, TlsError, TlsStream, TlsVersion};

pub(super) fn client_and_server() {
    Parties::new().meet(async |mut client, mut server| {
        pass(&mut client, &mut server, b"question").await;
        pass(&mut server, &mut client, b"answer").await;
        let (closed, end) = join(client.close(), server.receive_some(&mut [0])).await;
        closed.expect("closes");
        assert_eq!(end, Ok(0));
    });
}

pub(super) fn tls13() {
    Parties::new().talk(async |client, server| {
        for negotiated in [client.negotiated(), server.negotiated()] {
            let negotiated = negotiated.expect("it is done");
            assert_eq!(negotiated.version(), TlsVersion::Tls13);
        }
    });
}

pub(super) fn no_tls12() {
    let versions = rustls::ALL_VERSIONS.iter();
    let versions: Vec<_> = versions.map(|version| version.version).collect();
    assert_eq!(versions, [TLS13.version]);
}

pub(super) fn half_close() {
    half_close_between(&Parties::new());
}

pub(super) fn half_close_between(parties: &Parties) {
    parties.talk(async |mut client, mut server| {
        client.send_eof().await.expect("ends");
        assert_eq!(server.receive_some(&mut [0]).await, Ok(0));
        pass(&mut server, &mut client, b"still here").await;
    });
}

pub(super) fn shutdown() {
    Parties::new().talk(async |mut client, mut server| {
        let early = client.shutdown().now_or_never();
        assert!(early.is_none(), "the peer has not ended");
        let (ours, theirs) = join(client.shutdown(), server.shutdown()).await;
        ours.expect("both end");
        theirs.expect("both end");
    });
}

pub(super) fn unwrap() {
    Parties::new().talk(async |mut client, server| {
        client.send_eof().await.expect("ends");
        let mut plain = server
            .unwrap()
            .await
            .expect("the client has ended")
            .transport;
        plain.send_all(b"in the clear").await.expect("sends");
        let client = client.unwrap().await.expect("both have ended");
        assert_eq!(client.trailing, b"in the clear");
        let mut transport = client.transport;
        pass(&mut transport, &mut plain, b"and back").await;
    });
}

pub(super) fn start_with_received() {
    let (parties, memory) = (Parties::new(), memory());
    let (left, mut right) = memory.open().expect("a new pair");
    let config = parties.client.clone().into();
    let mut client = TlsStream::client(left, &config, NAME).expect("a name");
    run(async {
        assert!(client.do_handshake().now_or_never().is_none());
        let mut hello = [0; 100];
        let count = right.receive_some(&mut hello).await.expect("a part");
        let config = parties.server.clone().into();
        let server = TlsStream::server(right, &config).expect("a configuration");
        let mut server = server.with_received(&hello[..count]);
        shake_hands(&mut client, &mut server).await;
    });
}

pub(super) fn handshake_with_drops() {
    let (parties, memory) = (Parties::new(), MemoryPair::new([0; 20], [0; 20]));
    let (mut client, mut server) = parties.pair(memory.open().expect("a new pair"));
    let (point, mut drops) = (DropPoint::after_poll(1), 0);
    run(async {
        loop {
            let connected = point.cut(client.do_handshake()).await;
            let accepted = point.cut(server.do_handshake()).await;
            if let (Some(connected), Some(accepted)) = (connected, accepted) {
                connected.expect("shakes hands");
                accepted.expect("shakes hands");
                break;
            }
            drops += 1;
        }
        assert!(drops > 20, "it was dropped at few points: {drops}");
        pass(&mut client, &mut server, b"hello").await;
    });
}

pub(super) fn key_updates() {
    Parties::new().talk(async |mut client, mut server| {
        for _ in 0..3 {
            client.update_keys().await.expect("changes");
            pass(&mut client, &mut server, b"from one").await;
            server.update_keys().await.expect("changes");
            pass(&mut server, &mut client, b"from the other").await;
        }
    });
}

/// Whether the second of two connections goes on from the first.
fn is_resumed() -> bool {
    let parties = Parties::new();
    let mut is_resumed = false;
    for _ in 0..2 {
        parties.talk(async |mut client, mut server| {
            // Tickets come with the first data.
            pass(&mut server, &mut client, b"hello").await;
            let (ours, theirs) = (client.negotiated(), server.negotiated());
            is_resumed = ours.expect("it is done").is_resumed();
            assert_eq!(theirs.expect("it is done").is_resumed(), is_resumed);
        });
    }
    is_resumed
}

pub(super) fn resumption() {
    assert!(is_resumed());
}

pub(super) fn no_resumption() {
    assert!(!is_resumed());
}

pub(super) fn alpn() {
    let mut parties = Parties::new();
    parties.client.alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
    parties.server.alpn_protocols = vec![b"http/1.1".into()];
    parties.talk(async |client, server| {
        for negotiated in [client.negotiated(), server.negotiated()] {
            let negotiated = negotiated.expect("it is done");
            assert_eq!(negotiated.alpn_protocol(), Some(&b"http/1.1"[..]));
        }
    });
}

pub(super) fn asked_name() {
    Parties::new().talk(async |client, server| {
        for negotiated in [client.negotiated(), server.negotiated()] {
            let negotiated = negotiated.expect("it is done");
            assert_eq!(negotiated.server_name(), Some(NAME));
        }
    });
}

/// Proves to be one of two.
#[derive(Debug)]
struct OneOfTwo([(&'static str, Arc<CertifiedKey>); 2]);

impl ResolvesServerCert for OneOfTwo {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut known = self.0.iter();
        let one = known.find(|(name, _)| hello.server_name() == Some(name))?;
        Some(one.1.clone())
    }
}

pub(super) fn certificate_by_name() {
    let mut parties = Parties::new();
    let names = ["one.example", "two.example"];
    let made = names.map(certify);
    let provider = ring::default_provider();
    let known = core::array::from_fn(|place| {
        let chain = vec![made[place].cert.der().clone()];
        let certified = CertifiedKey::from_der(chain, key(&made[place]), &provider);
        (
            names[place],
            Arc::new(certified.expect("they belong together")),
        )
    });
    parties.server.cert_resolver = Arc::new(OneOfTwo(known));
    let trusted = roots(made.iter().map(|made| made.cert.der()));
    let client = client(&parties, trusted).with_no_client_auth().into();
    for (name, made) in names.iter().zip(&made) {
        let (memory, server) = (memory(), parties.server.clone().into());
        let (left, right) = memory.open().expect("a new pair");
        let mut client = TlsStream::client(left, &client, *name).expect("a name");
        let mut server = TlsStream::server(right, &server).expect("a configuration");
        run(shake_hands(&mut client, &mut server));
        let shown = client.negotiated().expect("it is done");
        assert_eq!(shown.peer_certificates(), [made.cert.der().clone()]);
    }
}

/// A client like that of `parties`, but that trusts these.
fn client(
    parties: &Parties,
    trusted: RootCertStore,
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let provider = parties.client.crypto_provider().clone();
    let clock = parties.client.time_provider.clone();
    ClientConfig::builder_with_details(provider, clock)
        .with_protocol_versions(&[&TLS13])
        .expect("a version")
        .with_root_certificates(trusted)
}

pub(super) fn peer_certificates() {
    Parties::new().talk(async |client, server| {
        let (shown, seen) = (server.negotiated(), client.negotiated());
        assert_eq!(seen.expect("it is done").peer_certificates().len(), 1);
        assert_eq!(shown.expect("it is done").peer_certificates(), []);
    });
}

pub(super) fn client_certificates() {
    let (member, server) = (certify("member.example"), certify(NAME));
    let mut parties = Parties::new();
    let provider = parties.client.crypto_provider().clone();
    let members = Arc::new(roots([member.cert.der()]));
    let verifier = WebPkiClientVerifier::builder_with_provider(members, provider.clone());
    let clock = parties.client.time_provider.clone();
    parties.server = rustls::ServerConfig::builder_with_details(provider, clock)
        .with_protocol_versions(&[&TLS13])
        .expect("a version")
        .with_client_cert_verifier(verifier.build().expect("a root"))
        .with_single_cert(vec![server.cert.der().clone()], key(&server))
        .expect("they belong together");
    let chain = vec![member.cert.der().clone()];
    parties.client = client(&parties, roots([server.cert.der()]))
        .with_client_auth_cert(chain.clone(), key(&member))
        .expect("they belong together");
    parties.talk(async |_, server| {
        let shown = server.negotiated().expect("it is done");
        assert_eq!(shown.peer_certificates(), chain);
    });
}

pub(super) fn no_early_data() {
    let mut server = Parties::new().server;
    server.max_early_data_size = 1;
    let refused = TlsStream::server((), &server.into());
    assert_eq!(refused.expect_err("not taken"), ConfigError::EarlyData);
}

pub(super) fn tls_in_tls() {
    let (outer, inner, memory) = (Parties::new(), Parties::new(), memory());
    let (client, server) = outer.pair(memory.open().expect("a new pair"));
    let (mut client, mut server) = inner.pair((client, server));
    run(async {
        pass(&mut client, &mut server, b"wrapped twice").await;
        let inside = client.negotiated().expect("it is done");
        let outside = client.transport().negotiated().expect("it is done");
        assert_ne!(inside.peer_certificates(), outside.peer_certificates());
    });
}

pub(super) fn owned_halves() {
    let parties = Parties::new();
    let pipes = [(); 2].map(|()| MemoryPipe::new(vec![0; 10_000]));
    let (left_tx, right_rx) = pipes[0].open().expect("a new pipe");
    let (right_tx, left_rx) = pipes[1].open().expect("a new pipe");
    let left = StapledStream::new(left_tx, left_rx);
    let right = StapledStream::new(right_tx, right_rx);
    let (client, mut server) = parties.pair((left, right));
    let (mut tx, mut rx) = client.into_split();
    run(async {
        pass(&mut tx, &mut server, b"question").await;
        tx.close().await.expect("ends");
        pass(&mut server, &mut rx, b"answer").await;
    });
}

pub(super) fn own_provider() {
    let provider = CryptoProvider {
        cipher_suites: vec![ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256],
        ..ring::default_provider()
    };
    Parties::by(provider, &TLS13).talk(async |client, _| {
        let agreed = client.negotiated().expect("it is done");
        assert_eq!(agreed.cipher_suite().id(), 0x1303);
    });
}

/// What a client offers.
fn hello(client: ClientConfig) -> Hello {
    let memory = memory();
    let (left, mut right) = memory.open().expect("a new pair");
    let mut client = TlsStream::client(left, &client.into(), NAME).expect("a name");
    let mut record = [0; 4096];
    run(async {
        assert!(client.do_handshake().now_or_never().is_none());
        right.receive_some(&mut record).await.expect("a greeting");
    });
    Hello::read(&record)
}

const P256: u16 = 23;
const X25519: u16 = 29;
/// X25519MLKEM768.
const HYBRID: u16 = 0x11ec;

pub(super) fn offers_hybrid(client: ClientConfig) -> bool {
    hello(client).groups().contains(&HYBRID)
}

pub(super) fn p256() {
    assert!(hello(Parties::new().client).groups().contains(&P256));
}

pub(super) fn x25519() {
    assert!(hello(Parties::new().client).groups().contains(&X25519));
}

pub(super) fn no_hybrid_key_exchange() {
    assert!(!offers_hybrid(Parties::new().client));
}

pub(super) fn no_request_for_short_records() {
    let hello = hello(Parties::new().client);
    assert!(hello.has(SERVER_NAME), "no name of the server");
    assert!(!hello.has(MAX_FRAGMENT_LENGTH) && !hello.has(RECORD_SIZE_LIMIT));
}

pub(super) fn no_psk() {
    let hello = hello(Parties::new().client);
    assert!(hello.has(SERVER_NAME) && !hello.has(PRE_SHARED_KEY));
}

pub(super) fn alpn_offer() {
    let mut client = Parties::new().client;
    client.alpn_protocols = vec![b"h2".into(), b"mqtt".into()];
    assert_eq!(hello(client).extension(ALPN), b"\0\x08\x02h2\x04mqtt");
}

/// RSASSA-PSS and PKCS #1, both with SHA-256 (RFC 8446, 4.2.3).
pub(super) fn rsa() {
    let signatures = hello(Parties::new().client).signatures();
    assert!([0x0804, 0x0401].iter().all(|it| signatures.contains(it)));
}

fn takes_key_of(algorithm: &'static SignatureAlgorithm) {
    let key_pair = KeyPair::generate_for(algorithm).expect("a key");
    let params = CertificateParams::new([NAME.into()]).expect("a name");
    let made = params.self_signed(&key_pair).expect("a certificate");
    let mut parties = Parties::new();
    let provider = parties.client.crypto_provider().clone();
    let chain = vec![made.der().clone()];
    let key = key_pair.serialize_der().try_into().expect("a key");
    let certified = CertifiedKey::from_der(chain, key, &provider);
    let certified = certified.expect("they belong together");
    parties.server.cert_resolver = Arc::new(SingleCertAndKey::from(certified));
    parties.client = client(&parties, roots([made.der()])).with_no_client_auth();
    parties.talk(async |_, _| {});
}

pub(super) fn p384() {
    takes_key_of(&rcgen::PKCS_ECDSA_P384_SHA384);
}

pub(super) fn ed25519() {
    takes_key_of(&rcgen::PKCS_ED25519);
}

pub(super) fn aes() {
    let suites = hello(Parties::new().client).suites;
    assert!(suites.contains(&0x1301) && suites.contains(&0x1302));
}

pub(super) fn parted_messages() {
    let mut parties = Parties::new();
    parties.server.max_fragment_size = Some(100);
    parties.talk(async |_, _| {});
}

pub(super) fn a_heap() {
    Parties::new().meet(async |mut client, mut server| {
        let shaking = counted(client.do_handshake());
        let ((shaken, count), accepted) = join(shaking, server.do_handshake()).await;
        shaken.expect("they trust each other");
        accepted.expect("they trust each other");
        assert!(count > 0, "it asks no allocator");
    });
}

pub(super) fn handshake_with_errors() {
    let parties = Parties::new();
    let pipes = [(); 2].map(|()| MemoryPipe::new(vec![0; 10_000]));
    let (left_tx, right_rx) = pipes[0].open().expect("a new pipe");
    let (right_tx, left_rx) = pipes[1].open().expect("a new pipe");
    let left = StapledStream::new(left_tx, Stumbling(left_rx, false));
    let right = StapledStream::new(right_tx, right_rx);
    let (mut client, mut server) = parties.pair((left, right));
    run(async {
        let stumbled = client.do_handshake().await;
        assert!(matches!(stumbled, Err(TlsError::Transport(_))));
        shake_hands(&mut client, &mut server).await;
    });
}

/// The client's configuration has a list with the server's certificate, or with another.
pub(super) fn revocation() {
    let mut params = CertificateParams::new([]).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let pair = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, pair).expect("a certificate");
    let mut params = CertificateParams::new([NAME.into()]).expect("a name");
    params.serial_number = Some(vec![7].into());
    let pair = KeyPair::generate().expect("a key");
    let made = params.signed_by(&pair, &authority).expect("signs");
    for revoked in [7, 8] {
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2040, 1, 1),
            crl_number: vec![1].into(),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: vec![revoked].into(),
                revocation_time: date_time_ymd(2026, 1, 1),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&authority).expect("signs");
        let mut parties = Parties::new();
        let provider = parties.client.crypto_provider().clone();
        let trusted = Arc::new(roots([authority.der()]));
        let verifier = WebPkiServerVerifier::builder_with_provider(trusted, provider.clone())
            .with_crls([list.der().clone()])
            .build();
        let key = pair.serialize_der().try_into().expect("a key");
        let certified = CertifiedKey::from_der(vec![made.der().clone()], key, &provider);
        let certified = certified.expect("they belong together");
        parties.server.cert_resolver = Arc::new(SingleCertAndKey::from(certified));
        let clock = parties.client.time_provider.clone();
        parties.client = ClientConfig::builder_with_details(provider, clock)
            .with_protocol_versions(&[&TLS13])
            .expect("a version")
            .with_webpki_verifier(verifier.expect("a root"))
            .with_no_client_auth();
        parties.meet(async |mut client, mut server| {
            let (shaken, _) = join(client.do_handshake(), server.do_handshake()).await;
            assert_eq!(shaken.is_err(), revoked == 7, "{shaken:?}");
        });
    }
}

pub(super) fn short_records() {
    /// Of the content of a record; its type and tag come to that.
    const MOST: usize = 100;
    const TYPE_AND_TAG: usize = 1 + 16;
    let (mut parties, memory) = (Parties::new(), memory());
    parties.client.max_fragment_size = Some(MOST);
    let (left, mut right) = memory.open().expect("a new pair");
    run(async {
        let (mut client, mut server) = parties.pair((left, &mut right));
        shake_hands(&mut client, &mut server).await;
        drop(server);
        client.send_all(&[7; 1000]).await.expect("sends");
        let mut buf = [0; 4096];
        let count = right.receive_some(&mut buf).await.expect("receives");
        let (mut sent, mut records) = (&buf[..count], 0);
        while let [23, 3, 3, high, low, behind @ ..] = sent {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            assert!(length <= MOST + TYPE_AND_TAG, "{length}");
            (sent, records) = (&behind[length..], records + 1);
        }
        assert!(sent.is_empty() && records > 10, "{records} records");
    });
}
