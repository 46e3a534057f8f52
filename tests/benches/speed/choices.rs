//! What the user may choose in every benchmark.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::peers::PeerName;
use crate::plan::Workload;

#[derive(Debug, Args)]
pub(crate) struct Choices {
    /// One short round, to see that everything works
    #[arg(long)]
    pub(crate) quick: bool,

    /// How many rounds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,

    /// Only these workloads, separated by commas
    #[arg(long, value_name = "WORKLOAD", value_delimiter = ',')]
    workloads: Vec<Workload>,

    /// Only these peers, separated by commas
    #[arg(long, value_name = "PEER", value_delimiter = ',')]
    peers: Vec<PeerName>,

    /// Count the system calls and instructions of a round trip instead
    #[arg(long)]
    pub(crate) counts: bool,

    /// Write the measurements to this file too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Put the tables and the chart into SPEED.md and speed.svg of the package that is measured
    #[arg(long)]
    pub(crate) write: bool,
}

impl Choices {
    pub(crate) fn peers(&self) -> Vec<PeerName> {
        let all = PeerName::value_variants().iter().copied();
        let wanted = |peer: &PeerName| self.peers.is_empty() || self.peers.contains(peer);
        all.filter(wanted).collect()
    }

    pub(crate) fn workloads(&self) -> impl Iterator<Item = Workload> {
        let all = Workload::value_variants().iter().copied();
        all.filter(|it| self.workloads.is_empty() || self.workloads.contains(it))
    }
}

/// The name of a value, as a command line has it.
pub(crate) fn name(value: impl ValueEnum) -> String {
    let value = value.to_possible_value().expect("no value is hidden");
    value.get_name().to_owned()
}
