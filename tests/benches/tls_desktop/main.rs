//! How fast TLS over TCP is beside tokio-rustls, futures-rustls on smol and a hand-written loop over rustls: ping-pongs, bulk data,
//! handshakes and the memory of idle connections. All peers take turns in one run; the medians count. A ratio is the median of those
//! within a round.
//!
//! `tls_desktop` takes all, in some minutes; `tls_desktop --help` shows the choices. What happens in the process alone, without any
//! socket, `tls_throughput` measures.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::large_futures,
    reason = "a measurement that goes wrong may as well stop"
)]

extern crate alloc;

mod crowd;
mod ends;
mod layer;
mod measure;
mod peers;
mod plan;
mod socket;
#[path = "../speed/mod.rs"]
mod speed;

use std::process::ExitCode;

use clap::Parser;

use crate::plan::Setting;
use crate::speed::choices::Choices;
use crate::speed::contender::Contender;
use crate::speed::part::Play;

/// How fast TLS over TCP is beside others.
///
/// All peers take turns in one run, round by round, with the same provider and cipher suite. Each measurement is a JSON object on a
/// line of standard output; the table follows on standard error.
#[derive(Debug, Parser)]
#[command(name = "tls_desktop", max_term_width = 100)]
struct Options {
    #[command(subcommand)]
    play: Option<Play>,

    #[command(flatten)]
    choices: Choices,
}

fn main() -> ExitCode {
    let Options { play, choices } = Options::parse();
    let peers = choices.peers().into_iter();
    let contenders = peers.map(|peer| Contender {
        peer,
        setting: Setting::default(),
    });
    let contenders = contenders.collect();
    speed::run(play.as_ref(), &choices, contenders)
}
