//! A deadline around any future.

use core::fmt;
use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use embedded_io_async::ErrorKind;

use crate::{Clock, Error, Fault};

/// Awaits `future` for at most `limit`, measured on `clock` from the first poll.
///
/// When both are ready at once the future wins, so a `limit` of zero gives it one poll.
///
/// # Errors
///
/// [`TimedOut`] when the time is up. The future is dropped then; what that means is its own rule of cancel safety.
///
/// # Cancel safety
///
/// As safe as `future` is. A dropped `timeout` drops it.
///
/// # Examples
///
/// ```
/// use core::time::Duration;
/// use tacket::{Clock, ReceiveStream, timeout};
///
/// /// Receives, but gives up after a second of silence; no byte is lost then.
/// async fn receive_soon<R: ReceiveStream>(
///     rx: &mut R,
///     buf: &mut [u8],
///     clock: &impl Clock,
/// ) -> Option<Result<usize, R::Error>> {
///     timeout(clock, Duration::from_secs(1), rx.receive_some(buf)).await.ok()
/// }
/// ```
pub async fn timeout<C, F>(clock: &C, limit: Duration, future: F) -> Result<F::Output, TimedOut>
where
    C: Clock + ?Sized,
    F: Future,
{
    let mut future = pin!(future);
    let mut sleep = pin!(clock.sleep_until(clock.now().saturating_add(limit)));
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        sleep.as_mut().poll(cx).map(|()| Err(TimedOut))
    })
    .await
}

/// The time was up before the future was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out")
    }
}

impl core::error::Error for TimedOut {}

impl embedded_io_async::Error for TimedOut {
    fn kind(&self) -> ErrorKind {
        ErrorKind::TimedOut
    }
}

impl Error for TimedOut {
    fn fault(&self) -> Fault {
        Fault::TimedOut
    }
}
