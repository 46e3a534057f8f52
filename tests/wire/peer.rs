//! Starting the foreign peers and our own side, both with a bound on their time: a hang is a failure.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};

use serde_json::Value;
use tacket::{Listener as _, LocalAddress as _};
use tacket_std::{TcpListener, TcpStream};

/// The bound on each wait. A peer that is left alone ends itself a little earlier.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
const LIMIT_OF_PEERS: &str = "--timeout=50";

/// A peer script at work. Dropping it kills it.
pub(crate) struct Peer {
    process: Child,
    lines: Receiver<String>,
    command: String,
}

impl Peer {
    /// Starts `script` with `arguments`.
    pub(crate) fn start(script: &str, arguments: &[&str]) -> Self {
        let command = format!("{script} {}", arguments.join(" "));
        let mut process = Command::new(python())
            .arg(tests().join("wire/peers").join(script))
            .args(arguments)
            // Where `arguments` have a bound of their own, that one holds.
            .args((!command.contains("--timeout")).then_some(LIMIT_OF_PEERS))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command}: {error}"));
        let output = process.stdout.take().expect("the output is a pipe");
        let (tell, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            process,
            lines,
            command,
        }
    }

    /// Waits for the peer's next report.
    pub(crate) fn report(&self) -> Value {
        let line = match self.lines.recv_timeout(LIMIT) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("{}: it says nothing", self.command),
            Err(RecvTimeoutError::Disconnected) => panic!("{}: it has ended", self.command),
        };
        serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{}: {line}: {error}", self.command))
    }

    /// Waits until a server is ready, and returns its port.
    pub(crate) fn port(&self) -> u16 {
        let ready = self.report();
        assert_eq!(field(&ready, "event"), "ready", "{}: {ready}", self.command);
        let port = field(&ready, "port").as_u64();
        port.and_then(|port| port.try_into().ok())
            .unwrap_or_else(|| panic!("{}: no port: {ready}", self.command))
    }

    /// Waits for the end, and returns the last report. Every check of the peer must have held.
    pub(crate) fn finish(mut self) -> Value {
        let done = loop {
            let report = self.report();
            if field(&report, "event") == "done" {
                break report;
            }
        };
        assert_eq!(field(&done, "ok"), true, "{}: {done}", self.command);
        let status = self.process.wait().expect("the peer's status");
        assert!(status.success(), "{}: {status}", self.command);
        done
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Both fail only where it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A field of a report, `null` where it has none of that name.
pub(crate) fn field<'v>(report: &'v Value, name: &str) -> &'v Value {
    report.get(name).unwrap_or(&Value::Null)
}

/// What a server reports of the one connection it served.
pub(crate) fn connection(done: &Value) -> &Value {
    let connections = field(done, "connections").as_array();
    match connections.map(Vec::as_slice) {
        Some([connection]) => connection,
        _ => panic!("not one connection: {done}"),
    }
}

/// Our side of a scenario, on a thread of its own, so that it is bounded even if it hangs outside of any future.
pub(crate) struct Ours {
    ended: Receiver<()>,
    thread: JoinHandle<()>,
}

impl Ours {
    /// Starts `side`.
    pub(crate) fn start(side: impl FnOnce() + Send + 'static) -> Self {
        let (end, ended) = mpsc::channel();
        let thread = thread::spawn(move || {
            let _end = end;
            side();
        });
        Self { ended, thread }
    }

    /// Starts `side` with the next connection to a port, and returns that port.
    pub(crate) fn serve(side: impl AsyncFnOnce(TcpStream) + Send + 'static) -> (Self, u16) {
        let (tell, told) = mpsc::channel();
        let ours = Self::start(move || {
            let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let served = tacket_std::run(async {
                let mut listener = TcpListener::bind(any_port).expect("a free port");
                let address = listener.local_addr().expect("its address");
                tell.send(address.port()).expect("somebody listens");
                side(listener.accept().await.expect("a connection")).await;
            });
            served.expect("an event loop");
        });
        (ours, told.recv().expect("our side listens"))
    }

    /// Waits for its end, and fails as it failed.
    pub(crate) fn finish(self) {
        // Nothing is ever sent: the channel ends together with the thread.
        if self.ended.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            panic!("our side hangs");
        }
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

/// The Python that has what the peers import.
fn python() -> PathBuf {
    let python = std::env::var_os("TACKET_PYTHON")
        .map_or_else(|| tests().join("../.venv/bin/python3"), PathBuf::from);
    assert!(
        python.exists(),
        "the peers need Python packages and {} is not there: run `bash tests/run --setup` once",
        python.display()
    );
    python
}

fn tests() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
