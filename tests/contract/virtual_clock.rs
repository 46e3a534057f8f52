//! Time that only goes on when it is told to.

use core::cell::RefCell;
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::future::{join_all, pending};
use tacket::Clock as _;
use tacket::testing::VirtualClock;

use crate::channels::task::Task;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Covers TST-02.
#[test]
fn time_stands_still_until_it_is_advanced() {
    let clock = VirtualClock::<4>::new();
    let mut sleeps = [3, 1, 2].map(|time| Task::waiting(clock.sleep_until(seconds(time))));
    assert_eq!(clock.next_deadline(), Some(seconds(1)));
    clock.advance(Duration::from_millis(999));
    assert!(sleeps.iter().all(|sleep| !sleep.is_woken()));
    clock.advance(Duration::from_millis(1001));
    assert_eq!(clock.now(), seconds(2));
    assert_eq!(sleeps.each_ref().map(Task::is_woken), [false, true, true]);
    assert!(sleeps[0].poll().is_pending());
    assert!(clock.jump());
    assert_eq!(clock.now(), seconds(3));
    assert!(sleeps.iter_mut().all(|sleep| sleep.poll().is_ready()));
    assert!(!clock.jump(), "nobody sleeps");
    assert!(Task::new(clock.sleep_until(seconds(3))).poll().is_ready());
}

#[test]
fn when_everything_waits_it_jumps_and_sleepers_wake_in_the_order_of_their_deadlines() {
    let clock = VirtualClock::<4>::new();
    let woken = RefCell::new(Vec::new());
    let sleeps = [100, 1, 86_400].map(async |time| {
        clock.sleep_until(seconds(time)).await;
        assert_eq!(clock.now(), seconds(time));
        woken.borrow_mut().push(time);
    });
    clock.run(join_all(sleeps));
    assert_eq!(woken.into_inner(), [1, 100, 86_400]);
}

#[test]
fn a_dropped_sleep_gives_its_place_back_and_one_too_many_panics() {
    let clock = VirtualClock::<1>::new();
    for _again in 0..3 {
        drop(Task::waiting(clock.sleep_until(seconds(1))));
    }
    assert_eq!(clock.next_deadline(), None);
    let first = Task::waiting(clock.sleep_until(seconds(1)));
    let mut second = Task::new(clock.sleep_until(seconds(1)));
    catch_unwind(AssertUnwindSafe(|| second.poll())).unwrap_err();
    drop(first);
}

#[test]
fn a_future_that_waits_for_nothing_panics() {
    let clock = VirtualClock::<1>::new();
    catch_unwind(AssertUnwindSafe(|| clock.run(pending::<()>()))).unwrap_err();
}
