//! How fast bytes go through a pipe in memory between two tasks of one thread: ours, and those of others, in turns in one run.
//! The medians count. A task is a future in a join, polled by the same small executor for all; tokio's pipe is measured on tokio's runtime too.
//!
//! `pipes [ROUNDTRIPS [MEBIBYTES [ROUNDS]]]`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    reason = "a measurement that goes wrong may as well stop"
)]

use core::hint::black_box;
use std::env;
use std::time::Instant;

use async_ringbuf::traits::{AsyncConsumer as _, AsyncProducer as _, Split as _};
use async_ringbuf::{AsyncHeapCons, AsyncHeapProd, AsyncHeapRb};
use embedded_io_async::Read as _;
use futures_executor::block_on;
use futures_util::future::join;
use futures_util::{AsyncReadExt as _, AsyncWriteExt as _};
use tacket::testing::{MemoryPipe, MemoryReceiveStream, MemorySendStream};
use tacket::{AsyncResource as _, ReceiveStream as _, SendStream as _};
use tacket_tests::median;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

/// What a question and its answer have.
const MESSAGE: usize = 64;

/// What each of the two pipes of a ping-pong holds.
const PINGPONG_CAPACITY: usize = 4096;

/// Sends in the way that its crate offers.
trait Sender {
    async fn send(&mut self, data: &[u8]);

    /// Lets the receiver see the end.
    async fn finish(self);
}

/// Receives in the way that its crate offers.
trait Receiver {
    /// Receives what is there. 0 is the end.
    async fn receive(&mut self, buf: &mut [u8]) -> usize;

    async fn receive_exact(&mut self, buf: &mut [u8]);
}

impl<B: AsMut<[u8]>> Sender for MemorySendStream<'_, B> {
    async fn send(&mut self, data: &[u8]) {
        self.send_all(data).await.unwrap();
    }

    async fn finish(self) {
        self.close().await.unwrap();
    }
}

impl<B: AsMut<[u8]>> Receiver for MemoryReceiveStream<'_, B> {
    async fn receive(&mut self, buf: &mut [u8]) -> usize {
        self.receive_some(buf).await.unwrap()
    }

    async fn receive_exact(&mut self, buf: &mut [u8]) {
        self.read_exact(buf).await.unwrap();
    }
}

impl Sender for DuplexStream {
    async fn send(&mut self, data: &[u8]) {
        self.write_all(data).await.unwrap();
    }

    async fn finish(self) {}
}

impl Receiver for DuplexStream {
    async fn receive(&mut self, buf: &mut [u8]) -> usize {
        self.read(buf).await.unwrap()
    }

    async fn receive_exact(&mut self, buf: &mut [u8]) {
        self.read_exact(buf).await.unwrap();
    }
}

impl Sender for AsyncHeapProd<u8> {
    async fn send(&mut self, data: &[u8]) {
        self.push_exact(data).await.unwrap();
    }

    async fn finish(self) {}
}

impl Receiver for AsyncHeapCons<u8> {
    async fn receive(&mut self, buf: &mut [u8]) -> usize {
        self.read(buf).await.unwrap()
    }

    async fn receive_exact(&mut self, buf: &mut [u8]) {
        self.pop_exact(buf).await.unwrap();
    }
}

impl Sender for piper::Writer {
    async fn send(&mut self, data: &[u8]) {
        self.write_all(data).await.unwrap();
    }

    async fn finish(self) {}
}

impl Receiver for piper::Reader {
    async fn receive(&mut self, buf: &mut [u8]) -> usize {
        self.read(buf).await.unwrap()
    }

    async fn receive_exact(&mut self, buf: &mut [u8]) {
        self.read_exact(buf).await.unwrap();
    }
}

/// The ends of two one-way pipes, in one hand.
struct Both<S, R>(S, R);

impl<S: Sender, R> Sender for Both<S, R> {
    async fn send(&mut self, data: &[u8]) {
        self.0.send(data).await;
    }

    async fn finish(self) {
        self.0.finish().await;
    }
}

impl<S, R: Receiver> Receiver for Both<S, R> {
    async fn receive(&mut self, buf: &mut [u8]) -> usize {
        self.1.receive(buf).await
    }

    async fn receive_exact(&mut self, buf: &mut [u8]) {
        self.1.receive_exact(buf).await;
    }
}

