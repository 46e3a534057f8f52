//! Tasks in an order that a seed decides.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::VirtualClock;
use super::woken::Woken;
use crate::Clock;

/// How many can sleep at once.
const SLEEPERS: usize = 1024;

/// The clock of an executor.
pub(super) type SharedClock = Rc<VirtualClock<SLEEPERS>>;

/// Runs tasks on a virtual clock, one poll at a time. Of those that were woken, the seed decides which is next: the same seed gives
/// the same schedule.
///
/// When all tasks wait, time jumps to the next deadline; while they spin, each thousand polls take a millisecond. The executor is a handle, and its clock; clones are the same executor.
/// A task that spawns or sleeps moves a clone into its future. What tasks borrow is made before the executor.
///
/// ```
/// use core::cell::RefCell;
/// use core::time::Duration;
/// use tacket::Clock;
/// use tacket::testing::SeededExecutor;
///
/// fn order(seed: u64) -> Vec<char> {
///     let seen = &RefCell::new(Vec::new());
///     let executor = SeededExecutor::new(seed);
///     for name in ['a', 'b', 'c'] {
///         executor.spawn(async move { seen.borrow_mut().push(name) });
///     }
///     executor.run(executor.sleep_until(Duration::from_secs(3600))); // takes no time
///     seen.take()
/// }
///
/// assert_eq!(order(7), order(7));
/// assert!((0..20).any(|seed| order(seed) != order(7)));
/// ```
pub struct SeededExecutor<'t> {
    shared: Rc<Shared<'t>>,
}

struct Shared<'t> {
    seed: u64,
    random: RefCell<Xoshiro256PlusPlus>,
    clock: SharedClock,
    tasks: RefCell<Vec<Slot<'t>>>,
    /// Who waits until everybody else does.
    idlers: RefCell<VecDeque<(Rc<Cell<bool>>, Waker)>>,
}

type Body<'t> = Pin<Box<dyn Future<Output = ()> + 't>>;

struct Slot<'t> {
    /// Away while it is polled, and once it has ended.
    body: Option<Body<'t>>,
    woken: Arc<Woken>,
    ended: bool,
}

impl<'t> SeededExecutor<'t> {
    /// An executor without tasks, whose clock stands at 0.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            shared: Rc::new(Shared {
                seed,
                random: RefCell::new(Xoshiro256PlusPlus::seed_from_u64(seed)),
                clock: Rc::new(VirtualClock::new()),
                tasks: RefCell::default(),
                idlers: RefCell::default(),
            }),
        }
    }

    /// What it was made with.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.shared.seed
    }

    /// Its clock, for what outlives a `'t`.
    pub(super) fn clock(&self) -> SharedClock {
        Rc::clone(&self.shared.clock)
    }

    /// Adds a task. It goes on during [`run`](Self::run) until it ends, is [cancelled](SpawnedTask::cancel), or the run ends.
    pub fn spawn<F: Future + 't>(&self, future: F) -> SpawnedTask<'t, F::Output>
    where
        F::Output: 't,
    {
        let outcome = Rc::new(Outcome {
            value: RefCell::new(None),
            waiter: Cell::new(None),
        });
        let place = Rc::clone(&outcome);
        let body = Box::pin(async move {
            let value = future.await;
            *place.value.borrow_mut() = Some(value);
            if let Some(waiter) = place.waiter.take() {
                waiter.wake();
            }
        });
        let mut tasks = self.shared.tasks.borrow_mut();
        let slot = Slot {
            body: Some(body),
            woken: Woken::now(),
            ended: false,
        };
        // The places of ended tasks are used again, so that a long run stays as quick as a short one.
        let index = match tasks.iter().position(|slot| slot.ended) {
            Some(index) => {
                if let Some(place) = tasks.get_mut(index) {
                    *place = slot;
                }
                index
            }
            None => {
                tasks.push(slot);
                tasks.len() - 1
            }
        };
        let woken = tasks.get(index).map(|slot| Arc::clone(&slot.woken));
        SpawnedTask {
            shared: Rc::clone(&self.shared),
            index,
            woken,
            outcome,
        }
    }

    /// Drives `main` and all tasks until `main` ends, and returns what it has. Tasks that are left are dropped.
    ///
    /// # Panics
    ///
    /// When all wait and nobody sleeps: then nothing will ever happen. When more than 1024 sleep at once.
    pub fn run<F: Future>(&self, main: F) -> F::Output {
        let shared = &*self.shared;
        let mut main = pin!(main);
        let main_woken = Woken::now();
        let output = loop {
            let choice = shared.choose(&main_woken);
            if choice.is_some() {
                shared.clock.spin();
            }
            match choice {
                None => shared.idle(),
                Some(Choice::Main) => {
                    if let Poll::Ready(output) = main_woken.poll(main.as_mut()) {
                        break output;
                    }
                }
                Some(Choice::Task(index)) => shared.poll(index),
            }
        };
        // One by one, outside of any borrow: what is dropped may spawn, wake or cancel.
        while let Some(body) = shared.take_any() {
            drop(body);
        }
        output
    }

    /// Returns once every other task waits for something, and before time goes on for them. If several tasks call this, one
    /// returns after the other.
    ///
    /// # Cancel safety
    ///
    /// Safe. A dropped future leaves nothing behind.
    pub async fn wait_all_tasks_blocked(&self) {
        let idle = Rc::new(Cell::new(false));
        poll_fn(|cx| {
            if idle.get() {
                return Poll::Ready(());
            }
            let mut idlers = self.shared.idlers.borrow_mut();
            match idlers.iter_mut().find(|(of, _)| Rc::ptr_eq(of, &idle)) {
                Some((_, waker)) => waker.clone_from(cx.waker()),
                None => idlers.push_back((Rc::clone(&idle), cx.waker().clone())),
            }
            Poll::Pending
        })
        .await;
    }
}

