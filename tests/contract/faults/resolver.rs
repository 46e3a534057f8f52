//! A name server that never answers: one of our own, that the system's resolver asks in the process of the test alone.

use std::collections::BTreeSet;
use std::env;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tacket::{Error as _, Fault, ReceiveStream as _, Resolve as _, SendStream as _, timeout};
use tacket_std::{MonotonicClock, Net, UnixStream};

use super::{begin, run, turn};

/// Its value is where the server is.
const MARK: &str = "TACKET_SILENT_RESOLVER";
const NONE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// An address of this machine that no other test has.
fn own_address() -> Ipv4Addr {
    static TAKEN: AtomicU8 = AtomicU8::new(100);
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, TAKEN.fetch_add(1, Ordering::Relaxed), high, low)
}

/// Runs the test `name` once more, alone, where the resolver of the system has these options and asks a server that is
/// silent. There it returns that server; here it is over.
fn where_nobody_answers(options: &str, name: &str) -> Option<UdpSocket> {
    if let Ok(address) = env::var(MARK) {
        let server = UdpSocket::bind((&*address, 53)).expect("it could be had before");
        server.set_nonblocking(true).expect("an option");
        return Some(server);
    }
    let address = own_address();
    if let Err(error) = UdpSocket::bind((address, 53)) {
        eprintln!("this was not tried, for the port of a name server is not ours: {error}");
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let resolver = folder.path().join("resolv.conf");
    let configuration = format!("nameserver {address}\noptions {options}\n");
    std::fs::write(&resolver, configuration).expect("a file");
    let names = folder.path().join("nsswitch.conf");
    std::fs::write(&names, "hosts: files dns\n").expect("a file");
    let mount = "mount --bind \"$1\" /etc/resolv.conf && mount --bind \"$2\" /etc/nsswitch.conf";
    let unshare = |then: &str| -> std::io::Result<Output> {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", &format!("{mount} && {then}"), "sh"]);
        unshare.args([&resolver, &names]);
        unshare.arg(env::current_exe().expect("a test")).arg(name);
        unshare.env(MARK, address.to_string()).output()
    };
    match unshare("true") {
        Ok(tried) if tried.status.success() => {}
        tried => {
            eprintln!("this was not tried, for the resolver cannot be set up: {tried:?}");
            return None;
        }
    }
    let began = Instant::now();
    let ended = unshare("exec \"$3\" --exact \"$4\" --nocapture").expect("it starts");
    crate::alone::assert_passed(&ended);
    // It would have waited for a minute and more if it had waited for its threads.
    assert!(began.elapsed() < Duration::from_secs(30), "{ended:?}");
    None
}

/// How many threads of this process ask.
fn threads_that_ask() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").expect("a list");
    let names = threads.map(|thread| {
        let name = thread.expect("an entry").path().join("comm");
        std::fs::read_to_string(name).unwrap_or_default()
    });
    names
        .filter(|name| name.trim() == "tacket resolver")
        .count()
}

/// And the program ends while they do.
#[test]
fn names_that_nobody_answers_for_keep_nobody_but_those_that_ask() {
    let name = "faults::resolver::names_that_nobody_answers_for_keep_nobody_but_those_that_ask";
    let Some(server) = where_nobody_answers("timeout:30 attempts:3", name) else {
        return;
    };
    let (network, clock) = (Net::new(), MonotonicClock::new());
    run(async {
        let names: Vec<_> = (0..20).map(|n| format!("host{n}.example")).collect();
        let mut asking = join_all(names.iter().map(async |name| {
            let answer = network.resolve(name, &mut [NONE; 4]).await;
            panic!("{name}: {answer:?}");
        }));
        begin(&mut asking).await;
        // The server hears of some, for this is the system's resolver.
        let mut asked = BTreeSet::new();
        let mut question = [0; 512];
        while asked.len() < 8 {
            match server.recv(&mut question) {
                Ok(length) => drop(asked.insert(question[13..length - 4].to_vec())),
                Err(_) => turn().await,
            }
        }
        // While they wait, everything else goes on.
        let (mut left, mut right) = UnixStream::pair().expect("a pair");
        for _ in 0..20 {
            left.send_all(b"hello").await.expect("sends");
            let count = right.receive_some(&mut [0; 16]).await;
            assert_eq!(count.expect("receives"), 5);
            turn().await;
        }
        let limited = timeout(&clock, Duration::from_millis(50), &mut asking).await;
        limited.expect_err("nobody answers");
        drop(asking);
        assert_eq!(threads_that_ask(), 8);
        // An address needs nobody, but any other name waits, also one that this machine knows.
        let mut found = [NONE; 4];
        let address = network.resolve("192.0.2.1", &mut found).now_or_never();
        assert_eq!(address.expect("at once").expect("an address"), 1);
        let limit = Duration::from_millis(50);
        let local = timeout(&clock, limit, network.resolve("localhost", &mut found)).await;
        local.expect_err("it waits for a thread");
        assert_eq!(threads_that_ask(), 8);
    });
}

/// The system gives up when its time is over; then that is the answer, and the threads are for others again.
#[test]
fn what_the_system_gives_up_is_an_error_with_its_cause() {
    let name = "faults::resolver::what_the_system_gives_up_is_an_error_with_its_cause";
    let Some(_server) = where_nobody_answers("timeout:1 attempts:1", name) else {
        return;
    };
    let network = Net::new();
    run(async {
        let names: Vec<_> = (0..12).map(|n| format!("host{n}.example")).collect();
        join_all(names.iter().map(async |name| {
            let error = network.resolve(name, &mut [NONE; 4]).await;
            let error = error.expect_err("nobody answers");
            assert_eq!(error.fault(), Fault::Other);
            assert!(
                error.to_string().contains(name) && error.io_error().is_some(),
                "{error}"
            );
        }))
        .await;
        let mut found = [NONE; 4];
        let count = network.resolve("localhost", &mut found).await;
        assert!(count.expect("this machine") > 0);
        assert!(found[0].is_loopback());
    });
}

/// The first is refused, however threads are made.
#[test]
fn without_a_thread_to_ask_on_a_name_is_refused_until_there_is_one() {
    let name = "faults::resolver::without_a_thread_to_ask_on_a_name_is_refused_until_there_is_one";
    let inject = "clone,clone3:error=EAGAIN:when=1..2";
    if let Some(ended) = crate::alone::run_alone_where(inject, name) {
        return crate::alone::assert_passed(&ended);
    }
    run(async {
        let mut found = [NONE; 4];
        let mut resolve = async || Net::new().resolve("localhost", &mut found).await;
        let error = resolve().await.expect_err("no thread is left");
        assert_eq!(error.fault(), Fault::Capacity, "{error}");
        assert!(error.to_string().contains("localhost"), "{error}");
        if resolve().await.is_err() {
            resolve().await.expect("there is one");
        }
    });
}
