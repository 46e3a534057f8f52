//! `thermostat` as its users start it: one in a process of its own, and others that ask it.

#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

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
