//! What the bytes of an input mean.

use core::time::Duration;
use std::panic::resume_unwind;
use std::thread;

use tacket_embassy::Options;
use tacket_embassy::testing::{Impairments, Side};

use super::forgery::Edit;
use super::manner::Manner;
use super::operation::{Operation, Place};
use super::world::World;

/// The most steps of a program, so that it is done soon.
const MOST_STEPS: usize = 64;

/// The ports that are used: the three after this, and the one that a network chooses.
const PORTS: u16 = 6;

/// What a fuzzer has made up: two networks, and what happens to them.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) seed: u64,
    pub(super) options: Options,
    pub(super) steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Impair(Impairments),
    Cut,
    Mend,
    Wait(Duration),
    Do(Operation, Manner),
    /// Puts a packet on the wire again that was sent so many packets ago.
    Repeat(u8),
    /// The same, but changed; towards its sender if it is turned around.
    Forge {
        back: u8,
        is_turned: bool,
        edits: Vec<Edit>,
    },
    /// Any bytes, as a packet.
    Inject {
        to: Side,
        is_consistent: bool,
        packet: Vec<u8>,
    },
}

impl Program {
    /// Reads a program. Any bytes are one.
    #[must_use]
    pub fn parse(input: &[u8]) -> Self {
        let mut input = Input(input);
        let seed = u64::from(input.byte());
        let [chances, silent] = [input.byte(), input.byte()];
        let options = Options::new()
            .backlog(usize::from(chances % 4))
            .silence((silent > 0).then(|| Duration::from_secs(silent.into())));
        let mut steps = Vec::new();
        while !input.0.is_empty() && steps.len() < MOST_STEPS {
            steps.push(input.step());
        }
        Self {
            seed,
            options,
            steps,
        }
    }

    /// Runs it, in a thread of its own: time belongs to a thread, and so every run starts at the same.
    ///
    /// # Panics
    ///
    /// If the backend does not keep what it promises.
    pub fn run(&self) {
        let program = self.clone();
        let running = thread::spawn(move || World::new(&program).run(&program.steps));
        running.join().unwrap_or_else(|panic| resume_unwind(panic));
    }
}

/// What is left of the bytes.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    /// The next byte; after the last there is nothing but zeros.
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    fn step(&mut self) -> Step {
        match self.byte() % 40 {
            0 => Step::Impair(self.impairments()),
            1 => Step::Cut,
            2 => Step::Mend,
            3 | 4 => Step::Wait(self.time()),
            5 | 6 => Step::Repeat(self.byte()),
            7..=10 => self.forgery(),
            11 => self.injection(),
            kind => Step::Do(self.operation(kind), self.manner()),
        }
    }

    fn operation(&mut self, kind: u8) -> Operation {
        match kind {
            12 => Operation::Listen(self.place(), usize::from(self.byte() % 4)),
            13..=15 => Operation::Connect(self.place()),
            16..=18 => Operation::Accept(self.byte()),
            19..=21 => Operation::Send(self.byte(), self.length()),
            22..=24 => Operation::Receive(self.byte(), self.length()),
            25 => Operation::WaitToSend(self.byte()),
            26 | 27 => Operation::SendEnd(self.byte()),
            28..=30 => Operation::Close(self.byte()),
            31 | 32 => Operation::Drop(self.byte()),
            33 => Operation::Part(self.byte()),
            34 => Operation::Join(self.byte(), self.byte()),
            35 => Operation::Bind(self.place()),
            36 | 37 => Operation::SendTo(self.byte(), self.place(), self.length()),
            _ => Operation::ReceiveFrom(self.byte(), self.length()),
        }
    }

    fn forgery(&mut self) -> Step {
        let (back, how) = (self.byte(), self.byte());
        Step::Forge {
            back,
            is_turned: how & 0x80 != 0,
            edits: (0..=how % 4)
                .map(|_| Edit::new(self.byte(), self.byte(), self.byte()))
                .collect(),
        }
    }

    fn injection(&mut self) -> Step {
        let how = self.byte();
        Step::Inject {
            to: side(how),
            is_consistent: how & 2 != 0,
            packet: self.bytes(usize::from(how >> 2)),
        }
    }

    fn impairments(&mut self) -> Impairments {
        let [loss, duplication, reordering] = [(); 3].map(|()| f64::from(self.byte()) / 512.0);
        Impairments::none()
            .loss(loss)
            .duplication(duplication)
            .reordering(reordering)
            .delay(Duration::from_millis(1 << (self.byte() % 10)))
    }

    /// From a millisecond to 16 s.
    fn time(&mut self) -> Duration {
        Duration::from_millis(1 << (self.byte() % 15))
    }

    /// Up to a kilobyte, which is more than a buffer holds.
    fn length(&mut self) -> usize {
        4 * usize::from(self.byte())
    }

    fn place(&mut self) -> Place {
        let byte = self.byte();
        Place {
            side: side(byte),
            is_ipv6: byte & 2 != 0,
            is_anywhere: byte & 4 != 0,
            port: match byte >> 3 & 3 {
                0 => 0,
                port => PORTS + u16::from(port),
            },
        }
    }

    fn manner(&mut self) -> Manner {
        Manner::new(self.byte(), self.time())
    }
}

fn side(byte: u8) -> Side {
    match byte % 2 {
        0 => Side::Left,
        _ => Side::Right,
    }
}
