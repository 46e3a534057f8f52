//! Halves that were parted from their stream.

use core::cell::RefCell;
use std::rc::Rc;

use futures_util::future::join;
use tacket::{AsyncResource, Error as _, Fault, ReceiveStream, SendStream};
use tacket_embassy::Options;
use tacket_embassy::testing::Side;

use super::ends::sleep;
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
