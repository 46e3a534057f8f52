//! What a client without a heap can do, or cannot.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use core::net::IpAddr;

use futures_util::FutureExt as _;
use futures_util::future::join;
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use rustls::HandshakeKind;
use rustls::server::WebPkiClientVerifier;
use tacket::testing::{DropPoint, MemoryPipe, SeededExecutor, SimNet};
use tacket::{
    AsyncResource as _, ConnectOptions, HalfCloseable as _, Listen as _, Listener as _,
    ReceiveStream as _, SendStream as _, StapledStream,
};

use super::allocations::counted;
use super::guard_parties::{
    Far, NAME, Parties, Same, Server, client, client_of, fingerprint, hello, memory, private,
    roots, run, server, shake_hands, trust_in,
};
use super::hello::{ALPN, EARLY_DATA, Hello, MAX_FRAGMENT_LENGTH, PRE_SHARED_KEY, SERVER_NAME};
use super::stumbling::Stumbling;
use crate::{
    ClientCertificate, EngineError, GuardError, GuardTrust, GuardedConnector, MaxFragment,
    PreSharedKey, TlsError, TlsStorage, open_tls_over_tcp_stream,
};

const PORT: u16 = 443;

const TLS13: u16 = 0x0304;
const P256: u16 = 23;
const X25519: u16 = 29;
const HYBRID: u16 = 0x11ec;
const AES_128: u16 = 0x1301;

pub(super) fn client_and_server() {
    Parties::new().talk(async |mut client, mut far| {
        client.send_all(b"question").await.expect("sends");
        far.hear(b"question").await;
        far.say(b"answer").await;
        let mut buf = [0; 9];
        assert_eq!(client.receive_some(&mut buf).await, Ok(6));
        assert_eq!(buf[..6], *b"answer");
        client.close().await.expect("closes");
        far.serve(|it| it.has_heard_end).await;
        assert!(far.server.has_heard_end);
    });
}

/// Not in the handshake, and not after it.
pub(super) fn no_heap() {
    Parties::new().meet(async |mut client, mut far| {
        let shaking = counted(client.do_handshake());
        let ((shaken, count), ()) = join(shaking, far.serve(|it| it.is_established)).await;
        shaken.expect("they trust each other");
        assert_eq!(count, 0, "the handshake asks the allocator");
        far.say(b"answer").await;
        let (received, count) = counted(client.receive_some(&mut [0; 9])).await;
        assert_eq!((received, count), (Ok(6), 0));
        let (sent, count) = counted(client.send_all(&[7; 5000])).await;
        assert_eq!((sent, count), (Ok(()), 0));
    });
}

pub(super) fn tls13() {
    Parties::new().talk(async |client, far| {
        let version = far.server.connection.protocol_version();
        assert_eq!(version, Some(rustls::ProtocolVersion::TLSv1_3));
        let known = client.negotiated().expect("it is done");
        assert_eq!(known.cipher_suite().id(), AES_128);
    });
}

pub(super) fn no_tls12() {
    assert_eq!(hello(Parties::new().client).versions(), [TLS13]);
}

pub(super) fn half_close() {
    Parties::new().talk(async |mut client, mut far| {
        client.send_eof().await.expect("ends");
        far.serve(|it| it.has_heard_end).await;
        assert!(far.server.has_heard_end);
        far.say(b"still here").await;
        assert_eq!(client.receive_some(&mut [0; 20]).await, Ok(10));
    });
}

pub(super) fn shutdown() {
    Parties::new().talk(async |mut client, mut far| {
        let early = client.shutdown().now_or_never();
        assert!(early.is_none(), "the peer has not ended");
        far.server.ends = true;
        let (ours, ()) = join(client.shutdown(), far.serve(|it| it.has_heard_end)).await;
        ours.expect("both end");
        assert!(far.server.has_heard_end);
    });
}

