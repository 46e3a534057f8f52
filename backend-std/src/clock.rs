//! The system's monotonic clock.

use alloc::rc::Rc;
use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;

use crate::reactor::Reactor;
use crate::timer::{self, TimerKey};

/// The system's monotonic clock, the same for the whole process.
///
/// Sleeping is accurate to the millisecond that the system's poll takes, and never early. Who is always late does not sleep, but gives
/// way as streams do: after 128 such times in a turn of the loop.
///
/// ```
/// use std::time::Duration;
/// use tacket::Clock;
/// use tacket_std::MonotonicClock;
///
/// tacket_std::run(async {
///     let clock = MonotonicClock::new();
///     let start = clock.now();
///     clock.sleep_until(start + Duration::from_millis(5)).await;
///     assert!(clock.now() - start >= Duration::from_millis(5));
/// })?;
/// # Ok::<(), tacket_std::IoError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct MonotonicClock;

impl MonotonicClock {
    /// The clock.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl tacket::Clock for MonotonicClock {
    fn now(&self) -> Duration {
        timer::now()
    }

    /// Returns once the clock has reached `deadline`.
    ///
    /// # Panics
    ///
    /// If it has to wait where nothing could wake it: outside [`run`](crate::run).
    ///
    /// # Cancel safety
    ///
    /// Safe. A dropped future leaves nothing behind.
    async fn sleep_until(&self, deadline: Duration) {
        let mut sleeper = Sleeper { registered: None };
        poll_fn(|cx| {
            let reactor = Reactor::running();
            if timer::now() >= deadline {
                return match reactor {
                    Some(reactor) if sleeper.registered.is_none() => reactor.pass(cx),
                    _ => Poll::Ready(()),
                };
            }
            #[expect(
                clippy::expect_used,
                reason = "documented; waiting for ever would be worse"
            )]
            let reactor = reactor.expect("sleeping needs tacket_std::run on this thread");
            match &sleeper.registered {
                Some((_, key)) => reactor.timers.update(*key, cx),
                None => {
                    let key = reactor.timers.insert(deadline, cx);
                    sleeper.registered = Some((reactor, key));
                }
            }
            Poll::Pending
        })
        .await;
    }
}

/// Takes its timer back when dropped.
struct Sleeper {
    registered: Option<(Rc<Reactor>, TimerKey)>,
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        if let Some((reactor, key)) = &self.registered {
            reactor.timers.remove(*key);
        }
    }
}
