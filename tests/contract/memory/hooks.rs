//! Hooks: what a test does at certain moments of a stream.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures_util::FutureExt as _;
use futures_util::future::join;
use tacket::testing::{
    HookedReceiver, HookedSender, Makers, MemoryError, MemoryPipe, MemoryReceiveStream,
    MemorySendStream, ReceiveHooks, SeededExecutor, SendHooks, check_half_closeable_stream,
    check_one_way_stream,
};
use tacket::{
    AsyncResource as _, HalfCloseable as _, ReceiveStream as _, SendStream as _, StapledStream,
};
use tacket_tests::{Patience, examine_in};

type Pipe = MemoryPipe<[u8; 16]>;

/// Moves what was sent on into another pipe: together, they are a pair.
struct Pump<'p> {
    from: MemoryReceiveStream<'p, [u8; 16]>,
    to: MemorySendStream<'p, [u8; 16]>,
    waits: usize,
}

impl SendHooks for Pump<'_> {
    async fn sent(&mut self) {
        let _ = self.from.pump(&mut self.to, usize::MAX);
    }

    async fn waiting(&mut self) {
        self.waits += 1;
    }

    fn closing(&mut self) {
        let _ = self.from.pump(&mut self.to, usize::MAX);
    }
}

type Pumped<'p> = HookedSender<MemorySendStream<'p, [u8; 16]>, Pump<'p>>;

/// A sender that pumps, and the receiver at the other end.
fn pumped<'p>(
    first: &'p Pipe,
    second: &'p Pipe,
) -> (Pumped<'p>, MemoryReceiveStream<'p, [u8; 16]>) {
    let (tx, from) = first.open().expect("its ends are not out");
    let (to, rx) = second.open().expect("its ends are not out");
    let pump = Pump { from, to, waits: 0 };
    (HookedSender::new(tx, pump), rx)
}

/// Covers MEM-01, MEM-02, MEM-09.
#[test]
fn without_waiting_a_receive_takes_what_is_there_and_says_when_nothing_is() {
    let pipe = Pipe::new([0; 16]);
    let (mut tx, mut rx) = pipe.open().expect("its ends are not out");
    let mut buf = [0; 16];
    for room in [16, 10] {
        assert_eq!(
            rx.try_receive(&mut buf[..room]),
            Err(MemoryError::WouldBlock)
        );
    }
    assert_eq!(tx.try_write(b"123"), Ok(3));
    assert_eq!(rx.try_receive(&mut buf[..1]), Ok(1));
    assert_eq!(rx.try_receive(&mut buf[1..]), Ok(2));
    assert_eq!(&buf[..3], b"123");
    assert_eq!(tx.try_write(&[7; 20]), Ok(16));
    assert_eq!(tx.try_write(b"x"), Err(MemoryError::WouldBlock));
}

/// Covers MEM-03, MEM-04, MEM-11.
#[test]
fn a_receive_waits_for_data_or_for_the_end_which_stays() {
    let pipe = Pipe::new([0; 16]);
    let executor = SeededExecutor::new(1);
    executor.run(async {
        let (mut tx, mut rx) = pipe.open().expect("its ends are not out");
        let mut buf = [0; 16];
        let sending = async {
            executor.wait_all_tasks_blocked().await;
            tx.send_all(b"xxx").await
        };
        let (received, sent) = join(rx.receive_some(&mut buf), sending).await;
        assert_eq!((received, sent), (Ok(3), Ok(())));
        tx.send_all(b"xxx").await.expect("there is room");
        for _ in 0..2 {
            tx.send_eof().await.expect("harmless");
        }
        assert_eq!(rx.receive_some(&mut buf).await, Ok(3));
        for _ in 0..3 {
            assert_eq!(rx.receive_some(&mut buf).await, Ok(0));
        }
    });
}

/// Covers MEM-05, MEM-12.
#[test]
fn behind_the_end_nothing_can_be_sent() {
    let pipe = Pipe::new([0; 16]);
    let (mut tx, _rx) = pipe.open().expect("its ends are not out");
    tx.send_eof().now_or_never().expect("ready").expect("ends");
    assert_eq!(tx.try_write(b"x"), Err(MemoryError::Closed));
    assert_eq!(
        tx.send_all(b"x").now_or_never(),
        Some(Err(MemoryError::Closed))
    );
}

/// Takes what was sent out, within the send, while it is on.
struct Take<'p> {
    from: MemoryReceiveStream<'p, [u8; 16]>,
    taken: Vec<u8>,
}

impl SendHooks for Take<'_> {
    async fn sent(&mut self) {
        let mut buf = [0; 16];
        let count = self.from.try_receive(&mut buf).expect("it was just sent");
        self.taken.extend(&buf[..count]);
    }
}

