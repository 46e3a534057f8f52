//! What streams of TLS are known to get wrong, each as a promise.

use futures_util::FutureExt as _;
use futures_util::future::join;
use tacket::testing::MemoryPair;
use tacket::{AsyncResource, ReceiveStream, SendStream};
use tacket_tls::TlsError;
use tacket_tls::rustls::version::TLS13;

use super::apart::{Apart, with_ends_apart};
use super::{Parties, connect, memory, receive_to_end, run, with_silenced_server};

#[test]
fn a_send_is_done_when_the_transport_has_every_byte_of_it() {
    let parties = Parties::new();
    let pair = MemoryPair::new(vec![0; 5000], vec![0; 5000]);
    let (left, mut right) = pair.open().expect("a new pair");
    run(async {
        let (mut client, server) = parties.acquainted((left, &mut right)).await;
        drop(server);
        client.send_all(&[1; 4000]).await.expect("there is room");
        let mut buf = [0; 5000];
        let there = right.receive_some(&mut buf).now_or_never();
        assert_eq!(there.expect("at once"), Ok(4022));
        // The header, type and tag of the record do not fit any more.
        let sending = client.send_all(&[1; 5000]).now_or_never();
        assert!(sending.is_none(), "not all of it is sent");
    });
}

/// A client may send what it has to and go, before the server has done its part of the handshake.
#[test]
fn a_server_hears_all_of_a_client_that_has_gone_before_its_tickets_could_be_sent() {
    for parties in Parties::of_each_version() {
        let memory = memory();
        let (mut client, mut server) = parties.pair(memory.open().expect("a new pair"));
        run(async {
            let leaving = async {
                client.send_all(b"short and sweet").await.expect("sends");
                client.close().await.expect("closes");
            };
            let staying = async {
                server.do_handshake().await.expect("shakes hands");
                // Here the client has gone.
                assert_eq!(receive_to_end(&mut server).await, Ok(15));
                assert_eq!(receive_to_end(&mut server).await, Ok(0));
                server.send_all(b"x").await.expect_err("nobody there");
            };
            join(leaving, staying).await;
        });
    }
}

#[test]
fn a_quick_close_over_tcp_with_tickets_and_data_unread_destroys_nothing() {
    for parties in Parties::of_each_version() {
        run(async {
            for _ in 0..20 {
                let (left, mut right) = connect().await;
                let (mut client, mut server) = parties.pair((left, &mut right));
                let leaving = async {
                    client.send_all(&[1; 200_000]).await.expect("sends");
                    client.close().await.expect("closes");
                };
                let staying = async {
                    // Tickets and this, which the client never reads.
                    server.send_all(&[2; 1000]).await.expect("sends");
                    assert_eq!(receive_to_end(&mut server).await.expect("all"), 200_000);
                };
                join(leaving, staying).await;
                drop(server);
                let ended = receive_to_end(&mut right).await;
                assert_eq!(ended.expect("no reset"), 0);
            }
        });
    }
}

/// Tickets are records of their own, and no data.
#[test]
fn a_run_of_tickets_is_neither_data_nor_an_end() {
    with_ends_apart(&Parties::speaking(&TLS13), async |apart| {
        let Apart {
            mut client,
            mut near,
            mut far,
            mut server,
        } = apart;
        server.send_all(b"answer").await.expect("sends");
        let mut buf = [0; 4000];
        let count = far.receive_some(&mut buf).await.expect("receives");
        let (tickets, data) = buf[..count].split_at(count - (6 + 22));
        assert!(tickets.len() > 100, "no tickets: {}", tickets.len());
        near.send_all(tickets).await.expect("passes on");
        let mut answer = [0; 16];
        for _ in 0..2 {
            let received = client.receive_some(&mut answer).now_or_never();
            assert_eq!(received, None, "a ticket is no data");
        }
        near.send_all(data).await.expect("passes on");
        assert_eq!(client.receive_some(&mut answer).await, Ok(6));
    });
}

#[test]
fn the_peer_is_told_of_a_failure_once_and_its_reason_stays() {
    with_silenced_server(async |mut client, mut right| {
        assert_eq!(client.receive_some(&mut [0; 16]).await, Ok(6));
        let nonsense = right.send_all(&[23, 3, 3, 0, 1, 0]).await;
        nonsense.expect("sends");
        let reason = client.receive_some(&mut [0; 16]).await;
        assert!(matches!(reason, Err(TlsError::Engine(_))), "{reason:?}");
        for _ in 0..3 {
            assert_eq!(client.receive_some(&mut [0; 16]).await, reason);
            assert_eq!(client.send_all(b"x").await.map(|()| 0), reason);
            assert_eq!(client.shutdown().await.map(|()| 0), reason);
        }
        client.close().await.expect("closes");
        // One record: an alert of two bytes under the keys of the session.
        let mut said = [0; 100];
        assert_eq!(right.receive_some(&mut said).await, Ok(2 + 22));
        assert_eq!(right.receive_some(&mut said).await, Ok(0));
    });
}
