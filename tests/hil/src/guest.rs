//! A guest that runs.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::boot::{CAPTURE, MONITOR};
use crate::console::{Console, NoLine, after};
use crate::error::Trace;
use crate::leash::Leash;
use crate::monitor::Monitor;
use crate::{HilError, instructions};

/// What the emulator says when a port is not to be had.
const PORT_IN_USE: &str = "Could not set up host forwarding rule";

/// How long a guest that has outlived its lifetime is left alone, for those who wait to find out.
const SLACK: Duration = Duration::from_secs(1);

/// A guest that runs. It is killed when it is dropped, and when its lifetime is over.
///
/// When it ends in failure or is dropped by a panic, what was on its network is kept in a file.
#[derive(Debug)]
pub struct Guest {
    name: String,
    leash: Leash,
    console: Console,
    folder: Option<TempDir>,
    deadline: Instant,
    lifetime: Duration,
    monitor: Option<Monitor>,
}

/// How a guest ended that was content.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finished {
    /// All lines that it printed.
    pub lines: Vec<String>,
    /// How many instructions it executed, if they were counted.
    pub instructions: Option<u64>,
}

impl Guest {
    pub(crate) fn start(
        name: &str,
        program: &str,
        options: &[String],
        folder: TempDir,
        lifetime: Duration,
    ) -> Result<Self, HilError> {
        // Whoever waits for the guest is told first.
        let mut leash = Leash::start(program, options, lifetime.saturating_add(SLACK))
            .map_err(HilError::system(format!("starting {name}")))?;
        let console = Console::default();
        let (output, errors) = leash.outputs();
        if let Some(output) = output {
            console.listen(output);
        }
        if let Some(errors) = errors {
            console.listen(errors);
        }
        Ok(Self {
            name: name.to_owned(),
            leash,
            console,
            folder: Some(folder),
            deadline: after(lifetime),
            lifetime,
            monitor: None,
        })
    }

