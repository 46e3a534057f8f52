//! Operations that are dropped, at every poll.

use core::cell::Cell;

use futures_util::future::join;
use tacket::testing::DropPoint;
use tacket::{AsyncResource as _, Clock as _};
use tacket_tests::NAME;

use super::flawed::{Client, with_client_of};
use super::{Channel, SECOND, echo, endpoint, meet_by, round, while_served};

/// The points of a future that is polled so often at most.
fn points() -> impl Iterator<Item = DropPoint> {
    (1..12).flat_map(|polls| {
        [
            DropPoint::after_poll(polls),
            DropPoint::when_woken_after_poll(polls),
        ]
    })
}

/// The same, by DTLS 1.2 and by 1.3.
fn points_of_both() -> impl Iterator<Item = (DropPoint, bool)> {
    points().flat_map(|point| [(point, false), (point, true)])
}

#[test]
fn a_handshake_that_is_dropped_goes_on_with_the_next_operation() {
    for (point, dtls13) in points_of_both() {
        meet_by(1, dtls13, async |pair, channel| {
            while_served(&pair, echo, async {
                point.cut(channel.do_handshake()).await;
                point.cut(channel.do_handshake()).await;
                round(&channel, b"message").await;
            })
            .await;
            // Nothing was begun twice, and nothing had to be sent again.
            let seen = pair.server.statistics();
            assert_eq!(seen.cookies_sent, u64::from(!dtls13), "{point}");
            assert_eq!((seen.established, seen.replaced), (1, 0), "{point}");
            assert!(pair.executor.now() < SECOND / 2, "{point}");
        });
    }
}

/// Each is sent over a socket that takes nothing at first.
#[test]
fn what_is_dropped_loses_no_message_that_has_come_and_sends_none_twice() {
    let (cut_sends, cut_receives) = (&Cell::new(0), &Cell::new(0));
    for (point, dtls13) in points_of_both() {
        with_client_of(dtls13, async |executor, _, client| {
            let Client { channel, flaws, .. } = &client;
            let (mut certain, mut received) = (Vec::new(), Vec::new());
            for number in 0..30 {
                flaws.is_stalled.set(true);
                let mending = async {
                    executor.wait_all_tasks_blocked().await;
                    flaws.change(|flaws| flaws.is_stalled.set(false));
                };
                let bytes = [number];
                let (done, ()) = join(point.cut(channel.send(&bytes)), mending).await;
                match done {
                    Some(done) => {
                        done.expect("sends");
                        certain.push(number);
                    }
                    None => cut_sends.set(cut_sends.get() + 1),
                }
                let mut message = [0; 1];
                match point.cut(channel.receive(&mut message)).await {
                    Some(done) => {
                        assert_eq!(done, Ok(Some(1)));
                        received.push(message[0]);
                    }
                    None => cut_receives.set(cut_receives.get() + 1),
                }
                executor.wait_all_tasks_blocked().await;
            }
            loop {
                let mut message = [0; 1];
                let receiving = channel.receive(&mut message);
                match tacket::timeout(executor, SECOND, receiving).await {
                    Ok(done) => assert_eq!(done, Ok(Some(1))),
                    Err(_) => break,
                }
                received.push(message[0]);
            }
            let seen = channel.statistics();
            let is_in_order = received.windows(2).all(|two| two[0] < two[1]);
            assert!(is_in_order, "{point}: {received:?}");
            let missing = certain.iter().filter(|sent| !received.contains(sent));
            let missing = u64::try_from(missing.count()).expect("few");
            assert!(missing <= seen.dropped, "{point}: {seen:?} {received:?}");
            let received = u64::try_from(received.len()).expect("few");
            assert_eq!(received + seen.dropped, seen.sent, "{point}");
        });
    }
    // Right after the first poll, and when woken after it.
    let each = 2 * 2 * 30;
    assert!(cut_sends.get() >= each, "{} sends", cut_sends.get());
    assert!(
        cut_receives.get() >= each / 2,
        "{} receives",
        cut_receives.get()
    );
}

