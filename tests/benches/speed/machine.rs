//! Where a measurement was made, and with which versions.

use core::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use crate::plan::PACKAGES;
use crate::speed::Failure;

/// Every version that this was built with.
const LOCK_FILE: &str = include_str!("../../../Cargo.lock");

/// The machine and the versions, as a table.
pub(crate) fn table() -> Result<String, Failure> {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown", |model| {
        model.trim_start_matches(['\t', ' ', ':'])
    });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut table = "| what | which |\n|---|---|\n".to_owned();
    let processors = available_parallelism()?;
    writeln!(table, "| processors | {processors}, {model} |")?;
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    writeln!(table, "| kernel | Linux {kernel} |")?;
    let libc = said_by("getconf", &["GNU_LIBC_VERSION"]);
    writeln!(table, "| C library | {libc} |")?;
    let rustc = said_by("rustc", &["--version"]);
    writeln!(table, "| compiler | {rustc} |")?;
    let versions: Vec<_> = PACKAGES.iter().filter_map(|name| version(name)).collect();
    writeln!(table, "| packages | {} |", versions.join(", "))?;
    Ok(table)
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    said.unwrap_or_else(|_| "unknown".to_owned())
}

/// A package with its version.
fn version(name: &str) -> Option<String> {
    let (_, rest) = LOCK_FILE.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    let (version, _) = rest.split_once('"')?;
    Some(format!("{name} {version}"))
}
