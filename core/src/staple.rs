//! Two one-way streams held together as one two-way stream.

use core::fmt;

use embedded_io_async::{ErrorKind, ErrorType, Read, Write};

use crate::{
    AsyncResource, Error, Fault, HalfCloseable, IntoSplit, ReceiveStream, SendStream, Split,
};

/// A two-way stream made of a stream that sends and a stream that receives.
///
/// The halves stay reachable, with their own types. Sends go to one and receives to the other, unchanged. `send_eof`
/// half-closes the send half; a send half that knows no end short of closing is first wrapped in
/// [`CloseOnEof`](crate::CloseOnEof). `close` closes the send half, then the receive half, and both whatever happens.
/// [`into_split`](IntoSplit::into_split) parts them again, each to end as it does by itself.
///
/// ```
/// use tacket::testing::MemoryPipe;
/// use tacket::{ReceiveStream, SendStream, StapledStream};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let (there, back) = (MemoryPipe::new([0; 16]), MemoryPipe::new([0; 16]));
/// let (to_right, from_left) = there.open().expect("not open yet");
/// let (to_left, from_right) = back.open().expect("not open yet");
/// let mut left = StapledStream::new(to_right, from_right);
/// let mut right = StapledStream::new(to_left, from_left);
///
/// let mut buf = [0; 16];
/// left.send_all(b"ping").await?;
/// assert_eq!(right.receive_some(&mut buf).await?, 4);
/// # Ok::<(), tacket::StapledError<tacket::testing::MemoryError, tacket::testing::MemoryError>>(())
/// # }).expect("ready").expect("no error");
/// ```
#[derive(Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is its two halves, as the source of the idea has it"
)]
pub struct StapledStream<S, R> {
    /// The half that sends.
    pub send_stream: S,
    /// The half that receives.
    pub receive_stream: R,
}

impl<S, R> StapledStream<S, R> {
    /// Staples `send_stream` and `receive_stream` together.
    pub const fn new(send_stream: S, receive_stream: R) -> Self {
        Self {
            send_stream,
            receive_stream,
        }
    }
}

/// The error of a [`StapledStream`]: which half failed, and that half's own error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StapledError<S, R> {
    /// The send half failed.
    Send(S),
    /// The receive half failed.
    Receive(R),
}

impl<S: fmt::Display, R: fmt::Display> fmt::Display for StapledError<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(error) => write!(f, "send half: {error}"),
            Self::Receive(error) => write!(f, "receive half: {error}"),
        }
    }
}

impl<S: core::error::Error, R: core::error::Error> core::error::Error for StapledError<S, R> {}

impl<S: Error, R: Error> embedded_io_async::Error for StapledError<S, R> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Send(error) => error.kind(),
            Self::Receive(error) => error.kind(),
        }
    }
}

impl<S: Error, R: Error> Error for StapledError<S, R> {
    fn fault(&self) -> Fault {
        match self {
            Self::Send(error) => error.fault(),
            Self::Receive(error) => error.fault(),
        }
    }
}

impl<S: ErrorType<Error: Error>, R: ErrorType<Error: Error>> ErrorType for StapledStream<S, R> {
    type Error = StapledError<S::Error, R::Error>;
}

impl<S: SendStream, R: ErrorType<Error: Error>> Write for StapledStream<S, R> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Self::Error> {
        self.send_stream
            .write(buf)
            .await
            .map_err(StapledError::Send)
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        self.send_stream.flush().await.map_err(StapledError::Send)
    }

    async fn write_all(&mut self, buf: &[u8]) -> Result<(), Self::Error> {
        self.send_stream
            .write_all(buf)
            .await
            .map_err(StapledError::Send)
    }
}

impl<S: SendStream, R: ErrorType<Error: Error>> SendStream for StapledStream<S, R> {
    async fn send_all(&mut self, data: &[u8]) -> Result<(), Self::Error> {
        self.send_stream
            .send_all(data)
            .await
            .map_err(StapledError::Send)
    }

