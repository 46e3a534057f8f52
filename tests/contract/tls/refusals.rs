//! What TLS refuses, and what it says then: bad certificates, bad peers, bad transports.

use futures_util::future::join;
use tacket::testing::MemoryError;
use tacket::{AsyncResource, Error as _, Fault, HalfCloseable, ReceiveStream, SendStream};
use tacket_tests::{Authority, NAME};
use tacket_tls::rustls::{self, AlertDescription, CertificateError, Error as Rustls};
use tacket_tls::{ClientConfig, ConfigError, EngineError, ServerConfig, TlsError, TlsStream};

use super::{Parties, memory, run, rustls_server};

/// What the client and the server say of a handshake between them.
pub(super) fn handshake(
    client: &ClientConfig,
    name: &str,
    server: &ServerConfig,
) -> [Result<(), TlsError<MemoryError>>; 2] {
    let memory = memory();
    let (left, right) = memory.open().expect("a new pair");
    let mut client = TlsStream::client(left, client, name).expect("a name");
    let mut server = TlsStream::server(right, server).expect("a configuration");
    run(async {
        let connecting = async {
            client.do_handshake().await?;
            client.send_eof().await
        };
        // It waits for the end: TLS 1.3's server is done before it hears what the client thinks of it.
        let accepting = async { server.receive_some(&mut [0; 1]).await.map(drop) };
        let (connected, accepted) = join(connecting, accepting).await;
        if let Err(error) = &connected {
            assert_eq!(error.fault(), Fault::Broken);
            // Some of what rustls says is not even equal to itself.
            let same = error.to_string();
            for _ in 0..2 {
                let shaken = client.do_handshake().await.expect_err("sticky");
                let sent = client.send_all(b"x").await.expect_err("sticky");
                let received = client.receive_some(&mut [0]).await.expect_err("sticky");
                assert_eq!(
                    [shaken, sent, received].map(|error| error.to_string()),
                    [(); 3].map(|()| same.clone())
                );
            }
            client.close().await.expect("closes all the same");
        }
        [connected, accepted]
    })
}

pub(super) fn refused_certificate(error: &TlsError<MemoryError>) -> &CertificateError {
    let source = std::error::Error::source(error).expect("a cause");
    let Some(EngineError::Rustls(Rustls::InvalidCertificate(refused))) = source.downcast_ref()
    else {
        panic!("another cause: {source:?}")
    };
    refused
}

#[track_caller]
pub(super) fn assert_alert(outcome: &Result<(), TlsError<MemoryError>>, alert: AlertDescription) {
    let wanted = EngineError::Rustls(Rustls::AlertReceived(alert));
    assert_eq!(*outcome, Err(TlsError::Engine(wanted)));
}

/// Covers SSL-02.
#[test]
fn a_certificate_of_an_unknown_authority_is_refused_and_the_server_is_told() {
    let (trusted, other) = (Authority::new(), Authority::new());
    let [connected, accepted] = handshake(&trusted.client_config(), NAME, &other.server_config());
    let error = connected.expect_err("not trusted");
    assert_eq!(
        *refused_certificate(&error),
        CertificateError::UnknownIssuer
    );
    assert_alert(&accepted, AlertDescription::UnknownCA);
}

#[test]
fn an_expired_certificate_is_refused() {
    let authority = Authority::new();
    let server = authority.server_config_for(&[NAME], Authority::expire);
    let [connected, accepted] = handshake(&authority.client_config(), NAME, &server);
    let error = connected.expect_err("expired");
    assert!(
        matches!(
            refused_certificate(&error),
            CertificateError::ExpiredContext { .. }
        ),
        "{error:?}"
    );
    assert_alert(&accepted, AlertDescription::CertificateExpired);
}

/// Covers SSL-03.
#[test]
fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    let server = authority.server_config();
    let [connected, _] = handshake(&authority.client_config(), "other.example", &server);
    let error = connected.expect_err("another name");
    assert!(
        matches!(
            refused_certificate(&error),
            CertificateError::NotValidForNameContext { .. }
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("other.example"), "{error}");
}

/// Covers SSL-37.
#[test]
fn a_name_can_be_text_bytes_or_an_address_and_addresses_are_checked_as_such() {
    let authority = Authority::new();
    let (client, server) = (authority.client_config(), authority.server_config());
    for name in [NAME, "127.0.0.1"] {
        for outcome in handshake(&client, name, &server) {
            outcome.expect("the right name");
        }
    }
    let [connected, _] = handshake(&client, "127.0.0.2", &server);
    refused_certificate(&connected.expect_err("another address"));

    let memory = memory();
    let (left, right) = memory.open().expect("a new pair");
    TlsStream::client(left, &client, NAME.as_bytes()).expect("bytes");
    TlsStream::client(right, &client, std::net::Ipv4Addr::LOCALHOST).expect("an address");
    for wrong in ["", "no name", "a..b"] {
        let refused = TlsStream::client((), &client, wrong).expect_err("no name");
        assert_eq!(refused, ConfigError::InvalidName);
        assert_eq!(refused.fault(), Fault::InvalidInput);
    }
}

