//! What a process does that is one part of a measurement. It says on standard output where it listens and how far it is, and at last what
//! it measured.

use core::net::SocketAddr;
use std::io::{self, BufRead as _, Write as _};
use std::time::Instant;

use clap::ValueEnum;

use crate::crowd::Crowd;
use crate::peers;
use crate::speed::Failure;
use crate::speed::game::{Arrivals, Asker, Pieces};
use crate::speed::part::PartOptions;
use crate::speed::system;
use crate::speed::values::{Values, to_json};

/// Which end, or ends, of which conversation a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Both ends of a ping-pong
    PingPong,
    /// The end that asks
    Ask,
    /// The end that answers one connection
    Answer,
    /// Both ends of a bulk transfer
    Bulk,
    /// The end that sends
    Send,
    /// The end that receives
    Receive,
    /// The server of a crowd, until it is killed
    Serve,
    /// The clients of a crowd; whose they are does not matter
    Crowd,
    /// Both ends of short connections, one after another
    Short,
}

/// Before the address of a server.
pub(crate) const LISTENING: &str = "listening ";
/// A crowd has its first client, and waits for a line.
pub(crate) const FIRST: &str = "first";
/// A crowd has all its clients, and waits for a line.
pub(crate) const CONNECTED: &str = "connected";
/// A crowd has all its answers, and waits for a line before it leaves.
pub(crate) const PLAYED: &str = "played";
/// A crowd goes on.
pub(crate) const GO: &str = "go";

/// Plays the part, and prints what it measured.
pub(crate) fn play(options: &PartOptions) -> Result<(), Failure> {
    system::prepare_part(options.cpu)?;
    if options.untimed {
        // Not even once: valgrind knows no such clock.
        play_role(options)?;
        return Ok(());
    }
    let cpu = system::cpu_time();
    let started = Instant::now();
    let (mut values, operations) = play_role(options)?;
    let seconds = started.elapsed().as_secs_f64();
    let cpu = system::cpu_time() - cpu;
    values.insert("cpu_s", cpu);
    values.insert("cpu_us", cpu * 1e6 / operations as f64);
    let _ = values
        .entry("per_second")
        .or_insert_with(|| operations as f64 / seconds);
    say(&to_json(&values).to_string());
    Ok(())
}

/// What was measured, and how many operations that was.
fn play_role(options: &PartOptions) -> Result<(Values, u64), Failure> {
    let &PartOptions { count, size, .. } = options;
    let peer = peers::of(options);
    let server = || options.address.ok_or("nobody said where the server is");
    let asker = || match options.untimed {
        true => Asker::untimed(count),
        false => Asker::new(count),
    };
    let pieces = || Pieces::new(size, count);
    let arrivals = || Arrivals::new(size, count);
    let mut operations = count;
    let values = match options.role {
        Role::PingPong => {
            let asker = peer.ping_pong(asker());
            operations = asker.total();
            asker.values()
        }
        Role::Ask => {
            let asker = peer.ask(server()?, asker());
            operations = asker.total();
            asker.values()
        }
        Role::Answer => {
            peer.answer(tell);
            operations = asker().total();
            Values::new()
        }
        Role::Bulk => peer.bulk(pieces(), arrivals()).values(),
        Role::Send => {
            peer.send(server()?, pieces());
            Values::new()
        }
        Role::Receive => peer.receive(tell, arrivals()).values(),
        Role::Serve => {
            peer.serve(tell);
            return Err("a server that never ends has ended".into());
        }
        Role::Crowd => {
            let mut crowd = Crowd::new(server()?);
            crowd.connect(1);
            stop(FIRST)?;
            crowd.connect(size);
            stop(CONNECTED)?;
            operations = size as u64 * count;
            let values = crowd.play(count);
            stop(PLAYED)?;
            values
        }
        Role::Short => {
            peer.short(count);
            Values::new()
        }
    };
    Ok((values, operations))
}

fn tell(address: SocketAddr) {
    say(&format!("{LISTENING}{address}"));
}

fn say(line: &str) {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}").expect("the program that started this listens");
    stdout
        .flush()
        .expect("the program that started this listens");
}

/// Says how far it is, and waits until it may go on.
fn stop(place: &str) -> Result<(), Failure> {
    say(place);
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    match line.trim() {
        GO => Ok(()),
        _ => Err("the program that started this is gone".into()),
    }
}
