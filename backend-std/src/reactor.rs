//! The loop of one thread: what is ready, when to wake, and the sleep between.
//!
//! Each source is registered once, for both directions, edge-triggered. Its readiness lives in a slot of its own: an operation
//! is tried at once unless the slot says that the source is drained, and waits only then. A short read or write drains too, where
//! it can mean nothing else, so that a request and its answer cost no system call that would only say "would block".

use alloc::rc::Rc;
use alloc::sync::Arc;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io;

use mio::{Events, Interest, Token};
use slab::Slab;

use crate::retry::Recent;
use crate::timer::Timers;
use crate::wake::Inbox;

/// How much one direction of a source may move in a turn of the loop before it gives way to the others.
///
/// 256 KiB keeps a bulk transfer inside the processor's cache; it is a few per cent of overhead at most.
const BURST: usize = 256 * 1024;
/// What the smallest operation costs of a burst, so that small operations give way as well.
const LEAST_COST: usize = 2 * 1024;

/// How many events one turn takes from the operating system.
const EVENTS: usize = 1024;
/// The token of the cross-thread wake; no slot ever has it.
const WAKE: Token = Token(usize::MAX);

thread_local! {
    static CURRENT: RefCell<Option<Rc<Reactor>>> = const { RefCell::new(None) };
}

/// The event loop of one thread.
#[derive(Debug)]
pub(crate) struct Reactor {
    poll: RefCell<mio::Poll>,
    events: RefCell<Events>,
    slots: RefCell<Slab<Rc<Slot>>>,
    /// What ends the sleep.
    pub(crate) inbox: Arc<Inbox<mio::Waker>>,
    pub(crate) timers: Timers,
    recent: Recent,
    /// Who has had enough of this turn.
    given_way: RefCell<Vec<Waker>>,
    /// Whether `run` drives this loop now.
    running: Cell<bool>,
    turn: Cell<u64>,
}

impl Reactor {
    /// The loop of this thread, made on first use.
    pub(crate) fn current() -> io::Result<Rc<Self>> {
        let current = CURRENT.try_with(|current| match &mut *current.borrow_mut() {
            Some(reactor) => Ok(Rc::clone(reactor)),
            none => Ok(Rc::clone(none.insert(Rc::new(Self::new()?)))),
        });
        current.unwrap_or_else(|_| Err(io::Error::other("the thread is ending")))
    }

    fn new() -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), WAKE)?;
        Ok(Self {
            poll: RefCell::new(poll),
            events: RefCell::new(Events::with_capacity(EVENTS)),
            slots: RefCell::new(Slab::new()),
            inbox: Arc::new(Inbox::new(waker)),
            timers: Timers::new(),
            recent: Recent::new(),
            given_way: RefCell::new(Vec::new()),
            running: Cell::new(false),
            turn: Cell::new(0),
        })
    }

    /// Marks the loop driven until the guard is dropped; `None` when it is already.
    pub(crate) fn enter(&self) -> Option<Running<'_>> {
        if self.running.replace(true) {
            return None;
        }
        Some(Running(self))
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.running.get()
    }

    /// Wakes whoever waits for something that may well be there by now, although the system has not said so. `false` if there is
    /// nobody.
    pub(crate) fn retry(&self) -> bool {
        if !self.given_way.borrow().is_empty() {
            return false;
        }
        for key in self.recent.candidates() {
            let slot = self.slots.borrow().get(key).cloned();
            if slot.is_some_and(|slot| slot.read.try_early()) {
                return true;
            }
        }
        false
    }

    /// Wakes whoever waits for something that is ready or due now. If nobody is, and `may_sleep`, it sleeps until somebody is, or is
    /// woken.
    pub(crate) fn turn(&self, may_sleep: bool) -> io::Result<()> {
        let may_sleep = may_sleep && self.given_way.borrow().is_empty();
        let timeout = if may_sleep && self.inbox.fall_asleep() {
            self.timers.until_next()
        } else {
            Some(Duration::ZERO)
        };
        let mut events = self.events.borrow_mut();
        let polled = self.poll.borrow_mut().poll(&mut events, timeout);
        if may_sleep {
            self.inbox.rise();
        }
        match polled {
            Ok(()) => self.dispatch(&events),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        self.timers.fire();
        self.turn.set(self.turn.get().wrapping_add(1));
        self.wake_given_way();
        Ok(())
    }

    /// Who gave way comes after those who waited for the system.
    fn wake_given_way(&self) {
        let mut wakers = self.given_way.take();
        for waker in wakers.drain(..) {
            waker.wake();
        }
        if self.given_way.borrow().is_empty() {
            self.given_way.replace(wakers); // its memory is used again
        }
    }

    fn dispatch(&self, events: &Events) {
        for event in events {
            // No borrow stays over a wake: a waker may run anybody's code.
            let slot = self.slots.borrow().get(event.token().0).cloned();
            let Some(slot) = slot else { continue };
            let failed = event.is_error();
            if event.is_priority() {
                // A read stops short where the urgent byte was.
                slot.short_is_drained.set(false);
            }
            if event.is_readable() || event.is_read_closed() || failed {
                slot.read.make_ready(event.is_read_closed() || failed);
            }
            if event.is_writable() || event.is_write_closed() || failed {
                slot.write.make_ready(event.is_write_closed() || failed);
            }
        }
    }
}

/// Marks its loop as driven while it lives.
pub(crate) struct Running<'a>(&'a Reactor);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.set(false);
    }
}

