//! The contract on the streams of the testing kit.

mod hooks;
mod script;

use tacket::testing::{
    Makers, MemoryError, MemoryPair, MemoryPipe, check_half_closeable_stream, check_one_way_stream,
    check_two_way_stream,
};
use tacket::{AsyncResource, ReceiveStream, SendStream, StapledStream};
use tacket_tests::{Patience, Recorder, examine, examine_in};

/// The three checks on pairs over buffers of `N` bytes.
fn examine_pairs<const N: usize>() -> [Recorder; 3] {
    let pair = MemoryPair::new([0; N], [0; N]);
    let make = async || pair.open().expect("the last pair is gone");
    let pipe = MemoryPipe::new([0; N]);
    let make_pipe = async || pipe.open().expect("the last pair is gone");
    // Small pieces where a byte is a turn of the loop.
    let mut patience = Patience::memory();
    patience.duplex_bytes = (N as u64 * 1000).min(1 << 20);
    [
        examine_in(&mut [0; 1024], patience, async |e| {
            check_one_way_stream(e, Makers::new(make_pipe, make_pipe)).await;
        }),
        examine_in(&mut [0; 1024], patience, async |e| {
            check_two_way_stream(e, Makers::new(make, make)).await;
        }),
        examine_in(&mut [0; 1024], patience, async |e| {
            check_half_closeable_stream(e, Makers::new(make, make)).await;
        }),
    ]
}

/// Covers MEM-23, MEM-24.
#[test]
fn the_memory_pair_keeps_the_contract() {
    for recorder in examine_pairs::<2000>() {
        recorder.assert_clean(&[]);
    }
}

#[test]
fn the_memory_pair_keeps_the_contract_with_one_byte_of_buffer() {
    for recorder in examine_pairs::<1>() {
        recorder.assert_clean(&[]);
    }
}

/// Covers STA-06.
#[test]
fn stapled_memory_pipes_keep_the_contract() {
    let (there, back) = (MemoryPipe::new([0; 100]), MemoryPipe::new([0; 100]));
    let make = async || {
        let (to_right, from_left) = there.open().expect("the last pair is gone");
        let (to_left, from_right) = back.open().expect("the last pair is gone");
        (
            StapledStream::new(to_right, from_right),
            StapledStream::new(to_left, from_left),
        )
    };
    examine(Patience::memory(), async |e| {
        check_half_closeable_stream(e, Makers::new(make, make)).await;
    })
    .assert_clean(&[]);
}

#[test]
fn without_clogging_pairs_the_clauses_that_need_them_are_skipped() {
    let pipe = MemoryPipe::new([0; 100]);
    let make = async || pipe.open().expect("the last pair is gone");
    examine(Patience::memory(), async |e| {
        check_one_way_stream(e, make).await;
    })
    .assert_clean(&["STR-16", "TKT-02"]);
}

#[test]
fn a_pair_opens_again_only_when_both_its_ends_are_gone() {
    let pair = MemoryPair::new([0; 4], [0; 4]);
    let (left, right) = pair.open().expect("a new pair");
    assert!(pair.open().is_none());
    drop(left);
    assert!(pair.open().is_none());
    drop(right);
    assert!(pair.open().is_some());
}

#[test]
fn a_pipe_that_is_opened_again_is_empty() {
    let pipe = MemoryPipe::new([0; 4]);
    tacket_std::run(async {
        let (mut tx, rx) = pipe.open().expect("a new pipe");
        tx.send_all(b"old").await.expect("room");
        drop((tx, rx));
        let (tx, mut rx) = pipe.open().expect("both ends are gone");
        tx.close().await.expect("closes");
        assert_eq!(rx.receive_some(&mut [0; 4]).await, Ok(0));
    })
    .expect("an event loop");
}

#[test]
fn what_was_sent_before_a_forceful_close_arrives_and_then_the_stream_is_broken() {
    let pipe = MemoryPipe::new([0; 4]);
    tacket_std::run(async {
        let (mut tx, mut rx) = pipe.open().expect("a new pipe");
        tx.send_all(b"abc").await.expect("room");
        tx.close_forcefully();
        let mut buf = [0; 4];
        assert_eq!(rx.receive_some(&mut buf).await, Ok(3));
        assert_eq!(rx.receive_some(&mut buf).await, Err(MemoryError::Broken));
        assert_eq!(rx.receive_some(&mut buf).await, Err(MemoryError::Broken));
    })
    .expect("an event loop");
}

#[test]
fn a_pipe_without_a_buffer_says_so_instead_of_waiting_for_ever() {
    let pipe = MemoryPipe::new([]);
    tacket_std::run(async {
        let (mut tx, _rx) = pipe.open().expect("a new pipe");
        assert_eq!(tx.send_all(b"x").await, Err(MemoryError::Capacity));
        assert_eq!(tx.send_all(b"").await, Ok(()));
    })
    .expect("an event loop");
}

/// Covers LCK-06.
#[test]
fn pairs_in_lockstep_keep_the_contract_and_are_clogged_from_the_start() {
    let pair = MemoryPair::lockstep([0; 300], [0; 300]);
    let make = async || pair.open().expect("the last pair is gone");
    examine(Patience::memory(), async |e| {
        check_half_closeable_stream(e, Makers::new(make, make)).await;
    })
    .assert_clean(&[]);
    let pipe = MemoryPipe::lockstep([0; 300]);
    let make = async || pipe.open().expect("the last pair is gone");
    examine(Patience::memory(), async |e| {
        check_one_way_stream(e, Makers::new(make, make)).await;
    })
    .assert_clean(&[]);
}
