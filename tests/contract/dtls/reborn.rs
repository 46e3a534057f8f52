//! Peers that begin anew.

use core::cell::{Cell, RefCell};
use core::pin::pin;

use futures_util::FutureExt as _;
use futures_util::future::{Either, join, select};
use tacket::testing::{Link, SeededExecutor};
use tacket::{
    AsyncResource as _, Bind as _, Clock as _, Error as _, Fault, LocalAddress as _,
    SendDatagram as _,
};
use tacket_tests::NAME;
use tacket_tls::DtlsError;

use super::sent_to;
use super::{Channel, Endpoint, SECOND, World, echo, endpoint, endpoint_at, round, while_serving};

/// Covers DTL-25, DTL-26.
#[test]
fn a_client_that_begins_anew_from_its_address_gets_a_new_channel_and_the_old_one_breaks() {
    // It had done its handshake, or only begun it: after this many datagrams it is gone.
    for datagrams in [2, 3, 100] {
        let executor = SeededExecutor::new(1);
        let world = World::new(&executor);
        executor.run(async {
            let (server, address) = endpoint(&world.server).await;
            let (client, from) = endpoint(&world.client).await;
            let config = world.client_config();
            let ends = &RefCell::new(Vec::new());
            let handler = async |channel: Channel| {
                let handled = echo(channel).await;
                ends.borrow_mut().push(handled.clone());
                handled
            };
            while_serving(&server, &world.server_config(), handler, async {
                let left = Cell::new(datagrams);
                world.net.set_hook(move |packet| {
                    if packet.from == from && left.replace(left.get() - 1) <= 0 {
                        packet.arrivals.clear();
                    }
                });
                let channel = client.connect(address, &config, NAME).expect("open");
                let waiting = async {
                    channel.do_handshake().await.expect("a handshake");
                    round(&channel, b"once").await;
                };
                let waited = tacket::timeout(&executor, SECOND / 2, waiting).await;
                assert_eq!(waited.is_ok(), datagrams == 100);
                world.net.remove_hook();
                // It loses its memory, and has the same address again.
                drop((channel, client));
                let (client, _) = endpoint_at(&world.client, &from.to_string()).await;
                let channel = client.connect(address, &config, NAME).expect("open");
                round(&channel, b"again").await;
                assert_eq!(server.statistics().associations, 1);
            })
            .await;
            assert_eq!(ends.take(), [Err(DtlsError::Replaced)]);
            assert_eq!(server.statistics().replaced, 1);
        });
    }
}

/// Also where there is room for one alone: it has the room of its old self, and no more than that.
#[test]
fn a_client_that_begins_anew_is_served_where_all_handlers_are_at_work() {
    let executor = SeededExecutor::new(1);
    let world = World::new(&executor);
    executor.run(async {
        let (server, address) = endpoint(&world.server).await;
        let (client, from) = endpoint(&world.client).await;
        let (stranger, _) = endpoint(&world.client).await;
        let config = world.client_config();
        let at_work = &Cell::new(0);
        let handler = async |channel: Channel| {
            at_work.set(at_work.get() + 1);
            assert_eq!(at_work.get(), 1);
            let handled = echo(channel).await;
            // It takes its time to notice.
            executor.sleep_until(executor.now() + SECOND / 10).await;
            at_work.set(0);
            handled
        };
        let serving_config = world.server_config();
        let serving = pin!(server.serve(&serving_config, 1, handler));
        let talking = pin!(async {
            let channel = client.connect(address, &config, NAME).expect("open");
            round(&channel, b"once").await;
            drop((channel, client));
            for reboot in 1..=3 {
                // The first attempts are given up before they have a handler.
                let (client, _) = endpoint_at(&world.client, &from.to_string()).await;
                let channel = client.connect(address, &config, NAME).expect("open");
                if reboot < 3 {
                    let waiting = channel.do_handshake();
                    let waited = tacket::timeout(&executor, SECOND / 100, waiting).await;
                    assert!(waited.is_err());
                    continue;
                }
                round(&channel, b"again").await;
                let other = stranger.connect(address, &config, NAME).expect("open");
                let waiting = tacket::timeout(&executor, 5 * SECOND, other.do_handshake());
                assert!(waiting.await.is_err());
                assert!(server.statistics().refused > 0);
                round(&channel, b"still").await;
                channel.close().await.expect("closes");
                round(&other, b"now").await;
            }
            assert_eq!(server.statistics().replaced, 3);
        });
        let Either::Right(_) = select(serving, talking).await else {
            panic!("it serves no more");
        };
    });
}

