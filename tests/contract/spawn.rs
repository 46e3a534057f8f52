//! Tasks at the root of a run.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tacket::timeout;
use tacket_std::{MonotonicClock, SpawnedTask, spawn};

use crate::limited::sleep;

/// Without a limit around it: what it drops, and when, is what these tests are about.
fn run<T>(future: impl Future<Output = T>) -> T {
    tacket_std::run(future).expect("an event loop")
}

/// Lets the others go first, once.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Counts how many of it are alive.
struct Alive(Rc<Cell<usize>>);

impl Alive {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[test]
fn a_task_returns_what_it_has_to_whoever_awaits_it() {
    let answers = run(async {
        let early = spawn(async { 1 });
        let late = spawn(async {
            sleep(5).await;
            2
        });
        yield_now().await;
        assert!(early.is_finished() && !late.is_finished());
        (late.await, early.await)
    });
    assert_eq!(answers, (2, 1));
}

#[test]
fn tasks_take_turns_in_the_order_in_which_they_were_woken() {
    let order = Rc::new(RefCell::new(Vec::new()));
    run(async {
        let tasks = ['a', 'b', 'c'].map(|name| {
            let order = Rc::clone(&order);
            spawn(async move {
                for _ in 0..3 {
                    order.borrow_mut().push(name);
                    yield_now().await;
                }
            })
        });
        for task in tasks {
            task.await;
        }
    });
    assert_eq!(String::from_iter(order.take()), "abcabcabc");
}

#[test]
fn a_task_whose_handle_is_dropped_goes_on() {
    let done = Rc::new(Cell::new(false));
    run(async {
        let task_done = Rc::clone(&done);
        drop(spawn(async move {
            sleep(2).await;
            task_done.set(true);
        }));
        while !done.get() {
            sleep(1).await;
        }
    });
}

#[test]
fn tasks_that_are_left_end_with_their_run() {
    let alive = Rc::new(Cell::new(0));
    run(async {
        for _ in 0..3 {
            let alive = Alive::new(&alive);
            spawn(async move {
                let _alive = alive;
                pending::<()>().await;
            });
        }
        yield_now().await;
        assert_eq!(alive.get(), 3);
    });
    assert_eq!(alive.get(), 0);
}

#[test]
fn a_cancelled_task_is_dropped_at_once_and_its_neighbours_go_on() {
    run(async {
        let alive = Rc::new(Cell::new(0));
        let start = |value| {
            let alive = Alive::new(&alive);
            spawn(async move {
                let _alive = alive;
                sleep(3).await;
                value
            })
        };
        let (first, second, third) = (start(1), start(2), start(3));
        yield_now().await;
        second.cancel();
        assert_eq!(alive.get(), 2);
        // Its place goes to another, which a late wake of the first must not harm.
        let fourth = start(4);
        assert_eq!(
            (first.await, third.await, fourth.await, alive.get()),
            (1, 3, 4, 0)
        );
    });
}

#[test]
fn a_task_can_cancel_itself_and_its_place_is_used_again() {
    run(async {
        let own: Rc<RefCell<Option<SpawnedTask<()>>>> = Rc::default();
        let alive = Rc::new(Cell::new(0));
        let (task_own, task_alive) = (Rc::clone(&own), Alive::new(&alive));
        let later = Rc::new(RefCell::new(None));
        let task_later = Rc::clone(&later);
        *own.borrow_mut() = Some(spawn(async move {
            let _alive = task_alive;
            let me = task_own.take().expect("a handle");
            me.cancel();
            *task_later.borrow_mut() = Some(spawn(async { 5 }));
            pending::<()>().await;
        }));
        yield_now().await;
        assert_eq!(alive.get(), 0);
        let later = later.take().expect("it was started");
        assert_eq!(later.await, 5);
    });
}

#[test]
fn tasks_start_tasks_and_wait_for_them() {
    fn tree(depth: u32) -> SpawnedTask<u32> {
        spawn(async move {
            if depth == 0 {
                return 1;
            }
            let (left, right) = (tree(depth - 1), tree(depth - 1));
            left.await + right.await
        })
    }
    assert_eq!(run(async { tree(8).await }), 256);
}

#[test]
fn a_wake_from_another_thread_reaches_its_task_only() {
    run(async {
        let polls = Rc::new(Cell::new(0));
        let task_polls = Rc::clone(&polls);
        spawn(poll_fn(move |_| {
            task_polls.set(task_polls.get() + 1);
            Poll::<()>::Pending
        }));
        for _ in 0..100 {
            let (tell, told) = futures_channel::oneshot::channel();
            let waiting = spawn(told);
            yield_now().await;
            let thread = std::thread::spawn(move || tell.send(7));
            assert_eq!(waiting.await, Ok(7));
            thread.join().expect("a thread").expect("somebody waits");
        }
        assert_eq!(polls.get(), 1);
    });
}

#[test]
fn a_waker_outlives_its_task_its_run_and_its_thread() {
    let waker: Waker = std::thread::spawn(|| {
        let waker = Rc::new(RefCell::new(None));
        run(async {
            let place = Rc::clone(&waker);
            spawn(poll_fn(move |cx| {
                *place.borrow_mut() = Some(cx.waker().clone());
                Poll::Ready(())
            }))
            .await;
        });
        let waker = waker.take().expect("a waker");
        waker.wake_by_ref(); // between two runs
        run(async {
            waker.wake_by_ref();
            yield_now().await;
        });
        waker
    })
    .join()
    .expect("a thread");
    waker.wake_by_ref();
    run(async { waker.wake() });
}

/// The loop must look at the system although somebody is always woken.
#[test]
fn tasks_that_are_always_woken_starve_neither_sleepers_nor_the_run() {
    run(async {
        for _ in 0..3 {
            spawn(async {
                loop {
                    yield_now().await;
                }
            });
        }
        let clock = MonotonicClock::new();
        let slept = timeout(&clock, Duration::from_secs(20), sleep(10)).await;
        slept.expect("long before");
    });
}

#[test]
fn a_panic_of_a_task_is_one_of_its_run_and_drops_the_others() {
    let alive = Rc::new(Cell::new(0));
    let task_alive = Alive::new(&alive);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        run(async {
            spawn(async move {
                let _alive = task_alive;
                pending::<()>().await;
            });
            spawn(async { panic!("on purpose") });
            pending::<()>().await;
        });
    }));
    unwound.expect_err("it panics");
    assert_eq!(alive.get(), 0);
    run(async { spawn(sleep(1)).await }); // and the thread is fine
}