    async fn send_rest(&mut self, data: &mut &[u8]) -> Result<(), Self::Error> {
        self.send_stream
            .send_rest(data)
            .await
            .map_err(StapledError::Send)
    }

    async fn wait_send_all_might_not_block(&mut self) -> Result<(), Self::Error> {
        self.send_stream
            .wait_send_all_might_not_block()
            .await
            .map_err(StapledError::Send)
    }
}

impl<S: HalfCloseable, R: ErrorType<Error: Error>> HalfCloseable for StapledStream<S, R> {
    async fn send_eof(&mut self) -> Result<(), Self::Error> {
        self.send_stream
            .send_eof()
            .await
            .map_err(StapledError::Send)
    }
}

impl<S: ErrorType<Error: Error>, R: ReceiveStream> Read for StapledStream<S, R> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        self.receive_stream
            .read(buf)
            .await
            .map_err(StapledError::Receive)
    }
}

impl<S: ErrorType<Error: Error>, R: ReceiveStream> ReceiveStream for StapledStream<S, R> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        self.receive_stream
            .receive_some(buf)
            .await
            .map_err(StapledError::Receive)
    }
}

impl<S, R> AsyncResource for StapledStream<S, R>
where
    S: AsyncResource<Error: Error>,
    R: AsyncResource<Error: Error>,
{
    async fn close(self) -> Result<(), Self::Error> {
        // Both halves live in this future: dropped at any point, it closes what is still open.
        let Self {
            send_stream,
            receive_stream,
        } = self;
        let sending = send_stream.close().await.map_err(StapledError::Send);
        let receiving = receive_stream.close().await.map_err(StapledError::Receive);
        sending.and(receiving)
    }
}

impl<S: HalfCloseable, R: ReceiveStream> Split for StapledStream<S, R> {
    type Sending<'a>
        = StapledStream<&'a mut S, NoHalf<R::Error>>
    where
        Self: 'a;
    type Receiving<'a>
        = StapledStream<NoHalf<S::Error>, &'a mut R>
    where
        Self: 'a;

    fn split(&mut self) -> (Self::Sending<'_>, Self::Receiving<'_>) {
        (
            StapledStream::new(&mut self.send_stream, NoHalf::new()),
            StapledStream::new(NoHalf::new(), &mut self.receive_stream),
        )
    }
}

impl<S, R> IntoSplit for StapledStream<S, R>
where
    S: HalfCloseable + AsyncResource,
    R: ReceiveStream + AsyncResource,
{
    type OwnedSending = StapledStream<S, NoHalf<R::Error>>;
    type OwnedReceiving = StapledStream<NoHalf<S::Error>, R>;

    fn into_split(self) -> (Self::OwnedSending, Self::OwnedReceiving) {
        (
            StapledStream::new(self.send_stream, NoHalf::new()),
            StapledStream::new(NoHalf::new(), self.receive_stream),
        )
    }

    /// Staples them together, whether they were so before or not. It never fails.
    fn reunite(
        sending: Self::OwnedSending,
        receiving: Self::OwnedReceiving,
    ) -> Result<Self, (Self::OwnedSending, Self::OwnedReceiving)> {
        Ok(Self::new(sending.send_stream, receiving.receive_stream))
    }
}

/// The place of the half that a half does not have: it does nothing and knows only its error's type.
pub struct NoHalf<E>(core::marker::PhantomData<fn() -> E>);

impl<E> NoHalf<E> {
    const fn new() -> Self {
        Self(core::marker::PhantomData)
    }
}

impl<E> fmt::Debug for NoHalf<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoHalf")
    }
}

impl<E: Error> ErrorType for NoHalf<E> {
    type Error = E;
}

impl<E: Error> AsyncResource for NoHalf<E> {
    async fn close(self) -> Result<(), E> {
        Ok(())
    }
}
