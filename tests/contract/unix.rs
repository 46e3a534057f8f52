//! Unix sockets, clients and servers.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net as std_unix;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::try_join;
use tacket::testing::{
    DropPoint, Makers, check_half_closeable_stream, check_one_way_stream, check_two_way_stream,
};
use tacket::{
    AsyncResource, Clock as _, Error as _, Fault, HalfCloseable as _, Listener as _, ReceiveStream,
    SendStream, timeout,
};
use tacket_std::{MonotonicClock, UnixListener, UnixStream};
use tacket_tests::{Patience, examine};

use crate::limited::run;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Covers SOC-16.
#[test]
fn a_pair_of_unix_streams_keeps_the_whole_contract() {
    let make = async || UnixStream::pair().expect("a pair");
    examine(Patience::system(), async |e| {
        check_half_closeable_stream(e, Makers::new(make, make)).await;
    })
    .assert_clean(&["TKT-12"]); // the system knows no reset here
}

#[test]
fn connected_unix_streams_keep_the_contract() {
    let folder = folder();
    let path = &folder.path().join("socket");
    let listener = std::cell::Cell::new(Some(UnixListener::bind(path).expect("listens")));
    let make = async || {
        let mut taken = listener.take().expect("one pair at a time");
        let pair = try_join(UnixStream::connect(path), taken.accept()).await;
        listener.set(Some(taken));
        pair.expect("a connection")
    };
    examine(Patience::system(), async |e| {
        check_one_way_stream(e, Makers::new(make, make)).await;
        check_two_way_stream(e, Makers::new(make, make)).await;
    })
    .assert_clean(&["TKT-12"]); // the system knows no reset here
}

/// Covers UNX-01.
#[test]
fn a_client_reaches_a_server_by_its_path_and_both_can_speak() {
    let folder = folder();
    let path = folder.path().join("socket");
    run(async {
        let mut listener = UnixListener::bind(&path).expect("listens");
        let text: &str = path.to_str().expect("text");
        let connecting = UnixStream::connect(text);
        let (mut client, mut server) = try_join(connecting, listener.accept())
            .await
            .expect("a connection");
        client.send_all(b"ping").await.expect("sends");
        client.send_eof().await.expect("ends");
        let mut buf = [0; 16];
        assert_eq!(server.receive_some(&mut buf).await.expect("data"), 4);
        assert_eq!(server.receive_some(&mut buf).await.expect("the end"), 0);
        server.send_all(b"pong!").await.expect("sends");
        server.close().await.expect("closes");
        assert_eq!(client.receive_some(&mut buf).await.expect("data"), 5);
        assert_eq!(client.receive_some(&mut buf).await.expect("the end"), 0);
    });
}

/// Covers UNX-02.
#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_not_there_is_not_found_and_costs_no_descriptor() {
    let folder = folder();
    let nowhere = folder.path().join("nowhere");
    run(async {
        let ours = |tries: usize| {
            let open = std::fs::read_dir("/proc/self/fd").expect("a list");
            let sockets = open.filter(|entry| {
                let target = entry.as_ref().map(|entry| std::fs::read_link(entry.path()));
                matches!(target, Ok(Ok(path)) if path.to_string_lossy().contains("socket:"))
            });
            (tries, sockets.count())
        };
        // Other tests have sockets too, but none has so many.
        let (_, before) = ours(0);
        for _ in 0..1000 {
            let error = UnixStream::connect(&nowhere).await.expect_err("nobody");
            assert_eq!(error.fault(), Fault::Broken);
            let cause = error.io_error().expect("the system's word");
            assert_eq!(cause.kind(), std::io::ErrorKind::NotFound);
            assert!(error.to_string().contains("nowhere"), "{error}");
        }
        let (_, after) = ours(1000);
        assert!(after < before + 900, "{before} sockets became {after}");
    });
}

#[test]
fn a_path_that_is_too_long_is_invalid() {
    let long = "x".repeat(200);
    run(async {
        let error = UnixStream::connect(&long).await.expect_err("too long");
        assert_eq!(error.fault(), Fault::InvalidInput);
    });
    let error = UnixListener::bind(&long).expect_err("too long");
    assert_eq!(error.fault(), Fault::InvalidInput);
}

#[test]
fn a_listener_removes_its_path_but_nobody_elses() {
    let folder = folder();
    let path = folder.path().join("socket");
    drop(UnixListener::bind(&path).expect("listens"));
    assert!(!path.exists());

    let first = UnixListener::bind(&path).expect("listens");
    std::fs::remove_file(&path).expect("removed by somebody");
    let second = std_unix::UnixListener::bind(&path).expect("listens");
    drop(first);
    assert!(path.exists());
    drop(UnixListener::try_from(second).expect("adopted"));
    assert!(path.exists(), "its path was not made here");
}

