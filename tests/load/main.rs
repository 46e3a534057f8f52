//! Many connections at once that come and go: a server in one process, its clients in another. And many associations of DTLS at once, and their memory.
//!
//! 1,000 for 5 s; with `tests/run --long`, 10,000 for 60 s. What is measured is a JSON object on a line of standard output. The same seed, from
//! it, as `TACKET_LOAD_SEED` has the clients do the same again.
#![cfg(target_os = "linux")]

extern crate alloc;

mod associations;
mod crowd;
mod limit;
mod part;
mod usage;

use std::io::{self, Write as _};

use serde_json::Value;

use crate::part::Part;

const SEED: &str = "TACKET_LOAD_SEED";

/// What the clients do is made up by this. It is told where the test fails.
fn seed() -> u64 {
    let seed = match std::env::var(SEED) {
        Ok(seed) => seed.parse().expect("a number is a seed"),
        Err(_) => 8_u32,
    };
    println!("{SEED}={seed}");
    u64::from(seed)
}

/// Prints what was measured, also where the test passes.
fn tell(measured: &Value) {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "\n{measured}").expect("somebody listens");
}

/// A number that a part has said.
#[track_caller]
fn number(said: &Value, name: &str) -> u64 {
    let number = said.get(name).and_then(Value::as_u64);
    number.unwrap_or_else(|| panic!("no number {name}: {said}"))
}

/// Checks that nothing went wrong at either end, that both counted the same, and that this is all.
#[track_caller]
fn check_balance(server: &Value, clients: &[Value]) {
    for end in clients.iter().chain([server]) {
        assert_eq!(number(end, "wrong"), 0, "{end}");
    }
    let sum = |name| clients.iter().map(|said| number(said, name)).sum::<u64>();
    let ends = ["completed", "reset_by_clients", "reset_by_server"];
    for name in ends {
        assert_eq!(number(server, name), sum(name), "{server} {clients:?}");
    }
    let [completed, by_clients, by_server] = ends.map(sum);
    let accepted = number(server, "accepted");
    assert_eq!(accepted, sum("connected"), "{server} {clients:?}");
    assert_eq!(accepted, completed + by_clients + by_server, "{server}");
    assert_eq!(number(server, "completed"), completed, "{server}");
    assert_eq!(number(server, "failed"), by_clients + by_server, "{server}");
    assert_eq!(number(server, "active") + number(server, "cut"), 0);
}

/// Waits until the server has nobody left, and returns what it says then.
fn wait_until_idle(server: &mut Part) -> Value {
    server.ask_until("statistics", |said| number(said, "active") == 0)
}
