//! Firmware that tests itself: the contract over the board's own network, and the driver below it.

use alloc::collections::BTreeSet;

use tacket::testing::{Clause, Makers, MemoryPair, check_half_closeable_stream};
use tacket_tests::{Patience, examine};

use crate::images::boot_test;

/// What the image prints before the name of a clause.
const LABEL: &str = "clause ";

/// Covers FRM-01.
#[test]
fn streams_on_the_target_keep_the_contract_clause_by_clause() {
    let guest = boot_test("contract")
        .argument("address=192.168.77.1")
        .start()
        .unwrap();
    let finished = guest.finish().unwrap_or_else(|error| panic!("{error}"));
    let lines = finished.lines.iter();
    let reported: BTreeSet<&str> = lines.filter_map(|line| line.strip_prefix(LABEL)).collect();
    let wanted: Vec<String> = clauses()
        .iter()
        .map(|clause| format!("{clause}: passed"))
        .collect();
    let wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
    assert_eq!(reported, wanted);
}

/// All that the same check looks at on the desktop.
fn clauses() -> Vec<Clause> {
    let pair = MemoryPair::new([0; 64], [0; 64]);
    let make = async || pair.open().unwrap();
    let recorder = examine(Patience::memory(), async |examiner| {
        check_half_closeable_stream(examiner, Makers::new(make, make)).await;
    });
    let clauses = recorder.clauses().iter();
    clauses.map(|(clause, _)| *clause).collect()
}

/// Covers FRM-02.
#[test]
fn the_driver_of_the_controller_gets_every_frame_back() {
    let guest = boot_test("loopback").start().unwrap();
    let finished = guest.finish().unwrap_or_else(|error| panic!("{error}"));
    for line in [
        "every length came back",
        "bursts came back in order",
        "each frame interrupted",
    ] {
        assert!(finished.lines.iter().any(|said| said == line), "{line}");
    }
}