/// Asks `count` times, and demands each answer to be the question.
async fn ask(mut end: impl Sender + Receiver, count: u64) {
    let mut question = [0x55; MESSAGE];
    let mut answer = [0; MESSAGE];
    for number in 0..count {
        question[0] = number as u8;
        question[MESSAGE - 1] = !number as u8;
        end.send(black_box(&question)).await;
        end.receive_exact(&mut answer).await;
        let answer = black_box(&answer);
        assert_eq!(answer[0], number as u8, "the first byte is wrong");
        assert_eq!(answer[MESSAGE - 1], !number as u8, "the last byte is wrong");
    }
}

/// Answers `count` times with what it was asked.
async fn answer(mut end: impl Sender + Receiver, count: u64) {
    let mut message = [0; MESSAGE];
    for _number in 0..count {
        end.receive_exact(&mut message).await;
        end.send(black_box(&message)).await;
    }
}

/// Sends `count` pieces, then the end. The first and the last byte of a piece are its number.
async fn send_pieces<const PIECE: usize>(mut tx: impl Sender, count: u64) {
    let mut piece = vec![0x55; PIECE];
    for number in 0..count {
        piece[0] = number as u8;
        piece[PIECE - 1] = number as u8;
        tx.send(black_box(&piece)).await;
    }
    tx.finish().await;
}

/// Receives all until the end. Demands the number of bytes, and the first and the last byte of each receive.
async fn receive_pieces<const PIECE: usize>(mut rx: impl Receiver, count: u64) {
    let expected = |at: usize| match at % PIECE {
        place if place == 0 || place == PIECE - 1 => (at / PIECE) as u8,
        _ => 0x55,
    };
    let mut buf = vec![0; PIECE];
    let mut total = 0;
    loop {
        let received = rx.receive(&mut buf).await;
        let Some(last) = received.checked_sub(1) else {
            break;
        };
        let buf = black_box(&buf);
        assert_eq!(buf[0], expected(total), "the first byte is wrong");
        assert_eq!(buf[last], expected(total + last), "the last byte is wrong");
        total += received;
    }
    assert_eq!(total as u64, count * PIECE as u64, "bytes are lost");
}

/// How often to do what is measured. Returns the nanoseconds that all took.
type Run = fn(u64) -> f64;

fn measure(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_nanos() as f64
}

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

/// A pipe with its buffer in place.
fn ours_in_array<const N: usize>() -> MemoryPipe<[u8; N]> {
    MemoryPipe::new([0; N])
}

/// A pipe with its buffer on the heap, where all others have theirs.
fn ours_in_vec<const N: usize>() -> MemoryPipe<Vec<u8>> {
    MemoryPipe::new(vec![0; N])
}

fn pingpong(left: impl Sender + Receiver, right: impl Sender + Receiver, count: u64) -> f64 {
    measure(|| {
        block_on(join(ask(left, count), answer(right, count)));
    })
}

fn pingpong_ours<B: AsMut<[u8]>>(make: impl Fn() -> MemoryPipe<B>, count: u64) -> f64 {
    let (there, back) = (make(), make());
    let (left_tx, right_rx) = there.open().unwrap();
    let (right_tx, left_rx) = back.open().unwrap();
    pingpong(Both(left_tx, left_rx), Both(right_tx, right_rx), count)
}

fn pingpong_tokio(count: u64) -> f64 {
    let (left, right) = tokio::io::duplex(PINGPONG_CAPACITY);
    pingpong(left, right, count)
}

fn pingpong_tokio_tasks(count: u64) -> f64 {
    let (left, right) = tokio::io::duplex(PINGPONG_CAPACITY);
    let runtime = tokio_runtime();
    measure(|| {
        runtime.block_on(async {
            let answering = tokio::spawn(answer(right, count));
            tokio::spawn(ask(left, count)).await.unwrap();
            answering.await.unwrap();
        });
    })
}

fn pingpong_ringbuf(count: u64) -> f64 {
    let (left_tx, right_rx) = AsyncHeapRb::new(PINGPONG_CAPACITY).split();
    let (right_tx, left_rx) = AsyncHeapRb::new(PINGPONG_CAPACITY).split();
    pingpong(Both(left_tx, left_rx), Both(right_tx, right_rx), count)
}

fn pingpong_piper(count: u64) -> f64 {
    let (right_rx, left_tx) = piper::pipe(PINGPONG_CAPACITY);
    let (left_rx, right_tx) = piper::pipe(PINGPONG_CAPACITY);
    pingpong(Both(left_tx, left_rx), Both(right_tx, right_rx), count)
}

