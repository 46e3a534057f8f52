//! One end of the load test: a server, or all of its clients. It is told what to do by lines on standard input, and answers each with an
//! object on a line of standard output.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::large_futures,
    reason = "a test that goes wrong may as well stop"
)]

extern crate alloc;

mod answer;
mod clients;
mod control;
mod conversation;
mod dtls;
mod opening;
mod plan;
mod server;
mod wrongs;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::clients::Crowd;
use crate::dtls::Fleet;

/// Why this cannot go on.
type Failure = Box<dyn core::error::Error>;

/// One end of the load test, which starts both.
#[derive(Debug, Parser)]
#[command(name = "load_part")]
struct Options {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Serve whoever comes
    Server,
    /// Be many clients of a server
    Clients(Crowd),
    /// Be many clients of a server of DTLS
    DtlsClients(Fleet),
}

fn main() -> ExitCode {
    let played = prepare().and_then(|()| match Options::parse().part {
        Part::Server => server::serve(),
        Part::Clients(crowd) => clients::play(crowd),
        Part::DtlsClients(fleet) => dtls::play(&fleet),
    });
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("load_part: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Ends with the test that started this, and may have as many descriptors as the system allows.
fn prepare() -> Result<(), Failure> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}
