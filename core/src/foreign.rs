//! Streams of the `embedded-io-async` ecosystem, made to keep the contract as far as they can.

use core::fmt;

use embedded_io_async::{ErrorKind, ErrorType, Read, Write};

use crate::{AsyncResource, Error, Fault, HalfCloseable, ReceiveStream, SendStream};

/// A foreign [`Read`], [`Write`] or both, as a tacket stream.
///
/// What the wrapper adds: an end of stream that stays the end, empty buffers told from it, a broken stream that stays broken, a
/// `write` that cannot spin on `Ok(0)`, close, and [`Fault`]s from the ecosystem's error kinds. What it cannot add, because the
/// foreign traits do not promise it:
///
/// * Dropped futures are as safe as the foreign type's own.
/// * `send_eof` is `Unsupported`. [`CloseOnEof`](crate::CloseOnEof) around it makes closing the end.
/// * `close` is a drop, and a drop does not flush: what a `write` staged is lost. A completed `send_all` has flushed, and a
///   [`CloseOnEof`](crate::CloseOnEof) around it flushes when it closes.
/// * `wait_send_all_might_not_block` returns at once, which the contract allows.
/// * One value cannot be [`Split`](crate::Split): nothing in the foreign traits lets two tasks use it. Split it in its own way,
///   wrap both parts, and make them a [`Stream`](crate::Stream) with [`StapledStream`](crate::StapledStream).
///
/// ```
/// use embedded_io_async::{Read, Write};
/// use tacket::{CloseOnEof, Foreign, StapledStream, Stream};
///
/// fn adopt<W: Write, R: Read>(tx: W, rx: R) -> impl Stream {
///     StapledStream::new(CloseOnEof::new(Foreign::new(tx)), Foreign::new(rx))
/// }
/// ```
#[derive(Debug)]
pub struct Foreign<T> {
    io: T,
    send_state: Option<Fault>,
    receive_state: Option<End>,
}

/// How receiving ended.
#[derive(Clone, Copy, Debug)]
enum End {
    Eof,
    Failed(Fault),
}

impl<T> Foreign<T> {
    /// Wraps `io`.
    pub const fn new(io: T) -> Self {
        Self {
            io,
            send_state: None,
            receive_state: None,
        }
    }

    /// The foreign value.
    pub const fn inner(&self) -> &T {
        &self.io
    }

    /// The foreign value, to change.
    pub const fn inner_mut(&mut self) -> &mut T {
        &mut self.io
    }

    /// Takes the foreign value out again.
    pub fn into_inner(self) -> T {
        self.io
    }
}

/// The error of a [`Foreign`] stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForeignError<E> {
    /// The foreign value failed. The fault follows from its kind, see [`Fault::from_kind`].
    Inner(E),
    /// The foreign value failed earlier, with this fault.
    Earlier(Fault),
    /// The foreign `write` took nothing, which it must not.
    WriteZero,
    /// A receive was given an empty buffer.
    EmptyBuffer,
    /// A foreign stream has no end of its own.
    NoEof,
}

impl<E: fmt::Display> fmt::Display for ForeignError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inner(error) => error.fmt(f),
            Self::Earlier(fault) => write!(f, "failed earlier: {fault}"),
            Self::WriteZero => f.write_str("the transport takes no more bytes"),
            Self::EmptyBuffer => f.write_str("cannot receive into an empty buffer"),
            Self::NoEof => f.write_str("this transport cannot end one direction on its own"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for ForeignError<E> {}

impl<E: embedded_io_async::Error> embedded_io_async::Error for ForeignError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Inner(error) => error.kind(),
            other => other.fault().kind(),
        }
    }
}

impl<E: embedded_io_async::Error> Error for ForeignError<E> {
    fn fault(&self) -> Fault {
        match self {
            Self::Inner(error) => Fault::from_kind(error.kind()),
            Self::Earlier(fault) => *fault,
            Self::WriteZero => Fault::Broken,
            Self::EmptyBuffer => Fault::InvalidInput,
            Self::NoEof => Fault::Unsupported,
        }
    }
}

impl<T: ErrorType> ErrorType for Foreign<T> {
    type Error = ForeignError<T::Error>;
}

impl<T: Write> Foreign<T> {
    fn check_sending(&self) -> Result<(), ForeignError<T::Error>> {
        self.send_state
            .map_or(Ok(()), |fault| Err(ForeignError::Earlier(fault)))
    }

    fn note_send<V>(&mut self, result: Result<V, T::Error>) -> Result<V, ForeignError<T::Error>> {
        result.map_err(|error| {
            let error = ForeignError::Inner(error);
            if error.fault() == Fault::Broken {
                self.send_state = Some(Fault::Broken);
            }
            error
        })
    }
}

impl<T: Write> Write for Foreign<T> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Self::Error> {
        self.check_sending()?;
        if buf.is_empty() {
            return Ok(0);
        }
        let result = self.io.write(buf).await;
        match self.note_send(result)? {
            0 => {
                self.send_state = Some(Fault::Broken);
                Err(ForeignError::WriteZero)
            }
            count => Ok(count),
        }
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        self.check_sending()?;
        let result = self.io.flush().await;
        self.note_send(result)
    }

    async fn write_all(&mut self, mut buf: &[u8]) -> Result<(), Self::Error> {
        while !buf.is_empty() {
            let count = self.write(buf).await?;
            buf = buf.get(count..).unwrap_or_default();
        }
        Ok(())
    }
}

impl<T: Write> SendStream for Foreign<T> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), Self::Error> {
        self.check_sending()
    }
}

impl<T: Write> HalfCloseable for Foreign<T> {
    async fn send_eof(&mut self) -> Result<(), Self::Error> {
        self.flush().await?;
        Err(ForeignError::NoEof)
    }
}

impl<T: Read> Read for Foreign<T> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        if buf.is_empty() {
            Ok(0)
        } else {
            self.receive_some(buf).await
        }
    }
}

impl<T: Read> ReceiveStream for Foreign<T> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        if buf.is_empty() {
            return Err(ForeignError::EmptyBuffer);
        }
        match self.receive_state {
            Some(End::Eof) => return Ok(0),
            Some(End::Failed(fault)) => return Err(ForeignError::Earlier(fault)),
            None => {}
        }
        match self.io.read(buf).await {
            Ok(0) => {
                self.receive_state = Some(End::Eof);
                Ok(0)
            }
            Ok(count) => Ok(count),
            Err(error) => {
                let error = ForeignError::Inner(error);
                if error.fault() == Fault::Broken {
                    self.receive_state = Some(End::Failed(Fault::Broken));
                }
                Err(error)
            }
        }
    }
}

impl<T: ErrorType> AsyncResource for Foreign<T> {
    /// Drops the foreign value, which is all that its traits know of closing. What `send_all` or `flush` completed
    /// was handed over before.
    ///
    /// # Errors
    ///
    /// Never.
    ///
    /// # Cancel safety
    ///
    /// Safe. It waits for nothing.
    async fn close(self) -> Result<(), Self::Error> {
        Ok(())
    }
}
