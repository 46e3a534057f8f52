//! What fails outside the program: each failure ends in the documented error, and nothing hangs.

mod backlog;
mod conversation;
mod forks;
mod full_disk;
mod killed;
mod meanwhile;
mod resets;
#[cfg(target_os = "linux")]
mod resolver;

use std::process::{Command, Stdio};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::poll_fn;
use tacket::{Clock as _, ReceiveStream};
use tacket_std::{Child, IoError, MonotonicClock};

use crate::limited::run;

/// Waits while the loop of this thread turns at least once.
async fn turn() {
    let clock = MonotonicClock::new();
    clock
        .sleep_until(clock.now() + Duration::from_millis(1))
        .await;
}

/// Polls `future` for the first time, and asserts that it waits.
async fn begin<F: Future<Output: std::fmt::Debug> + Unpin>(future: &mut F) {
    poll_fn(|cx| match std::pin::Pin::new(&mut *future).poll(cx) {
        Poll::Ready(output) => panic!("it does not wait: {output:?}"),
        Poll::Pending => Poll::Ready(()),
    })
    .await;
}

/// A shell with pipes for all that it says and hears.
fn shell(script: &str) -> Child {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).env("LC_ALL", "C");
    shell.stdin(Stdio::piped()).stdout(Stdio::piped());
    Child::spawn(shell.stderr(Stdio::piped())).expect("a child")
}

async fn receive_all(mut stream: impl ReceiveStream<Error = IoError>) -> String {
    let (mut all, mut buf) = (Vec::new(), [0; 4096]);
    loop {
        match stream.receive_some(&mut buf).await.expect("no failure") {
            0 => return String::from_utf8(all).expect("text"),
            count => all.extend_from_slice(&buf[..count]),
        }
    }
}
