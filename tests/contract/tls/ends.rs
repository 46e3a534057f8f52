//! How a TLS session ends: properly, cut short, or by a drop.

use tacket::{AsyncResource, Error as _, Fault, HalfCloseable, ReceiveStream, SendStream};
use tacket_tls::{TlsError, TlsStream};

use super::{Parties, memory, run, with_session, with_silenced_server};

/// Covers SSL-15, SSL-16.
#[test]
fn a_close_is_an_end_for_the_peer_and_waits_for_none_of_its() {
    with_session(async |mut client, mut server| {
        client.send_all(b"bye").await.expect("sends");
        client.close().await.expect("closes, though nobody answers");
        let mut buf = [0; 16];
        assert_eq!(server.receive_some(&mut buf).await, Ok(3));
        for _ in 0..3 {
            assert_eq!(server.receive_some(&mut buf).await, Ok(0));
        }
        server.close().await.expect("closes");
    });
}

/// Covers SSL-18.
#[test]
fn a_close_is_fine_when_the_peer_has_gone() {
    with_session(async |client, server| {
        server.close_forcefully();
        client.close().await.expect("closes");
    });
}

/// Covers SSL-29.
#[test]
fn after_the_peers_end_this_side_can_go_on() {
    with_session(async |mut client, mut server| {
        server.send_eof().await.expect("ends");
        let mut buf = [0; 16];
        assert_eq!(client.receive_some(&mut buf).await, Ok(0));
        client.send_all(b"still here").await.expect("sends");
        client.send_eof().await.expect("ends");
        assert_eq!(server.receive_some(&mut buf).await, Ok(10));
        assert_eq!(server.receive_some(&mut buf).await, Ok(0));
        let refused = client.send_all(b"x").await.expect_err("ended");
        assert_eq!(refused, TlsError::Closed);
    });
}

/// Covers SSL-20, SSL-21.
#[test]
fn an_end_of_the_transport_alone_is_a_truncation() {
    with_silenced_server(async |mut client, right| {
        right.close().await.expect("an orderly end, but not TLS's");
        let mut buf = [0; 16];
        assert_eq!(client.receive_some(&mut buf).await, Ok(6));
        for _ in 0..3 {
            let error = client.receive_some(&mut buf).await.expect_err("cut");
            assert_eq!(error, TlsError::Truncated);
            assert_eq!(error.fault(), Fault::Truncated);
            assert!(error.to_string().contains("unexpected end"), "{error}");
        }
        let error = client.send_all(b"x").await.expect_err("cut");
        assert_eq!(error.fault(), Fault::Broken);
        client.close().await.expect("closes");
    });
}

/// Covers SSL-22.
#[test]
fn where_lengths_are_told_otherwise_the_end_of_the_transport_is_the_end() {
    with_silenced_server(async |client, right| {
        let mut client = client.https_compatible();
        right.close().await.expect("an orderly end, but not TLS's");
        let mut buf = [0; 16];
        assert_eq!(client.receive_some(&mut buf).await, Ok(6));
        for _ in 0..3 {
            assert_eq!(client.receive_some(&mut buf).await, Ok(0));
        }
        client.close().await.expect("closes");
    });
}

/// Covers SSL-23.
#[test]
fn where_lengths_are_told_otherwise_a_close_sends_nothing() {
    with_silenced_server(async |client, mut right| {
        let closing = client.https_compatible().close();
        closing.await.expect("closes");
        assert_eq!(right.receive_some(&mut [0; 100]).await, Ok(0));
    });
    with_silenced_server(async |client, mut right| {
        client.close().await.expect("closes");
        let mut buf = [0; 100];
        let said = right.receive_some(&mut buf).await.expect("close_notify");
        assert!(said > 0, "a strict close says so");
    });
}

#[test]
fn an_end_before_the_handshake_is_an_end_only_where_lengths_are_told_otherwise() {
    let (parties, memory) = (Parties::new(), memory());
    for compatible in [false, true] {
        let (left, right) = memory.open().expect("a new pair");
        let mut server = TlsStream::server(left, &parties.server).expect("a configuration");
        if compatible {
            server = server.https_compatible();
        }
        run(async {
            right.close().await.expect("closes");
            let received = server.receive_some(&mut [0]).await;
            let expected = if compatible {
                Ok(0)
            } else {
                Err(TlsError::Truncated)
            };
            assert_eq!(received, expected);
            assert_eq!(server.receive_some(&mut [0]).await, expected);
            assert_eq!(server.do_handshake().await, Err(TlsError::Truncated));
            assert_eq!(server.send_all(b"x").await, Err(TlsError::Broken));
            server.close().await.expect("closes");
        });
    }
}

/// Covers SSL-24.
#[test]
fn a_peer_that_drops_its_stream_is_never_an_end() {
    with_session(async |client, mut server| {
        client.close_forcefully();
        for _ in 0..2 {
            let error = server.receive_some(&mut [0]).await.expect_err("no end");
            assert_eq!(error.fault(), Fault::Broken);
            let error = server.send_all(b"x").await.expect_err("nobody there");
            assert_eq!(error.fault(), Fault::Broken);
        }
        server.close().await.expect("closes");
    });
}
