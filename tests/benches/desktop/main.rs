//! How fast the desktop backend is beside a hand-written loop, tokio, smol and threads: ping-pongs, bulk data, many connections and short
//! ones. All peers take turns in one run; the medians count. A ratio is the median of those within a round.
//!
//! `desktop` takes all, in about ten minutes; `desktop --help` shows the choices. Each measurement runs in processes of its own:
//! the program starts itself, and tells the copies which part they play.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::large_futures,
    reason = "a measurement that goes wrong may as well stop"
)]

extern crate alloc;

mod crowd;
mod layer;
mod measure;
mod peers;
mod plan;
#[path = "../speed/mod.rs"]
mod speed;
mod threads;

use std::process::ExitCode;

use clap::Parser;

use crate::peers::PeerName;
use crate::plan::Setting;
use crate::speed::choices::Choices;
use crate::speed::contender::Contender;
use crate::speed::part::Play;

/// How fast the desktop backend is beside others.
///
/// All peers take turns in one run, round by round. Each measurement is a JSON object on a line of standard output; the table
/// follows on standard error.
#[derive(Debug, Parser)]
#[command(name = "desktop", max_term_width = 100)]
struct Options {
    #[command(subcommand)]
    play: Option<Play>,

    #[command(flatten)]
    choices: Choices,

    /// Measure this backend once more with this much unsent data at most (TCP_NOTSENT_LOWAT)
    #[arg(long, value_name = "BYTES")]
    notsent_lowat: Option<u32>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let contender = |peer| Contender {
        peer,
        setting: Setting::default(),
    };
    let peers = options.choices.peers().into_iter();
    let mut contenders: Vec<_> = peers.map(contender).collect();
    contenders.extend(options.notsent_lowat.map(|bytes| Contender {
        peer: PeerName::Tacket,
        setting: Setting {
            notsent_lowat: Some(bytes),
        },
    }));
    speed::run(options.play.as_ref(), &options.choices, contenders)
}
