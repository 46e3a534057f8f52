//! One loop a processor. On a machine with one processor most of this is about one thread.

use core::future::pending;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use futures_util::FutureExt as _;
use tacket::{AsyncResource as _, Error as _, Fault, Listener as _, LocalAddress as _};
use tacket::{SendStream as _, timeout};
use tacket_std::{IoError, MonotonicClock, TcpListener, run_on_all_cores};

const LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug)]
enum Failure {
    Io(Fault),
    Own(usize),
}

impl From<IoError> for Failure {
    fn from(error: IoError) -> Self {
        Self::Io(error.fault())
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// On every core `body`. More than a minute is a panic.
fn run_all<T: Send>(
    body: impl AsyncFn(usize) -> Result<T, Failure> + Sync,
) -> Result<Vec<T>, Failure> {
    run_on_all_cores(async |core| {
        let limited = timeout(&MonotonicClock::new(), LIMIT, body(core)).await;
        limited.expect("it ends in time")
    })
}

/// Notes that it is dropped.
struct Noted<'a>(&'a AtomicUsize);

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn each_core_has_a_thread_with_a_loop_and_its_own_number() {
    let together = Barrier::new(cores());
    let here = thread::current().id();
    let told = run_all(async |core| {
        together.wait(); // all of them run at the same time
        let spawned = tacket_std::spawn(async move { core * 2 });
        Ok((core, spawned.await, thread::current().id()))
    });
    let told = told.expect("nothing fails");
    for (place, (core, twice, thread)) in told.iter().enumerate() {
        assert_eq!((*core, *twice), (place, 2 * place));
        assert_eq!(*thread == here, place == 0);
    }
    let threads: Vec<_> = told.iter().map(|(_, _, thread)| thread).collect();
    assert_eq!(threads.len(), cores());
    assert!(
        (1..threads.len()).all(|place| threads[..place].iter().all(|it| *it != threads[place]))
    );
}

#[test]
fn an_error_of_one_drops_the_others_and_is_returned() {
    let together = Barrier::new(cores());
    let dropped = AtomicUsize::new(0);
    let ended = run_all(async |core| -> Result<(), _> {
        let _noted = Noted(&dropped);
        together.wait();
        if core == cores() - 1 {
            return Err(Failure::Own(core));
        }
        pending().await
    });
    assert!(
        matches!(ended, Err(Failure::Own(core)) if core == cores() - 1),
        "{ended:?}"
    );
    assert_eq!(dropped.load(Ordering::SeqCst), cores());
}

#[test]
fn of_several_errors_the_first_is_returned() {
    let has_failed = AtomicBool::new(false);
    let ended = run_all(async |core| -> Result<(), _> {
        let is_first = !has_failed.swap(true, Ordering::SeqCst);
        match is_first {
            true => Err(Failure::Own(core)),
            // The first is told before this one ends.
            false => pending().await,
        }
    });
    assert!(matches!(ended, Err(Failure::Own(_))), "{ended:?}");
}

#[test]
fn a_panic_of_one_drops_the_others_and_goes_on() {
    for guilty in [0, cores() - 1] {
        let started = Instant::now();
        let together = Barrier::new(cores());
        let dropped = AtomicUsize::new(0);
        let ended = catch_unwind(AssertUnwindSafe(|| {
            run_all(async |core| -> Result<(), _> {
                let _noted = Noted(&dropped);
                together.wait();
                assert_ne!(core, guilty, "meant to");
                pending().await
            })
        }));
        let payload = ended.expect_err("a panic");
        let said = payload.downcast_ref::<String>().expect("a text");
        assert!(said.contains("meant to"), "{said}");
        assert!(started.elapsed() < LIMIT, "the others were not told");
        assert_eq!(dropped.load(Ordering::SeqCst), cores());
    }
}

#[test]
fn inside_of_a_run_it_is_refused_and_nothing_is_left() {
    let refused = tacket_std::run(async {
        run_all(async |core| match core {
            0 => Ok(()),
            _ => pending().await,
        })
    });
    let refused = refused.expect("an event loop");
    assert!(
        matches!(refused, Err(Failure::Io(Fault::Unsupported))),
        "{refused:?}"
    );
}

/// As many clients as there are cores, each of which serves one and no more: so each has one.
#[test]
fn a_port_is_shared_by_all_cores_and_no_client_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0".parse().expect("an address"));
    let listener = listener.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let port = listener.to_std().expect("a handle");
    drop(listener); // the handles hold the port
    let clients = (0..cores()).map(|_| {
        thread::spawn(move || {
            let mut stream = std::net::TcpStream::connect(address).expect("somebody listens");
            stream.set_read_timeout(Some(LIMIT)).expect("a limit");
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).expect("served to the end");
            heard
        })
    });
    let clients: Vec<_> = clients.collect();
    let served = run_all(async |core| {
        let mut listener = TcpListener::duplicate(&port)?;
        let mut stream = listener.accept().await?;
        stream.send_all(&[core as u8]).await?;
        Ok(stream.close().await?)
    });
    assert_eq!(served.expect("nothing fails").len(), cores());
    let heard = clients
        .into_iter()
        .map(|client| client.join().expect("a client"));
    let heard: BTreeSet<_> = heard.collect();
    assert_eq!(heard, (0..cores()).map(|core| vec![core as u8]).collect());
}

/// The wake of another core reaches a loop that sleeps.
#[test]
fn cores_wake_each_other() {
    let wakers = Arc::new(std::sync::Mutex::new(Vec::new()));
    let arrived = Arc::new(AtomicUsize::new(0));
    let met = run_all(async |_| {
        arrived.fetch_add(1, Ordering::SeqCst);
        for waker in wakers.lock().expect("no panic").drain(..) {
            core::task::Waker::wake(waker);
        }
        core::future::poll_fn(|cx| {
            wakers.lock().expect("no panic").push(cx.waker().clone());
            match arrived.load(Ordering::SeqCst) == cores() {
                true => core::task::Poll::Ready(()),
                false => core::task::Poll::Pending,
            }
        })
        .await;
        Ok(tacket_std::spawn(async {}).now_or_never().is_none())
    });
    assert_eq!(met.expect("nothing fails"), vec![true; cores()]);
}
