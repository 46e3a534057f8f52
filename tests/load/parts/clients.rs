//! The clients of the load test: so many seats, each taken by one client after another.

use alloc::rc::Rc;
use core::cell::Cell;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use embedded_io_async::Read as _;
use futures_channel::oneshot::{Canceled, Receiver, channel};
use futures_util::FutureExt as _;
use futures_util::future::Shared;
use serde_json::{Value, json};
use tacket::{Clock as _, timeout};
use tacket_std::{MonotonicClock, TcpStream, spawn};

use crate::Failure;
use crate::answer::add;
use crate::control::{Commands, cpu_seconds, say};
use crate::conversation::{Bytes, converse};
use crate::opening::{Ending, GREETING};
use crate::plan::{Pace, Plan};
use crate::wrongs::Wrongs;

/// How many addresses of this machine the clients have, so that the ports of none run out.
const ADDRESSES: u64 = 8;
/// Nothing that works takes longer once nobody waits any more.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked how many there are.
const LOOK: Duration = Duration::from_millis(10);

/// Who the clients are.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Crowd {
    /// Where the server listens
    #[arg(long)]
    address: SocketAddr,
    /// How many there are at a time
    #[arg(long)]
    connections: u64,
    /// For how long they come and go, in milliseconds
    #[arg(long)]
    millis: u64,
    /// The longest that one waits, in milliseconds
    #[arg(long)]
    pause: u64,
    /// What they do
    #[arg(long)]
    seed: u64,
}

/// Has them come, and lets them go when it is told to.
pub(crate) fn play(crowd: Crowd) -> Result<(), Failure> {
    let mut commands = Commands::new()?;
    tacket_std::run(async {
        let (go, gate) = channel();
        let room = Rc::new(Room {
            crowd,
            clock: MonotonicClock::new(),
            gate: gate.shared(),
            counts: Counts::default(),
        });
        let seats = (0..crowd.connections).map(|seat| spawn(Rc::clone(&room).fill(seat)));
        let seats: Vec<_> = seats.collect();
        let mut go = Some(go);
        while let Some(command) = commands.next().await? {
            match command.as_str() {
                "statistics" => say(&room.statistics()),
                "go" => {
                    let until = room.clock.now() + Duration::from_millis(crowd.millis);
                    let go = go.take().ok_or("gone already")?;
                    go.send(until).map_err(|_| "nobody is here")?;
                    spawn(Rc::clone(&room).watch(until));
                }
                "finish" => break,
                _ => return Err(format!("unknown command: {command}").into()),
            }
        }
        for seat in seats {
            seat.await;
        }
        say(&room.statistics());
        Ok(())
    })?
}

struct Room {
    crowd: Crowd,
    clock: MonotonicClock,
    /// Tells until when.
    gate: Shared<Receiver<Duration>>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    /// Clients whom the system has connected.
    connected: Cell<u64>,
    /// Clients whom the server has greeted: it has accepted them.
    greeted: Cell<u64>,
    /// Those of them who are here.
    here: Cell<u64>,
    /// The fewest who were here while they came and went.
    fewest: Cell<Option<u64>>,
    completed: Cell<u64>,
    reset_by_clients: Cell<u64>,
    reset_by_server: Cell<u64>,
    bytes: Bytes,
    wrongs: Wrongs,
}

impl Room {
    /// One client after another, until the time is over.
    async fn fill(self: Rc<Self>, seat: u64) {
        for turn in 0.. {
            // No two alike in a run, nor in runs whose seeds are near.
            let seed = self.crowd.seed.wrapping_add(seat << 40 | turn << 20);
            match self.be_client(seat, seed).await {
                Ok(Ending::Orderly) => add(&self.counts.completed, 1),
                Ok(Ending::ClientResets) => add(&self.counts.reset_by_clients, 1),
                Ok(Ending::ServerResets) => add(&self.counts.reset_by_server, 1),
                Err(wrong) => {
                    let who = format!("client {turn} of seat {seat}");
                    self.counts.wrongs.add(format!("{who}: {wrong}"));
                }
            }
            match self.until().await {
                Ok(until) if self.clock.now() < until => {}
                _ => return,
            }
        }
    }

    /// One client.
    async fn be_client(&self, seat: u64, seed: u64) -> Result<Ending, String> {
        let host = 1 + u8::try_from(seat % ADDRESSES).expect("there are few");
        let local = IpAddr::from(Ipv4Addr::new(127, 0, 0, host));
        let connected = TcpStream::connect_from(local, self.crowd.address).await;
        let mut stream = connected.map_err(|error| error.to_string())?;
        add(&self.counts.connected, 1);
        let mut greeting = [0; GREETING];
        let greeted = stream.read_exact(&mut greeting).await;
        greeted.map_err(|error| format!("greeting: {error:?}"))?;
        add(&self.counts.greeted, 1);
        let _here = Here::new(&self.counts.here);

        let until = self.until().await.map_err(|error| error.to_string())?;
        let pace = Pace {
            clock: self.clock,
            longest: Duration::from_millis(self.crowd.pause),
            until,
        };
        let seed_of_server = u64::from_le_bytes(greeting);
        let bytes = &self.counts.bytes;
        let talk = converse(stream, seed_of_server, Plan::new(seed), &pace, bytes);
        let limit = until.saturating_sub(self.clock.now()) + PATIENCE;
        let ended = timeout(&self.clock, limit, talk).await;
        ended.map_err(|_| "it hangs".to_owned())?
    }

    /// Waits until they may go on, and returns for how long.
    fn until(&self) -> impl Future<Output = Result<Duration, Canceled>> {
        self.gate.clone()
    }

    /// Watches how many are here.
    async fn watch(self: Rc<Self>, until: Duration) {
        while self.clock.now() < until {
            let here = self.counts.here.get();
            let fewest = self.counts.fewest.get().unwrap_or(here);
            self.counts.fewest.set(Some(fewest.min(here)));
            self.clock.sleep_until(self.clock.now() + LOOK).await;
        }
    }

    fn statistics(&self) -> Value {
        let counts = &self.counts;
        json!({
            "connected": counts.connected.get(),
            "greeted": counts.greeted.get(),
            "here": counts.here.get(),
            "fewest": counts.fewest.get(),
            "completed": counts.completed.get(),
            "reset_by_clients": counts.reset_by_clients.get(),
            "reset_by_server": counts.reset_by_server.get(),
            "sent": counts.bytes.sent.get(),
            "received": counts.bytes.received.get(),
            "cpu_s": cpu_seconds(),
            "wrong": counts.wrongs.count(),
            "first_wrongs": counts.wrongs.first(),
        })
    }
}

/// A client that is here.
struct Here<'c>(&'c Cell<u64>);

impl<'c> Here<'c> {
    fn new(count: &'c Cell<u64>) -> Self {
        add(count, 1);
        Self(count)
    }
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
