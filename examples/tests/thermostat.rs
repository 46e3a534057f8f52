//! `thermostat` as its users start it: one in a process of its own, and others that ask it.

#![cfg(unix)]

use core::cell::Cell;
use core::future::poll_fn;
use core::net::{Ipv4Addr, SocketAddr};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::thread;

use futures_util::future::{Either, select};
use tacket::{LocalAddress as _, timeout};
use tacket_examples::telemetry::datagrams::serve;
use tacket_examples::telemetry::{Served, Thermostat as Device};
use tacket_std::{MonotonicClock, UdpSocket};
use tacket_tls::{DtlsChannel, DtlsEndpoint, DtlsIdentity, DtlsServerConfig};

/// For what takes a second or two.
const LIMIT: Duration = Duration::from_secs(30);
/// A thermostat that is told nothing waits for longer than any test.
const SILENCE: Duration = Duration::from_secs(3600);

const OTHER: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// One that serves, killed if the test fails.
struct Thermostat {
    process: Child,
    says: BufReader<ChildStderr>,
    address: String,
    certificate: String,
}

impl Drop for Thermostat {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Thermostat {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thermostat"));
        let process = command.arg("serve").stderr(Stdio::piped()).spawn();
        let mut process = process.expect("it starts");
        let mut says = BufReader::new(process.stderr.take().expect("it is piped"));
        let mut first = String::new();
        says.read_line(&mut first).expect("a line");
        let first = first.trim().strip_prefix("listening on ");
        let (address, certificate) = first
            .and_then(|first| first.split_once(", certificate "))
            .expect("where it is, and who");
        Self {
            process,
            says,
            address: address.to_owned(),
            certificate: certificate.to_owned(),
        }
    }

    fn ask(&self, options: &[&str]) -> Output {
        self.ask_as(&self.certificate, options)
    }

    fn ask_as(&self, certificate: &str, options: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thermostat"));
        command
            .args(["ask", &self.address, certificate])
            .args(options);
        command.output().expect("it starts")
    }

    /// Stops it gracefully. Returns its last words.
    fn stop(mut self) -> String {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        assert!(sent.expect("a signal is sent").success());
        assert!(self.process.wait().expect("it ends").success());
        let mut last = String::new();
        self.says.read_to_string(&mut last).expect("text");
        last
    }
}

fn lines(output: &Output) -> Vec<&str> {
    assert!(output.status.success(), "{output:?}");
    str::from_utf8(&output.stdout)
        .expect("text")
        .lines()
        .collect()
}

#[test]
fn it_answers_one_client_after_the_other_and_keeps_what_was_set() {
    let thermostat = Thermostat::start();
    let output = thermostat.ask(&[]);
    let [temperature, setpoint] = lines(&output)[..] else {
        panic!("{output:?}");
    };
    assert_eq!(temperature, "temperature 17.001");
    assert_eq!(setpoint, "setpoint 20.000, from 5.000 to 30.000");
    let output = thermostat.ask(&["--set", "21.5", "--samples", "3"]);
    let said = lines(&output);
    assert_eq!(said[1], "setpoint 21.500, from 5.000 to 30.000");
    assert!(said[2..].iter().all(|line| line.starts_with("sample ")));
    assert!((3..=5).contains(&said.len()), "{said:?}");
    let output = thermostat.ask(&[]);
    assert_eq!(lines(&output)[1], "setpoint 21.500, from 5.000 to 30.000");
    assert_eq!(thermostat.stop(), "served 3 clients\n");
}

#[test]
fn what_it_refuses_is_said_and_is_a_failure() {
    let thermostat = Thermostat::start();
    let output = thermostat.ask(&["--set", "99"]);
    assert!(!output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "refused: the value is out of range\n");
}

#[test]
fn nobody_else_is_taken_for_it() {
    let thermostat = Thermostat::start();
    let output = thermostat.ask_as(OTHER, &[]);
    assert!(!output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("not trusted"), "{said}");
    // It goes on.
    assert_eq!(lines(&thermostat.ask(&[])).len(), 2);
}

/// Has one asked by `asking`, which gets its address and the fingerprint of its certificate. Returns how that went, at the end of the session.
fn while_asked(asking: fn(&str, &str) -> Output) -> (Served, Output) {
    let made = rcgen::generate_simple_self_signed(["thermostat.example".to_owned()]);
    let made = made.expect("a certificate");
    let identity = DtlsIdentity::from_pem(made.cert.pem(), made.signing_key.serialize_pem());
    let identity = identity.expect("an identity");
    let certificate = identity.fingerprint().to_string();
    let serving = async {
        let clock = MonotonicClock::new();
        let socket = UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let socket = socket.expect("a socket");
        let address = socket.local_addr().expect("an address").to_string();
        let endpoint = DtlsEndpoint::new(socket, MonotonicClock::new()).expect("an endpoint");
        let asking = thread::spawn(move || asking(&address, &certificate));
        let ended = Cell::new(None);
        let handler = async |channel: DtlsChannel<UdpSocket>| {
            let served = Box::pin(serve(channel, &mut Device::new(), &clock, SILENCE)).await;
            ended.set(Some(served));
            Ok::<_, core::convert::Infallible>(())
        };
        let config = DtlsServerConfig::new(identity);
        let end = poll_fn(|_| match ended.take() {
            Some(served) => Poll::Ready(served),
            None => Poll::Pending,
        });
        let serving = pin!(endpoint.serve(&config, 1, handler));
        let served = match timeout(&clock, LIMIT, select(serving, end)).await {
            Ok(Either::Right((served, _))) => served,
            Ok(Either::Left(_)) => panic!("it serves no more"),
            Err(late) => panic!("the thermostat was not told the end: {late}"),
        };
        (served, asking)
    };
    let (served, asking) = tacket_std::run(Box::pin(serving)).expect("it runs");
    (served.expect("served"), asking.join().expect("asked"))
}

/// Starts to ask.
fn ask(address: &str, certificate: &str, options: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thermostat"));
    command.args(["ask", address, certificate]).args(options);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

#[test]
fn one_that_refuses_is_told_the_end_all_the_same() {
    let (served, output) = while_asked(|address, certificate| {
        let asking = ask(address, certificate, &["--set", "99"]);
        asking.wait_with_output().expect("it ends")
    });
    assert_eq!((served.requests, served.samples), (1, 0));
    assert!(!output.status.success(), "{output:?}");
}

/// Starts to ask for many samples. Returns what it prints after the readings, too.
fn watch(address: &str, certificate: &str) -> (Child, impl Iterator<Item = io::Result<String>>) {
    let mut asking = ask(address, certificate, &["--samples", "60000"]);
    let out = asking.stdout.take().expect("it is piped");
    (asking, BufReader::new(out).lines().skip(2))
}

#[test]
fn one_whose_watcher_is_stopped_is_told_the_end_too() {
    let (served, output) = while_asked(|address, certificate| {
        let (asking, mut lines) = watch(address, certificate);
        lines.next().expect("a sample").expect("text");
        let id = asking.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status();
        assert!(sent.expect("a signal is sent").success());
        asking.wait_with_output().expect("it ends")
    });
    assert!(served.samples > 0);
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "stopped\n");
}

#[test]
fn one_whose_watcher_has_no_reader_any_more_is_told_the_end_as_well() {
    let (served, output) = while_asked(|address, certificate| {
        let (asking, mut lines) = watch(address, certificate);
        lines.next().expect("a sample").expect("text");
        drop(lines);
        asking.wait_with_output().expect("it ends")
    });
    assert!(served.samples > 0);
    // It has seen enough.
    assert!(output.status.success(), "{output:?}");
}
