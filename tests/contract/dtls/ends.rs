//! How channels and endpoints end, and who may serve.

use core::cell::Cell;
use core::future::pending;
use core::pin::pin;

use futures_util::FutureExt as _;
use futures_util::future::join;
use tacket::testing::SeededExecutor;
use tacket::{AsyncResource as _, Bind as _, Clock as _, Error as _, Fault};
use tacket_tests::NAME;
use tacket_tls::{DtlsConnectError, DtlsError};

use super::{
    Channel, Error, SECOND, World, echo, endpoint, meet, round, while_served, while_serving,
    while_serving_at_most,
};

/// Covers DTL-09.
#[test]
fn a_channel_that_is_closed_tells_its_peer_once() {
    meet(async |pair, channel| {
        let heard = &Cell::new(false);
        let handler = async |channel: Channel| {
            let mut message = [0; 10];
            assert_eq!(channel.receive(&mut message).await?, Some(4));
            for _again in 0..2 {
                assert_eq!(channel.receive(&mut message).await?, None);
            }
            let refused = channel.send(b"anybody?").await.expect_err("nobody");
            assert_eq!(refused, DtlsError::PeerClosed);
            assert_eq!(refused.fault(), Fault::Broken);
            heard.set(true);
            Ok::<_, Error>(())
        };
        while_served(&pair, handler, async {
            channel.send(b"last").await.expect("sends");
            let before = pair.sent().len();
            channel.close().await.expect("closes");
            pair.sleep(SECOND).await;
            assert_eq!(pair.sent().len(), before + 1);
        })
        .await;
        assert!(heard.get());
        assert_eq!(pair.client.statistics().associations, 0);
        assert_eq!(pair.server.statistics().associations, 0);
    });
}

/// Covers DTL-09: its peer waits, and may send.
#[test]
fn a_channel_that_is_dropped_tells_nobody() {
    meet(async |pair, channel| {
        let heard = &Cell::new(false);
        let handler = async |channel: Channel| {
            let mut message = [0; 10];
            assert_eq!(channel.receive(&mut message).await?, Some(4));
            let waiting = channel.receive(&mut message);
            assert!(
                tacket::timeout(&pair.world.server, SECOND, waiting)
                    .await
                    .is_err()
            );
            channel.send(b"anybody?").await?;
            heard.set(true);
            Ok::<_, Error>(())
        };
        while_served(&pair, handler, async {
            channel.send(b"last").await.expect("sends");
            drop(channel);
            pair.sleep(2 * SECOND).await;
        })
        .await;
        assert!(heard.get());
    });
}

/// Covers DTL-08, DTL-10, DTL-11.
#[test]
fn an_endpoint_that_is_closed_ends_its_channels_and_its_server_and_frees_its_port() {
    meet(async |pair, channel| {
        let (world, client, server) = (&pair.world, pair.client, &pair.server);
        let (config, server_config) = (&pair.client_config, &pair.server_config);
        let idle = client.connect(pair.from, config, NAME).expect("open");
        let talking = async {
            round(&channel, b"message").await;
            let mut message = [0; 10];
            let other = client.clone();
            let (received, closed) = join(channel.receive(&mut message), client.close()).await;
            assert_eq!(received, Err(DtlsError::Closed));
            assert_eq!(closed, Ok(()));
            for channel in [&channel, &idle] {
                assert_eq!(channel.send(b"x").await, Err(DtlsError::Closed));
                let received = channel.receive(&mut message).await;
                assert_eq!(received.expect_err("closed").fault(), Fault::Closed);
                assert_eq!(channel.do_handshake().await, Err(DtlsError::Closed));
            }
            let refused = other.connect(pair.address, config, NAME);
            assert_eq!(refused.err(), Some(DtlsConnectError::Closed));
            let refused = other.serve(server_config, 4, echo).await;
            assert_eq!(refused, Err(DtlsError::Closed));
            other.close().await.expect("again");
            let free = world.client.bind(pair.from).await;
            free.expect("the port is free");
            pair.executor
                .sleep_until(pair.executor.now() + SECOND)
                .await;
            server.clone().close().await.expect("closes");
        };
        let serving = server.serve(server_config, 4, echo);
        let (served, ()) = join(serving, talking).await;
        let served = served.expect("it was closed");
        // The handler heard of the client's end.
        assert_eq!((served.accepted, served.completed), (1, 1));
        let free = world.server.bind(pair.address).await;
        free.expect("the port is free");
    });
}

#[test]
fn a_handler_that_is_not_done_when_its_endpoint_is_closed_is_dropped_and_counted() {
    meet(async |pair, channel| {
        let handler = async |channel: Channel| {
            let mut message = [0; 10];
            channel.receive(&mut message).await?;
            pending::<Result<(), Error>>().await
        };
        let talking = async {
            channel.send(b"message").await.expect("sends");
            pair.sleep(SECOND).await;
            pair.server.clone().close().await.expect("closes");
        };
        let serving = pair.server.serve(&pair.server_config, 4, handler);
        let (served, ()) = join(serving, talking).await;
        let served = served.expect("it was closed");
        assert_eq!((served.accepted, served.completed), (1, 0));
        assert_eq!((served.failed, served.cut), (0, 1));
    });
}

