//! Futures that are dropped before they are ready, at a chosen point.

use core::fmt;
use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;

/// Where in its life a future is dropped.
///
/// A future is polled, waits, is woken, is polled again. It can be dropped between any two of these steps; code that is only ever
/// tried undisturbed is often wrong in one of them.
///
/// ```
/// use core::future::{pending, ready};
/// use tacket::testing::DropPoint;
///
/// # futures_util::FutureExt::now_or_never(async {
/// let first_poll = DropPoint::after_poll(1);
/// assert_eq!(first_poll.cut(pending::<u8>()).await, None);
/// assert_eq!(first_poll.cut(ready(7)).await, Some(7)); // ready in time
/// # }).expect("ready");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropPoint {
    polls: usize,
    woken: bool,
}

impl DropPoint {
    /// Right after poll number `polls`, if that poll did not complete it. The first is number 1; 0 counts as 1.
    #[must_use]
    pub const fn after_poll(polls: usize) -> Self {
        Self {
            polls,
            woken: false,
        }
    }

    /// When its task is polled again after poll number `polls`: it was woken, but does not get to use it.
    #[must_use]
    pub const fn when_woken_after_poll(polls: usize) -> Self {
        Self { polls, woken: true }
    }

    /// Awaits `future`, but drops it at this point. `None`: it was dropped.
    ///
    /// # Cancel safety
    ///
    /// Safe. A dropped `cut` drops `future`.
    pub async fn cut<F: Future>(self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut polls = 0;
        poll_fn(|cx| {
            if self.woken && polls >= self.polls.max(1) {
                return Poll::Ready(None);
            }
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            polls += 1;
            if !self.woken && polls >= self.polls {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        })
        .await
    }

    /// The points in the order in which a check tries them: every poll up to `polls`, each in both ways.
    pub(super) fn up_to(polls: usize) -> impl Iterator<Item = Self> {
        (1..=polls).flat_map(|polls| [Self::after_poll(polls), Self::when_woken_after_poll(polls)])
    }
}

impl fmt::Display for DropPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = if self.woken {
            "when woken after"
        } else {
            "right after"
        };
        write!(f, "dropped {moment} poll {}", self.polls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;
    use futures_util::FutureExt as _;

    /// A future that counts its polls, wakes itself and is ready at the fourth.
    async fn fourth_poll(polls: &Cell<usize>) {
        poll_fn(|cx| {
            polls.set(polls.get() + 1);
            cx.waker().wake_by_ref();
            if polls.get() == 4 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    fn drive<T>(future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        loop {
            if let Some(output) = future.as_mut().now_or_never() {
                return output;
            }
        }
    }

    #[test]
    fn a_future_is_polled_as_often_as_asked_and_then_dropped() {
        for (point, polled) in [
            (DropPoint::after_poll(1), 1),
            (DropPoint::after_poll(3), 3),
            (DropPoint::when_woken_after_poll(1), 1),
            (DropPoint::when_woken_after_poll(3), 3),
        ] {
            let polls = Cell::new(0);
            assert_eq!(drive(point.cut(fourth_poll(&polls))), None);
            assert_eq!(polls.get(), polled);
        }
    }

    #[test]
    fn a_future_that_is_ready_in_time_is_not_dropped() {
        for point in [
            DropPoint::after_poll(4),
            DropPoint::when_woken_after_poll(4),
        ] {
            let polls = Cell::new(0);
            assert_eq!(drive(point.cut(fourth_poll(&polls))), Some(()));
        }
    }
}
