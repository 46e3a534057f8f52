//! What each part of tacket costs: flash and memory on a Cortex-M3, instructions there to wake one handler of many, and the time of that
//! here.
//!
//! `part_costs [--write] [ROUNDS]` prints the tables; `--write` puts them into `core/COSTS.md` too. It needs what `tests/run` installs,
//! and a C compiler.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::large_futures,
    reason = "a measurement that goes wrong may as well stop"
)]

mod wakes;

use core::fmt::Write as _;
use std::env;
use std::path::Path;

use tacket_tests::{PARTS, flash_of_part, instructions_of_a_wake, sizes_of_parts, write_figures};

fn flash() -> String {
    let mut table =
        "| program | what it has | flash, bytes | beside `nothing` |\n|---|---|---:|---:|\n"
            .to_owned();
    let mut base = None;
    for (part, what) in PARTS {
        let flash = flash_of_part(part).unwrap();
        let more = flash.cast_signed() - base.get_or_insert(flash).cast_signed();
        writeln!(table, "| `{part}` | {what} | {flash} | {more:+} |").unwrap();
    }
    table
}

fn sizes() -> String {
    let mut table = "| what | bytes |\n|---|---:|\n".to_owned();
    for (kind, name, bytes) in sizes_of_parts().unwrap() {
        writeln!(table, "| {kind} {name} | {bytes} |").unwrap();
    }
    table
}

fn instructions() -> String {
    let mut table =
        "| handlers | `run`, instructions | `worker` tasks, instructions |\n|---:|---:|---:|\n"
            .to_owned();
    for workers in [1, 4, 16, 64] {
        let [inline, tasks] =
            [false, true].map(|in_tasks| instructions_of_a_wake(workers, in_tasks).unwrap());
        writeln!(table, "| {workers} | {inline} | {tasks} |").unwrap();
    }
    table
}

fn main() {
    let mut times = 9;
    let mut writes = false;
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--write" => writes = true,
            number => times = number.parse().expect("--write, or the number of rounds"),
        }
    }
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/COSTS.md");
    let tables = [
        ("flash", flash()),
        ("sizes", sizes()),
        ("instructions", instructions()),
        ("time", wakes::table(200_000, times)),
    ];
    for (name, table) in tables {
        println!("{table}");
        if writes {
            write_figures(&document, name, &table).expect("the document");
        }
    }
}
