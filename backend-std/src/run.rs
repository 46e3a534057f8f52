//! The executor: one future, and the tasks it starts, on the calling thread.

use alloc::sync::Arc;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::io;

use crate::error::{IoError, Operation};
use crate::reactor::Reactor;
use crate::tasks::{MAIN, Tasks};

/// How many polls of futures there are between two looks at the system, at most.
const POLLS: usize = 64;

/// Drives `future` on this thread until it is ready, and returns its output.
///
/// Streams, listeners and clocks of this crate belong to the thread that made them, and wait only inside a `run` on
/// that thread. They may be made before it and outlive it. While nothing is ready the thread sleeps in the operating system.
///
/// The future need not be `Send` or `'static`. Wakers may be used from any thread; a wake from this thread costs no
/// system call, a wake from another costs one. Several things at once: [`TaskGroup`](crate::TaskGroup), [`spawn`](crate::spawn), or
/// `join` of any futures crate.
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
    let tasks = Tasks::current(&reactor.inbox);
    let mut future = pin!(future); // dropped after the tasks
    let (_entered, main) = tasks.enter();
    let waker = Waker::from(Arc::clone(&main));
    let mut cx = Context::from_waker(&waker);
    loop {
        for _ in 0..POLLS {
            tasks.take_posted();
            match tasks.next() {
                Some(MAIN) => {
                    main.polled();
                    if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                        return Ok(output);
                    }
                }
                Some(key) => tasks.poll(key),
                None if reactor.retry() => {}
                None => break,
            }
        }
        reactor.turn(tasks.is_idle()).map_err(failed)?;
    }
}
