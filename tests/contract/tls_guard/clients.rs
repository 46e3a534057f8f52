//! Clients without a heap that prove who they are, and those that share a key with their server.

use futures_util::future::join;
use tacket::{ReceiveStream as _, SendStream as _};
use tacket_tests::{Authority, NAME, Scripted, extensions, sec1};
use tacket_tls::rustls::server::WebPkiClientVerifier;
use tacket_tls::rustls::{self, RootCertStore};
use tacket_tls::{
    ClientCertificate, ConfigError, EngineError, GuardError, GuardTrust, GuardedClientConfig,
    PeerIdentity, PreSharedKey, ServerConfig, TlsError, TlsStream,
};

use super::certificates::{NOW, Owner, server};
use super::guarded::{client, memory, trusting};
use super::run;

const KEY: &[u8] = b"sixteen bytes or more";

/// A server that demands certificates of `clients`.
fn strict(authority: &Authority, clients: &Owner) -> ServerConfig {
    let mut roots = RootCertStore::empty();
    roots.add(clients.der.clone()).expect("a root");
    let provider = || rustls::crypto::ring::default_provider().into();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider());
    let (certificate, key) = authority.certify(&[NAME], |_| {});
    rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("a version")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(vec![certificate], key)
        .expect("they belong together")
        .into()
}

#[test]
fn a_client_proves_who_it_is_if_the_server_asks() {
    let (authority, clients) = (Authority::new(), Owner::root("clients"));
    let owner: &'static Owner = Box::leak(Box::new(clients.issue(server(&["client.example"]))));
    let certificate =
        ClientCertificate::new(&owner.der, sec1(&owner.key.serialize_der())).expect("they match");
    // The certificate fills the output more than once.
    for asked in [true, false] {
        let config = trusting(&authority).with_certificate(certificate.clone());
        let config = Box::leak(Box::new(config));
        let served = if asked {
            strict(&authority, &clients)
        } else {
            authority.server_config()
        };
        let memory = memory();
        run(async {
            let (left, right) = memory.open().expect("a new pair");
            let mut client = client::<2048, 512, _, _>(left, config);
            let mut server = TlsStream::server(right, &served).expect("valid");
            let mut buf = [0; 9];
            let (sent, received) =
                join(client.send_all(b"hello"), server.receive_some(&mut buf)).await;
            sent.expect("sends");
            assert_eq!(received, Ok(5));
            let known = server.negotiated().expect("known");
            let shown = known.peer_certificates();
            assert_eq!(shown.len(), usize::from(asked));
            assert!(shown.iter().all(|shown| *shown == owner.der));
        });
    }
}

#[test]
fn a_client_without_a_certificate_hears_that_one_was_needed() {
    let (authority, clients) = (Authority::new(), Owner::root("clients"));
    let config = Box::leak(Box::new(trusting(&authority)));
    let served = strict(&authority, &clients);
    let memory = memory();
    run(async {
        let (left, right) = memory.open().expect("a new pair");
        let mut client = client::<2048, 1024, _, _>(left, config);
        let mut server = TlsStream::server(right, &served).expect("valid");
        let mut buf = [0; 9];
        let (received, accepted) = join(client.receive_some(&mut buf), server.do_handshake()).await;
        accepted.expect_err("nobody has shown a certificate");
        let wanted = TlsError::Engine(EngineError::Guard(GuardError::Refused(116)));
        assert_eq!(received, Err(wanted));
    });
}

#[test]
fn a_certificate_and_a_key_belong_together() {
    let (one, other) = (Owner::root("one"), Owner::root("other"));
    let made = ClientCertificate::new(&one.der, sec1(&other.key.serialize_der()));
    assert_eq!(made.err(), Some(ConfigError::KeyMismatch));
    let made = ClientCertificate::new(&one.der, &one.key.serialize_der()[..20]);
    assert_eq!(made.err(), Some(ConfigError::NoKey));
    let made = ClientCertificate::new(b"none", sec1(&one.key.serialize_der()));
    assert_eq!(made.err(), Some(ConfigError::NoCertificate));
}

fn knowing(key: &'static [u8]) -> &'static GuardedClientConfig<'static> {
    let key = PreSharedKey::new(b"device 7", key).expect("a key");
    let config = GuardedClientConfig::new(GuardTrust::in_pre_shared_key(key), NAME, NOW);
    Box::leak(Box::new(config.expect("a name")))
}

#[test]
fn who_knows_the_key_needs_no_certificate() {
    let memory = memory();
    run(async {
        let (left, right) = memory.open().expect("a new pair");
        let mut client = client::<2048, 1024, _, _>(left, knowing(KEY));
        let serving = async {
            let mut scripted = Scripted::greet_with(right, Some(KEY), |_| {}).await;
            let finished = scripted.finished(&[&extensions()]);
            scripted.say(&[&extensions(), &finished]).await;
            scripted.open_traffic().await;
            scripted.send_inside(b"data\x17").await;
            scripted.hear().await
        };
        let talking = async {
            client.do_handshake().await.expect("both know it");
            client.send_all(b"hello").await.expect("sends");
            assert_eq!(client.receive_some(&mut [0; 9]).await, Ok(4));
        };
        let ((), heard) = join(talking, serving).await;
        assert_eq!(heard.as_deref(), Some(&b"hello\x17"[..]));
        let known = client.negotiated().expect("known");
        assert_eq!(known.identity(), PeerIdentity::PreSharedKey);
    });
}

#[test]
fn who_does_not_know_the_key_is_refused_whatever_else_it_has() {
    let owner = Owner::root("a server");
    for (known, with_certificate, wanted) in [
        (
            Some(&b"another key, as long"[..]),
            false,
            GuardError::BadRecord,
        ),
        (None, true, GuardError::IllegalHello),
        (Some(KEY), true, GuardError::UnexpectedMessage),
    ] {
        let memory = memory();
        run(async {
            let (left, right) = memory.open().expect("a new pair");
            let mut client = client::<2048, 1024, _, _>(left, knowing(KEY));
            let serving = async {
                let mut scripted = Scripted::greet_with(right, known, |_| {}).await;
                if with_certificate {
                    scripted.be_honest(&owner).await;
                } else {
                    let finished = scripted.finished(&[&extensions()]);
                    scripted.say(&[&extensions(), &finished]).await;
                }
            };
            let (shaken, ()) = join(client.do_handshake(), serving).await;
            let wanted = TlsError::Engine(EngineError::Guard(wanted));
            assert_eq!(shaken, Err(wanted), "{known:?}");
        });
    }
    // Who was not asked for a key cannot choose one.
    let authority = Authority::new();
    let memory = memory();
    run(async {
        let (left, right) = memory.open().expect("a new pair");
        let config = Box::leak(Box::new(trusting(&authority)));
        let mut client = client::<2048, 1024, _, _>(left, config);
        let serving = Scripted::greet_with(right, Some(KEY), |_| {});
        let (shaken, _) = join(client.do_handshake(), serving).await;
        let wanted = TlsError::Engine(EngineError::Guard(GuardError::IllegalHello));
        assert_eq!(shaken, Err(wanted));
    });
}
