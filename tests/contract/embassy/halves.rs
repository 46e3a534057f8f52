//! Halves that were parted from their stream.

use core::cell::RefCell;
use std::rc::Rc;

use futures_util::future::join;
use tacket::{AsyncResource, Error as _, Fault, IntoSplit, ReceiveStream, SendStream};
use tacket_embassy::Options;
use tacket_embassy::testing::Side;
use tacket_tls::TlsStream;

use super::ends::sleep;
use crate::tls::Parties;

use super::four_each::{assert_all_free, count_resets, four_each, listen, pair};

#[test]
fn halves_work_in_tasks_of_their_own() {
    let (wire, client, server) = four_each(Options::new());
    let received = Rc::new(RefCell::new(Vec::new()));
    let mut listener = listen(server);
    let (left, right) = wire.run(pair(client, &mut listener));
    let (mut tx, rx) = left.into_split();
    let (peer_tx, mut peer_rx) = right.into_split();
    wire.spawn(async move {
        tx.send_all(&[7; 10_000]).await.expect("sends");
        tx.close().await.expect("ends");
    });
    let into = Rc::clone(&received);
    wire.spawn(async move {
        let mut buf = [0; 300];
        while let count @ 1.. = peer_rx.receive_some(&mut buf).await.expect("data") {
            into.borrow_mut().extend_from_slice(&buf[..count]);
        }
    });
    wire.run(sleep(5000));
    assert_eq!(*received.borrow(), vec![7; 10_000]);
    drop((rx, peer_tx));
    wire.run(sleep(100));
    assert_all_free(client);
}

#[test]
fn a_dropped_receiving_half_throws_away_what_comes() {
    let (wire, client, server) = four_each(Options::new());
    wire.run(async {
        let mut listener = listen(server);
        let (left, mut right) = pair(client, &mut listener).await;
        let (mut tx, rx) = left.into_split();
        drop(rx);
        right.send_all(&[1; 100_000]).await.expect("it never clogs");
        tx.send_all(b"still here").await.expect("sends");
        assert_eq!(right.receive_some(&mut [0; 64]).await.expect("data"), 10);
    });
}

#[test]
fn halves_that_are_dropped_without_an_end_reset_the_connection_together() {
    let (wire, client, server) = four_each(Options::new());
    wire.run(async {
        let mut listener = listen(server);
        let (left, mut right) = pair(client, &mut listener).await;
        let resets = count_resets(&wire, Side::Left);
        let (tx, mut rx) = left.into_split();
        drop(tx);
        right.send_all(b"heard").await.expect("sends");
        assert_eq!(rx.receive_some(&mut [0; 64]).await.expect("data"), 5);
        assert_eq!(resets.get(), 0);
        drop(rx);
        let error = right.receive_some(&mut [0; 64]).await.expect_err("a reset");
        assert_eq!((error.fault(), resets.get()), (Fault::Broken, 1));
    });
}

#[test]
fn halves_of_one_stream_can_be_joined_again_and_others_cannot() {
    let (wire, client, server) = four_each(Options::new());
    wire.run(async {
        let mut listener = listen(server);
        let (left, mut right) = pair(client, &mut listener).await;
        let (other, _other_peer) = pair(client, &mut listener).await;
        let (tx, rx) = left.into_split();
        let (other_tx, other_rx) = other.into_split();
        let (tx, other_rx) = tx.reunite(other_rx).expect_err("not of one stream");
        let mut left = tx.reunite(rx).expect("of one stream");
        drop((other_tx, other_rx));
        left.send_all(b"whole").await.expect("sends");
        assert_eq!(right.receive_some(&mut [0; 64]).await.expect("data"), 5);
        right.send_all(b"again").await.expect("sends");
        assert_eq!(left.receive_some(&mut [0; 64]).await.expect("data"), 5);
        join(left.close(), right.close()).await.0.expect("closes");
    });
}

/// Sends through one half of `left` and one of `right` while the others wait, then makes whole streams of them again.
async fn part_and_reunite<S: IntoSplit>(left: S, right: S) -> (S, S) {
    let ((mut left_tx, mut left_rx), (mut right_tx, mut right_rx)) =
        (left.into_split(), right.into_split());
    let (mut there, mut back) = ([0; 16], [0; 16]);
    let receiving = join(
        right_rx.receive_some(&mut there),
        left_rx.receive_some(&mut back),
    );
    let sending = join(left_tx.send_all(b"there"), right_tx.send_all(b"back"));
    let (received, sent) = join(receiving, sending).await;
    sent.0.expect("sends");
    sent.1.expect("sends");
    assert_eq!(received.0.expect("receives"), 5);
    assert_eq!(received.1.expect("receives"), 4);
    let Err((left_tx, right_rx)) = S::reunite(left_tx, right_rx) else {
        panic!("not of one stream")
    };
    let left = S::reunite(left_tx, left_rx).map_err(drop);
    let right = S::reunite(right_tx, right_rx).map_err(drop);
    (left.expect("of one stream"), right.expect("of one stream"))
}

#[test]
fn a_stream_and_tls_over_it_are_parted_by_the_same_trait() {
    let (wire, client, server) = four_each(Options::new());
    let parties = Parties::new();
    wire.run(async {
        let mut listener = listen(server);
        let (left, right) = pair(client, &mut listener).await;
        let plain = part_and_reunite(left, right).await;
        let (left, right) = part_and_reunite_tls(&parties, plain).await;
        let (one, other) = join(left.close(), right.close()).await;
        one.expect("closes");
        other.expect("closes");
    });
    wire.run(sleep(1000));
    assert_all_free(client);
}

async fn part_and_reunite_tls<S: IntoSplit>(
    parties: &Parties,
    transports: (S, S),
) -> (TlsStream<S>, TlsStream<S>) {
    let (left, right) = parties.pair(transports);
    part_and_reunite(left, right).await
}
