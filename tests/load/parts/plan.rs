//! What a client does, made up by a seed.

use core::cell::Cell;
use core::time::Duration;

use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
use tacket::Clock as _;
use tacket_std::MonotonicClock;

use crate::opening::{Ending, Opening};

/// A piece that is written or read has at most 64 KiB.
const PIECE_BITS: u32 = 16;
/// What most say, and what a server says after their end, has at most 64 KiB.
const LENGTH_BITS: u32 = 16;
/// What slow readers have said to them: more than the buffers between two ends keep.
const SLOW: u64 = 192 << 10;
/// Slow readers receive at most so much at once,
const SLOW_READ_BITS: u32 = 12;
/// and wait after each so many bytes.
const SLOW_STEP: u64 = 24 << 10;
/// How often a sender waits, at most.
const PAUSES: u32 = 8;
/// How much more a client says than the server will hear before it drops it.
const TOO_MUCH: u64 = 4 << 10;

/// What a client does in one conversation.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) opening: Opening,
    /// How much it says after the opening.
    pub(crate) says: u64,
    /// How much it receives at once.
    pub(crate) read: usize,
    /// After how many bytes a receiver waits; `None`: it does not.
    pub(crate) slow_step: Option<u64>,
    pub(crate) sending: Dice,
    pub(crate) receiving: Dice,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice(Xoshiro256PlusPlus::seed_from_u64(seed));
        let is_slow = dice.below(10) == 0;
        let ending = match dice.below(10) {
            _ if is_slow => Ending::Orderly,
            0 => Ending::ClientResets,
            1 => Ending::ServerResets,
            _ => Ending::Orderly,
        };
        let length = match is_slow {
            true => SLOW,
            false => dice.size(LENGTH_BITS),
        };
        let tail = dice.size(LENGTH_BITS);
        let says = match ending {
            Ending::Orderly => length,
            Ending::ClientResets => dice.below(length),
            Ending::ServerResets => length + TOO_MUCH,
        };
        let read = dice.size(if is_slow { SLOW_READ_BITS } else { PIECE_BITS });
        Self {
            opening: Opening {
                seed: dice.0.next_u64(),
                length,
                tail,
                ending,
                shares_buffer: dice.below(2) == 0,
            },
            says,
            // A slow reader reads little at once, but not single bytes: that would only take the processor's time.
            read: usize::try_from(read).expect("it is small").max(64),
            slow_step: is_slow.then_some(SLOW_STEP),
            sending: Dice(Xoshiro256PlusPlus::seed_from_u64(dice.0.next_u64())),
            receiving: Dice(Xoshiro256PlusPlus::seed_from_u64(dice.0.next_u64())),
        }
    }
}

/// What decides while a conversation goes on.
#[derive(Debug)]
pub(crate) struct Dice(Xoshiro256PlusPlus);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }

    /// From 1 to two to the power of `bits`, of every order of magnitude as often.
    fn size(&mut self, bits: u32) -> u64 {
        let most = 1 << self.below(u64::from(bits) + 1);
        1 + self.below(most)
    }

    /// How long the next piece is, with so much left to say.
    pub(crate) fn piece(&mut self, left: u64) -> usize {
        usize::try_from(self.size(PIECE_BITS).min(left)).expect("it is small")
    }
}

/// How much time clients take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) clock: MonotonicClock,
    /// The longest wait.
    pub(crate) longest: Duration,
    /// From when on nobody waits any more.
    pub(crate) until: Duration,
}

impl Pace {
    /// Waits as long as `dice` say: half the time for a moment.
    async fn pause(&self, dice: &mut Dice) {
        let longest = u64::try_from(self.longest.as_micros()).expect("it is short");
        let pause = match dice.below(2) {
            0 => dice.size(longest.max(1).ilog2()),
            _ => dice.below(longest.max(1)),
        };
        let until = (self.clock.now() + Duration::from_micros(pause)).min(self.until);
        self.clock.sleep_until(until).await;
    }
}

/// The waits of one direction of one conversation.
#[derive(Debug)]
pub(crate) struct Pauses<'p> {
    pace: &'p Pace,
    left: Cell<u32>,
}

impl<'p> Pauses<'p> {
    pub(crate) const fn new(pace: &'p Pace) -> Self {
        Self {
            pace,
            left: Cell::new(PAUSES),
        }
    }

    /// Waits, unless it has waited often enough.
    pub(crate) async fn next(&self, dice: &mut Dice) {
        if let Some(left) = self.left.get().checked_sub(1) {
            self.left.set(left);
            self.pace.pause(dice).await;
        }
    }
}
