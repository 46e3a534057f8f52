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

/// Runs a program under `strace -c` and returns the calls by name.
fn system_calls(program: &str, arguments: &[&str]) -> BTreeMap<String, u64> {
    let directory = tempfile::tempdir().expect("a folder for the counts");
    let counts = directory.path().join("counts");
    let status = Command::new("strace")
        .args(["-f", "-c", "-U", "calls,name", "-o"])
        .arg(&counts)
        .arg(program)
        .args(arguments)
        .status()
        .expect("strace is installed; `bash tests/run` sees to that");
    assert!(status.success(), "{status}");
    let table = std::fs::read_to_string(&counts).expect("strace wrote its table");
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
    let calls = system_calls(env!("CARGO_BIN_EXE_pingpong"), &[&rounds.to_string()]);
    expect(
        &calls,
        rounds,
        &[(SENDING, 2), (RECEIVING, 2), (POLLING, 0)],
    );
}

/// The first datagram is received when it is there; another receive sees that there is no second one behind it.
#[test]
fn a_message_of_dtls_takes_a_send_and_two_receives_and_seldom_a_poll() {
    let rounds = rounds();
    let arguments = ["part", "tacket", "udp", "64", &rounds.to_string()];
    let calls = system_calls(env!("CARGO_BIN_EXE_dtls"), &arguments);
    expect(
        &calls,
        rounds,
        &[(SENDING, 2), (RECEIVING, 4), (POLLING, 0)],
    );
}

type Names = &'static [&'static str];

const SENDING: Names = &["sendto", "write", "sendmsg", "writev"];
const RECEIVING: Names = &["recvfrom", "read", "recvmsg", "readv"];
const POLLING: Names = &["epoll_wait", "epoll_pwait", "epoll_pwait2"];

/// Demands at most so many calls of these kinds in each round, and no others.
fn expect(calls: &BTreeMap<String, u64>, rounds: u32, most: &[(Names, u64)]) {
    let of = |names: Names| -> u64 { names.iter().filter_map(|name| calls.get(*name)).sum() };
    let total: u64 = calls.values().sum();

    // What is not per round: start (the loader looks for libraries), connection, end. Far less than one call a round.
    let once = u64::from(rounds) / 5;
    let in_all: u64 = most.iter().map(|(_, most)| most).sum();
    assert!(
        total <= in_all * u64::from(rounds) + once,
        "{total} calls in {rounds} rounds: {calls:?}"
    );
    for (names, most) in most {
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
