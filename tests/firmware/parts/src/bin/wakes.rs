//! Plays a byte to and fro between a client and one of many handlers, so that what it costs to wake that one can be counted.
//!
//! `workers=N rounds=N`, and `tasks=1` for each worker in a task of its own; otherwise all are in one.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embedded_io_async::ErrorType;
use futures_util::future::pending;
use static_cell::StaticCell;
use tacket::testing::{MemoryError, MemoryPair, MemoryStream};
use tacket::{
    AsyncResource, Handler, Listener, ReceiveStream as _, SendStream as _, Server, Stream,
};
use tacket_board::{argument, exit, report};
use tacket_embassy::EmbassyClock;

/// The most workers.
const MOST: usize = 64;

type End = MemoryStream<'static, [u8; 4]>;
type EchoServer = Server<Ends, EmbassyClock, Echo, (), MOST>;

/// A listener with the ends of these pairs.
struct Ends {
    waiting: [Option<End>; MOST],
}

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
        match self.waiting.iter_mut().find_map(Option::take) {
            Some(end) => Ok(end),
            None => pending().await,
        }
    }
}

struct Echo;

impl<S: Stream> Handler<S> for Echo {
    type Error = S::Error;

    async fn handle(&self, mut stream: S) -> Result<(), S::Error> {
        let mut byte = [0];
        while stream.receive_some(&mut byte).await? > 0 {
            stream.send_all(&byte).await?;
        }
        stream.close().await
    }
}

#[tacket_board::entry]
fn main() -> ! {
    tacket_board::run(|spawner: Spawner| {
        spawner.spawn(image(spawner).expect("one task"));
    })
}

#[embassy_executor::task]
async fn image(spawner: Spawner) {
    static PAIRS: StaticCell<[MemoryPair<[u8; 4]>; MOST]> = StaticCell::new();
    static SERVER: StaticCell<EchoServer> = StaticCell::new();
    let workers = argument("workers").unwrap_or(1);
    let rounds: usize = argument("rounds").unwrap_or(100);
    let pairs = PAIRS.init([const { MemoryPair::new([0; 4], [0; 4]) }; MOST]);
    let mut clients = [const { None }; MOST];
    let mut waiting = [const { None }; MOST];
    for ((pair, client), end) in pairs
        .iter()
        .zip(&mut clients)
        .zip(&mut waiting)
        .take(workers)
    {
        (*client, *end) = pair.open().unzip();
    }
    let server = SERVER.init(Server::new(Ends { waiting }, EmbassyClock::new(), Echo));
    if argument("tasks") == Some(1) {
        for _worker in 0..workers {
            spawner.spawn(worker(server).expect("a task for each"));
        }
    } else {
        spawner.spawn(all_workers(server, workers).expect("one task"));
    }
    let played = play(clients.get_mut(..workers).unwrap_or_default(), rounds).await;
    report!("played with {} handlers", server.statistics().active);
    exit(played.is_ok() && server.statistics().active == workers);
}

/// Each client in its turn.
async fn play(clients: &mut [Option<End>], rounds: usize) -> Result<(), MemoryError> {
    let mut played = 0;
    loop {
        for client in clients.iter_mut().flatten() {
            if played == rounds {
                return Ok(());
            }
            client.send_all(&[1]).await?;
            client.receive_some(&mut [0]).await?;
            played += 1;
        }
    }
}

#[embassy_executor::task(pool_size = MOST)]
async fn worker(server: &'static EchoServer) {
    server.worker().await.expect("a listener that works");
}

#[embassy_executor::task]
async fn all_workers(server: &'static EchoServer, workers: usize) {
    match workers {
        1 => server.run::<1>().await,
        4 => server.run::<4>().await,
        16 => server.run::<16>().await,
        _ => server.run::<MOST>().await,
    }
    .expect("a listener that works");
}
