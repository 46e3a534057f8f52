//! The loop of one thread: what is ready, when to wake, and the sleep between.
//!
//! What is registered here has a slot, where events become [readiness](crate::readiness). Who uses it is a
//! [`Source`](crate::source::Source).

use alloc::rc::Rc;
use alloc::sync::Arc;
use core::cell::{Cell, RefCell};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io;

use mio::{Events, Interest, Token};
use slab::Slab;

use crate::readiness::{Burst, Slot};
use crate::retry::Recent;
use crate::timer::Timers;
use crate::wake::Inbox;

/// How many events one turn takes from the operating system.
///
/// What a wake touches is still in the processor's cache when its task is polled, if not too many others are woken in between: of a
/// thousand connections, a round trip costs 7 % less than with 1,024.
const EVENTS: usize = 64;
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
    /// What was over before anybody had to wait for it.
    passed: Burst,
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

    /// The loop of this thread, if it is driven.
    pub(crate) fn running() -> Option<Rc<Self>> {
        let current = CURRENT.try_with(|current| current.borrow().clone());
        current
            .ok()
            .flatten()
            .filter(|reactor| reactor.is_running())
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
            passed: Burst::new(),
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

    /// Refuses to wait where nobody would ever wake the waiter.
    pub(crate) fn check_driven(&self) -> io::Result<()> {
        if self.is_running() {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "waiting needs tacket_std::run on the thread that made the stream",
        ))
    }

    /// Which turn this is.
    pub(crate) const fn turn_number(&self) -> u64 {
        self.turn.get()
    }

    pub(crate) const fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Has the system tell `slot` what `io` is ready for, once for all. Returns the key to end that by.
    pub(crate) fn register(
        &self,
        io: &mut impl mio::event::Source,
        slot: &Rc<Slot>,
    ) -> io::Result<usize> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let interest = interest | Interest::PRIORITY;
        let key = self.slots.borrow_mut().insert(Rc::clone(slot));
        let poll = self.poll.borrow();
        let registered = poll.registry().register(io, Token(key), interest);
        if let Err(error) = registered {
            self.slots.borrow_mut().remove(key);
            return Err(error);
        }
        Ok(key)
    }

    /// Forgets `io`. Its slot stays with who shares it.
    pub(crate) fn deregister(&self, io: &mut impl mio::event::Source, key: usize) {
        // It fails only for a source that the system has forgotten already.
        let _ = self.poll.borrow().registry().deregister(io);
        self.slots.borrow_mut().remove(key);
        self.recent.forget(key);
    }

    /// Wakes `waker` when others have had their turn.
    pub(crate) fn wake_next_turn(&self, waker: &Waker) {
        let waker = waker.clone(); // before the borrow: it is anybody's code
        self.given_way.borrow_mut().push(waker);
    }

    /// Lets pass who need not wait, but only so often in a turn.
    pub(crate) fn pass(&self, cx: &Context<'_>) -> Poll<()> {
        let turn = self.turn.get();
        if self.passed.is_spent(turn) {
            self.wake_next_turn(cx.waker());
            return Poll::Pending;
        }
        self.passed.spend(turn, 0);
        Poll::Ready(())
    }

    /// Wakes whoever waits for something that may well be there by now, although the system has not said so. `false` if there is
    /// nobody.
    pub(crate) fn retry(&self) -> bool {
        if !self.given_way.borrow().is_empty() {
            return false;
        }
        let slots = self.slots.borrow();
        let mut candidates = self.recent.candidates();
        let waker = candidates.find_map(|key| slots.get(key)?.read.try_early());
        drop(slots); // a waker may run anybody's code
        let Some(waker) = waker else { return false };
        waker.wake();
        true
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
