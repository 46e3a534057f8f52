//! Streams that hold nothing.

use tacket::testing::{MemoryError, MemoryPipe};
use tacket::{AsyncResource as _, HalfCloseable as _, ReceiveStream as _, SendStream as _};

use crate::channels::task::{Task, now};

/// Covers LCK-01.
#[test]
fn a_send_is_over_when_receives_have_taken_every_byte() {
    let pipe = MemoryPipe::lockstep([0; 16]);
    let (mut tx, mut rx) = pipe.open().unwrap();
    let mut sending = Task::waiting(tx.send_all(b"123456"));
    let mut received = Vec::new();
    while received.len() < 6 {
        let mut buf = [0; 4];
        let receiving = Task::waiting(rx.receive_some(&mut buf));
        assert!(sending.is_woken() && sending.poll().is_pending());
        let count = receiving.woken_ready().unwrap();
        received.extend_from_slice(&buf[..count]);
    }
    assert_eq!(received, b"123456");
    assert_eq!(sending.woken_ready(), Ok(()));
}

/// Covers LCK-02.
#[test]
fn to_send_nothing_waits_for_nobody() {
    let pipe = MemoryPipe::lockstep([0; 16]);
    let (mut tx, _rx) = pipe.open().unwrap();
    assert_eq!(now(tx.send_all(b"")), Ok(()));
}

/// Covers LCK-03.
#[test]
fn a_send_might_not_block_once_a_receive_waits() {
    let pipe = MemoryPipe::lockstep([0; 16]);
    let (mut tx, mut rx) = pipe.open().unwrap();
    let mut waiting = Task::waiting(tx.wait_send_all_might_not_block());
    let mut buf = [0; 4];
    let receiving = Task::waiting(rx.receive_some(&mut buf));
    assert!(waiting.is_woken());
    drop(receiving);
    assert!(waiting.poll().is_pending(), "it waits no more");
    let _receiving = Task::waiting(rx.receive_some(&mut buf));
    assert_eq!(waiting.woken_ready(), Ok(()));
}

/// Covers LCK-04.
#[test]
fn a_send_whose_receiver_goes_midway_is_broken() {
    let pipe = MemoryPipe::lockstep([0; 16]);
    let (mut tx, mut rx) = pipe.open().unwrap();
    let mut sending = Task::waiting(tx.send_all(b"123456"));
    let mut buf = [0; 4];
    let mut receiving = Task::waiting(rx.receive_some(&mut buf));
    assert!(sending.poll().is_pending());
    assert!(receiving.poll().is_ready());
    drop(receiving);
    now(rx.close()).unwrap();
    assert_eq!(sending.woken_ready(), Err(MemoryError::Broken));
}

#[test]
fn a_send_whose_bytes_cross_while_the_receiver_goes_is_broken() {
    let pipe = MemoryPipe::lockstep([0; 16]);
    let (mut tx, mut rx) = pipe.open().unwrap();
    let mut sending = Task::waiting(tx.send_all(b"1234"));
    let mut buf = [0; 4];
    let receiving = Task::waiting(rx.receive_some(&mut buf));
    assert!(sending.poll().is_pending());
    drop(receiving);
    drop(rx);
    assert_eq!(sending.woken_ready(), Err(MemoryError::Broken));
}

/// Covers LCK-05.
#[test]
fn without_a_receiver_nothing_waits() {
    let pipe = MemoryPipe::lockstep([0; 16]);
    let (mut tx, rx) = pipe.open().unwrap();
    drop(rx);
    assert_eq!(now(tx.send_all(b"1")), Err(MemoryError::Broken));
    let might = now(tx.wait_send_all_might_not_block());
    assert_eq!(might, Err(MemoryError::Broken));
}

#[test]
fn bytes_on_their_way_to_a_receive_that_is_dropped_are_the_next_ones() {
    let pipe = MemoryPipe::lockstep([0; 16]);
    let (mut tx, mut rx) = pipe.open().unwrap();
    let mut sending = Task::waiting(tx.send_all(b"1234"));
    let mut buf = [0; 4];
    let receiving = Task::waiting(rx.receive_some(&mut buf));
    assert!(sending.poll().is_pending());
    drop(receiving);
    assert!(sending.poll().is_pending());
    assert_eq!(now(rx.receive_some(&mut buf)), Ok(4));
    assert_eq!(sending.woken_ready(), Ok(()));
    assert_eq!(now(tx.send_eof()), Ok(()));
    assert_eq!(now(rx.receive_some(&mut buf)), Ok(0));
}
