//! An end of stream for a send half that can only close.

use core::fmt;

use embedded_io_async::{ErrorKind, ErrorType, Write};

use crate::{AsyncResource, Error, Fault, HalfCloseable, SendStream};

/// A send stream whose `send_eof` closes the stream inside.
///
/// For transports where the end of the stream is the close, such as the write end of a pipe. After it, sends are
/// [`Closed`](CloseOnEofError::Closed) and closing has nothing left to do.
///
/// ```
/// use tacket::testing::MemoryPipe;
/// use tacket::{CloseOnEof, HalfCloseable, ReceiveStream, SendStream};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let pipe = MemoryPipe::new([0; 16]);
/// let (tx, mut rx) = pipe.open().expect("not open yet");
/// let mut tx = CloseOnEof::new(tx);
/// tx.send_eof().await.expect("closes");
/// assert_eq!(rx.receive_some(&mut [0; 4]).await, Ok(0));
/// assert!(tx.stream().is_none());
/// # }).expect("ready");
/// ```
#[derive(Debug)]
pub struct CloseOnEof<S> {
    stream: Option<S>,
    /// The close that was to be the end did not complete.
    cut: bool,
}

impl<S> CloseOnEof<S> {
    /// Wraps `stream`.
    pub const fn new(stream: S) -> Self {
        Self {
            stream: Some(stream),
            cut: false,
        }
    }

    /// The stream inside; `None` once its end was sent.
    pub const fn stream(&self) -> Option<&S> {
        self.stream.as_ref()
    }

    /// The stream inside, to change; `None` once its end was sent.
    pub const fn stream_mut(&mut self) -> Option<&mut S> {
        self.stream.as_mut()
    }

    /// Takes the stream out again; `None` once its end was sent.
    pub fn into_inner(self) -> Option<S> {
        self.stream
    }
}

/// The error of a [`CloseOnEof`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseOnEofError<E> {
    /// The end was sent earlier.
    Closed,
    /// The close that was to be the end was dropped or failed earlier. The peer may never see an end.
    Cut,
    /// The stream inside failed.
    Stream(E),
}

impl<E: fmt::Display> fmt::Display for CloseOnEofError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the end of the stream was sent earlier"),
            Self::Cut => f.write_str("the end of the stream was not completed"),
            Self::Stream(error) => error.fmt(f),
        }
    }
}

impl<E: core::error::Error> core::error::Error for CloseOnEofError<E> {}

impl<E: Error> embedded_io_async::Error for CloseOnEofError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Closed => Fault::Closed.kind(),
            Self::Cut => Fault::Broken.kind(),
            Self::Stream(error) => error.kind(),
        }
    }
}

impl<E: Error> Error for CloseOnEofError<E> {
    fn fault(&self) -> Fault {
        match self {
            Self::Closed => Fault::Closed,
            Self::Cut => Fault::Broken,
            Self::Stream(error) => error.fault(),
        }
    }
}

impl<S: ErrorType<Error: Error>> ErrorType for CloseOnEof<S> {
    type Error = CloseOnEofError<S::Error>;
}

impl<S: SendStream> CloseOnEof<S> {
    fn open_stream(&mut self) -> Result<&mut S, CloseOnEofError<S::Error>> {
        self.stream.as_mut().ok_or(CloseOnEofError::Closed)
    }

    const fn check_end(&self) -> Result<(), CloseOnEofError<S::Error>> {
        if self.cut {
            Err(CloseOnEofError::Cut)
        } else {
            Ok(())
        }
    }
}

impl<S: SendStream> Write for CloseOnEof<S> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Self::Error> {
        self.open_stream()?
            .write(buf)
            .await
            .map_err(CloseOnEofError::Stream)
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        match &mut self.stream {
            Some(stream) => stream.flush().await.map_err(CloseOnEofError::Stream),
            None => Ok(()),
        }
    }

    async fn write_all(&mut self, buf: &[u8]) -> Result<(), Self::Error> {
        self.open_stream()?
            .write_all(buf)
            .await
            .map_err(CloseOnEofError::Stream)
    }
}

impl<S: SendStream> SendStream for CloseOnEof<S> {
    async fn send_all(&mut self, data: &[u8]) -> Result<(), Self::Error> {
        self.open_stream()?
            .send_all(data)
            .await
            .map_err(CloseOnEofError::Stream)
    }

    async fn send_rest(&mut self, data: &mut &[u8]) -> Result<(), Self::Error> {
        self.open_stream()?
            .send_rest(data)
            .await
            .map_err(CloseOnEofError::Stream)
    }

    async fn wait_send_all_might_not_block(&mut self) -> Result<(), Self::Error> {
        self.open_stream()?
            .wait_send_all_might_not_block()
            .await
            .map_err(CloseOnEofError::Stream)
    }
}

impl<S: SendStream + AsyncResource> HalfCloseable for CloseOnEof<S> {
    /// Flushes and closes the stream inside.
    ///
    /// # Errors
    ///
    /// Those of the inner flush, after which the stream is still there, and of the inner close, after which it is not.
    ///
    /// # Cancel safety
    ///
    /// Safe while it flushes. Dropped later, it has closed the stream inside forcefully: the peer may see a broken
    /// stream instead of its end, and a further `send_eof` or `close` is [`Cut`](CloseOnEofError::Cut). This end
    /// cannot be completed by calling again, as others can.
    async fn send_eof(&mut self) -> Result<(), Self::Error> {
        self.flush().await?;
        if let Some(stream) = self.stream.take() {
            self.cut = true;
            stream.close().await.map_err(CloseOnEofError::Stream)?;
            self.cut = false;
        }
        self.check_end()
    }
}

impl<S: SendStream + AsyncResource> AsyncResource for CloseOnEof<S> {
    /// Flushes and closes the stream inside, and closes it even if the flush fails.
    ///
    /// # Errors
    ///
    /// The first one, of the flush or of the close; [`Cut`](CloseOnEofError::Cut) after an end that was not completed.
    ///
    /// # Cancel safety
    ///
    /// Safe. Dropped before it completes, it has closed the stream inside forcefully.
    async fn close(mut self) -> Result<(), Self::Error> {
        let flushed = match self.flush().await {
            // A peer that has gone is no failure of a close.
            Err(error) if error.fault() == Fault::Broken => Ok(()),
            flushed => flushed,
        };
        let closed = match self.stream.take() {
            Some(stream) => stream.close().await.map_err(CloseOnEofError::Stream),
            None => self.check_end(),
        };
        flushed.and(closed)
    }
}
