//! System calls of a round trip, counted by strace.

use alloc::collections::BTreeMap;
use std::process::Command;

/// How many rounds are counted; 100,000 with `tests/run --long`.
fn rounds() -> u32 {
    if std::env::var_os("TACKET_LONG").is_some() {
        100_000
    } else {
        5_000
    }
}

/// Plays `rounds` rounds under `strace -c` and returns the calls by name.
fn system_calls(rounds: u32) -> BTreeMap<String, u64> {
    let directory = std::env::temp_dir().join(format!("tacket-strace-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a folder for the counts");
    let counts = directory.join(rounds.to_string());
    let status = Command::new("strace")
        .args(["-f", "-c", "-U", "calls,name", "-o"])
        .arg(&counts)
        .arg(env!("CARGO_BIN_EXE_pingpong"))
        .arg(rounds.to_string())
        .status()
        .expect("strace is installed; `bash tests/run` sees to that");
    assert!(status.success(), "{status}");
    let table = std::fs::read_to_string(&counts).expect("strace wrote its table");
    std::fs::remove_dir_all(&directory).expect("the folder is ours");
    table
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let calls = words.next()?.parse().ok()?;
            Some((words.next()?.to_owned(), calls))
        })
        .filter(|(name, _)| name != "total")
        .collect()
}

#[test]
fn a_round_trip_between_two_tasks_takes_two_sends_two_receives_and_seldom_a_poll() {
    let rounds = rounds();
    let calls = system_calls(rounds);
    let of = |names: &[&str]| -> u64 { names.iter().filter_map(|name| calls.get(*name)).sum() };
    let total: u64 = calls.values().sum();

    // What is not per round: start (the loader looks for libraries), connection, end. Far less than one call a round.
    let once = u64::from(rounds) / 5;
    assert!(
        total <= 4 * u64::from(rounds) + once,
        "{total} calls in {rounds} rounds: {calls:?}"
    );
    for (names, most) in [
        (&["sendto", "write", "sendmsg", "writev"][..], 2),
        (&["recvfrom", "read", "recvmsg", "readv"], 2),
        (&["epoll_wait", "epoll_pwait", "epoll_pwait2"], 0),
    ] {
        assert!(
            of(names) <= most * u64::from(rounds) + once,
            "{names:?}: {calls:?}"
        );
    }
    // Nothing else grows with the rounds.
    for names in [
        &["futex"][..],
        &["epoll_ctl"],
        &[
            "timerfd_settime",
            "setitimer",
            "timer_settime",
            "nanosleep",
            "clock_nanosleep",
        ],
        &["clock_gettime", "gettimeofday"],
        &["ioctl", "setsockopt", "getsockopt"],
        &["brk", "mmap", "munmap"],
    ] {
        assert!(of(names) < 100, "{names:?}: {calls:?}");
    }
}
