//! The emulator's monitor, QMP: JSON, line by line, over a socket.

use core::time::Duration;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use crate::HilError;

const LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Monitor {
    socket: BufReader<UnixStream>,
}

impl Monitor {
    /// Connects to the monitor at `path`, which may be just about to come up, unless the emulator `is_gone`.
    pub(crate) fn connect(path: &Path, is_gone: impl Fn() -> bool) -> Result<Self, HilError> {
        let deadline = Instant::now() + LIMIT;
        let socket = loop {
            match UnixStream::connect(path) {
                Ok(socket) => break socket,
                Err(_) if Instant::now() < deadline && !is_gone() => {
                    thread::sleep(Duration::from_millis(2))
                }
                Err(error) => {
                    return Err(HilError::system("reaching the emulator's monitor")(error));
                }
            }
        };
        socket
            .set_read_timeout(Some(LIMIT))
            .map_err(HilError::system("setting up the emulator's monitor"))?;
        let mut monitor = Self {
            socket: BufReader::new(socket),
        };
        monitor.execute("qmp_capabilities", json!({}))?;
        Ok(monitor)
    }

    /// Executes a command, and returns what it returns.
    pub(crate) fn execute(&mut self, command: &str, arguments: Value) -> Result<Value, HilError> {
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(self.socket.get_mut(), "{request}").map_err(failed(command))?;
        loop {
            let mut line = String::new();
            if self.socket.read_line(&mut line).map_err(failed(command))? == 0 {
                return Err(HilError::Monitor(format!("it went away at {command}")));
            }
            // Other lines are the greeting and events.
            let mut answer: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.get("error") {
                let reason = error
                    .get("desc")
                    .and_then(Value::as_str)
                    .unwrap_or("no reason");
                return Err(HilError::Monitor(format!("{command}: {reason}")));
            }
        }
    }
}

fn failed(command: &str) -> impl FnOnce(std::io::Error) -> HilError {
    HilError::system(format!("asking the emulator's monitor for {command}"))
}
