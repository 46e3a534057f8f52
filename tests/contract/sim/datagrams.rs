//! Datagrams: lost, doubled, late, and shown to a hook.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tacket::testing::{Link, SeededExecutor, SimDatagram, SimError, SimHost};
use tacket::{
    Bind as _, Clock as _, Datagram as _, LocalAddress as _, ReceiveDatagram as _,
    SendDatagram as _,
};

use super::{LEFT, RIGHT, at, two_hosts};

const SECOND: Duration = Duration::from_secs(1);

/// Binds sockets at both hosts, on any address.
async fn sockets(left: &SimHost, right: &SimHost) -> (SimDatagram, SimDatagram) {
    let left = left.bind(at("0.0.0.0", 0)).await.expect("free");
    let right = right.bind(at("0.0.0.0", 0)).await.expect("free");
    (left, right)
}

/// All that is there, each as a text.
fn received(socket: &mut SimDatagram) -> Vec<String> {
    let mut buf = [0; 32];
    let mut next = || {
        socket.receive_from(&mut buf).now_or_never().map(|got| {
            let (length, _) = got.expect("receives");
            length
        })
    };
    let mut texts = Vec::new();
    while let Some(length) = next() {
        texts.push(length.to_string());
    }
    texts
}

/// Covers TST-08.
#[test]
fn a_port_is_chosen_once_and_taken_once_and_any_address_is_the_hosts_own() {
    let executor = SeededExecutor::new(1);
    let (_, left, _) = two_hosts(&executor);
    executor.run(async {
        let first = left.bind(at("0.0.0.0", 0)).await.expect("free");
        let second = left.bind(at(LEFT, 0)).await.expect("free");
        let (first, second) = (first.local_addr().unwrap(), second.local_addr().unwrap());
        assert_ne!(first.port(), second.port());
        assert_eq!(first.ip(), second.ip());
        let kept = left.bind(at(LEFT, 53)).await.expect("free");
        let taken = left.bind(at("0.0.0.0", 53)).await.err();
        assert_eq!(taken, Some(SimError::AddressInUse));
        assert_eq!(
            left.bind(at(RIGHT, 0)).await.err(),
            Some(SimError::NotLocal)
        );
        drop(kept);
        left.bind(at(LEFT, 53)).await.expect("free again");
    });
}

/// Covers TST-09.
#[test]
fn the_receiver_sees_the_senders_address_and_can_answer() {
    let executor = SeededExecutor::new(1);
    let (_, left, right) = two_hosts(&executor);
    executor.run(async {
        let (mut left, mut right) = sockets(&left, &right).await;
        left.send_to(b"ping", right.local_addr().unwrap())
            .await
            .expect("sends");
        let mut buf = [0; 8];
        let (length, from) = right.receive_from(&mut buf).await.expect("receives");
        assert_eq!(
            (&buf[..length], Ok(from)),
            (&b"ping"[..], left.local_addr())
        );
        right.send_to(b"", from).await.expect("sends");
        assert_eq!(
            left.receive_from(&mut buf).await,
            Ok((0, right.local_addr().unwrap()))
        );
        // Both halves at once.
        let (tx, rx) = left.split();
        tx.send_to(b"own", at(LEFT, from.port()))
            .await
            .expect("sends");
        assert_eq!(rx.receive_from(&mut buf).await, Ok((3, from)));
    });
}

/// Covers TST-10.
#[test]
fn datagrams_to_nobody_vanish() {
    let executor = SeededExecutor::new(1);
    let (_, left, right) = two_hosts(&executor);
    executor.run(async {
        let (mut left, right) = sockets(&left, &right).await;
        let closed = right.local_addr().unwrap();
        drop(right);
        for peer in [closed, at(RIGHT, 9), at("10.9.9.9", 9)] {
            assert_eq!(left.send_to(b"x", peer).await, Ok(()));
        }
        executor.sleep_until(SECOND).await;
        assert_eq!(left.receive_from(&mut [0]).now_or_never(), None);
        let too_long = left.send_to(&[0; 65508], closed).await;
        assert_eq!(too_long, Err(SimError::TooLong));
        assert_eq!(
            left.send_to(b"", at(RIGHT, 0)).await,
            Err(SimError::NotAPeer)
        );
    });
}