/// The same of one that was answered, got no farther, and begins anew from its own endpoint.
#[test]
fn a_client_that_gets_no_farther_is_served_anew_where_all_handlers_are_at_work() {
    let executor = SeededExecutor::new(1);
    let world = World::new(&executor);
    executor.run(async {
        let (server, address) = endpoint(&world.server).await;
        let (client, from) = endpoint(&world.client).await;
        let config = world.client_config();
        // After its hellos nothing of it arrives, until it has begun anew.
        let hellos = Cell::new(0);
        world.net.set_hook(move |packet| {
            if packet.from == from {
                let is_hello = packet.data.get(13) == Some(&1);
                hellos.set(hellos.get() + i32::from(is_hello));
                if hellos.get() <= 2 && !is_hello {
                    packet.arrivals.clear();
                }
            }
        });
        let serving_config = world.server_config();
        let serving = pin!(server.serve(&serving_config, 1, echo));
        let talking = pin!(async {
            let channel = client.connect(address, &config, NAME).expect("open");
            let waiting = tacket::timeout(&executor, 60 * SECOND, channel.do_handshake());
            assert_eq!(waiting.await, Ok(Ok(())));
            round(&channel, b"message").await;
            assert_eq!(server.statistics().replaced, 1);
        });
        let Either::Right(_) = select(serving, talking).await else {
            panic!("it serves no more");
        };
    });
}

/// The house is full for longer than any cookie is good, and for longer than somebody would try who is not understood.
#[test]
fn a_client_waits_at_a_full_house_until_there_is_a_place() {
    for dtls13 in [false, true] {
        let executor = SeededExecutor::new(1);
        let world = World::new(&executor);
        let (mut config, mut server_config) = (world.client_config(), world.server_config());
        if dtls13 {
            (config, server_config) = (
                config.with_dtls13().expect("it has certificates"),
                server_config.with_dtls13().expect("it has certificates"),
            );
        }
        executor.run(async {
            let (server, address) = endpoint(&world.server).await;
            let (first, _) = endpoint(&world.client).await;
            let (second, _) = endpoint(&world.client).await;
            let connect = |client: &Endpoint| client.connect(address, &config, NAME).expect("open");
            let (inside, outside) = (connect(&first), connect(&second));
            let serving = pin!(server.serve(&server_config, 1, echo));
            let talking = pin!(async {
                round(&inside, b"inside").await;
                let leaving = async {
                    executor.sleep_until(1800 * SECOND).await;
                    round(&inside, b"still inside").await;
                    let sent = sent_to(&world.net, address).len();
                    inside.close().await.expect("closes");
                    sent
                };
                let (waited, sent) = join(outside.do_handshake(), leaving).await;
                assert_eq!(waited, Ok(()));
                assert!(executor.now() > 1800 * SECOND);
                assert!(executor.now() < 2000 * SECOND, "{:?}", executor.now());
                assert!(sent < 200, "{sent} datagrams in half an hour");
                round(&outside, b"inside at last").await;
                assert!(server.statistics().refused > 4);
            });
            let Either::Right(_) = select(serving, talking).await else {
                panic!("it serves no more");
            };
        });
    }
}