/// Covers MEM-07, MEM-08.
#[test]
fn a_hook_takes_data_out_within_the_send_and_can_be_taken_off() {
    let pipe = Pipe::new([0; 16]);
    let (tx, from) = pipe.open().expect("its ends are not out");
    let taken = Vec::new();
    let mut tx = HookedSender::new(tx, Some(Take { from, taken }));
    let send = |tx: &mut HookedSender<_, _>, data: &[u8]| tx.send_all(data).now_or_never();
    // More than the pipe holds: only because the hook takes it out.
    assert_eq!(send(&mut tx, &[7; 40]), Some(Ok(())));
    let mut hooks = tx.hooks().take().expect("put on above");
    assert_eq!(hooks.taken, [7; 40]);
    assert_eq!(send(&mut tx, &[8; 40]), None);
    assert_eq!(hooks.from.try_receive(&mut [0; 99]), Ok(16));
}

/// Notes what happens to it.
struct Notes(Rc<RefCell<Vec<&'static str>>>);

impl SendHooks for Notes {
    async fn sent(&mut self) {
        self.0.borrow_mut().push("sent");
    }

    async fn waiting(&mut self) {
        self.0.borrow_mut().push("waiting");
    }

    fn closing(&mut self) {
        self.0.borrow_mut().push("closing");
    }
}

impl ReceiveHooks for Notes {
    async fn receiving(&mut self) {
        self.0.borrow_mut().push("receiving");
    }

    fn closing(&mut self) {
        self.0.borrow_mut().push("closing");
    }
}

/// Covers MEM-07.
#[test]
fn each_hook_is_called_at_its_moment_and_the_last_one_once() {
    let pipe = Pipe::new([0; 16]);
    let notes = Rc::new(RefCell::new(Vec::new()));
    let (tx, rx) = pipe.open().expect("its ends are not out");
    let mut tx = HookedSender::new(tx, Notes(Rc::clone(&notes)));
    let mut rx = HookedReceiver::new(rx, Notes(Rc::clone(&notes)));
    SeededExecutor::new(1).run(async {
        tx.send_all(b"").await.expect("nothing");
        assert_eq!(notes.take(), [""; 0]);
        tx.send_all(b"x").await.expect("there is room");
        tx.wait_send_all_might_not_block()
            .await
            .expect("there is room");
        assert_eq!(rx.receive_some(&mut [0]).await, Ok(1));
        assert_eq!(notes.take(), ["sent", "waiting", "receiving"]);
        tx.send_eof().await.expect("ends");
        tx.send_eof().await.expect("harmless");
        tx.close().await.expect("closes");
        assert_eq!(notes.take(), ["closing"]);
        drop(rx);
        assert_eq!(notes.take(), ["closing"]);
    });
}

/// Puts data into the pipe at the start of a receive, while it has some.
struct Put<'p>(MemorySendStream<'p, [u8; 16]>, Rc<Cell<usize>>);

impl ReceiveHooks for Put<'_> {
    async fn receiving(&mut self) {
        self.0.try_write(b"xxx").expect("there is room");
        self.1.set(self.1.get() + 1);
    }
}

/// Covers MEM-13, MEM-14.
#[test]
fn a_hook_puts_data_behind_what_is_there_before_a_receive_looks() {
    let pipe = Pipe::new([0; 16]);
    let (mut tx, rx) = pipe.open().expect("its ends are not out");
    let calls = Rc::new(Cell::new(0));
    tx.try_write(b"yyy").expect("there is room");
    let mut rx = HookedReceiver::new(rx, Some(Put(tx, Rc::clone(&calls))));
    let mut buf = [0; 16];
    assert_eq!(rx.receive_some(&mut buf).now_or_never(), Some(Ok(6)));
    assert_eq!(&buf[..6], b"yyyxxx");
    let put = rx.hooks().take();
    assert_eq!(rx.receive_some(&mut buf).now_or_never(), None);
    assert_eq!((calls.get(), put.is_some()), (1, true));
}

/// Covers MEM-15.
#[test]
fn a_receiver_that_goes_discards_what_is_there() {
    let pipe = Pipe::new([0; 16]);
    let (mut tx, rx) = pipe.open().expect("its ends are not out");
    tx.try_write(b"lost").expect("there is room");
    drop(rx);
    assert_eq!(tx.try_write(b"x"), Err(MemoryError::Broken));
    drop(tx);
    let (_tx, mut rx) = pipe.open().expect("both ends are gone");
    assert_eq!(rx.try_receive(&mut [0; 16]), Err(MemoryError::WouldBlock));
}

/// Covers MEM-16, MEM-17, MEM-18.
#[test]
fn a_pump_moves_what_is_there_piece_by_piece_and_then_the_end() {
    let (first, second) = (Pipe::new([0; 16]), Pipe::new([0; 16]));
    let (mut tx, mut from) = first.open().expect("its ends are not out");
    let (mut to, mut rx) = second.open().expect("its ends are not out");
    let mut buf = [0; 16];
    assert_eq!(from.pump(&mut to, 9), Ok(false));
    assert_eq!(rx.try_receive(&mut buf), Err(MemoryError::WouldBlock));
    tx.try_write(b"123").expect("there is room");
    assert_eq!(from.pump(&mut to, usize::MAX), Ok(true));
    assert_eq!(rx.try_receive(&mut buf), Ok(3));
    tx.try_write(b"456").expect("there is room");
    for digit in b"456" {
        assert_eq!(from.pump(&mut to, 1), Ok(true));
        assert_eq!((rx.try_receive(&mut buf), buf[0]), (Ok(1), *digit));
    }
    assert_eq!(from.pump(&mut to, 1), Ok(false));
    let _ = tx.close().now_or_never();
    for _ in 0..2 {
        assert_eq!(from.pump(&mut to, 1), Ok(true));
        assert_eq!(rx.try_receive(&mut buf), Ok(0));
    }
}

