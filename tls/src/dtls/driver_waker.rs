//! Who is woken when the socket or the clock has something.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Waker;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whoever waits on an endpoint reads the socket for all. So all who wait are woken by it, unless somebody serves: then that one alone is.
#[derive(Default)]
pub(super) struct DriverWaker {
    waiting: Mutex<Waiting>,
    woken: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    all: BTreeMap<u64, Waker>,
    server: Option<u64>,
}

impl DriverWaker {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `waker` woken, until it waits no more. Returns one that it replaces, and whether there was a wake since [`begin`](Self::begin).
    pub(super) fn wait(&self, ticket: u64, waker: &Waker) -> (Option<Waker>, bool) {
        let replaced = match self.lock().all.get_mut(&ticket) {
            Some(known) if known.will_wake(waker) => None,
            Some(known) => Some(core::mem::replace(known, waker.clone())),
            None => None,
        };
        if replaced.is_none() {
            self.lock()
                .all
                .entry(ticket)
                .or_insert_with(|| waker.clone());
        }
        (replaced, self.woken.load(Ordering::Acquire))
    }

    pub(super) fn wait_no_more(&self, ticket: u64) -> Option<Waker> {
        self.lock().all.remove(&ticket)
    }

    /// The one who serves. `None`: nobody does.
    pub(super) fn set_server(&self, ticket: Option<u64>) {
        self.lock().server = ticket;
    }

    /// The driver is about to be polled.
    pub(super) fn begin(&self) {
        self.woken.store(false, Ordering::Release);
    }

    /// The first to be woken from this ticket on.
    fn next(&self, from: u64) -> Option<(u64, Waker)> {
        let waiting = self.lock();
        let ready = |(ticket, waker): (&u64, &Waker)| (*ticket, waker.clone());
        match waiting.server {
            // If it is not among them, it is just being polled, and sees that there was a wake before it waits again.
            Some(server) if server >= from => waiting.all.get_key_value(&server).map(ready),
            Some(_) => None,
            None => waiting.all.range(from..).next().map(ready),
        }
    }
}

impl Wake for DriverWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        // Each outside of the lock: what is woken may come back here.
        let mut from = 0;
        while let Some((ticket, waker)) = self.next(from) {
            waker.wake();
            from = ticket + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn all_are_woken_unless_somebody_serves_who_is_woken_alone_or_sees_it_before_waiting_again() {
        let waker = Arc::<DriverWaker>::default();
        let others = Arc::<Count>::default();
        for ticket in 1..=5 {
            waker.wait(ticket, &Arc::clone(&others).into());
        }
        waker.wake_by_ref();
        assert_eq!(others.0.swap(0, Ordering::Relaxed), 5);

        // It is just being polled: it has no place yet.
        let server = Arc::<Count>::default();
        waker.set_server(Some(6));
        waker.begin();
        waker.wake_by_ref();
        let (replaced, is_woken) = waker.wait(6, &Arc::clone(&server).into());
        assert!(replaced.is_none() && is_woken);
        waker.begin();
        waker.wake_by_ref();
        assert_eq!(server.0.load(Ordering::Relaxed), 1);
        assert_eq!(others.0.load(Ordering::Relaxed), 0);

        waker.wait_no_more(6);
        waker.set_server(None);
        waker.wake_by_ref();
        assert_eq!(others.0.load(Ordering::Relaxed), 5);
    }
}