pub(super) fn no_handshake_with_drops() {
    Parties::new().meet(async |mut client, mut far| {
        let dropped = DropPoint::after_poll(1).cut(client.do_handshake()).await;
        assert!(dropped.is_none(), "the server has said nothing");
        let (shaken, ()) = join(client.do_handshake(), async {
            far.serve(|_| true).await;
        })
        .await;
        assert_eq!(shaken, Err(TlsError::Broken));
    });
}

pub(super) fn no_handshake_with_errors() {
    let pipes = [(); 2].map(|()| MemoryPipe::new(vec![0; 10_000]));
    let (tx, _far_rx) = pipes[0].open().expect("a new pipe");
    let (_far_tx, rx) = pipes[1].open().expect("a new pipe");
    let transport = StapledStream::new(tx, Stumbling(rx, false));
    let mut client = client(transport, Parties::new().client);
    run(async {
        let stumbled = client.do_handshake().await;
        assert!(
            matches!(stumbled, Err(TlsError::Transport(_))),
            "{stumbled:?}"
        );
        assert_eq!(client.do_handshake().await, Err(TlsError::Broken));
    });
}

fn refusal<T, E: core::fmt::Debug>(done: Result<T, TlsError<E>>) -> GuardError {
    match done.map(drop) {
        Err(TlsError::Engine(EngineError::Guard(error))) => error,
        other => panic!("not refused: {other:?}"),
    }
}

pub(super) fn no_parted_messages() {
    let mut parties = Parties::new();
    parties.server.max_fragment_size = Some(100);
    parties.meet(async |mut client, mut far| {
        let serving = far.serve(|it| it.failure.is_some());
        let (shaken, ()) = join(client.do_handshake(), serving).await;
        assert_eq!(refusal(shaken), GuardError::Parted);
    });
}

pub(super) fn no_key_updates() {
    Parties::new().talk(async |mut client, mut far| {
        far.server.changes_keys = true;
        far.say(b"with other keys").await;
        let received = client.receive_some(&mut [0; 9]).await;
        assert_eq!(refusal(received), GuardError::KeyUpdate);
    });
}

/// The second of two connections does not go on from the first, whose server has sent tickets.
pub(super) fn no_resumption() {
    let parties = Parties::new();
    for _ in 0..2 {
        let memory = memory();
        let (left, wire) = memory.open().expect("a new pair");
        let server = Server::new(parties.server.clone());
        let (mut client, mut far) = (client(left, parties.client.clone()), Far { wire, server });
        run(async {
            shake_hands(&mut client, &mut far).await;
            far.say(b"hello").await;
            assert_eq!(client.receive_some(&mut [0; 9]).await, Ok(5));
        });
        let kind = far.server.connection.handshake_kind();
        assert_eq!(kind, Some(HandshakeKind::Full));
    }
}

pub(super) fn alpn_offer() {
    let config = Parties::new().client.with_alpn(&[b"h2", b"mqtt"]);
    let hello = hello(config.expect("protocols"));
    assert_eq!(hello.extension(ALPN), b"\0\x08\x02h2\x04mqtt");
}

pub(super) fn asked_name() {
    let hello = hello(Parties::new().client);
    assert!(hello.extension(SERVER_NAME).ends_with(NAME.as_bytes()));
}

