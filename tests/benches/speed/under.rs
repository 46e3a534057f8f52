//! What a part of a program costs on any machine: system calls, counted by strace, and instructions outside the system, counted by
//! valgrind. Each is the difference of a long run and a short one.

use alloc::collections::BTreeMap;
use core::fmt;
use std::fs;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Why a measurement cannot go on.
pub(crate) type Failure = Box<dyn core::error::Error + Send + Sync>;

const SHORT: u64 = 1_000;
const LONG: u64 = 11_000;

/// The costs of one of many laps. `None`: the tool is not there.
#[derive(Clone, Debug)]
pub(crate) struct Costs {
    instructions: Option<f64>,
    /// By name.
    calls: Option<BTreeMap<String, f64>>,
}

/// The costs of a lap of a program. `words` are those of the command line that runs so many laps, the program first.
pub(crate) fn costs(words: &dyn Fn(u64) -> Vec<String>) -> Result<Costs, Failure> {
    Ok(Costs {
        instructions: instructions(words)?,
        calls: system_calls(words)?,
    })
}

/// Runs a command under `tool`, and returns what that said on standard error; `None` if it is not there.
fn run_under(tool: &[&str], words: &[String]) -> Result<Option<String>, Failure> {
    let (program, arguments) = tool.split_first().expect("a tool has a name");
    let output = Command::new(program)
        .args(arguments)
        .args(words)
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

fn instructions(words: &dyn Fn(u64) -> Vec<String>) -> Result<Option<f64>, Failure> {
    let count = |laps| -> Result<Option<f64>, Failure> {
        let tool = [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
        ];
        let Some(said) = run_under(&tool, &words(laps))? else {
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

fn system_calls(
    words: &dyn Fn(u64) -> Vec<String>,
) -> Result<Option<BTreeMap<String, f64>>, Failure> {
    let folder = TempDir::new()?;
    let file = folder.path().join("counts");
    let file = file.to_str().ok_or("a folder with a strange name")?;
    let count = |laps| -> Result<Option<BTreeMap<String, f64>>, Failure> {
        let tool = ["strace", "-f", "-c", "-U", "calls,name", "-o", file];
        if run_under(&tool, &words(laps))?.is_none() {
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

/// Cells of a table: the instructions, the system calls, and which those are.
impl fmt::Display for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.instructions {
            Some(count) => write!(f, "{count:.0} | ")?,
            None => write!(f, "not measured | ")?,
        }
        let Some(calls) = &self.calls else {
            return write!(f, "not measured | ");
        };
        let total = calls.values().fold(0.0, |total, calls| total + calls);
        write!(f, "{total:.2} | {}", listed(calls))
    }
}

fn listed(calls: &BTreeMap<String, f64>) -> String {
    let mut calls: Vec<_> = calls.iter().collect();
    calls.sort_by(|one, other| other.1.total_cmp(one.1));
    let calls = calls
        .iter()
        .map(|(name, calls)| format!("{calls:.2} {name}"));
    calls.collect::<Vec<_>>().join(", ")
}
