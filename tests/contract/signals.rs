//! Being asked to stop. Each test has a process to itself, and asks that.

use std::os::unix::process::ExitStatusExt as _;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join;
use rustix::process::{Signal, getpid, kill_process};
use tacket::testing::DropPoint;
use tacket::{Error as _, Fault};
use tacket_std::StopSignal;

use crate::alone::{assert_passed, run_alone};
use crate::limited::run;

fn raise(signal: Signal) {
    kill_process(getpid(), signal).expect("it is this process");
}

#[test]
fn a_signal_ends_the_wait_of_every_listener_on_every_thread() {
    let name = "signals::a_signal_ends_the_wait_of_every_listener_on_every_thread";
    if let Some(ended) = run_alone(name) {
        return assert_passed(&ended);
    }
    let (tell, told) = mpsc::channel();
    let threads = [(); 3].map(|()| {
        let tell = tell.clone();
        thread::spawn(move || {
            run(async {
                let mut signal = StopSignal::new().expect("a listener");
                assert!(signal.received().now_or_never().is_none());
                tell.send(()).expect("somebody waits");
                signal.received().await.expect("it is asked");
                assert!(signal.is_received());
                signal.received().await.expect("it has been asked");
            });
        })
    });
    for _ in &threads {
        told.recv().expect("a thread that listens");
    }
    drop(StopSignal::new().expect("one that does not wait for it"));
    raise(Signal::TERM);
    threads
        .into_iter()
        .for_each(|thread| thread.join().expect("it was asked"));
    let mut late = StopSignal::new().expect("a listener");
    assert!(late.is_received());
    let received = late.received().now_or_never();
    received.expect("at once").expect("no failure");
}

#[cfg(target_os = "linux")]
#[test]
fn to_listen_costs_no_thread_and_leaks_no_descriptor() {
    let name = "signals::to_listen_costs_no_thread_and_leaks_no_descriptor";
    if let Some(ended) = run_alone(name) {
        return assert_passed(&ended);
    }
    let count = |folder| std::fs::read_dir(folder).expect("a list").count();
    let ours = || (count("/proc/self/fd"), count("/proc/self/task"));
    run(async {
        drop(StopSignal::new().expect("a listener"));
        let before = ours();
        let listeners = [(); 20].map(|()| StopSignal::new().expect("a listener"));
        assert_eq!(ours().1, before.1);
        drop(listeners);
        assert_eq!(ours(), before);
    });
}

#[test]
fn a_wait_can_be_dropped_at_every_poll_and_misses_nothing() {
    let name = "signals::a_wait_can_be_dropped_at_every_poll_and_misses_nothing";
    if let Some(ended) = run_alone(name) {
        return assert_passed(&ended);
    }
    run(async {
        let mut signal = StopSignal::new().expect("a listener");
        let first = DropPoint::after_poll(1);
        assert!(first.cut(signal.received()).await.is_none());
        let woken = DropPoint::when_woken_after_poll(1);
        let raising = async { raise(Signal::INT) };
        let (cut, ()) = join(woken.cut(signal.received()), raising).await;
        assert!(cut.is_none());
        signal.received().await.expect("it was asked");
    });
}

#[test]
fn to_wait_where_nobody_would_be_woken_is_refused() {
    let name = "signals::to_wait_where_nobody_would_be_woken_is_refused";
    if let Some(ended) = run_alone(name) {
        return assert_passed(&ended);
    }
    let mut signal = StopSignal::new().expect("a listener");
    let waited = signal.received().now_or_never().expect("it does not wait");
    let refused = waited.expect_err("no loop turns");
    assert_eq!(refused.fault(), Fault::Unsupported);
}

#[test]
fn a_second_signal_ends_the_program() {
    if let Some(ended) = run_alone("signals::a_second_signal_ends_the_program") {
        assert_eq!(ended.status.signal(), Some(2), "{ended:?}");
        assert!(String::from_utf8_lossy(&ended.stdout).contains("asked once"));
        return;
    }
    run(async {
        let mut signal = StopSignal::new().expect("a listener");
        raise(Signal::INT);
        signal.received().await.expect("it is asked");
        println!("asked once");
        raise(Signal::INT);
        std::future::pending::<()>().await;
    });
}

#[test]
fn a_second_signal_ends_the_program_also_for_who_listens_since_the_first() {
    let name = "signals::a_second_signal_ends_the_program_also_for_who_listens_since_the_first";
    if let Some(ended) = run_alone(name) {
        assert_eq!(ended.status.signal(), Some(15), "{ended:?}");
        return;
    }
    let first = StopSignal::new().expect("a listener");
    raise(Signal::INT);
    while !first.is_received() {
        thread::yield_now(); // another thread may be the one that is interrupted
    }
    let _second = StopSignal::new().expect("a listener");
    raise(Signal::TERM);
    thread::sleep(Duration::from_secs(60));
}

#[test]
fn once_nobody_listens_any_more_the_first_signal_ends_the_program() {
    let name = "signals::once_nobody_listens_any_more_the_first_signal_ends_the_program";
    if let Some(ended) = run_alone(name) {
        assert_eq!(ended.status.signal(), Some(15), "{ended:?}");
        return;
    }
    let signal = StopSignal::new().expect("a listener");
    drop(StopSignal::new().expect("another"));
    drop(signal);
    raise(Signal::TERM);
    thread::sleep(Duration::from_secs(60));
}

#[test]
fn who_listens_again_is_asked_again() {
    if let Some(ended) = run_alone("signals::who_listens_again_is_asked_again") {
        return assert_passed(&ended);
    }
    drop(StopSignal::new().expect("a listener"));
    run(async {
        let mut signal = StopSignal::new().expect("a listener");
        raise(Signal::TERM);
        signal.received().await.expect("it is asked");
    });
}

/// At each descriptor that it takes, and whatever it had done before.
#[cfg(target_os = "linux")]
#[test]
fn a_listener_for_which_there_is_no_descriptor_leaves_signals_as_they_were() {
    use std::os::fd::AsRawFd as _;

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let name = "signals::a_listener_for_which_there_is_no_descriptor_leaves_signals_as_they_were";
    if let Some(ended) = run_alone(name) {
        assert_eq!(ended.status.signal(), Some(15), "{ended:?}");
        return;
    }
    run(async {}); // the loop has its own
    let limits = getrlimit(Resource::Nofile);
    // They leave no number free below theirs.
    let files = [(); 64].map(|()| std::fs::File::open("/dev/null").expect("a file"));
    let open = files.last().expect("one").as_raw_fd() as u64 + 1;
    for most in open..open + 3 {
        let few = Rlimit {
            current: Some(most),
            ..limits
        };
        setrlimit(Resource::Nofile, few).expect("a lower limit");
        let refused = StopSignal::new().expect_err("no descriptor left");
        assert_eq!(refused.fault(), Fault::Capacity);
    }
    setrlimit(Resource::Nofile, limits).expect("the old limit");
    raise(Signal::TERM);
    thread::sleep(Duration::from_secs(5));
}
