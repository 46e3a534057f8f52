//! More clients than the server has descriptors for.

use core::time::Duration;
use std::thread;

use serde_json::{Value, json};

use crate::part::Part;
use crate::usage::descriptors;
use crate::{check_balance, number, seed, tell, wait_until_idle};

/// For how many there is room,
const ROOM: u64 = 40;
/// and how many come.
const CLIENTS: u64 = 100;
/// How long the server is watched while there is no room.
const WATCHED: Duration = Duration::from_secs(1);

/// Covers LIS-09 and SLI-05.
#[test]
fn whom_there_is_no_descriptor_for_is_served_when_others_have_left_and_nobody_is_lost() {
    let (mut server, address) = Part::server();
    let (seed, none) = (seed(), Duration::ZERO);
    let crowd = |connections| Part::clients(&address, connections, none, none, seed);
    // Whatever is opened once is open.
    let mut first = crowd(1);
    first.tell("go");
    let first = first.end("finish", none);
    wait_until_idle(&mut server);
    server.ask(&format!("room {ROOM}"));
    let descriptors_before = descriptors(server.id());

    let mut clients = crowd(CLIENTS);
    // The system connects everybody; the server accepts as many as it has room for.
    clients.ask_until("statistics", |said| number(said, "connected") == CLIENTS);
    clients.ask_until("statistics", |said| number(said, "here") == ROOM);
    let full = server.ask_until("statistics", |said| number(said, "full") > 0);
    thread::sleep(WATCHED);
    let still_full = server.ask("statistics");
    let waiting = clients.ask("statistics");
    assert_eq!(number(&still_full, "active"), ROOM, "{still_full}");
    assert_eq!(number(&waiting, "here"), ROOM, "{waiting}");
    assert_eq!(number(&waiting, "greeted"), ROOM, "{waiting}");

    // Those who are in leave one after another.
    clients.tell("go");
    let clients = clients.end("finish", none);
    wait_until_idle(&mut server);
    assert_eq!(descriptors(server.id()), descriptors_before);
    // It has room for as many as before.
    let mut last = crowd(ROOM);
    last.ask_until("statistics", |said| number(said, "here") == ROOM);
    last.tell("go");
    let last = last.end("finish", none);
    let served = server.end("stop", none);

    let cpu = |said: &Value| said.get("cpu_s").and_then(Value::as_f64).expect("a time");
    let cpu_while_full = cpu(&still_full) - cpu(&full);
    let tries = number(&still_full, "full") - number(&full, "full");
    tell(&json!({
        "test": "limit",
        "seed": seed,
        "room": ROOM,
        "clients": clients,
        "tries_while_full": tries,
        "cpu_s_while_full": cpu_while_full,
        "server": served,
    }));
    check_balance(&served, &[first, clients, last]);
    assert_eq!(number(&served, "most_active"), ROOM, "{served}");
    // It tries every 100 ms, and tells each time; a loop without a pause would take all of the second.
    assert!((2..=12).contains(&tries), "{tries} tries in a second");
    assert!(cpu_while_full < 0.25, "{cpu_while_full} s in a second");
    assert_eq!(number(&served, "told_full"), number(&served, "full"));
}
