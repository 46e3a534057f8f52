//! Values made on demand.

use core::cell::Cell;
use core::pin::pin;

use futures_util::future::join;
use tacket::{AsyncResource, Channel, Generator, ReceiveChannel};

use super::task::{Task, now};

/// Covers GEN-01.
#[test]
fn values_come_in_order_and_the_channel_ends_when_the_block_returns() {
    let channel = Channel::<_, 0>::new();
    let (tx, rx) = channel.open().unwrap();
    let body = pin!(async move {
        for value in 0..3 {
            tx.send(value).await.unwrap();
        }
    });
    let mut values = Generator::new(rx, body);
    for value in 0..3 {
        assert_eq!(now(values.receive()), Ok(Some(value)));
    }
    for _again in 0..2 {
        assert_eq!(now(values.receive()), Ok(None));
    }
    now(values.close()).unwrap();
}

/// Covers GEN-02.
#[test]
fn the_block_runs_only_when_somebody_receives_and_no_further_than_to_the_next_value() {
    let steps = Cell::new(0);
    let channel = Channel::<_, 0>::new();
    let (tx, rx) = channel.open().unwrap();
    {
        let body = pin!(async {
            loop {
                steps.set(steps.get() + 1);
                tx.send(steps.get()).await.unwrap();
            }
        });
        let mut values = Generator::new(rx.clone(), body);
        assert_eq!(steps.get(), 0);
        assert_eq!(now(values.receive()), Ok(Some(1)));
        assert_eq!(steps.get(), 1);
        assert_eq!(now(values.receive()), Ok(Some(2)));
    }
    {
        let body = pin!(async { steps.set(99) });
        drop(Generator::new(rx, body));
    }
    assert_eq!(steps.get(), 2);
}

/// Covers GEN-03.
#[test]
fn a_generator_that_is_closed_in_the_middle_leaves_nothing_running() {
    let channel = Channel::<u8, 0>::new();
    let (tx, rx) = channel.open().unwrap();
    let other = Channel::<u8, 0>::new();
    let (_go, wait) = other.open().unwrap();
    {
        let body = pin!(async move {
            tx.send(1).await.unwrap();
            wait.receive().await.unwrap();
            tx.send(2).await.unwrap();
        });
        let mut values = Generator::new(rx, body);
        assert_eq!(now(values.receive()), Ok(Some(1)));
        drop(Task::waiting(values.receive()));
        now(values.close()).unwrap();
    }
    let told = channel.statistics();
    assert_eq!(
        (told.senders, told.receivers, told.waiting_to_send),
        (0, 0, 0)
    );
}

#[test]
fn a_block_that_waits_for_something_else_is_woken_by_that() {
    let (channel, other) = (Channel::<_, 0>::new(), Channel::<_, 0>::new());
    let ((tx, rx), (go, wait)) = (channel.open().unwrap(), other.open().unwrap());
    let body = pin!(async move {
        while let Some(value) = wait.receive().await.unwrap() {
            tx.send(2 * value).await.unwrap();
        }
    });
    let mut values = Generator::new(rx, body);
    let waiting = Task::waiting(values.receive());
    go.try_send(21).unwrap();
    assert_eq!(waiting.woken_ready(), Ok(Some(42)));
    let (sent, received) = futures_executor::block_on(join(go.send(1), values.receive()));
    assert_eq!((sent, received), (Ok(()), Ok(Some(2))));
    drop(Task::waiting(values.receive()));
    drop(go);
    assert_eq!(now(values.receive()), Ok(None));
}
