//! What the bytes of an input mean.

use super::act::{Act, Deed};
use super::input::Input;
use super::wire::{Direction, Trick};
use super::world::World;

/// The most steps of a program, so that it is done soon.
const MOST_STEPS: usize = 40;

/// What a fuzzer has made up: a client, a server, and what happens between them.
#[derive(Clone, Debug)]
pub struct TlsProgram {
    pub(super) options: Options,
    pub(super) steps: Vec<Step>,
}

/// How the ends are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) is_tls12: bool,
    /// `https_compatible`: the client, the server.
    pub(super) is_lax: [bool; 2],
    /// The wire neither changes nor adds nor loses anything.
    pub(super) is_honest: bool,
    /// How many bytes are on their way at most, each way.
    pub(super) room: usize,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The client does this, and the server that, until both are done or wait for more than there will be.
    Both(Act, Act),
    Wire(Trick),
}

impl TlsProgram {
    /// Reads a program. Any bytes are one.
    #[must_use]
    pub fn parse(input: &[u8]) -> Self {
        let mut input = Input::new(input);
        let (how, room) = (input.byte(), input.byte());
        let options = Options {
            is_tls12: how & 1 != 0,
            is_lax: [how & 2 != 0, how & 4 != 0],
            is_honest: how & 8 != 0,
            room: 1 << (room % 15),
        };
        let mut steps = Vec::new();
        while !input.is_empty() && steps.len() < MOST_STEPS {
            steps.push(step(&mut input, options.is_honest));
        }
        Self { options, steps }
    }

    /// Runs it.
    ///
    /// # Panics
    ///
    /// If TLS does not keep what it promises.
    pub fn run(&self) {
        World::run(self.options, &self.steps);
    }
}

fn step(input: &mut Input<'_>, is_honest: bool) -> Step {
    let kind = input.byte();
    let direction = match kind & 1 {
        0 => Direction::ToServer,
        _ => Direction::ToClient,
    };
    match (kind >> 1) % 20 {
        0 => Step::Wire(Trick::Pieces(1 << (input.byte() % 15))),
        1 => Step::Wire(Trick::Hold(direction)),
        2 => Step::Wire(Trick::Release(direction)),
        kind @ 3..=9 if !is_honest => Step::Wire(trick(input, kind, direction)),
        _ => Step::Both(act(input), act(input)),
    }
}

fn trick(input: &mut Input<'_>, kind: u8, direction: Direction) -> Trick {
    match kind {
        3 => Trick::Flip {
            direction,
            at: input.byte(),
            bits: input.byte(),
        },
        4 => Trick::Inject {
            direction,
            is_record: true,
            bytes: input.counted_bytes(),
        },
        5 => Trick::Inject {
            direction,
            is_record: false,
            bytes: input.counted_bytes(),
        },
        6 => Trick::Swap(direction),
        7 => Trick::Repeat(direction),
        8 => Trick::Lose(direction),
        _ => Trick::Cut {
            is_in_order: input.byte() & 1 != 0,
        },
    }
}

fn act(input: &mut Input<'_>) -> Act {
    let kind = input.byte();
    let deed = match kind % 16 {
        0 => Deed::Nothing,
        1 | 2 => Deed::Handshake,
        3..=5 => Deed::Send(input.length()),
        6..=8 => Deed::Receive(input.length()),
        9 => Deed::Write(input.length()),
        10 => Deed::SendEof,
        11 => Deed::Shutdown,
        12 => Deed::UpdateKeys,
        13 => Deed::WaitToSend,
        14 => Deed::Exchange(input.length()),
        // Seldom: afterwards there is little left to do.
        _ if kind < 64 => Deed::Close,
        _ if kind < 96 => Deed::Drop,
        _ => Deed::Flush,
    };
    let polls = match input.byte() {
        0..128 => None,
        polls => Some(usize::from(polls - 127)),
    };
    Act { deed, polls }
}