/// A hello without a cookie proves nothing: it replaces nobody.
#[test]
fn a_forged_hello_from_the_address_of_a_client_harms_it_not() {
    let executor = SeededExecutor::new(1);
    let world = World::new(&executor);
    executor.run(async {
        let (server, address) = endpoint(&world.server).await;
        let (client, from) = endpoint(&world.client).await;
        let (forger, _) = endpoint(&world.client).await;
        let config = world.client_config();
        let channel = client.connect(address, &config, NAME).expect("open");
        while_serving(&server, &world.server_config(), echo, async {
            round(&channel, b"before").await;
            world.net.set_hook(move |packet| {
                if packet.to == address {
                    packet.from = from;
                }
            });
            let forged = forger.connect(address, &config, NAME).expect("open");
            let waiting = tacket::timeout(&executor, 20 * SECOND, forged.do_handshake());
            assert!(waiting.await.is_err());
            assert!(server.statistics().asked > 4);
            round(&channel, b"after").await;
            assert_eq!(server.statistics().replaced, 0);
        })
        .await;
    });
}

/// A hello with a good cookie, from before, is no new one.
#[test]
fn a_hello_that_was_held_up_on_its_way_replaces_nobody() {
    let executor = SeededExecutor::new(1);
    let world = World::new(&executor);
    executor.run(async {
        let (server, address) = endpoint(&world.server).await;
        let (client, _) = endpoint(&world.client).await;
        let config = world.client_config();
        // What says that it is the second message of its sender comes again, twenty seconds later.
        world.net.set_hook(move |packet| {
            if packet.to == address
                && packet.data.get(13..19) == Some(&[1, 0, 0, packet.data[16], 0, 1])
            {
                packet.arrivals.push(20 * SECOND);
            }
        });
        while_serving(&server, &world.server_config(), echo, async {
            let connect = || client.connect(address, &config, NAME).expect("open");
            round(&connect(), b"first").await;
            let second = connect();
            round(&second, b"second").await;
            executor.sleep_until(executor.now() + 30 * SECOND).await;
            round(&second, b"still the second").await;
            assert_eq!(server.statistics().replaced, 1);
        })
        .await;
    });
}

/// Alerts, data and hand-made records from the address of a peer end nothing, neither in the handshake nor later.
#[test]
fn forged_datagrams_from_the_address_of_a_peer_end_nothing() {
    for dtls13 in [false, true] {
        let executor = SeededExecutor::new(1);
        let world = World::new(&executor);
        let (mut config, mut server_config) = (world.client_config(), world.server_config());
        if dtls13 {
            (config, server_config) = (
                config.with_dtls13().expect("it has certificates"),
                server_config.with_dtls13().expect("it has certificates"),
            );
        }
        executor.run(async {
            let (server, address) = endpoint(&world.server).await;
            let (client, from) = endpoint(&world.client).await;
            let channel = client.connect(address, &config, NAME).expect("open");
            let (to_both, to_server) = forged();
            let anywhere = "0.0.0.0:0".parse().expect("an address");
            let mut forger = world.client.bind(anywhere).await.expect("a free port");
            let hidden = forger.local_addr().expect("an address");
            world.net.set_usual_link(Link::new().delay(SECOND / 200));
            world.net.set_hook(move |packet| {
                if packet.from == hidden {
                    packet.from = if packet.to == address { from } else { address };
                }
            });
            let forging = pin!(async {
                // A few at a time: a socket's room is not what this is about.
                for some in to_server.chunks(10).cycle() {
                    for datagram in to_both.iter().chain(some) {
                        forger.send_to(datagram, address).await.expect("sends");
                    }
                    for datagram in &to_both {
                        forger.send_to(datagram, from).await.expect("sends");
                    }
                    executor.sleep_until(executor.now() + SECOND / 2000).await;
                }
            });
            let talking = pin!(async {
                let handshake = tacket::timeout(&executor, SECOND / 2, channel.do_handshake());
                let shaken = handshake.await.expect("nothing was lost");
                shaken.expect("a handshake");
                for _ in 0..20 {
                    round(&channel, b"message").await;
                }
            });
            while_serving(&server, &server_config, echo, select(talking, forging)).await;
            assert!(client.statistics().ignored > 50 && server.statistics().ignored > 50);
            assert_eq!(client.statistics().failed + server.statistics().failed, 0);
        });
    }
}

