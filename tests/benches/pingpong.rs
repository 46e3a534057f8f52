//! A ping-pong of 64 bytes between two tasks of one thread over TCP on loopback; what `tests/costs` counts.
//!
//! `pingpong ROUNDS` plays that many rounds and prints how long they took.

use std::process::ExitCode;
use std::time::Instant;

use tacket_tests::pingpong;

fn main() -> ExitCode {
    let Some(rounds) = std::env::args()
        .nth(1)
        .and_then(|rounds| rounds.parse().ok())
    else {
        eprintln!("usage: pingpong ROUNDS");
        return ExitCode::FAILURE;
    };
    let start = Instant::now();
    match pingpong(rounds, || ()) {
        Ok(()) => {
            let each = start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds);
            println!("{rounds} round trips, {each:.2} us each");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("pingpong: {error}");
            ExitCode::FAILURE
        }
    }
}
