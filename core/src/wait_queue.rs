//! Waiting for something that others bring about. Who has waited longest is woken first; who looks first has it.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};

use crate::waiters::{Place, Queue, Waiters};

/// A queue for up to `W` tasks of one thread that wait until a condition holds.
pub(crate) struct WaitQueue<const W: usize> {
    state: RefCell<State<W>>,
}

struct State<const W: usize> {
    waiters: Waiters<(), W>,
    queue: Queue,
}

/// Nobody more can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoPlace;

impl<const W: usize> WaitQueue<W> {
    pub(crate) const fn new() -> Self {
        Self {
            state: RefCell::new(State {
                waiters: Waiters::new(),
                queue: Queue::new(),
            }),
        }
    }

    /// Waits until `condition` has something. It is asked at once, and after each wake.
    pub(crate) async fn wait_for<T>(
        &self,
        mut condition: impl FnMut() -> Option<T>,
    ) -> Result<T, NoPlace> {
        let mut waiting = Waiting {
            queue: self,
            place: None,
        };
        poll_fn(|cx| match condition() {
            Some(value) => {
                waiting.stop();
                Poll::Ready(Ok(value))
            }
            None => waiting.poll(cx),
        })
        .await
    }

    /// Wakes who has waited longest. A wake that comes too late for it goes to the next.
    pub(crate) fn wake_one(&self) {
        let waker = self.next();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Wakes all.
    pub(crate) fn wake_all(&self) {
        // Each outside of the borrow: what is woken may come back here, and wait again behind these.
        let waiting = self.state.borrow().queue.len();
        for waker in (0..waiting).map_while(|_| self.next()) {
            waker.wake();
        }
    }

    fn next(&self) -> Option<Waker> {
        let State { waiters, queue } = &mut *self.state.borrow_mut();
        let place = waiters.pop_front(queue)?;
        waiters.take_waker(place)
    }
}

/// Dropped, it is out of the queue.
struct Waiting<'q, const W: usize> {
    queue: &'q WaitQueue<W>,
    place: Option<Place>,
}

impl<const W: usize> Waiting<'_, W> {
    fn poll<T>(&mut self, cx: &Context<'_>) -> Poll<Result<T, NoPlace>> {
        let mut state = self.queue.state.borrow_mut();
        let State { waiters, queue } = &mut *state;
        let Some(place) = self.place.or_else(|| waiters.take_place()) else {
            return Poll::Ready(Err(NoPlace));
        };
        self.place = Some(place);
        let replaced = waiters.put_waker(place, cx.waker());
        if !waiters.is_queued(place) {
            waiters.push_back(queue, place);
        }
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    /// Leaves the queue. Returns whether it was woken, and did not look since.
    fn stop(&mut self) -> bool {
        let Some(place) = self.place.take() else {
            return false;
        };
        let mut state = self.queue.state.borrow_mut();
        let State { waiters, queue } = &mut *state;
        let is_woken = !waiters.is_queued(place);
        waiters.remove(queue, place);
        let left = waiters.free_place(place);
        drop(state);
        drop(left);
        is_woken
    }
}

impl<const W: usize> Drop for Waiting<'_, W> {
    fn drop(&mut self) {
        if self.stop() {
            self.queue.wake_one();
        }
    }
}