/// What anybody could write: to both ends, and to the server alone.
fn forged() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let record = |content_type: u8, epoch: u8, content: &[u8]| {
        let length = u8::try_from(content.len()).expect("short");
        let head = [
            content_type,
            0xfe,
            0xfd,
            0,
            epoch,
            0,
            0,
            0,
            0,
            9,
            9,
            0,
            length,
        ];
        [&head[..], content].concat()
    };
    // The beginning of a message of the handshake, of 200 bytes.
    let message = |kind: u8, number: u8| {
        let head = [kind, 0, 0, 200, 0, number, 0, 0, 0, 0, 0, 23];
        record(22, 0, &[&head[..], &[7; 23]].concat())
    };
    // The header of a protected record of DTLS 1.3.
    let short = [0x2f, 0, 1, 0, 60];
    let to_both = vec![
        record(21, 0, &[2, 40]),
        record(21, 0, &[1, 0]),
        record(23, 0, b"data"),
        record(21, 1, &[7; 32]),
        record(22, 1, &[7; 60]),
        record(23, 1, &[7; 60]),
        record(23, 2, &[7; 60]),
        [&short[..], &[7; 60]].concat(),
        // With an alert in plain text behind it.
        [&short[..], &[7; 60], &record(21, 0, &[2, 40])].concat(),
        b"xyz".to_vec(),
        Vec::new(),
    ];
    // Messages that are a server's, or nobody's, or that have come already; and those of a client that are far ahead.
    let kinds = (0..=10).chain([12, 13, 14]).chain(17..=30);
    let mut to_server: Vec<_> = kinds.map(|kind| message(kind, 2)).collect();
    to_server.extend([0, 1].map(|number| message(1, number)));
    to_server.extend((100..200).flat_map(|number| [11, 15, 16].map(|kind| message(kind, number))));
    (to_both, to_server)
}

/// Covers DTL-27.
#[test]
fn a_second_connect_to_a_peer_breaks_the_first_channel_at_once() {
    let executor = SeededExecutor::new(1);
    let world = World::new(&executor);
    executor.run(async {
        let (server, address) = endpoint(&world.server).await;
        let (client, _) = endpoint(&world.client).await;
        let config = world.client_config();
        let connect = || client.connect(address, &config, NAME).expect("open");
        // Its handshake has not begun: it never sends anything.
        let idle = connect();
        let running = connect();
        let refused = idle.do_handshake().now_or_never().expect("at once");
        assert_eq!(refused, Err(DtlsError::Replaced));
        assert_eq!(sent_to(&world.net, address), []);
        // It is running.
        let waiting = tacket::timeout(&executor, 60 * SECOND, running.do_handshake());
        let (waited, done) = join(waiting, async { connect() }).await;
        assert_eq!(waited, Ok(Err(DtlsError::Replaced)));
        assert_eq!(sent_to(&world.net, address).len(), 1);
        while_serving(&server, &world.server_config(), echo, async {
            // It is done.
            round(&done, b"message").await;
            let last = connect();
            let mut message = [0; 10];
            let refused = done.receive(&mut message).now_or_never().expect("at once");
            assert_eq!(refused.clone(), Err(DtlsError::Replaced));
            assert_eq!(refused.expect_err("broken").fault(), Fault::Broken);
            round(&last, b"message").await;
        })
        .await;
        assert!(executor.now() < 3 * SECOND, "{:?}", world.net.events());
    });
}
