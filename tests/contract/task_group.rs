//! Tasks that end with their group.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::task::Poll;
use std::time::Duration;

use tacket::timeout;
use tacket_std::{MonotonicClock, TaskGroup};

use crate::limited::{run, sleep};

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
struct Alive<'a>(&'a Cell<usize>);

impl<'a> Alive<'a> {
    fn new(count: &'a Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[test]
fn a_group_does_not_end_before_its_tasks() {
    let done = Cell::new(0);
    let value: Result<_, ()> = run(TaskGroup::run(async |group| {
        for delay in [5, 1, 3] {
            let done = &done;
            group.spawn(async move {
                sleep(delay).await;
                done.set(done.get() + 1);
                Ok(())
            });
        }
        Ok("body")
    }));
    assert_eq!((value, done.get()), (Ok("body"), 3));
}

#[test]
fn the_error_of_a_task_drops_the_others_and_the_body() {
    let alive = Cell::new(0);
    let failed: Result<(), _> = run(TaskGroup::run(async |group| {
        let alive = &alive;
        group.spawn(async move {
            let _alive = Alive::new(alive);
            pending().await
        });
        group.spawn(async {
            sleep(1).await;
            Err("broken")
        });
        let _alive = Alive::new(alive);
        pending().await
    }));
    assert_eq!((failed, alive.get()), (Err("broken"), 0));
}

#[test]
fn the_error_of_the_body_drops_the_tasks() {
    let alive = Cell::new(0);
    let failed: Result<(), _> = run(TaskGroup::run(async |group| {
        let alive = &alive;
        group.spawn(async move {
            let _alive = Alive::new(alive);
            pending().await
        });
        sleep(1).await;
        assert_eq!(alive.get(), 1);
        Err("broken")
    }));
    assert_eq!((failed, alive.get()), (Err("broken"), 0));
}

#[test]
fn dropping_the_group_drops_its_tasks() {
    let alive = Cell::new(0);
    run(async {
        let group = TaskGroup::run(async |group| {
            let alive = &alive;
            group.spawn(async move {
                let _alive = Alive::new(alive);
                pending().await
            });
            pending::<Result<(), ()>>().await
        });
        let clock = MonotonicClock::new();
        assert!(
            timeout(&clock, Duration::from_millis(1), group)
                .await
                .is_err()
        );
    });
    assert_eq!(alive.get(), 0);
}

#[test]
fn tasks_start_tasks_and_borrow_what_is_outside() {
    let log = RefCell::new(Vec::new());
    let ended: Result<(), ()> = run(TaskGroup::run(async |group| {
        let (log, inner) = (&log, group.clone());
        group.spawn(async move {
            log.borrow_mut().push("outer");
            inner.spawn(async move {
                sleep(1).await;
                log.borrow_mut().push("inner");
                Ok(())
            });
            Ok(())
        });
        Ok(())
    }));
    assert_eq!((ended, log.into_inner()), (Ok(()), vec!["outer", "inner"]));
}

#[test]
fn a_task_for_a_group_that_has_ended_is_dropped() {
    let alive = Cell::new(0);
    let kept = RefCell::new(None);
    run(async {
        let ended: Result<(), ()> = TaskGroup::run(async |group| {
            *kept.borrow_mut() = Some(group.clone());
            Ok(())
        })
        .await;
        assert_eq!(ended, Ok(()));
        let present = Alive::new(&alive);
        let group = kept.borrow().clone().expect("kept");
        group.spawn(async move {
            let _present = present;
            Ok(())
        });
    });
    assert_eq!(alive.get(), 0);
}

#[test]
fn a_task_is_polled_only_when_it_was_woken() {
    let polls = Cell::new(0);
    let ended: Result<(), ()> = run(TaskGroup::run(async |group| {
        let polls = &polls;
        group.spawn(async move {
            let mut waiting = std::pin::pin!(sleep(60));
            poll_fn(|cx| {
                polls.set(polls.get() + 1);
                waiting.as_mut().poll(cx)
            })
            .await;
            Ok(())
        });
        group.spawn(async {
            for _ in 0..20 {
                sleep(1).await;
            }
            Ok(())
        });
        Ok(())
    }));
    assert_eq!((ended, polls.get()), (Ok(()), 2));
}

#[test]
fn tasks_that_start_tasks_for_ever_keep_the_loop_from_nothing() {
    let due = Cell::new(false);
    let rounds = Cell::new(0_u64);
    run(async {
        TaskGroup::run(async |group| {
            let tasks = group.clone();
            let (due, rounds) = (&due, &rounds);
            group.spawn(async move {
                while !due.get() {
                    tasks.spawn(async { Ok::<(), ()>(()) });
                    rounds.set(rounds.get() + 1);
                    assert!(rounds.get() < 10_000_000, "the loop does not turn");
                    yield_now().await;
                }
                Ok(())
            });
            sleep(5).await;
            due.set(true);
            Ok(())
        })
        .await
    })
    .expect("the timer fires");
}
