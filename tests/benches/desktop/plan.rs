//! What is measured, and by which number it is judged.

use clap::{Args, ValueEnum};

use crate::peers::PeerName;
use crate::speed::contender::Contender;
use crate::speed::figure::{CPU_S_PER_GB, CPU_US_EACH, Figure, GB, MEMORY, P50, P99, RATE};

/// The folder of the documents, seen from the tests.
pub(crate) const FOLDER: &str = "../backend-std";
/// The name of the table in them.
pub(crate) const FIGURES: &str = "desktop";
pub(crate) const CHART_TITLE: &str = "Times as good as tokio on one thread (longer is better)";

/// What a server reads into where nothing is known of what comes.
pub(crate) const BUFFER: usize = 4096;

/// The packages that the peers are made of.
pub(crate) const PACKAGES: [&str; 7] = [
    "mio",
    "tokio",
    "smol",
    "async-io",
    "async-executor",
    "async-net",
    "polling",
];

/// What everybody is compared to.
pub(crate) const BASE: Contender = Contender {
    peer: PeerName::TokioCt,
    setting: Setting {
        notsent_lowat: None,
    },
};

/// How a peer is measured that is measured more than once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Args)]
pub(crate) struct Setting {
    /// TCP_NOTSENT_LOWAT of the sockets
    #[arg(long)]
    pub(crate) notsent_lowat: Option<u32>,
}

impl Setting {
    /// What it adds to the name of a peer.
    pub(crate) fn suffix(self) -> String {
        let bytes = self.notsent_lowat;
        bytes.map_or_else(String::new, |bytes| format!("_lowat_{bytes}"))
    }

    /// The word of a command line that says the same.
    pub(crate) fn word(self) -> Option<String> {
        let bytes = self.notsent_lowat?;
        Some(format!("--notsent-lowat={bytes}"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Workload {
    /// 64 bytes there and back, both ends in one process on one processor
    PingPong,
    /// The same between two processes on one processor
    #[value(name = "ping-pong-2")]
    PingPong2,
    /// Bulk data in writes of 16 KiB, both ends in one process
    #[value(name = "bulk-16")]
    Bulk16,
    /// Bulk data in writes of 64 KiB, both ends in one process
    #[value(name = "bulk-64")]
    Bulk64,
    /// Bulk data in writes of 16 KiB between two processes
    #[value(name = "bulk-16-2")]
    Bulk16By2,
    /// Bulk data in writes of 64 KiB between two processes
    #[value(name = "bulk-64-2")]
    Bulk64By2,
    /// A server of 1,000 connections that ping-pong 64 bytes
    #[value(name = "many-1000")]
    Many1000,
    /// A server of 10,000 connections that ping-pong 64 bytes
    #[value(name = "many-10000")]
    Many10000,
    /// Connections for one byte there and back, both ends in one process
    Short,
}

/// What the processes of a workload do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// Round trips in one process or two.
    PingPong { processes: u32, count: u64 },
    /// Pieces of `size` bytes in one process or two.
    Bulk {
        processes: u32,
        size: usize,
        count: u64,
    },
    /// So many connections, and round trips of each.
    Many { connections: usize, rounds: u64 },
    /// So many connections, one after another.
    Short { count: u64 },
}

impl Workload {
    pub(crate) const fn work(self, quick: bool) -> Work {
        match self {
            Self::PingPong => ping_pong(1, quick),
            Self::PingPong2 => ping_pong(2, quick),
            Self::Bulk16 => bulk(1, 16, quick),
            Self::Bulk64 => bulk(1, 64, quick),
            Self::Bulk16By2 => bulk(2, 16, quick),
            Self::Bulk64By2 => bulk(2, 64, quick),
            Self::Many1000 => many(1_000, quick),
            Self::Many10000 => many(10_000, quick),
            Self::Short => Work::Short {
                count: if quick { 200 } else { 10_000 },
            },
        }
    }

    /// Whether `peer` takes part. Ten thousand threads are more than many systems give a user.
    pub(crate) const fn has(self, peer: PeerName) -> bool {
        !matches!((self, peer), (Self::Many10000, PeerName::Threads))
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::PingPong => "Ping-pong, one thread",
            Self::PingPong2 => "Ping-pong, two processes",
            Self::Bulk16 => "Bulk by 16 KiB, one thread",
            Self::Bulk64 => "Bulk by 64 KiB, one thread",
            Self::Bulk16By2 => "Bulk by 16 KiB, two processes",
            Self::Bulk64By2 => "Bulk by 64 KiB, two processes",
            Self::Many1000 => "1,000 connections",
            Self::Many10000 => "10,000 connections",
            Self::Short => "Short connections",
        }
    }

    /// What it is judged by, the main number first.
    pub(crate) const fn figures(self) -> &'static [Figure] {
        const CPU_US: Figure = Figure::less("cpu_us", "CPU of the server, us a round trip");
        match self {
            Self::PingPong | Self::PingPong2 => &[P50, P99],
            Self::Bulk16 | Self::Bulk64 | Self::Bulk16By2 | Self::Bulk64By2 => &[CPU_S_PER_GB, GB],
            Self::Many1000 | Self::Many10000 => &[CPU_US, MEMORY],
            Self::Short => &[CPU_US_EACH, RATE],
        }
    }
}

const fn ping_pong(processes: u32, quick: bool) -> Work {
    Work::PingPong {
        processes,
        count: if quick { 1_000 } else { 100_000 },
    }
}

const fn bulk(processes: u32, kib: usize, quick: bool) -> Work {
    let mib = if quick { 32 } else { 4096 };
    Work::Bulk {
        processes,
        size: kib << 10,
        count: (mib << 10) / kib as u64,
    }
}

const fn many(connections: usize, quick: bool) -> Work {
    let round_trips = if quick { 1 } else { 300_000 };
    Work::Many {
        connections,
        rounds: (round_trips as u64).div_ceil(connections as u64),
    }
}