/// Also while the socket takes nothing.
#[test]
fn a_close_that_is_dropped_closes_the_channel_and_tells_its_peer_once_or_not() {
    let cut = &Cell::new(0);
    for (point, dtls13) in points_of_both() {
        for is_stalled in [false, true] {
            with_client_of(dtls13, async |executor, world, client| {
                let Client {
                    endpoint,
                    channel,
                    flaws,
                    server,
                    ..
                } = client;
                let told = || super::sent_to(&world.net, server).len();
                let before = told();
                flaws.is_stalled.set(is_stalled);
                let mending = async {
                    executor.wait_all_tasks_blocked().await;
                    flaws.change(|flaws| flaws.is_stalled.set(false));
                };
                let (closed, ()) = join(point.cut(channel.close()), mending).await;
                cut.set(cut.get() + i32::from(closed.is_none()));
                if let Some(closed) = closed {
                    assert_eq!(closed, Ok(()), "{point}");
                    assert_eq!(told() - before, 1, "{point}");
                }
                assert_eq!(endpoint.statistics().associations, 0, "{point}");
                // The endpoint goes on, and what was to be said goes out.
                let (config, _) = world.configs(dtls13);
                let channel = endpoint.connect(server, &config, NAME).expect("open");
                let shaking = tacket::timeout(executor, SECOND / 2, channel.do_handshake());
                assert_eq!(shaking.await, Ok(Ok(())), "{point}");
                channel.close().await.expect("closes");
            });
        }
    }
    // After the first poll in both ways, by both versions.
    assert!(cut.get() >= 4, "{}", cut.get());
}

#[test]
fn a_serve_that_is_dropped_drops_its_channels_and_the_next_one_serves() {
    let (cut, shaken) = (&Cell::new(0), &Cell::new(0));
    for (point, dtls13) in points_of_both() {
        meet_by(1, dtls13, async |pair, channel| {
            let handlers = &Cell::new(0);
            let handler = async |channel: Channel| {
                handlers.set(handlers.get() + 1);
                let leaving = Leaving(handlers);
                let handled = echo(channel).await;
                drop(leaving);
                handled
            };
            let talking = async {
                for number in 0..3 {
                    let message = [number];
                    let sending = channel.send(&message);
                    if tacket::timeout(pair.executor, SECOND / 2, sending).await == Ok(Ok(())) {
                        let mut answer = [0; 1];
                        let receiving = channel.receive(&mut answer);
                        let _ = tacket::timeout(pair.executor, SECOND / 2, receiving).await;
                    }
                }
            };
            let serving = async {
                let serving = point.cut(pair.server.serve(&pair.server_config, 8, handler));
                let served = tacket::timeout(pair.executor, 5 * SECOND, serving).await;
                cut.set(cut.get() + usize::from(served == Ok(None)));
                // Neither a handler nor a client that waits for one is left.
                assert_eq!(handlers.get(), 0, "{point}");
                let seen = pair.server.statistics();
                assert_eq!((seen.associations, seen.half_open), (0, 0), "{point}");
                shaken.set(shaken.get() + seen.established);
            };
            join(talking, serving).await;
            while_served(&pair, handler, async {
                // A new client at once, and the one from before, which begins anew, too.
                let (other, _) = endpoint(&pair.world.client).await;
                let other = pair.connect_from(&other);
                let before = pair.executor.now();
                round(&other, b"other").await;
                assert!(pair.executor.now() - before < SECOND / 2, "{point}");
                drop(channel);
                let channel = pair.connect();
                round(&channel, b"again").await;
                // An answer to its old hellos may have come first, with which it got no farther.
                assert!(
                    pair.executor.now() - before < 30 * SECOND,
                    "{point} {dtls13}"
                );
            })
            .await;
        });
    }
    assert!(cut.get() >= 20, "{}", cut.get());
    assert!(shaken.get() > 0, "none got as far as that");
}

/// Dropped, it is counted no more.
struct Leaving<'c>(&'c Cell<i32>);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
