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
    Some(run(Command::new(this), name))
}

/// The same, where strace has the system fail: `inject` says which calls, with which error.
#[cfg(target_os = "linux")]
pub(crate) fn run_alone_where(inject: &str, name: &str) -> Option<Output> {
    if env::var_os(MARK).is_some() {
        return None;
    }
    let call = inject.split(':').next().unwrap_or_default();
    let mut strace = Command::new("strace");
    strace
        .args(["--follow-forks", "--seccomp-bpf", "--output=/dev/null"])
        .args([format!("--trace={call}"), format!("--inject={inject}")])
        .arg(env::current_exe().expect("a test"));
    Some(run(strace, name))
}

/// The same, where strace writes down each `call` to the system, and the signals. Here it returns that, once the test has passed.
#[cfg(target_os = "linux")]
pub(crate) fn run_alone_watched(call: &str, name: &str) -> Option<String> {
    if env::var_os(MARK).is_some() {
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let seen = folder.path().join("seen");
    let mut strace = Command::new("strace");
    strace
        .args(["--follow-forks", "--seccomp-bpf", "--output"])
        .arg(&seen)
        .arg(format!("--trace={call}"))
        .arg(env::current_exe().expect("a test"));
    assert_passed(&run(strace, name));
    Some(std::fs::read_to_string(seen).expect("what was seen"))
}

fn run(mut command: Command, name: &str) -> Output {
    command
        .args(["--exact", name, "--nocapture"])
        .env(MARK, "1");
    command.output().expect("it starts")
}

/// Asserts that the test ran, and passed.
pub(crate) fn assert_passed(ended: &Output) {
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success() && said.contains("1 passed"),
        "{ended:?}"
    );
}
