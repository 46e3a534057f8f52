//! The clock of embassy-time: a counter of microseconds and one alarm, which each board has, and the queue of those who wait.

use core::cell::RefCell;
use core::task::Waker;

use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::{Driver, time_driver_impl};
use embassy_time_queue_utils::Queue;

use crate::board;

struct Time {
    queue: Mutex<RefCell<Queue>>,
}

time_driver_impl!(static TIME: Time = Time { queue: Mutex::new(RefCell::new(Queue::new())) });

impl Driver for Time {
    fn now(&self) -> u64 {
        board::now()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            if self.queue.borrow_ref_mut(cs).schedule_wake(at, waker) {
                self.set_alarm(cs);
            }
        });
    }
}

impl Time {
    /// Wakes whoever's time has come, and sets the alarm for the next one.
    fn set_alarm(&self, cs: CriticalSection<'_>) {
        let mut queue = self.queue.borrow_ref_mut(cs);
        loop {
            let next = queue.next_expiration(board::now());
            if board::set_alarm(next) {
                return;
            }
        }
    }
}

/// The board calls this when its alarm goes off, be it early.
pub(crate) fn on_alarm() {
    critical_section::with(|cs| TIME.set_alarm(cs));
}
