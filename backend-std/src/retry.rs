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
    /// The last is the one that progressed last.
    keys: Cell<[usize; REMEMBERED]>,
    /// How many turns to let pass without a trial.
    pause: Cell<u32>,
    /// What the last failure made of it.
    last_pause: Cell<u32>,
}

impl Recent {
    pub(crate) const fn new() -> Self {
        Self {
            keys: Cell::new([NOBODY; REMEMBERED]),
            pause: Cell::new(0),
            last_pause: Cell::new(0),
        }
    }

    /// Notes that the source `key` has moved something.
    pub(crate) fn progressed(&self, key: usize) {
        let mut keys = self.keys.get();
        let [.., last] = keys;
        if last == key {
            return;
        }
        let place = keys.iter().position(|other| *other == key).unwrap_or(0);
        if let Some(later) = keys.get_mut(place..) {
            later.rotate_left(1);
        }
        let [.., last] = &mut keys;
        *last = key;
        self.keys.set(keys);
    }

    /// Notes that the source `key` is gone: the next one that gets this key is another.
    pub(crate) fn forget(&self, key: usize) {
        let mut keys = self.keys.get();
        if let Some(place) = keys.iter_mut().find(|other| **other == key) {
            *place = NOBODY;
            self.keys.set(keys);
        }
    }

    /// Whom to try, the longest idle first. Never the one that progressed last, which has just been emptied.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = usize> {
        let pause = self.pause.get();
        let [others @ .., _] = self.keys.get();
        let others = if pause == 0 {
            others
        } else {
            self.pause.set(pause - 1);
            [NOBODY; REMEMBERED - 1]
        };
        others.into_iter().filter(|key| *key != NOBODY)
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
