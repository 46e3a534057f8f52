//! A lock that is waited for without blocking the thread.

use core::cell::{Cell, RefCell, RefMut};
use core::fmt;
use core::future::poll_fn;
use core::ops::{Deref, DerefMut};
use core::task::{Poll, Waker};

/// Owns a value that one task at a time may use, across awaits.
///
/// It serves the two halves of one stream: one may hold it, one may wait.
pub(crate) struct Lock<T> {
    value: RefCell<T>,
    waiter: Cell<Option<Waker>>,
}

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self {
            value: RefCell::new(value),
            waiter: Cell::new(None),
        }
    }

    #[cfg(feature = "rustls")]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    #[cfg(feature = "rustls")]
    pub(crate) fn into_inner(self) -> T {
        self.value.into_inner()
    }

    /// `None`: another task holds it.
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        let value = self.value.try_borrow_mut().ok()?;
        Some(Guard {
            value,
            _release: Release(&self.waiter),
        })
    }

    /// Waits until no other task holds it. Dropped, it leaves nothing behind but a spurious wake.
    pub(crate) async fn lock(&self) -> Guard<'_, T> {
        poll_fn(|cx| match self.try_lock() {
            Some(guard) => Poll::Ready(guard),
            None => {
                let displaced = self.waiter.replace(Some(cx.waker().clone()));
                if let Some(displaced) = displaced.filter(|waker| !waker.will_wake(cx.waker())) {
                    displaced.wake();
                }
                Poll::Pending
            }
        })
        .await
    }
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("locked", &self.value.try_borrow().is_err())
            .finish_non_exhaustive()
    }
}

/// The right to use the value of a [`Lock`], until dropped. The fields drop in this order: first free, then told.
pub(crate) struct Guard<'l, T> {
    value: RefMut<'l, T>,
    _release: Release<'l>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

struct Release<'l>(&'l Cell<Option<Waker>>);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::sync::Arc;
    use alloc::task::Wake;
    use core::pin::pin;
    use core::sync::atomic::{AtomicUsize, Ordering};
    use core::task::Context;

    #[test]
    fn one_task_holds_it_and_the_next_gets_it_when_that_is_done() {
        let lock = Lock::new(1);
        let mut cx = Context::from_waker(Waker::noop());
        let first = lock.try_lock().expect("free");
        let mut second = pin!(lock.lock());
        assert!(second.as_mut().poll(&mut cx).is_pending());
        drop(first);
        assert!(second.as_mut().poll(&mut cx).is_ready());
    }

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn releasing_wakes_who_waits_when_it_is_free() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let lock = Lock::new(());
        let first = lock.try_lock();
        let mut second = pin!(lock.lock());
        let mut cx = Context::from_waker(&waker);
        assert!(second.as_mut().poll(&mut cx).is_pending());
        drop(first);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn who_waits_is_told_when_another_takes_the_place() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let lock = Lock::new(());
        let _first = lock.try_lock();
        let mut second = pin!(lock.lock());
        let mut third = pin!(lock.lock());
        let mut cx = Context::from_waker(&waker);
        assert!(second.as_mut().poll(&mut cx).is_pending());
        let mut other = Context::from_waker(Waker::noop());
        assert!(third.as_mut().poll(&mut other).is_pending());
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }
}
