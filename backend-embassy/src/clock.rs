//! The clock of embassy-time.

use core::time::Duration;

use embassy_time::{Instant, Timer};

/// The clock of embassy-time, as fine as its ticks.
///
/// ```no_run
/// # // Without a time driver this links nowhere.
/// use core::time::Duration;
/// use tacket::Clock;
/// use tacket_embassy::EmbassyClock;
///
/// async fn blink(toggle: impl Fn()) {
///     let clock = EmbassyClock::new();
///     loop {
///         toggle();
///         clock.sleep_until(clock.now() + Duration::from_millis(500)).await;
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct EmbassyClock;

impl EmbassyClock {
    /// The clock.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl tacket::Clock for EmbassyClock {
    fn now(&self) -> Duration {
        Duration::from_micros(Instant::now().as_micros())
    }

    async fn sleep_until(&self, deadline: Duration) {
        // A tick can be longer than a microsecond: the one at or before the deadline may be early.
        let mut alarm = instant(deadline);
        while self.now() < deadline {
            Timer::at(alarm).await;
            alarm = alarm.saturating_add(embassy_time::Duration::from_ticks(1));
        }
    }
}

/// The tick at or before `time`; the last one there is for times beyond.
fn instant(time: Duration) -> Instant {
    u64::try_from(time.as_micros())
        .ok()
        .and_then(Instant::try_from_micros)
        .unwrap_or(Instant::MAX)
}

/// The length in ticks, as far as those go.
pub(crate) fn ticks(length: Duration) -> embassy_time::Duration {
    u64::try_from(length.as_micros())
        .ok()
        .and_then(embassy_time::Duration::try_from_micros)
        .unwrap_or(embassy_time::Duration::MAX)
}
