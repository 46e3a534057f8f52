//! The server of the load test.

use core::cell::{Cell, RefCell};
use core::net::Ipv4Addr;
use core::time::Duration;
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;

use embedded_io_async::Read as _;
use futures_util::future::try_join;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use tacket::testing::Pattern;
use tacket::{
    AsyncResource as _, Error as _, Fault, Handler, LocalAddress as _, SendStream as _, ServeEvent,
    ServeStatistics, Server,
};
use tacket_std::{IoError, MonotonicClock, TcpListener, TcpStream};

use crate::Failure;
use crate::answer::{Answered, Conversation, Counts, add};
use crate::control::{Commands, cpu_seconds, say};
use crate::opening::{Ending, GREETING, OPENING, Opening};
use crate::wrongs::Wrongs;

/// What clients share that have no buffer of their own.
const SHARED_BUFFER: usize = 64 << 10;
/// More than the last clients need.
const GRACE: Duration = Duration::from_secs(5);

/// Serves until it is told to stop.
pub(crate) fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let address = listener.local_addr()?;
    let mut commands = Commands::new()?;
    let host = Host::new();
    let clock = MonotonicClock::new();
    let report = |event| host.hear_of(event);
    let server = Server::<_, _, _, _>::with_report(listener, clock, &host, report);
    say(&json!({ "listening": address.to_string() }));
    let serving = async {
        let served = server.run_unbounded().await;
        served.map_err(|error| format!("{error:?}").into())
    };
    let obeying = async {
        let mut taken = Vec::new();
        while let Some(command) = commands.next().await? {
            match command.split_once(' ') {
                None if command == "statistics" => say(&host.statistics(server.statistics())),
                None if command == "stop" => break,
                Some(("room", count)) => {
                    taken = make_room(count.parse()?)?;
                    say(&json!({ "taken": taken.len() }));
                }
                _ => return Err(format!("unknown command: {command}").into()),
            }
        }
        drop(taken);
        server.stop(GRACE);
        Ok::<_, Failure>(())
    };
    let (served, ()) = tacket_std::run(try_join(serving, obeying))??;
    say(&host.statistics(served));
    Ok(())
}

/// Lowers the limit of this process so that `count` more descriptors fit and no more, as long as what is returned is kept.
fn make_room(count: u64) -> Result<Vec<File>, Failure> {
    let mut above = 0;
    for entry in fs::read_dir("/proc/self/fd")? {
        let number: u64 = entry?.file_name().to_string_lossy().parse()?;
        above = above.max(number + 1);
    }
    // The limit is one of numbers, so those below that are free have to be taken.
    let mut taken = Vec::new();
    loop {
        let file = File::open("/dev/null")?;
        if u64::try_from(file.as_raw_fd())? >= above {
            break;
        }
        taken.push(file);
    }
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(above + count);
    setrlimit(Resource::Nofile, limit)?;
    Ok(taken)
}

/// Whom all clients talk to.
#[derive(Debug)]
struct Host {
    counts: Counts,
    next_seed: Cell<u64>,
    buffer: RefCell<Vec<u8>>,
    reset_by_clients: Cell<u64>,
    reset_by_server: Cell<u64>,
    /// How often the server told that the process has no descriptor left.
    full: Cell<u64>,
    wrongs: Wrongs,
}

/// Why a client was not served to its end.
#[derive(Debug)]
enum Departure {
    ResetByClient,
    ResetByServer,
    Wrong(String),
}

impl Host {
    fn new() -> Self {
        Self {
            counts: Counts::default(),
            next_seed: Cell::new(1),
            buffer: RefCell::new(vec![0; SHARED_BUFFER]),
            reset_by_clients: Cell::new(0),
            reset_by_server: Cell::new(0),
            full: Cell::new(0),
            wrongs: Wrongs::default(),
        }
    }

    fn hear_of(&self, event: ServeEvent<IoError, Departure>) {
        match event {
            ServeEvent::Full(error) if is_out_of_descriptors(&error) => add(&self.full, 1),
            ServeEvent::Failed(Departure::ResetByClient) => add(&self.reset_by_clients, 1),
            ServeEvent::Failed(Departure::ResetByServer) => add(&self.reset_by_server, 1),
            ServeEvent::Failed(Departure::Wrong(wrong)) => self.wrongs.add(wrong),
            other => self.wrongs.add(format!("{other:?}")),
        }
    }

    fn statistics(&self, server: ServeStatistics) -> Value {
        json!({
            "accepted": server.accepted,
            "active": server.active,
            "most_active": server.most_active,
            "completed": server.completed,
            "failed": server.failed,
            "cut": server.cut,
            "full": server.full,
            "told_full": self.full.get(),
            "reset_by_clients": self.reset_by_clients.get(),
            "reset_by_server": self.reset_by_server.get(),
            "received": self.counts.received.get(),
            "sent": self.counts.sent.get(),
            "short_sends": self.counts.short_sends.get(),
            "cpu_s": cpu_seconds(),
            "wrong": self.wrongs.count(),
            "first_wrongs": self.wrongs.first(),
        })
    }

    /// Greets a client, and hears what it wants.
    async fn greet(&self, stream: &mut TcpStream, seed: u64) -> Result<Opening, String> {
        let greeting: [u8; GREETING] = seed.to_le_bytes();
        let greeted = stream.send_all(&greeting).await;
        greeted.map_err(|error| format!("greeting: {error}"))?;
        let mut opening = [0; OPENING];
        let heard = stream.read_exact(&mut opening).await;
        heard.map_err(|error| format!("opening: {error:?}"))?;
        let opening = Opening::from_bytes(opening);
        opening.ok_or_else(|| "not an opening".to_owned())
    }
}

impl Handler<TcpStream> for &Host {
    type Error = Departure;

    async fn handle(&self, mut stream: TcpStream) -> Result<(), Departure> {
        let seed = self.next_seed.replace(self.next_seed.get() + 1);
        let opening = self.greet(&mut stream, seed).await;
        let opening = opening.map_err(Departure::Wrong)?;
        let mut conversation = Conversation {
            stream: &mut stream,
            counts: &self.counts,
            opening,
            heard: Pattern::new(opening.seed),
            said: Pattern::new(seed),
        };
        let answered = match opening.shares_buffer {
            true => conversation.have_by(&self.buffer).await,
            false => conversation.have().await,
        };
        match (opening.ending, answered) {
            (Ending::Orderly, Ok(Answered::All)) => {
                let closed = stream.close().await;
                closed.map_err(|error| Departure::Wrong(format!("closing: {error}")))
            }
            (Ending::ServerResets, Ok(Answered::Enough)) => {
                stream.close_forcefully();
                Err(Departure::ResetByServer)
            }
            (Ending::ClientResets, Err(trouble)) if trouble.is_reset() => {
                Err(Departure::ResetByClient)
            }
            (_, answered) => Err(Departure::Wrong(format!("{opening:?}: {answered:?}"))),
        }
    }
}

fn is_out_of_descriptors(error: &IoError) -> bool {
    let code = error.io_error().and_then(std::io::Error::raw_os_error);
    error.fault() == Fault::Capacity && code == Some(Errno::MFILE.raw_os_error())
}
