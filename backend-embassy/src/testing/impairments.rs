//! What a wire does to packets.

use core::time::Duration;

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro128PlusPlus;

/// What a wire does to packets, in both directions. Chances are between 0 and 1.
///
/// ```
/// use core::time::Duration;
/// use tacket_embassy::testing::Impairments;
///
/// let bad = Impairments::none().loss(0.1).duplication(0.05).reordering(0.2);
/// let far = Impairments::none().delay(Duration::from_millis(300));
/// # let _ = (bad, far);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairments {
    pub(super) delay: Duration,
    loss: f64,
    duplication: f64,
    reordering: f64,
}

impl Impairments {
    /// Every packet arrives, once, in order, after a millisecond.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            delay: Duration::from_millis(1),
            loss: 0.0,
            duplication: 0.0,
            reordering: 0.0,
        }
    }

    /// How long a packet takes.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The chance that a packet is lost.
    #[must_use]
    pub const fn loss(mut self, chance: f64) -> Self {
        self.loss = chance;
        self
    }

    /// The chance that a packet arrives twice; the second time, later.
    #[must_use]
    pub const fn duplication(mut self, chance: f64) -> Self {
        self.duplication = chance;
        self
    }

    /// The chance that a packet takes longer, up to four times its delay more, so that others overtake it.
    #[must_use]
    pub const fn reordering(mut self, chance: f64) -> Self {
        self.reordering = chance;
        self
    }
}

/// Decides, for one packet after the other.
#[derive(Debug)]
pub(super) struct Fate {
    random: Xoshiro128PlusPlus,
}

impl Fate {
    pub(super) fn of(seed: u64) -> Self {
        Self {
            random: Xoshiro128PlusPlus::seed_from_u64(seed),
        }
    }

    /// When the next packet arrives: not at all, once or twice.
    pub(super) fn arrivals(&mut self, what: &Impairments) -> [Option<Duration>; 2] {
        // Always the same number of draws, so that a changed chance changes no other decision.
        let [lost, twice, late, later, again] = [(); 5].map(|()| self.chance());
        let more = |part: f64| what.delay.mul_f64(4.0 * part);
        let held_back = if late < what.reordering { later } else { 0.0 };
        let delay = what.delay + more(held_back);
        let first = (lost >= what.loss).then_some(delay);
        let second = (twice < what.duplication).then(|| delay + more(again));
        [first, first.and(second)]
    }

    fn chance(&mut self) -> f64 {
        f64::from(self.random.next_u32()) / (f64::from(u32::MAX) + 1.0)
    }
}
