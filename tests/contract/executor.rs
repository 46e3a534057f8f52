//! Tasks whose order a seed decides, and the order that a test wants.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use embassy_futures::yield_now;
use futures_util::FutureExt as _;
use tacket::Clock as _;
use tacket::testing::{SeededExecutor, Sequencer, SpawnedTask, TurnError, count_polls};

const SECOND: Duration = Duration::from_secs(1);

/// What three tasks note that are ready all the time.
fn schedule(seed: u64) -> Vec<u8> {
    let notes = &RefCell::new(Vec::new());
    let executor = SeededExecutor::new(seed);
    for task in 0..3 {
        executor.spawn(async move {
            for _ in 0..10 {
                notes.borrow_mut().push(task);
                yield_now().await;
            }
        });
    }
    executor.run(executor.wait_all_tasks_blocked());
    assert_eq!(notes.borrow().len(), 30, "all others were done");
    notes.take()
}

#[test]
fn a_seed_gives_the_same_schedule_and_another_seed_another() {
    for seed in 0..50 {
        assert_eq!(schedule(seed), schedule(seed));
    }
    let schedules: std::collections::BTreeSet<_> = (0..50).map(schedule).collect();
    assert_eq!(schedules.len(), 50);
}

/// Covers TST-03.
#[test]
fn time_jumps_to_the_next_deadline_when_all_tasks_wait() {
    let executor = SeededExecutor::new(1);
    let start = std::time::Instant::now();
    let clock = executor.clone();
    let slept = executor.spawn(async move {
        clock.sleep_until(100 * SECOND).await;
        clock.now()
    });
    assert_eq!(executor.run(slept), 100 * SECOND);
    assert!(start.elapsed() < SECOND);
}

/// Covers TST-04.
#[test]
fn to_wait_for_blocked_tasks_ends_before_time_goes_on() {
    for seed in 0..50 {
        let busy = &Cell::new(20);
        let executor = SeededExecutor::new(seed);
        executor.spawn(async move {
            while busy.get() > 0 {
                busy.set(busy.get() - 1);
                yield_now().await;
            }
        });
        let own = executor.clone();
        executor.spawn(async move { own.sleep_until(SECOND).await });
        let own = executor.clone();
        let both = executor.spawn(async move {
            own.wait_all_tasks_blocked().await;
            (busy.get(), own.now())
        });
        let (first, second) = executor.run(async {
            executor.wait_all_tasks_blocked().await;
            let first = (busy.get(), executor.now());
            (first, both.await)
        });
        assert_eq!((first, second), ((0, Duration::ZERO), (0, Duration::ZERO)));
    }
}

#[test]
fn who_waits_for_blocked_tasks_can_be_dropped() {
    let executor = SeededExecutor::new(1);
    executor.run(async {
        assert_eq!(executor.wait_all_tasks_blocked().now_or_never(), None);
        executor.sleep_until(SECOND).await;
    });
    assert_eq!(executor.now(), SECOND);
}

/// Says when it is dropped.
struct Dropped(Rc<Cell<usize>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn tasks_that_are_left_are_dropped_with_the_run() {
    let drops = Rc::new(Cell::new(0));
    let executor = SeededExecutor::new(1);
    for _ in 0..3 {
        let mark = Dropped(Rc::clone(&drops));
        executor.spawn(async move {
            let _mark = mark;
            pending::<()>().await;
        });
    }
    executor.run(executor.wait_all_tasks_blocked());
    assert_eq!(drops.get(), 3);
}

#[test]
fn a_cancelled_task_is_dropped_at_once_and_its_place_is_used_again() {
    let drops = Rc::new(Cell::new(0));
    let executor = SeededExecutor::new(1);
    executor.run(async {
        for round in 1..10 {
            let mark = Dropped(Rc::clone(&drops));
            let waits = executor.spawn(async move {
                let _mark = mark;
                pending::<()>().await;
            });
            executor.wait_all_tasks_blocked().await;
            waits.cancel();
            assert_eq!(drops.get(), round);
        }
        // What has ended already is not touched, nor who has its place now.
        let ended = executor.spawn(async {});
        executor.wait_all_tasks_blocked().await;
        let other = executor.spawn(async { 7 });
        ended.cancel();
        assert_eq!(other.await, 7);
    });
}

#[test]
fn a_task_that_cancels_itself_is_dropped_when_it_waits() {
    let drops = Rc::new(Cell::new(0));
    let executor = SeededExecutor::new(1);
    let own = Rc::new(RefCell::new(None::<SpawnedTask<'_, ()>>));
    let (mark, handle, spawner) = (
        Dropped(Rc::clone(&drops)),
        Rc::clone(&own),
        executor.clone(),
    );
    let task = executor.spawn(async move {
        let _mark = mark;
        handle.take().expect("its own handle").cancel();
        spawner.spawn(async {}).await; // another may take its place now
    });
    own.replace(Some(task));
    executor.run(executor.wait_all_tasks_blocked());
    assert_eq!(drops.get(), 1);
}

#[test]
#[should_panic(expected = "all tasks wait for something that never comes (seed 5)")]
fn a_deadlock_ends_the_test_and_names_the_seed() {
    SeededExecutor::new(5).run(pending::<()>());
}

/// Covers TST-05.
#[test]
fn it_can_be_told_whether_a_future_gave_others_a_turn() {
    let executor = SeededExecutor::new(1);
    assert_eq!(executor.run(count_polls(async { 'x' })), ('x', 1));
    assert_eq!(executor.run(count_polls(yield_now())), ((), 2));
}

/// Covers TST-06.
#[test]
fn a_sequencer_makes_tasks_take_their_turns_by_number() {
    for seed in 0..50 {
        let (sequencer, notes) = (&Sequencer::<8>::new(), &RefCell::new(Vec::new()));
        let executor = SeededExecutor::new(seed);
        for number in [3, 0, 4, 1, 2] {
            executor.spawn(async move {
                let turn = sequencer.turn(number).await.expect("its own number");
                yield_now().await;
                notes.borrow_mut().push(number);
                drop(turn);
            });
        }
        executor.run(executor.wait_all_tasks_blocked());
        assert_eq!(notes.take(), [0, 1, 2, 3, 4]);
    }
}

/// Covers TST-06.
#[test]
fn a_turn_is_given_once() {
    let sequencer = &Sequencer::<2>::new();
    let turn = |number| sequencer.turn(number).now_or_never();
    let first = turn(0).expect("ready").expect("free");
    assert_eq!(turn(0).expect("ready").err(), Some(TurnError::Taken));
    drop(first);
    assert_eq!(turn(0).expect("ready").err(), Some(TurnError::Taken));
    let executor = SeededExecutor::new(1);
    let waits = executor.spawn(async move { sequencer.turn(5).await.err() });
    executor.run(async {
        executor.wait_all_tasks_blocked().await;
        assert_eq!(turn(5).expect("ready").err(), Some(TurnError::Taken));
        drop(waits);
    });
}

#[test]
fn a_turn_that_nobody_will_take_is_an_error_and_no_hang() {
    let sequencer = &Sequencer::<2>::new();
    let executor = SeededExecutor::new(1);
    let leaves = executor.spawn(async move { sequencer.turn(1).await.err() });
    let waits = executor.spawn(async move { sequencer.turn(2).await.err() });
    let error = executor.run(async {
        executor.wait_all_tasks_blocked().await;
        let more = sequencer.turn(3).await.err();
        assert_eq!(more, Some(TurnError::Capacity));
        leaves.cancel();
        waits.await
    });
    assert_eq!(error, Some(TurnError::Broken));
}
