//! Values go in and come out.

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use futures_executor::block_on;
use futures_util::future::{join, join_all};
use tacket::{
    Channel, Error as _, Fault, ReceiveChannel, ReceiveError, SendError, TryReceiveError,
    TrySendError,
};

use super::task::{Task, now};

/// Covers CHN-02.
#[test]
fn as_many_values_as_there_is_room_for_go_in_at_once_and_come_out_in_order() {
    let channel = Channel::<_, 2>::new();
    let (tx, rx) = channel.open().unwrap();
    now(tx.send(1)).unwrap();
    now(tx.send(2)).unwrap();
    assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
    assert_eq!(now(rx.receive()), Ok(Some(1)));
    now(tx.send(3)).unwrap();
    assert_eq!(
        [now(rx.receive()), now(rx.receive())],
        [Ok(Some(2)), Ok(Some(3))]
    );
}

/// Covers CHN-03.
#[test]
fn an_empty_channel_has_nothing_to_try() {
    let channel = Channel::<u8, 2>::new();
    let (_tx, rx) = channel.open().unwrap();
    assert_eq!(rx.try_receive(), Err(TryReceiveError::Empty));
}

/// Covers CHN-04.
#[test]
fn without_room_nothing_is_sent_or_received_unless_somebody_waits() {
    let channel = Channel::<_, 0>::new();
    let (tx, rx) = channel.open().unwrap();
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    assert_eq!(rx.try_receive(), Err(TryReceiveError::Empty));

    let receiving = Task::waiting(rx.receive());
    tx.try_send(2).unwrap();
    assert_eq!(receiving.woken_ready(), Ok(Some(2)));

    let sending = Task::waiting(tx.send(3));
    assert_eq!(rx.try_receive(), Ok(Some(3)));
    assert_eq!(sending.woken_ready(), Ok(()));
}

/// Covers CHN-05.
#[test]
fn without_room_a_send_and_a_receive_meet() {
    let channel = Channel::<_, 0>::new();
    let (tx, rx) = channel.open().unwrap();
    let sent_first = block_on(join(tx.send(1), rx.receive()));
    assert_eq!(sent_first, (Ok(()), Ok(Some(1))));
    let received_first = block_on(join(rx.receive(), tx.send(2)));
    assert_eq!(received_first, (Ok(Some(2)), Ok(())));
    assert_eq!(channel.statistics().most_buffered, 0);
}

/// Covers CHN-07.
#[test]
fn what_was_sent_before_the_last_sender_went_comes_before_the_end() {
    let channel = Channel::<_, 2>::new();
    let (tx, rx) = channel.open().unwrap();
    now(tx.send(1)).unwrap();
    drop(tx);
    assert_eq!(now(rx.receive()), Ok(Some(1)));
    for _again in 0..2 {
        assert_eq!(now(rx.receive()), Ok(None));
        assert_eq!(rx.try_receive(), Ok(None));
    }
}

/// Covers CHN-12.
#[test]
fn who_waits_to_receive_hears_of_the_end() {
    let channel = Channel::<u8, 2>::new();
    let (tx, rx) = channel.open().unwrap();
    let other = tx.clone();
    let receiving = [Task::waiting(rx.receive()), Task::waiting(rx.receive())];
    drop(tx);
    assert!(!receiving[0].is_woken(), "there is another sender");
    drop(other);
    for task in receiving {
        assert_eq!(task.woken_ready(), Ok(None));
    }
}

/// Covers CHN-14.
#[test]
fn who_waits_to_send_hears_that_the_last_receiver_went_and_has_the_value_back() {
    let channel = Channel::<_, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    now(tx.send("lost")).unwrap();
    let sending = [
        Task::waiting(tx.send("first")),
        Task::waiting(tx.send("second")),
    ];
    drop(rx);
    let [first, second] = sending.map(Task::woken_ready);
    assert_eq!(first, Err(SendError::Broken("first")));
    assert_eq!(second.unwrap_err().into_value(), "second");
    for _again in 0..2 {
        let error = now(tx.send("late")).unwrap_err();
        assert_eq!(error, SendError::Broken("late"));
        assert_eq!(error.fault(), Fault::Broken);
        assert_eq!(tx.try_send("late"), Err(TrySendError::Broken("late")));
    }
}

/// Covers CHN-18.
#[test]
fn each_value_goes_to_one_receiver() {
    let channel = Channel::<_, 8>::new();
    let (tx, rx) = channel.open().unwrap();
    let other = rx.clone();
    (0..8).for_each(|value| tx.try_send(value).unwrap());
    drop(tx);
    let mut all: Vec<u8> = Vec::new();
    while let (Ok(Some(one)), Ok(Some(two))) = (rx.try_receive(), other.try_receive()) {
        all.extend([one, two]);
    }
    assert_eq!(all, [0, 1, 2, 3, 4, 5, 6, 7]);
}

/// Covers CHN-21.
#[test]
fn thirty_values_of_ten_producers_all_arrive_and_then_the_end() {
    async fn collect<R: ReceiveChannel>(mut rx: R) -> Result<Vec<R::Item>, R::Error> {
        let mut all = Vec::new();
        while let Some(value) = rx.receive().await? {
            all.push(value);
        }
        Ok(all)
    }
    fn run<const N: usize>() {
        let channel = Channel::<_, N, NoopRawMutex, 16>::new();
        let (tx, rx) = channel.open().unwrap();
        let producers: Vec<_> = (0..10)
            .map(|producer| {
                let tx = tx.clone();
                async move {
                    for value in 0..3 {
                        tx.send(10 * producer + value).await.unwrap();
                    }
                }
            })
            .collect();
        drop(tx);
        let both = join(collect(rx), join_all(producers));
        let (all, _) = block_on(both);
        let mut all = all.unwrap();
        all.sort_unstable();
        let expected: Vec<u32> = (0..100).filter(|value| value % 10 < 3).collect();
        assert_eq!(all, expected);
    }
    run::<0>();
    run::<1>();
    run::<4>();
    run::<64>();
}

/// Covers CHN-29.
#[test]
fn the_end_is_no_error_and_an_error_is_no_end() {
    let channel = Channel::<u8, 1, NoopRawMutex, 1>::new();
    let (tx, rx) = channel.open().unwrap();
    let waiting = Task::waiting(rx.receive());
    assert_eq!(now(rx.receive()), Err(ReceiveError::TooManyWaiting));
    drop(tx);
    assert_eq!(waiting.woken_ready(), Ok(None));
}
