//! The contract suite on streams of other crates, beside Tacket's own: a card for each.
//!
//! `cargo run --release -p tacket-examples --example scorecards` prints the cards; with `--write` they go into
//! `core/SCORECARDS.md` too, with `--json` each clause is an object.

#![allow(
    clippy::large_futures,
    reason = "a desktop program has the stack for them"
)]

extern crate alloc;

mod card;
mod on_embassy;
mod on_smol;
mod on_std;
mod on_tokio;
mod options;
mod output;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use crate::card::Card;
use crate::options::{Options, Which};

fn main() -> ExitCode {
    let options = Options::parse();
    let mut cards = Vec::new();
    for which in options.streams() {
        let card = match take(which) {
            Ok(card) => card,
            Err(error) => return fail(&error),
        };
        let text = match options.json {
            true => output::json(&card),
            false => output::text(&card),
        };
        if let Err(error) = io::stdout().write_all(text.as_bytes()) {
            return fail(&error);
        }
        cards.push(card);
    }
    if options.write
        && let Err(error) = output::write(&cards)
    {
        return fail(&error);
    }
    ExitCode::SUCCESS
}

fn take(which: Which) -> io::Result<Card> {
    match which {
        Which::Tokio => on_tokio::card(),
        Which::Smol => on_smol::card(),
        Which::EmbassyNet => Ok(on_embassy::bare_card()),
        Which::TacketStd => on_std::card(),
        Which::TacketEmbassy => Ok(on_embassy::card()),
    }
}

fn fail(error: &io::Error) -> ExitCode {
    let _: Result<(), _> = writeln!(io::stderr(), "scorecards: {error}");
    ExitCode::FAILURE
}
