//! Who sleeps until when.

use alloc::collections::BTreeMap;
use core::cell::{Cell, RefCell};
use core::task::{Context, Waker};
use core::time::Duration;
use std::sync::OnceLock;
use std::time::Instant;

/// How long the loop sleeps at most. Some systems refuse to sleep for years.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The time since this process first asked.
pub(crate) fn now() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// The sleepers of one thread, by deadline, and by arrival among equals.
#[derive(Debug)]
pub(crate) struct Timers {
    sleepers: RefCell<BTreeMap<(Duration, u64), Option<Waker>>>,
    next_id: Cell<u64>,
}

/// Names a sleeper until it is removed.
pub(crate) type TimerKey = (Duration, u64);

impl Timers {
    pub(crate) fn new() -> Self {
        // One entry that is never due keeps the first node of the tree allocated.
        let sleepers = BTreeMap::from([((Duration::MAX, 0), None)]);
        Self {
            sleepers: RefCell::new(sleepers),
            next_id: Cell::new(1),
        }
    }

    pub(crate) fn insert(&self, deadline: Duration, cx: &Context<'_>) -> TimerKey {
        let key = (deadline, self.next_id.replace(self.next_id.get() + 1));
        let waker = cx.waker().clone(); // before the borrow: it is anybody's code
        self.sleepers.borrow_mut().insert(key, Some(waker));
        key
    }

    /// Points an earlier `insert` at another waker.
    pub(crate) fn update(&self, key: TimerKey, cx: &Context<'_>) {
        let new = cx.waker().clone(); // before the borrow: it is anybody's code
        let mut sleepers = self.sleepers.borrow_mut();
        if let Some(Some(waker)) = sleepers.get_mut(&key) {
            let old = core::mem::replace(waker, new);
            drop(sleepers);
            drop(old); // no longer borrowed: it may be the last handle to a task that holds timers
        }
    }

    pub(crate) fn remove(&self, key: TimerKey) {
        let removed = self.sleepers.borrow_mut().remove(&key);
        drop(removed); // no longer borrowed: it may be the last handle to a task that holds timers
    }

    /// How long until the next sleeper is due, or it is time to look again; `None` when nobody sleeps.
    pub(crate) fn until_next(&self) -> Option<Duration> {
        let sleepers = self.sleepers.borrow();
        let ((deadline, _), waker) = sleepers.first_key_value()?;
        waker.as_ref()?;
        Some(deadline.saturating_sub(now()).min(LONGEST))
    }

    /// Wakes everybody who is due.
    pub(crate) fn fire(&self) {
        if self.until_next() != Some(Duration::ZERO) {
            return;
        }
        let time = now();
        loop {
            let mut sleepers = self.sleepers.borrow_mut();
            let Some(entry) = sleepers.first_entry() else {
                return;
            };
            if entry.key().0 > time || entry.get().is_none() {
                return;
            }
            let waker = entry.remove();
            drop(sleepers);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// macOS fails after three years, 2^31 milliseconds are less than a month.
    #[test]
    fn the_loop_never_sleeps_for_longer_than_every_system_can() {
        let timers = Timers::new();
        assert_eq!(timers.until_next(), None);
        let cx = Context::from_waker(Waker::noop());
        timers.insert(Duration::MAX, &cx);
        assert_eq!(timers.until_next(), None);
        timers.insert(Duration::from_secs(u64::MAX / 2), &cx);
        assert_eq!(timers.until_next(), Some(LONGEST));
    }
}
