//! Children that nobody waits for any more: one thread for all of them reaps each after its end, and is there only while there are any.

use alloc::sync::Arc;
use core::time::Duration;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use shared_child::SharedChild;

/// How soon it looks again: a child that was killed ends in a moment, one that was left running may take days.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

struct Left {
    children: Vec<Arc<SharedChild>>,
    has_thread: bool,
}

static LEFT: Mutex<Left> = Mutex::new(Left {
    children: Vec::new(),
    has_thread: false,
});
static ADDED: Condvar = Condvar::new();

/// Has `child` reaped: now, if it has ended, or once it has.
pub(crate) fn reap(child: &Arc<SharedChild>) {
    if is_gone(child) {
        return;
    }
    let mut left = lock();
    left.children.push(Arc::clone(child));
    if !left.has_thread {
        let name = "tacket reaper".to_owned();
        let started = thread::Builder::new().name(name).spawn(reap_all);
        left.has_thread = started.is_ok(); // or the next one tries
    }
    drop(left);
    ADDED.notify_one();
}

/// Whether there is nothing left of it to reap.
fn is_gone(child: &SharedChild) -> bool {
    !matches!(child.try_wait(), Ok(None))
}

fn reap_all() {
    let mut pause = FIRST_PAUSE;
    let mut left = lock();
    loop {
        left.children.retain(|child| !is_gone(child));
        if left.children.is_empty() {
            left.has_thread = false;
            return;
        }
        let waited = ADDED.wait_timeout(left, pause);
        let (again, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        left = again;
        pause = if waited.timed_out() {
            (pause * 2).min(LONGEST_PAUSE)
        } else {
            FIRST_PAUSE
        };
    }
}

/// What is behind it is whole between any two statements, so a panic elsewhere does no harm to it.
fn lock() -> MutexGuard<'static, Left> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}
