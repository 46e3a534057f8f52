//! Tasks in a fixed order.

use core::cell::RefCell;
use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};

/// Makes the tasks of a test take their turns by number: 0 first, and `n` when `n - 1` is over. So a race goes the way that the test is about.
///
/// At most `W` wait at once.
///
/// ```
/// use core::cell::RefCell;
/// use embassy_futures::block_on;
/// use embassy_futures::join::join;
/// use tacket::testing::{Sequencer, TurnError};
///
/// async fn say(word: &str, turn: usize, sequencer: &Sequencer, said: &RefCell<String>) -> Result<(), TurnError> {
///     let _turn = sequencer.turn(turn).await?;
///     said.borrow_mut().push_str(word);
///     Ok(())
/// }
///
/// let (sequencer, said) = (Sequencer::new(), RefCell::default());
/// let both = join(say(" second", 1, &sequencer, &said), say("first", 0, &sequencer, &said));
/// assert_eq!(block_on(both), (Ok(()), Ok(())));
/// assert_eq!(said.take(), "first second");
/// ```
pub struct Sequencer<const W: usize = 16> {
    state: RefCell<State<W>>,
}

struct State<const W: usize> {
    /// Whose turn it is, or is next.
    next: usize,
    /// Whether it is being taken.
    under_way: bool,
    /// Somebody left before its turn, so those after it never come.
    broken: bool,
    waiting: [Option<Waiter>; W],
}

struct Waiter {
    number: usize,
    /// Until it is woken.
    waker: Option<Waker>,
}

impl<const W: usize> Sequencer<W> {
    /// The next turn is number 0.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: RefCell::new(State {
                next: 0,
                under_way: false,
                broken: false,
                waiting: [const { None }; W],
            }),
        }
    }

    /// Waits for turn `number`. It lasts until what is returned is dropped.
    ///
    /// # Errors
    ///
    /// [`TurnError::Taken`]: this number had its turn, or somebody has it or waits for it. [`TurnError::Broken`]: somebody who
    /// waited for a turn was dropped before it came. [`TurnError::Capacity`]: `W` wait already.
    ///
    /// # Cancel safety
    ///
    /// Not safe. Dropped while it waits, all who wait get [`TurnError::Broken`]: a turn that nobody takes would be waited for for
    /// ever.
    pub async fn turn(&self, number: usize) -> Result<Turn<'_, W>, TurnError> {
        let mut waiting = Waiting {
            sequencer: self,
            place: None,
        };
        poll_fn(|cx| waiting.poll(cx, number)).await?;
        Ok(Turn { sequencer: self })
    }

    /// Wakes whoever `wanted` says.
    fn wake(&self, wanted: impl Fn(usize) -> bool) {
        loop {
            let mut state = self.state.borrow_mut();
            let mut waiting = state.waiting.iter_mut();
            let found = waiting.find_map(|place| {
                let waiter = place.as_mut().filter(|waiter| wanted(waiter.number))?;
                waiter.waker.take()
            });
            drop(state);
            match found {
                Some(waker) => waker.wake(),
                None => return,
            }
        }
    }
}

/// Somebody who waits for its turn.
struct Waiting<'s, const W: usize> {
    sequencer: &'s Sequencer<W>,
    place: Option<usize>,
}

impl<const W: usize> Waiting<'_, W> {
    fn poll(&mut self, cx: &Context<'_>, number: usize) -> Poll<Result<(), TurnError>> {
        let mut state = self.sequencer.state.borrow_mut();
        let waiting = state.waiting.iter().enumerate();
        let mut others = waiting.filter(|(place, _)| Some(*place) != self.place);
        let is_taken = number < state.next
            || (number == state.next && state.under_way)
            || others.any(|(_, other)| other.as_ref().is_some_and(|other| other.number == number));
        let answer = if state.broken {
            Err(TurnError::Broken)
        } else if is_taken {
            Err(TurnError::Taken)
        } else if number == state.next {
            state.under_way = true;
            Ok(())
        } else {
            let free = || state.waiting.iter().position(Option::is_none);
            self.place = self.place.or_else(free);
            if let Some(room) = self.place.and_then(|place| state.waiting.get_mut(place)) {
                let waker = Some(cx.waker().clone());
                let before = room.replace(Waiter { number, waker });
                drop(state);
                drop(before);
                return Poll::Pending;
            }
            Err(TurnError::Capacity)
        };
        drop(state);
        self.leave();
        Poll::Ready(answer)
    }

    /// Gives its place back, if it has one.
    fn leave(&mut self) -> bool {
        let mut state = self.sequencer.state.borrow_mut();
        let place = self.place.take();
        let left = place.and_then(|place| state.waiting.get_mut(place)?.take());
        drop(state);
        left.is_some()
    }
}

impl<const W: usize> Drop for Waiting<'_, W> {
    fn drop(&mut self) {
        if self.leave() {
            self.sequencer.state.borrow_mut().broken = true;
            self.sequencer.wake(|_| true);
        }
    }
}

/// A turn of a [`Sequencer`]. Dropped, it is the next one's.
#[derive(Debug)]
pub struct Turn<'s, const W: usize> {
    sequencer: &'s Sequencer<W>,
}

impl<const W: usize> Drop for Turn<'_, W> {
    fn drop(&mut self) {
        let mut state = self.sequencer.state.borrow_mut();
        state.next += 1;
        state.under_way = false;
        let next = state.next;
        drop(state);
        self.sequencer.wake(|number| number == next);
    }
}

impl<const W: usize> Default for Sequencer<W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const W: usize> fmt::Debug for Sequencer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.borrow();
        f.debug_struct("Sequencer")
            .field("next", &state.next)
            .field("under_way", &state.under_way)
            .field("broken", &state.broken)
            .finish_non_exhaustive()
    }
}

/// Why there is no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TurnError {
    /// The number had its turn, or somebody has it or waits for it.
    Taken,
    /// Somebody who waited for a turn was dropped.
    Broken,
    /// As many wait as there are places.
    Capacity,
}

impl fmt::Display for TurnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken => "this turn is somebody else's",
            Self::Broken => "somebody left before its turn",
            Self::Capacity => "as many wait for a turn as there are places",
        })
    }
}

impl core::error::Error for TurnError {}
