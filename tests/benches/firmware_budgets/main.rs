//! What tacket costs in firmware: flash, memory, stack, instructions and speed of a server on it, beside one that does the same on
//! embassy-net directly. Both run in QEMU, in turns; the medians count, and a ratio is the median of those within a round.
//!
//! And what TLS costs there, which needs no turns: it is counted.
//!
//! `firmware_budgets [--write] [--tls] [--heap] [ROUNDS]` prints the tables, or those of TLS without a heap or with one alone; `--write` puts
//! them into `examples/firmware/BUDGETS.md` too. It needs what `tests/run` installs, and a C compiler.

#![allow(
    clippy::unwrap_used,
    clippy::large_futures,
    reason = "a measurement that goes wrong may as well stop"
)]

mod heap;
mod tls;

use core::fmt::Write as _;
use core::net::SocketAddr;
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, thread};

use tacket_examples::{echo, telemetry};
use tacket_hil::{Board, Boot, Guest, Image, Target};
use tacket_std::{MonotonicClock, TcpStream};
use tacket_tests::{Sizes, direct_image, example, median, write_figures};

const TARGET: Target = Target::THUMBV7M;
const BOARD: Board = Board::MPS2_AN385;

/// The TCP sockets of each image.
const SOCKETS: u64 = 2;

/// How many pairs of runs a round has to compare speeds, which the host's moods are in.
const PAIRS: usize = 4;

/// A protocol, and the two servers that speak it.
struct Protocol {
    name: &'static str,
    ours: &'static str,
    direct: &'static str,
    port: u16,
    /// What is counted: instructions are for one of these.
    unit: &'static str,
    /// How many of the units the guest does in its short run and in its long run. The difference is free of what happens once.
    amounts: [u64; 2],
    /// How often that is done in a run.
    clients: fn(u64) -> u64,
    /// Has one client do its share of this amount.
    talk: fn(SocketAddr, u64),
}

const PROTOCOLS: [Protocol; 2] = [
    Protocol {
        name: "echo",
        ours: "echo_server",
        direct: "direct_echo",
        port: 7,
        unit: "byte each way",
        amounts: [1 << 18, 4 << 20],
        clients: |_| 1,
        talk: |address, bytes| {
            let (mut sending, mut receiving) = (vec![0; 1 << 16], vec![0; 1 << 16]);
            tacket_std::run(async {
                let stream = TcpStream::connect(address).await.unwrap();
                echo::exchange(stream, bytes, 3, &mut sending, &mut receiving, |_| ()).await
            })
            .unwrap()
            .unwrap();
        },
    },
    Protocol {
        name: "telemetry",
        ours: "telemetry_server",
        direct: "direct_telemetry",
        port: 8,
        unit: "session",
        amounts: [1, 65],
        clients: |sessions| sessions,
        talk: |address, _| {
            let clock = MonotonicClock::new();
            tacket_std::run(async {
                let stream = TcpStream::connect(address).await.unwrap();
                telemetry::session(stream, &clock).await
            })
            .unwrap()
            .unwrap();
        },
    },
];

/// What one run came to.
struct Run {
    time: Duration,
    instructions: Option<u64>,
    stack: u64,
}

impl Protocol {
    /// Boots `boot`, and does this amount with it.
    fn run(&self, boot: Boot, amount: u64) -> Run {
        let clients = (self.clients)(amount);
        let boot = boot
            .argument(format!("clients={clients}"))
            .forward(self.port);
        let (mut guest, address) = self.start(&boot);
        let start = Instant::now();
        (0..clients).for_each(|_| (self.talk)(address, amount));
        let time = start.elapsed();
        let line = guest.wait_for("stack ").unwrap();
        let depth = line.split(' ').nth(1).unwrap();
        Run {
            time,
            stack: depth.parse().unwrap(),
            instructions: guest.finish().unwrap().instructions,
        }
    }

    fn start(&self, boot: &Boot) -> (Guest, SocketAddr) {
        let mut guest = boot.start().unwrap();
        guest.wait_for("listening").unwrap();
        let address = guest.address_of(self.port).unwrap();
        (guest, address)
    }

    /// The instructions for one unit.
    fn instructions(&self, image: &Image) -> f64 {
        let [few, many] = self.amounts.map(|amount| {
            let boot = Boot::new(image, BOARD).count_instructions();
            self.run(boot, amount).instructions.unwrap() as f64
        });
        let [short, long] = self.amounts;
        (many - few) / (long - short) as f64
    }

    /// Units a second, and the depth of the stack.
    fn speed(&self, image: &Image) -> (f64, f64) {
        let [_, amount] = self.amounts;
        let run = self.run(Boot::new(image, BOARD), amount);
        (amount as f64 / run.time.as_secs_f64(), run.stack as f64)
    }

