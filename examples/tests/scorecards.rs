//! The scorecards as their users make them, and whether the document has what they say.

#![cfg(target_os = "linux")]

extern crate alloc;

use alloc::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

/// The streams, and how their cards in the document begin.
const CARDS: [(&str, &str); 5] = [
    ("tokio", "`TcpStream` of tokio"),
    ("smol", "`TcpStream` of smol (async-net)"),
    ("embassy-net", "`TcpSocket` of embassy-net"),
    ("tacket-std", "`TcpStream` of tacket-std"),
    ("tacket-embassy", "`TcpStream` of tacket-embassy"),
];

const OUR_OWN: [&str; 2] = ["tacket-std", "tacket-embassy"];

/// Every clause of every stream, examined once for all tests.
static CLAUSES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let output = scorecards(&["--json"]);
    assert!(output.status.success(), "{output:?}");
    stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
});

/// The example, which cargo builds before it runs the tests of a package, unless it is told which.
fn program() -> PathBuf {
    let test = env::current_exe().expect("this test");
    let profile = test.ancestors().nth(2).expect("target/PROFILE/deps");
    let program = profile.join("examples/scorecards");
    assert!(
        program.exists(),
        "cargo build -p tacket-examples --example scorecards"
    );
    program
}

fn scorecards(arguments: &[&str]) -> Output {
    Command::new(program())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the example starts")
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).expect("text")
}

/// The ids and directions of the clauses of a stream that came out so, such as `STR-08 (forward)`.
fn examined(stream: &str, result: &str) -> BTreeSet<String> {
    CLAUSES
        .iter()
        .filter(|clause| clause["stream"] == stream && clause["outcome"] == result)
        .map(|clause| {
            let [id, direction] = ["id", "direction"].map(|key| clause[key].as_str());
            format!("{} ({})", id.expect("text"), direction.expect("text"))
        })
        .collect()
}

/// The cards of the document, by their headings.
fn documented() -> BTreeMap<String, String> {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/SCORECARDS.md");
    let document = fs::read_to_string(document).expect("the document");
    document
        .split("\n## ")
        .skip(1)
        .map(|card| {
            let (heading, card) = card.split_once('\n').expect("a card below its heading");
            (heading.to_owned(), card.to_owned())
        })
        .collect()
}

/// The ids and directions of the listed clauses that came out so.
fn listed(card: &str, result: &str) -> BTreeSet<String> {
    let clauses = card.lines().filter_map(|line| line.strip_prefix("- "));
    clauses
        .filter(|clause| clause.contains(&format!(": {result}: ")))
        .filter_map(|clause| clause.split_once(':'))
        .map(|(clause, _)| clause.to_owned())
        .collect()
}

#[test]
fn no_clause_fails_on_our_own_streams() {
    for stream in OUR_OWN {
        assert!(!examined(stream, "passed").is_empty(), "{stream}");
        assert_eq!(examined(stream, "failed"), BTreeSet::new(), "{stream}");
        assert_eq!(examined(stream, "skipped"), BTreeSet::new(), "{stream}");
    }
}

#[test]
fn the_document_lists_the_clauses_that_fail_and_those_that_are_skipped() {
    let documented = documented();
    assert_eq!(documented.len(), CARDS.len());
    for (stream, heading) in CARDS {
        let card = &documented[heading];
        for (result, listed_as) in [("failed", "FAILED"), ("skipped", "skipped")] {
            assert_eq!(
                examined(stream, result),
                listed(card, listed_as),
                "{stream}"
            );
        }
        let counts = ["passed", "failed", "skipped"]
            .map(|result| format!("{} {result}", examined(stream, result).len()));
        assert!(card.contains(&counts.join(", ")), "{stream}: {card}");
    }
}

#[test]
fn every_stream_is_examined_by_the_same_clauses() {
    let clauses = |stream: &str| -> Vec<_> {
        let of_stream = CLAUSES.iter().filter(|clause| clause["stream"] == stream);
        of_stream
            .map(|clause| (&clause["id"], &clause["direction"], &clause["rule"]))
            .collect()
    };
    for (stream, _) in CARDS {
        assert_eq!(clauses(stream), clauses("tacket-std"), "{stream}");
    }
}

#[test]
fn a_violation_is_told_in_its_parts() {
    for clause in CLAUSES.iter() {
        let is_text = |key: &str| clause[key].is_string();
        let failed = clause["outcome"] == "failed";
        assert_eq!([is_text("expected"), is_text("found")], [failed; 2]);
        assert_eq!(is_text("reason"), clause["outcome"] == "skipped");
    }
}

#[test]
fn streams_can_be_chosen_and_come_once_in_their_order() {
    let output = scorecards(&["--streams", "tacket-embassy,embassy-net,tacket-embassy"]);
    assert!(output.status.success(), "{output:?}");
    let headings: Vec<_> = stdout(&output)
        .lines()
        .filter(|line| line.starts_with('`'))
        .collect();
    let expected = [
        "`TcpSocket` of embassy-net",
        "`TcpStream` of tacket-embassy",
    ];
    assert_eq!(headings, expected);
}

#[test]
fn a_document_of_some_streams_only_is_refused() {
    let output = scorecards(&["--write", "--streams", "tokio"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
