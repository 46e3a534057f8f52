//! What a round trip costs on any machine: system calls, counted by strace, and instructions outside the system, counted by valgrind.
//! Each is the difference of a long run and a short one, both ends in one thread.

use alloc::collections::BTreeMap;
use core::fmt::Write as _;
use std::env;
use std::fs;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::peers::PeerName;
use crate::speed::Failure;
use crate::speed::choices::{Choices, name};
use crate::speed::part::PartOptions;
use crate::speed::role::Role;

const SHORT: u64 = 1_000;
const LONG: u64 = 11_000;

/// A row a peer that runs on one thread.
pub(crate) fn table(choices: &Choices) -> Result<String, Failure> {
    let mut table =
        "| peer | instructions | system calls | which |\n|---|---:|---:|---|\n".to_owned();
    let peers = choices.peers().into_iter();
    for peer in peers.filter(|peer| peer.is_one_thread()) {
        let unknown = || "not measured".to_owned();
        let instructions = instructions(peer)?;
        let instructions = instructions.map_or_else(unknown, |count| format!("{count:.0}"));
        let (total, which) = match system_calls(peer)? {
            Some(calls) => (
                format!("{:.2}", calls.values().sum::<f64>()),
                listed(&calls),
            ),
            None => (unknown(), String::new()),
        };
        let peer = name(peer);
        writeln!(table, "| {peer} | {instructions} | {total} | {which} |")?;
    }
    Ok(table)
}

/// Plays `rounds` rounds of a ping-pong under `tool`, and returns what that said on standard error; `None` if it is not there.
fn run_under(tool: &[&str], peer: PeerName, rounds: u64) -> Result<Option<String>, Failure> {
    let mut part = PartOptions::new(Role::PingPong, peer, rounds);
    part.untimed = true;
    let (program, arguments) = tool.split_first().expect("a tool has a name");
    let output = Command::new(program)
        .args(arguments)
        .arg(env::current_exe()?)
        .args(part.words())
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else {
        return Ok(None);
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.success() {
        true => Ok(Some(said)),
        false => Err(format!("{program} ended with {}: {said}", output.status).into()),
    }
}

/// The instructions of a round trip.
fn instructions(peer: PeerName) -> Result<Option<f64>, Failure> {
    let count = |rounds| -> Result<Option<f64>, Failure> {
        let tool = [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
        ];
        let Some(said) = run_under(&tool, peer, rounds)? else {
            return Ok(None);
        };
        let count = said.split_once("Collected : ");
        let count = count.and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
        Ok(Some(count.ok_or("valgrind counted nothing")?))
    };
    let (Some(short), Some(long)) = (count(SHORT)?, count(LONG)?) else {
        return Ok(None);
    };
    Ok(Some((long - short) / (LONG - SHORT) as f64))
}

/// The system calls of a round trip, by name.
fn system_calls(peer: PeerName) -> Result<Option<BTreeMap<String, f64>>, Failure> {
    let folder = TempDir::new()?;
    let file = folder.path().join("counts");
    let file = file.to_str().ok_or("a folder with a strange name")?;
    let count = |rounds| -> Result<Option<BTreeMap<String, f64>>, Failure> {
        let tool = ["strace", "-f", "-c", "-U", "calls,name", "-o", file];
        if run_under(&tool, peer, rounds)?.is_none() {
            return Ok(None);
        }
        let table = fs::read_to_string(file)?;
        let calls = table.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            let calls = words.next()?.parse().ok()?;
            Some((words.next()?.to_owned(), calls))
        });
        Ok(Some(calls.filter(|(name, _)| name != "total").collect()))
    };
    let (Some(short), Some(mut long)) = (count(SHORT)?, count(LONG)?) else {
        return Ok(None);
    };
    for (name, calls) in &mut long {
        *calls -= short.get(name).copied().unwrap_or_default();
        *calls /= (LONG - SHORT) as f64;
    }
    long.retain(|_, calls| *calls >= 0.005);
    Ok(Some(long))
}

fn listed(calls: &BTreeMap<String, f64>) -> String {
    let mut calls: Vec<_> = calls.iter().collect();
    calls.sort_by(|one, other| other.1.total_cmp(one.1));
    let calls = calls
        .iter()
        .map(|(name, calls)| format!("{calls:.2} {name}"));
    calls.collect::<Vec<_>>().join(", ")
}