#[test]
fn a_socket_that_was_left_behind_is_replaced() {
    let folder = folder();
    let path = folder.path().join("socket");
    drop(std_unix::UnixListener::bind(&path).expect("listens")); // leaves its path
    assert!(path.exists());
    run(async {
        let mut listener = UnixListener::bind(&path).expect("replaces it");
        let pair = try_join(UnixStream::connect(&path), listener.accept());
        pair.await.expect("a connection");
    });
}

#[test]
fn a_path_where_somebody_listens_is_in_use() {
    let folder = folder();
    let path = folder.path().join("socket");
    let _first = std_unix::UnixListener::bind(&path).expect("listens");
    let error = UnixListener::bind(&path).expect_err("in use");
    let cause = error.io_error().expect("the system's word").kind();
    assert_eq!(cause, std::io::ErrorKind::AddrInUse);
    std_unix::UnixStream::connect(&path).expect("undisturbed");
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let folder = folder();
    let path = folder.path().join("precious");
    std::fs::write(&path, "data").expect("a file");
    UnixListener::bind(&path).expect_err("in use");
    let kept = std::fs::read_to_string(&path).expect("still there");
    assert_eq!(kept, "data");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    UnixListener::bind(&link).expect_err("in use");
    assert!(path.exists() && link.exists());
}

#[test]
fn many_that_find_a_socket_left_behind_do_not_take_it_from_each_other() {
    let folder = folder();
    let path = folder.path().join("socket");
    for _ in 0..50 {
        let left_behind = std_unix::UnixListener::bind(&path).expect("listens");
        drop(left_behind);
        let start = std::sync::Barrier::new(4);
        let listening = std::thread::scope(|scope| {
            let threads = [(); 4].map(|()| {
                scope.spawn(|| {
                    start.wait();
                    let listener = UnixListener::bind(&path).is_ok_and(|listener| {
                        let mut client = std_unix::UnixStream::connect(&path).expect("reachable");
                        std::io::Write::write_all(&mut client, b"x").expect("sends");
                        // Whoever listens keeps the path until all have tried.
                        start.wait();
                        drop(listener);
                        true
                    });
                    if !listener {
                        start.wait();
                    }
                    listener
                })
            });
            let ended = threads.map(|thread| thread.join().expect("a thread"));
            ended.into_iter().filter(|listened| *listened).count()
        });
        assert!(listening <= 1, "{listening} listen at one path");
        let _ = std::fs::remove_file(&path);
    }
}

#[test]
fn a_listener_that_accepts_late_loses_nobody() {
    let folder = folder();
    let path = folder.path().join("socket");
    run(async {
        let backlog = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let backlog = backlog.expect("a socket");
        let address = socket2::SockAddr::unix(&path).expect("an address");
        backlog.bind(&address).expect("a path");
        backlog.listen(1).expect("listens");
        let mut listener =
            UnixListener::try_from(std_unix::UnixListener::from(backlog)).expect("adopted");
        let clients = futures_util::future::try_join_all((0..20).map(async |number| {
            let mut client = UnixStream::connect(&path).await?;
            client.send_all(&[number]).await?;
            client.close().await
        }));
        let serving = async {
            let clock = MonotonicClock::new();
            let later = clock.now() + Duration::from_millis(20);
            clock.sleep_until(later).await;
            let mut seen = [false; 20];
            for _ in 0..20 {
                let mut stream = listener.accept().await?;
                let mut number = [0];
                stream.receive_some(&mut number).await?;
                *seen.get_mut(usize::from(number[0])).expect("a number") = true;
            }
            assert!(seen.iter().all(|seen| *seen));
            Ok(())
        };
        let clock = MonotonicClock::new();
        let both = timeout(&clock, Duration::from_secs(60), try_join(clients, serving));
        both.await.expect("no hang").expect("no failure");
    });
}

#[test]
fn a_connect_that_waits_for_room_can_be_dropped() {
    let folder = folder();
    let path = folder.path().join("socket");
    run(async {
        let full = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let full = full.expect("a socket");
        let address = socket2::SockAddr::unix(&path).expect("an address");
        full.bind(&address).expect("a path");
        full.listen(0).expect("listens");
        let mut waiting = Vec::new();
        loop {
            let point = DropPoint::after_poll(3);
            match point.cut(UnixStream::connect(&path)).await {
                Some(stream) => waiting.push(stream.expect("a connection")),
                None => break,
            }
            assert!(waiting.len() < 100, "the backlog has no end");
        }
    });
}

