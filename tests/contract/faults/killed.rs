//! Children that a signal ends, or only stops.

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt as _;
#[cfg(target_os = "linux")]
use std::process::Command;

use futures_util::FutureExt as _;
use futures_util::future::{join, join3};
use tacket::{AsyncResource as _, Error as _, Fault, ReceiveStream as _, SendStream as _};
use tacket_std::{Child, PipeReceiveStream, PipeSendStream};

use super::conversation::assert_broken;
use super::{begin, receive_all, run, shell, turn};
#[cfg(target_os = "linux")]
use crate::alone::assert_passed;

const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;
const SIGTERM: i32 = 15;
#[cfg(target_os = "linux")]
const SIGCONT: i32 = 18;
#[cfg(target_os = "linux")]
const SIGSTOP: i32 = 19;

/// A child that has begun, and from now on neither reads nor writes.
async fn idler() -> (Child, PipeSendStream, PipeReceiveStream) {
    let mut child = shell("ulimit -c 0; echo ready; exec sleep 1000");
    let stdin = child.stdin.take().expect("it is piped");
    let mut stdout = child.stdout.take().expect("it is piped");
    assert_eq!(stdout.receive_some(&mut [0; 16]).await.expect("a word"), 6);
    (child, stdin, stdout)
}

/// More than a pipe holds.
const MUCH: usize = 8 << 20;

#[test]
fn a_signal_that_ends_a_child_ends_all_that_waits_for_it() {
    run(async {
        for signal in [SIGKILL, SIGTERM, SIGSEGV, SIGABRT] {
            let (mut child, mut stdin, mut stdout) = idler().await;
            let data = vec![0; MUCH];
            let mut rest = &data[..];
            let mut sending = Box::pin(stdin.send_rest(&mut rest));
            let mut buf = [0; 8];
            let mut receiving = Box::pin(stdout.receive_some(&mut buf));
            begin(&mut sending).await;
            begin(&mut receiving).await;
            begin(&mut Box::pin(child.wait())).await;
            let waiting = async {
                child.signal(signal).expect("it is ours");
                child.wait().await
            };
            let (sent, received, status) =
                join3(sending.as_mut(), receiving.as_mut(), waiting).await;
            assert_broken(&sent.expect_err("nobody reads"), &[ErrorKind::BrokenPipe]);
            assert_eq!(received.expect("the end"), 0);
            let status = status.expect("it ends");
            assert_eq!((status.code(), status.signal()), (None, Some(signal)));
            assert!(!status.core_dumped());
            drop((sending, receiving));

            assert!(!rest.is_empty() && rest.len() < MUCH);
            for _ in 0..2 {
                let error = stdin.send_all(b"x").await.expect_err("it stays so");
                assert_broken(&error, &[ErrorKind::BrokenPipe]);
                let end = stdout.receive_some(&mut [0; 8]).await;
                assert_eq!(end.expect("still the end"), 0);
                assert_eq!(child.wait().await.expect("it has ended"), status);
                assert_eq!(child.try_wait().expect("it has ended"), Some(status));
            }
            stdin.close().await.expect("nobody to tell");
            stdout.close().await.expect("nobody to tell");
        }
    });
}

/// What it had written is there, up to where it was killed, whether it was waited for before or not.
#[test]
fn the_last_words_of_a_killed_child_arrive_after_it_was_waited_for_too() {
    run(async {
        let mut child = shell("printf 'last words'; printf why >&2; kill -9 $$; echo never");
        let status = child.wait().await.expect("it ends");
        assert_eq!(status.signal(), Some(SIGKILL));
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        let said = join(receive_all(stdout), receive_all(stderr)).await;
        assert_eq!(said, ("last words".to_owned(), "why".to_owned()));

        let child = shell("printf 'last words'; printf why >&2; kill -9 $$; echo never");
        let output = child.wait_with_output().await.expect("it ends");
        assert_eq!(output.status.signal(), Some(SIGKILL));
        assert_eq!(
            (&*output.stdout, &*output.stderr),
            (&b"last words"[..], &b"why"[..])
        );
    });
}