fn bulk<const N: usize>(tx: impl Sender, rx: impl Receiver, count: u64) -> f64 {
    measure(|| {
        block_on(join(
            send_pieces::<N>(tx, count),
            receive_pieces::<N>(rx, count),
        ));
    })
}

fn bulk_ours<const N: usize, B: AsMut<[u8]>>(pipe: &MemoryPipe<B>, count: u64) -> f64 {
    let (tx, rx) = pipe.open().unwrap();
    bulk::<N>(tx, rx, count)
}

fn bulk_tokio<const N: usize>(count: u64) -> f64 {
    let (tx, rx) = tokio::io::duplex(N);
    bulk::<N>(tx, rx, count)
}

fn bulk_tokio_tasks<const N: usize>(count: u64) -> f64 {
    let (tx, rx) = tokio::io::duplex(N);
    let runtime = tokio_runtime();
    measure(|| {
        runtime.block_on(async {
            let sending = tokio::spawn(send_pieces::<N>(tx, count));
            tokio::spawn(receive_pieces::<N>(rx, count)).await.unwrap();
            sending.await.unwrap();
        });
    })
}

fn bulk_ringbuf<const N: usize>(count: u64) -> f64 {
    let (tx, rx) = AsyncHeapRb::new(N).split();
    bulk::<N>(tx, rx, count)
}

fn bulk_piper<const N: usize>(count: u64) -> f64 {
    let (rx, tx) = piper::pipe(N);
    bulk::<N>(tx, rx, count)
}

/// The peers at one task, tokio's first. A time is divided by `units` to be shown.
fn rows(task: &str, peers: [Run; 6], count: u64, units: u64, rounds: usize) {
    const NAMES: [&str; 6] = [
        "tokio",
        "tokio, its runtime",
        "async-ringbuf",
        "piper",
        "tacket, an array",
        "tacket, a vector",
    ];
    let times: Vec<[f64; 6]> = (0..rounds).map(|_| peers.map(|run| run(count))).collect();
    let time = |place: usize| median(times.iter().map(|times| times[place])) / units as f64;
    let ratio =
        |peer: usize, place: usize| median(times.iter().map(|times| times[peer] / times[place]));
    for (place, name) in NAMES.iter().enumerate() {
        let time = time(place);
        let [tokio, runtime, ringbuf, piper] = [0, 1, 2, 3].map(|peer| ratio(peer, place));
        println!(
            "| {task} | {name} | {time:.1} | {tokio:.2} | {runtime:.2} | {ringbuf:.2} | {piper:.2} |"
        );
    }
}

fn bulk_rows<const N: usize>(task: &str, mebibytes: u64, rounds: usize) {
    let peers: [Run; 6] = [
        bulk_tokio::<N>,
        bulk_tokio_tasks::<N>,
        bulk_ringbuf::<N>,
        bulk_piper::<N>,
        |count| bulk_ours::<N, _>(&ours_in_array::<N>(), count),
        |count| bulk_ours::<N, _>(&ours_in_vec::<N>(), count),
    ];
    let count = (mebibytes << 20) / N as u64;
    rows(task, peers, count, mebibytes << 10, rounds);
}

fn main() {
    let mut numbers = env::args()
        .skip(1)
        .map(|word| word.parse().expect("a number"));
    let roundtrips = numbers.next().unwrap_or(1_000_000);
    let mebibytes = numbers.next().unwrap_or(1024);
    let rounds = numbers.next().unwrap_or(7) as usize;
    println!(
        "| task | pipe | ns a round trip, ns a KiB | times as fast as tokio | as tokio, its runtime | as async-ringbuf | as piper |\n\
         |---|---|---:|---:|---:|---:|---:|"
    );
    let peers: [Run; 6] = [
        pingpong_tokio,
        pingpong_tokio_tasks,
        pingpong_ringbuf,
        pingpong_piper,
        |count| pingpong_ours(ours_in_array::<PINGPONG_CAPACITY>, count),
        |count| pingpong_ours(ours_in_vec::<PINGPONG_CAPACITY>, count),
    ];
    rows("ping-pong", peers, roundtrips, roundtrips, rounds);
    bulk_rows::<4096>("bulk, 4 KiB", mebibytes, rounds);
    bulk_rows::<65536>("bulk, 64 KiB", mebibytes, rounds);
}
