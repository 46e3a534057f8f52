//! Runs a future in a test, in virtual time, and notices when nothing can ever wake it.

use alloc::sync::Arc;
use alloc::task::Wake;
use core::cell::Cell;
use core::future::poll_fn;
use core::pin::pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use tacket::Clock;

/// Time that stands still while anybody has something to do, then jumps to the next deadline.
#[derive(Debug, Default)]
pub(crate) struct VirtualClock {
    now: Cell<Duration>,
    next_deadline: Cell<Option<Duration>>,
}

impl Clock for VirtualClock {
    fn now(&self) -> Duration {
        self.now.get()
    }

    async fn sleep_until(&self, deadline: Duration) {
        poll_fn(|_| {
            if self.now.get() >= deadline {
                return Poll::Ready(());
            }
            let next = self.next_deadline.get().unwrap_or(deadline);
            self.next_deadline.set(Some(next.min(deadline)));
            Poll::Pending
        })
        .await;
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Drives `future`. Panics when it waits and neither a wake nor a deadline is to come.
pub(crate) fn drive<F: Future>(clock: &VirtualClock, future: F) -> F::Output {
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&flag));
    let mut future = pin!(future);
    loop {
        flag.0.store(false, Ordering::Relaxed);
        clock.next_deadline.set(None);
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        if !flag.0.load(Ordering::Relaxed) {
            let deadline = clock.next_deadline.get();
            clock
                .now
                .set(deadline.expect("the future hangs: nothing will wake it"));
        }
    }
}
