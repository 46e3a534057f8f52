//! Pipes, such as those to a child process.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt as _;

use embedded_io_async::{ErrorType, Read, Write};
use mio::unix::pipe::{Receiver, Sender};
use socket2::{SockRef, Type};
use tacket::{AsyncResource, ReceiveStream, SendStream};

use crate::endpoint::Endpoint;
use crate::error::{IoError, Operation};
use crate::source::{Source, Start};

/// The write end of a pipe.
///
/// A pipe ends when its write end closes, so this has no `send_eof`; [`CloseOnEof`](tacket::CloseOnEof) gives it one.
/// Closing and dropping are the same here: a pipe cannot tell its reader that the end came too early.
///
/// Two pipes make a two-way stream, for instance to a child process:
///
/// ```
/// use std::process::{Command, Stdio};
/// use tacket::{AsyncResource, CloseOnEof, HalfCloseable, ReceiveStream, SendStream, StapledStream};
/// use tacket_std::{PipeReceiveStream, PipeSendStream};
///
/// let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
/// let tx = CloseOnEof::new(PipeSendStream::new(stdin)?);
/// let mut cat = StapledStream::new(tx, PipeReceiveStream::new(stdout)?);
/// tacket_std::run(async {
///     cat.send_all(b"meow").await?;
///     cat.send_eof().await?;
///     let mut buf = [0; 16];
///     assert_eq!(cat.receive_some(&mut buf).await?, 4);
///     assert_eq!(cat.receive_some(&mut buf).await?, 0);
///     cat.close().await
/// })??;
/// assert!(child.wait()?.success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PipeSendStream {
    endpoint: Endpoint<Sender>,
}

impl PipeSendStream {
    /// Takes the write end of a pipe: a child's `stdin`, a [`PipeWriter`](std::io::PipeWriter), or any descriptor that writes
    /// to a pipe or a stream socket. Of a socket that others share, dropping this sends no end.
    ///
    /// The descriptor becomes non-blocking, for everybody who shares it.
    ///
    /// # Errors
    ///
    /// [`Fault::Unsupported`](tacket::Fault::Unsupported): it is neither pipe nor stream socket. Otherwise the system's own error.
    pub fn new(pipe: impl Into<OwnedFd>) -> Result<Self, IoError> {
        let failed = |error| IoError::new(Operation::Open("a pipe to write to"), error);
        let sender = Sender::from(check_kind(pipe.into()).map_err(failed)?);
        sender.set_nonblocking(true).map_err(failed)?;
        let source = Source::new(sender, Start::Unknown).map_err(failed)?;
        Ok(Self {
            endpoint: Endpoint::new(source),
        })
    }

    /// This process's standard output, where that is a pipe.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new); a terminal or a file is [`Fault::Unsupported`](tacket::Fault::Unsupported).
    pub fn from_stdout() -> Result<Self, IoError> {
        duplicate(&io::stdout(), "standard output").and_then(Self::new)
    }
}

/// The read end of a pipe.
///
/// Ends when every write end is closed. Closing it makes the writer's next send
/// [`Fault::Broken`](tacket::Fault::Broken). The example is at [`PipeSendStream`].
#[derive(Debug)]
pub struct PipeReceiveStream {
    endpoint: Endpoint<Receiver>,
}

impl PipeReceiveStream {
    /// Takes the read end of a pipe: a child's `stdout` or `stderr`, a [`PipeReader`](std::io::PipeReader), or any descriptor
    /// that reads from a pipe or a stream socket.
    ///
    /// The descriptor becomes non-blocking, for everybody who shares it.
    ///
    /// # Errors
    ///
    /// [`Fault::Unsupported`](tacket::Fault::Unsupported): it is neither pipe nor stream socket. Otherwise the system's own error.
    pub fn new(pipe: impl Into<OwnedFd>) -> Result<Self, IoError> {
        let failed = |error| IoError::new(Operation::Open("a pipe to read from"), error);
        let receiver = Receiver::from(check_kind(pipe.into()).map_err(failed)?);
        receiver.set_nonblocking(true).map_err(failed)?;
        let source = Source::new(receiver, Start::Unknown).map_err(failed)?;
        // A read stops at the end of a packet, and at descriptors that were sent along.
        source.distrust_short_operations();
        Ok(Self {
            endpoint: Endpoint::new(source),
        })
    }

