//! Dropped futures, before their first poll, while they wait, and between wake and poll.

use core::cell::Cell;
use core::task::Poll;
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tacket::{Channel, Clock as _, SendError, TryReceiveError, timeout};
use tacket_std::MonotonicClock;

use super::task::{Task, now};

/// Covers CHN-22.
#[test]
fn a_receive_dropped_while_it_waits_takes_nothing() {
    let channel = Channel::<_, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    drop(Task::waiting(rx.receive()));
    tx.try_send(1).unwrap();
    assert_eq!(rx.try_receive(), Ok(Some(1)));
}

/// Covers CHN-22.
#[test]
fn a_receive_dropped_between_wake_and_poll_passes_its_value_on() {
    let channel = Channel::<_, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    let [given, next] = [rx.receive(), rx.receive()].map(Task::waiting);
    tx.try_send(1).unwrap();
    assert!(given.is_woken() && !next.is_woken());
    drop(given);
    assert_eq!(next.woken_ready(), Ok(Some(1)));
}

#[test]
fn values_passed_on_come_first_and_in_their_order() {
    let channel = Channel::<_, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    let mut given: Vec<_> = (0..3).map(|_| Task::waiting(rx.receive())).collect();
    (0..4).for_each(|value| tx.try_send(value).unwrap());
    let waiting = Task::waiting(tx.send(4));
    for place in [1, 1, 0] {
        drop(given.remove(place)); // values 1, 2 and 0
    }
    assert_eq!(channel.statistics().buffered, 4);
    for value in 0..5 {
        assert_eq!(rx.try_receive(), Ok(Some(value)));
    }
    assert_eq!(waiting.woken_ready(), Ok(()));
    assert_eq!(rx.try_receive(), Err(TryReceiveError::Empty));
}

#[test]
fn a_value_passed_on_by_the_last_receiver_is_dropped() {
    struct Counted<'a>(&'a Cell<u32>);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let dropped = Cell::new(0);
    let channel = Channel::<_, 2>::new();
    let (tx, rx) = channel.open().unwrap();
    let given = Task::waiting(rx.receive());
    for _value in 0..3 {
        assert!(tx.try_send(Counted(&dropped)).is_ok());
    }
    drop(given);
    assert_eq!((dropped.get(), channel.statistics().buffered), (0, 3));
    drop(rx);
    assert_eq!((dropped.get(), channel.statistics().buffered), (3, 0));
    drop(tx);
    assert!(channel.open().is_some());
}

/// Covers CHN-23.
#[test]
fn a_send_dropped_while_it_waits_sends_nothing_and_its_slot_keeps_the_value() {
    let channel = Channel::<_, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    now(tx.send(0)).unwrap();
    let mut slot = Some(1);
    drop(Task::waiting(tx.send_from(&mut slot)));
    assert_eq!(slot, Some(1));
    drop(Task::waiting(tx.send(2)));
    assert_eq!(rx.try_receive(), Ok(Some(0)));
    assert_eq!(rx.try_receive(), Err(TryReceiveError::Empty));
    assert_eq!(now(tx.send_from(&mut slot)), Ok(()));
    assert_eq!((slot, rx.try_receive()), (None, Ok(Some(1))));
    assert_eq!(now(tx.send_from(&mut slot)), Ok(()));
    assert_eq!(rx.try_receive(), Err(TryReceiveError::Empty));
}

#[test]
fn a_send_dropped_between_wake_and_poll_has_sent_and_its_slot_is_empty() {
    let channel = Channel::<_, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    now(tx.send(0)).unwrap();
    let mut slot = Some(1);
    let sending = Task::waiting(tx.send_from(&mut slot));
    assert_eq!(rx.try_receive(), Ok(Some(0)));
    assert!(sending.is_woken());
    drop(sending);
    assert_eq!((slot, rx.try_receive()), (None, Ok(Some(1))));
}

#[test]
fn a_slot_keeps_its_value_when_there_is_nobody_to_send_to() {
    let channel = Channel::<_, 0>::new();
    let (tx, rx) = channel.open().unwrap();
    let mut slot = Some(1);
    let waiting = Task::waiting(tx.send_from(&mut slot));
    drop(rx);
    assert_eq!(waiting.woken_ready(), Err(SendError::Broken(())));
    assert_eq!(slot, Some(1));
    assert_eq!(now(tx.send_from(&mut slot)), Err(SendError::Broken(())));
    assert_eq!(slot, Some(1));
}

/// Covers CHN-24.
#[test]
fn a_future_that_is_never_polled_does_nothing() {
    let channel = Channel::<_, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    let before = channel.statistics();
    drop((tx.send(1), rx.receive()));
    assert_eq!(channel.statistics(), before);
    assert_eq!(rx.try_receive(), Err(TryReceiveError::Empty));
}

/// Covers CHN-25.
#[test]
fn after_a_receive_that_timed_out_it_is_as_if_that_had_never_been() {
    let channel = Channel::<_, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    let clock = MonotonicClock::new();
    let received = tacket_std::run(async {
        assert!(timeout(&clock, Duration::ZERO, rx.receive()).await.is_err());
        clock.sleep_until(clock.now()).await;
        tx.send(1).await.unwrap();
        rx.receive().await
    });
    assert_eq!(received.unwrap(), Ok(Some(1)));
    assert_eq!(channel.statistics().waiting_to_receive, 0);
}

#[test]
fn a_receive_that_waits_hears_no_end_while_a_value_is_under_way_to_another() {
    let channel = Channel::<_, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    let [given, mut other] = [rx.receive(), rx.receive()].map(Task::waiting);
    tx.try_send(7).unwrap();
    drop(tx);
    assert!(!other.is_woken());
    assert_eq!(other.poll(), Poll::Pending);
    drop(given);
    assert_eq!(other.woken_ready(), Ok(Some(7)));
    assert_eq!(rx.try_receive(), Ok(None));
}

#[test]
fn the_end_comes_when_the_last_value_under_way_is_taken() {
    let channel = Channel::<_, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    let [given, other] = [rx.receive(), rx.receive()].map(Task::waiting);
    tx.try_send(7).unwrap();
    drop(tx);
    assert_eq!(rx.try_receive(), Err(TryReceiveError::Empty));
    assert_eq!(given.woken_ready(), Ok(Some(7)));
    assert_eq!(other.woken_ready(), Ok(None));
}

#[test]
fn a_value_that_comes_back_counts_as_buffered() {
    let channel = Channel::<_, 0>::new();
    let (tx, rx) = channel.open().unwrap();
    let given = Task::waiting(rx.receive());
    tx.try_send(1).unwrap();
    drop(given);
    let told = channel.statistics();
    assert_eq!((told.buffered, told.most_buffered), (1, 1));
}

#[test]
fn a_channel_can_be_opened_anew_although_a_value_panicked_while_it_was_dropped() {
    struct Value(bool);
    impl Drop for Value {
        fn drop(&mut self) {
            assert!(!self.0, "it panics");
        }
    }
    let channel = Channel::<_, 2>::new();
    let (tx, rx) = channel.open().unwrap();
    tx.try_send(Value(true)).unwrap();
    tx.try_send(Value(false)).unwrap();
    drop(tx);
    catch_unwind(AssertUnwindSafe(|| drop(rx))).unwrap_err();
    let (_tx, rx) = channel.open().unwrap();
    assert!(rx.try_receive().is_err(), "nothing is left");
}
