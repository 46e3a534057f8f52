//! Processes that this one starts.

use alloc::sync::Arc;
use core::fmt;
use std::ffi::OsStr;
#[cfg(unix)]
use std::process::Output;
use std::process::{Command, ExitStatus};

#[cfg(unix)]
use futures_util::future::try_join;
use shared_child::SharedChild;
#[cfg(unix)]
use tacket::ReceiveStream as _;

use crate::error::{IoError, Operation};
use crate::exit::Exit;
#[cfg(unix)]
use crate::pipe::{PipeReceiveStream, PipeSendStream};
use crate::reaper;

/// A process that this one started, with streams for whatever the [`Command`] says is [piped](std::process::Stdio::piped).
///
/// * Dropped, it is killed, before its pipes end, and reaped in the background: it neither runs on nor stays as a zombie.
///   [`leave_running`](Self::leave_running) lets it go on. Only the process itself is killed, not those that it has started in its turn.
/// * To await its end costs no thread where the system has descriptors for processes, as Linux has. Elsewhere, and on a Linux before 5.3, the
///   first wait starts a thread that waits for this child alone.
/// * Of what this crate and `std` have opened it gets what the [`Command`] says, and nothing else. What others have opened it gets too, unless they
///   have said otherwise (`O_CLOEXEC`).
/// * Its streams belong to this thread, like all others. Each can be taken out of its field, and outlives the rest. Its standard input ends when that stream is
///   closed or dropped; a child that no longer reads makes sending [`Fault::Broken`](tacket::Fault::Broken).
/// * A process that ignores `SIGCHLD` never learns how its children ended; then [`wait`](Self::wait) is an error.
///
/// On Windows there are no pipes yet, so nothing can be piped there.
///
/// ```
/// use std::process::{Command, Stdio};
/// use tacket::{AsyncResource, ReceiveStream, SendStream};
/// use tacket_std::{Child, IoError};
///
/// tacket_std::run(async {
///     let mut child = Child::spawn(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()))?;
///     let mut stdin = child.stdin.take().expect("it is piped");
///     stdin.send_all(b"meow").await?;
///     stdin.close().await?; // the end of its input
///     let stdout = child.stdout.as_mut().expect("it is piped");
///     let mut buf = [0; 16];
///     assert_eq!(stdout.receive_some(&mut buf).await?, 4);
///     assert_eq!(stdout.receive_some(&mut buf).await?, 0);
///     assert!(child.wait().await?.success());
///     Ok::<(), IoError>(())
/// })??;
/// # Ok::<(), IoError>(())
/// ```
///
/// With a limit, a child that takes too long is dropped, and so killed:
///
/// ```
/// use core::time::Duration;
/// use std::process::Command;
/// use tacket_std::{Child, IoError, MonotonicClock};
///
/// tacket_std::run(async {
///     let mut child = Child::spawn(Command::new("sleep").arg("1000"))?;
///     let clock = MonotonicClock::new();
///     let ended = tacket::timeout(&clock, Duration::from_millis(5), child.wait()).await;
///     ended.expect_err("it sleeps");
///     Ok::<(), IoError>(())
/// })??;
/// # Ok::<(), IoError>(())
/// ```
#[non_exhaustive]
pub struct Child {
    /// Dropped first: a child that is to be killed must not see the end of its input before.
    process: Process,
    /// What it reads, if that is piped.
    #[cfg(unix)]
    pub stdin: Option<PipeSendStream>,
    /// What it writes, if that is piped.
    #[cfg(unix)]
    pub stdout: Option<PipeReceiveStream>,
    /// What it has to complain about, if that is piped.
    #[cfg(unix)]
    pub stderr: Option<PipeReceiveStream>,
    exit: Exit,
}

impl Child {
    /// Starts what `command` says. As with [`Command::spawn`], what is neither piped nor said is that of this process.
    ///
    /// # Errors
    ///
    /// There is no such program, or it may not be started: [`Fault::Other`](tacket::Fault::Other), and
    /// [`io_error`](IoError::io_error) says which. The system is out of processes or descriptors: [`Fault::Capacity`](tacket::Fault::Capacity).
    /// On Windows, something is piped: [`Fault::Unsupported`](tacket::Fault::Unsupported). In no case is a child left.
    pub fn spawn(command: &mut Command) -> Result<Self, IoError> {
        let program = command.get_program().to_owned();
        let failed = |error| IoError::new(starting(&program), error);
        let child = Arc::new(SharedChild::spawn(command).map_err(failed)?);
        // From here on it is killed if anything fails.
        let process = Process {
            child,
            left_running: false,
        };
        #[cfg(windows)]
        if process.is_piped() {
            let fault = tacket::Fault::Unsupported;
            return Err(IoError::refused(starting(&program), fault));
        }
        let exit = Exit::watch(&process.child).map_err(failed)?;
        Ok(Self {
            #[cfg(unix)]
            stdin: process
                .child
                .take_stdin()
                .map(PipeSendStream::new)
                .transpose()?,
            #[cfg(unix)]
            stdout: process
                .child
                .take_stdout()
                .map(PipeReceiveStream::new)
                .transpose()?,
            #[cfg(unix)]
            stderr: process
                .child
                .take_stderr()
                .map(PipeReceiveStream::new)
                .transpose()?,
            exit,
            process,
        })
    }

