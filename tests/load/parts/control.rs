//! What the test says to this process, and hears from it.

use std::io::{self, Write as _};

use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use tacket::ReceiveStream as _;
use tacket_std::{IoError, PipeReceiveStream};

/// The commands of the test, a line each.
#[derive(Debug)]
pub(crate) struct Commands {
    stdin: PipeReceiveStream,
    received: Vec<u8>,
}

impl Commands {
    pub(crate) fn new() -> Result<Self, IoError> {
        Ok(Self {
            stdin: PipeReceiveStream::from_stdin()?,
            received: Vec::new(),
        })
    }

    /// The next one; `None` when there will be no more.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, IoError> {
        loop {
            let end = self.received.iter().position(|byte| *byte == b'\n');
            if let Some(end) = end {
                let rest = self.received.split_off(end + 1);
                let line = core::mem::replace(&mut self.received, rest);
                return Ok(Some(String::from_utf8_lossy(&line).trim().to_owned()));
            }
            let mut buf = [0; 64];
            match self.stdin.receive_some(&mut buf).await? {
                0 => return Ok(None),
                count => self.received.extend(&buf[..count]),
            }
        }
    }
}

/// Answers the test.
pub(crate) fn say(answer: &Value) {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{answer}").expect("the test listens");
    stdout.flush().expect("the test listens");
}

/// The processor time that this process has used, in seconds.
pub(crate) fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
