//! Drives tasks on the calling thread, always in the same order.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};

use embassy_time::{Duration, Instant};

use super::time;

/// How often in a row everybody may be polled without time going on, before that counts as a loop without end.
const MOST_ROUNDS: u32 = 10_000_000;

/// How much time a test may take. Keep-alives go on for ever, so without a bound nothing but silence would be a hang.
const MOST_TIME: Duration = Duration::from_secs(100 * 24 * 60 * 60);

/// Tasks of one thread.
#[derive(Default)]
pub(super) struct Executor {
    tasks: RefCell<Vec<Task>>,
    /// Those that were spawned while the others ran.
    new_tasks: RefCell<Vec<Task>>,
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    flag: Arc<Flag>,
    waker: Waker,
}

/// Set when its task has something to do.
struct Flag(AtomicBool);

impl Flag {
    fn raised() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    fn lower(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Executor {
    /// Adds a task, which lives until it is done or the executor is dropped.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        let flag = Flag::raised();
        self.new_tasks.borrow_mut().push(Task {
            future: Box::pin(future),
            waker: Arc::clone(&flag).into(),
            flag,
        });
    }

    /// Drives `future`, and all tasks beside it, until it is done.
    pub(super) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let flag = Flag::raised();
        let waker = Arc::clone(&flag).into();
        let mut rounds = 0;
        let end = Instant::now().saturating_add(MOST_TIME);
        loop {
            let mut idle = true;
            if flag.lower() {
                idle = false;
                if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return value;
                }
            }
            idle &= !self.poll_tasks();
            rounds += 1;
            if idle {
                assert!(
                    time::advance(),
                    "everybody waits, and nothing is due: this would hang for ever"
                );
                assert!(
                    Instant::now() < end,
                    "a hundred days have passed: this would hang for ever"
                );
                rounds = 0;
            }
            assert!(
                rounds < MOST_ROUNDS,
                "the tasks wake each other without end, and no time passes"
            );
        }
    }

    /// Polls every task that was woken. True if there was one.
    fn poll_tasks(&self) -> bool {
        let mut any = false;
        let mut tasks = self.tasks.borrow_mut();
        tasks.append(&mut self.new_tasks.borrow_mut());
        tasks.retain_mut(|task| {
            if !task.flag.lower() {
                return true;
            }
            any = true;
            let cx = &mut Context::from_waker(&task.waker);
            task.future.as_mut().poll(cx).is_pending()
        });
        any
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").finish_non_exhaustive()
    }
}