pub(super) fn client_certificates() {
    let mut parties = Parties::new();
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["member.example".into()]).expect("a name");
    let member = params.self_signed(&key).expect("a certificate");
    // The key alone, without what says that it is one of P-256: SEC1 is the end of PKCS #8.
    let pkcs8 = key.serialize_der();
    let at = pkcs8.windows(4).position(|part| part == [2, 1, 1, 4]);
    let at = at.expect("a key of SEC1") - 2;
    let certificate = vec![member.der().to_vec()].leak();
    let certificate = ClientCertificate::new(&certificate[0], &pkcs8[at..]);
    let members = Arc::new(roots(member.der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(members, provider);
    let server_key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new([NAME.into()]).expect("a name");
    let certified = params.self_signed(&server_key).expect("a certificate");
    parties.server = server()
        .with_client_cert_verifier(verifier.build().expect("a root"))
        .with_single_cert(vec![certified.der().clone()], private(&server_key))
        .expect("they belong together");
    let pins = [fingerprint(&server_key.subject_public_key_info())];
    let trust = GuardTrust::in_keys(Box::leak(Box::new(pins))).expect("one");
    parties.client = client_of(trust).with_certificate(certificate.expect("they belong together"));
    let shown = member.der().clone();
    parties.talk(async |_, far| {
        let seen = far.server.connection.peer_certificates();
        assert_eq!(seen, Some(&[shown][..]));
    });
}

/// It is offered, alone, and a server that answers with a certificate is refused. Handshakes with such a key need a server that
/// has one, which rustls is not: they are tested against OpenSSL, and a server that is scripted.
pub(super) fn psk() {
    let mut parties = Parties::new();
    let key = PreSharedKey::new(b"sensor 17", &[7; 32]).expect("a key");
    parties.client = client_of(GuardTrust::in_pre_shared_key(key));
    let hello = hello(parties.client.clone());
    let offered = hello.extension(PRE_SHARED_KEY);
    assert!(offered.windows(9).any(|part| part == b"sensor 17"));
    parties.meet(async |mut client, mut far| {
        let serving = far.serve(|it| it.failure.is_some());
        let (shaken, ()) = join(client.do_handshake(), serving).await;
        assert_eq!(refusal(shaken), GuardError::IllegalHello);
    });
}

pub(super) fn pins() {
    for by_key in [false, true] {
        let mut parties = Parties::new();
        let [certificate, key] = Box::leak(Box::new(parties.fingerprints.map(|it| [it])));
        let trust = match by_key {
            true => GuardTrust::in_keys(key),
            false => GuardTrust::in_certificates(certificate),
        };
        parties.client = client_of(trust.expect("one"));
        parties.talk(async |_, _| {});
        let mut parties = Parties::new();
        parties.client = client_of(trust.expect("one"));
        parties.meet(async |mut client, mut far| {
            let serving = far.serve(|it| it.failure.is_some());
            let (shaken, ()) = join(client.do_handshake(), serving).await;
            refusal(shaken);
        });
    }
}

pub(super) fn no_rsa() {
    // Those of ECDSA, EdDSA and no others (RFC 8446, 4.2.3).
    let signatures = hello(Parties::new().client).signatures();
    let known = [0x0403, 0x0503, 0x0807];
    assert!(
        signatures.iter().all(|it| known.contains(it)),
        "{signatures:x?}"
    );
}

#[cfg(feature = "p384")]
pub(super) fn p384() {
    Parties::with_key_of(&rcgen::PKCS_ECDSA_P384_SHA384).talk(async |_, _| {});
}

#[cfg(feature = "ed25519")]
pub(super) fn ed25519() {
    Parties::with_key_of(&rcgen::PKCS_ED25519).talk(async |_, _| {});
}

fn refuses_key_of(algorithm: &'static rcgen::SignatureAlgorithm) {
    Parties::with_key_of(algorithm).meet(async |mut client, far| {
        // Either of them refuses, and the other waits no more.
        let (shaken, ()) = join(client.do_handshake(), async {
            let mut far = far;
            far.serve(|it| it.failure.is_some()).await;
        })
        .await;
        shaken.expect_err("a key of another kind");
    });
}

pub(super) fn no_p384() {
    refuses_key_of(&rcgen::PKCS_ECDSA_P384_SHA384);
}

pub(super) fn no_ed25519() {
    refuses_key_of(&rcgen::PKCS_ED25519);
}

pub(super) fn no_early_data() {
    assert!(!hello(Parties::new().client).has(EARLY_DATA));
}

pub(super) fn tls_in_tls() {
    let (outer, inner) = (Parties::new(), Parties::new());
    let memory = memory();
    let (left, wire) = memory.open().expect("a new pair");
    let mut far = Far {
        wire,
        server: Server::new(outer.server),
    };
    let mut inside = Server::new(inner.server);
    let mut outside = client(left, outer.client);
    run(async {
        // The inner one has halves of the outer one, which do not shake hands.
        shake_hands(&mut outside, &mut far).await;
        let mut client = client(outside, inner.client);
        let serving = async {
            while inside.heard.is_empty() {
                far.serve(|it| !it.heard.is_empty()).await;
                inside.incoming.append(&mut far.server.heard);
                inside.go_on();
                far.server.to_say.append(&mut inside.outgoing);
                far.serve(|_| true).await;
            }
        };
        let (sent, ()) = join(client.send_all(b"wrapped twice"), serving).await;
        sent.expect("sends");
    });
    assert_eq!(inside.heard, b"wrapped twice");
}

pub(super) fn p256() {
    assert!(hello(Parties::new().client).groups().contains(&P256));
}

pub(super) fn no_x25519() {
    let groups = hello(Parties::new().client).groups();
    assert!(!groups.contains(&X25519), "{groups:?}");
}

pub(super) fn no_hybrid_key_exchange() {
    let groups = hello(Parties::new().client).groups();
    assert!(!groups.contains(&HYBRID), "{groups:?}");
}

pub(super) fn aes() {
    assert_eq!(hello(Parties::new().client).suites, [AES_128]);
}

pub(super) fn no_chacha20() {
    aes();
}

pub(super) fn short_records() {
    let mut parties = Parties::new();
    parties.client = parties.client.with_max_fragment(MaxFragment::Of512);
    parties.talk(async |mut client, mut far| {
        client.send_all(&[7; 2000]).await.expect("sends");
        let mut buf = [0; 4096];
        let count = far.wire.receive_some(&mut buf).await.expect("receives");
        let (mut sent, mut records) = (&buf[..count], 0);
        while let [23, 3, 3, high, low, behind @ ..] = sent {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            assert!(length <= 512 + 17, "{length}");
            (sent, records) = (&behind[length..], records + 1);
        }
        assert!(sent.is_empty() && records == 4, "{records} records");
    });
}

pub(super) fn request_for_short_records() {
    let parties = Parties::new();
    let config = parties.client.with_max_fragment(MaxFragment::Of512);
    assert_eq!(hello(config).extension(MAX_FRAGMENT_LENGTH), [1]);
    assert!(!hello(client_of(trust_in(&parties.root))).has(MAX_FRAGMENT_LENGTH));
}

pub(super) fn over_tcp() {
    let executor = SeededExecutor::new(1);
    let net = SimNet::new(&executor);
    let addresses = [1, 2].map(|number| IpAddr::from([10, 0, 0, number]));
    let [here, there] = addresses.map(|address| net.host(&[address]));
    net.set_name(NAME, &addresses[..1]);
    executor.run(async {
        let mut listener = here
            .listen((addresses[0], PORT).into())
            .await
            .expect("free");
        let config = Parties::new().client;
        let mut storage = Box::new(TlsStorage::<16_645, 1024>::new());
        let mut rng = Same;
        let connector = GuardedConnector::new(&config, &mut rng, &mut storage);
        let opening =
            open_tls_over_tcp_stream(&there, NAME, PORT, ConnectOptions::new(), connector);
        let mut client = opening.await.expect("it listens");
        let mut server = listener.accept().await.expect("a client");
        let mut greeting = [0; 4096];
        let greeted = join(client.do_handshake(), async {
            server
                .receive_some(&mut greeting)
                .await
                .expect("a greeting");
            drop(server);
        });
        let (ended, ()) = greeted.await;
        ended.expect_err("nobody answers");
        assert_eq!(Hello::read(&greeting).versions(), [TLS13]);
    });
}
