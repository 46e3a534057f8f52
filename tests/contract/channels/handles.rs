//! Handles are counted, and closed by a drop.

use tacket::{AsyncResource, Channel, ReceiveChannel, SendChannel, SendError};

use super::task::now;

/// Covers CHN-16.
#[test]
fn sends_fail_once_the_last_receiver_is_gone() {
    let channel = Channel::<_, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    let clones = [rx.clone(), rx.clone()];
    drop(rx);
    now(tx.send(1)).unwrap();
    drop(clones);
    assert_eq!(now(tx.send(2)), Err(SendError::Broken(2)));
}

/// Covers CHN-17.
#[test]
fn the_end_comes_once_the_last_sender_is_gone_and_nothing_is_left() {
    let channel = Channel::<_, 2>::new();
    let (tx, rx) = channel.open().unwrap();
    let clone = tx.clone();
    drop(tx);
    now(clone.send(1)).unwrap();
    assert_eq!(now(rx.receive()), Ok(Some(1)));
    now(clone.send(2)).unwrap();
    drop(clone);
    assert_eq!(
        [now(rx.receive()), now(rx.receive())],
        [Ok(Some(2)), Ok(None)]
    );
}

/// Covers CHN-28.
#[test]
fn leaving_a_scope_closes_the_handles_in_it() {
    let channel = Channel::<_, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    {
        let scoped = tx;
        now(scoped.send(1)).unwrap();
    }
    assert_eq!(
        [now(rx.receive()), now(rx.receive())],
        [Ok(Some(1)), Ok(None)]
    );
}

/// Covers CHN-10.
#[test]
fn closing_waits_for_nothing() {
    let channel = Channel::<u8, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    assert_eq!(now(tx.close()), Ok(()));
    assert_eq!(now(rx.receive()), Ok(None));
    assert_eq!(now(AsyncResource::close(rx)), Ok(()));
}

#[test]
fn a_channel_is_opened_anew_once_all_handles_are_gone_and_is_empty_then() {
    let channel = Channel::<_, 2>::new();
    let (tx, rx) = channel.open().unwrap();
    now(tx.send(1)).unwrap();
    assert!(channel.open().is_none());
    drop(tx);
    assert!(channel.open().is_none());
    drop(rx);
    let (tx, rx) = channel.open().unwrap();
    assert_eq!(channel.statistics().most_buffered, 0);
    now(tx.send(2)).unwrap();
    assert_eq!(now(rx.receive()), Ok(Some(2)));
}

#[test]
fn handles_are_channels_to_generic_code() {
    async fn relay<T, R, S>(mut from: R, mut to: S) -> Result<(), S::Error>
    where
        R: ReceiveChannel<Item = T, Error: core::fmt::Debug>,
        S: SendChannel<T>,
    {
        while let Some(value) = from.receive().await.unwrap() {
            to.send(value).await?;
        }
        to.close().await
    }
    let (first, second) = (Channel::<_, 2>::new(), Channel::<_, 2>::new());
    let ((tx, from), (to, rx)) = (first.open().unwrap(), second.open().unwrap());
    now(tx.send(1)).unwrap();
    now(tx.send(2)).unwrap();
    drop(tx);
    now(relay(from, to)).unwrap();
    assert_eq!(
        [1, 2].map(|_| now(rx.receive())),
        [Ok(Some(1)), Ok(Some(2))]
    );
    assert_eq!(now(rx.receive()), Ok(None));
}
