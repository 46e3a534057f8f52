//! What the bytes of an input mean.

use super::edit::{Edit, HANDSHAKE, Item};
use super::message::message;
use super::middle::{ALERT, APPLICATION_DATA};
use super::subject::{Act, Deed};
use super::world::World;
use crate::fuzz_tls::input::Input;

pub(super) const MOST_EDITS: usize = 12;

/// The most steps of a program, so that it is done soon.
pub(super) const MOST_STEPS: usize = 40;

/// Messages and alerts that mean something after the handshake, or meant it once (RFC 8446, 4 and 6; RFC 5246, 7.4).
pub(super) const KNOWN: [(u8, &[u8]); 14] = [
    (HANDSHAKE, &[24, 0, 0, 1, 0]),
    (HANDSHAKE, &[24, 0, 0, 1, 1]),
    (HANDSHAKE, &[24, 0]),
    (HANDSHAKE, &[0, 1, 1]),
    (HANDSHAKE, &[0, 0, 0, 0]),
    (HANDSHAKE, &[13, 0, 0, 3, 0, 0, 0]),
    (
        HANDSHAKE,
        &[
            4, 0, 0, 18, 0, 0, 14, 16, 0, 0, 0, 0, 1, 0, 0, 4, 9, 9, 9, 9, 0, 0,
        ],
    ),
    (ALERT, &[1, 0]),
    (ALERT, &[2, 0]),
    (ALERT, &[1, 90]),
    (ALERT, &[1, 100]),
    (ALERT, &[2, 40]),
    (ALERT, &[1]),
    (20, &[1]),
];

/// Who is under attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// Whether the server wants to know the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acquaintance {
    None,
    Optional,
    Mandatory,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) is_tls12: bool,
    pub(super) knows_both_versions: bool,
    /// Nobody notices that a message was changed: see [`algorithms`](super::algorithms).
    pub(super) is_blind: bool,
    pub(super) is_lax: bool,
    /// The server insists on the group that it was sent no share of.
    pub(super) asks_again: bool,
    pub(super) has_alpn: bool,
    /// There was a session before, which left a ticket.
    pub(super) resumes: bool,
    pub(super) acquaintance: Acquaintance,
    /// Messages go together in a record.
    pub(super) coalesces: bool,
    /// After its data, the peer ends the session.
    pub(super) ends: bool,
    /// How many bytes are on their way at most, each way.
    pub(super) room: usize,
    pub(super) piece: usize,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The stream does this, until it is done or waits for more than there will be.
    Act(Act),
    /// The peer says this, so many times, under its keys.
    Say(Item, usize),
    /// The peer changes its keys, and may keep that to itself.
    ChangeKeys {
        is_withheld: bool,
    },
    /// Bytes that nothing protects.
    Inject(Vec<u8>),
    /// A byte of what is on its way is changed.
    Garble {
        at: u16,
        bits: u8,
    },
    /// The last record comes once more.
    Replay,
    /// The next record does not come.
    Lose,
    Pieces(usize),
    Cut {
        is_in_order: bool,
    },
}

/// What a fuzzer has made up: a stream of TLS, and what a hostile peer says to it.
#[derive(Clone, Debug)]
pub struct TlsPeerProgram {
    pub(super) side: Side,
    pub(super) options: Options,
    /// What is done to which item that the peer says.
    pub(super) edits: Vec<(u8, Edit)>,
    /// The handshake goes well first, and then the steps happen.
    pub(super) is_established: bool,
    pub(super) steps: Vec<Step>,
}

impl TlsPeerProgram {
    /// Reads a program against the handshake of a client. Any bytes are one.
    #[must_use]
    pub fn against_client(input: &[u8]) -> Self {
        Self::of_handshake(Side::Client, Input::new(input))
    }

    /// Reads a program against the handshake of a server.
    #[must_use]
    pub fn against_server(input: &[u8]) -> Self {
        Self::of_handshake(Side::Server, Input::new(input))
    }

    /// Reads a program of records after the handshake.
    #[must_use]
    pub fn against_session(input: &[u8]) -> Self {
        let mut input = Input::new(input);
        let side = match input.byte() % 2 {
            0 => Side::Client,
            _ => Side::Server,
        };
        let options = options(&mut input);
        let mut steps = Vec::new();
        while !input.is_empty() && steps.len() < MOST_STEPS {
            steps.push(step(&mut input, options));
        }
        Self {
            side,
            options: Options {
                is_blind: false,
                ..options
            },
            edits: Vec::new(),
            is_established: true,
            steps,
        }
    }

    fn of_handshake(side: Side, mut input: Input<'_>) -> Self {
        let options = options(&mut input);
        let (mut edits, mut steps) = (Vec::new(), Vec::new());
        while !input.is_empty() && steps.len() + edits.len() < MOST_EDITS {
            match input.byte() {
                0xc0.. => steps.push(Step::Act(act(&mut input))),
                0xb0.. => steps.push(step(&mut input, options)),
                place => edits.push((place % 16, Edit::parse(&mut input))),
            }
        }
        Self {
            side,
            options,
            edits,
            is_established: false,
            steps,
        }
    }

