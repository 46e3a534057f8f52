//! A plugin for the emulator that counts what the guest executes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::HilError;

const SOURCE: &str = include_str!("../plugin/instructions.c");

/// What the plugin prints before the number.
const LABEL: &str = "instructions ";

/// Compiles the plugin into `folder`, with the system's C compiler.
pub(crate) fn compile(folder: &Path) -> Result<PathBuf, HilError> {
    let doing = || HilError::system("compiling the counter of instructions with cc");
    let source = folder.join("instructions.c");
    let plugin = folder.join("instructions.so");
    fs::write(&source, SOURCE).map_err(doing())?;
    let output = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-o"])
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

/// The number among what was printed.
pub(crate) fn counted(lines: &[String]) -> Option<u64> {
    let mut numbers = lines.iter().filter_map(|line| line.strip_prefix(LABEL));
    numbers.next_back()?.parse().ok()
}
