//! How fast DTLS 1.2 is in one thread, both ends in it: handshakes, and datagrams of 64 and 1,200 bytes there and back. By two
//! `DtlsEndpoint`s, and by `dimpl` used directly, which is the engine of both, with the same suite and the same keys; over UDP on
//! loopback, and through memory, where only the work of the layers is left. Beside them, over UDP, OpenSSL from Python, if that is
//! there. All take turns; the medians count. A ratio is the median of those within a round.
//!
//! `dtls` takes half a minute, `dtls --long` some minutes; `dtls --help` shows the choices.

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
mod events;
mod game;
mod memory;
mod openssl;
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
    /// The engine alone, by who knows whose turn it is
    Dimpl,
    /// The engine alone, by who asks the system for that
    DimplEvents,
    /// Two endpoints
    Tacket,
    /// OpenSSL from Python
    #[value(skip)]
    Openssl,
}

/// What carries the datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    Udp,
    Memory,
}

/// Each way, and who takes it.
const WAYS: [(Way, &str, &[Layer]); 2] = [
    (
        Way::Udp,
        "UDP",
        &[Layer::Dimpl, Layer::DimplEvents, Layer::Tacket],
    ),
    (Way::Memory, "memory", &[Layer::Dimpl, Layer::Tacket]),
];

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
            (Self::Dimpl | Self::DimplEvents, Way::Memory) => direct::in_memory(ends, game),
            (Self::DimplEvents, Way::Udp) => events::over_udp(ends, game),
            (Self::Tacket, Way::Udp) => tacket::over_udp(ends, game),
            (Self::Tacket, Way::Memory) => tacket::in_memory(ends, game),
            (Self::Openssl, _) => {
                let python = openssl::python().expect("nobody plays without it");
                openssl::over_udp(&python, ends, game)
            }
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

/// The seconds that each layer took, a round each.
#[derive(Debug, Default)]
struct Measured(Vec<(Layer, f64)>);

impl Measured {
    fn of(&self, layer: Layer) -> impl Iterator<Item = f64> {
        let of_it = self.0.iter().filter(move |(it, _)| *it == layer);
        of_it.map(|(_, seconds)| *seconds)
    }

    /// How often a second.
    fn rate(&self, layer: Layer) -> String {
        if self.of(layer).next().is_none() {
            return String::new();
        }
        format!("{:.0}", 1.0 / median(self.of(layer)))
    }

    /// How many times as often as `other` the endpoints.
    fn ratio(&self, other: Layer) -> Option<f64> {
        let _some = self.of(other).next()?;
        let pairs = self.of(other).zip(self.of(Layer::Tacket));
        Some(median(pairs.map(|(other, own)| other / own)))
    }
}

fn measure(options: &Options, ends: &Ends) -> Result<(), Failure> {
    let rows = WAYS
        .into_iter()
        .flat_map(|way| WORKLOADS.map(|it| (way, it)));
    let mut rows: Vec<_> = rows.map(|row| (row, Measured::default())).collect();
    for round in 0..options.rounds() {
        for (((way, _, layers), (workload, _)), measured) in &mut rows {
            // Nobody always comes after the same.
            let (first, last) = layers.split_at(round % layers.len());
            let openssl = matches!(way, Way::Udp) && openssl::python().is_some();
            let openssl = openssl.then_some(&Layer::Openssl);
            for layer in last.iter().chain(first).chain(openssl) {
                let seconds = layer.play(*way, ends, options.game(*workload));
                measured.0.push((*layer, seconds));
            }
        }
    }

    let mut table =
        "| a second | way | dimpl | dimpl, events | OpenSSL, Python | tacket | of dimpl | of dimpl, events |\n\
         |---|---|---:|---:|---:|---:|---:|---:|\n"
            .to_owned();
    let mut missed = Vec::new();
    for (((_, way, _), (_, workload)), measured) in &rows {
        let rates = [
            Layer::Dimpl,
            Layer::DimplEvents,
            Layer::Openssl,
            Layer::Tacket,
        ];
        let rates = rates.map(|layer| measured.rate(layer)).join(" | ");
        let ratios = [Layer::Dimpl, Layer::DimplEvents].map(|layer| measured.ratio(layer));
        if ratios[0].is_some_and(|ratio| ratio < AIM) {
            missed.push(format!("{workload} by {way}"));
        }
        let ratios = ratios.map(|it| it.map_or_else(String::new, |ratio| format!("{ratio:.2}")));
        let ratios = ratios.join(" | ");
        writeln!(table, "| {workload} | {way} | {rates} | {ratios} |")?;
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
    for (way, _, layers) in WAYS {
        for size in [64, 1200] {
            for layer in layers {
                let (layer, way) = (name(*layer), name(way));
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
