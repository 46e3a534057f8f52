//! What the pool gives out, refuses, cleans up, and shows of it.

use std::time::Duration;

use futures_util::future::join;
use tacket::testing::DropPoint;
use tacket::{
    AsyncResource, Clock as _, Error as _, Fault, HalfCloseable, ReceiveStream, SendStream, timeout,
};
use tacket_embassy::testing::Side;
use tacket_embassy::{NetError, Options, TcpListener, TcpStream, Usage};

use super::ends::sleep;
use super::four_each::{CLOCK, assert_all_free, connect, count_resets, four_each, listen, pair};

#[test]
fn an_empty_pool_is_capacity_until_a_socket_returns() {
    let (wire, client, server) = four_each(Options::new());
    wire.run(async {
        let mut listener = listen(server);
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(pair(client, &mut listener).await);
        }
        let last = connect(client)
            .await
            .expect("the fourth waits in the backlog");
        let error = connect(client).await.expect_err("there is no fifth");
        assert_eq!(
            (error, error.fault()),
            (NetError::PoolExhausted, Fault::Capacity)
        );
        let usage = client.usage();
        assert_eq!((usage.sockets, usage.in_use, usage.most_in_use), (4, 4, 4));
        assert_eq!((usage.bytes_in_use, usage.most_bytes_in_use), (8192, 8192));
        assert_eq!((usage.refused, server.usage().refused), (1, 0));
        drop(last);
        sleep(100).await;
        assert_eq!(client.usage().in_use, 3);
        connect(client).await.expect("one is free again");
    });
}

/// Covers RES-05, RES-06.
#[test]
fn a_close_whose_peer_vanishes_ends_in_time_and_gives_the_socket_back() {
    let (wire, client, server) = four_each(Options::new().linger(Duration::from_secs(7)));
    wire.run(async {
        let mut listener = listen(server);
        let (mut stream, _peer) = pair(client, &mut listener).await;
        stream.send_all(b"never read").await.expect("sends");
        wire.cut();
        let start = CLOCK.now();
        let error = stream.close().await.expect_err("nobody acknowledges");
        let took = CLOCK.now() - start;
        assert_eq!(
            (error, error.fault()),
            (NetError::CloseTimedOut, Fault::TimedOut)
        );
        assert_eq!(took.as_secs(), 7);
        assert_eq!(client.usage().unclean, 1);
        sleep(2000).await;
        assert_all_free(client);
    });
}

#[test]
fn a_lingering_close_whose_peer_vanishes_ends_in_time_too() {
    let (wire, client, server) = four_each(Options::new().linger(Duration::from_secs(7)));
    wire.run(async {
        let mut listener = listen(server);
        let (mut stream, _peer) = pair(client, &mut listener).await;
        stream.send_all(b"never read").await.expect("sends");
        wire.cut();
        stream.send_eof().await.expect("the end is put behind it");
        drop(stream);
        let usage = client.usage();
        assert_eq!(
            (usage.in_use, usage.lingering, usage.most_lingering),
            (1, 1, 1)
        );
        sleep(6900).await;
        assert_eq!((client.usage().lingering, client.usage().unclean), (1, 0));
        sleep(1200).await;
        assert_all_free(client);
        assert_eq!(client.usage().unclean, 1);
    });
}

/// Covers RES-07.
#[test]
fn a_stream_dropped_with_unsent_data_resets_its_peer() {
    let (wire, client, server) = four_each(Options::new());
    wire.run(async {
        let mut listener = listen(server);
        let (mut stream, mut peer) = pair(client, &mut listener).await;
        let resets = count_resets(&wire, Side::Left);
        stream.send_all(&[1; 1000]).await.expect("fits the buffer");
        drop(stream);
        assert_eq!((client.usage().in_use, client.usage().aborting), (1, 1));
        let error = peer.receive_some(&mut [0; 64]).await.expect_err("no end");
        assert_eq!(
            (error, error.fault()),
            (NetError::ConnectionLost, Fault::Broken)
        );
        assert_eq!(resets.get(), 1);
        assert_all_free(client);
    });
}

