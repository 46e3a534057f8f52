//! How a waker ends the sleep of the loop: one atomic state, and a system call only when somebody really sleeps.

#[cfg(not(loom))]
use core::sync::atomic::{AtomicU8, Ordering};

#[cfg(loom)]
use loom::sync::atomic::{AtomicU8, Ordering};

/// The loop is busy and has nothing new to poll.
const AWAKE: u8 = 0;
/// Something was woken since the loop last looked.
const WOKEN: u8 = 1;
/// The loop sleeps in the operating system, or is about to.
const ASLEEP: u8 = 2;

/// Interrupts the sleep of the loop from any thread.
pub(crate) trait Interrupt {
    fn interrupt(&self);
}

impl Interrupt for mio::Waker {
    fn interrupt(&self) {
        // It fails only when the loop is gone, and then nobody sleeps.
        let _ = self.wake();
    }
}

/// The state that the loop and its wakers share.
///
/// A wake on the loop's own thread, or while the loop is busy, is one atomic swap. Only a wake that finds the loop
/// asleep interrupts it.
#[derive(Debug)]
pub(crate) struct WakeState<I> {
    state: AtomicU8,
    interrupt: I,
}

impl<I: Interrupt> WakeState<I> {
    /// Starts woken, so that the first turn polls.
    pub(crate) fn new(interrupt: I) -> Self {
        Self {
            state: AtomicU8::new(WOKEN),
            interrupt,
        }
    }

    /// Marks the loop woken, and ends its sleep if it sleeps.
    pub(crate) fn wake(&self) {
        if self.state.swap(WOKEN, Ordering::AcqRel) == ASLEEP {
            self.interrupt.interrupt();
        }
    }

    /// Whether there was a wake since the last call. What the waker did before its wake is visible after this.
    pub(crate) fn take_woken(&self) -> bool {
        self.state.swap(AWAKE, Ordering::AcqRel) == WOKEN
    }

    /// Announces sleep. `false` when there was a wake: then the loop must not sleep.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.state
            .compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Ends the sleep announced before; a wake that came meanwhile stays noted.
    pub(crate) fn rise(&self) {
        let _ = self
            .state
            .compare_exchange(ASLEEP, AWAKE, Ordering::AcqRel, Ordering::Acquire);
    }
}

impl<I: Interrupt> alloc::task::Wake for WakeState<I>
where
    I: Send + Sync + 'static,
{
    fn wake(self: alloc::sync::Arc<Self>) {
        Self::wake(&self);
    }

    fn wake_by_ref(self: &alloc::sync::Arc<Self>) {
        Self::wake(self);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::{Arc, Condvar, Mutex};
    use loom::thread;

    /// Stands for the system's poll: sleeps until interrupted, and keeps an early interrupt, as an eventfd does.
    #[derive(Default)]
    struct Bell {
        rung: Mutex<bool>,
        ring: Condvar,
    }

    impl Bell {
        fn sleep(&self) {
            let mut rung = self.rung.lock().unwrap();
            while !*rung {
                rung = self.ring.wait(rung).unwrap();
            }
            *rung = false;
        }
    }

    impl Interrupt for Arc<Bell> {
        fn interrupt(&self) {
            *self.rung.lock().unwrap() = true;
            self.ring.notify_one();
        }
    }

    /// loom reports a loop that sleeps through a wake as a deadlock.
    #[test]
    fn no_wake_is_slept_through() {
        loom::model(|| {
            let bell = Arc::new(Bell::default());
            let state = Arc::new(WakeState::new(Arc::clone(&bell)));
            assert!(state.take_woken());
            let work = Arc::new(AtomicU8::new(0));
            let waker = {
                let (state, work) = (Arc::clone(&state), Arc::clone(&work));
                thread::spawn(move || {
                    work.store(1, Ordering::Relaxed);
                    state.wake();
                })
            };
            while work.load(Ordering::Relaxed) == 0 {
                if state.fall_asleep() {
                    bell.sleep();
                    state.rise();
                }
                if state.take_woken() {
                    assert_eq!(work.load(Ordering::Relaxed), 1);
                }
            }
            waker.join().unwrap();
        });
    }
}