#[test]
fn a_pump_moves_no_more_than_there_is_room_for() {
    let (first, second) = (Pipe::new([0; 16]), Pipe::new([0; 16]));
    let (mut tx, mut from) = first.open().expect("its ends are not out");
    let (mut to, mut rx) = second.open().expect("its ends are not out");
    to.try_write(&[1; 10]).expect("there is room");
    tx.try_write(&[2; 16]).expect("there is room");
    assert_eq!(from.pump(&mut to, usize::MAX), Ok(true));
    assert_eq!(from.pump(&mut to, usize::MAX), Ok(false));
    assert_eq!(rx.try_receive(&mut [0; 16]), Ok(16));
    assert_eq!(from.pump(&mut to, usize::MAX), Ok(true));
    assert_eq!(rx.try_receive(&mut [0; 16]), Ok(10));
    drop(rx);
    tx.try_write(b"x").expect("there is room");
    assert_eq!(from.pump(&mut to, usize::MAX), Err(MemoryError::Broken));
    assert_eq!(from.try_receive(&mut [0; 16]), Ok(1), "it is still there");
}

/// Covers MEM-19, MEM-20, MEM-21.
#[test]
fn a_sender_that_pumps_wakes_a_receiver_that_waits() {
    let (first, second) = (Pipe::new([0; 16]), Pipe::new([0; 16]));
    let executor = SeededExecutor::new(1);
    executor.run(async {
        for closes_gracefully in [true, false] {
            let (mut tx, mut rx) = pumped(&first, &second);
            let mut buf = [0; 16];
            let sending = async {
                executor.wait_all_tasks_blocked().await;
                tx.send_all(b"one").await
            };
            let both = join(rx.receive_some(&mut buf), sending).await;
            assert_eq!(both, (Ok(3), Ok(())));
            tx.wait_send_all_might_not_block()
                .await
                .expect("there is room");
            assert_eq!(tx.hooks().waits, 1);
            let leaving = async {
                executor.wait_all_tasks_blocked().await;
                match closes_gracefully {
                    true => tx.close().await.expect("closes"),
                    false => tx.send_eof().await.expect("ends"),
                }
            };
            assert_eq!(join(rx.receive_some(&mut buf), leaving).await.0, Ok(0));
        }
    });
}

/// Covers MEM-22.
#[test]
fn without_its_receiver_every_send_is_broken() {
    let pipe = Pipe::new([0; 16]);
    let (mut tx, rx) = pipe.open().expect("its ends are not out");
    let _ = rx.close().now_or_never();
    for _ in 0..3 {
        assert_eq!(
            tx.send_all(b"x").now_or_never(),
            Some(Err(MemoryError::Broken))
        );
    }
}

/// Gives way now and then.
struct Hesitate(u32);

impl Hesitate {
    async fn step(&mut self) {
        self.0 += 1;
        if self.0.is_multiple_of(3) {
            embassy_futures::yield_now().await;
        }
    }
}

impl SendHooks for Hesitate {
    async fn sent(&mut self) {
        self.step().await;
    }

    async fn waiting(&mut self) {
        self.step().await;
    }
}

impl ReceiveHooks for Hesitate {
    async fn receiving(&mut self) {
        self.step().await;
    }
}

#[test]
fn streams_with_hooks_keep_the_contract() {
    let (there, back) = (Pipe::new([0; 16]), Pipe::new([0; 16]));
    let hooked = |(tx, rx)| {
        (
            HookedSender::new(tx, Hesitate(0)),
            HookedReceiver::new(rx, Hesitate(1)),
        )
    };
    let open = |pipe: &'static Pipe| pipe.open().expect("the last pair is gone");
    let (there, back): (&'static Pipe, &'static Pipe) =
        (Box::leak(Box::new(there)), Box::leak(Box::new(back)));
    let one_way = async || hooked(open(there));
    let mut patience = Patience::memory();
    patience.duplex_bytes = 1 << 12;
    examine_in(&mut [0; 256], patience, async |e| {
        check_one_way_stream(e, Makers::new(one_way, one_way)).await;
    })
    .assert_clean(&[]);
    let two_way = async || {
        let ((to_right, from_left), (to_left, from_right)) =
            (hooked(open(there)), hooked(open(back)));
        (
            StapledStream::new(to_right, from_right),
            StapledStream::new(to_left, from_left),
        )
    };
    examine_in(&mut [0; 256], patience, async |e| {
        check_half_closeable_stream(e, Makers::new(two_way, two_way)).await;
    })
    .assert_clean(&[]);
}