    /// Its number in the system, until it has been waited for; then that can be another's.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.child.id()
    }

    /// Waits until it ends, by itself or by a signal, and says how. Again, it says the same. A child that is only stopped has not ended.
    ///
    /// It waits for the child alone. Those that it has started may go on, and so do its streams then: each ends with the last
    /// process that has it.
    ///
    /// First it closes [`stdin`](field@Self::stdin), if that has not been taken: nobody could send any more, and many a child waits for its
    /// end. Output that is piped and that nobody receives can keep the child from ending.
    ///
    /// # Errors
    ///
    /// The system does not say how it ended. Outside [`run`](crate::run) it cannot wait:
    /// [`Fault::Unsupported`](tacket::Fault::Unsupported).
    ///
    /// # Cancel safety
    ///
    /// Safe. The child goes on, and can be waited for again. Its standard input is closed from the first poll on.
    pub async fn wait(&mut self) -> Result<ExitStatus, IoError> {
        #[cfg(unix)]
        drop(self.stdin.take());
        let ended = self.exit.wait(&self.process.child).await;
        ended.map_err(|error| IoError::new(Operation::WaitProcess, error))
    }

    /// Receives all that it writes, waits until it ends, and returns both. What is not piped, or has been taken, is empty.
    ///
    /// Like [`wait`](Self::wait) it first closes [`stdin`](field@Self::stdin). The end of its output comes when nobody has the pipes any more, also
    /// none that the child has started. All of it is kept in memory.
    ///
    /// ```
    /// use std::process::{Command, Stdio};
    /// use tacket_std::{Child, IoError};
    ///
    /// tacket_std::run(async {
    ///     let child = Child::spawn(Command::new("echo").arg("hello").stdout(Stdio::piped()))?;
    ///     let output = child.wait_with_output().await?;
    ///     assert_eq!(output.stdout, b"hello\n");
    ///     assert!(output.status.success());
    ///     Ok::<(), IoError>(())
    /// })??;
    /// # Ok::<(), IoError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait). The child is killed then.
    ///
    /// # Cancel safety
    ///
    /// Not safe. The child is killed, and its output is lost.
    #[cfg(unix)]
    pub async fn wait_with_output(mut self) -> Result<Output, IoError> {
        drop(self.stdin.take());
        let stdout = receive_all(self.stdout.take());
        let stderr = receive_all(self.stderr.take());
        let (stdout, stderr) = try_join(stdout, stderr).await?;
        let status = self.wait().await?;
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    }

    /// How it ended, without waiting; `None` if it has not.
    ///
    /// # Errors
    ///
    /// The system does not say how it ended.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, IoError> {
        let ended = self.process.child.try_wait();
        ended.map_err(|error| IoError::new(Operation::WaitProcess, error))
    }

    /// Kills it at once (`SIGKILL`), and does not wait until it is dead. Nothing happens if it has ended.
    ///
    /// # Errors
    ///
    /// The system refused: the child has taken on the rights of somebody else.
    pub fn kill(&mut self) -> Result<(), IoError> {
        let killed = self.process.child.kill();
        killed.map_err(|error| IoError::new(Operation::SignalProcess, error))
    }

    /// Sends it a signal by its number, for instance `SIGTERM` (15), which asks it to end. Nothing happens if it has been waited for.
    ///
    /// # Errors
    ///
    /// The system knows no such signal ([`Fault::InvalidInput`](tacket::Fault::InvalidInput)), or refused.
    #[cfg(unix)]
    pub fn signal(&mut self, signal: i32) -> Result<(), IoError> {
        use shared_child::unix::SharedChildExt as _;
        let sent = self.process.child.send_signal(signal);
        sent.map_err(|error| IoError::new(Operation::SignalProcess, error))
    }

    /// Lets it go on without us. While this program runs, it is reaped within a second of its end.
    ///
    /// Streams that have not been taken are closed: a child that writes to them then fails, or is killed by `SIGPIPE`.
    pub fn leave_running(mut self) {
        self.process.left_running = true;
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

#[cfg(unix)]
async fn receive_all(stream: Option<PipeReceiveStream>) -> Result<Vec<u8>, IoError> {
    /// What a pipe holds, as Linux makes it.
    const MOST: usize = 64 << 10;
    let mut all = Vec::new();
    let Some(mut stream) = stream else {
        return Ok(all);
    };
    loop {
        let filled = all.len();
        all.resize(filled + MOST, 0);
        let room = all.get_mut(filled..).unwrap_or_default();
        let count = stream.receive_some(room).await?;
        all.truncate(filled + count);
        if count == 0 {
            return Ok(all);
        }
    }
}

fn starting(program: &OsStr) -> Operation {
    Operation::Spawn(program.into())
}

/// A process that is ours to kill.
struct Process {
    child: Arc<SharedChild>,
    left_running: bool,
}

#[cfg(windows)]
impl Process {
    /// Whether it has pipes. They are closed.
    fn is_piped(&self) -> bool {
        let stdin = self.child.take_stdin().is_some();
        let stdout = self.child.take_stdout().is_some();
        let stderr = self.child.take_stderr().is_some();
        stdin || stdout || stderr
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.left_running {
            // It fails only where the child has taken on the rights of somebody else; then it is reaped when it ends.
            let _ = self.child.kill();
        }
        reaper::reap(&self.child);
    }
}
