//! Foreign commands, with their output in files.

use core::fmt;
use core::time::Duration;
use std::fs::File;
use std::io::Write as _;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Instant;

use crate::folder::Folder;
use crate::peer::LIMIT;

const OUTPUT: &str = "output";
const ERRORS: &str = "errors";

/// A command at work in a folder of its own. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    folder: Folder,
    command: String,
}

impl Process {
    /// Starts `program` with `arguments`. What it prints goes to files in `folder`, its input comes from [`say`](Self::say).
    pub(crate) fn start(program: &str, arguments: &[&str], folder: Folder) -> Self {
        let command = format!("{program} {}", arguments.join(" "));
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(create(&folder, OUTPUT))
            .stderr(create(&folder, ERRORS))
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{command}: {error}; `bash tests/run --setup` installs it")
            });
        let input = child.stdin.take();
        Self {
            child,
            input,
            folder,
            command,
        }
    }

    /// What it has printed so far.
    pub(crate) fn output(&self) -> String {
        self.read(OUTPUT)
    }

    /// The same, byte by byte.
    pub(crate) fn output_bytes(&self) -> Vec<u8> {
        self.folder.read(OUTPUT)
    }

    /// What it has complained about so far.
    pub(crate) fn errors(&self) -> String {
        self.read(ERRORS)
    }

    /// What a file of its folder has so far.
    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&self.folder.read(name)).into_owned()
    }

    /// Types `text`.
    pub(crate) fn say(&mut self, text: &str) {
        let input = self.input.as_mut().expect("its input is open");
        if let Err(error) = input.write_all(text.as_bytes()) {
            panic!("{self}: it does not listen: {error}");
        }
    }

    /// Ends its input.
    pub(crate) fn say_no_more(&mut self) {
        self.input = None;
    }

    /// Waits until `look` has found what it looks for.
    pub(crate) fn wait_for<T>(&mut self, what: &str, look: impl Fn(&Self) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            let status = self.status();
            if let Some(found) = look(self) {
                return found;
            }
            if let Some(status) = status {
                panic!("{self}: it has ended without {what}: {status}");
            }
            assert!(start.elapsed() < LIMIT, "{self}: no {what}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.status() {
                return status;
            }
            assert!(start.elapsed() < LIMIT, "{self}: it does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it on the spot. The system closes what it had open.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("its status");
    }

    fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("its status")
    }
}

/// The command and its complaints.
impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.command, self.errors())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only where it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn create(folder: &Folder, name: &str) -> File {
    let path = folder.file(name);
    File::create(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
