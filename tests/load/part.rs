//! The process of one end. It lives no longer than its handle.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use serde_json::Value;

/// How long an answer takes at most.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long something takes at most that is asked for again and again,
const LONG_PATIENCE: Duration = Duration::from_secs(90);
/// and how often it is.
const PAUSE: Duration = Duration::from_millis(10);

/// Has the allocator give back what is free. Left alone it keeps small pieces, and with them the memory of all that was ever there at once.
const KEEP_NOTHING: &str = "glibc.malloc.mxfast=0:glibc.malloc.tcache_count=0";

#[derive(Debug)]
pub(crate) struct Part {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    words: Vec<String>,
}

impl Part {
    /// A server, and where it listens.
    pub(crate) fn server() -> (Self, String) {
        let server = Self::start(vec!["server".to_owned()]);
        let listening = server.hear(PATIENCE);
        let address = listening.get("listening").and_then(Value::as_str);
        let address = address.expect("where it listens").to_owned();
        (server, address)
    }

    /// Clients of the server at `address`: so many at a time, for so long once they may [go](Self::go). The longest wait of each is `pause`.
    pub(crate) fn clients(
        address: &str,
        connections: u64,
        time: Duration,
        pause: Duration,
        seed: u64,
    ) -> Self {
        Self::start(vec![
            "clients".to_owned(),
            format!("--address={address}"),
            format!("--connections={connections}"),
            format!("--millis={}", time.as_millis()),
            format!("--pause={}", pause.as_millis()),
            format!("--seed={seed}"),
        ])
    }

    /// Clients of the server of DTLS at `address`: so many, each at a socket of its own. With a certificate to trust, or with a key.
    pub(crate) fn fleet(
        address: SocketAddr,
        clients: u64,
        pinned: Option<String>,
        is_13: bool,
    ) -> Self {
        let mut words = vec![
            "dtls-clients".to_owned(),
            format!("--address={address}"),
            format!("--clients={clients}"),
        ];
        words.extend(pinned.map(|pinned| format!("--pinned={pinned}")));
        words.extend(is_13.then(|| "--dtls13".to_owned()));
        Self::start(words)
    }

    fn start(words: Vec<String>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_load_part"))
            .args(&words)
            .env("GLIBC_TUNABLES", KEEP_NOTHING)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            stdin,
            lines,
            words,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn tell(&mut self, command: &str) {
        writeln!(self.stdin, "{command}").unwrap_or_else(|error| panic!("{self:?}: {error}"));
    }

    /// The next thing that it says.
    pub(crate) fn hear(&self, patience: Duration) -> Value {
        let line = self.lines.recv_timeout(patience);
        let line = line.unwrap_or_else(|error| panic!("{:?}: {error}", self.words));
        serde_json::from_str(&line).expect("an object a line")
    }

    /// What it says to `command`.
    pub(crate) fn ask(&mut self, command: &str) -> Value {
        self.tell(command);
        self.hear(PATIENCE)
    }

    /// What it says to `command` once that is what is `wanted`.
    pub(crate) fn ask_until(&mut self, command: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let said = self.ask(command);
            if wanted(&said) {
                return said;
            }
            let waited = start.elapsed();
            assert!(waited < LONG_PATIENCE, "{:?} still says {said}", self.words);
            thread::sleep(PAUSE);
        }
    }

    /// Has it do `command`, which takes `time`, and end; returns what it says at last.
    pub(crate) fn end(mut self, command: &str, time: Duration) -> Value {
        self.tell(command);
        let said = self.hear(time + LONG_PATIENCE);
        let status = self.child.wait().expect("it is ours");
        assert!(status.success(), "{:?}: {status}: {said}", self.words);
        said
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It fails only for what has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
