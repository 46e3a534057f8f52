//! Who takes part.

use clap::ValueEnum;

use crate::ends;
use crate::speed::part::PartOptions;
use crate::speed::peers::Peer;
use crate::speed::peers::raw_mio::RawMio;
use crate::speed::peers::smol::Smol;
use crate::speed::peers::tacket::Tacket;
use crate::speed::peers::tokio::Tokio;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum PeerName {
    /// TlsStream over the desktop backend
    Tacket,
    /// State machines by hand over mio and rustls' connections
    RawMio,
    /// tokio-rustls, current-thread
    TokioRustls,
    /// futures-rustls over smol, with a local executor
    FuturesRustls,
}

impl PeerName {
    /// Whether all of it runs on one thread: everybody does.
    pub(crate) const fn is_one_thread(self) -> bool {
        true
    }
}

/// The peer of a part.
pub(crate) fn of(options: &PartOptions) -> Box<dyn Peer> {
    ends::prepare(options.setting);
    match options.peer {
        PeerName::Tacket => Box::new(Tacket::new(options.setting)),
        PeerName::RawMio => Box::new(RawMio),
        PeerName::TokioRustls => Box::new(Tokio::current_thread()),
        PeerName::FuturesRustls => Box::new(Smol),
    }
}
