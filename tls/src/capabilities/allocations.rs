//! How often something asks the allocator.

use core::pin::pin;

use futures_util::future::poll_fn;

/// What comes of `future`, and how often it has asked the allocator for something.
pub(super) async fn counted<T>(future: impl Future<Output = T>) -> (T, u64) {
    let (mut future, mut count) = (pin!(future), 0);
    let output = poll_fn(|cx| {
        let mut polled = None;
        let measured = allocation_counter::measure(|| polled = Some(future.as_mut().poll(cx)));
        count += measured.count_total;
        polled.expect("it was polled")
    });
    (output.await, count)
}
