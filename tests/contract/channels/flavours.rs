//! Who may use a channel: one thread, or several; and what may happen while it is used.

use std::rc::Rc;
use std::thread;

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use futures_executor::block_on;
use tacket::{Channel, ChannelReceiver, ChannelSender};

use super::task::{Task, now};

static SHARED: Channel<u64, 4, CriticalSectionRawMutex> = Channel::new();

#[test]
fn a_static_channel_carries_values_between_threads() {
    const COUNT: u64 = 20_000;
    let (tx, rx) = SHARED.open().unwrap();
    let producers: Vec<_> = (0..3)
        .map(|_| {
            let tx = tx.clone();
            thread::spawn(move || {
                for value in 1..=COUNT {
                    block_on(tx.send(value)).unwrap();
                }
            })
        })
        .collect();
    drop(tx);
    let consumers: Vec<_> = (0..2)
        .map(|_| {
            let rx = rx.clone();
            thread::spawn(move || {
                let mut sum = 0;
                while let Some(value) = block_on(rx.receive()).unwrap() {
                    sum += value;
                }
                sum
            })
        })
        .collect();
    drop(rx);
    producers.into_iter().for_each(|it| it.join().unwrap());
    let sum: u64 = consumers.into_iter().map(|it| it.join().unwrap()).sum();
    assert_eq!(sum, 3 * COUNT * (COUNT + 1) / 2);
}

type Nested<'c> = Channel<Rc<Handle<'c>>, 2>;

/// A value that has handles of the channel that it goes through.
enum Handle<'c> {
    Sender(#[expect(dead_code, reason = "it is dropped")] ChannelSender<'c, Rc<Self>, 2>),
    Receiver(#[expect(dead_code, reason = "it is dropped")] ChannelReceiver<'c, Rc<Self>, 2>),
}

#[test]
fn a_value_that_is_dropped_may_use_its_channel() {
    let channel = Box::leak(Box::new(Nested::new()));
    let (tx, rx) = channel.open().unwrap();
    let values = [Handle::Sender(tx.clone()), Handle::Receiver(rx.clone())];
    for value in values {
        assert!(now(tx.send(Rc::new(value))).is_ok());
    }
    while let Ok(Some(value)) = rx.try_receive() {
        drop(value);
    }
    assert!(now(tx.send(Rc::new(Handle::Sender(tx.clone())))).is_ok());
    drop(tx);
    drop(rx);
    assert_eq!(channel.statistics().buffered, 0);
    assert!(channel.open().is_some());
}

#[test]
fn a_task_that_is_dropped_by_a_wake_may_use_its_channel() {
    let channel = Channel::<u8, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    let waiting = Task::waiting(async { rx.receive().await });
    let own = tx.clone();
    let holder = Task::waiting(async move {
        let _own = own;
        core::future::pending::<()>().await;
    });
    drop(tx);
    assert!(!waiting.is_woken());
    drop(holder);
    assert_eq!(waiting.woken_ready(), Ok(None));
}
