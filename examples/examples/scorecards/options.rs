//! What the user may choose.

use clap::{Parser, ValueEnum};

/// Runs Tacket's contract suite on streams of other crates, and on its own.
#[derive(Debug, Parser)]
#[command(name = "scorecards", max_term_width = 100)]
pub(crate) struct Options {
    /// Only these streams, separated by commas
    #[arg(
        long,
        value_name = "STREAM",
        value_delimiter = ',',
        conflicts_with = "write"
    )]
    streams: Vec<Which>,

    /// Write the cards to core/SCORECARDS.md too
    #[arg(long)]
    pub(crate) write: bool,

    /// Print one JSON object a clause instead of the cards
    #[arg(long)]
    pub(crate) json: bool,
}

/// A stream that gets a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    Tokio,
    Smol,
    EmbassyNet,
    TacketStd,
    TacketEmbassy,
}

impl Options {
    /// The streams to examine, each once, in their order.
    pub(crate) fn streams(&self) -> impl Iterator<Item = Which> {
        let all = Which::value_variants().iter().copied();
        all.filter(|which| self.streams.is_empty() || self.streams.contains(which))
    }
}
