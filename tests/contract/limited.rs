//! Running on the desktop, but not for ever.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use tacket::Clock as _;
use tacket_std::MonotonicClock;

/// Runs `future`, which ends within a minute, or the test fails.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let clock = MonotonicClock::new();
    // First the limit: whoever is polled only because that is over was not woken.
    let limit = pin!(clock.sleep_until(clock.now() + Duration::from_secs(60)));
    match tacket_std::run(select(limit, pin!(future))).expect("an event loop") {
        Either::Left(_) => panic!("it does not end"),
        Either::Right((output, _)) => output,
    }
}

pub(crate) async fn sleep(milliseconds: u64) {
    let clock = MonotonicClock::new();
    let until = clock.now() + Duration::from_millis(milliseconds);
    clock.sleep_until(until).await;
}
