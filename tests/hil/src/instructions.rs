//! A plugin for the emulator that counts what the guest executes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::HilError;

const SOURCE: &str = include_str!("../plugin/instructions.c");

/// What the plugin prints before the number.
const LABEL: &str = "instructions ";

/// Compiles the plugin for the emulator `qemu` into `folder`, with the system's C compiler.
pub(crate) fn compile(folder: &Path, qemu: &str) -> Result<PathBuf, HilError> {
    let doing = || HilError::system("compiling the counter of instructions with cc");
    let source = folder.join("instructions.c");
    let plugin = folder.join("instructions.so");
    fs::write(&source, SOURCE).map_err(doing())?;
    let output = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC"])
        .arg(format!("-DINTERFACE={}", interface(qemu)))
        .arg("-o")
        .arg(&plugin)
        .arg(&source)
        .output()
        .map_err(doing())?;
    if output.status.success() {
        return Ok(plugin);
    }
    Err(HilError::Build {
        image: "the counter of instructions".to_owned(),
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The version of the plugin interface that an emulator takes.
fn interface(qemu: &str) -> u32 {
    let output = Command::new(qemu).arg("--version").output();
    let told = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    // QEMU emulator version 7.2.22 (...)
    let told = told.unwrap_or_default();
    let version = told.split("version ").nth(1).unwrap_or_default();
    let major = version.split('.').next().unwrap_or_default().parse::<u32>();
    if major.is_ok_and(|major| major >= 9) {
        2
    } else {
        1
    }
}

/// The number among what was printed.
pub(crate) fn counted(lines: &[String]) -> Option<u64> {
    let mut numbers = lines.iter().filter_map(|line| line.strip_prefix(LABEL));
    numbers.next_back()?.parse().ok()
}
