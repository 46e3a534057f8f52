//! The provider for boards, against itself and against another one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join;
use tacket::testing::{MemoryError, MemoryPair};
use tacket::{AsyncResource as _, HalfCloseable as _, ReceiveStream as _, SendStream as _};
use tacket_tests::{Authority, NAME, Patience};
use tacket_tls::rustls::crypto::{CryptoProvider, GetRandomFailed, SecureRandom, ring};
use tacket_tls::rustls::server::{ClientHello, ResolvesServerCert};
use tacket_tls::rustls::sign::CertifiedKey;
use tacket_tls::rustls::version::TLS13;
use tacket_tls::rustls::{
    self, AlertDescription, CertificateError, CipherSuite, Error, InconsistentKeys, NamedGroup,
};
use tacket_tls::{ClientConfig, ConfigError, EngineError, RustCrypto, TlsError, TlsStream};

use super::{Parties, examine_all, memory, receive_to_end, run};

/// A board with as many draws of random bytes as it is given.
#[derive(Debug)]
struct Board {
    left: AtomicUsize,
}

impl Board {
    fn with_draws(count: usize) -> &'static Self {
        let left = AtomicUsize::new(count);
        Box::leak(Box::new(Self { left }))
    }
}

impl SecureRandom for Board {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        let take = |left: usize| left.checked_sub(1);
        let taken = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map_err(|_| GetRandomFailed)?;
        ring::default_provider().secure_random.fill(buf)
    }
}

/// The provider with this board's random bytes.
fn ours(board: &'static Board) -> CryptoProvider {
    Box::leak(Box::new(RustCrypto::new(board))).provider()
}

fn any() -> CryptoProvider {
    ours(Board::with_draws(usize::MAX))
}

/// A client and a server of TLS 1.3 with these providers, the one trusting the other.
fn parties(client: CryptoProvider, server: CryptoProvider) -> Parties {
    let authority = Authority::new();
    let (certificate, key) = authority.certify(&[NAME], |_| {});
    let server = rustls::ServerConfig::builder_with_provider(server.into())
        .with_protocol_versions(&[&TLS13])
        .expect("it has suites")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    Parties {
        client: client_of(&authority, client),
        server: server.into(),
    }
}

fn client_of(authority: &Authority, provider: CryptoProvider) -> ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.root()).expect("a root");
    let config = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_protocol_versions(&[&TLS13])
        .expect("it has suites")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.into()
}

/// Covers SSL-13.
#[test]
fn tls_with_the_algorithms_of_boards_keeps_the_contract() {
    for parties in [
        parties(any(), any()),
        parties(any(), ring::default_provider()),
    ] {
        let pair = MemoryPair::new([0; 2000], [0; 2000]);
        let open = || pair.open().expect("the last pair is gone");
        let patience = Patience {
            duplex_bytes: 1 << 16,
            ..Patience::memory()
        };
        examine_all(
            patience,
            async || parties.pair(open()),
            async || parties.acquainted(open()).await,
        );
    }
}

/// Covers SSL-01.
#[test]
fn every_suite_and_group_works_in_both_roles_against_another_implementation() {
    let suites = [
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        CipherSuite::TLS13_AES_128_GCM_SHA256,
    ];
    let groups = [NamedGroup::X25519, NamedGroup::secp256r1];
    for (suite, group) in suites
        .into_iter()
        .flat_map(|suite| groups.map(|group| (suite, group)))
    {
        let alone = |mut provider: CryptoProvider| {
            provider.cipher_suites.retain(|it| it.suite() == suite);
            provider.kx_groups.retain(|it| it.name() == group);
            provider
        };
        for (client, server) in [
            (alone(any()), ring::default_provider()),
            (ring::default_provider(), alone(any())),
            (alone(any()), any()),
        ] {
            let (parties, memory) = (parties(client, server), memory());
            run(async {
                let pair = memory.open().expect("a new pair");
                let (mut client, mut server) = parties.acquainted(pair).await;
                for known in [client.negotiated(), server.negotiated()] {
                    let agreed = known.expect("known").cipher_suite().id();
                    assert_eq!(agreed, u16::from(suite));
                }
                let data = vec![7; 40_000];
                let sending = async {
                    client.send_all(&data).await?;
                    client.send_eof().await
                };
                let (sent, received) = join(sending, receive_to_end(&mut server)).await;
                sent.expect("sends");
                assert_eq!(received, Ok(data.len()), "{suite:?} {group:?}");
                server.send_all(b"bye").await.expect("sends");
                assert_eq!(client.receive_some(&mut [0; 9]).await, Ok(3));
            });
        }
    }
}