/// What is polled next.
enum Choice {
    Main,
    Task(usize),
}

impl<'t> Shared<'t> {
    /// One of those that were woken; `None` if nobody was.
    fn choose(&self, main: &Woken) -> Option<Choice> {
        let tasks = self.tasks.borrow();
        let woken = |slot: &&Slot<'t>| slot.body.is_some() && slot.woken.peek();
        let count = tasks.iter().filter(woken).count() + usize::from(main.peek());
        let chosen = match count {
            0 => return None,
            1 => 0, // so a lone task uses up no randomness
            _ => {
                let drawn = self.random.borrow_mut().next_u64() % count as u64;
                usize::try_from(drawn).unwrap_or_default()
            }
        };
        let of_tasks = tasks.iter().enumerate().filter(|(_, slot)| woken(slot));
        match { of_tasks }.nth(chosen) {
            Some((index, slot)) => {
                slot.woken.take();
                Some(Choice::Task(index))
            }
            None => {
                main.take();
                Some(Choice::Main)
            }
        }
    }

    fn poll(&self, index: usize) {
        let mut tasks = self.tasks.borrow_mut();
        let Some(slot) = tasks.get_mut(index) else {
            return;
        };
        let (body, woken) = (slot.body.take(), Arc::clone(&slot.woken));
        drop(tasks);
        let Some(mut body) = body else {
            return;
        };
        let ended = woken.poll(body.as_mut()).is_ready();
        let mut tasks = self.tasks.borrow_mut();
        // It may have cancelled itself, and its place may have gone to another.
        let slot = tasks
            .get_mut(index)
            .filter(|slot| Arc::ptr_eq(&slot.woken, &woken));
        let over = match slot {
            Some(slot) if !ended && !slot.ended => slot.body.replace(body),
            Some(slot) => {
                slot.ended = true;
                Some(body)
            }
            None => Some(body),
        };
        drop(tasks);
        drop(over);
    }

    /// Everybody waits.
    fn idle(&self) {
        // Who was dropped meanwhile holds its mark no more.
        let next = loop {
            match self.idlers.borrow_mut().pop_front() {
                Some((idle, _)) if Rc::strong_count(&idle) == 1 => {}
                next => break next,
            }
        };
        match next {
            Some((idle, waker)) => {
                idle.set(true);
                waker.wake();
            }
            None => assert!(
                self.clock.jump(),
                "all tasks wait for something that never comes (seed {})",
                self.seed
            ),
        }
    }

    fn take_any(&self) -> Option<Body<'t>> {
        let mut tasks = self.tasks.borrow_mut();
        let slot = tasks.iter_mut().find(|slot| slot.body.is_some())?;
        slot.ended = true;
        slot.body.take()
    }
}

impl Clone for SeededExecutor<'_> {
    fn clone(&self) -> Self {
        Self {
            shared: Rc::clone(&self.shared),
        }
    }
}

impl fmt::Debug for SeededExecutor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeededExecutor")
            .field("seed", &self.shared.seed)
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

impl Clock for SeededExecutor<'_> {
    fn now(&self) -> Duration {
        self.shared.clock.now()
    }

    /// # Panics
    ///
    /// When 1024 sleep already.
    async fn sleep_until(&self, deadline: Duration) {
        self.shared.clock.sleep_until(deadline).await;
    }
}

/// A task of a [`SeededExecutor`]. To await it returns what it returns; to drop this lets it go on.
pub struct SpawnedTask<'t, T> {
    shared: Rc<Shared<'t>>,
    index: usize,
    woken: Option<Arc<Woken>>,
    outcome: Rc<Outcome<T>>,
}

struct Outcome<T> {
    value: RefCell<Option<T>>,
    waiter: Cell<Option<Waker>>,
}

impl<T> SpawnedTask<'_, T> {
    /// Drops the task's future, wherever it is; nothing happens if it has ended.
    pub fn cancel(self) {
        let mut tasks = self.shared.tasks.borrow_mut();
        let slot = tasks.get_mut(self.index);
        // The place may have gone to another task.
        let ours = |slot: &&mut Slot<'_>| {
            self.woken
                .as_ref()
                .is_some_and(|woken| Arc::ptr_eq(woken, &slot.woken))
        };
        let body = slot.filter(ours).and_then(|slot| {
            slot.ended = true;
            slot.body.take()
        });
        drop(tasks);
        drop(body);
    }
}

impl<T> Future for SpawnedTask<'_, T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let value = self.outcome.value.borrow_mut().take();
        if value.is_none() {
            self.outcome.waiter.set(Some(cx.waker().clone()));
        }
        value.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T> fmt::Debug for SpawnedTask<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnedTask")
            .field("ended", &self.outcome.value.borrow().is_some())
            .finish_non_exhaustive()
    }
}
