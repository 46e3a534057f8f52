//! How a waker reaches the loop: a list of who was woken, and a system call only when the loop really sleeps.

#[cfg(not(loom))]
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
#[cfg(not(loom))]
use std::sync::{Mutex, PoisonError};

#[cfg(loom)]
use loom::sync::Mutex;
#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicU8, Ordering};
#[cfg(loom)]
use std::sync::PoisonError;

/// The loop is busy and has nothing in its inbox.
const AWAKE: u8 = 0;
/// Something was posted since the loop last looked.
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

/// What other threads tell the loop: the keys of the tasks that they woke.
///
/// To post is a short lock and an atomic swap. Only a post that finds the loop asleep interrupts it.
#[derive(Debug)]
pub(crate) struct Inbox<I> {
    state: AtomicU8,
    keys: Mutex<Vec<usize>>,
    interrupt: I,
}

impl<I: Interrupt> Inbox<I> {
    pub(crate) fn new(interrupt: I) -> Self {
        Self {
            state: AtomicU8::new(AWAKE),
            keys: Mutex::new(Vec::new()),
            interrupt,
        }
    }

    /// Leaves `key` for the loop, and ends its sleep if it sleeps.
    pub(crate) fn post(&self, key: usize) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.push(key);
        drop(keys);
        if self.state.swap(WOKEN, Ordering::AcqRel) == ASLEEP {
            self.interrupt.interrupt();
        }
    }

    /// Whether something was posted; it may be seen a little later. Costs a load.
    pub(crate) fn has_some(&self) -> bool {
        self.state.load(Ordering::Relaxed) == WOKEN
    }

    /// Moves all keys that were posted into `taken`, which is empty.
    pub(crate) fn take(&self, taken: &mut Vec<usize>) {
        self.state.swap(AWAKE, Ordering::AcqRel);
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        core::mem::swap(&mut *keys, taken);
    }

    /// Announces sleep. `false` when something was posted: then the loop must not sleep.
    pub(crate) fn fall_asleep(&self) -> bool {
        self.state
            .compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Ends the sleep announced before; a post that came meanwhile stays noted.
    pub(crate) fn rise(&self) {
        let _ = self
            .state
            .compare_exchange(ASLEEP, AWAKE, Ordering::AcqRel, Ordering::Acquire);
    }
}

/// Whether a task is to be polled. However often it is woken before that, it is queued once.
#[derive(Debug)]
pub(crate) struct Queued(AtomicBool);

impl Queued {
    /// Starts queued: a new task is to be polled.
    pub(crate) fn new() -> Self {
        Self(AtomicBool::new(true))
    }

    /// Whether the task is queued only now, so that somebody has to queue it.
    pub(crate) fn set(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// The task is polled next. What wakers did before they woke it is visible then.
    pub(crate) fn clear(&self) {
        self.0.swap(false, Ordering::AcqRel);
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
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3); // all would be minutes
        model.check(|| {
            let bell = Arc::new(Bell::default());
            let inbox = Arc::new(Inbox::new(Arc::clone(&bell)));
            let tasks = Arc::new([Queued::new(), Queued::new()]);
            let work = Arc::new([AtomicU8::new(0), AtomicU8::new(0)]);
            for task in &*tasks {
                task.clear();
            }
            let wakers = [(0, 1), (1, 1), (1, 2)].map(|(key, amount)| {
                let (inbox, tasks, work) =
                    (Arc::clone(&inbox), Arc::clone(&tasks), Arc::clone(&work));
                move || {
                    work[key].fetch_add(amount, Ordering::Relaxed);
                    if tasks[key].set() {
                        inbox.post(key);
                    }
                }
            });
            let [first, second, third] = wakers;
            let threads = [
                thread::spawn(first),
                thread::spawn(move || {
                    second();
                    third();
                }),
            ];
            let mut keys = Vec::new();
            let mut seen = [0, 0];
            while seen != [1, 3] {
                if inbox.fall_asleep() {
                    bell.sleep();
                    inbox.rise();
                }
                if inbox.has_some() {
                    inbox.take(&mut keys);
                }
                for key in keys.drain(..) {
                    tasks[key].clear();
                    seen[key] = work[key].load(Ordering::Relaxed);
                }
            }
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }
}
