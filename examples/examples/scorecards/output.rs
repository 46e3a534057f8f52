//! The cards as text, as JSON, and as a document.

use core::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::json;
use tacket::testing::{Clause, Outcome};

use crate::card::Card;

/// What was built with: the versions are read from here.
const LOCK: &str = include_str!("../../../Cargo.lock");

/// The crates whose versions matter.
const CRATES: [&str; 7] = [
    "tacket",
    "tokio",
    "async-net",
    "async-io",
    "embassy-net",
    "embedded-io-adapters",
    "embedded-io-async",
];

const INTRODUCTION: &str = "\
# Scorecards

The functions that check a stream of Tacket check any stream. Here is what `check_half_closeable_stream` finds on streams of other
crates, and on Tacket's own beside them. Those crates keep contracts of their own. A clause that is listed here says where theirs
and Tacket's differ, and what a protocol that relies on Tacket's contract would meet there. What `Foreign` and `CloseOnEof` repair
passes: each card says what is around its stream. STR-16 is skipped behind `Foreign`, which has no wait for room to offer.
TKT-12 is skipped where a stream that is dropped looks to its peer like one that has ended.

    cargo run --release -p tacket-examples --example scorecards -- --write

prints these cards and writes this file. The sockets of the operating system are on the loopback interface of Linux.
A clause runs in each direction, on connections of its own.
";

/// The card for a terminal.
pub(crate) fn text(card: &Card) -> String {
    let mut text = format!("{}\n{}\n{}\n", card.heading, card.wrapping, card.summary);
    for (clause, outcome) in differences(card) {
        let _ = writeln!(text, "{}", clause.as_text(outcome));
    }
    text + "\n"
}

/// The clauses that did not pass.
fn differences(card: &Card) -> impl Iterator<Item = &(Clause, Outcome)> {
    let clauses = card.clauses.iter();
    clauses.filter(|(_, outcome)| !matches!(outcome, Outcome::Passed))
}

/// An object for every clause, one a line: the kit's, and the stream in front of it.
pub(crate) fn json(card: &Card) -> String {
    let stream = json!(card.stream);
    let mut lines = String::new();
    for (clause, outcome) in &card.clauses {
        let object = clause.as_json(outcome).to_string();
        let members = object.trim_start_matches('{');
        let _ = writeln!(lines, "{{\"stream\":{stream},{members}");
    }
    lines
}

/// Writes the document.
pub(crate) fn write(cards: &[Card]) -> io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/SCORECARDS.md");
    fs::write(path, document(cards))
}

fn document(cards: &[Card]) -> String {
    let mut document = INTRODUCTION.to_owned();
    let versions = CRATES.map(|name| format!("{name} {}", versions(name)));
    document += &format!("\nVersions: {}.\n", versions.join(", "));
    for card in cards {
        let Card {
            heading, wrapping, ..
        } = card;
        document += &format!("\n## {heading}\n\n{wrapping}\n\n{}\n", card.summary);
        for (line, (clause, outcome)) in differences(card).enumerate() {
            let space = if line == 0 { "\n" } else { "" };
            document += &format!("{space}- {clause}: {outcome}\n");
        }
    }
    document
}

/// The version of a crate in the lock file; all of them if there are several.
fn versions(name: &str) -> String {
    let name = format!("\nname = \"{name}\"\nversion = \"");
    let versions = LOCK
        .split("[[package]]")
        .filter_map(|package| package.strip_prefix(&name)?.split('"').next());
    versions.collect::<Vec<_>>().join(" and ")
}