#[test]
fn a_stream_dropped_after_its_end_ends_properly_though_it_has_not_read_everything() {
    let (wire, client, server) = four_each(Options::new());
    wire.run(async {
        let mut listener = listen(server);
        let (mut stream, mut peer) = pair(client, &mut listener).await;
        peer.send_all(&[1; 500]).await.expect("sends");
        sleep(100).await;
        stream.send_all(b"all of it").await.expect("sends");
        stream.send_eof().await.expect("ends");
        sleep(100).await; // it is acknowledged
        drop(stream);
        sleep(100).await;
        let mut buf = [0; 64];
        assert_eq!(peer.receive_some(&mut buf).await.expect("data"), 9);
        assert_eq!(peer.receive_some(&mut buf).await.expect("the end"), 0);
        peer.close().await.expect("closes");
        assert_eq!(client.usage().unclean, 0);
    });
}

/// Nobody will read it, and the peer should not go on.
#[test]
fn a_peer_that_goes_on_sending_to_a_stream_that_is_gone_is_reset() {
    let (wire, client, server) = four_each(Options::new());
    wire.run(async {
        let mut listener = listen(server);
        let (stream, mut peer) = pair(client, &mut listener).await;
        stream.close().await.expect("closes");
        let error = loop {
            match peer.send_all(&[1; 500]).await {
                Ok(()) => sleep(100).await,
                Err(error) => break error,
            }
        };
        assert_eq!(error.fault(), Fault::Broken);
        assert_eq!(client.usage().unclean, 1);
    });
}

#[test]
fn a_close_that_is_dropped_resets_its_peer() {
    let (wire, client, server) = four_each(Options::new());
    wire.run(async {
        for polls in 1..4 {
            for point in [
                DropPoint::after_poll(polls),
                DropPoint::when_woken_after_poll(polls),
            ] {
                let mut listener = listen(server);
                let (mut stream, mut peer) = pair(client, &mut listener).await;
                stream.send_all(&[1; 1000]).await.expect("fits the buffer");
                if point.cut(stream.close()).await.is_none() {
                    sleep(100).await;
                    let resets = peer.send_all(b"x").await.and(peer.send_all(b"x").await);
                    assert_eq!(
                        resets.expect_err("a reset").fault(),
                        Fault::Broken,
                        "{point}"
                    );
                }
                drop((peer, listener));
                sleep(20_000).await;
                assert_all_free(client);
                assert_all_free(server);
            }
        }
    });
}

#[test]
fn ten_thousand_connections_leave_no_socket_behind() {
    let (wire, client, server) = four_each(Options::new());
    wire.run(async {
        let mut listener = listen(server);
        for round in 0..10_000_u32 {
            let (mut left, mut right) = pair(client, &mut listener).await;
            left.send_all(&round.to_be_bytes()).await.expect("sends");
            let mut buf = [0; 8];
            assert_eq!(right.receive_some(&mut buf).await.expect("data"), 4);
            assert_eq!(buf[..4], round.to_be_bytes());
            match round % 4 {
                0 => drop(join(left.close(), right.close()).await),
                1 => drop((left.close().await, right)),
                2 => drop((left, right.close().await)),
                _ => drop((left, right)),
            }
        }
        drop(listener);
        sleep(30_000).await;
        assert_all_free(client);
        assert_all_free(server);
        for usage in [client.usage(), server.usage()] {
            assert_eq!((usage.sockets, usage.refused, usage.half_open), (4, 0, 0));
            assert!(
                usage.most_in_use <= 4 && usage.most_lingering >= 1,
                "{usage:?}"
            );
        }
    });
}

#[test]
fn a_connection_attempt_that_is_dropped_leaves_nothing_behind() {
    let (wire, client, server) = four_each(Options::new());
    wire.run(async {
        let mut listener = listen(server);
        for polls in 1..4 {
            for point in [
                DropPoint::after_poll(polls),
                DropPoint::when_woken_after_poll(polls),
            ] {
                drop(point.cut(connect(client)).await);
                sleep(2000).await;
                assert_all_free(client);
                assert_eq!(server.usage().armed, 2, "{point}");
                let (mut left, mut right) = pair(client, &mut listener).await;
                left.send_all(b"x").await.expect("sends");
                assert_eq!(right.receive_some(&mut [0; 4]).await.expect("data"), 1);
                drop((left, right));
                sleep(100).await;
            }
        }
    });
}

