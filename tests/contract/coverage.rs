//! The table of `COVERAGE.md`, kept true.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tacket::testing::{Direction, Makers, MemoryPair, check_half_closeable_stream};
use tacket_tests::{Patience, Recorder, examine_in};

/// How many ids each group has. The next group begins here when its part is built.
const GROUPS: [(&str, usize); 20] = [
    ("RES", 8),
    ("STR", 30),
    ("STA", 6),
    ("SSL", 37),
    ("SSH", 7),
    ("DTL", 36),
    ("CHN", 30),
    ("GEN", 3),
    ("LIS", 12),
    ("SOC", 17),
    ("SLI", 6),
    ("TCL", 9),
    ("HEB", 18),
    ("UNX", 3),
    ("MEM", 24),
    ("LCK", 7),
    ("TST", 12),
    ("EMB", 29),
    ("FRM", 19),
    ("HIL", 5),
];

struct Row {
    id: String,
    how: String,
    place: String,
}

fn table() -> Vec<Row> {
    include_str!("../COVERAGE.md")
        .lines()
        .filter(|line| {
            line.starts_with("| ") && !line.starts_with("| id") && !line.starts_with("| ---")
        })
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [id, _, how, place] = cells[..] else {
                panic!("not four cells: {line}")
            };
            Row {
                id: id.to_owned(),
                how: how.to_owned(),
                place: place.trim_matches('`').to_owned(),
            }
        })
        .collect()
}

fn examined() -> Recorder {
    let pair = MemoryPair::new([0; 300], [0; 300]);
    let make = async || pair.open().expect("the last pair is gone");
    let mut patience = Patience::memory();
    patience.duplex_bytes = 1 << 12;
    examine_in(&mut [0; 1024], patience, async |e| {
        check_half_closeable_stream(e, Makers::new(make, make)).await;
    })
}

#[test]
fn every_id_stands_in_the_table_once() {
    let mut counts = BTreeMap::new();
    for row in table() {
        *counts.entry(row.id).or_insert(0) += 1;
    }
    let ids = GROUPS
        .iter()
        .flat_map(|(group, count)| (1..=*count).map(move |number| format!("{group}-{number:02}")));
    for id in ids {
        assert_eq!(counts.get(&id), Some(&1), "{id}");
    }
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
}

#[test]
fn the_clauses_of_the_table_are_those_that_run_and_pass() {
    let listed: BTreeSet<_> = table()
        .into_iter()
        .filter(|row| row.how == "clause")
        .map(|row| row.id)
        .collect();
    let passed: BTreeSet<_> = examined().passed().into_iter().map(str::to_owned).collect();
    assert_eq!(listed, passed);
}

#[test]
fn every_test_of_the_table_exists_and_names_its_id() {
    let tests = table().into_iter().filter(|row| row.how == "test");
    let tests: Vec<_> = tests.collect();
    let places = tests
        .iter()
        .flat_map(|row| row.place.split("`, `").map(move |place| (row, place)));
    for (row, place) in places {
        let (module, name) = place.rsplit_once("::").expect("a path with a module");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(module.replace("::", "/") + ".rs");
        let text = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{}: {}: {error}", row.id, file.display()));
        let lines: Vec<_> = text.lines().collect();
        let at = lines
            .iter()
            .position(|line| line.trim_start().starts_with(&format!("fn {name}(")))
            .unwrap_or_else(|| panic!("{}: no {name} in {}", row.id, file.display()));
        let above: Vec<_> = lines[..at]
            .iter()
            .rev()
            .take_while(|line| !line.is_empty())
            .collect();
        assert!(
            above.iter().any(|line| line.contains("#[test]")),
            "{name} is no test"
        );
        let covers = |line: &&str| line.contains("Covers ") && line.contains(&row.id);
        assert!(
            above.into_iter().any(covers),
            "{name} does not say that it covers {}",
            row.id
        );
    }
}

#[test]
fn what_no_test_covers_says_why() {
    for row in table() {
        match row.how.as_str() {
            "types" | "later" => assert!(row.place.len() > 20, "{} gives no reason", row.id),
            "clause" | "test" => {}
            other => panic!("{}: “{other}” is no way to cover it", row.id),
        }
    }
}

/// Covers STR-21.
#[test]
fn every_clause_of_one_direction_runs_in_the_other_too() {
    let recorder = examined();
    let ids = |direction| -> BTreeSet<_> {
        let clauses = recorder.clauses().iter();
        clauses
            .filter(|(clause, _)| clause.direction == direction)
            .map(|(c, _)| c.id)
            .collect()
    };
    let forward = ids(Direction::Forward);
    assert!(forward.len() > 20);
    assert_eq!(forward, ids(Direction::Backward));
}
