//! What a link does to what it carries.

use core::time::Duration;

use rand_core::Rng as _;
use rand_xoshiro::Xoshiro256PlusPlus;

/// How long a stream waits before it sends a segment again; twice as long each time, up to [`LONGEST_RETRY`].
const RETRY: Duration = Duration::from_millis(200);
const LONGEST_RETRY: Duration = Duration::from_secs(5);
/// How often in a row a segment is lost at most.
const LOSSES: u32 = 10;

/// What a link between two hosts does to what it carries, in both directions. Chances are between 0 and 1.
///
/// Datagrams bear all of it. Streams recover, as TCP does: to lose a segment costs time.
///
/// ```
/// use core::time::Duration;
/// use tacket::testing::Link;
///
/// let far = Link::new().delay(Duration::from_millis(80));
/// let bad = far.jitter(Duration::from_millis(20)).loss(0.1).duplication(0.05).reordering(0.2);
/// # let _ = bad;
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    delay: Duration,
    jitter: Duration,
    loss: f64,
    duplication: f64,
    reordering: f64,
}

impl Link {
    /// Everything arrives, once, in order, and at once.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            duplication: 0.0,
            reordering: 0.0,
        }
    }

    /// How long everything takes.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// How much longer it takes at most.
    #[must_use]
    pub const fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// The chance that a datagram or a segment is lost.
    #[must_use]
    pub const fn loss(mut self, chance: f64) -> Self {
        self.loss = chance;
        self
    }

    /// The chance that a datagram arrives twice; the second time, later.
    #[must_use]
    pub const fn duplication(mut self, chance: f64) -> Self {
        self.duplication = chance;
        self
    }

    /// The chance that a datagram takes longer, up to four times its delay and a millisecond more, so that others overtake it.
    #[must_use]
    pub const fn reordering(mut self, chance: f64) -> Self {
        self.reordering = chance;
        self
    }

    /// After how long the copies of a datagram arrive: none, one or two.
    pub(super) fn datagram(&self, random: &mut Xoshiro256PlusPlus) -> [Option<Duration>; 2] {
        // Always the same number of draws, so that a changed chance changes no other decision.
        let [lost, twice, late, later, again, jitter] = [(); 6].map(|()| chance(random));
        let more = |part: f64| (self.delay * 4 + Duration::from_millis(1)).mul_f64(part);
        let held_back = match late < self.reordering {
            true => more(later),
            false => Duration::ZERO,
        };
        let delay = self.delay + self.jitter.mul_f64(jitter) + held_back;
        let first = (lost >= self.loss).then_some(delay);
        let second = (twice < self.duplication).then(|| delay + more(again));
        [first, first.and(second)]
    }

    /// How long a segment of a stream takes, and how often it was lost on the way.
    pub(super) fn segment(&self, random: &mut Xoshiro256PlusPlus) -> (Duration, u32) {
        let mut delay = self.delay + self.jitter.mul_f64(chance(random));
        let mut losses = 0;
        while chance(random) < self.loss && losses < LOSSES {
            delay += retry(losses);
            losses += 1;
        }
        (delay, losses)
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::new()
    }
}

/// How long to wait before sending again what was sent so often in vain.
pub(super) fn retry(tries: u32) -> Duration {
    (RETRY * (1 << tries.min(10))).min(LONGEST_RETRY)
}

/// At least 0, less than 1.
pub(super) fn chance(random: &mut Xoshiro256PlusPlus) -> f64 {
    f64::from(random.next_u32()) / (f64::from(u32::MAX) + 1.0)
}
