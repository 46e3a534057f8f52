//! Streams over links that lose, delay, are cut and mended.

use std::time::Duration;

use futures_util::FutureExt as _;
use tacket::testing::{
    DropPoint, Examiner, Link, Makers, SeededExecutor, SimError, SimNet, SimStream,
    check_half_closeable_stream, connect_to_listener,
};
use tacket::{
    AsyncResource as _, Clock as _, Connect as _, ConnectOptions, Error as _, Fault, Listen as _,
    Listener as _, LocalAddress as _, ReceiveStream as _, Resolve as _, SendStream as _,
    open_tcp_stream,
};
use tacket_tests::Recorder;

use super::{LEFT, RIGHT, at, ip, two_hosts};

const SECOND: Duration = Duration::from_secs(1);

/// Checks streams over `link` with this seed.
fn examine(seed: u64, link: Link, window: usize) -> Recorder {
    let executor = SeededExecutor::new(seed);
    let (net, left, right) = two_hosts(&executor);
    net.set_usual_link(link);
    net.set_window(window);
    let mut recorder = Recorder::default();
    let mut scratch = [0; 256];
    executor.run(async {
        // Each pair by a listener of its own, so that no maker waits for another.
        let make = async || pair(&left, &right).await;
        let mut examiner = Examiner::new(&left, &mut scratch, &mut recorder)
            .seed(seed)
            .settle(60 * SECOND)
            .limit(3600 * SECOND)
            .duplex_bytes(600);
        check_half_closeable_stream(&mut examiner, Makers::new(make, make)).await;
    });
    recorder
}

#[test]
fn streams_over_a_perfect_link_keep_the_contract() {
    examine(1, Link::new(), 200).assert_clean(&[]);
}

#[test]
fn streams_over_bad_links_keep_the_contract_with_every_seed() {
    let delay = Duration::from_millis(40);
    let link = Link::new().delay(delay).jitter(delay).loss(0.1);
    for seed in 0..20 {
        examine(seed, link, 100).assert_clean(&[]);
    }
}

/// Opens a stream from the left host to the right one.
async fn pair(
    left: &tacket::testing::SimHost,
    right: &tacket::testing::SimHost,
) -> (SimStream, SimStream) {
    let mut listener = right.listen(at(RIGHT, 0)).await.expect("free");
    let address = listener.local_addr().expect("known");
    let both = futures_util::future::join(left.connect(address), listener.accept());
    let (opened, accepted) = both.await;
    (opened.expect("connects"), accepted.expect("accepts"))
}

#[test]
fn a_stream_outlives_a_short_cut_and_is_broken_by_a_long_one() {
    let executor = SeededExecutor::new(1);
    let (net, left, right) = two_hosts(&executor);
    executor.run(async {
        let (mut tx, mut rx) = pair(&left, &right).await;
        net.cut(&left, &right);
        tx.send_all(b"x").await.expect("there is room");
        executor.sleep_until(20 * SECOND).await;
        assert_eq!(rx.receive_some(&mut [0]).now_or_never(), None);
        net.mend(&left, &right);
        assert_eq!(rx.receive_some(&mut [0]).await, Ok(1));

        net.cut(&left, &right);
        tx.send_all(b"x").await.expect("there is room");
        executor.sleep_until(executor.now() + 60 * SECOND).await;
        assert_eq!(tx.send_all(b"x").await, Err(SimError::TimedOut));
        // The other end only listens, so it has not noticed.
        net.mend(&left, &right);
        executor.sleep_until(executor.now() + 60 * SECOND).await;
        assert_eq!(rx.receive_some(&mut [0]).now_or_never(), None);
        // When it speaks, it hears that nobody is there.
        drop(tx);
        rx.send_all(b"x").await.expect("there is room");
        assert_eq!(rx.receive_some(&mut [0]).await, Err(SimError::Reset));
    });
}

#[test]
fn to_connect_where_nobody_listens_is_refused_and_to_nobody_times_out() {
    let executor = SeededExecutor::new(1);
    let (net, left, right) = two_hosts(&executor);
    net.set_usual_link(Link::new().delay(SECOND));
    executor.run(async {
        let refused = left.connect(at(RIGHT, 80)).await.err();
        assert_eq!(
            (refused, executor.now()),
            (Some(SimError::Refused), 2 * SECOND)
        );
        let start = executor.now();
        let lost = left.connect(at("10.9.9.9", 80)).await.err();
        let took = executor.now() - start;
        assert_eq!(lost, Some(SimError::TimedOut));
        assert!((30 * SECOND..36 * SECOND).contains(&took), "{took:?}");
        net.cut(&left, &right);
        let cut = left.connect(at(RIGHT, 80)).await.err();
        assert_eq!(cut, Some(SimError::TimedOut));
    });
}

