//! How fast bytes go from one embassy-net stack to another over the wire in this process: through a `TcpStream` of ours, and
//! through bare sockets of embassy-net with the same buffers and settings. Interleaved in one run; the medians count. A ratio is the
//! median of those within a round, so that what slows the machine for a while slows both. Virtual time costs nothing, so this is the
//! processor's time for both stacks and everything on them.
//!
//! `embassy_throughput [MIB [ROUNDS]]`

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::std_instead_of_core,
    clippy::expect_used,
    reason = "a measurement that goes wrong may as well stop"
)]

use std::time::{Duration, Instant};

use embassy_net::tcp::TcpSocket;
use embedded_io_async::{Read, Write};
use futures_util::future::join;
use tacket::{Listener as _, SendStream as _};
use tacket_embassy::testing::{Impairments, Side, Wire};
use tacket_embassy::{Options, TcpListener, TcpStream};
use tacket_tests::median;

/// The bytes of each buffer of each socket.
const BUFFER: usize = 8192;

const PORT: u16 = 7;

fn wire() -> Wire {
    Wire::new(1, Impairments::none().delay(Duration::ZERO))
}

/// Moves `pieces` pieces of this length. Returns how long that took.
async fn transfer(
    mut sender: impl Write,
    mut receiver: impl Read,
    piece: usize,
    pieces: usize,
) -> Duration {
    let (data, mut buf) = (vec![5; piece], vec![0; piece]);
    let start = Instant::now();
    let sending = async {
        for _ in 0..pieces {
            sender.write_all(&data).await.unwrap();
        }
    };
    let receiving = async {
        let mut left = piece * pieces;
        while left > 0 {
            left -= receiver.read(&mut buf).await.unwrap();
        }
    };
    join(sending, receiving).await;
    start.elapsed()
}

fn ours(piece: usize, pieces: usize) -> Duration {
    let wire = wire();
    let client = wire.net::<1, BUFFER, BUFFER, 0>(Side::Left, Options::new());
    let server = wire.net::<1, BUFFER, BUFFER, 0>(Side::Right, Options::new());
    wire.run(async {
        let mut listener = TcpListener::bind(server, Side::Right.port(PORT)).unwrap();
        let connecting = TcpStream::connect(client, Side::Right.port(PORT));
        let (sender, receiver) = join(connecting, listener.accept()).await;
        let (mut sender, receiver) = (sender.unwrap(), receiver.unwrap());
        sender.wait_send_all_might_not_block().await.unwrap();
        transfer(sender, receiver, piece, pieces).await
    })
}

fn bare(piece: usize, pieces: usize) -> Duration {
    let wire = wire();
    let socket = |side| {
        let buffer = || Box::leak(Box::new([0; BUFFER]));
        let mut socket = TcpSocket::new(wire.stack(side), buffer(), buffer());
        socket.set_nagle_enabled(false);
        socket.set_timeout(Some(embassy_time::Duration::from_secs(120)));
        socket.set_keep_alive(Some(embassy_time::Duration::from_secs(30)));
        socket
    };
    let (mut sender, mut receiver) = (socket(Side::Left), socket(Side::Right));
    wire.run(async {
        let address = Side::Right.port(PORT);
        let (connected, accepted) = join(sender.connect(address), receiver.accept(PORT)).await;
        connected.unwrap();
        accepted.unwrap();
        transfer(sender, receiver, piece, pieces).await
    })
}

fn main() {
    let mut numbers = std::env::args().skip(1).map(|number| {
        number
            .parse()
            .expect("usage: embassy_throughput [MIB [ROUNDS]]")
    });
    let (mib, rounds) = (numbers.next().unwrap_or(32), numbers.next().unwrap_or(21));
    println!("{mib} MiB, sockets with {BUFFER} bytes each way, medians of {rounds} rounds, MB/s");
    println!(
        "{:>12} {:>9} {:>9} {:>10}",
        "piece", "bare", "ours", "ours/bare"
    );
    for piece in [64, 1024, 4096] {
        // What small pieces cost more, they need less of.
        let pieces = mib * 1024 * 1024 / piece.max(512);
        let (mut bares, mut owns) = (Vec::new(), Vec::new());
        for round in 0..=rounds {
            // Whoever comes second finds the caches warmer, so they take turns.
            let (bare, own) = if round % 2 == 0 {
                let bare = bare(piece, pieces);
                (bare, ours(piece, pieces))
            } else {
                let own = ours(piece, pieces);
                (bare(piece, pieces), own)
            };
            // The first round warms up.
            if round > 0 {
                bares.push(bare.as_secs_f64());
                owns.push(own.as_secs_f64());
            }
        }
        let rate = |times: &[f64]| (piece * pieces) as f64 / median(times.iter().copied()) / 1e6;
        let ratios = bares.iter().zip(&owns).map(|(bare, own)| bare / own);
        println!(
            "{piece:12} {:9.0} {:9.0} {:10.3}",
            rate(&bares),
            rate(&owns),
            median(ratios)
        );
    }
}