    /// This process's standard input, where that is a pipe.
    ///
    /// What [`std::io::stdin`] has buffered already is not seen here.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new); a terminal or a file is [`Fault::Unsupported`](tacket::Fault::Unsupported).
    pub fn from_stdin() -> Result<Self, IoError> {
        duplicate(&io::stdin(), "standard input").and_then(Self::new)
    }
}

fn duplicate(stream: &impl AsFd, name: &'static str) -> Result<OwnedFd, IoError> {
    let duplicate = stream.as_fd().try_clone_to_owned();
    duplicate.map_err(|error| IoError::new(Operation::Open(name), error))
}

/// Lets through what is a stream of bytes and can be watched by the system's poll.
fn check_kind(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    let file = File::from(descriptor);
    let kind = file.metadata()?.file_type();
    if kind.is_fifo() || kind.is_socket() && SockRef::from(&file).r#type()? == Type::STREAM {
        return Ok(file.into());
    }
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "it is neither a pipe nor a stream socket",
    ))
}

impl ErrorType for PipeSendStream {
    type Error = IoError;
}

impl Write for PipeSendStream {
    fn write(&mut self, buf: &[u8]) -> impl Future<Output = Result<usize, IoError>> {
        self.endpoint.send_some(buf)
    }

    async fn flush(&mut self) -> Result<(), IoError> {
        Ok(())
    }

    fn write_all(&mut self, buf: &[u8]) -> impl Future<Output = Result<(), IoError>> {
        self.endpoint.send_all(buf)
    }
}

impl SendStream for PipeSendStream {
    fn send_all(&mut self, data: &[u8]) -> impl Future<Output = Result<(), IoError>> {
        self.endpoint.send_all(data)
    }

    fn send_rest(&mut self, data: &mut &[u8]) -> impl Future<Output = Result<(), IoError>> {
        self.endpoint.send_rest(data)
    }

    fn wait_send_all_might_not_block(&mut self) -> impl Future<Output = Result<(), IoError>> {
        self.endpoint.wait_writable()
    }
}

impl AsyncResource for PipeSendStream {
    /// Closes the write end; the reader gets what was sent, then the end.
    ///
    /// # Errors
    ///
    /// Never.
    ///
    /// # Cancel safety
    ///
    /// Safe. It waits for nothing.
    async fn close(self) -> Result<(), IoError> {
        Ok(())
    }
}

impl ErrorType for PipeReceiveStream {
    type Error = IoError;
}

impl Read for PipeReceiveStream {
    fn read(&mut self, buf: &mut [u8]) -> impl Future<Output = Result<usize, IoError>> {
        self.endpoint.read(buf)
    }
}

impl ReceiveStream for PipeReceiveStream {
    fn receive_some(&mut self, buf: &mut [u8]) -> impl Future<Output = Result<usize, IoError>> {
        self.endpoint.receive_some(buf)
    }
}

impl AsyncResource for PipeReceiveStream {
    /// Closes the read end; what was not received is lost to the writer's knowledge.
    ///
    /// # Errors
    ///
    /// Never.
    ///
    /// # Cancel safety
    ///
    /// Safe. It waits for nothing.
    async fn close(self) -> Result<(), IoError> {
        Ok(())
    }
}

impl AsFd for PipeSendStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.endpoint.io().as_fd()
    }
}

impl AsFd for PipeReceiveStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.endpoint.io().as_fd()
    }
}