/// Covers TST-11.
#[test]
fn a_hook_loses_delays_doubles_reorders_and_changes_datagrams() {
    let executor = SeededExecutor::new(1);
    let (net, left, right) = two_hosts(&executor);
    executor.run(async {
        let (mut left, mut right) = sockets(&left, &right).await;
        let peer = right.local_addr().unwrap();
        let mut deliver = async || {
            for length in 1..=4 {
                left.send_to(&[0; 4][..length], peer).await.expect("sends");
            }
            executor.sleep_until(executor.now() + SECOND).await;
            received(&mut right)
        };
        assert_eq!(deliver().await, ["1", "2", "3", "4"]);
        let seen = Rc::new(RefCell::new(0));
        let counter = Rc::clone(&seen);
        net.set_hook(move |packet| {
            *counter.borrow_mut() += 1;
            match packet.data.len() {
                1 => packet.arrivals.clear(),
                2 => packet.arrivals = vec![SECOND / 2],
                3 => packet.arrivals.push(SECOND / 4),
                _ => packet.data.extend(b"more"),
            }
        });
        assert_eq!(deliver().await, ["3", "8", "3", "2"]);
        assert_eq!(*seen.borrow(), 4);
        net.remove_hook();
        assert_eq!(deliver().await, ["1", "2", "3", "4"]);
    });
}

#[test]
fn a_hook_may_use_the_network() {
    let executor = SeededExecutor::new(1);
    let (net, left, right) = two_hosts(&executor);
    executor.run(async {
        let (mut tx, mut rx) = sockets(&left, &right).await;
        let peer = rx.local_addr().unwrap();
        let (own, left_host, right_host) = (net.clone(), left.clone(), right.clone());
        net.set_hook(move |_| {
            own.cut(&left, &right);
            own.remove_hook(); // itself
        });
        tx.send_to(b"x", peer).await.expect("sends");
        executor.sleep_until(SECOND).await;
        assert_eq!(received(&mut rx).len(), 0);
        net.mend(&left_host, &right_host);
        tx.send_to(b"x", peer).await.expect("sends");
        executor.sleep_until(2 * SECOND).await;
        assert_eq!(received(&mut rx).len(), 1, "the hook is gone");
    });
}

#[test]
fn a_full_socket_loses_what_comes() {
    let executor = SeededExecutor::new(1);
    let (_, left, right) = two_hosts(&executor);
    executor.run(async {
        let (mut tx, mut rx) = sockets(&left, &right).await;
        for _ in 0..70 {
            tx.send_to(b"x", rx.local_addr().unwrap())
                .await
                .expect("sends");
        }
        executor.sleep_until(SECOND).await;
        assert_eq!(received(&mut rx).len(), 64);
    });
}

#[test]
fn a_bad_link_does_what_it_says_about_as_often_as_it_says() {
    let executor = SeededExecutor::new(1);
    let (net, left, right) = two_hosts(&executor);
    let link = Link::new().delay(SECOND / 10);
    net.set_usual_link(link.loss(0.25).duplication(0.25).reordering(0.25));
    executor.run(async {
        let (mut tx, mut rx) = sockets(&left, &right).await;
        let (mut arrived, mut swapped) = (Vec::new(), 0);
        for round in 0..400_u16 {
            tx.send_to(&round.to_be_bytes(), rx.local_addr().unwrap())
                .await
                .expect("sends");
            executor.sleep_until(executor.now() + SECOND / 20).await;
            let mut buf = [0; 2];
            while let Some(Ok(_)) = rx.receive_from(&mut buf).now_or_never() {
                let number = u16::from_be_bytes(buf);
                swapped += usize::from(arrived.last().is_some_and(|last| *last > number));
                arrived.push(number);
            }
        }
        let kinds: std::collections::BTreeSet<_> = arrived.iter().collect();
        assert!((260..340).contains(&kinds.len()), "{} kinds", kinds.len());
        let doubles = arrived.len() - kinds.len();
        assert!((45..105).contains(&doubles), "{doubles} doubles");
        assert!(swapped > 50, "{swapped} swapped");
    });
}
