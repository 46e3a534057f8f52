//! Whether a future waits.

use core::future::poll_fn;
use core::pin::pin;

/// Awaits `future`, and also returns how many polls it took: 1 means that it never waited.
///
/// ```
/// use core::future::ready;
/// use embassy_futures::{block_on, yield_now};
/// use tacket::testing::count_polls;
///
/// assert_eq!(block_on(count_polls(ready('x'))), ('x', 1));
/// assert_eq!(block_on(count_polls(yield_now())), ((), 2)); // it gave others a turn
/// ```
///
/// # Cancel safety
///
/// Safe. A dropped one drops `future`.
pub async fn count_polls<F: Future>(future: F) -> (F::Output, usize) {
    let mut future = pin!(future);
    let mut polls = 0;
    let output = poll_fn(|cx| {
        polls += 1;
        future.as_mut().poll(cx)
    })
    .await;
    (output, polls)
}
