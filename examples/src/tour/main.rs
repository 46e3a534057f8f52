//! The tour: the same two protocols over every kind of stream, every byte verified.
//!
//! `cargo run --release` takes all of it, `cargo run --release -- --help` shows the choices.

#![allow(
    clippy::large_futures,
    reason = "a desktop program has the stack for them"
)]

#[cfg(unix)]
mod child;
#[cfg(unix)]
mod firmware_rows;
mod identity;
mod options;
mod progress;
mod proxy;
mod report;
mod rows;
mod tls_rows;
mod visit;

use core::time::Duration;
use std::process::ExitCode;

use clap::Parser as _;
use tacket::timeout;
use tacket_std::MonotonicClock;

use crate::options::Options;
use crate::progress::Progress;
use crate::report::{Outcome, Report};
use crate::rows::Row;
use crate::visit::{Failure, Visit};

fn main() -> ExitCode {
    let options = Options::parse();
    #[cfg(unix)]
    if let Some(protocol) = options.child {
        return child::serve(protocol);
    }
    let mut report = Report::new(&options);
    for row in options.rows() {
        let outcome = take(row, &options);
        report.add(row, outcome);
    }
    report.finish()
}

fn take(row: Row, options: &Options) -> Outcome {
    let limit = time_limit(options.bytes);
    let visit = Visit {
        bytes: options.bytes,
        #[cfg(unix)]
        limit,
        clock: MonotonicClock::new(),
        progress: Progress::start(row.name(), options.bytes),
        child_program: options.child_program.as_deref(),
    };
    let taken = tacket_std::run(timeout(&visit.clock, limit, row.take(&visit)));
    let outcome = match taken {
        Ok(Ok(Ok(time))) => Outcome::Verified(time),
        Ok(Ok(Err(Failure::Unavailable(reason)))) => Outcome::Unavailable(reason),
        Ok(Ok(Err(Failure::Failed(reason)))) => Outcome::Failed(reason),
        Ok(Err(_)) => Outcome::Failed(format!("hangs: not done after {} s", limit.as_secs())),
        Err(error) => Outcome::Failed(error.to_string()),
    };
    visit.progress.finish(&outcome.to_string());
    outcome
}

/// Two minutes, and a second for each MiB: nothing that works comes near it.
fn time_limit(bytes: u64) -> Duration {
    Duration::from_secs(120 + (bytes >> 20))
}
