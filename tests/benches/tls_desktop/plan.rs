//! What is measured, and by which number it is judged.

use clap::{Args, ValueEnum};

use crate::peers::PeerName;
use crate::speed::contender::Contender;
use crate::speed::figure::{CPU_S_PER_GB, CPU_US_EACH, Figure, GB, MEMORY, P50, P99, RATE};

/// The folder of the documents, seen from the tests.
pub(crate) const FOLDER: &str = "../tls";
/// The name of the table in them.
pub(crate) const FIGURES: &str = "tls_desktop";
pub(crate) const CHART_TITLE: &str =
    "Times as good as tokio-rustls on one thread (longer is better)";

/// What a server reads into where nothing is known of what comes.
pub(crate) const BUFFER: usize = 512;

/// The packages that the peers are made of.
pub(crate) const PACKAGES: [&str; 8] = [
    "rustls",
    "ring",
    "mio",
    "tokio",
    "tokio-rustls",
    "smol",
    "async-io",
    "futures-rustls",
];

/// What everybody is compared to.
pub(crate) const BASE: Contender = Contender {
    peer: PeerName::TokioRustls,
    setting: Setting { resume: false },
};

/// What a part can do in two ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Args)]
pub(crate) struct Setting {
    /// Resume the session before, but for the first
    #[arg(long)]
    pub(crate) resume: bool,
}

impl Setting {
    /// What it adds to the name of a peer.
    pub(crate) const fn suffix(self) -> &'static str {
        ""
    }

    /// The word of a command line that says the same.
    pub(crate) fn word(self) -> Option<String> {
        self.resume.then(|| "--resume".to_owned())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Workload {
    /// 64 bytes there and back
    PingPong,
    /// Bulk data in writes of 16 KiB
    #[value(name = "bulk-16")]
    Bulk16,
    /// Bulk data in writes of 64 KiB
    #[value(name = "bulk-64")]
    Bulk64,
    /// Connections for one byte there and back, each with a handshake of its own
    Full,
    /// The same, each resuming an earlier session
    Resumed,
    /// A server of 1,000 connections that have said something once
    #[value(name = "idle-1000")]
    Idle1000,
}

/// What the processes of a workload do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// Round trips.
    PingPong { count: u64 },
    /// Pieces of `size` bytes.
    Bulk { size: usize, count: u64 },
    /// So many connections, one after another.
    Handshakes { resume: bool, count: u64 },
    /// So many connections at once.
    Idle { connections: usize },
}

impl Workload {
    pub(crate) const fn work(self, quick: bool) -> Work {
        let handshakes = if quick { 20 } else { 3_000 };
        match self {
            Self::PingPong => Work::PingPong {
                count: if quick { 1_000 } else { 100_000 },
            },
            Self::Bulk16 => bulk(16, quick),
            Self::Bulk64 => bulk(64, quick),
            Self::Full | Self::Resumed => Work::Handshakes {
                resume: matches!(self, Self::Resumed),
                count: handshakes,
            },
            Self::Idle1000 => Work::Idle {
                connections: if quick { 20 } else { 1_000 },
            },
        }
    }

    /// Whether `peer` takes part: everybody does.
    pub(crate) const fn has(self, _: PeerName) -> bool {
        true
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::PingPong => "Ping-pong",
            Self::Bulk16 => "Bulk by 16 KiB",
            Self::Bulk64 => "Bulk by 64 KiB",
            Self::Full => "Full handshakes",
            Self::Resumed => "Resumed handshakes",
            Self::Idle1000 => "1,000 idle connections",
        }
    }

    /// What it is judged by, the main number first.
    pub(crate) const fn figures(self) -> &'static [Figure] {
        match self {
            Self::PingPong => &[P50, P99],
            Self::Bulk16 | Self::Bulk64 => &[CPU_S_PER_GB, GB],
            Self::Full | Self::Resumed => &[CPU_US_EACH, RATE],
            Self::Idle1000 => &[MEMORY],
        }
    }
}

const fn bulk(kib: usize, quick: bool) -> Work {
    let mib = if quick { 16 } else { 1024 };
    Work::Bulk {
        size: kib << 10,
        count: (mib << 10) / kib as u64,
    }
}
