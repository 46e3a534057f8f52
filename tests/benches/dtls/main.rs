//! How fast DTLS 1.2 is in one thread, both ends in it: handshakes, and datagrams of 64 and 1,200 bytes there and back. By two
//! `DtlsEndpoint`s, and by `dimpl` used directly, which is the engine of both, with the same suite and the same keys; over UDP on
//! loopback, and through memory, where only the work of the layers is left. All take turns; the medians count. A ratio is the median
//! of those within a round.
//!
//! `dtls` takes a quarter of a minute, `dtls --long` some minutes; `dtls --help` shows the choices.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::large_futures,
    reason = "a measurement that goes wrong may as well stop"
)]

extern crate alloc;

mod direct;
mod ends;
mod game;
mod memory;
mod tacket;
#[path = "../speed/under.rs"]
mod under;

use core::fmt::Write as _;
use std::env;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tacket_tests::{median, write_figures};

use crate::ends::Ends;
use crate::game::Game;
use crate::under::Failure;

/// What of the speed of `dimpl` alone is to be left.
const AIM: f64 = 0.9;

/// How fast DTLS is beside its engine alone.
///
/// All take turns in one run, round by round. A rate is by the processor time that both ends take together.
#[derive(Debug, Parser)]
#[command(name = "dtls", max_term_width = 100)]
struct Options {
    #[command(subcommand)]
    play: Option<Play>,

    /// One short round, to see that everything works
    #[arg(long)]
    quick: bool,

    /// More rounds, and longer ones
    #[arg(long, conflicts_with = "quick")]
    long: bool,

    /// Count the system calls and instructions of a round trip instead
    #[arg(long)]
    counts: bool,

    /// Put the tables into SPEED.md of the package that is measured
    #[arg(long)]
    write: bool,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Play {
    /// Send datagrams there and back, for somebody who counts something
    Part {
        layer: Layer,
        way: Way,
        /// How many bytes a datagram carries
        size: usize,
        /// How many are sent
        count: u64,
    },
}

/// What is between the program and the datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Layer {
    Dimpl,
    Tacket,
}

/// What carries the datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    Udp,
    Memory,
}

const WAYS: [(Way, &str); 2] = [(Way::Udp, "UDP"), (Way::Memory, "memory")];

#[derive(Clone, Copy, Debug)]
enum Workload {
    /// With a message there and back, and the end.
    Handshakes,
    /// Messages of so many bytes, there and back.
    RoundTrips(usize),
}

const WORKLOADS: [(Workload, &str); 3] = [
    (Workload::Handshakes, "handshakes"),
    (Workload::RoundTrips(64), "64 bytes there and back"),
    (Workload::RoundTrips(1200), "1,200 bytes there and back"),
];

impl Layer {
    /// Plays `game`, and returns how many seconds of processor time each of its laps took.
    fn play(self, way: Way, ends: &Ends, game: Game) -> f64 {
        match (self, way) {
            (Self::Dimpl, Way::Udp) => direct::over_udp(ends, game),
            (Self::Dimpl, Way::Memory) => direct::in_memory(ends, game),
            (Self::Tacket, Way::Udp) => tacket::over_udp(ends, game),
            (Self::Tacket, Way::Memory) => tacket::in_memory(ends, game),
        }
    }
}

impl Options {
    fn rounds(&self) -> usize {
        match (self.quick, self.long) {
            (true, _) => 1,
            (_, true) => 21,
            _ => 7,
        }
    }

    fn game(&self, workload: Workload) -> Game {
        let scale = if self.long { 5 } else { 1 };
        match workload {
            Workload::Handshakes if self.quick => Game::handshakes(3),
            Workload::Handshakes => Game::handshakes(50 * scale),
            Workload::RoundTrips(size) if self.quick => Game::round_trips(size, 100),
            Workload::RoundTrips(size) => Game::round_trips(size, 10_000 * scale),
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let ends = Ends::new();
    let done = match options.play {
        Some(Play::Part {
            layer,
            way,
            size,
            count,
        }) => {
            layer.play(way, &ends, Game::round_trips(size, count).untimed());
            Ok(())
        }
        None if options.counts => count(&options),
        None => measure(&options, &ends),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("dtls: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The seconds that both took, a round each.
#[derive(Debug, Default)]
struct Measured {
    dimpl: Vec<f64>,
    tacket: Vec<f64>,
}

fn measure(options: &Options, ends: &Ends) -> Result<(), Failure> {
    let rows: Vec<_> = WAYS
        .into_iter()
        .flat_map(|way| WORKLOADS.map(|workload| (way, workload)))
        .collect();
    let mut measured: Vec<_> = rows.iter().map(|_| Measured::default()).collect();
    for round in 0..options.rounds() {
        for (((way, _), (workload, _)), measured) in rows.iter().zip(&mut measured) {
            let game = options.game(*workload);
            let mut dimpl = || measured.dimpl.push(Layer::Dimpl.play(*way, ends, game));
            let mut tacket = || measured.tacket.push(Layer::Tacket.play(*way, ends, game));
            // Nobody always comes after the same.
            match round % 2 {
                0 => (dimpl(), tacket()),
                _ => (tacket(), dimpl()),
            };
        }
    }

    let mut table = "| a second | way | dimpl | tacket | of dimpl |\n".to_owned();
    table += "|---|---|---:|---:|---:|\n";
    let mut missed = Vec::new();
    for (((_, way), (_, workload)), Measured { dimpl, tacket }) in rows.iter().zip(&measured) {
        let rate = |taken: &Vec<f64>| 1.0 / median(taken.iter().copied());
        let ratio = median(
            dimpl
                .iter()
                .zip(tacket)
                .map(|(dimpl, tacket)| dimpl / tacket),
        );
        let rates = format!("{:.0} | {:.0}", rate(dimpl), rate(tacket));
        writeln!(table, "| {workload} | {way} | {rates} | {ratio:.2} |")?;
        if ratio < AIM {
            missed.push(format!("{workload} by {way}"));
        }
    }
    print!("{table}");
    match missed.is_empty() {
        true => println!("{AIM} of dimpl is reached by all"),
        false => println!("{AIM} of dimpl is missed by {}", missed.join(", ")),
    }
    write(options, "dtls", &table)
}

/// The costs of a round trip that do not depend on the machine's speed.
fn count(options: &Options) -> Result<(), Failure> {
    let mut table =
        "| layer | way | bytes | instructions | system calls | which |\n|---|---|---:|---:|---:|---|\n"
            .to_owned();
    let program = env::current_exe()?;
    let program = program.to_str().ok_or("a program with a strange name")?;
    for way in [Way::Udp, Way::Memory] {
        for size in [64, 1200] {
            for layer in [Layer::Dimpl, Layer::Tacket] {
                let (layer, way) = (name(layer), name(way));
                let words = |count: u64| {
                    let words = ["part", &layer, &way, &size.to_string(), &count.to_string()];
                    let words = [&[program][..], &words].concat();
                    words.into_iter().map(str::to_owned).collect()
                };
                let costs = under::costs(&words)?;
                writeln!(table, "| {layer} | {way} | {size} | {costs} |")?;
            }
        }
    }
    print!("{table}");
    write(options, "dtls counts", &table)
}

/// The name of a value, as a command line has it.
fn name(value: impl ValueEnum) -> String {
    let value = value.to_possible_value().expect("no value is hidden");
    value.get_name().to_owned()
}

fn write(options: &Options, name: &str, table: &str) -> Result<(), Failure> {
    if options.write {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        write_figures(&folder.join("../tls/SPEED.md"), name, table)?;
    }
    Ok(())
}
