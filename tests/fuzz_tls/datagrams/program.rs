//! What the bytes of an input mean.

use core::time::Duration;

use super::address::CLIENTS;
use super::edit::Edit;
use super::ledger::Wish;
use super::parties::{Acquaintance, Kind};
use super::world::World;
use crate::fuzz_tls::doors::Gauge;
use crate::fuzz_tls::input::Input;

/// The most steps of a program, so that it is done soon.
const MOST_STEPS: usize = 40;
/// The longest message, which fits into every datagram.
const LONGEST: usize = 1400;

/// What a fuzzer has made up: a server of DTLS, clients, and strangers.
#[derive(Clone, Debug)]
pub struct DtlsProgram {
    pub(super) options: Options,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) acquaintance: Acquaintance,
    /// How many handlers there are at the same time.
    pub(super) limit: usize,
    /// From where the last client comes.
    pub(super) last: u8,
    pub(super) last_kind: Kind,
}

/// Where a datagram that is forged comes from, and what it is made of.
#[derive(Clone, Debug)]
pub(super) struct Forgery {
    /// Which of those that were sent before, from the last one on.
    pub(super) model: u8,
    pub(super) edits: Vec<Edit>,
    /// Behind it, in the same datagram, there is this one.
    pub(super) joined: Option<u8>,
    pub(super) from: Origin,
    pub(super) times: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// Where the model comes from, and where it went.
    Own,
    /// Somebody else's address, to the server.
    Of(u8),
    /// The server's, to this client.
    Server(usize),
    /// A stranger's, to this client.
    Stranger(usize),
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// So many datagrams arrive.
    Deliver(usize),
    /// All do, and those that are sent because of them.
    DeliverAll,
    Lose,
    Swap,
    Repeat,
    /// The next one is changed on its way.
    Change(Vec<Edit>),
    Wait(Duration),
    /// A client shakes hands, anew if it was there before.
    Begin(usize, Kind),
    Say(usize, Wish, usize),
    Close(usize),
    /// A client is gone without a word.
    Vanish(usize),
    Forge(Forgery),
    Raw(Origin, Vec<u8>),
    /// Hellos like this one, from so many addresses.
    Flood(u8, u16),
    /// The server's socket takes nothing, or fails, from now on.
    Flaw {
        is_stalled: bool,
        fails: bool,
    },
    /// The server serves no more, and then does again.
    Restart,
}

impl DtlsProgram {
    /// Reads a program. Any bytes are one.
    #[must_use]
    pub fn parse(input: &[u8]) -> Self {
        let mut input = Input::new(input);
        let (what, last) = (input.byte(), input.byte());
        let options = Options {
            acquaintance: match what % 8 {
                0..=3 => Acquaintance::Key,
                4 => Acquaintance::Certificate,
                5 | 6 => Acquaintance::BothVersions,
                _ => Acquaintance::Certificates,
            },
            limit: 1 + usize::from(what >> 3 & 7),
            last: match last & 0x80 {
                0 => last % 4,
                _ => 200,
            },
            last_kind: match last & 0x40 {
                0 => Kind::Good,
                _ => Kind::Good13,
            },
        };
        let mut steps = Vec::new();
        while !input.is_empty() && steps.len() < MOST_STEPS {
            steps.push(step(&mut input));
        }
        Self { options, steps }
    }

    /// Runs it. What the server takes from the allocator is what `gauge` says.
    ///
    /// # Panics
    ///
    /// If DTLS does not keep what it promises.
    pub fn run(&self, gauge: Gauge) {
        World::run(self.options, &self.steps, gauge);
    }
}

fn step(input: &mut Input<'_>) -> Step {
    let kind = input.byte();
    match kind % 32 {
        0..=3 => Step::Deliver(1 + usize::from(kind >> 5)),
        4..=6 => Step::DeliverAll,
        7 => Step::Lose,
        8 => Step::Swap,
        9 => Step::Repeat,
        10..=12 => Step::Change(edits(input, kind)),
        13 => Step::Wait(Duration::from_millis(1 << (input.byte() % 18))),
        14..=16 => Step::Begin(client(input), Kind::of(kind >> 5)),
        17 | 18 => {
            let wish = match kind >> 5 {
                0 => Wish::EchoAndClose,
                1 => Wish::Drop,
                _ => Wish::Echo,
            };
            Step::Say(client(input), wish, input.length().min(LONGEST))
        }
        19 => Step::Close(client(input)),
        20 => Step::Vanish(client(input)),
        21..=26 => Step::Forge(Forgery {
            model: input.byte(),
            edits: edits(input, kind),
            from: origin(input),
            joined: (kind & 0x40 != 0).then(|| input.byte()),
            times: match kind & 0x80 {
                0 => 1,
                _ => 1 + usize::from(input.byte() % 8),
            },
        }),
        27 => Step::Raw(origin(input), input.counted_bytes()),
        28 => Step::Flood(input.byte(), 1 + u16::from(input.byte() % 100)),
        29 => Step::Flaw {
            is_stalled: kind & 0x20 != 0,
            fails: kind & 0x40 != 0,
        },
        30 => Step::Restart,
        _ => Step::Wait(Duration::from_secs(1 + u64::from(kind >> 5) * 5)),
    }
}

fn client(input: &mut Input<'_>) -> usize {
    usize::from(input.byte()) % CLIENTS
}

fn edits(input: &mut Input<'_>, kind: u8) -> Vec<Edit> {
    (0..kind >> 5 & 3).map(|_| Edit::parse(input)).collect()
}

fn origin(input: &mut Input<'_>) -> Origin {
    let byte = input.byte();
    let client = usize::from(byte >> 4) % CLIENTS;
    match byte % 16 {
        0..=7 => Origin::Own,
        8..=12 => Origin::Of(byte >> 4),
        13 | 14 => Origin::Server(client),
        _ => Origin::Stranger(client),
    }
}
