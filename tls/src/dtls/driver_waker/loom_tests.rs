//! What a thread that wakes the driver can do to those who wait on an endpoint, in every order.
//!
//! They are of one thread, as all handles of an endpoint are, and do what `shared` has them do. Each is polled when it is woken and at no other time;
//! loom reports a wake that is lost as a deadlock.

use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::task::{Context, Poll};

use loom::model::Builder;
use loom::sync::Condvar;
use loom::sync::atomic::AtomicUsize;
use loom::thread;

use super::*;

/// How many wait.
const ALL: usize = 2;

/// Who was woken.
#[derive(Default)]
struct Bell {
    woken: Mutex<[bool; ALL]>,
    ring: Condvar,
}

impl Bell {
    /// Sleeps until somebody is woken.
    fn sleep(&self) -> [bool; ALL] {
        let mut woken = self.woken.lock().expect("no panic");
        while *woken == [false; ALL] {
            woken = self.ring.wait(woken).expect("no panic");
        }
        core::mem::take(&mut *woken)
    }
}

struct Task(usize, Arc<Bell>);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let Self(number, bell) = &*self;
        bell.woken.lock().expect("no panic")[*number] = true;
        bell.ring.notify_one();
    }
}

/// Its socket gets datagrams from another thread: the first is for the first who waits, the second for the other.
struct Endpoint {
    driver_waker: Arc<DriverWaker>,
    came: Arc<AtomicUsize>,
    taken: Cell<usize>,
    /// What the table has for each, and whom it wakes for that.
    has: RefCell<[bool; ALL]>,
    listed: RefCell<[Option<Waker>; ALL]>,
}

impl Endpoint {
    fn poll_driver(&self) {
        self.driver_waker.begin();
        let before = self.taken.replace(self.came.load(Ordering::Acquire));
        for number in before..self.taken.get() {
            self.has.borrow_mut()[number] = true;
            let waker = self.listed.borrow_mut()[number].take();
            waker.into_iter().for_each(Waker::wake);
        }
        self.driver_waker.end();
    }
}

/// It has something to send when it is first polled, for which it polls the driver.
struct Wait<'e> {
    endpoint: &'e Endpoint,
    number: usize,
    has_waited: Cell<bool>,
    has_driven: Cell<bool>,
}

impl Wait<'_> {
    fn ticket(&self) -> u64 {
        u64::try_from(self.number).expect("few")
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let Endpoint { driver_waker, .. } = self.endpoint;
        let has_come = || self.endpoint.has.borrow()[self.number];
        let has_work = !self.has_waited.get();
        if !has_come() && (driver_waker.is_woken() || has_work) {
            self.endpoint.listed.borrow_mut()[self.number] = None;
            self.has_driven.set(true);
            self.endpoint.poll_driver();
        }
        if has_come() {
            return Poll::Ready(());
        }
        self.has_waited.set(true);
        self.endpoint.listed.borrow_mut()[self.number] = Some(cx.waker().clone());
        drop(driver_waker.wait(self.ticket(), cx.waker()));
        if driver_waker.is_woken() {
            driver_waker.wake_waiting();
        }
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let Endpoint { driver_waker, .. } = self.endpoint;
        self.endpoint.listed.borrow_mut()[self.number] = None;
        let was_woken = self.has_waited.get() && driver_waker.wait_no_more(self.ticket()).is_some();
        if (was_woken || self.has_driven.get()) && driver_waker.is_woken() {
            driver_waker.wake_waiting();
        }
    }
}

/// What becomes of the second who waits. The first has to get its datagram whatever that is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Second {
    Waits,
    /// It is polled so often, and dropped after that, at once or as soon as it is woken again.
    IsDropped {
        polls: usize,
        at_once: bool,
    },
    /// It is polled once and never again, and is not dropped.
    IsForgotten,
}

/// The second one serves, if `serves`: the driver wakes nobody else.
fn everybody_gets_what_has_come(second: Second, serves: bool) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3); // all would be minutes
    builder.check(move || {
        let endpoint = Endpoint {
            driver_waker: Arc::default(),
            came: Arc::new(AtomicUsize::new(0)),
            taken: Cell::new(0),
            has: RefCell::default(),
            listed: RefCell::default(),
        };
        let bell = Arc::<Bell>::default();
        let wakers = [0, 1].map(|number| Waker::from(Arc::new(Task(number, Arc::clone(&bell)))));
        if serves {
            endpoint.driver_waker.set_server(Some(1));
        }
        let socket = {
            let (came, driver) = (Arc::clone(&endpoint.came), endpoint.driver_waker.clone());
            thread::spawn(move || {
                for _ in 0..ALL {
                    came.fetch_add(1, Ordering::Release);
                    Waker::from(driver.clone()).wake();
                }
            })
        };
        let mut waiting: Vec<_> = (0..ALL)
            .map(|number| {
                Some(Wait {
                    endpoint: &endpoint,
                    number,
                    has_waited: Cell::new(false),
                    has_driven: Cell::new(false),
                })
            })
            .collect();
        let leave = |gone: Option<Wait<'_>>| {
            drop(gone);
            if serves {
                endpoint.driver_waker.set_server(None);
                let mut listed = endpoint.listed.borrow_mut();
                let all = listed.iter_mut().filter_map(Option::take);
                all.for_each(Waker::wake);
            }
        };
        let mut polled = 0;
        let mut woken = [true; ALL];
        loop {
            for number in (0..ALL).filter(|number| woken[*number]) {
                let Some(one) = &waiting[number] else {
                    continue;
                };
                if number == 1 {
                    match second {
                        Second::IsDropped { polls, .. } if polled == polls => {
                            leave(waiting[1].take());
                            continue;
                        }
                        Second::IsForgotten if polled == 1 => continue,
                        _ => polled += 1,
                    }
                }
                if one.poll(&Context::from_waker(&wakers[number])).is_ready() {
                    match number {
                        1 => leave(waiting[1].take()),
                        _ => drop(waiting[0].take()),
                    }
                }
                if number == 1
                    && second
                        == (Second::IsDropped {
                            polls: polled,
                            at_once: true,
                        })
                {
                    leave(waiting[1].take());
                }
            }
            if waiting[0].is_none() && (waiting[1].is_none() || second != Second::Waits) {
                break;
            }
            woken = bell.sleep();
        }
        socket.join().expect("no panic");
    });
}

#[test]
fn loom_two_who_wait_get_what_has_come() {
    everybody_gets_what_has_come(Second::Waits, false);
}

#[test]
fn loom_one_who_goes_away_takes_no_wake_along() {
    for polls in 1..=2 {
        for at_once in [false, true] {
            everybody_gets_what_has_come(Second::IsDropped { polls, at_once }, false);
        }
    }
}

#[test]
fn loom_one_who_is_not_polled_any_more_holds_nobody_up() {
    everybody_gets_what_has_come(Second::IsForgotten, false);
}

#[test]
fn loom_those_who_wait_beside_a_server_get_what_has_come_also_when_it_goes() {
    everybody_gets_what_has_come(Second::Waits, true);
    for polls in 1..=2 {
        for at_once in [false, true] {
            everybody_gets_what_has_come(Second::IsDropped { polls, at_once }, true);
        }
    }
}