#[test]
fn who_may_not_write_to_the_path_may_not_connect() {
    if rustix::process::geteuid().is_root() {
        eprintln!("root may do anything, so this was not tried");
        return;
    }
    let folder = folder();
    let path = folder.path().join("socket");
    let _listener = UnixListener::bind(&path).expect("listens");
    let nobody = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(&path, nobody).expect("ours");
    let error = run(UnixStream::connect(&path)).expect_err("not allowed");
    let cause = error.io_error().expect("the system's word").kind();
    assert_eq!(cause, std::io::ErrorKind::PermissionDenied);
}

#[test]
fn no_connection_is_lost_when_accept_is_dropped_at_any_poll() {
    let folder = folder();
    let path = folder.path().join("socket");
    run(async {
        let mut listener = UnixListener::bind(&path).expect("listens");
        for polls in 1..4 {
            let point = DropPoint::when_woken_after_poll(polls);
            let connecting = async {
                let mut stream = UnixStream::connect(&path).await?;
                stream.send_all(b"hello").await?;
                stream.close().await
            };
            let accepting = async {
                let mut stream = match point.cut(listener.accept()).await {
                    Some(stream) => stream?,
                    None => listener.accept().await?,
                };
                let mut buf = [0; 16];
                assert_eq!(stream.receive_some(&mut buf).await?, 5);
                stream.close().await
            };
            try_join(accepting, connecting).await.expect("served");
        }
    });
}

/// The system does not tell when there is room, so to wait for it takes a timer.
#[test]
fn a_connect_that_would_have_to_wait_outside_run_says_so() {
    let folder = folder();
    let path = folder.path().join("socket");
    let full = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
    let full = full.expect("a socket");
    let address = socket2::SockAddr::unix(&path).expect("an address");
    full.bind(&address).expect("a path");
    full.listen(0).expect("listens");
    let mut waiting = Vec::new();
    let error = loop {
        let connected = UnixStream::connect(&path).now_or_never();
        match connected.expect("it does not wait") {
            Ok(stream) => waiting.push(stream),
            Err(error) => break error,
        }
        assert!(waiting.len() < 100, "the backlog has no end");
    };
    assert_eq!(error.fault(), Fault::Unsupported);
}

/// As when a service is restarted, and the old one is not quite gone: here that takes its time.
#[cfg(target_os = "linux")]
#[test]
fn who_takes_a_path_over_keeps_it_from_who_leaves() {
    use std::sync::atomic::Ordering;

    let name = "unix::who_takes_a_path_over_keeps_it_from_who_leaves";
    if let Some(ended) = crate::alone::run_alone_where("statx:delay_enter=3000", name) {
        return crate::alone::assert_passed(&ended);
    }
    let folder = folder();
    let path = folder.path().join("socket");
    let listening = std::sync::atomic::AtomicUsize::new(0);
    let end = std::time::Instant::now() + Duration::from_secs(1);
    let taking_turns = || {
        while std::time::Instant::now() < end {
            if let Ok(listener) = UnixListener::bind(&path) {
                let others = listening.fetch_add(1, Ordering::Relaxed);
                assert_eq!(others, 0, "somebody else has removed their path");
                std::thread::sleep(Duration::from_millis(5));
                listening.fetch_sub(1, Ordering::Relaxed);
                drop(listener);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(taking_turns);
        scope.spawn(taking_turns);
    });
}

/// As when a machine starts again: each service finds what it left behind, in the folder that all of them use.
#[test]
fn many_in_one_folder_replace_what_each_left_behind() {
    let folder = folder();
    for round in 0..50 {
        let start = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for number in 0..4 {
                let path = folder.path().join(format!("{round}-{number}"));
                drop(std_unix::UnixListener::bind(&path).expect("listens"));
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    UnixListener::bind(&path).expect("replaces it");
                });
            }
        });
    }
}

#[test]
fn a_stream_that_was_given_away_goes_on_elsewhere() {
    use std::io::Read as _;
    run(async {
        let (left, mut right) = UnixStream::pair().expect("a pair");
        right.send_all(b"hello").await.expect("sends");
        let mut elsewhere = left.into_std().expect("another handle");
        let mut buf = [0; 5];
        elsewhere.read_exact(&mut buf).expect("it is there");
        assert_eq!(&buf, b"hello");
        let mut left = UnixStream::try_from(elsewhere).expect("adopted");
        left.send_all(b"bye").await.expect("sends");
        assert_eq!(right.receive_some(&mut buf).await.expect("receives"), 3);
    });
}
