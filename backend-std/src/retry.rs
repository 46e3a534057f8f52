//! Which source is tried again before the loop asks the system what is ready.
//!
//! Where both ends of a conversation are on one thread, the answer of one end is often there before the loop has slept. To try costs
//! less than to ask, if it succeeds; each failure doubles the time until the next trial.

use core::cell::Cell;

/// How many sources are remembered.
const REMEMBERED: usize = 4;
/// The longest that trials stop after a failure, in turns.
const LONGEST_PAUSE: u32 = 1024;
/// The key of no source.
const NOBODY: usize = usize::MAX;

/// The sources that progressed lately, and how trials have gone.
#[derive(Debug)]
pub(crate) struct Recent {
    /// A ring. A source is there as often as it progressed in turns with others.
    keys: [Cell<usize>; REMEMBERED],
    /// Where in the ring the one is that progressed last.
    last: Cell<usize>,
    /// How many turns to let pass without a trial.
    pause: Cell<u32>,
    /// What the last failure made of it.
    last_pause: Cell<u32>,
}

impl Recent {
    pub(crate) const fn new() -> Self {
        Self {
            keys: [const { Cell::new(NOBODY) }; REMEMBERED],
            last: Cell::new(0),
            pause: Cell::new(0),
            last_pause: Cell::new(0),
        }
    }

    /// Notes that the source `key` has moved something.
    pub(crate) fn progressed(&self, key: usize) {
        if self.ago(0) != key {
            self.last.set((self.last.get() + 1) % REMEMBERED);
            self.place(0).set(key);
        }
    }

    /// Notes that the source `key` is gone: the next one that gets this key is another.
    pub(crate) fn forget(&self, key: usize) {
        for place in self.keys.iter().filter(|place| place.get() == key) {
            place.set(NOBODY);
        }
    }

    /// Whom to try, the longest idle first. Never the one that progressed last, which has just been emptied.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = usize> {
        let pause = self.pause.get();
        self.pause.set(pause.saturating_sub(1));
        let tried = if pause == 0 { 1..REMEMBERED } else { 0..0 };
        let others = tried.rev().map(|ago| self.ago(ago));
        others.filter(|key| *key != NOBODY && *key != self.ago(0))
    }

    /// The source that progressed so many before the last one.
    fn ago(&self, ago: usize) -> usize {
        self.place(ago).get()
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a ring: the remainder is within it"
    )]
    fn place(&self, ago: usize) -> &Cell<usize> {
        &self.keys[(self.last.get() + REMEMBERED - ago) % REMEMBERED]
    }

    /// A trial found something.
    pub(crate) fn hit(&self) {
        self.last_pause.set(0);
    }

    /// A trial found nothing.
    pub(crate) fn missed(&self) {
        let pause = (self.last_pause.get() * 2).clamp(1, LONGEST_PAUSE);
        self.last_pause.set(pause);
        self.pause.set(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(recent: &Recent) -> Vec<usize> {
        recent.candidates().collect()
    }

    #[test]
    fn the_longest_idle_is_tried_first_and_the_last_never() {
        let recent = Recent::new();
        assert!(candidates(&recent).is_empty());
        recent.progressed(1);
        assert!(candidates(&recent).is_empty());
        recent.progressed(2);
        recent.progressed(2);
        assert_eq!(candidates(&recent), [1]);
        recent.progressed(1);
        assert_eq!(candidates(&recent), [2]);
        for key in 3..6 {
            recent.progressed(key);
        }
        assert_eq!(candidates(&recent), [1, 3, 4]);
    }

    #[test]
    fn who_is_gone_is_not_tried() {
        let recent = Recent::new();
        for key in [1, 2, 1, 2] {
            recent.progressed(key);
        }
        recent.forget(1);
        assert!(candidates(&recent).is_empty());
    }

    #[test]
    fn each_failure_doubles_the_pause_and_a_success_ends_that() {
        let recent = Recent::new();
        recent.progressed(1);
        recent.progressed(2);
        let pause = || (0..).take_while(|_| candidates(&recent).is_empty()).count();
        for expected in [1, 2, 4, 8] {
            recent.missed();
            assert_eq!(pause(), expected);
        }
        recent.hit();
        recent.missed();
        assert_eq!(pause(), 1);
        for _ in 0..64 {
            recent.missed();
        }
        assert_eq!(pause(), LONGEST_PAUSE as usize);
    }
}
