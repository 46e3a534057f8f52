//! Tests that need a process to themselves: they change its limits, count its threads, or end it.

use std::env;
use std::process::{Command, Output};

const MARK: &str = "TACKET_CHILD";

/// Runs the test `name` once more, in a process that runs nothing else. There it returns `None`; here, how that went.
pub(crate) fn run_alone(name: &str) -> Option<Output> {
    if env::var_os(MARK).is_some() {
        return None;
    }
    let this = env::current_exe().expect("a test");
    let ended = Command::new(this)
        .args(["--exact", name, "--nocapture"])
        .env(MARK, "1")
        .output();
    Some(ended.expect("it starts"))
}

/// Asserts that the test ran, and passed.
pub(crate) fn assert_passed(ended: &Output) {
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success() && said.contains("1 passed"),
        "{ended:?}"
    );
}
