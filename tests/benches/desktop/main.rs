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

mod chart;
mod counts;
mod crowd;
mod game;
mod machine;
mod measure;
mod options;
mod part;
mod peers;
mod plan;
mod role;
mod rounds;
mod summary;
mod system;
mod values;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;
use tacket_tests::write_figures;

use crate::options::{Command, Options};

/// Why a measurement cannot go on.
type Failure = Box<dyn core::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.command {
        Some(Command::Part(part)) => role::play(part),
        None if options.counts => count(&options),
        None => measure(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("desktop: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Result<(), Failure> {
    let measured = rounds::measure(options)?;
    let table = measured.table();
    eprint!("{table}");
    if options.write {
        let folder = backend();
        let document = folder.join("SPEED.md");
        write_figures(&document, "machine", &machine::table()?)?;
        write_figures(&document, "desktop", &table)?;
        chart::draw(&measured, &folder.join("speed.svg"))?;
    }
    Ok(())
}

fn count(options: &Options) -> Result<(), Failure> {
    let table = counts::table(options)?;
    eprint!("{table}");
    if options.write {
        write_figures(&backend().join("SPEED.md"), "counts", &table)?;
    }
    Ok(())
}

/// Where the backend's documents are.
fn backend() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "backend-std"]
        .iter()
        .collect()
}