    /// The share of a processor that the image takes while it waits for a client.
    fn idleness(&self, image: &Image) -> f64 {
        const WATCHED: Duration = Duration::from_secs(10);
        let boot = Boot::new(image, BOARD.in_real_time()).forward(self.port);
        let (guest, _) = self.start(&boot);
        thread::sleep(Duration::from_secs(1));
        let before = guest.processor_time().unwrap();
        thread::sleep(WATCHED);
        let used = guest.processor_time().unwrap() - before;
        used.as_secs_f64() / WATCHED.as_secs_f64()
    }

    /// The rows of the table.
    fn measure(&self, rounds: usize) -> String {
        let images = [
            example(TARGET, self.ours),
            direct_image(TARGET, self.direct),
        ];
        let [ours, direct] = images.map(Result::unwrap);
        let [of_ours, of_direct] = [&ours, &direct].map(|image| Sizes::of(image.path()).unwrap());
        let mut rows = String::new();
        let mut row =
            |what: &str, unit: &str, ours: String, direct: String, more: String, aim: &str| {
                let name = self.name;
                writeln!(
                    rows,
                    "| {name} | {what}, {unit} | {ours} | {direct} | {more} | {aim} |"
                )
                .unwrap();
            };
        let more =
            |ours: u64, direct: u64| format!("{:+}", ours.cast_signed() - direct.cast_signed());
        let (a, b) = (of_ours.flash, of_direct.flash);
        row(
            "flash",
            "bytes",
            a.to_string(),
            b.to_string(),
            more(a, b),
            "+2048",
        );
        let (a, b) = (of_ours.ram, of_direct.ram);
        let each = format!(
            "{}, {} a socket",
            more(a, b),
            more(a / SOCKETS, b / SOCKETS)
        );
        row(
            "static RAM",
            "bytes",
            a.to_string(),
            b.to_string(),
            each,
            "+256 a socket",
        );

        let [mut stacks, mut counts, mut speeds] = [const { Vec::new() }; 3];
        for round in 1..=rounds {
            eprintln!("{}: round {round} of {rounds}", self.name);
            for pair in 0..PAIRS {
                // Each goes first as often as the other.
                let (ours_now, direct_now) = if pair % 2 == 0 {
                    let ours_now = self.speed(&ours);
                    (ours_now, self.speed(&direct))
                } else {
                    let direct_now = self.speed(&direct);
                    (self.speed(&ours), direct_now)
                };
                speeds.push([ours_now.0, direct_now.0]);
                stacks.push([ours_now.1, direct_now.1]);
            }
            counts.push([&ours, &direct].map(|image| self.instructions(image)));
        }
        let middle = |values: &[[f64; 2]]| {
            let ratio = median(values.iter().map(|[a, b]| a / b));
            let [a, b] =
                [0, 1].map(|side| median(values.iter().filter_map(|both| both.get(side).copied())));
            (a, b, format!("{ratio:.3}"))
        };
        let (a, b, _) = middle(&stacks);
        row(
            "stack",
            "bytes",
            format!("{a}"),
            format!("{b}"),
            format!("{:+}", a - b),
            "",
        );
        let (a, b, ratio) = middle(&counts);
        let digits = if a < 1000.0 { 2 } else { 0 };
        let unit = format!("for a {}", self.unit);
        row(
            "instructions",
            &unit,
            format!("{a:.digits$}"),
            format!("{b:.digits$}"),
            ratio,
            "≤ 1.01",
        );
        let (a, b, ratio) = middle(&speeds);
        let unit = format!("{}s a second", self.unit.split(' ').next().unwrap());
        row(
            "speed",
            &unit,
            format!("{a:.0}"),
            format!("{b:.0}"),
            ratio,
            "≥ 0.95",
        );
        let [a, b] = [&ours, &direct].map(|image| format!("{:.1} %", 100.0 * self.idleness(image)));
        row(
            "idle",
            "of a host processor, 10 s",
            a,
            b,
            String::new(),
            "< 2 %",
        );
        rows
    }
}

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/firmware/BUDGETS.md")
}

fn main() {
    let mut rounds = 5;
    let [mut writes, mut only_tls, mut only_heap] = [false; 3];
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--write" => writes = true,
            "--tls" => only_tls = true,
            "--heap" => only_heap = true,
            number => {
                rounds = number
                    .parse()
                    .expect("--write, --tls, --heap, or the number of rounds")
            }
        }
    }
    let tell = |name: &str, table: String| {
        println!("{table}");
        if writes {
            write_figures(&document(), name, &table).expect("the table");
        }
    };
    let is_all = !only_tls && !only_heap;
    if is_all || only_tls {
        tell("figures of the guard", tls::guard());
        tell("figures of clients", tls::clients());
    }
    if is_all || only_heap {
        tell("figures of rustls", heap::layer());
        tell("figures of a server", heap::server());
    }
    if is_all {
        let head = "| protocol | what | on tacket | direct | difference or ratio | aim |\n|---|---|---:|---:|---:|---|\n";
        let rows = PROTOCOLS.iter().map(|protocol| protocol.measure(rounds));
        tell("figures", head.to_owned() + &rows.collect::<String>());
    }
}
