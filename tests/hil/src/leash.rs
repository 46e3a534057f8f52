//! A process that cannot outlive its owner.

use core::time::Duration;
use std::ffi::OsStr;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::{fs, io, thread};

/// In which Linux tells of processes: USER_HZ, the same on all machines.
const TICKS_PER_SECOND: u32 = 100;

/// Runs the program of its arguments, and kills it when its own standard input ends.
const SHELL: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
( read -r _ <&3; kill -9 $program ) 2>/dev/null >/dev/null &
watch=$!
exec 3<&-
wait $program 2>/dev/null
status=$?
kill $watch 2>/dev/null
exit $status
"#;

/// A process that ends, at the latest, when its lifetime is over, when this is dropped, or when the process that has this is gone,
/// however that ends.
///
/// The other end of the leash is a pipe: nobody has to be alive to let it go.
#[derive(Debug)]
pub(crate) struct Leash {
    process: Child,
    /// As long as this is there, a thread holds the pipe, but no longer than the lifetime.
    hold: Option<Sender<()>>,
}

impl Leash {
    pub(crate) fn start<S: AsRef<OsStr>>(
        program: &str,
        arguments: impl IntoIterator<Item = S>,
        lifetime: Duration,
    ) -> io::Result<Self> {
        let mut process = Command::new("sh")
            .args(["-c", SHELL, "leash", program])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let pipe = process.stdin.take();
        let (hold, held) = channel();
        thread::spawn(move || {
            let _pipe = pipe;
            let _over = held.recv_timeout(lifetime);
        });
        Ok(Self {
            process,
            hold: Some(hold),
        })
    }

    /// What it prints. Each can be taken once.
    pub(crate) fn outputs(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.process.stdout.take(), self.process.stderr.take())
    }

    /// How it ended, if it did.
    pub(crate) fn status(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process.try_wait()
    }

    /// Kills it.
    pub(crate) fn let_go(&mut self) {
        self.hold = None;
        // The shell ends when the program has.
        let _ = self.process.wait();
    }

    /// How much time of the processors the program has used so far.
    pub(crate) fn processor_time(&self) -> io::Result<Duration> {
        let shell = self.process.id();
        let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"))?;
        let mut ticks = 0;
        for child in children.split_whitespace() {
            let stat = fs::read_to_string(format!("/proc/{child}/stat"))?;
            // After the name, which ends with the last parenthesis: proc(5) counts from the state, which is field 3.
            let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
            let mut used = fields.split_whitespace().skip(14 - 3).take(2);
            ticks += used
                .by_ref()
                .filter_map(|field| field.parse::<u64>().ok())
                .sum::<u64>();
        }
        Ok(Duration::from_secs(ticks) / TICKS_PER_SECOND)
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.let_go();
    }
}
