//! A future that is polled by hand, and whether it was woken.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future that is polled by hand.
pub(crate) struct Task<'f, T> {
    future: Pin<Box<dyn Future<Output = T> + 'f>>,
    count: Arc<Count>,
    seen: usize,
}

impl<'f, T> Task<'f, T> {
    pub(crate) fn new(future: impl Future<Output = T> + 'f) -> Self {
        Self {
            future: Box::pin(future),
            count: Arc::default(),
            seen: 0,
        }
    }

    /// One that was polled once, and waits.
    #[track_caller]
    pub(crate) fn waiting(future: impl Future<Output = T> + 'f) -> Self {
        let mut task = Self::new(future);
        assert!(task.poll().is_pending(), "it does not wait");
        task
    }

    pub(crate) fn poll(&mut self) -> Poll<T> {
        self.seen = self.count.0.load(Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&self.count));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// Whether it was woken since it was polled last.
    pub(crate) fn is_woken(&self) -> bool {
        self.count.0.load(Ordering::Relaxed) > self.seen
    }

    /// What it comes to, having been woken for it.
    #[track_caller]
    pub(crate) fn woken_ready(mut self) -> T {
        assert!(self.is_woken(), "nobody has woken it");
        match self.poll() {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("it still waits"),
        }
    }
}

/// What `future` comes to without waiting.
#[track_caller]
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    match Task::new(future).poll() {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}
