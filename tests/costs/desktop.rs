//! The benchmark of the desktop backend, in its short form: everybody does everything. How fast does not matter here.

use alloc::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

const PEERS: [&str; 2] = ["raw_mio", "tacket"];

/// Each workload, with a number that nobody can have for nothing.
const WORKLOADS: [(&str, &str); 8] = [
    ("ping-pong", "p50_us"),
    ("ping-pong-2", "p50_us"),
    ("bulk-16", "gb_per_second"),
    ("bulk-64", "gb_per_second"),
    ("bulk-16-2", "gb_per_second"),
    ("bulk-64-2", "gb_per_second"),
    ("many-1000", "per_second"),
    ("short", "per_second"),
];

#[test]
fn every_peer_does_every_workload_of_the_benchmark() {
    let workloads: Vec<_> = WORKLOADS.iter().map(|(workload, _)| *workload).collect();
    let output = Command::new(env!("CARGO_BIN_EXE_desktop"))
        .arg("--quick")
        .args(["--peers", &PEERS.join(",")])
        .args(["--workloads", &workloads.join(",")])
        .output()
        .expect("the benchmark starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);

    let lines = String::from_utf8(output.stdout).expect("lines of text");
    let measured = lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).expect("an object a line");
        let workload = line["workload"].as_str().expect("a workload");
        let known = WORKLOADS.iter().find(|(known, _)| *known == workload);
        let (workload, number) = known.unwrap_or_else(|| panic!("nobody asked for {workload}"));
        for number in [*number, "cpu_us"] {
            let value = line[number].as_f64().expect("a number");
            assert!(value > 0.0, "{line}");
        }
        let peer = PEERS.iter().find(|peer| line["peer"] == **peer);
        (*workload, *peer.expect("somebody who was asked"))
    });
    let measured: Vec<_> = measured.collect();
    let wanted = workloads
        .iter()
        .flat_map(|it| PEERS.map(|peer| (*it, peer)));
    assert_eq!(measured.len(), WORKLOADS.len() * PEERS.len(), "{lines}");
    assert_eq!(
        BTreeSet::from_iter(measured),
        wanted.collect::<BTreeSet<_>>()
    );

    // The table has them too.
    for (workload, rows) in [("Ping-pong, one thread", 2), ("1,000 connections", 2)] {
        let row = format!("| {workload} |");
        assert_eq!(said.matches(&row).count(), rows, "{said}");
    }
}
