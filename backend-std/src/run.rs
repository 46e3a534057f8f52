//! The executor: one future, on the calling thread.

use core::pin::pin;
use core::task::{Context, Poll};
use std::io;

use crate::error::{IoError, Operation};
use crate::reactor::Reactor;

/// Drives `future` on this thread until it is ready, and returns its output.
///
/// Streams, listeners and clocks of this crate belong to the thread that made them, and wait only inside a `run` on
/// that thread. They may be made before it and outlive it. While nothing is ready the thread sleeps in the operating system.
///
/// The future need not be `Send` or `'static`. Wakers may be used from any thread; a wake from this thread costs no
/// system call, a wake from another costs one. Several things at once: [`TaskGroup`](crate::TaskGroup), or `join` of any
/// futures crate.
///
/// No stream can starve another: after 256 KiB, or 128 small operations, in one turn of the loop a stream gives way.
///
/// # Errors
///
/// The operating system gave no event loop (out of descriptors: [`Fault::Capacity`](tacket::Fault::Capacity)), its poll
/// failed, or this thread is inside a `run` already ([`Fault::Unsupported`](tacket::Fault::Unsupported)).
///
/// # Examples
///
/// ```
/// let answer = tacket_std::run(async { 6 * 7 })?;
/// assert_eq!(answer, 42);
/// # Ok::<(), tacket_std::IoError>(())
/// ```
pub fn run<F: Future>(future: F) -> Result<F::Output, IoError> {
    let failed = |error| IoError::new(Operation::Run, error);
    let reactor = Reactor::current().map_err(failed)?;
    let Some(_running) = reactor.enter() else {
        let nested = io::Error::new(
            io::ErrorKind::Unsupported,
            "this thread is inside a run already",
        );
        return Err(failed(nested));
    };
    let mut future = pin!(future);
    let waker = reactor.waker();
    let mut cx = Context::from_waker(&waker);
    loop {
        if reactor.take_woken()
            && let Poll::Ready(output) = future.as_mut().poll(&mut cx)
        {
            return Ok(output);
        }
        reactor.turn().map_err(failed)?;
    }
}
