//! How a TLS session ends on both sides, and what the transport is good for before and after it.

use futures_util::future::{join, try_join};
use tacket::testing::{MemoryError, MemoryPair};
use tacket::{AsyncResource, Error as _, Fault, HalfCloseable, ReceiveStream, SendStream};
use tacket_tls::rustls::InvalidMessage;
use tacket_tls::{EngineError, TlsError, TlsStream, Unwrapped};

use super::apart::join_ends;
use super::{Parties, connect, memory, run, with_session, with_silenced_server};

/// What may follow TLS: text, an end in plain sight, what looks like data of the session, the hello of a new one.
const AFTERMATHS: [&[u8]; 4] = [
    b"220 in the clear\n",
    &[21, 3, 3, 0, 2, 1, 0],
    &[23, 3, 3, 0, 5, 1, 2, 3, 4, 5, 23, 3],
    &[22, 3, 1, 0, 4, 1, 0, 0, 0],
];

/// Covers SSL-28.
#[test]
fn unwrap_gives_the_transport_back_and_what_had_come_behind_the_end() {
    for parties in Parties::of_each_version() {
        let memory = memory();
        for plain in AFTERMATHS {
            let pair = memory.open().expect("the last pair is gone");
            run(async {
                let (mut client, mut server) = parties.acquainted(pair).await;
                client.send_all(b"last words").await.expect("sends");
                client.send_eof().await.expect("ends");
                let mut buf = [0; 100];
                assert_eq!(server.receive_some(&mut buf).await, Ok(10));

                let Unwrapped {
                    transport: mut right,
                    trailing,
                } = server.unwrap().await.expect("the client has ended");
                assert_eq!(trailing, b"");
                right.send_all(plain).await.expect("sends");
                let Unwrapped {
                    transport: mut left,
                    trailing,
                } = client.unwrap().await.expect("both have ended");
                assert_eq!(trailing, plain);

                left.send_all(b"and back").await.expect("sends");
                assert_eq!(right.receive_some(&mut buf).await, Ok(8));
                assert_eq!(&buf[..8], b"and back");
                right.send_all(b"and forth").await.expect("sends");
                assert_eq!(left.receive_some(&mut buf).await, Ok(9));
                assert_eq!(&buf[..9], b"and forth");
            });
        }
    }
}

/// Covers SSL-29.
#[test]
fn after_the_peers_end_a_shutdown_completes_the_exchange() {
    for parties in Parties::of_each_version() {
        let memory = memory();
        run(async {
            let (mut client, mut server) =
                parties.acquainted(memory.open().expect("a new pair")).await;
            server.send_eof().await.expect("ends");
            for _ in 0..2 {
                assert_eq!(client.receive_some(&mut [0; 1]).await, Ok(0));
            }
            for _ in 0..2 {
                client.shutdown().await.expect("nothing is missing");
                assert_eq!(client.receive_some(&mut [0; 1]).await, Ok(0));
                assert_eq!(client.send_all(b"x").await, Err(TlsError::Closed));
            }
            server.shutdown().await.expect("the client has answered");
            client.close().await.expect("closes");
            server.close().await.expect("closes");
        });
    }
}

#[test]
fn a_shutdown_shakes_hands_and_needs_no_room_in_the_transport() {
    for parties in Parties::of_each_version() {
        let lockstep = MemoryPair::lockstep([0; 1 << 15], [0; 1 << 15]);
        let (client, server) = parties.pair(lockstep.open().expect("a new pair"));
        run(async {
            let unwrapped = try_join(client.unwrap(), server.unwrap()).await;
            let (left, right) = unwrapped.expect("both end");
            assert_eq!((left.trailing, right.trailing), (vec![], vec![]));
        });
    }
}

#[test]
fn data_before_the_peers_end_has_to_be_received_first() {
    with_session(async |mut client, mut server| {
        server.send_all(b"wait!").await.expect("sends");
        server.send_all(b"one more").await.expect("sends");
        for _ in 0..2 {
            let error = client.shutdown().await.expect_err("unread data");
            assert_eq!(error, TlsError::UnreadData);
            assert_eq!(error.fault(), Fault::InvalidInput);
            assert!(error.to_string().contains("not received"), "{error}");
        }
        assert_eq!(client.send_all(b"x").await, Err(TlsError::Closed));
        // Our end was sent all the same.
        assert_eq!(server.receive_some(&mut [0; 1]).await, Ok(0));
        let mut buf = [0; 3];
        assert_eq!(client.receive_some(&mut buf).await, Ok(3));
        assert_eq!(client.shutdown().await, Err(TlsError::UnreadData));
        let mut received = buf[..3].to_vec();
        while received.len() < 13 {
            let count = client.receive_some(&mut buf).await.expect("receives");
            received.extend_from_slice(&buf[..count]);
        }
        assert_eq!(received, b"wait!one more");
        let (ours, theirs) = join(client.shutdown(), server.shutdown()).await;
        ours.expect("all was received");
        theirs.expect("all was received");
    });
}

