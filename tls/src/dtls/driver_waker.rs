//! Who is woken when the socket or the clock has something.

use alloc::sync::Arc;
use alloc::task::Wake;
#[cfg(not(all(test, loom)))]
use core::sync::atomic::{AtomicU8, Ordering};
use core::task::Waker;
use std::sync::PoisonError;
#[cfg(not(all(test, loom)))]
use std::sync::{Mutex, MutexGuard};

#[cfg(all(test, loom))]
use loom::sync::atomic::{AtomicU8, Ordering};
#[cfg(all(test, loom))]
use loom::sync::{Mutex, MutexGuard};

use super::numbered::Numbered;

/// The driver is to be polled. As long as anybody waits, one of those was woken for that.
const WOKEN: u8 = 0;
/// It is being polled, by somebody who looks afterwards whether it was woken.
const POLLED: u8 = 1;
/// It waits.
const WAITING: u8 = 2;

/// Whoever waits on an endpoint reads the socket for all. So all who wait are woken by it, unless somebody serves: then that one alone is.
#[derive(Default)]
pub(super) struct DriverWaker {
    driver: AtomicU8,
    wakers: Mutex<Wakers>,
}

#[derive(Default)]
struct Wakers {
    all: Numbered<Waker>,
    server: Option<u64>,
}

impl DriverWaker {
    fn lock(&self) -> MutexGuard<'_, Wakers> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The driver is about to be polled.
    pub(super) fn begin(&self) {
        self.driver.swap(POLLED, Ordering::AcqRel);
    }

    /// It has been polled.
    pub(super) fn end(&self) {
        let (acquire, release) = (Ordering::Acquire, Ordering::AcqRel);
        // If it fails, the driver was woken in between.
        let _ = self
            .driver
            .compare_exchange(POLLED, WAITING, release, acquire);
    }

    /// Whether it is to be polled. Who waits asks this behind [`wait`](Self::wait), or may miss a wake.
    pub(super) fn is_woken(&self) -> bool {
        self.driver.load(Ordering::Acquire) == WOKEN
    }

    /// Has `waker` woken, until it waits no more. Returns one that it replaces.
    pub(super) fn wait(&self, ticket: u64, waker: &Waker) -> Option<Waker> {
        let mut wakers = self.lock();
        match wakers.server {
            // If that goes, everybody is asked again.
            Some(server) if server != ticket => None,
            _ => wakers.all.wait(ticket, waker),
        }
    }

    pub(super) fn wait_no_more(&self, ticket: u64) -> Option<Waker> {
        self.lock().all.remove(ticket)
    }

    /// The one who serves. `None`: nobody does.
    pub(super) fn set_server(&self, ticket: Option<u64>) {
        self.lock().server = ticket;
    }

    /// Wakes one who serves, or all who wait.
    pub(super) fn wake_waiting(&self) {
        // Each outside of the lock: what is woken may come back here.
        let mut from = 0;
        while let Some((ticket, waker)) = self.next(from) {
            waker.wake();
            from = ticket + 1;
        }
    }

    /// The first to be woken from this ticket on.
    fn next(&self, from: u64) -> Option<(u64, Waker)> {
        let wakers = self.lock();
        let next = match wakers.server {
            // If it is not among them, it is just being polled, and sees that there was a wake before it waits again.
            Some(server) if server < from => None,
            Some(server) => wakers.all.get(server).map(|waker| (server, waker)),
            None => wakers.all.first_from(from),
        };
        next.map(|(ticket, waker)| (ticket, waker.clone()))
    }
}

impl Wake for DriverWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.driver.swap(WOKEN, Ordering::AcqRel) == WAITING {
            self.wake_waiting();
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::dtls::tests::Count;

    #[test]
    fn all_are_woken_unless_somebody_serves_who_is_woken_alone_or_sees_it_before_waiting_again() {
        let waker = Arc::<DriverWaker>::default();
        let others = Arc::<Count>::default();
        for ticket in 1..=5 {
            waker.wait(ticket, &Arc::clone(&others).into());
        }
        let wake_the_driver_that_waits = || {
            waker.begin();
            waker.end();
            waker.wake_by_ref();
        };
        wake_the_driver_that_waits();
        assert_eq!(others.0.swap(0, Ordering::Relaxed), 5);

        // It is just being polled: it has no place yet.
        let server = Arc::<Count>::default();
        waker.set_server(Some(6));
        waker.begin();
        waker.wake_by_ref();
        waker.end();
        let replaced = waker.wait(6, &Arc::clone(&server).into());
        assert!(replaced.is_none() && waker.is_woken());
        wake_the_driver_that_waits();
        assert_eq!(server.0.load(Ordering::Relaxed), 1);
        assert_eq!(others.0.load(Ordering::Relaxed), 0);

        waker.wait_no_more(6);
        waker.set_server(None);
        wake_the_driver_that_waits();
        assert_eq!(others.0.load(Ordering::Relaxed), 5);
    }
}
