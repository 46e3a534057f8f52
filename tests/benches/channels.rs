//! How fast values go through a channel between two tasks of one thread: ours, and those of others, in turns in one run. The medians count.
//! A task is a future in a join, polled by the same small executor for all; tokio's channel is measured on tokio's runtime too.
//!
//! `channels [MESSAGES [ROUNDS]]`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::large_futures,
    reason = "a measurement that goes wrong may as well stop"
)]

use std::env;
use std::time::Instant;

use embassy_sync::blocking_mutex::raw::{CriticalSectionRawMutex, NoopRawMutex};
use futures_executor::block_on;
use futures_util::future::join;
use futures_util::{SinkExt as _, StreamExt as _};
use tacket::Channel;
use tacket_tests::median;

/// Sends all numbers below `count`, and demands their sum. Returns the nanoseconds that each took.
fn measure(count: u64, run: impl FnOnce() -> u64) -> f64 {
    let start = Instant::now();
    assert_eq!(run(), count * (count - 1) / 2, "a value is lost");
    start.elapsed().as_nanos() as f64 / count as f64
}

fn ours<const N: usize>(count: u64) -> f64 {
    let channel = Channel::<u64, N>::new();
    measure(count, || {
        let (tx, rx) = channel.open().unwrap();
        let sending = async move {
            for value in 0..count {
                tx.send(value).await.unwrap();
            }
        };
        let receiving = async move {
            let mut sum = 0;
            while let Some(value) = rx.receive().await.unwrap() {
                sum += value;
            }
            sum
        };
        block_on(join(sending, receiving)).1
    })
}

fn ours_shared<const N: usize>(count: u64) -> f64 {
    let channel = Channel::<u64, N, CriticalSectionRawMutex>::new();
    measure(count, || {
        let (tx, rx) = channel.open().unwrap();
        let sending = async move {
            for value in 0..count {
                tx.send(value).await.unwrap();
            }
        };
        let receiving = async move {
            let mut sum = 0;
            while let Some(value) = rx.receive().await.unwrap() {
                sum += value;
            }
            sum
        };
        block_on(join(sending, receiving)).1
    })
}

/// It knows no end, so the receiver counts.
fn embassy<const N: usize>(count: u64) -> f64 {
    let channel = embassy_sync::channel::Channel::<NoopRawMutex, u64, N>::new();
    measure(count, || {
        let sending = async {
            for value in 0..count {
                channel.send(value).await;
            }
        };
        let receiving = async {
            let mut sum = 0;
            for _value in 0..count {
                sum += channel.receive().await;
            }
            sum
        };
        block_on(join(sending, receiving)).1
    })
}

async fn through_tokio(capacity: usize, count: u64) -> u64 {
    let (tx, mut rx) = tokio::sync::mpsc::channel(capacity);
    let sending = async move {
        for value in 0..count {
            tx.send(value).await.unwrap();
        }
    };
    let receiving = async move {
        let mut sum = 0;
        while let Some(value) = rx.recv().await {
            sum += value;
        }
        sum
    };
    join(sending, receiving).await.1
}

fn tokio_joined<const N: usize>(count: u64) -> f64 {
    measure(count, || block_on(through_tokio(N, count)))
}

fn tokio_tasks<const N: usize>(count: u64) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    measure(count, || {
        runtime.block_on(async {
            let (tx, mut rx) = tokio::sync::mpsc::channel(N);
            let sending = tokio::spawn(async move {
                for value in 0..count {
                    tx.send(value).await.unwrap();
                }
            });
            let receiving = tokio::spawn(async move {
                let mut sum = 0;
                while let Some(value) = rx.recv().await {
                    sum += value;
                }
                sum
            });
            sending.await.unwrap();
            receiving.await.unwrap()
        })
    })
}

fn async_channel<const N: usize>(count: u64) -> f64 {
    measure(count, || {
        let (tx, rx) = async_channel::bounded(N);
        let sending = async move {
            for value in 0..count {
                tx.send(value).await.unwrap();
            }
        };
        let receiving = async move {
            let mut sum = 0;
            while let Ok(value) = rx.recv().await {
                sum += value;
            }
            sum
        };
        block_on(join(sending, receiving)).1
    })
}

fn flume<const N: usize>(count: u64) -> f64 {
    measure(count, || {
        let (tx, rx) = flume::bounded(N);
        let sending = async move {
            for value in 0..count {
                tx.send_async(value).await.unwrap();
            }
        };
        let receiving = async move {
            let mut sum = 0;
            while let Ok(value) = rx.recv_async().await {
                sum += value;
            }
            sum
        };
        block_on(join(sending, receiving)).1
    })
}

/// It has room for one more than it is told, for its one sender.
fn futures<const N: usize>(count: u64) -> f64 {
    measure(count, || {
        let (mut tx, mut rx) = futures_channel::mpsc::channel(N - 1);
        let sending = async move {
            for value in 0..count {
                tx.feed(value).await.unwrap();
            }
        };
        let receiving = async move {
            let mut sum = 0;
            while let Some(value) = rx.next().await {
                sum += value;
            }
            sum
        };
        block_on(join(sending, receiving)).1
    })
}

/// The peers at one capacity, tokio's first.
fn row<const N: usize>(count: u64, rounds: usize) {
    type Peer = (&'static str, fn(u64) -> f64);
    let peers: [Peer; 8] = [
        ("tokio", tokio_joined::<N>),
        ("tokio, its runtime", tokio_tasks::<N>),
        ("async-channel", async_channel::<N>),
        ("flume", flume::<N>),
        ("futures", futures::<N>),
        ("embassy-sync", embassy::<N>),
        ("tacket", ours::<N>),
        ("tacket, critical section", ours_shared::<N>),
    ];
    let times: Vec<[f64; 8]> = (0..rounds)
        .map(|_| peers.map(|(_, run)| run(count)))
        .collect();
    for (place, (name, _)) in peers.iter().enumerate() {
        let of = |times: &[f64; 8], place: usize| times.get(place).copied().unwrap();
        let time = median(times.iter().map(|times| of(times, place)));
        let ratio = median(times.iter().map(|times| of(times, 0) / of(times, place)));
        println!("| {N} | {name} | {time:.1} | {ratio:.2} |");
    }
}

fn main() {
    let mut numbers = env::args()
        .skip(1)
        .map(|word| word.parse().expect("a number"));
    let count = numbers.next().unwrap_or(1_000_000);
    let rounds = numbers.next().unwrap_or(7) as usize;
    println!(
        "| capacity | channel | ns a value | times as fast as tokio's |\n|---:|---|---:|---:|"
    );
    row::<1>(count, rounds);
    row::<64>(count, rounds);
    row::<1024>(count, rounds);
}
