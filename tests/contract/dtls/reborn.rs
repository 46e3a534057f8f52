//! Peers that begin anew.

use core::cell::{Cell, RefCell};
use core::pin::pin;

use futures_util::FutureExt as _;
use futures_util::future::{join, select};
use tacket::testing::Link;
use tacket::{
    AsyncResource as _, Bind as _, Clock as _, Error as _, Fault, LocalAddress as _,
    SendDatagram as _,
};
use tacket_tests::NAME;
use tacket_tls::DtlsError;

use super::{
    Channel, Endpoint, SECOND, echo, endpoint, endpoint_at, meet, meet_by, round, while_served,
    while_serving, while_serving_at_most,
};

/// Covers DTL-25, DTL-26.
#[test]
fn a_client_that_begins_anew_from_its_address_gets_a_new_channel_and_the_old_one_breaks() {
    // It had done its handshake, or only begun it: after this many datagrams it is gone.
    for datagrams in [2, 3, 100] {
        meet(async |pair, channel| {
            let (world, server, from) = (&pair.world, &pair.server, pair.from);
            let ends = &RefCell::new(Vec::new());
            let handler = async |channel: Channel| {
                let handled = echo(channel).await;
                ends.borrow_mut().push(handled.clone());
                handled
            };
            while_serving(server, &pair.server_config, handler, async {
                let left = Cell::new(datagrams);
                world.net.set_hook(move |packet| {
                    if packet.from == from && left.replace(left.get() - 1) <= 0 {
                        packet.arrivals.clear();
                    }
                });
                let waiting = async {
                    channel.do_handshake().await.expect("a handshake");
                    round(&channel, b"once").await;
                };
                let waited = tacket::timeout(pair.executor, SECOND / 2, waiting).await;
                assert_eq!(waited.is_ok(), datagrams == 100);
                world.net.remove_hook();
                // It loses its memory, and has the same address again.
                drop((channel, pair.client));
                let (client, _) = endpoint_at(&world.client, &from.to_string()).await;
                let channel = client.connect(pair.address, &pair.client_config, NAME);
                let channel = channel.expect("open");
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
    meet(async |pair, channel| {
        let (executor, server, config) = (pair.executor, &pair.server, &pair.client_config);
        let (stranger, _) = endpoint(&pair.world.client).await;
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
        let connect = |client: &Endpoint| client.connect(pair.address, config, NAME).expect("open");
        while_serving_at_most(1, server, &pair.server_config, handler, async {
            round(&channel, b"once").await;
            drop((channel, pair.client));
            for reboot in 1..=3 {
                // The first attempts are given up before they have a handler.
                let (client, _) = endpoint_at(&pair.world.client, &pair.from.to_string()).await;
                let channel = connect(&client);
                if reboot < 3 {
                    let waiting = channel.do_handshake();
                    let waited = tacket::timeout(executor, SECOND / 100, waiting).await;
                    assert!(waited.is_err());
                    continue;
                }
                round(&channel, b"again").await;
                let other = connect(&stranger);
                let waiting = tacket::timeout(executor, 5 * SECOND, other.do_handshake());
                assert!(waiting.await.is_err());
                assert!(server.statistics().refused > 0);
                round(&channel, b"still").await;
                channel.close().await.expect("closes");
                round(&other, b"now").await;
            }
            assert_eq!(server.statistics().replaced, 3);
        })
        .await;
    });
}

/// The same of one that was answered, got no farther, and begins anew from its own endpoint.
#[test]
fn a_client_that_gets_no_farther_is_served_anew_where_all_handlers_are_at_work() {
    meet(async |pair, channel| {
        // After its hellos nothing of it arrives, until it has begun anew.
        let (from, hellos) = (pair.from, Cell::new(0));
        pair.world.net.set_hook(move |packet| {
            if packet.from == from {
                let is_hello = packet.data.get(13) == Some(&1);
                hellos.set(hellos.get() + i32::from(is_hello));
                if hellos.get() <= 2 && !is_hello {
                    packet.arrivals.clear();
                }
            }
        });
        while_serving_at_most(1, &pair.server, &pair.server_config, echo, async {
            let waiting = tacket::timeout(pair.executor, 60 * SECOND, channel.do_handshake());
            assert_eq!(waiting.await, Ok(Ok(())));
            round(&channel, b"message").await;
            assert_eq!(pair.server.statistics().replaced, 1);
        })
        .await;
    });
}

/// The house is full for longer than any cookie is good, and for longer than somebody would try who is not understood.
#[test]
fn a_client_waits_at_a_full_house_until_there_is_a_place() {
    for dtls13 in [false, true] {
        meet_by(1, dtls13, async |pair, inside| {
            let (executor, server) = (pair.executor, &pair.server);
            let (other, _) = endpoint(&pair.world.client).await;
            let outside = pair.connect_from(&other);
            while_serving_at_most(1, server, &pair.server_config, echo, async {
                round(&inside, b"inside").await;
                let leaving = async {
                    executor.sleep_until(1800 * SECOND).await;
                    round(&inside, b"still inside").await;
                    let sent = pair.sent().len();
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
            })
            .await;
        });
    }
}

/// A hello without a cookie proves nothing: it replaces nobody.
#[test]
fn a_forged_hello_from_the_address_of_a_client_harms_it_not() {
    meet(async |pair, channel| {
        let (forger, _) = endpoint(&pair.world.client).await;
        while_served(&pair, echo, async {
            round(&channel, b"before").await;
            let (address, from) = (pair.address, pair.from);
            pair.world.net.set_hook(move |packet| {
                if packet.to == address {
                    packet.from = from;
                }
            });
            let forged = pair.connect_from(&forger);
            let waiting = tacket::timeout(pair.executor, 20 * SECOND, forged.do_handshake());
            assert!(waiting.await.is_err());
            assert!(pair.server.statistics().cookies_sent > 4);
            round(&channel, b"after").await;
            assert_eq!(pair.server.statistics().replaced, 0);
        })
        .await;
    });
}

/// A hello with a good cookie, from before, is no new one.
#[test]
fn a_hello_that_was_held_up_on_its_way_replaces_nobody() {
    meet(async |pair, first| {
        let address = pair.address;
        // What says that it is the second message of its sender comes again, twenty seconds later.
        pair.world.net.set_hook(move |packet| {
            if packet.to == address
                && packet.data.get(13..19) == Some(&[1, 0, 0, packet.data[16], 0, 1])
            {
                packet.arrivals.push(20 * SECOND);
            }
        });
        while_served(&pair, echo, async {
            round(&first, b"first").await;
            drop(first);
            let second = pair.connect();
            round(&second, b"second").await;
            pair.sleep(30 * SECOND).await;
            round(&second, b"still the second").await;
            assert_eq!(pair.server.statistics().replaced, 1);
        })
        .await;
    });
}

/// Alerts, data and hand-made records from the address of a peer end nothing, neither in the handshake nor later.
#[test]
fn forged_datagrams_from_the_address_of_a_peer_end_nothing() {
    for dtls13 in [false, true] {
        meet_by(1, dtls13, async |pair, channel| {
            let (net, address, from) = (&pair.world.net, pair.address, pair.from);
            let (to_both, to_server) = forged();
            let anywhere = "0.0.0.0:0".parse().expect("an address");
            let forger = pair.world.client.bind(anywhere).await;
            let mut forger = forger.expect("a free port");
            let hidden = forger.local_addr().expect("an address");
            net.set_usual_link(Link::new().delay(SECOND / 200));
            net.set_hook(move |packet| {
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
                    pair.sleep(SECOND / 2000).await;
                }
            });
            let talking = pin!(async {
                let handshake = tacket::timeout(pair.executor, SECOND / 2, channel.do_handshake());
                let shaken = handshake.await.expect("nothing was lost");
                shaken.expect("a handshake");
                for _ in 0..20 {
                    round(&channel, b"message").await;
                }
            });
            while_served(&pair, echo, select(talking, forging)).await;
            for seen in [pair.client.statistics(), pair.server.statistics()] {
                assert!(seen.ignored > 50 && seen.failed == 0, "{seen:?}");
            }
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
    meet(async |pair, idle| {
        // Its handshake has not begun: it never sends anything.
        let running = pair.connect();
        let refused = idle.do_handshake().now_or_never().expect("at once");
        assert_eq!(refused, Err(DtlsError::Replaced));
        assert_eq!(pair.sent(), []);
        // It is running.
        let waiting = tacket::timeout(pair.executor, 60 * SECOND, running.do_handshake());
        let (waited, done) = join(waiting, async { pair.connect() }).await;
        assert_eq!(waited, Ok(Err(DtlsError::Replaced)));
        assert_eq!(pair.sent().len(), 1);
        while_served(&pair, echo, async {
            // It is done.
            round(&done, b"message").await;
            let last = pair.connect();
            let mut message = [0; 10];
            let refused = done.receive(&mut message).now_or_never().expect("at once");
            assert_eq!(refused.clone(), Err(DtlsError::Replaced));
            assert_eq!(refused.expect_err("broken").fault(), Fault::Broken);
            round(&last, b"message").await;
        })
        .await;
        assert!(
            pair.executor.now() < 3 * SECOND,
            "{:?}",
            pair.world.net.events()
        );
    });
}
