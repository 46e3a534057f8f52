//! What one direction still does when the transport of the other has failed.

use std::pin::pin;

use embedded_io_async::{Read as _, Write as _};
use futures_util::FutureExt as _;
use futures_util::future::{Either, join, select};
use tacket::testing::{MemoryPair, MemoryPipe};
use tacket::{CloseOnEof, HalfCloseable, ReceiveStream, SendStream, StapledStream};
use tacket_tests::{Authority, NAME};
use tacket_tls::rustls::{self, AlertDescription, Error as Rustls};
use tacket_tls::{EngineError, TlsError, TlsStream};

use super::{Parties, memory, receive_to_end, run, rustls_server, with_session};

#[test]
fn what_arrived_can_be_received_after_a_send_has_failed() {
    with_session(async |mut client, mut server| {
        for _ in 0..3 {
            server.send_all(&[7; 100]).await.expect("sends");
        }
        server.send_eof().await.expect("ends");
        assert_eq!(client.receive_some(&mut [0; 10]).await, Ok(10));
        drop(server);
        for _ in 0..2 {
            client.send_all(b"x").await.expect_err("nobody there");
        }
        assert_eq!(receive_to_end(&mut client).await, Ok(290));
        client.send_all(b"x").await.expect_err("nobody there");
    });
}

#[test]
fn what_arrived_can_be_received_after_a_flush_has_failed() {
    with_session(async |mut client, mut server| {
        for _ in 0..3 {
            server.send_all(&[7; 100]).await.expect("sends");
        }
        server.send_eof().await.expect("ends");
        assert_eq!(client.write(b"x").await, Ok(1));
        assert_eq!(client.receive_some(&mut [0; 10]).await, Ok(10));
        drop(server);
        client.flush().await.expect_err("nobody there");
        assert_eq!(receive_to_end(&mut client).await, Ok(290));
    });
}

#[test]
fn a_receiving_half_goes_on_when_the_way_back_is_gone() {
    let parties = Parties::new();
    let [up, down] = [(); 2].map(|()| MemoryPipe::new(vec![0; 100_000]));
    run(async {
        let (up_tx, mut up_rx) = up.open().expect("a new pipe");
        let (down_tx, down_rx) = down.open().expect("a new pipe");
        let mut down_tx = CloseOnEof::new(down_tx);
        let left = StapledStream::new(CloseOnEof::new(up_tx), down_rx);
        let right = StapledStream::new(&mut down_tx, &mut up_rx);
        let (mut client, mut server) = parties.acquainted((left, right)).await;
        for _ in 0..3 {
            server.send_all(&[7; 100]).await.expect("sends");
        }
        server.send_eof().await.expect("ends");
        drop(server);
        drop(up_rx); // As a child process that closes its input.
        for _ in 0..2 {
            client.send_all(b"x").await.expect_err("nobody there");
        }
        assert_eq!(receive_to_end(&mut client).await, Ok(300));
    });
}

#[test]
fn a_peer_that_refuses_and_goes_is_heard_although_it_cannot_be_sent_to() {
    const HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];
    let (parties, memory) = (Parties::new(), memory());
    let (left, mut right) = memory.open().expect("a new pair");
    let mut client = TlsStream::client(left, &parties.client, NAME).expect("a name");
    run(async {
        right.send_all(&HANDSHAKE_FAILURE).await.expect("sends");
        drop(right);
        let told = EngineError::Rustls(Rustls::AlertReceived(AlertDescription::HandshakeFailure));
        for _ in 0..2 {
            let outcome = client.do_handshake().await;
            assert_eq!(outcome, Err(TlsError::Engine(told.clone())));
        }
    });
}

/// One that sends data behind its first messages.
fn eager_server(authority: &Authority) -> rustls::ServerConnection {
    let mut eager = rustls_server(authority, rustls::ALL_VERSIONS);
    eager.send_half_rtt_data = true;
    rustls::ServerConnection::new(eager.into()).expect("a configuration")
}

/// A server may send data behind its first messages, and need not read before all of that is taken.
#[test]
fn the_last_message_of_the_handshake_does_not_wait_for_a_peer_that_sends_first() {
    let authority = Authority::new();
    let mut server = eager_server(&authority);
    let pair = MemoryPair::new(vec![0; 16], vec![0; 1000]);
    let (left, mut right) = pair.open().expect("a new pair");
    let mut client = TlsStream::client(left, &authority.client_config(), NAME).expect("a name");
    run(async {
        let listening = async {
            let mut buf = [0; 10_000];
            client.do_handshake().await.expect("shakes hands");
            client.read_exact(&mut buf).await.expect("all of it");
            assert_eq!(buf, [1; 10_000]);
        };
        let speaking = async {
            let mut buf = [0; 1000];
            while !server.wants_write() {
                let count = right.receive_some(&mut buf).await.expect("a hello");
                let mut arrived = buf.get(..count).expect("no more than there is room");
                server.read_tls(&mut arrived).expect("there is room");
                server.process_new_packets().expect("a hello");
            }
            std::io::Write::write_all(&mut server.writer(), &[1; 10_000]).expect("it takes all");
            let mut flight = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut flight).expect("memory");
            }
            right.send_all(&flight).await.expect("sends");
            while right.receive_some(&mut buf).await.is_ok() {}
        };
        let (listening, speaking) = (pin!(listening), pin!(speaking));
        let first = select(listening, speaking).await;
        assert!(matches!(first, Either::Left(_)), "the server gives up");
    });
}

/// A server may say all that it has to say behind its first messages, and go before it hears the last one.
#[test]
fn what_a_server_said_at_once_is_received_with_its_end_though_it_does_not_hear_us() {
    let authority = Authority::new();
    let mut server = eager_server(&authority);
    let [up, down] = [(); 2].map(|()| MemoryPipe::new(vec![0; 10_000]));
    run(async {
        let (up_tx, mut up_rx) = up.open().expect("a new pipe");
        let (mut down_tx, down_rx) = down.open().expect("a new pipe");
        let left = StapledStream::new(CloseOnEof::new(up_tx), down_rx);
        let mut client = TlsStream::client(left, &authority.client_config(), NAME).expect("a name");
        assert!(client.do_handshake().now_or_never().is_none());
        let mut hello = [0; 5000];
        let count = up_rx.receive_some(&mut hello).await.expect("a hello");
        let mut arrived = &hello[..count];
        server.read_tls(&mut arrived).expect("there is room");
        server.process_new_packets().expect("a hello");
        std::io::Write::write_all(&mut server.writer(), b"all of it").expect("it takes all");
        server.send_close_notify();
        let mut flight = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut flight).expect("memory");
        }
        down_tx.send_all(&flight).await.expect("there is room");
        drop(up_rx);
        client.do_handshake().await.expect_err("nobody hears it");
        assert_eq!(receive_to_end(&mut client).await, Ok(9));
        assert_eq!(receive_to_end(&mut client).await, Ok(0));
        client.send_all(b"x").await.expect_err("nobody hears it");
    });
}

#[test]
fn what_arrived_can_be_received_while_the_other_half_cannot_send() {
    with_session(async |mut client, mut server| {
        for _ in 0..3 {
            server.send_all(&[7; 100]).await.expect("sends");
        }
        server.send_eof().await.expect("ends");
        drop(server);
        let (mut tx, mut rx) = tacket::Split::split(&mut client);
        let sending = async { tx.send_all(b"x").await.expect_err("nobody there") };
        let (_, received) = join(sending, receive_to_end(&mut rx)).await;
        assert_eq!(received, Ok(300));
    });
}
