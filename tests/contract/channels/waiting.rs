//! Whoever waits is served in the order of coming, and nobody else before.

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use tacket::{Channel, Error as _, Fault, ReceiveError, SendError, TryReceiveError, TrySendError};

use super::task::{Task, now};

/// Covers CHN-19.
#[test]
fn receivers_are_served_in_the_order_in_which_they_began_to_wait() {
    let channel = Channel::<_, 2>::new();
    let (tx, rx) = channel.open().unwrap();
    let other = rx.clone();
    let tasks = [rx.receive(), other.receive(), rx.receive(), other.receive()].map(Task::waiting);
    (0..4).for_each(|value| tx.try_send(value).unwrap());
    let values = tasks.map(|task| task.woken_ready().unwrap().unwrap());
    assert_eq!(values, [0, 1, 2, 3]);
}

#[test]
fn senders_are_served_in_the_order_in_which_they_began_to_wait() {
    let channel = Channel::<_, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    let other = tx.clone();
    now(tx.send(0)).unwrap();
    let mut tasks = vec![
        Task::waiting(tx.send(1)),
        Task::waiting(other.send(2)),
        Task::waiting(tx.send(3)),
    ];
    for value in 0..4 {
        assert_eq!(rx.try_receive(), Ok(Some(value)));
        if !tasks.is_empty() {
            assert!(tasks.iter().skip(1).all(|task| !task.is_woken()));
            assert_eq!(tasks.remove(0).woken_ready(), Ok(()));
        }
    }
}

/// Covers CHN-20.
#[test]
fn a_value_for_who_waits_is_nobody_elses() {
    let channel = Channel::<_, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    let waiting = Task::waiting(rx.receive());
    tx.try_send("for the waiting one").unwrap();
    assert_eq!(rx.try_receive(), Err(TryReceiveError::Empty));
    assert_eq!(waiting.woken_ready(), Ok(Some("for the waiting one")));
}

#[test]
fn room_for_who_waits_is_nobody_elses() {
    let channel = Channel::<_, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    tx.try_send(0).unwrap();
    let waiting = Task::waiting(tx.send(1));
    assert_eq!(rx.try_receive(), Ok(Some(0)));
    assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    assert_eq!(waiting.woken_ready(), Ok(()));
    assert_eq!(rx.try_receive(), Ok(Some(1)));
}

/// Covers CHN-30.
#[test]
fn many_tasks_wait_on_one_handle_up_to_the_places_and_one_more_is_told() {
    let channel = Channel::<_, 1, NoopRawMutex, 3>::new();
    let (tx, rx) = channel.open().unwrap();
    now(tx.send(0)).unwrap();
    let sending = [1, 2, 3].map(|value| Task::waiting(tx.send(value)));
    let error = now(tx.send(4)).unwrap_err();
    assert_eq!(error, SendError::TooManyWaiting(4));
    assert_eq!(error.fault(), Fault::Capacity);
    for value in 0..4 {
        assert_eq!(rx.try_receive(), Ok(Some(value)));
    }
    for task in sending {
        assert_eq!(task.woken_ready(), Ok(()));
    }

    let receiving = [(); 3].map(|()| Task::waiting(rx.receive()));
    assert_eq!(now(rx.receive()), Err(ReceiveError::TooManyWaiting));
    drop(receiving);
    let _again = [(); 3].map(|()| Task::waiting(rx.receive()));
}

#[test]
fn a_task_that_is_polled_by_another_one_is_woken_there() {
    let channel = Channel::<_, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    let mut moved = Box::pin(rx.receive());
    let first = Task::waiting(&mut moved);
    drop(first);
    let second = Task::waiting(&mut moved);
    tx.try_send(1).unwrap();
    assert_eq!(second.woken_ready(), Ok(Some(1)));
}

/// Covers CHN-26.
#[test]
fn both_ends_and_the_channel_tell_the_same() {
    let channel = Channel::<_, 2>::new();
    let (tx, rx) = channel.open().unwrap();
    let _another = tx.clone();
    now(tx.send(1)).unwrap();
    now(tx.send(2)).unwrap();
    let _waiting = Task::waiting(tx.send(3));
    let told = channel.statistics();
    assert_eq!((tx.statistics(), rx.statistics()), (told, told));
    assert_eq!(
        (told.capacity, told.buffered, told.most_buffered),
        (2, 2, 2)
    );
    assert_eq!((told.senders, told.receivers), (2, 1));
    assert_eq!((told.waiting_to_send, told.waiting_to_receive), (1, 0));
    for _value in 0..3 {
        rx.try_receive().unwrap();
    }
    let told = channel.statistics();
    assert_eq!((told.buffered, told.most_buffered), (0, 2));
}

/// Covers CHN-27.
#[test]
fn statistics_follow_handles_and_who_waits() {
    let channel = Channel::<_, 0>::new();
    let (tx, rx) = channel.open().unwrap();
    let (another_tx, another_rx) = (tx.clone(), rx.clone());
    let told = channel.statistics();
    assert_eq!((told.senders, told.receivers), (2, 2));
    drop((another_tx, another_rx));
    let told = channel.statistics();
    assert_eq!((told.senders, told.receivers), (1, 1));

    let sending = [1, 2].map(|value| Task::waiting(tx.send(value)));
    assert_eq!(channel.statistics().waiting_to_send, 2);
    drop(sending);
    assert_eq!(channel.statistics().waiting_to_send, 0);
    let receiving = Task::waiting(rx.receive());
    assert_eq!(channel.statistics().waiting_to_receive, 1);
    drop(receiving);
    assert_eq!(channel.statistics().waiting_to_receive, 0);
}

#[test]
fn whoever_was_served_has_no_place_any_more() {
    let channel = Channel::<_, 0, NoopRawMutex, 2>::new();
    let (tx, rx) = channel.open().unwrap();
    let served = [tx.send(1), tx.send(2)].map(Task::waiting);
    assert_eq!(now(rx.receive()), Ok(Some(1)));
    assert_eq!(now(rx.receive()), Ok(Some(2)));
    // These have the places of the senders who have not looked yet.
    let next = [tx.send(3), tx.send(4)].map(Task::waiting);
    assert_eq!(served.map(Task::woken_ready), [Ok(()), Ok(())]);
    assert_eq!(channel.statistics().waiting_to_send, 2);
    assert_eq!(now(rx.receive()), Ok(Some(3)));
    assert_eq!(now(rx.receive()), Ok(Some(4)));
    drop(next);
    let receiving = [rx.receive(), rx.receive()].map(Task::waiting);
    assert_eq!(tx.try_send(5), Ok(()));
    assert_eq!(tx.try_send(6), Ok(()));
    assert_eq!(receiving.map(Task::woken_ready), [Ok(Some(5)), Ok(Some(6))]);
}
