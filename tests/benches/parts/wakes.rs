//! What it costs on this machine to wake one handler of many.

use core::cell::RefCell;
use core::future::pending;
use core::time::Duration;
use std::time::Instant;

use embedded_io_async::ErrorType;
use futures_executor::block_on;
use tacket::testing::{MemoryError, MemoryPair, MemoryStream};
use tacket::{AsyncResource, Listener, ReceiveStream as _, SendStream as _, Server, Stream};
use tacket_std::{MonotonicClock, TaskGroup};
use tacket_tests::median;

type End = MemoryStream<'static, [u8; 4]>;

/// A listener with the ends of these pairs.
struct Ends(Vec<End>);

impl ErrorType for Ends {
    type Error = MemoryError;
}

impl AsyncResource for Ends {
    async fn close(self) -> Result<(), MemoryError> {
        Ok(())
    }
}

impl Listener for Ends {
    type Stream = End;

    async fn accept(&mut self) -> Result<End, MemoryError> {
        match self.0.pop() {
            Some(end) => Ok(end),
            None => pending().await,
        }
    }
}

async fn echo<S: Stream>(mut stream: S) -> Result<(), S::Error> {
    let mut byte = [0];
    while stream.receive_some(&mut byte).await? > 0 {
        stream.send_all(&byte).await?;
    }
    stream.close().await
}

/// Both ends of so many pairs. They are leaked, for tasks that want no borrows.
fn pairs(count: usize) -> (Vec<End>, Vec<End>) {
    (0..count)
        .map(|_| {
            let pair = Box::leak(Box::new(MemoryPair::new([0; 4], [0; 4])));
            pair.open().unwrap()
        })
        .unzip()
}

/// Plays a byte to and fro with each client in its turn. Returns the nanoseconds of one time.
async fn play(clients: &mut [End], rounds: u32) -> f64 {
    let mut time = Duration::ZERO;
    // The first time, the handlers get their clients.
    for measured in [false, true] {
        let start = Instant::now();
        for round in 0..if measured { rounds } else { 64 } {
            let place = round as usize % clients.len();
            let client = clients.get_mut(place).unwrap();
            client.send_all(&[1]).await.unwrap();
            client.receive_some(&mut [0]).await.unwrap();
        }
        time = start.elapsed();
    }
    time.as_nanos() as f64 / f64::from(rounds)
}

/// How the handlers are run.
#[derive(Clone, Copy)]
enum Shape {
    Inline,
    Tasks,
    Unbounded,
}

fn ours<const N: usize>(shape: Shape, rounds: u32) -> f64 {
    let (mut clients, ends) = pairs(N);
    let server = Server::<_, _, _, (), N>::new(Ends(ends), MonotonicClock::new(), echo::<End>);
    let server = &server;
    let time = RefCell::new(0.0);
    let playing = TaskGroup::run(async |group| {
        match shape {
            Shape::Inline => group.spawn(async { server.run::<N>().await.map(drop) }),
            Shape::Unbounded => group.spawn(async { server.run_unbounded().await.map(drop) }),
            Shape::Tasks => (0..N).for_each(|_| group.spawn(server.worker())),
        }
        *time.borrow_mut() = play(&mut clients, rounds).await;
        server.stop(Duration::ZERO);
        Ok(())
    });
    block_on(playing).unwrap();
    time.into_inner()
}

/// Each handler in a task of tokio, the player too.
fn tokio<const N: usize>(rounds: u32) -> f64 {
    let (mut clients, ends) = pairs(N);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let handlers: Vec<_> = ends
            .into_iter()
            .map(|end| tokio::task::spawn_local(echo(end)))
            .collect();
        let playing = tokio::task::spawn_local(async move { play(&mut clients, rounds).await });
        let time = playing.await.unwrap();
        handlers.iter().for_each(tokio::task::JoinHandle::abort);
        time
    })
}

/// The row of so many handlers: medians, and how many times as long tokio takes.
fn row<const N: usize>(rounds: u32, times: usize) -> String {
    type Way = fn(u32) -> f64;
    let ways: [Way; 4] = [
        |rounds| ours::<N>(Shape::Inline, rounds),
        |rounds| ours::<N>(Shape::Tasks, rounds),
        |rounds| ours::<N>(Shape::Unbounded, rounds),
        tokio::<N>,
    ];
    let measured: Vec<[f64; 4]> = (0..times).map(|_| ways.map(|way| way(rounds))).collect();
    let mut cells = format!("| {N} |");
    for place in 0..ways.len() {
        let time = median(measured.iter().filter_map(|all| all.get(place).copied()));
        cells += &format!(" {time:.0} |");
    }
    cells + "\n"
}

/// The table, of the medians of so many measurements.
pub(crate) fn table(rounds: u32, times: usize) -> String {
    let head = "| handlers | `run`, ns | `worker` tasks, ns | `run_unbounded`, ns | tokio's local tasks, ns |\n|---:|---:|---:|---:|---:|\n";
    let rows = [
        row::<1>(rounds, times),
        row::<4>(rounds, times),
        row::<16>(rounds, times),
        row::<64>(rounds, times),
    ];
    head.to_owned() + &rows.concat()
}
