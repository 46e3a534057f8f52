//! The executor: wakes, timers, and turns for everybody.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{join, join_all, select};
use tacket::{Clock as _, Error as _, Fault, ReceiveStream, timeout};
use tacket_std::{MonotonicClock, TcpStream};

use crate::limited::sleep;

fn run<T>(future: impl Future<Output = T>) -> T {
    tacket_std::run(future).expect("an event loop")
}

#[test]
fn a_wake_from_another_thread_ends_the_sleep() {
    let start = Instant::now();
    let mut started = false;
    let done = Arc::new(AtomicBool::new(false));
    run(poll_fn(|cx| {
        if done.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        if !std::mem::replace(&mut started, true) {
            let (waker, done) = (cx.waker().clone(), Arc::clone(&done));
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(30));
                done.store(true, Ordering::Release);
                waker.wake();
            });
        }
        Poll::Pending
    }));
    assert!(start.elapsed() >= Duration::from_millis(30));
}

#[test]
fn sleepers_wake_in_the_order_of_their_deadlines() {
    let order = RefCell::new(Vec::new());
    run(join_all([30, 10, 20, 0].map(|delay| {
        let order = &order;
        async move {
            sleep(delay).await;
            order.borrow_mut().push(delay);
        }
    })));
    assert_eq!(order.into_inner(), [0, 10, 20, 30]);
}

#[test]
fn no_sleep_ends_early() {
    for delay in [1, 3, 7] {
        let start = Instant::now();
        run(sleep(delay));
        assert!(start.elapsed() >= Duration::from_millis(delay));
    }
}

#[test]
fn a_timeout_gives_the_future_its_last_chance_first() {
    let clock = MonotonicClock::new();
    assert_eq!(run(timeout(&clock, Duration::ZERO, async { 5 })), Ok(5));
    assert!(run(timeout(&clock, Duration::from_millis(5), pending::<()>())).is_err());
    assert_eq!(run(timeout(&clock, Duration::MAX, async { 6 })), Ok(6));
}

#[test]
fn a_sleep_that_is_dropped_wakes_nobody() {
    let polls = Cell::new(0);
    run(async {
        let counting = poll_fn(|_| {
            polls.set(polls.get() + 1);
            Poll::<()>::Pending
        });
        drop(select(Box::pin(sleep(10)), Box::pin(sleep(1))).await);
        let _ = select(counting, Box::pin(sleep(40))).await;
    });
    assert!(polls.get() <= 2, "polled {} times", polls.get());
}

#[test]
fn a_run_inside_a_run_is_refused() {
    let inner = run(async { tacket_std::run(async {}) });
    assert_eq!(inner.expect_err("refused").fault(), Fault::Unsupported);
    run(async {}); // and the thread is fine
}

#[test]
fn a_panic_in_the_future_leaves_the_thread_able_to_run() {
    let unwound = catch_unwind(|| run(async { panic!("on purpose") }));
    assert!(unwound.is_err());
    run(sleep(1));
}

/// Covers RES-08: small reads from a full socket never have to wait, and share a task with everything else.
#[test]
fn a_stream_that_is_always_ready_starves_nobody() {
    let flooding = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = flooding.local_addr().expect("an address");
    let flood = std::thread::spawn(move || {
        let (mut socket, _) = flooding.accept().expect("a client");
        while std::io::Write::write_all(&mut socket, &[1; 65536]).is_ok() {}
    });
    run(async {
        let mut busy = TcpStream::connect(address).await.expect("connects");
        let stop = Rc::new(Cell::new(false));
        let reading = async {
            let late = Instant::now() + Duration::from_secs(10);
            while !stop.get() {
                assert!(Instant::now() < late, "the flood never gives way");
                busy.receive_some(&mut [0; 16]).await.expect("receives");
            }
        };
        let others = async {
            for _ in 0..10 {
                sleep(1).await;
            }
            stop.set(true);
        };
        join(reading, others).await;
    });
    flood.join().expect("ends when the reader is gone");
}

/// Every deadline has passed when it gets there. Covers RES-08.
#[test]
fn a_sleeper_who_is_always_late_starves_nobody() {
    run(async {
        let clock = MonotonicClock::new();
        let stop = Cell::new(false);
        let late = async {
            let limit = Instant::now() + Duration::from_secs(10);
            while !stop.get() {
                assert!(Instant::now() < limit, "the sleeper never gives way");
                clock.sleep_until(clock.now()).await;
            }
        };
        let others = async {
            sleep(5).await;
            stop.set(true);
        };
        join(late, others).await;
    });
}

#[test]
fn a_sleep_that_is_polled_after_its_run_says_so() {
    let clock = MonotonicClock::new();
    let deadline = clock.now() + Duration::from_secs(60);
    let mut sleeping = Box::pin(async { clock.sleep_until(deadline).await });
    run(poll_fn(|cx| {
        assert!(sleeping.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    }));
    let polled = catch_unwind(AssertUnwindSafe(|| sleeping.now_or_never()));
    polled.expect_err("nothing would wake it");
}
