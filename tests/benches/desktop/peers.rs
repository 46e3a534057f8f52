//! Who takes part.

use clap::ValueEnum;

use crate::speed::part::PartOptions;
use crate::speed::peers::Peer;
use crate::speed::peers::raw_mio::RawMio;
use crate::speed::peers::smol::Smol;
use crate::speed::peers::tacket::Tacket;
use crate::speed::peers::tokio::Tokio;
use crate::threads::Threads;

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

/// The peer of a part.
pub(crate) fn of(options: &PartOptions) -> Box<dyn Peer> {
    match options.peer {
        PeerName::Tacket => Box::new(Tacket::new(options.setting)),
        PeerName::RawMio => Box::new(RawMio),
        PeerName::TokioCt => Box::new(Tokio::current_thread()),
        PeerName::TokioMt => Box::new(Tokio::new(two_workers())),
        PeerName::Smol => Box::new(Smol),
        PeerName::Threads => Box::new(Threads),
    }
}

fn two_workers() -> tokio::runtime::Builder {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2);
    builder
}
