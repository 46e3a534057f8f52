//! `shout` as its users start and stop it.

#![cfg(unix)]
#![allow(
    clippy::large_futures,
    reason = "a desktop program has the stack for them"
)]

use core::net::SocketAddr;
use core::time::Duration;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus, Stdio};

use tacket::{
    AsyncResource as _, Delimited, Error as _, Fault, MessageReceiver, ReceiveStream as _,
    SendStream as _, timeout,
};
use tacket_std::{Child, IoError, MonotonicClock, PipeReceiveStream, TcpStream};

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// Runs `test`, which ends within a minute, or fails.
fn run(test: impl Future<Output = ()>) {
    let clock = MonotonicClock::new();
    let limited = timeout(&clock, Duration::from_secs(60), test);
    let ended = tacket_std::run(limited).expect("an event loop");
    ended.expect("it ends");
}

/// The server, in a process of its own.
struct Shout {
    process: Child,
    says: MessageReceiver<PipeReceiveStream, Delimited, 256>,
    address: SocketAddr,
}

impl Shout {
    async fn start(options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shout"));
        let mut process =
            Child::spawn(command.args(options).stderr(Stdio::piped())).expect("it starts");
        let says = process.stderr.take().expect("it is piped");
        let mut says = MessageReceiver::new(says, Delimited(b'\n'));
        let first = line(&mut says).await;
        let address = first.strip_prefix("listening on ").expect("an address");
        Self {
            process,
            says,
            address: address.parse().expect("an address"),
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connects")
    }

    /// Sends a signal, and waits until the server says that it stops.
    async fn stop_by(&mut self, signal: i32) {
        self.process.signal(signal).expect("it is ours");
        assert_eq!(line(&mut self.says).await, "stopping");
    }

    /// Waits until it ends. Returns the last that it said, and how it ended.
    async fn end(mut self) -> (String, ExitStatus) {
        let last = line(&mut self.says).await;
        let status = self.process.wait().await.expect("it ends");
        (last, status)
    }
}

async fn line(says: &mut MessageReceiver<PipeReceiveStream, Delimited, 256>) -> String {
    let said = says.receive().await.expect("a line").expect("a line");
    String::from_utf8(said.to_vec()).expect("text")
}

async fn ask(client: &mut TcpStream, question: &str, answer: &str) {
    client.send_all(question.as_bytes()).await.expect("sends");
    hear(client, answer).await;
}

async fn hear(client: &mut TcpStream, answer: &str) {
    let mut heard = vec![0; answer.len()];
    let reading = embedded_io_async::Read::read_exact(client, &mut heard);
    reading.await.expect("an answer");
    assert_eq!(heard, answer.as_bytes());
}

async fn hear_end(mut client: TcpStream) {
    let count = client.receive_some(&mut [0; 8]).await.expect("an end");
    assert_eq!(count, 0);
    client.close().await.expect("closes");
}

/// Whether nobody listens there.
async fn is_refused(address: SocketAddr) -> bool {
    let refused = TcpStream::connect(address).await.err();
    let cause = refused.as_ref().and_then(IoError::io_error);
    cause.is_some_and(|cause| cause.kind() == ErrorKind::ConnectionRefused)
}

#[test]
fn ctrl_c_drains_the_server_which_then_ends_with_success() {
    run(async {
        let mut shout = Shout::start(&[]).await;
        let (silent, mut idle, mut busy) = (
            shout.connect().await,
            shout.connect().await,
            shout.connect().await,
        );
        ask(&mut idle, "hello\nyou\n", "HELLO\nYOU\n").await;
        ask(&mut busy, "good day\nhow are", "GOOD DAY\nHOW ARE").await;

        shout.stop_by(SIGINT).await;
        // Who asks nothing is sent away, who comes now is not let in, and who has begun may finish.
        hear_end(silent).await;
        hear_end(idle).await;
        while !is_refused(shout.address).await {
            // It says that it stops a moment before it closes its listener.
        }
        ask(&mut busy, " you", " YOU").await;
        assert_eq!(shout.process.try_wait().expect("no failure"), None);
        ask(&mut busy, "?\n", "?\n").await;
        hear_end(busy).await;

        let (last, status) = shout.end().await;
        assert_eq!(last, "served 3, cut short 0");
        assert_eq!(status.code(), Some(0));
    });
}

#[test]
fn a_service_manager_stops_it_the_same_way() {
    run(async {
        let mut shout = Shout::start(&["[::1]:0"]).await;
        assert!(shout.address.is_ipv6());
        shout.stop_by(SIGTERM).await;
        let (last, status) = shout.end().await;
        assert_eq!(last, "served 0, cut short 0");
        assert_eq!(status.code(), Some(0));
    });
}

#[test]
fn who_takes_too_long_is_cut_short_and_can_tell() {
    run(async {
        let mut shout = Shout::start(&["--grace", "0.05"]).await;
        let mut slow = shout.connect().await;
        ask(&mut slow, "er", "ER").await;
        shout.stop_by(SIGINT).await;
        let cut = slow.receive_some(&mut [0; 8]).await;
        assert_eq!(cut.expect_err("no end").fault(), Fault::Broken);
        let (last, status) = shout.end().await;
        assert_eq!(last, "served 0, cut short 1");
        assert_eq!(status.code(), Some(0));
    });
}

#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    run(async {
        let mut shout = Shout::start(&["--grace", "1000"]).await;
        let mut slow = shout.connect().await;
        ask(&mut slow, "er", "ER").await;
        shout.stop_by(SIGINT).await;
        shout.process.signal(SIGINT).expect("it is ours");
        let status = shout.process.wait().await.expect("it ends");
        assert_eq!(status.signal(), Some(SIGINT));
    });
}

#[test]
fn an_address_that_is_in_use_is_a_failure_and_named() {
    run(async {
        let shout = Shout::start(&[]).await;
        let address = shout.address.to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_shout"));
        let mut other = Child::spawn(command.arg(&address).stderr(Stdio::piped())).expect("starts");
        let says = other.stderr.take().expect("it is piped");
        let complaint = line(&mut MessageReceiver::new(says, Delimited(b'\n'))).await;
        assert!(complaint.contains(&address), "{complaint}");
        assert_eq!(other.wait().await.expect("it ends").code(), Some(1));
    });
}