/// The state of a process in a letter: `T` is stopped, `Z` a zombie.
#[cfg(target_os = "linux")]
async fn until_state(child: &Child, is_wanted: impl Fn(char) -> bool) {
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id()));
        let stat = stat.expect("a process");
        let (_, stat) = stat.rsplit_once(") ").expect("a state");
        if stat.starts_with(&is_wanted) {
            return;
        }
        turn().await;
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_that_is_stopped_has_not_ended_and_goes_on_when_it_is_continued() {
    run(async {
        let mut child = shell("exec cat");
        let mut stdin = child.stdin.take().expect("it is piped");
        let mut stdout = child.stdout.take().expect("it is piped");
        let mut buf = [0; 16];
        for _ in 0..3 {
            let mut waiting = Box::pin(child.wait());
            begin(&mut waiting).await;
            drop(waiting);
            child.signal(SIGSTOP).expect("it is ours");
            until_state(&child, |state| state == 'T').await;
            stdin.send_all(b"meow").await.expect("there is room");
            let mut receiving = Box::pin(stdout.receive_some(&mut buf));
            let mut waiting = Box::pin(child.wait());
            for _ in 0..5 {
                turn().await;
                assert!(
                    (&mut waiting).now_or_never().is_none(),
                    "it has only stopped"
                );
                assert!((&mut receiving).now_or_never().is_none(), "it has stopped");
            }
            drop(waiting);
            assert_eq!(child.try_wait().expect("no failure"), None);
            child.signal(SIGCONT).expect("it is ours");
            assert_eq!(receiving.await.expect("it goes on"), 4);
            assert_eq!(child.try_wait().expect("no failure"), None);
        }
        stdin.close().await.expect("closes");
        assert!(child.wait().await.expect("it ends").success());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_stopped_child_can_be_killed_or_dropped() {
    run(async {
        let (mut child, _stdin, mut stdout) = idler().await;
        child.signal(SIGSTOP).expect("it is ours");
        until_state(&child, |state| state == 'T').await;
        child.signal(SIGTERM).expect("it is ours");
        // Whoever is stopped notices that when it is continued.
        for _ in 0..5 {
            turn().await;
            assert_eq!(child.try_wait().expect("no failure"), None);
        }
        child.signal(SIGCONT).expect("it is ours");
        let status = child.wait().await.expect("it ends");
        assert_eq!(status.signal(), Some(SIGTERM));
        assert_eq!(stdout.receive_some(&mut [0; 8]).await.expect("the end"), 0);

        let (mut child, _stdin, mut stdout) = idler().await;
        child.signal(SIGSTOP).expect("it is ours");
        until_state(&child, |state| state == 'T').await;
        child.kill().expect("it is ours");
        let status = child.wait().await.expect("it ends");
        assert_eq!(status.signal(), Some(SIGKILL));
        assert_eq!(stdout.receive_some(&mut [0; 8]).await.expect("the end"), 0);

        let (mut child, _stdin, mut stdout) = idler().await;
        child.signal(SIGSTOP).expect("it is ours");
        until_state(&child, |state| state == 'T').await;
        let id = child.id();
        drop(child);
        assert_eq!(stdout.receive_some(&mut [0; 8]).await.expect("the end"), 0);
        while std::fs::exists(format!("/proc/{id}")).expect("a file system") {
            turn().await;
        }
    });
}

/// As some that start programs have it: then the system keeps nothing of a child that ends.
#[cfg(target_os = "linux")]
#[test]
fn where_the_end_of_children_is_ignored_a_wait_fails_and_does_not_hang() {
    const NAME: &str =
        "faults::killed::where_the_end_of_children_is_ignored_a_wait_fails_and_does_not_hang";
    const MARK: &str = "TACKET_CHILDREN_IGNORED";
    if std::env::var_os(MARK).is_none() {
        let mut alone = Command::new("env");
        alone.arg("--ignore-signal=CHLD");
        alone.arg(std::env::current_exe().expect("a test"));
        alone.args(["--exact", NAME, "--nocapture"]);
        let ended = alone.env(MARK, "1").output().expect("it starts");
        return assert_passed(&ended);
    }
    run(async {
        let (mut child, mut stdin, mut stdout) = idler().await;
        begin(&mut Box::pin(child.wait())).await;
        assert_eq!(child.try_wait().expect("no failure"), None);
        child.kill().expect("it is ours");
        for _ in 0..2 {
            let error = child.wait().await.expect_err("nobody knows how it ended");
            assert_eq!(error.fault(), Fault::Other);
            let cause = error.io_error().expect("the system's word");
            assert_eq!(cause.raw_os_error(), Some(10)); // ECHILD
        }
        assert_eq!(stdout.receive_some(&mut [0; 8]).await.expect("the end"), 0);
        let error = stdin.send_all(b"x").await.expect_err("nobody reads");
        assert_broken(&error, &[ErrorKind::BrokenPipe]);
        drop(child);
        drop(idler().await);
    });
}
