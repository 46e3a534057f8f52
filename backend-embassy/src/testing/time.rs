//! The time of a test: it stands still until everybody waits.

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::task::Waker;

use embassy_time_driver::{Driver, time_driver_impl};

std::thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
    static ALARMS: RefCell<Vec<Alarm>> = const { RefCell::new(Vec::new()) };
}

/// A task is woken at the earliest of the ticks it asked for, and then asks again.
struct Alarm {
    at: u64,
    waker: Waker,
}

struct VirtualTime;

time_driver_impl!(static TIME: VirtualTime = VirtualTime);

impl Driver for VirtualTime {
    fn now(&self) -> u64 {
        NOW.get()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        if at <= NOW.get() {
            waker.wake_by_ref();
            return;
        }
        ALARMS.with_borrow_mut(|alarms| {
            let own = alarms.iter_mut().find(|alarm| alarm.waker.will_wake(waker));
            match own {
                Some(alarm) => alarm.at = alarm.at.min(at),
                None => alarms.push(Alarm {
                    at,
                    waker: waker.clone(),
                }),
            }
        });
    }
}

/// Moves time to the next alarm, and wakes whom it is for. False if there is none.
pub(super) fn advance() -> bool {
    let due: Vec<Alarm> = ALARMS.with_borrow_mut(|alarms| {
        let next = alarms.iter().map(|alarm| alarm.at).min();
        NOW.set(NOW.get().max(next.unwrap_or_default()));
        alarms
            .extract_if(.., |alarm| alarm.at <= NOW.get())
            .collect()
    });
    for alarm in &due {
        alarm.waker.wake_by_ref();
    }
    !due.is_empty()
}
