//! Time that only goes on when it is told to.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::future::poll_fn;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use crate::Clock;

/// How many polls in a row take a millisecond.
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
const POLLS: u32 = 1000;

/// A clock that stands still until it is [advanced](Self::advance), with places for `S` sleepers.
///
/// [`run`](Self::run) (feature `alloc`) drives a future, and lets time jump whenever everything waits: an hour takes no time.
///
/// ```
/// use core::time::Duration;
/// use tacket::Clock;
/// use tacket::testing::VirtualClock;
///
/// # #[cfg(feature = "alloc")] {
/// let clock = VirtualClock::<4>::new();
/// clock.run(clock.sleep_until(Duration::from_secs(3600)));
/// assert_eq!(clock.now(), Duration::from_secs(3600));
/// # }
/// ```
pub struct VirtualClock<const S: usize = 32> {
    now: Cell<Duration>,
    /// How often somebody was polled since time last went on.
    polls: Cell<u32>,
    sleepers: RefCell<Sleepers<S>>,
}

struct Sleepers<const S: usize> {
    places: [Option<Sleeper>; S],
    /// No place from here on is taken.
    top: usize,
}

struct Sleeper {
    deadline: Duration,
    /// Until it is woken.
    waker: Option<Waker>,
}

impl<const S: usize> VirtualClock<S> {
    /// A clock that stands at 0.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            now: Cell::new(Duration::ZERO),
            polls: Cell::new(0),
            sleepers: RefCell::new(Sleepers {
                places: [const { None }; S],
                top: 0,
            }),
        }
    }

    /// When the next sleeper is to wake. `None`: nobody sleeps, or all who do were woken already.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let sleepers = self.sleepers.borrow();
        let asleep = sleepers.places.iter().take(sleepers.top).flatten();
        asleep
            .filter(|sleeper| sleeper.waker.is_some())
            .map(|sleeper| sleeper.deadline)
            .min()
    }

    /// Lets so much time pass. Sleepers wake in the order of their deadlines, each at its own; but whoever polls them does so later.
    pub fn advance(&self, by: Duration) {
        let end = self.now.get().saturating_add(by);
        while let Some(deadline) = self.next_deadline().filter(|deadline| *deadline <= end) {
            self.wake_until(deadline);
        }
        self.now.set(end);
    }

    /// Counts a poll. A thousand of them take a millisecond, if nobody waits meanwhile: so a limit ends what spins.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub(super) fn spin(&self) {
        self.polls.set((self.polls.get() + 1) % POLLS);
        if self.polls.get() == 0 {
            self.advance(Duration::from_millis(1));
        }
    }

    /// Lets time pass until the next sleeper wakes. False if there is none.
    pub fn jump(&self) -> bool {
        let next = self.next_deadline();
        self.polls.set(0);
        if let Some(deadline) = next {
            self.wake_until(deadline);
        }
        next.is_some()
    }

    fn wake_until(&self, deadline: Duration) {
        self.now.set(self.now.get().max(deadline));
        // Each outside of the borrow: what is woken may come back here.
        while let Some(waker) = self.take_due() {
            waker.wake();
        }
    }

    fn take_due(&self) -> Option<Waker> {
        let now = self.now.get();
        let mut sleepers = self.sleepers.borrow_mut();
        let top = sleepers.top;
        let mut due = sleepers.places.iter_mut().take(top).flatten();
        due.find_map(|sleeper| sleeper.waker.take_if(|_| sleeper.deadline <= now))
    }

    /// Drives `future` to its end, and lets time jump to the next deadline whenever it waits. While it spins, each thousand polls
    /// take a millisecond, so a timeout ends that too.
    ///
    /// # Panics
    ///
    /// When it waits, and nobody sleeps: then nothing will ever happen.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        let woken = super::woken::Woken::now();
        let mut future = pin!(future);
        loop {
            woken.take();
            if let Poll::Ready(output) = woken.poll(future.as_mut()) {
                return output;
            }
            self.spin();
            while !woken.peek() {
                assert!(self.jump(), "it waits for something that never comes");
            }
        }
    }
}

impl<const S: usize> Default for VirtualClock<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const S: usize> fmt::Debug for VirtualClock<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualClock")
            .field("now", &self.now)
            .field("next_deadline", &self.next_deadline())
            .finish_non_exhaustive()
    }
}

impl<const S: usize> Clock for VirtualClock<S> {
    fn now(&self) -> Duration {
        self.now.get()
    }

    /// # Panics
    ///
    /// When `S` sleep already.
    async fn sleep_until(&self, deadline: Duration) {
        let mut sleep = Sleep {
            clock: self,
            place: None,
        };
        poll_fn(|cx| sleep.poll(cx, deadline)).await;
    }
}

/// Dropped, it gives its place back.
struct Sleep<'c, const S: usize> {
    clock: &'c VirtualClock<S>,
    place: Option<usize>,
}

impl<const S: usize> Sleep<'_, S> {
    fn poll(&mut self, cx: &Context<'_>, deadline: Duration) -> Poll<()> {
        if self.clock.now.get() >= deadline {
            return Poll::Ready(());
        }
        let mut sleepers = self.clock.sleepers.borrow_mut();
        let place = self
            .place
            .or_else(|| sleepers.places.iter().position(Option::is_none));
        self.place = place;
        sleepers.top = sleepers.top.max(place.map_or(0, |place| place + 1));
        let room = place.and_then(|place| sleepers.places.get_mut(place));
        let sleeper = Sleeper {
            deadline,
            waker: Some(cx.waker().clone()),
        };
        let replaced = match room {
            Some(room) => room.replace(sleeper),
            None => panic!("more than {S} sleep by this clock"),
        };
        drop(sleepers);
        drop(replaced);
        Poll::Pending
    }
}

impl<const S: usize> Drop for Sleep<'_, S> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let mut sleepers = self.clock.sleepers.borrow_mut();
            let left = sleepers.places.get_mut(place).and_then(Option::take);
            let mut taken = sleepers.places.iter().take(sleepers.top);
            sleepers.top = taken.rposition(Option::is_some).map_or(0, |last| last + 1);
            drop(sleepers);
            drop(left);
        }
    }
}
