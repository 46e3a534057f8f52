//! What the user may choose, and what the program says to the parts that it starts.

use core::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::plan::Workload;

/// How fast the desktop backend is beside others.
///
/// All peers take turns in one run, round by round. Each measurement is a JSON object on a line of standard output; the table
/// follows on standard error.
#[derive(Debug, Parser)]
#[command(name = "desktop", max_term_width = 100)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// One short round, to see that everything works
    #[arg(long)]
    pub(crate) quick: bool,

    /// How many rounds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,

    /// Only these workloads, separated by commas
    #[arg(long, value_name = "WORKLOAD", value_delimiter = ',')]
    pub(crate) workloads: Vec<Workload>,

    /// Only these peers, separated by commas
    #[arg(long, value_name = "PEER", value_delimiter = ',')]
    pub(crate) peers: Vec<PeerName>,

    /// Count the system calls and instructions of a round trip instead
    #[arg(long)]
    pub(crate) counts: bool,

    /// Measure this backend once more with this much unsent data at most (TCP_NOTSENT_LOWAT)
    #[arg(long, value_name = "BYTES")]
    pub(crate) notsent_lowat: Option<u32>,

    /// Write the measurements to this file too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Put the table and the chart into backend-std/SPEED.md and speed.svg
    #[arg(long)]
    pub(crate) write: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Be one part of a measurement
    Part(PartOptions),
}

/// What one process of a measurement does.
#[derive(Clone, Debug, Args)]
pub(crate) struct PartOptions {
    pub(crate) role: Role,

    pub(crate) peer: PeerName,

    /// How many round trips, pieces or connections there are
    pub(crate) count: u64,

    /// How many bytes a piece has, or how many connections a crowd
    #[arg(long, default_value_t = 1)]
    pub(crate) size: usize,

    /// Run on this processor alone
    #[arg(long)]
    pub(crate) cpu: Option<usize>,

    /// Where the other end listens
    #[arg(long)]
    pub(crate) address: Option<SocketAddr>,

    /// Look at no clock for a round trip
    #[arg(long)]
    pub(crate) untimed: bool,

    /// TCP_NOTSENT_LOWAT of the sockets
    #[arg(long)]
    pub(crate) notsent_lowat: Option<u32>,
}

impl PartOptions {
    pub(crate) const fn new(role: Role, peer: PeerName, count: u64) -> Self {
        Self {
            role,
            peer,
            count,
            size: 1,
            cpu: None,
            address: None,
            untimed: false,
            notsent_lowat: None,
        }
    }

    /// The words of a command line that says the same.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = vec![
            "part".to_owned(),
            name(self.role),
            name(self.peer),
            self.count.to_string(),
            format!("--size={}", self.size),
        ];
        words.extend(self.cpu.map(|cpu| format!("--cpu={cpu}")));
        words.extend(self.address.map(|address| format!("--address={address}")));
        words.extend(self.untimed.then(|| "--untimed".to_owned()));
        let lowat = self.notsent_lowat;
        words.extend(lowat.map(|bytes| format!("--notsent-lowat={bytes}")));
        words
    }
}

/// Which end, or ends, of which conversation a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Both ends of a ping-pong
    PingPong,
    /// The end that asks
    Ask,
    /// The end that answers one connection
    Answer,
    /// Both ends of a bulk transfer
    Bulk,
    /// The end that sends
    Send,
    /// The end that receives
    Receive,
    /// The server of a crowd, until it is killed
    Serve,
    /// The clients of a crowd; whose they are does not matter
    Crowd,
    /// Both ends of short connections, one after another
    Short,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum PeerName {
    /// This backend
    Tacket,
    /// State machines by hand
    RawMio,
    /// tokio, current-thread
    TokioCt,
    /// tokio, two workers
    TokioMt,
    /// smol, with a local executor
    Smol,
    /// The standard library, a thread a connection
    Threads,
}

impl PeerName {
    /// Whether all of it runs on one thread.
    pub(crate) const fn is_one_thread(self) -> bool {
        !matches!(self, Self::TokioMt | Self::Threads)
    }
}

/// The name of a value, as a command line has it.
pub(crate) fn name(value: impl ValueEnum) -> String {
    let value = value.to_possible_value().expect("no value is hidden");
    value.get_name().to_owned()
}
