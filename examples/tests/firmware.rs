//! The rows of the tour with firmware, as users start them.
//!
//! `cargo test -p tacket-examples --test firmware`; it needs QEMU and a compiler for the target, which `tests/run` installs.

#![cfg(unix)]

use std::process::{Command, Output, Stdio};

fn tour(arguments: &[&str], path: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tour"));
    command.args(arguments).stdin(Stdio::null());
    if let Some(path) = path {
        command.env("PATH", path);
    }
    command.output().expect("the tour starts")
}

fn rows(output: &Output) -> Vec<serde_json::Value> {
    let lines = str::from_utf8(&output.stdout).expect("text").lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn the_firmware_speaks_with_this_machine_as_server_and_as_client() {
    let arguments = [
        "--json",
        "--rows",
        "memory",
        "--firmware",
        "--bytes",
        "1MiB",
    ];
    let output = tour(&arguments, None);
    assert!(output.status.success(), "{output:?}");
    let verified: Vec<_> = rows(&output)
        .iter()
        .filter(|row| row["result"] == "verified" && row["bytes"] == 1 << 20)
        .map(|row| row["row"].clone())
        .collect();
    assert_eq!(verified, ["memory", "firmware-server", "firmware-client"]);
}

#[test]
fn without_an_emulator_the_row_says_what_is_missing() {
    let folder = format!("{}/nowhere", env!("CARGO_MANIFEST_DIR"));
    let arguments = ["--json", "--rows", "firmware-server,memory", "--bytes", "1"];
    let output = tour(&arguments, Some(&folder));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let [memory, firmware] = &rows(&output)[..] else {
        panic!("{output:?}")
    };
    assert_eq!(memory["result"], "verified");
    assert_eq!(firmware["result"], "failed");
    let reason = firmware["reason"].as_str().expect("a reason");
    assert!(reason.contains("install"), "{reason}");
}
