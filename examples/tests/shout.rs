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

use embedded_io_async::ReadExactError;
use futures_util::future::join;
use tacket::{
    AsyncResource as _, Clock as _, Delimited, Error as _, Fault, MessageReceiver,
    ReceiveStream as _, SendStream as _, Split as _, timeout,
};
use tacket_std::{Child, IoError, MonotonicClock, PipeReceiveStream, TcpStream};

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;
#[cfg(target_os = "linux")]
const SIGCONT: i32 = 18;
#[cfg(target_os = "linux")]
const SIGSTOP: i32 = 19;

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

/// The answer, and the rest of the question, are on their way.
#[test]
fn whoever_is_in_the_midst_of_a_long_line_is_served_to_its_end() {
    const LENGTH: usize = 8 << 20;
    run(async {
        let mut shout = Shout::start(&["--grace", "50"]).await;
        let mut client = shout.connect().await;
        let mut question = vec![b'x'; LENGTH];
        question.push(b'\n');
        let (mut tx, mut rx) = client.split();
        let mut heard = vec![0; 1 << 16];
        let answered = async {
            let mut count = 0;
            while count <= LENGTH {
                let some = rx.receive_some(&mut heard).await.expect("an answer");
                assert_ne!(some, 0, "cut short after {count} bytes");
                assert!(heard[..some].iter().all(|byte| b"X\n".contains(byte)));
                let is_first = count == 0;
                count += some;
                if is_first {
                    shout.stop_by(SIGINT).await;
                    while !is_refused(shout.address).await {}
                    assert_eq!(shout.process.try_wait().expect("no failure"), None);
                }
            }
            count
        };
        let (sent, count) = join(tx.send_all(&question), answered).await;
        sent.expect("it listens");
        assert_eq!(count, LENGTH + 1);
        hear_end(client).await;

        let (last, status) = shout.end().await;
        assert_eq!(last, "served 1, cut short 0");
        assert_eq!(status.code(), Some(0));
    });
}

/// Whoever had asked before the stop is answered. If the server had not even accepted them, they may be lost, but never sent
/// away without an answer.
#[cfg(target_os = "linux")]
#[test]
fn a_question_that_came_before_the_stop_is_answered_though_it_was_not_looked_at() {
    run(async {
        let mut shout = Shout::start(&[]).await;
        let mut known = shout.connect().await;
        ask(&mut known, "hello\n", "HELLO\n").await;
        shout.process.signal(SIGSTOP).expect("it is ours");
        let stat = format!("/proc/{}/stat", shout.process.id());
        while !std::fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T ")) {
            let clock = MonotonicClock::new();
            let later = clock.now() + Duration::from_millis(1);
            clock.sleep_until(later).await;
        }
        known.send_all(b"still there?\n").await.expect("room");
        let mut unknown = Vec::new();
        for question in ["", "hello\n", "good day\n"] {
            let mut client = shout.connect().await;
            client.send_all(question.as_bytes()).await.expect("room");
            unknown.push((client, question.to_uppercase()));
        }
        shout.process.signal(SIGINT).expect("it is ours");
        shout.stop_by(SIGCONT).await;
        hear(&mut known, "STILL THERE?\n").await;
        hear_end(known).await;
        for (mut client, answer) in unknown {
            let mut heard = vec![0; answer.len() + 1];
            let reading = embedded_io_async::Read::read_exact(&mut client, &mut heard).await;
            match reading.expect_err("no more than an answer") {
                ReadExactError::UnexpectedEof => {
                    assert_eq!(&heard[..answer.len()], answer.as_bytes());
                }
                ReadExactError::Other(error) => assert_eq!(error.fault(), Fault::Broken),
            }
        }
        let (last, status) = shout.end().await;
        assert!(last.ends_with("cut short 0"), "{last}");
        assert_eq!(status.code(), Some(0));
    });
}

/// The keys, as the terminal gets them: it makes signals of them, for the program in the foreground.
#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_is_a_key_of_a_terminal() {
    run(async {
        for keys in [1, 2] {
            let mut script = Command::new("script"); // has a terminal, and passes everything on
            script.args(["--quiet", "--flush", "--return", "--command"]);
            script.args([concat!("exec ", env!("CARGO_BIN_EXE_shout")), "/dev/null"]);
            script.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut terminal = match Child::spawn(&mut script) {
                Ok(terminal) => terminal,
                Err(error) => return eprintln!("this was not tried: {error}"),
            };
            let mut keyboard = terminal.stdin.take().expect("it is piped");
            let says = terminal.stdout.take().expect("it is piped");
            let mut says = MessageReceiver::new(says, Delimited(b'\n'));
            let first = line(&mut says).await;
            let address = first.trim().strip_prefix("listening on ");
            let address: SocketAddr = address.expect("an address").parse().expect("an address");
            let mut client = TcpStream::connect(address).await.expect("connects");
            ask(&mut client, "hel", "HEL").await;
            keyboard.send_all(b"\x03").await.expect("it reads");
            let stopping = line(&mut says).await;
            assert!(stopping.trim().ends_with("stopping"), "{stopping}"); // after the echo of the key
            if keys == 2 {
                keyboard.send_all(b"\x03").await.expect("it reads");
                // The system closes what it had, and its clients cannot tell that from an end.
                assert!(!matches!(client.receive_some(&mut [0; 8]).await, Ok(1..)));
                let status = terminal.wait().await.expect("it ends");
                assert_eq!(status.code(), Some(128 + SIGINT));
            } else {
                ask(&mut client, "lo\n", "LO\n").await;
                hear_end(client).await;
                assert_eq!(line(&mut says).await.trim(), "served 1, cut short 0");
                let status = terminal.wait().await.expect("it ends");
                assert_eq!(status.code(), Some(0));
            }
        }
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