#[test]
fn a_configuration_without_roots_or_with_a_foreign_key_or_with_early_data_is_refused() {
    let refused = ClientConfig::with_roots([]).expect_err("nobody to trust");
    assert_eq!(refused, ConfigError::NoRoots);
    let refused = ClientConfig::with_roots([vec![1, 2, 3].into()]).expect_err("no certificate");
    assert!(matches!(refused, ConfigError::Engine(_)), "{refused:?}");

    let authority = Authority::new();
    let (certificate, key) = authority.certify(&[NAME], |_| {});
    let (_, other_key) = authority.certify(&[NAME], |_| {});
    let refused = ServerConfig::with_certificate(vec![certificate.clone()], other_key);
    assert_eq!(refused.err(), Some(ConfigError::KeyMismatch));
    let refused = ServerConfig::with_certificate(Vec::new(), key.clone_key());
    assert_eq!(refused.err(), Some(ConfigError::NoCertificate));

    let mut early = rustls_server(&authority, rustls::ALL_VERSIONS);
    early.max_early_data_size = 1;
    let refused = TlsStream::server((), &early.into()).expect_err("early data");
    assert_eq!(refused, ConfigError::EarlyData);
    assert_eq!(refused.fault(), Fault::Unsupported);
}

/// The client's view when, after the handshake, its peer sends `bytes` past TLS and then `leaves`.
fn intrusion(bytes: &[u8], leaves: bool) -> TlsError<MemoryError> {
    let parties = Parties::new();
    let memory = memory();
    let (left, mut right) = memory.open().expect("a new pair");
    run(async {
        let (mut client, mut server) = parties.acquainted((left, &mut right)).await;
        server.send_all(b"before").await.expect("sends");
        drop(server);
        right.send_all(bytes).await.expect("sends");
        let mut right = Some(right);
        if leaves {
            right = None;
        }
        let mut buf = [0; 64];
        assert_eq!(client.receive_some(&mut buf).await, Ok(6));
        let error = client.receive_some(&mut buf).await.expect_err("refused");
        let again = client.receive_some(&mut buf).await.expect_err("sticky");
        assert_eq!(again.fault(), error.fault());
        let unsent = client.send_all(b"x").await.expect_err("sticky");
        assert_eq!(unsent.fault(), Fault::Broken);
        client.close().await.expect("closes all the same");
        drop(right);
        error
    })
}

#[track_caller]
fn assert_refused(error: &TlsError<MemoryError>) {
    assert!(matches!(error, TlsError::Engine(_)), "{error:?}");
    assert_eq!(error.fault(), Fault::Broken);
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a length");
    let mut record = vec![kind, 3, 3];
    record.extend(length.to_be_bytes());
    record.extend(body);
    record
}

#[test]
fn a_plain_close_notify_after_the_handshake_is_no_end() {
    let error = intrusion(&record(ALERT, &[1, 0]), false);
    assert_refused(&error);
}

#[test]
fn a_plain_close_notify_before_the_handshake_is_no_end() {
    let (parties, memory) = (Parties::new(), memory());
    let (left, mut right) = memory.open().expect("a new pair");
    let mut client = TlsStream::client(left, &parties.client, NAME).expect("a name");
    run(async {
        let told = right.send_all(&record(21, &[1, 0])).await;
        told.expect("sends");
        right.send_eof().await.expect("ends");
        for _ in 0..2 {
            let error = client.receive_some(&mut [0]).await.expect_err("no end");
            assert_eq!(error, TlsError::Truncated);
        }
    });
}

#[test]
fn plain_records_after_the_handshake_are_refused() {
    for bytes in [
        record(DATA, b"never protected, but long enough to look like it"),
        record(HANDSHAKE, &[24, 0, 0, 1, 0]),
        record(HANDSHAKE, &[0, 0, 0, 0]),
        record(20, &[1]),
        record(99, b"no such type"),
    ] {
        assert_refused(&intrusion(&bytes, false));
    }
}

#[test]
fn records_without_content_are_refused() {
    for kind in [ALERT, HANDSHAKE, DATA] {
        assert_refused(&intrusion(&record(kind, b""), false));
    }
}

#[test]
fn a_record_longer_than_any_may_be_is_refused_before_it_is_there() {
    let whole = record(DATA, &vec![7; (1 << 14) + 257]);
    assert_refused(&intrusion(&whole, false));
    assert_refused(&intrusion(&[DATA, 3, 3, 0xff, 0xff], false));
}