/// Covers DTL-35.
#[test]
fn the_last_handle_that_is_dropped_frees_the_port_whatever_waits_or_comes() {
    meet(async |pair, channel| {
        let (host, client, from) = (&pair.world.client, pair.client, pair.from);
        while_serving(&pair.server, &pair.server_config, echo, async {
            // An answer is on its way.
            let other = client.clone();
            channel.send(b"message").await.expect("sends");
            drop(client);
            host.bind(from).await.expect_err("there is one more");
            // Somebody waits, and the last one who reads the socket is gone.
            let idle = other.connect(from, &pair.client_config, NAME);
            let idle = idle.expect("open");
            let dropping = async {
                drop(other);
                host.bind(from).await.expect("the port is free");
            };
            let (waited, ()) = join(idle.do_handshake(), dropping).await;
            assert_eq!(waited, Err(DtlsError::Closed));
            let mut message = [0; 10];
            assert_eq!(channel.receive(&mut message).await, Err(DtlsError::Closed));
        })
        .await;
    });
}

/// Covers DTL-13.
#[test]
fn one_serves_at_a_time_and_another_once_that_was_cancelled() {
    meet(async |pair, channel| {
        {
            let mut first = pin!(pair.server.serve(&pair.server_config, 4, echo));
            assert!(first.as_mut().now_or_never().is_none());
            let second = pair.server.serve(&pair.server_config, 4, echo).await;
            let refused = second.expect_err("the first serves");
            assert_eq!(refused, DtlsError::Busy);
            assert_eq!(refused.fault(), Fault::Busy);
        }
        while_served(&pair, echo, round(&channel, b"message")).await;
    });
}

/// Covers DTL-15.
#[test]
fn a_handler_gets_its_channel_before_the_handshake_and_returning_closes_it() {
    meet(async |pair, channel| {
        let handled = &Cell::new(0);
        let handler = async |channel: Channel| {
            assert_eq!(channel.peer_addr(), pair.from);
            assert!(channel.cleartext_mtu().is_err());
            assert_eq!(pair.server.statistics().established, 0);
            assert_eq!(pair.server.statistics().associations, 1);
            handled.set(handled.get() + 1);
            Ok::<_, Error>(())
        };
        while_served(&pair, handler, async {
            let waiting = tacket::timeout(pair.executor, SECOND / 2, channel.do_handshake());
            assert!(waiting.await.is_err());
        })
        .await;
        assert_eq!(handled.get(), 1);
        assert_eq!(pair.server.statistics().associations, 0);
    });
}

/// As many clients as there may be handlers are served, and the others wait until one is done.
#[test]
fn a_full_house_serves_nobody_else_until_there_is_room() {
    meet(async |pair, first| {
        let (other, _) = endpoint(&pair.world.client).await;
        let second = pair.connect_from(&other);
        while_serving_at_most(1, &pair.server, &pair.server_config, echo, async {
            round(&first, b"first").await;
            let waiting = tacket::timeout(pair.executor, 5 * SECOND, second.do_handshake());
            assert!(waiting.await.is_err());
            assert!(pair.server.statistics().refused > 0);
            round(&first, b"still").await;
            first.close().await.expect("closes");
            round(&second, b"second").await;
        })
        .await;
    });
}

/// What the documentation of `serve` says of handlers: with their limits, clients that say nothing any more make room for others.
#[test]
fn a_handler_with_limits_makes_room_for_others() {
    let executor = SeededExecutor::new(1);
    let world = World::new(&executor);
    executor.run(async {
        let (server, address) = endpoint(&world.server).await;
        let config = world.client_config();
        let handler = async |channel: Channel| {
            let limit = 10 * SECOND;
            match tacket::timeout(&world.server, limit, channel.do_handshake()).await {
                Ok(done) => done?,
                Err(_) => return channel.close().await,
            }
            let mut message = [0; 1500];
            loop {
                let receiving = channel.receive(&mut message);
                let received = tacket::timeout(&world.server, limit, receiving).await;
                match received.unwrap_or(Ok(None))? {
                    Some(length) => channel.send(&message[..length]).await?,
                    None => return channel.close().await,
                }
            }
        };
        while_serving_at_most(1, &server, &world.server_config(), handler, async {
            // Each goes away without a word, the one in its handshake and the other after it.
            for rounds in 0..2 {
                let (client, from) = endpoint(&world.client).await;
                let sent = Cell::new(0);
                world.net.set_hook(move |packet| {
                    sent.set(sent.get() + i32::from(packet.from == from));
                    if rounds == 0 && packet.from == from && sent.get() > 2 {
                        packet.arrivals.clear();
                    }
                });
                let channel = client.connect(address, &config, NAME).expect("open");
                let waiting = tacket::timeout(&executor, SECOND, channel.do_handshake());
                assert_eq!(waiting.await.is_ok(), rounds == 1);
                world.net.remove_hook();
                drop((channel, client));
                let (client, _) = endpoint(&world.client).await;
                let channel = client.connect(address, &config, NAME).expect("open");
                let waiting = tacket::timeout(&executor, 30 * SECOND, channel.do_handshake());
                assert_eq!(waiting.await, Ok(Ok(())));
                assert!(server.statistics().refused > 0);
                round(&channel, b"there is room").await;
                channel.close().await.expect("closes");
                executor.sleep_until(executor.now() + SECOND).await;
            }
        })
        .await;
    });
}
