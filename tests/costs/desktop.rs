//! The benchmarks of the desktop, in their short form: everybody does everything. How fast does not matter here.

use alloc::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// A benchmark that was built.
struct Benchmark {
    program: &'static str,
    peers: &'static [&'static str],
    /// Each workload, with a number that nobody can have for nothing.
    workloads: &'static [(&'static str, &'static str)],
    /// What its table calls some of them, with how many rows that has.
    titles: &'static [(&'static str, usize)],
}

#[test]
fn every_peer_does_every_workload_of_the_benchmark() {
    let desktop = Benchmark {
        program: env!("CARGO_BIN_EXE_desktop"),
        peers: &["raw_mio", "tacket"],
        workloads: &[
            ("ping-pong", "p50_us"),
            ("ping-pong-2", "p50_us"),
            ("bulk-16", "gb_per_second"),
            ("bulk-64", "gb_per_second"),
            ("bulk-16-2", "gb_per_second"),
            ("bulk-64-2", "gb_per_second"),
            ("many-1000", "per_second"),
            ("short", "per_second"),
        ],
        titles: &[("Ping-pong, one thread", 2), ("1,000 connections", 2)],
    };
    desktop.run();
}

#[test]
fn every_peer_does_every_workload_of_the_benchmark_of_tls() {
    let tls = Benchmark {
        program: env!("CARGO_BIN_EXE_tls_desktop"),
        peers: &["tacket", "raw_mio", "tokio_rustls", "futures_rustls"],
        workloads: &[
            ("ping-pong", "p50_us"),
            ("bulk-16", "gb_per_second"),
            ("bulk-64", "gb_per_second"),
            ("full", "per_second"),
            ("resumed", "per_second"),
            ("idle-1000", "memory_kib"),
        ],
        titles: &[("Ping-pong", 2), ("Resumed handshakes", 2)],
    };
    tls.run();
}

/// The benchmark of DTLS is one process, and prints its table alone.
#[test]
fn everybody_does_everything_in_the_benchmark_of_dtls() {
    let output = Command::new(env!("CARGO_BIN_EXE_dtls"))
        .arg("--quick")
        .output()
        .expect("the benchmark starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    let table = String::from_utf8(output.stdout).expect("lines of text");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| "));
    let rows: Vec<Vec<_>> = rows.map(|row| row.split(" | ").collect()).collect();
    assert_eq!(rows.len(), 1 + 6, "{table}");
    for row in rows.iter().skip(1) {
        // In memory there are no events.
        let numbers = row.iter().filter(|cell| cell.parse::<f64>().is_ok());
        let wanted = if row.contains(&"UDP") { 4 } else { 3 };
        assert!(numbers.count() >= wanted, "{table}");
    }
}

impl Benchmark {
    fn run(&self) {
        let workloads: Vec<_> = self.workloads.iter().map(|(it, _)| *it).collect();
        let output = Command::new(self.program)
            .arg("--quick")
            .args(["--peers", &self.peers.join(",")])
            .args(["--workloads", &workloads.join(",")])
            .output()
            .expect("the benchmark starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", output.status);

        let lines = String::from_utf8(output.stdout).expect("lines of text");
        let measured: Vec<_> = lines.lines().map(|line| self.measured(line)).collect();
        let wanted = workloads
            .iter()
            .flat_map(|it| self.peers.iter().map(|peer| (*it, *peer)));
        assert_eq!(
            measured.len(),
            workloads.len() * self.peers.len(),
            "{lines}"
        );
        assert_eq!(
            BTreeSet::from_iter(measured),
            wanted.collect::<BTreeSet<_>>()
        );

        // The table has them too.
        for (workload, rows) in self.titles {
            let row = format!("| {workload} |");
            assert_eq!(said.matches(&row).count(), *rows, "{said}");
        }
    }

    /// The workload and the peer of a measurement, whose numbers are there.
    fn measured(&self, line: &str) -> (&'static str, &'static str) {
        let values: Value = serde_json::from_str(line).expect("an object a line");
        let value = |name: &str| values.get(name).unwrap_or(&Value::Null);
        let workload = value("workload").as_str().expect("a workload");
        let known = self.workloads.iter().find(|(known, _)| *known == workload);
        let (workload, number) = known.unwrap_or_else(|| panic!("nobody asked for {workload}"));
        for number in [*number, "cpu_us"] {
            let value = value(number).as_f64().expect("a number");
            assert!(value > 0.0, "{line}");
        }
        let peer = self.peers.iter().find(|peer| value("peer") == *peer);
        (*workload, *peer.expect("somebody who was asked"))
    }
}