#[test]
fn who_comes_to_a_full_backlog_waits_until_there_is_room() {
    let executor = SeededExecutor::new(1);
    let (_, left, right) = two_hosts(&executor);
    executor.run(async {
        let mut listener = right.listen(at(RIGHT, 80)).await.expect("free");
        let mut waiting = Vec::new();
        for _ in 0..128 {
            waiting.push(left.connect(at(RIGHT, 80)).await.expect("there is room"));
        }
        let mut late = std::pin::pin!(left.connect(at(RIGHT, 80)));
        assert!(late.as_mut().now_or_never().is_none());
        executor.sleep_until(10 * SECOND).await;
        assert!(late.as_mut().now_or_never().is_none());
        // Those that have left meanwhile are passed over.
        waiting.truncate(127);
        let mut accepted = Vec::new();
        for _ in 0..127 {
            accepted.push(listener.accept().await.expect("it waits"));
        }
        late.await.expect("there is room now");
        listener.accept().await.expect("the late one");
    });
}

#[test]
fn a_listener_that_goes_resets_those_that_wait() {
    let executor = SeededExecutor::new(1);
    let (_, left, right) = two_hosts(&executor);
    executor.run(async {
        let listener = right.listen(at(RIGHT, 80)).await.expect("free");
        let mut stream = left.connect(at(RIGHT, 80)).await.expect("connects");
        drop(listener);
        assert_eq!(stream.receive_some(&mut [0]).await, Err(SimError::Reset));
        right.listen(at(RIGHT, 80)).await.expect("free again");
    });
}

#[test]
fn a_dropped_connect_is_given_up_and_a_dropped_accept_loses_no_connection() {
    for (polls, delay) in (1..5).flat_map(|polls| [(polls, SECOND), (polls, Duration::ZERO)]) {
        let executor = SeededExecutor::new(polls as u64);
        let (net, left, right) = two_hosts(&executor);
        net.set_usual_link(Link::new().delay(delay));
        executor.run(async {
            let mut listener = right.listen(at(RIGHT, 80)).await.expect("free");
            for point in [
                DropPoint::after_poll(polls),
                DropPoint::when_woken_after_poll(polls),
            ] {
                drop(point.cut(left.connect(at(RIGHT, 80))).await);
                executor.sleep_until(executor.now() + 10 * SECOND).await;
                assert!(
                    point
                        .cut(listener.accept())
                        .now_or_never()
                        .flatten()
                        .is_none()
                );
            }
            let opened = left.connect(at(RIGHT, 80)).await.expect("connects");
            let accepted = listener.accept().await.expect("accepts");
            assert_eq!(accepted.peer_addr(), opened.local_addr());
        });
    }
}

#[test]
fn addresses_are_checked() {
    let executor = SeededExecutor::new(1);
    let (_, left, right) = two_hosts(&executor);
    executor.run(async {
        let own = left.listen(at(LEFT, 80)).await.expect("free");
        let listen = async |local| left.listen(local).await.err();
        assert_eq!(listen(at(LEFT, 80)).await, Some(SimError::AddressInUse));
        assert_eq!(
            listen(at("0.0.0.0", 80)).await,
            Some(SimError::AddressInUse)
        );
        assert_eq!(listen(at(RIGHT, 81)).await, Some(SimError::NotLocal));
        right.listen(at(RIGHT, 80)).await.expect("another host");
        let connect = async |local, to| left.connect_from(ip(local), to).await.err();
        assert_eq!(
            connect("0.0.0.0", at(RIGHT, 0)).await,
            Some(SimError::NotAPeer)
        );
        assert_eq!(
            connect("0.0.0.0", at("0.0.0.0", 80)).await,
            Some(SimError::NotAPeer)
        );
        assert_eq!(connect("::", at(RIGHT, 80)).await, Some(SimError::NotAPeer));
        assert_eq!(
            connect(RIGHT, at(RIGHT, 80)).await,
            Some(SimError::NotLocal)
        );
        drop(own);
        left.listen(at(LEFT, 80)).await.expect("free again");
    });
}

