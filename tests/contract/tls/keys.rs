//! Sessions whose keys change, and sessions that go on from earlier ones.

use futures_util::FutureExt as _;
use futures_util::future::join;
use tacket::testing::{DropPoint, MemoryPair};
use tacket::{AsyncResource, Error as _, Fault, HalfCloseable, ReceiveStream, SendStream, Split};
use tacket_tls::TlsError;
use tacket_tls::rustls::version::{TLS12, TLS13};

use super::apart::{Apart, with_ends_apart};
use super::dropped_once::at_polls;
use super::drops::yield_now;
use super::{Parties, memory, run, with_session};

async fn receive_exactly(rx: &mut impl ReceiveStream, expected: &[u8]) {
    let (mut received, mut buf) = (Vec::new(), [0; 64]);
    while received.len() < expected.len() {
        let count = rx.receive_some(&mut buf).await.expect("receives");
        assert_ne!(count, 0, "an end");
        received.extend_from_slice(&buf[..count]);
    }
    assert_eq!(received, expected);
}

/// Covers SSL-12.
#[test]
fn both_ends_may_change_their_keys_as_often_as_they_like_while_data_goes_both_ways() {
    let parties = Parties::new();
    let pair = MemoryPair::new([0; 50], [0; 50]);
    run(async {
        let (mut client, mut server) = parties.pair(pair.open().expect("a new pair"));
        let ((mut client_tx, mut client_rx), (mut server_tx, mut server_rx)) =
            (client.split(), server.split());
        let there = async {
            for _ in 0..40 {
                client_tx.update_keys().await.expect("changes");
                client_tx.send_all(b"question").await.expect("sends");
            }
            client_tx.send_eof().await.expect("ends");
            assert_eq!(client_tx.update_keys().await, Err(TlsError::Closed));
        };
        let back = async {
            for _ in 0..30 {
                server_tx.send_all(b"answer").await.expect("sends");
                server_tx.update_keys().await.expect("changes");
                server_tx.update_keys().await.expect("changes at once");
            }
        };
        let (questions, answers) = (b"question".repeat(40), b"answer".repeat(30));
        let hearing = join(
            receive_exactly(&mut server_rx, &questions),
            receive_exactly(&mut client_rx, &answers),
        );
        join(join(there, back), hearing).await;
    });
}

#[test]
fn a_change_of_keys_that_is_dropped_at_any_poll_loses_nothing() {
    let parties = Parties::new();
    let pair = MemoryPair::new([0; 7], [0; 7]);
    at_polls(1, |point| {
        run(async {
            let transports = pair.open().expect("the last pair is gone");
            let (mut client, mut server) = parties.acquainted(transports).await;
            let sending = async {
                client.send_all(b"before").await.expect("sends");
                let changed = point.cut(client.update_keys()).await;
                client.send_all(b"after").await.expect("sends");
                changed.is_none()
            };
            let receiving = receive_exactly(&mut server, b"beforeafter");
            join(sending, receiving).await.0
        })
    });
}

/// Each attempt goes on with the change that is under way. A peer refuses a session with too many of them in a row.
#[test]
fn a_change_of_keys_that_is_dropped_all_the_time_is_one_change() {
    let parties = Parties::new();
    let pair = MemoryPair::new([0; 1], [0; 1]);
    for point in (1..4).flat_map(|polls| {
        [
            DropPoint::after_poll(polls),
            DropPoint::when_woken_after_poll(polls),
        ]
    }) {
        run(async {
            let (mut client, mut server) = parties
                .acquainted(pair.open().expect("the last pair is gone"))
                .await;
            let sending = async {
                let mut dropped = 0;
                while point.cut(client.update_keys()).await.is_none() {
                    dropped += 1;
                    // A byte at a time; the message has 27.
                    assert!(dropped < 30, "it begins anew");
                    yield_now().await;
                }
                assert!(dropped > 5, "it was dropped at few points: {dropped}");
                client.send_all(b"after").await.expect("sends");
            };
            join(sending, receive_exactly(&mut server, b"after")).await;
        });
    }
}

#[test]
fn where_keys_cannot_be_changed_that_is_said_and_the_session_goes_on() {
    let (parties, memory) = (Parties::speaking(&TLS12), memory());
    run(async {
        let (mut client, mut server) = parties.acquainted(memory.open().expect("a new pair")).await;
        let refused = client.update_keys().await.expect_err("TLS 1.2");
        assert_eq!(refused, TlsError::Unsupported);
        assert_eq!(refused.fault(), Fault::Unsupported);
        client.send_all(b"as before").await.expect("sends");
        receive_exactly(&mut server, b"as before").await;
    });
}

/// In the middle of a message of the peer's, rustls takes a change of keys for an error.
#[test]
fn a_change_of_keys_waits_while_half_a_message_of_the_peer_is_here() {
    with_ends_apart(&Parties::with_tickets_in_parts(), async |apart| {
        let Apart {
            mut client,
            mut near,
            mut far,
            mut server,
        } = apart;
        server.send_all(b"answer").await.expect("sends");
        let mut buf = [0; 4000];
        let count = far.receive_some(&mut buf).await.expect("receives");
        let (first, rest) = buf[..count].split_at(150);
        near.send_all(first).await.expect("passes on a part");
        assert!(client.receive_some(&mut [0; 16]).now_or_never().is_none());

        client.update_keys().await.expect("later");
        client.send_all(b"old keys").await.expect("sends");
        near.send_all(rest).await.expect("passes on the rest");
        receive_exactly(&mut client, b"answer").await;
        client.send_all(b"new keys").await.expect("sends");
        let count = near.receive_some(&mut buf).await.expect("receives");
        // Two records of data and one with the message: header, type and tag are 22 bytes.
        assert_eq!(count, (8 + 22) * 2 + (5 + 22));
        far.send_all(&buf[..count]).await.expect("passes on");
        receive_exactly(&mut server, b"old keysnew keys").await;
    });
}

#[test]
fn both_ends_know_whether_a_session_goes_on_from_an_earlier_one() {
    for version in [&TLS12, &TLS13] {
        let (parties, memory) = (Parties::speaking(version), memory());
        for resumed in [false, true, true] {
            run(async {
                let pair = memory.open().expect("the last pair is gone");
                let (mut client, mut server) = parties.acquainted(pair).await;
                // Tickets come with the first data.
                server.send_all(b"hello").await.expect("sends");
                receive_exactly(&mut client, b"hello").await;
                let (ours, theirs) = (client.negotiated(), server.negotiated());
                assert_eq!(ours.expect("known").is_resumed(), resumed, "{version:?}");
                assert_eq!(theirs.expect("known").is_resumed(), resumed, "{version:?}");
                client.close().await.expect("closes");
                server.close().await.expect("closes");
            });
        }
    }
}

#[test]
fn a_change_of_keys_fails_as_any_send_when_the_peer_is_gone() {
    with_session(async |mut client, server| {
        drop(server);
        client.update_keys().await.expect_err("nobody there");
        assert_eq!(client.update_keys().await, Err(TlsError::Broken));
    });
}
