//! Time, as a value that the caller passes in.

use core::time::Duration;

/// A monotonic clock. Core owns none; each platform brings its own, and tests a virtual one.
///
/// Times are durations since an arbitrary start, the same for every use of one clock.
///
/// ```
/// use core::time::Duration;
/// use tacket::Clock;
///
/// async fn pause(clock: &impl Clock, length: Duration) {
///     clock.sleep_until(clock.now().saturating_add(length)).await;
/// }
/// ```
pub trait Clock {
    /// The time since the clock's start. Never goes back.
    fn now(&self) -> Duration;

    /// Returns once [`now`](Self::now) has reached `deadline`; at once if it has already.
    ///
    /// # Cancel safety
    ///
    /// Safe. A dropped future leaves nothing behind.
    async fn sleep_until(&self, deadline: Duration);
}

impl<C: Clock + ?Sized> Clock for &C {
    fn now(&self) -> Duration {
        C::now(self)
    }

    async fn sleep_until(&self, deadline: Duration) {
        C::sleep_until(self, deadline).await;
    }
}