/// How a handshake between these ends for either.
async fn shake_hands(parties: &Parties) -> [Result<(), Option<Error>>; 2] {
    let memory = memory();
    let (left, right) = memory.open().expect("a new pair");
    let client = async {
        let made = TlsStream::client(left, &parties.client, NAME);
        let mut stream = made.map_err(|error| match error {
            ConfigError::Engine(EngineError::Rustls(error)) => Some(error),
            other => panic!("{other}"),
        })?;
        stream.do_handshake().await.map_err(cause)?;
        // A server that has failed cannot say so before its flight.
        stream.receive_some(&mut [0]).await.map(drop).map_err(cause)
    };
    let server = async {
        let mut stream = TlsStream::server(right, &parties.server).expect("it takes no bytes");
        stream.do_handshake().await.map_err(cause)?;
        stream.close().await.map_err(cause)
    };
    join(client, server).await.into()
}

fn cause(error: TlsError<MemoryError>) -> Option<Error> {
    match error {
        TlsError::Engine(EngineError::Rustls(error)) => Some(error),
        _ => None,
    }
}

#[test]
fn wherever_random_bytes_are_missing_the_handshake_fails_and_says_so() {
    let missing = Err(Some(Error::FailedToGetRandomBytes));
    for group in [NamedGroup::X25519, NamedGroup::secp256r1] {
        let with_draws = |count| {
            let mut provider = ours(Board::with_draws(count));
            provider.kx_groups.retain(|it| it.name() == group);
            provider
        };
        // Those of a hello, of a key to exchange, and, for a server, of a signature: each secret takes two.
        for (least, of_client) in [(4, true), (5, false)] {
            let enough = (0..20).find(|&count| {
                let mut parties = if of_client {
                    parties(with_draws(count), ring::default_provider())
                } else {
                    parties(ring::default_provider(), with_draws(count))
                };
                // Each ticket takes some, too.
                parties.server = parties.server.without_resumption();
                let [client, server] = run(shake_hands(&parties));
                let (starved, other) = if of_client {
                    (client, server)
                } else {
                    (server, client)
                };
                if starved.is_err() {
                    assert_eq!(starved, missing, "{count} draws");
                }
                assert_eq!(starved.is_ok(), other.is_ok(), "{count} draws: {other:?}");
                starved.is_ok()
            });
            let enough = enough.expect("a handshake takes no more");
            assert!(enough >= least, "{group:?}, {of_client}: {enough}");
        }
    }
}

#[test]
fn a_server_that_nobody_vouches_for_is_refused() {
    let (mut one, other) = (parties(any(), any()), parties(any(), any()));
    one.server = other.server;
    let [client, server] = run(shake_hands(&one));
    let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
    assert_eq!(client, Err(Some(unknown)));
    let told = Error::AlertReceived(AlertDescription::UnknownCA);
    assert_eq!(server, Err(Some(told)));
}

/// Says that it has the key of another certificate.
#[derive(Debug)]
struct Impostor(Arc<CertifiedKey>);

impl ResolvesServerCert for Impostor {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

#[test]
fn a_server_that_has_another_key_than_its_certificate_is_refused() {
    let authority = Authority::new();
    let (certificate, key) = authority.certify(&[NAME], |_| {});
    let (_, other) = authority.certify(&[NAME], |_| {});
    let load = |key| any().key_provider.load_private_key(key).expect("a key");
    let made = CertifiedKey::from_der(vec![certificate.clone()], other.clone_key(), &any());
    let inconsistent = Error::InconsistentKeys(InconsistentKeys::KeyMismatch);
    assert_eq!(made.err(), Some(inconsistent), "it is not made by accident");
    for (key, is_right) in [(key, true), (other, false)] {
        let certified = CertifiedKey::new(vec![certificate.clone()], load(key));
        let server = rustls::ServerConfig::builder_with_provider(any().into())
            .with_protocol_versions(&[&TLS13])
            .expect("it has suites")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Impostor(certified.into())));
        let mut parties = parties(any(), any());
        parties.client = client_of(&authority, any());
        parties.server = server.into();
        let [client, _] = run(shake_hands(&parties));
        let refused = Error::InvalidCertificate(CertificateError::BadSignature);
        let wanted = if is_right { Ok(()) } else { Err(Some(refused)) };
        assert_eq!(client, wanted);
    }
}