#[test]
fn an_address_that_cannot_be_a_peer_or_is_not_of_this_stack_is_invalid_input() {
    let (wire, client, server) = four_each(Options::new());
    wire.run(async {
        for address in ["10.0.0.2:0", "0.0.0.0:7", "[::]:7"] {
            let address = address.parse().expect("an address");
            let error = TcpStream::connect(client, address)
                .await
                .expect_err("no peer");
            assert_eq!(
                (error, error.fault()),
                (NetError::InvalidAddress, Fault::InvalidInput)
            );
        }
        assert_all_free(client);
        for address in ["10.0.0.1:7", "192.0.2.1:7", "[fd00::9]:7"] {
            let address = address.parse().expect("an address");
            let error = TcpListener::bind(server, address).expect_err("of somebody else");
            assert_eq!(error, NetError::InvalidAddress);
        }
    });
}

#[test]
fn a_silent_peer_is_a_broken_connection_after_the_chosen_time() {
    let (wire, client, server) = four_each(Options::new().silence(Some(Duration::from_secs(40))));
    wire.run(async {
        let mut listener = listen(server);
        let (mut left, right) = pair(client, &mut listener).await;
        sleep(1_000_000).await; // idle, but alive
        let mut buf = [0; 4];
        let waiting = timeout(
            &CLOCK,
            Duration::from_secs(100),
            left.receive_some(&mut buf),
        );
        waiting
            .await
            .expect_err("nothing comes, and nothing is wrong");
        wire.cut();
        let waiting = timeout(&CLOCK, Duration::from_secs(60), left.receive_some(&mut buf));
        let error = waiting
            .await
            .expect("in time")
            .expect_err("nobody is there");
        assert_eq!(error.fault(), Fault::Broken);
        drop(right);
    });
}

/// What is under way is probed every 5 s, what is idle twice a minute from each end.
#[test]
fn an_idle_connection_costs_few_packets() {
    let (wire, client, server) = four_each(Options::new());
    wire.run(async {
        let mut listener = listen(server);
        let (mut left, mut right) = pair(client, &mut listener).await;
        left.send_all(b"x").await.expect("sends");
        right.receive_some(&mut [0; 4]).await.expect("data");
        sleep(60_000).await;
        let before = wire.carried().sent;
        sleep(600_000).await;
        let packets = wire.carried().sent - before;
        assert!((20..=80).contains(&packets), "{packets}");
    });
}

/// Its window is closed for much longer than a peer may be silent.
#[test]
fn a_reader_that_sleeps_for_an_hour_loses_nothing() {
    let (wire, client, server) = four_each(Options::new());
    wire.run(async {
        let mut listener = listen(server);
        let (mut left, mut right) = pair(client, &mut listener).await;
        let sending = async {
            left.send_all(&[5; 10_000]).await.expect("sends");
            left.close().await.expect("closes");
        };
        let receiving = async {
            let (mut total, mut buf) = (0, [0; 100]);
            sleep(3_600_000).await;
            while let count @ 1.. = right.receive_some(&mut buf).await.expect("data") {
                total += count;
            }
            right.close().await.expect("closes");
            total
        };
        assert_eq!(join(sending, receiving).await.1, 10_000);
    });
}

/// The marks are kept when the sockets return.
#[test]
fn the_ledger_starts_empty_and_keeps_its_marks() {
    let (wire, client, server) = four_each(Options::new());
    let mut empty = Usage::default();
    empty.sockets = 4;
    assert_eq!(client.usage(), empty);
    wire.run(async {
        let mut listener = listen(server);
        let held = [
            pair(client, &mut listener).await,
            pair(client, &mut listener).await,
        ];
        drop(held);
        sleep(100).await;
    });
    let usage = client.usage();
    assert_eq!(
        (usage.in_use, usage.most_in_use, usage.most_bytes_in_use),
        (0, 2, 4096)
    );
}