    /// Waits until it prints a line that contains `text`, and returns that line. Lines before it are passed over, for later waits too.
    ///
    /// # Errors
    ///
    /// [`HilError::Hung`] when its lifetime is over, [`HilError::Failed`] when it ended before, [`HilError::PortInUse`] when the
    /// emulator could not have a port. The guest is no more then.
    pub fn wait_for(&mut self, text: &str) -> Result<String, HilError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.wait_for_within(text, left)
    }

    /// The same, within `limit`, or what is left of its lifetime.
    ///
    /// # Errors
    ///
    /// As [`wait_for`](Self::wait_for).
    pub fn wait_for_within(&mut self, text: &str, limit: Duration) -> Result<String, HilError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let limit = limit.min(left);
        match self.console.wait_for(text, limit) {
            Ok(line) => Ok(line),
            Err(NoLine::TimedOut) => Err(self.hung(format!("waiting for {text:?}"), limit)),
            Err(NoLine::Ended) => {
                let code = self.exit_code()?;
                Err(self.ended(code))
            }
        }
    }

    /// Waits until it ends, and demands that it was content.
    ///
    /// # Errors
    ///
    /// [`HilError::Failed`] when it says that something is wrong: its exit code is not 0. Otherwise as [`wait_for`](Self::wait_for).
    pub fn finish(mut self) -> Result<Finished, HilError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if self.console.wait_for_end(left).is_err() {
            return Err(self.hung("running".to_owned(), self.lifetime));
        }
        match self.exit_code()? {
            Some(0) => {
                let lines = self.console.all();
                let instructions = instructions::counted(&lines);
                Ok(Finished {
                    lines,
                    instructions,
                })
            }
            code => Err(self.ended(code)),
        }
    }

    /// Looks whether it has failed so far. One that runs, or has ended content, has not.
    ///
    /// # Errors
    ///
    /// [`HilError::Failed`], or [`HilError::Hung`] when its lifetime is over.
    pub fn check(&mut self) -> Result<(), HilError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let status = self.leash.status();
        match status.map_err(HilError::system("looking for the emulator's end"))? {
            None if left.is_zero() => Err(self.hung("running".to_owned(), self.lifetime)),
            None => Ok(()),
            Some(_) => {
                let _ = self.console.wait_for_end(SLACK); // for its last words
                match self.exit_code()? {
                    Some(0) => Ok(()),
                    code => Err(self.ended(code)),
                }
            }
        }
    }

    /// All lines that it and the emulator have printed so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.console.all()
    }

    /// Where a forwarded port of it is on this machine.
    ///
    /// # Errors
    ///
    /// [`HilError::NotConfigured`] when it is not forwarded, or the monitor's.
    pub fn address_of(&mut self, port: u16) -> Result<SocketAddr, HilError> {
        let command = json!({ "command-line": "info usernet" });
        let table = self.ask("human-monitor-command", command)?;
        let here = table
            .as_str()
            .unwrap_or_default()
            .lines()
            .filter(|row| row.contains("HOST_FORWARD"))
            .find_map(|row| {
                // Protocol[State] FD source port destination port
                let columns: Vec<&str> = row.split_whitespace().collect();
                let there = columns.get(5)?.parse::<u16>().ok()?;
                (there == port).then(|| columns.get(3)?.parse::<u16>().ok())?
            })
            .ok_or(HilError::NotConfigured("this port is not forwarded"))?;
        Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, here)))
    }

    /// Pulls its network cable, or puts it back.
    ///
    /// # Errors
    ///
    /// The monitor's.
    pub fn set_link(&mut self, up: bool) -> Result<(), HilError> {
        let arguments = json!({ "name": "n0", "up": up });
        self.ask("set_link", arguments).map(drop)
    }

    /// Holds it, as a debugger would; [`resume`](Self::resume) lets it go on.
    ///
    /// # Errors
    ///
    /// The monitor's.
    pub fn pause(&mut self) -> Result<(), HilError> {
        self.ask("stop", json!({})).map(drop)
    }

    /// Ends a [pause](Self::pause).
    ///
    /// # Errors
    ///
    /// The monitor's.
    pub fn resume(&mut self) -> Result<(), HilError> {
        self.ask("cont", json!({})).map(drop)
    }

    /// How much time of the host's processors the emulator has used so far.
    ///
    /// # Errors
    ///
    /// [`HilError::System`], where there is no `/proc` of Linux.
    pub fn processor_time(&self) -> Result<Duration, HilError> {
        self.leash
            .processor_time()
            .map_err(HilError::system("looking at the emulator's process"))
    }

    /// Has the monitor do something.
    fn ask(&mut self, command: &str, arguments: Value) -> Result<Value, HilError> {
        let asked = self.ask_monitor(command, arguments);
        if asked.is_err() {
            // What comes late is no answer to the next question. And if there is no guest any more, that is what is wrong.
            self.monitor = None;
            let _ = self.console.wait_for_end(Duration::from_millis(100));
            if self.console.has_ended() {
                let code = self.exit_code()?;
                return Err(self.ended(code));
            }
        }
        asked
    }

    fn ask_monitor(&mut self, command: &str, arguments: Value) -> Result<Value, HilError> {
        let mut monitor = match self.monitor.take() {
            Some(monitor) => monitor,
            None => {
                let path = self
                    .folder
                    .as_ref()
                    .map(|folder| folder.path().join(MONITOR));
                let console = &self.console;
                Monitor::connect(&path.unwrap_or_default(), || console.has_ended())?
            }
        };
        let answer = monitor.execute(command, arguments);
        self.monitor = Some(monitor);
        answer
    }

    /// Its exit code, once nothing more can come from it; `None` if it was killed.
    fn exit_code(&mut self) -> Result<Option<i32>, HilError> {
        // Its output has ended, or is about to: the shell that holds it says how.
        let soon = Instant::now() + Duration::from_secs(5);
        loop {
            let status = self.leash.status();
            match status.map_err(HilError::system("looking for the emulator's end"))? {
                // With these, the shell tells of a signal.
                Some(status) => {
                    return Ok(status.code().filter(|code| !(129..=159).contains(code)));
                }
                None if Instant::now() > soon => return Ok(None),
                None => thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// It has ended with this code, or was killed: by the end of its lifetime, if that is over.
    fn ended(&mut self, code: Option<i32>) -> HilError {
        if code.is_none() && self.deadline <= Instant::now() {
            return self.hung("running".to_owned(), self.lifetime);
        }
        let lines = self.console.last();
        if let Some(rule) = lines.iter().find(|line| line.contains(PORT_IN_USE))
            && let Some(port) = port_of_rule(rule)
        {
            return HilError::PortInUse { port };
        }
        HilError::Failed {
            trace: Box::new(self.trace(lines)),
            code,
        }
    }

    fn hung(&mut self, awaited: String, limit: Duration) -> HilError {
        let lines = self.console.last();
        HilError::Hung {
            awaited,
            limit,
            trace: Box::new(self.trace(lines)),
        }
    }

    fn trace(&mut self, lines: Vec<String>) -> Trace {
        Trace {
            guest: self.name.clone(),
            lines,
            capture: self.keep_capture(),
        }
    }

    /// Ends the guest, and keeps the file of what was on its network.
    fn keep_capture(&mut self) -> Option<PathBuf> {
        self.leash.let_go();
        let folder = self.folder.take()?.keep();
        let capture = folder.join(CAPTURE);
        capture.exists().then_some(capture)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if thread::panicking() && self.folder.is_some() {
            let lines = self.console.last();
            let trace = self.trace(lines);
            eprintln!("{} is dropped by the panic{trace}", self.name);
        }
    }
}

/// The port in `... 'tcp:127.0.0.1:7007-:7'`.
fn port_of_rule(complaint: &str) -> Option<u16> {
    let (_, rule) = complaint.split_once('\'')?;
    rule.split(['-', ':']).nth(2)?.parse().ok()
}