#[test]
fn an_end_of_the_transport_completes_no_shutdown_in_either_mode() {
    for compatible in [false, true] {
        with_silenced_server(async |mut client, right| {
            if compatible {
                client = client.https_compatible();
            }
            assert_eq!(client.receive_some(&mut [0; 16]).await, Ok(6));
            right.close().await.expect("an orderly end, but not TLS's");
            for _ in 0..2 {
                assert_eq!(client.shutdown().await, Err(TlsError::Truncated));
            }
            let expected = if compatible {
                Ok(0)
            } else {
                Err(TlsError::Truncated)
            };
            assert_eq!(client.receive_some(&mut [0; 16]).await, expected);
            assert_eq!(client.shutdown().await, Err(TlsError::Truncated));
            let refused = client.unwrap().await.expect_err("no end of TLS");
            assert_eq!(refused, TlsError::Truncated);
        });
    }
}

#[test]
fn data_before_an_end_of_the_transport_is_told_before_the_truncation() {
    with_silenced_server(async |mut client, right| {
        right.close().await.expect("an orderly end, but not TLS's");
        assert_eq!(client.shutdown().await, Err(TlsError::UnreadData));
        assert_eq!(client.receive_some(&mut [0; 16]).await, Ok(6));
        assert_eq!(client.shutdown().await, Err(TlsError::Truncated));
    });
}

#[test]
fn a_peer_that_is_gone_fails_a_shutdown_for_good() {
    with_session(async |mut client, server| {
        drop(server);
        let gone = Err(TlsError::Transport(MemoryError::Broken));
        assert_eq!(client.shutdown().await, gone);
        assert_eq!(client.shutdown().await, Err(TlsError::Broken));
        client.close().await.expect("closes");
    });
}

#[test]
fn a_record_that_is_no_end_fails_a_shutdown_with_its_reason() {
    with_silenced_server(async |mut client, mut right| {
        assert_eq!(client.receive_some(&mut [0; 16]).await, Ok(6));
        let plain = right.send_all(&[21, 3, 3, 0, 2, 1, 0]).await;
        plain.expect("sends");
        for _ in 0..2 {
            let refused = client.shutdown().await.expect_err("forged");
            assert!(matches!(refused, TlsError::Engine(_)), "{refused:?}");
        }
    });
}

/// Covers SSL-35.
#[test]
fn the_transport_that_comes_back_is_the_one_that_went_in() {
    let parties = Parties::new();
    run(async {
        let (client, server) = parties.pair(connect().await);
        let address = client.transport().local_addr();
        let address = address.expect("an address");
        let unwrapped = try_join(client.unwrap(), server.unwrap()).await;
        let (mut left, mut right) = unwrapped.expect("both end");
        assert_eq!((left.trailing, right.trailing), (vec![], vec![]));
        assert_eq!(left.transport.local_addr().expect("an address"), address);
        let sent = right.transport.send_all(b"plain").await;
        sent.expect("sends");
        let mut buf = [0; 100];
        let received = left.transport.receive_some(&mut buf).await;
        assert_eq!(received.expect("receives"), 5, "{buf:?}");
        left.transport.close().await.expect("closes");
        let received = right.transport.receive_some(&mut buf).await;
        assert_eq!(received.expect("an end"), 0);
    });
}

#[test]
fn what_was_received_before_the_handshake_is_its_start_wherever_it_was_cut() {
    for parties in Parties::of_each_version() {
        let (near, far) = (memory(), memory());
        let mut cut = 0;
        loop {
            let (left, mut near_end) = near.open().expect("the last pair is gone");
            let (mut far_end, right) = far.open().expect("the last pair is gone");
            let mut client = TlsStream::client(left, &parties.client, super::NAME).expect("a name");
            let server = TlsStream::server(right, &parties.server).expect("a configuration");
            let length = run(async {
                let speaking = async {
                    client.send_all(b"hello").await.expect("sends");
                    client.shutdown().await.expect("ends");
                    drop(client);
                };
                let passing = async {
                    let mut hello = [0; 4096];
                    let length = near_end.receive_some(&mut hello).await.expect("a hello");
                    let (early, late) = hello[..length].split_at(cut);
                    // In two calls, as from two buffers.
                    let (first, second) = early.split_at(cut / 2);
                    let mut server = server.with_received(first).with_received(second);
                    far_end.send_all(late).await.expect("sends");
                    let listening = async {
                        let mut buf = [0; 16];
                        assert_eq!(server.receive_some(&mut buf).await, Ok(5));
                        server.shutdown().await.expect("ends");
                        drop(server);
                    };
                    join(listening, join_ends(&mut near_end, &mut far_end)).await;
                    length
                };
                let ((), length) = join(speaking, passing).await;
                length
            });
            if cut == length {
                break;
            }
            // Every cut in the headers, and some behind them.
            cut = (cut + if cut < 12 { 1 } else { 41 }).min(length);
        }
    }
}

/// A message that is no longer than one may be, but in records of a byte each, and not at its end yet.
#[test]
fn more_than_a_session_can_begin_with_is_refused() {
    let message = [1, 0, 0xff, 0xfb].into_iter().chain([0; 20_000]);
    let tattered: Vec<u8> = message.flat_map(|byte| [22, 3, 1, 0, 1, byte]).collect();
    let (parties, memory) = (Parties::new(), memory());
    let (left, _right) = memory.open().expect("a new pair");
    let server = TlsStream::server(left, &parties.server).expect("a configuration");
    let mut server = server.with_received(&tattered);
    run(async {
        let refused = server.do_handshake().await.expect_err("too much");
        let reason = InvalidMessage::HandshakePayloadTooLarge.into();
        assert_eq!(refused, TlsError::Engine(EngineError::Rustls(reason)));
    });
}
