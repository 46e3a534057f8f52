//! A source of events, and the operations on it.
//!
//! It is registered once, for both directions, edge-triggered. An operation is tried at once unless the source is known to be drained, and
//! waits only then. A short read or write drains too, where it can mean nothing else, so that a request and its answer cost no system
//! call that would only say "would block".

use alloc::rc::Rc;
use core::cell::Cell;
use core::task::{Context, Poll};
use std::io;

use crate::reactor::Reactor;
use crate::readiness::{Readiness, Slot};

/// Which way an operation goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// What an operation moved: decides whether it drained its source and how much of a burst it spent.
pub(crate) trait Moved {
    /// Whether such an operation belongs to a conversation, in which the next one may well be possible before the system says so.
    const CONVERSES: bool = true;

    fn moved(&self) -> usize;
}

impl Moved for usize {
    fn moved(&self) -> usize {
        *self
    }
}

/// What a source is known to be ready for when it is registered. Whatever else it is ready for, the system tells with its first events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Nothing is known, and to try is the way to know.
    Unknown,
    /// A new connection: it has room, and what the peer sends first is seldom there yet.
    Connected,
    /// Not connected yet.
    Connecting,
}

/// A source of events, registered with the loop of its thread until it is dropped.
#[derive(Debug)]
pub(crate) struct Source<S: mio::event::Source> {
    io: S,
    slot: Rc<Slot>,
    key: usize,
    reactor: Rc<Reactor>,
}

impl<S: mio::event::Source> Source<S> {
    /// Registers `io`.
    pub(crate) fn new(mut io: S, start: Start) -> io::Result<Self> {
        let reactor = Reactor::current()?;
        let slot = Rc::new(Slot {
            read: Readiness::new(start == Start::Unknown),
            write: Readiness::new(start != Start::Connecting),
            // Windows tells of new readiness only after an operation that would have blocked, and where no event tells of urgent
            // data, a read may have stopped there.
            short_is_drained: Cell::new(cfg!(any(target_os = "android", target_os = "linux"))),
        });
        let key = reactor.register(&mut io, &slot)?;
        Ok(Self {
            io,
            slot,
            key,
            reactor,
        })
    }

    pub(crate) const fn io(&self) -> &S {
        &self.io
    }

    /// Short operations on this source can have other reasons than that it is drained.
    #[cfg(unix)]
    pub(crate) fn distrust_short_operations(&self) {
        self.slot.short_is_drained.set(false);
    }

    fn readiness(&self, direction: Direction) -> &Readiness {
        match direction {
            Direction::Read => &self.slot.read,
            Direction::Write => &self.slot.write,
        }
    }

    /// Waits until `direction` is not known to be drained.
    pub(crate) fn poll_ready(
        &self,
        direction: Direction,
        cx: &Context<'_>,
    ) -> Poll<io::Result<()>> {
        let readiness = self.readiness(direction);
        if !readiness.is_ready() {
            self.reactor.check_driven()?;
            return readiness.wait(cx);
        }
        if self.must_give_way(readiness) {
            return self.give_way(cx);
        }
        Poll::Ready(Ok(()))
    }

    /// Notes that `direction` would block: the system will tell when it no longer does.
    pub(crate) fn block(&self, direction: Direction) {
        self.readiness(direction).block();
    }

    /// Runs `operation` once the source may be ready for it, and again until it no longer would block.
    ///
    /// `asked` is how much the operation asks to move; moving less means, on most sources, that this one is drained.
    pub(crate) fn poll_io<T: Moved>(
        &self,
        direction: Direction,
        cx: &Context<'_>,
        asked: usize,
        operation: impl FnMut(&S) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let readiness = self.readiness(direction);
        if self.is_worth_trying(readiness) {
            if self.must_give_way(readiness) {
                return self.give_way(cx);
            }
            if let Some(result) = self.attempt(readiness, asked, operation) {
                return Poll::Ready(result);
            }
        }
        self.reactor.check_driven()?;
        readiness.wait(cx)
    }

    /// Runs `operation` if the source may be ready for it; `None` if it would block, or has to give way.
    pub(crate) fn try_io<T: Moved>(
        &self,
        direction: Direction,
        asked: usize,
        operation: impl FnMut(&S) -> io::Result<T>,
    ) -> Option<io::Result<T>> {
        let readiness = self.readiness(direction);
        if !self.is_worth_trying(readiness) || self.must_give_way(readiness) {
            return None;
        }
        self.attempt(readiness, asked, operation)
    }

    fn attempt<T: Moved>(
        &self,
        readiness: &Readiness,
        asked: usize,
        mut operation: impl FnMut(&S) -> io::Result<T>,
    ) -> Option<io::Result<T>> {
        loop {
            let result = operation(&self.io);
            let recent = self.reactor.recent();
            match result {
                Ok(value) => {
                    let moved = value.moved();
                    readiness.burst.spend(self.reactor.turn_number(), moved);
                    if T::CONVERSES {
                        recent.progressed(self.key);
                    }
                    if readiness.was_early() {
                        recent.hit();
                    }
                    if moved < asked && self.slot.short_is_drained.get() {
                        readiness.drain();
                    }
                    return Some(Ok(value));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    readiness.block();
                    if readiness.was_early() {
                        recent.missed();
                    }
                    return None;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    readiness.burst.spend_all(self.reactor.turn_number());
                    return Some(Err(error));
                }
            }
        }
    }

    /// Whether an operation might not block. Outside of a run nobody hears the system, so what is known then is old.
    fn is_worth_trying(&self, readiness: &Readiness) -> bool {
        readiness.is_ready() || !self.reactor.is_running()
    }

    /// Whether `readiness` has used up its burst. Outside of a run nobody else waits for a turn.
    fn must_give_way(&self, readiness: &Readiness) -> bool {
        readiness.burst.is_spent(self.reactor.turn_number()) && self.reactor.is_running()
    }

    fn give_way<T>(&self, cx: &Context<'_>) -> Poll<T> {
        self.reactor.wake_next_turn(cx.waker());
        Poll::Pending
    }
}

impl<S: mio::event::Source> Drop for Source<S> {
    fn drop(&mut self) {
        self.reactor.deregister(&mut self.io, self.key);
    }
}