    /// Runs it. What the stream takes from the allocator is what `gauge` says.
    ///
    /// # Panics
    ///
    /// If TLS does not keep what it promises.
    pub fn run(&self, gauge: Gauge) {
        World::run(self, gauge);
    }
}

/// Runs something, and tells what it has taken from the allocator.
pub type Gauge = fn(&mut dyn FnMut()) -> Used;

/// Bytes from the allocator.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "tests fill it in")]
pub struct Used {
    /// At the end, more than before. Negative if it was less.
    pub left: i64,
    /// At any time, more than before.
    pub most: i64,
}

pub(super) fn options(input: &mut Input<'_>) -> Options {
    let (what, how, room) = (input.byte(), input.byte(), input.byte());
    Options {
        is_tls12: what & 1 != 0,
        knows_both_versions: what & 2 != 0,
        is_blind: what & 4 != 0,
        is_lax: what & 8 != 0,
        asks_again: what & 16 != 0,
        has_alpn: what & 32 != 0,
        resumes: what & 64 != 0,
        coalesces: what & 128 != 0,
        acquaintance: match how % 4 {
            0 | 1 => Acquaintance::None,
            2 => Acquaintance::Optional,
            _ => Acquaintance::Mandatory,
        },
        ends: how & 4 == 0,
        room: 1 << (6 + room % 11),
        piece: 1 << (14 - (how >> 4) % 15),
    }
}

pub(super) fn step(input: &mut Input<'_>, options: Options) -> Step {
    let kind = input.byte();
    match kind % 16 {
        0..=4 => Step::Act(act(input)),
        5 | 6 => {
            let known = KNOWN.get(usize::from(input.byte()) % KNOWN.len());
            let (typ, content) = known.copied().unwrap_or_default();
            say(input, kind, options, typ, content.to_vec())
        }
        7 => {
            let content = vec![kind; input.length()];
            say(input, kind, options, APPLICATION_DATA, content)
        }
        8 => {
            let content = message(input.byte(), &input.counted_bytes());
            say(input, kind, options, HANDSHAKE, content)
        }
        9 => {
            let (typ, content) = (20 + input.byte() % 8, input.counted_bytes());
            say(input, kind, options, typ, content)
        }
        10 => {
            let content = input.byte().to_be_bytes().repeat(input.length());
            say(input, kind, options, HANDSHAKE, content)
        }
        11 | 12 => Step::ChangeKeys {
            is_withheld: kind & 0xc0 == 0xc0,
        },
        13 => Step::Pieces(1 << (input.byte() % 15)),
        14 => match kind >> 4 {
            0..8 => Step::Inject(input.counted_bytes()),
            _ => Step::Garble {
                at: input.wide(),
                bits: input.byte(),
            },
        },
        _ => Step::Cut {
            is_in_order: kind & 0x80 != 0,
        },
    }
}

fn say(input: &mut Input<'_>, kind: u8, options: Options, typ: u8, content: Vec<u8>) -> Step {
    let mut item = Item::new(None, typ, content);
    let mut times = 1;
    match kind >> 4 {
        0..8 => {}
        8..10 => item.padding = usize::from(input.wide()) % (1 << 14),
        10..12 => item.piece = usize::from(input.byte()).max(1),
        12..14 => item.content = item.content.repeat(1 + usize::from(input.byte() % 40)),
        _ => times += usize::from(input.byte()),
    }
    let length = item.content.len() + item.padding + 1;
    let most = (options.piece << 11).min(1 << 18);
    Step::Say(item, times.min(1 + most / length))
}

pub(super) fn act(input: &mut Input<'_>) -> Act {
    let kind = input.byte();
    let deed = match kind % 20 {
        0 => Deed::Handshake,
        1..=3 => Deed::Send(input.length()),
        4..=7 => Deed::Receive(input.length()),
        8 => Deed::Write(input.length()),
        9 => Deed::SendEof,
        10 => Deed::Shutdown,
        11 => Deed::UpdateKeys,
        12 => Deed::WaitToSend,
        13 => Deed::Exchange(input.length()),
        14 => Deed::OwnedExchange(input.length()),
        15 => Deed::Flush,
        16 => Deed::Read(input.length()),
        17 if kind < 128 => Deed::CloseHalf(input.length()),
        18 if kind < 128 => Deed::Unwrap,
        19 if kind < 64 => Deed::Close,
        19 if kind < 128 => Deed::Drop,
        _ => Deed::Handshake,
    };
    let polls = match input.byte() {
        0..128 => None,
        polls => Some(usize::from(polls - 127)),
    };
    Act { deed, polls }
}
