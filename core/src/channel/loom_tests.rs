//! What two threads can do to each other, in every order in which they can take the lock.

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use std::boxed::Box;

use embassy_sync::blocking_mutex::raw::RawMutex;
use loom::future::block_on;
use loom::model::Builder;
use loom::thread;

use super::{Channel, ChannelReceiver, ChannelSender, SendError};

loom::lazy_static! {
    static ref LOCK: loom::sync::Mutex<()> = loom::sync::Mutex::new(());
}

/// A lock that loom knows. All channels share it, of which each model has one.
struct LoomRawMutex;

// SAFETY: nothing else runs under the lock meanwhile.
#[expect(
    unsafe_code,
    reason = "the trait wants the promise that this is a lock"
)]
unsafe impl RawMutex for LoomRawMutex {
    const INIT: Self = Self;

    fn lock<R>(&self, work: impl FnOnce() -> R) -> R {
        let _guard = LOCK.lock().expect("nobody panics under the lock");
        work()
    }
}

type Sender<const N: usize> = ChannelSender<'static, u32, N, LoomRawMutex, 2>;
type Receiver<const N: usize> = ChannelReceiver<'static, u32, N, LoomRawMutex, 2>;

fn open<const N: usize>() -> (Sender<N>, Receiver<N>) {
    let channel: &'static Channel<u32, N, LoomRawMutex, 2> = Box::leak(Box::new(Channel::new()));
    channel.open().expect("it is new")
}

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Polls `future` once, and drops it.
async fn poll_and_drop<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn values_arrive_in_order_and_then_the_end<const N: usize>() {
    explore(|| {
        let (tx, rx) = open::<N>();
        let sending = thread::spawn(move || {
            block_on(async {
                tx.send(1).await.expect("somebody receives");
                tx.send(2).await.expect("somebody receives");
            });
        });
        block_on(async {
            for expected in [Some(1), Some(2), None] {
                assert_eq!(rx.receive().await, Ok(expected));
            }
        });
        sending.join().expect("no panic");
    });
}

#[test]
fn loom_values_arrive_in_order_and_then_the_end() {
    values_arrive_in_order_and_then_the_end::<0>();
    values_arrive_in_order_and_then_the_end::<1>();
}

#[test]
fn loom_a_receive_dropped_at_any_time_loses_nothing() {
    explore(|| {
        let (tx, rx) = open::<0>();
        let sending = thread::spawn(move || block_on(tx.send(1)));
        block_on(async {
            let first = poll_and_drop(rx.receive()).await;
            match first {
                Some(received) => assert_eq!(received, Ok(Some(1))),
                None => assert_eq!(rx.receive().await, Ok(Some(1))),
            }
            assert_eq!(rx.receive().await, Ok(None));
        });
        assert_eq!(sending.join().expect("no panic"), Ok(()));
    });
}

#[test]
fn loom_a_send_dropped_at_any_time_has_sent_or_not() {
    explore(|| {
        let (tx, rx) = open::<0>();
        let sending = thread::spawn(move || {
            block_on(async {
                let mut slot = Some(1);
                let _ = poll_and_drop(tx.send_from(&mut slot)).await;
                slot
            })
        });
        let received = block_on(rx.receive()).expect("a place to wait");
        let kept = sending.join().expect("no panic");
        assert_eq!(received.xor(kept), Some(1));
    });
}

#[test]
fn loom_a_sender_hears_that_the_receiver_went_or_has_sent() {
    explore(|| {
        let (tx, rx) = open::<1>();
        let closing = thread::spawn(move || drop(rx));
        let results = block_on(async { [tx.send(1).await, tx.send(2).await] });
        assert!(matches!(
            results,
            [
                Ok(()) | Err(SendError::Broken(1)),
                Err(SendError::Broken(2))
            ]
        ));
        closing.join().expect("no panic");
    });
}

#[test]
fn loom_a_channel_that_is_opened_anew_has_nothing_of_before_and_loses_nothing() {
    explore(|| {
        let channel: &'static Channel<u32, 1, LoomRawMutex, 2> =
            Box::leak(Box::new(Channel::new()));
        let (tx, rx) = channel.open().expect("it is new");
        tx.try_send(1).expect("room");
        let closing = thread::spawn(move || drop(rx));
        drop(tx);
        if let Some((tx, rx)) = channel.open() {
            tx.try_send(2).expect("room");
            assert_eq!(rx.try_receive(), Ok(Some(2)));
        }
        closing.join().expect("no panic");
    });
}

#[test]
fn loom_two_receivers_share_the_values_and_both_hear_of_the_end() {
    explore(|| {
        let (tx, rx) = open::<1>();
        let other = rx.clone();
        let receiving = thread::spawn(move || block_on(other.receive()).expect("a place to wait"));
        tx.try_send(1).expect("room");
        drop(tx);
        let here = block_on(rx.receive()).expect("a place to wait");
        let there = receiving.join().expect("no panic");
        assert_eq!(here.xor(there), Some(1));
    });
}