#[test]
fn a_record_that_is_cut_short_is_a_truncation_or_the_transports_failure() {
    let half = &record(DATA, &[7; 100])[..50];
    let error = intrusion(half, true);
    // Memory says that its other end was dropped; see the session's tests for an orderly end.
    assert_eq!(error, TlsError::Transport(MemoryError::Broken));
}

/// rustls 0.23 asserts that it sends one alert only, and close_notify is one.
#[test]
fn a_bad_record_after_our_own_end_is_refused_without_a_panic() {
    let parties = Parties::new();
    let memory = memory();
    let (left, mut right) = memory.open().expect("a new pair");
    run(async {
        let (mut client, server) = parties.acquainted((left, &mut right)).await;
        drop(server);
        client.send_eof().await.expect("ends");
        right
            .send_all(&record(DATA, &[7; 100]))
            .await
            .expect("sends");
        let error = client.receive_some(&mut [0]).await.expect_err("refused");
        assert_refused(&error);
    });
}

/// Sends `bytes` to a client that wants to shake hands, and to a server. Returns what they say to the caller.
fn greeted_with(bytes: &[u8], told: bool) -> [TlsError<MemoryError>; 2] {
    let parties = Parties::new();
    [true, false].map(|to_client| {
        let memory = memory();
        let (tls, mut peer) = memory.open().expect("a new pair");
        let mut tls = if to_client {
            TlsStream::client(tls, &parties.client, NAME).expect("a name")
        } else {
            TlsStream::server(tls, &parties.server).expect("a configuration")
        };
        run(async {
            peer.send_all(bytes).await.expect("sends");
            let error = tls.do_handshake().await.expect_err("refused");
            let again = tls.do_handshake().await.expect_err("sticky");
            assert_eq!(error, again);
            if told {
                let mut buf = [0; 4096];
                let said = peer.receive_some(&mut buf).await.expect("an answer");
                let alert = buf[..said].windows(3).any(|start| start == [ALERT, 3, 3]);
                assert!(alert, "{:?}", &buf[..said]);
            }
            error
        })
    })
}

/// Covers SSL-07.
#[test]
fn a_peer_that_does_not_speak_tls_is_refused() {
    for bytes in [
        &b"HTTP/1.1 400 this is not TLS at all\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2\r\n",
        &[0; 1000],
    ] {
        for error in greeted_with(bytes, true) {
            assert_refused(&error);
        }
    }
}

#[test]
fn a_handshake_message_without_end_is_refused_in_bounded_memory() {
    // It claims 16 MiB, and then 60,000 bytes that come in records of one byte.
    let long = record(HANDSHAKE, &[1, 0xff, 0xff, 0xff]);
    let tattered: Vec<u8> = [1, 0, 0xea, 0x60]
        .into_iter()
        .chain([0; 15_000])
        .flat_map(|byte| record(HANDSHAKE, &[byte]))
        .collect();
    for error in greeted_with(&long, false) {
        assert_refused(&error);
    }
    for error in greeted_with(&tattered, false) {
        assert_refused(&error);
    }
}

#[test]
fn a_protocol_name_that_no_message_can_hold_is_refused() {
    let authority = Authority::new();
    let (client, server) = (authority.client_config(), authority.server_config());
    let longest: &[u8] = &[b'a'; 255];
    let too_long: &[u8] = &[b'a'; 256];
    let too_many = [longest; 65];
    for names in [&[b"".as_slice()][..], &[b"h2", too_long], &too_many] {
        let client = client.clone().with_alpn(names);
        let refused = TlsStream::client((), &client, NAME).expect_err("a bad name");
        assert_eq!(refused, ConfigError::InvalidProtocol);
        let server = server.clone().with_alpn(names);
        let refused = TlsStream::server((), &server).expect_err("a bad name");
        assert_eq!(refused, ConfigError::InvalidProtocol);
        assert_eq!(refused.fault(), Fault::InvalidInput);
    }
    let most = [longest; 64];
    let [connected, accepted] = handshake(&client.with_alpn(&most), NAME, &server.with_alpn(&most));
    connected.expect("every name fits");
    accepted.expect("every name fits");
}

/// Covers SSL-06.
#[test]
fn a_transport_that_fails_during_the_handshake_says_why_once_and_stays_broken() {
    let parties = Parties::new();
    let memory = memory();
    let (left, right) = memory.open().expect("a new pair");
    drop(right);
    let mut client = TlsStream::client(left, &parties.client, NAME).expect("a name");
    run(async {
        let error = client.do_handshake().await.expect_err("nobody there");
        assert_eq!(error, TlsError::Transport(MemoryError::Broken));
        assert_eq!(client.do_handshake().await, Err(TlsError::Broken));
        assert_eq!(client.send_all(b"x").await, Err(TlsError::Broken));
        assert_eq!(client.receive_some(&mut [0]).await, Err(TlsError::Broken));
        client.close().await.expect("closes all the same");
    });
}