#[test]
fn a_reset_breaks_both_ends_at_once() {
    let executor = SeededExecutor::new(1);
    let (net, left, right) = two_hosts(&executor);
    executor.run(async {
        let (mut tx, mut rx) = pair(&left, &right).await;
        let (_, broken) = futures_util::future::join(
            async { net.reset(&right, &left) },
            rx.receive_some(&mut [0]),
        )
        .await;
        assert_eq!(broken, Err(SimError::Reset));
        let error = tx.send_all(b"x").await.unwrap_err();
        assert_eq!((error, error.fault()), (SimError::Reset, Fault::Broken));
        tx.close().await.expect("a peer that is gone is no failure");
    });
}

#[test]
fn the_same_seed_has_the_same_events_and_another_has_others() {
    let events = |seed| {
        let executor = SeededExecutor::new(seed);
        let (net, left, right) = two_hosts(&executor);
        let link = Link::new().delay(SECOND / 20).jitter(SECOND / 20).loss(0.2);
        net.set_usual_link(link);
        executor.run(async {
            let (mut tx, mut rx) = pair(&left, &right).await;
            let sending = async {
                for _ in 0..20 {
                    tx.send_all(&[0; 3000]).await.expect("no cut");
                }
                tx.close().await.expect("closes");
            };
            let receiving = async {
                let mut buf = [0; 1000];
                while rx.receive_some(&mut buf).await.expect("no cut") > 0 {}
            };
            futures_util::future::join(sending, receiving).await;
        });
        net.events()
    };
    for seed in 0..20 {
        assert!(events(seed).len() > 40);
        assert_eq!(events(seed), events(seed));
        assert_ne!(events(seed), events(seed + 1));
    }
}

/// Covers TST-12.
#[test]
fn names_are_those_of_one_network() {
    let executor = SeededExecutor::new(1);
    let (net, left, _) = two_hosts(&executor);
    let other = SimNet::new(&executor);
    let stranger = other.host(&[ip(LEFT)]);
    net.set_name("two", &[ip(RIGHT), ip(LEFT), ip("10.0.0.3")]);
    net.set_lookup_time(SECOND);
    executor.run(async {
        let mut room = [ip("::"); 2];
        assert_eq!(left.resolve("two", &mut room).await, Ok(3));
        assert_eq!(room, [ip(RIGHT), ip(LEFT)]);
        assert_eq!(executor.now(), SECOND);
        assert_eq!(
            stranger.resolve("two", &mut room).await,
            Err(SimError::NoSuchName)
        );
        assert_eq!(left.resolve("10.9.9.9", &mut room).await, Ok(1));
        assert_eq!(left.resolve("localhost", &mut room).await, Ok(2));
        assert_eq!(
            left.resolve("two", &mut []).await,
            Err(SimError::EmptyBuffer)
        );
        net.set_name("two", &[]);
        assert_eq!(
            left.resolve("two", &mut room).await,
            Err(SimError::NoSuchName)
        );
    });
}

/// Covers TST-07.
#[test]
fn a_listener_on_any_address_is_reached_from_its_own_host() {
    let executor = SeededExecutor::new(1);
    let (_, left, _) = two_hosts(&executor);
    executor.run(async {
        for local in ["127.0.0.1", "0.0.0.0", "::1", "::", LEFT] {
            let mut listener = left.listen(at(local, 0)).await.expect("free");
            let connecting = connect_to_listener(&left, &listener);
            let stream = connecting.await.expect("connects");
            let accepted = listener.accept().await.expect("accepts");
            assert_eq!(accepted.peer_addr(), stream.local_addr());
        }
    });
}

#[test]
fn connections_are_raced_over_a_simulated_network_too() {
    let executor = SeededExecutor::new(1);
    let (net, left, right) = two_hosts(&executor);
    net.set_name("two", &[ip("10.9.9.9"), ip(RIGHT)]);
    executor.run(async {
        let mut listener = right.listen(at("0.0.0.0", 80)).await.expect("free");
        let opening = open_tcp_stream(&left, "two", 80, ConnectOptions::new());
        let (opened, _) = futures_util::future::join(opening, listener.accept()).await;
        assert_eq!(opened.expect("the second").peer_addr(), Ok(at(RIGHT, 80)));
        assert_eq!(executor.now(), SECOND / 4);
    });
}