#[test]
fn spawning_outside_a_run_says_so() {
    let refused = catch_unwind(|| spawn(async {}));
    refused.expect_err("nobody would poll it");
}

#[test]
fn awaiting_a_task_of_an_earlier_run_says_so() {
    let left = run(async { (spawn(pending::<()>()),) }).0;
    assert!(left.is_finished());
    let awaited = catch_unwind(AssertUnwindSafe(|| left.now_or_never()));
    awaited.expect_err("it never ends");
}

/// What a destructor starts while the run ends has nobody to poll it.
#[test]
fn the_end_of_a_run_drops_tasks_that_wake_and_cancel_each_other() {
    struct Canceller(Option<SpawnedTask<()>>);
    impl Drop for Canceller {
        fn drop(&mut self) {
            if let Some(other) = self.0.take() {
                other.cancel();
            }
        }
    }
    run(async {
        let other = spawn(pending::<()>());
        let canceller = Canceller(Some(other));
        let waited = spawn(async move {
            let _canceller = canceller;
            pending::<()>().await;
        });
        spawn(waited);
        yield_now().await;
    });
}

/// Its neighbours end with the run all the same, and are not the next one's.
#[test]
fn a_panic_of_a_destructor_at_the_end_of_a_run_leaves_no_task_behind() {
    struct Panicking;
    impl Drop for Panicking {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let alive = Rc::new(Cell::new(0));
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        run(async {
            let panicking = Panicking;
            spawn(async move {
                let _panicking = panicking;
                pending::<()>().await;
            });
            let alive = Alive::new(&alive);
            spawn(async move {
                let _alive = alive;
                pending::<()>().await;
            });
        });
    }));
    unwound.expect_err("it panics");
    assert_eq!(alive.get(), 0);
}

#[test]
fn what_a_destructor_starts_at_the_end_of_a_run_is_dropped() {
    struct Starter(Rc<Cell<usize>>);
    impl Drop for Starter {
        fn drop(&mut self) {
            let alive = Alive::new(&self.0);
            let started = spawn(async move {
                let _alive = alive;
                pending::<()>().await;
            });
            assert!(started.is_finished());
            started.cancel();
        }
    }
    let alive = Rc::new(Cell::new(0));
    let of_task = Starter(Rc::clone(&alive));
    let of_run = Starter(Rc::clone(&alive));
    let mut task = Some(async move {
        let _starter = of_task;
        pending::<()>().await;
    });
    run(poll_fn(move |_| {
        let _starter = &of_run;
        drop(spawn(task.take().expect("one poll")));
        Poll::Ready(())
    }));
    assert_eq!(alive.get(), 0);
}

/// To end is not to search: 50 seconds would be.
#[test]
fn a_hundred_thousand_tasks_end_with_their_run_at_once() {
    let mut ending = Instant::now();
    run(async {
        for _ in 0..100_000 {
            spawn(pending::<()>());
        }
        ending = Instant::now();
    });
    let took = ending.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}
