//! How an operation is performed: to its end, for some time, or until it is dropped somewhere on the way.

use alloc::sync::Arc;
use alloc::task::Wake;
use core::future::poll_fn;
use core::pin::pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use tacket::Clock as _;
use tacket::testing::DropPoint;
use tacket_embassy::EmbassyClock;

/// Longer than any operation takes.
pub(super) const LONGEST: Duration = Duration::from_secs(17);

/// How an operation is performed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// Beside the steps that follow.
    pub(super) is_beside: bool,
    dropped: Option<DropPoint>,
    limit: Duration,
}

impl Manner {
    pub(super) fn new(byte: u8, limit: Duration) -> Self {
        let polls = 1 + usize::from(byte >> 4) % 4;
        Self {
            is_beside: byte & 1 != 0,
            dropped: match byte >> 1 & 3 {
                0 => Some(DropPoint::after_poll(polls)),
                1 => Some(DropPoint::when_woken_after_poll(polls)),
                _ => None,
            },
            limit,
        }
    }

    /// What `operation` comes to. `None`: it was dropped.
    pub(super) async fn perform<T>(self, operation: impl Future<Output = T>) -> Option<T> {
        let operation = within(self.limit, operation);
        match self.dropped {
            Some(point) => point.cut(operation).await.flatten(),
            None => operation.await,
        }
    }
}

/// Gives `future` some time; `None`: that was not enough.
///
/// It is polled only when it was woken. If it turns out to be ready without, when the time is up, a wake-up was lost.
async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let clock = EmbassyClock::new();
    let mut future = pin!(future);
    let mut sleep = pin!(clock.sleep_until(clock.now() + limit));
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(Arc::clone(&alarm));
    poll_fn(|cx| {
        alarm.forward_to(cx.waker());
        if alarm.woken.swap(false, Ordering::Relaxed)
            && let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker))
        {
            return Poll::Ready(Some(output));
        }
        if sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        let late = future.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(
            late.is_pending() || alarm.woken.load(Ordering::Relaxed),
            "it could have gone on, and was not woken"
        );
        Poll::Ready(None)
    })
    .await
}

/// Remembers that it rang, and passes it on.
struct Alarm {
    woken: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Default for Alarm {
    /// It rings once at the start.
    fn default() -> Self {
        Self {
            woken: AtomicBool::new(true),
            task: Mutex::default(),
        }
    }
}

impl Alarm {
    fn forward_to(&self, task: &Waker) {
        let mut place = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        place.get_or_insert_with(|| task.clone()).clone_from(task);
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = &*task {
            task.wake_by_ref();
        }
    }
}