/// The readiness of one source.
#[derive(Debug)]
struct Slot {
    read: Readiness,
    write: Readiness,
    /// Whether an operation that moves less than it was asked to has drained its direction.
    short_is_drained: Cell<bool>,
}

/// The readiness of one direction.
struct Readiness {
    /// Not known to be drained.
    ready: Cell<bool>,
    /// The direction ended or failed: no further event may come, so only an operation that would block drains it.
    ended: Cell<bool>,
    /// Was made ready by nobody but us, in the hope that it is.
    early: Cell<bool>,
    waker: Cell<Option<Waker>>,
    /// The turn in which `spent` was spent.
    turn: Cell<u64>,
    spent: Cell<usize>,
}

impl Readiness {
    const fn new(ready: bool) -> Self {
        Self {
            ready: Cell::new(ready),
            ended: Cell::new(false),
            early: Cell::new(false),
            waker: Cell::new(None),
            turn: Cell::new(0),
            spent: Cell::new(0),
        }
    }

    fn make_ready(&self, ended: bool) {
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

    /// Lets whoever waits try before the system has told; `false` if nobody waits.
    fn try_early(&self) -> bool {
        let waker = self.waker.take();
        let Some(waker) = waker else { return false };
        self.ready.set(true);
        self.early.set(true);
        waker.wake();
        true
    }

    /// An operation came short. At an end the next one will say so.
    fn drain(&self) {
        if !self.ended.get() {
            self.ready.set(false);
        }
    }

    /// An operation would have blocked. If there was an end, it has passed: a named pipe can be opened again.
    fn block(&self) {
        self.ended.set(false);
        self.ready.set(false);
    }

    fn wait<T>(&self, cx: &Context<'_>) -> Poll<T> {
        let current = self.waker.take();
        let current = match current {
            Some(waker) if waker.will_wake(cx.waker()) => waker,
            _ => cx.waker().clone(),
        };
        self.waker.set(Some(current));
        Poll::Pending
    }

    /// Whether this direction has used up its burst of `turn`.
    fn has_spent_burst(&self, turn: u64) -> bool {
        if self.turn.replace(turn) != turn {
            self.spent.set(0);
        }
        self.spent.get() >= BURST
    }

    fn spend(&self, cost: usize) {
        self.spent
            .set(self.spent.get().saturating_add(cost.max(LEAST_COST)));
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
            // Windows tells of new readiness only after an operation that would have blocked.
            short_is_drained: Cell::new(cfg!(not(windows))),
        });
        let key = reactor.slots.borrow_mut().insert(Rc::clone(&slot));
        let interest = Interest::READABLE | Interest::WRITABLE;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let interest = interest | Interest::PRIORITY;
        let registered = reactor
            .poll
            .borrow()
            .registry()
            .register(&mut io, Token(key), interest);
        if let Err(error) = registered {
            reactor.slots.borrow_mut().remove(key);
            return Err(error);
        }
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
        if !readiness.ready.get() {
            self.check_driven()?;
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
        if readiness.ready.get() && self.must_give_way(readiness) {
            return self.give_way(cx);
        }
        match self.attempt(readiness, asked, operation) {
            Some(result) => Poll::Ready(result),
            None => {
                self.check_driven()?;
                readiness.wait(cx)
            }
        }
    }

    /// Runs `operation` if the source may be ready for it; `None` if it would block, or has to give way.
    pub(crate) fn try_io<T: Moved>(
        &self,
        direction: Direction,
        asked: usize,
        operation: impl FnMut(&S) -> io::Result<T>,
    ) -> Option<io::Result<T>> {
        let readiness = self.readiness(direction);
        if self.must_give_way(readiness) {
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
        while readiness.ready.get() {
            match operation(&self.io) {
                Ok(value) => {
                    let moved = value.moved();
                    readiness.spend(moved);
                    if T::CONVERSES {
                        self.reactor.recent.progressed(self.key);
                    }
                    if readiness.early.take() {
                        self.reactor.recent.hit();
                    }
                    if moved < asked && self.slot.short_is_drained.get() {
                        readiness.drain();
                    }
                    return Some(Ok(value));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    readiness.block();
                    if readiness.early.take() {
                        self.reactor.recent.missed();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // Whoever tries again at once must not keep the loop from turning.
                    readiness.spend(BURST);
                    return Some(Err(error));
                }
            }
        }
        None
    }

    /// Whether `readiness` has used up its burst. Outside of a run nobody else waits for a turn.
    fn must_give_way(&self, readiness: &Readiness) -> bool {
        let turn = self.reactor.turn.get();
        readiness.has_spent_burst(turn) && self.reactor.is_running()
    }

    fn give_way<T>(&self, cx: &Context<'_>) -> Poll<T> {
        let waker = cx.waker().clone(); // before the borrow: it is anybody's code
        self.reactor.given_way.borrow_mut().push(waker);
        Poll::Pending
    }

    /// Refuses to wait where nobody would ever wake the waiter.
    fn check_driven(&self) -> io::Result<()> {
        if self.reactor.is_running() {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "waiting needs tacket_std::run on the thread that made the stream",
        ))
    }
}

impl<S: mio::event::Source> Drop for Source<S> {
    fn drop(&mut self) {
        // It fails only for a source that the system has forgotten already.
        let _ = self
            .reactor
            .poll
            .borrow()
            .registry()
            .deregister(&mut self.io);
        self.reactor.slots.borrow_mut().remove(self.key);
        self.reactor.recent.forget(self.key);
    }
}
