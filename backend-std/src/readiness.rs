//! What one source is ready for, in each direction, and who waits for that.

use core::cell::Cell;
use core::fmt;
use core::task::{Context, Poll, Waker};

/// How much one direction of a source may move in a turn of the loop before it gives way to the others.
///
/// 256 KiB keeps a bulk transfer inside the processor's cache; it is a few per cent of overhead at most.
const BURST: usize = 256 * 1024;
/// What the smallest operation costs of a burst, so that small operations give way as well.
const LEAST_COST: usize = 2 * 1024;

/// The readiness of one source.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) read: Readiness,
    pub(crate) write: Readiness,
    /// Whether an operation that moves less than it was asked to has drained its direction.
    pub(crate) short_is_drained: Cell<bool>,
}

/// The readiness of one direction.
pub(crate) struct Readiness {
    /// Not known to be drained.
    ready: Cell<bool>,
    /// The direction ended or failed: no further event may come, so only an operation that would block drains it.
    ended: Cell<bool>,
    /// Was made ready by nobody but us, in the hope that it is.
    early: Cell<bool>,
    waker: Cell<Option<Waker>>,
    pub(crate) burst: Burst,
}

impl Readiness {
    pub(crate) const fn new(ready: bool) -> Self {
        Self {
            ready: Cell::new(ready),
            ended: Cell::new(false),
            early: Cell::new(false),
            waker: Cell::new(None),
            burst: Burst::new(),
        }
    }

    pub(crate) const fn is_ready(&self) -> bool {
        self.ready.get()
    }

    /// The system has told: whoever waits is to try.
    pub(crate) fn make_ready(&self, ended: bool) {
        self.ready.set(true);
        self.early.set(false);
        if ended {
            self.ended.set(true);
        }
        let waker = self.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Lets whoever waits try before the system has told. The waker is to be woken.
    pub(crate) fn try_early(&self) -> Option<Waker> {
        let waker = self.waker.take()?;
        self.ready.set(true);
        self.early.set(true);
        Some(waker)
    }

    /// Whether this trial, the first since then, is such an early one.
    pub(crate) fn was_early(&self) -> bool {
        self.early.take()
    }

    /// An operation came short. At an end the next one will say so.
    pub(crate) fn drain(&self) {
        if !self.ended.get() {
            self.ready.set(false);
        }
    }

    /// An operation would have blocked. If there was an end, it has passed: a named pipe can be opened again.
    pub(crate) fn block(&self) {
        self.ended.set(false);
        self.ready.set(false);
    }

    pub(crate) fn wait<T>(&self, cx: &Context<'_>) -> Poll<T> {
        let current = self.waker.take();
        let current = match current {
            Some(waker) if waker.will_wake(cx.waker()) => waker,
            _ => cx.waker().clone(),
        };
        self.waker.set(Some(current));
        Poll::Pending
    }
}

/// How much of a turn of the loop was used.
#[derive(Debug)]
pub(crate) struct Burst {
    /// The turn in which `spent` was spent.
    turn: Cell<u64>,
    spent: Cell<usize>,
}

impl Burst {
    pub(crate) const fn new() -> Self {
        Self {
            turn: Cell::new(0),
            spent: Cell::new(0),
        }
    }

    /// Whether that of `turn` is used up.
    pub(crate) const fn is_spent(&self, turn: u64) -> bool {
        self.spent.get() >= BURST && self.turn.get() == turn
    }

    /// Takes what an operation moved off that of `turn`.
    pub(crate) fn spend(&self, turn: u64, moved: usize) {
        let before = match self.turn.replace(turn) == turn {
            true => self.spent.get(),
            false => 0,
        };
        self.spent.set(before.wrapping_add(moved.max(LEAST_COST)));
    }

    /// Takes all of it: whoever tries again at once must not keep the loop from turning.
    pub(crate) fn spend_all(&self, turn: u64) {
        self.spend(turn, BURST);
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness")
            .field("ready", &self.ready)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
