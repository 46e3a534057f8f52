//! What the bytes of an input mean to a client without a heap.

use tacket_tls::MaxFragment;

use super::concert;
use super::edit::Edit;
use super::guard_parties::meet;
use super::middle::APPLICATION_DATA;
use super::program::{
    Acquaintance, Gauge, KNOWN, MOST_EDITS, MOST_STEPS, Options, Side, Step, TlsPeerProgram, act,
    options, step,
};
use super::subject::{Act, Deed};
use crate::fuzz_tls::input::Input;

/// What a record adds to its data.
const OVERHEAD: usize = 22;

/// In what the client trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Belief {
    Authority,
    Certificate,
    Key,
    PreSharedKey,
    AnotherAuthority,
    AnotherCertificate,
    AnotherKey,
    AnotherName,
    AnotherPreSharedKey,
    /// In the authority, long after the certificates have expired.
    TooLate,
    /// In the authority, but not in its own clock.
    NoTime,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Guard {
    pub(super) belief: Belief,
    /// The server knows the key that is shared, and uses it.
    pub(super) server_has_psk: bool,
    /// The server makes the changes itself: see [`concert`].
    pub(super) is_in_concert: bool,
    /// How much room there is for records, by number.
    pub(super) room: u8,
    pub(super) has_aes256: bool,
    pub(super) has_alpn: bool,
    pub(super) max_fragment: Option<MaxFragment>,
    /// The client has no clock.
    pub(super) is_timeless: bool,
    pub(super) has_certificate: bool,
}

/// What a fuzzer has made up: a client without a heap, and what a hostile server says to it.
#[derive(Clone, Debug)]
pub struct TlsGuardProgram {
    guard: Guard,
    peer: TlsPeerProgram,
}

impl TlsGuardProgram {
    /// Reads a program. Any bytes are one.
    #[must_use]
    pub fn parse(input: &[u8]) -> Self {
        let mut input = Input::new(input);
        let (how, whom) = (input.byte(), input.byte());
        let mut options = options(&mut input);
        let mut guard = guard(how, whom, options);
        if guard.server_has_psk {
            // Who knows the key is known (RFC 8446, 4.3.2).
            options.acquaintance = Acquaintance::None;
        }
        let is_established = how & 0x80 != 0 && guard.is_right();
        if is_established {
            // That is about the handshake.
            guard.room = guard.room.max(1);
        }
        let (mut edits, mut steps) = (Vec::new(), Vec::new());
        while !input.is_empty() && steps.len() + edits.len() < MOST_STEPS {
            match input.byte() {
                0xe0.. => steps.push(record(&mut input)),
                0xc0.. => steps.push(Step::Act(tamed(act(&mut input)))),
                place if place < 0xb0 && !is_established => {
                    if edits.len() < MOST_EDITS {
                        edits.push((place % 16, Edit::parse(&mut input)));
                    }
                }
                _ => steps.push(match step(&mut input, options) {
                    Step::Act(act) => Step::Act(tamed(act)),
                    step => step,
                }),
            }
        }
        let peer = TlsPeerProgram {
            side: Side::Client,
            options,
            edits,
            is_established,
            steps,
        };
        Self { guard, peer }
    }

    /// Runs it. What the client takes from the allocator is what `gauge` says.
    ///
    /// # Panics
    ///
    /// If the guard does not keep what it promises.
    pub fn run(&self, gauge: Gauge) {
        meet(&self.peer, self.guard, self.is_honest(), gauge);
        concert::end();
    }

    /// Whether the server keeps to the rules, and to what a client without a heap can take.
    fn is_honest(&self) -> bool {
        let fits = |step: &Step| match step {
            Step::Say(item, _) => {
                item.typ == APPLICATION_DATA
                    && item.content.len().min(item.piece) + OVERHEAD <= self.guard.rooms().0
            }
            Step::ChangeKeys { .. } => false,
            _ => true,
        };
        self.guard.is_right()
            && self.guard.room > 0
            && self.peer.is_honest()
            && self.peer.steps.iter().all(fits)
    }
}

impl Guard {
    /// How long records from the peer may be, and to it.
    pub(super) const fn rooms(self) -> (usize, usize) {
        match self.room {
            0 => (512, 512),
            1 => (2048, 1024),
            2 => (16_645, 1024),
            _ => (16_645, 16_645),
        }
    }

    /// Whether this server is the one that the client trusts.
    pub(super) fn is_right(self) -> bool {
        match self.belief {
            Belief::Authority | Belief::Certificate | Belief::Key => !self.server_has_psk,
            Belief::PreSharedKey => self.server_has_psk,
            _ => false,
        }
    }
}

fn guard(how: u8, whom: u8, options: Options) -> Guard {
    let belief = match whom % 16 {
        0..=4 => Belief::Authority,
        5 => Belief::Certificate,
        6 => Belief::Key,
        7 | 8 => Belief::PreSharedKey,
        9 => Belief::AnotherAuthority,
        10 => Belief::AnotherCertificate,
        11 => Belief::AnotherKey,
        12 => Belief::AnotherName,
        13 => Belief::AnotherPreSharedKey,
        14 => Belief::TooLate,
        _ => Belief::NoTime,
    };
    let server_has_psk = match whom & 0x40 {
        // As a rule, both sides are of one mind.
        0 => belief == Belief::PreSharedKey,
        _ => belief != Belief::PreSharedKey,
    };
    Guard {
        belief,
        server_has_psk,
        is_in_concert: options.is_blind || server_has_psk,
        room: how % 4,
        has_aes256: how & 4 != 0,
        has_alpn: options.has_alpn,
        max_fragment: match how & 0x18 {
            0 => None,
            0x08 => Some(MaxFragment::Of512),
            0x10 => Some(MaxFragment::Of1024),
            _ => Some(MaxFragment::Of2048),
        },
        is_timeless: how & 0x20 != 0,
        has_certificate: how & 0x40 != 0 || options.acquaintance == Acquaintance::Mandatory,
    }
}

/// What happens to a record on its way.
fn record(input: &mut Input<'_>) -> Step {
    match input.byte() % 4 {
        0 | 1 => Step::Replay,
        2 => Step::Lose,
        _ => Step::Inject(plain_record(input)),
    }
}

/// A record in plain sight.
fn plain_record(input: &mut Input<'_>) -> Vec<u8> {
    let typ = input.byte();
    let known = KNOWN.get(usize::from(typ) % (2 * KNOWN.len()));
    let (typ, content) = match known {
        Some((typ, content)) => (*typ, content.to_vec()),
        None => (20 + typ % 5, input.counted_bytes()),
    };
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    let mut record = vec![typ, 3, 3];
    record.extend(length.to_be_bytes());
    record.extend(content);
    record
}

/// What a client without a heap cannot do is not asked of it: it does not compile.
const fn tamed(act: Act) -> Act {
    let deed = match act.deed {
        Deed::UpdateKeys => Deed::Flush,
        Deed::OwnedExchange(length) => Deed::Exchange(length),
        Deed::CloseHalf(length) => Deed::Receive(length),
        Deed::Unwrap => Deed::Shutdown,
        deed => deed,
    };
    Act { deed, ..act }
}
