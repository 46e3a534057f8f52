//! Streams that let a test do something at certain moments.

use core::fmt;

use embedded_io_async::{ErrorType, Read, Write};

use crate::{AsyncResource, HalfCloseable, ReceiveStream, SendStream};

/// What to do when a [`HookedSender`] is used. Nothing, unless implemented.
pub trait SendHooks {
    /// Bytes were taken: within the send, before it returns. A send that is dropped here is not done; the next operation waits for
    /// this first.
    ///
    /// # Cancel safety
    ///
    /// Safe. Dropped, it is called anew, so it may begin more than once.
    async fn sent(&mut self) {}

    /// Somebody is about to wait for room.
    ///
    /// # Cancel safety
    ///
    /// Safe. Dropped, it is called anew, so it may begin more than once.
    async fn waiting(&mut self) {}

    /// The end was sent, or the stream is gone. Called once.
    fn closing(&mut self) {}
}

/// What to do when a [`HookedReceiver`] is used. Nothing, unless implemented.
pub trait ReceiveHooks {
    /// Somebody is about to receive, and has not looked yet at what is there.
    ///
    /// # Cancel safety
    ///
    /// Safe. Dropped, it is called anew, so it may begin more than once.
    async fn receiving(&mut self) {}

    /// The stream is gone.
    fn closing(&mut self) {}
}

impl SendHooks for () {}
impl ReceiveHooks for () {}

impl<H: SendHooks> SendHooks for Option<H> {
    async fn sent(&mut self) {
        if let Some(hooks) = self {
            hooks.sent().await;
        }
    }

    async fn waiting(&mut self) {
        if let Some(hooks) = self {
            hooks.waiting().await;
        }
    }

    fn closing(&mut self) {
        if let Some(hooks) = self {
            hooks.closing();
        }
    }
}

impl<H: ReceiveHooks> ReceiveHooks for Option<H> {
    async fn receiving(&mut self) {
        if let Some(hooks) = self {
            hooks.receiving().await;
        }
    }

    fn closing(&mut self) {
        if let Some(hooks) = self {
            hooks.closing();
        }
    }
}

/// A stream that sends, with hooks. It keeps the contract of the stream in it, as far as its hooks return.
///
/// ```
/// use tacket::testing::{HookedSender, MemoryPipe, SendHooks};
/// use tacket::SendStream;
///
/// struct Count(usize);
///
/// impl SendHooks for Count {
///     async fn sent(&mut self) {
///         self.0 += 1;
///     }
/// }
///
/// # futures_util::FutureExt::now_or_never(async {
/// let pipe = MemoryPipe::new([0; 64]);
/// let (tx, _rx) = pipe.open().expect("its ends are not out");
/// let mut tx = HookedSender::new(tx, Count(0));
/// tx.send_all(b"one").await?;
/// tx.send_all(b"two").await?;
/// assert_eq!(tx.hooks().0, 2);
/// # Ok::<(), tacket::testing::MemoryError>(())
/// # }).expect("ready").expect("no error");
/// ```
pub struct HookedSender<S, H: SendHooks> {
    /// There until it is closed.
    stream: Option<S>,
    hooks: H,
    /// Bytes were taken, and the hook is not done with that.
    due: bool,
    ended: bool,
}

impl<S, H: SendHooks> HookedSender<S, H> {
    /// Puts hooks on a stream. An `Option` of hooks can be put on and taken off at any time.
    pub const fn new(stream: S, hooks: H) -> Self {
        Self {
            stream: Some(stream),
            hooks,
            due: false,
            ended: false,
        }
    }

    /// The hooks.
    pub const fn hooks(&mut self) -> &mut H {
        &mut self.hooks
    }

    fn stream(&mut self) -> &mut S {
        match &mut self.stream {
            Some(stream) => stream,
            None => unreachable!("only a close takes it"),
        }
    }

    async fn catch_up(&mut self) {
        if self.due {
            self.hooks.sent().await;
            self.due = false;
        }
    }

    fn note_end(&mut self) {
        if !core::mem::replace(&mut self.ended, true) {
            self.hooks.closing();
        }
    }
}

impl<S: ErrorType, H: SendHooks> ErrorType for HookedSender<S, H> {
    type Error = S::Error;
}

impl<S: SendStream, H: SendHooks> Write for HookedSender<S, H> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, S::Error> {
        self.catch_up().await;
        let taken = self.stream().write(buf).await?;
        self.due |= taken > 0;
        Ok(taken)
    }

    async fn flush(&mut self) -> Result<(), S::Error> {
        self.catch_up().await;
        self.stream().flush().await
    }

    async fn write_all(&mut self, buf: &[u8]) -> Result<(), S::Error> {
        self.send_all(buf).await
    }
}

impl<S: SendStream, H: SendHooks> SendStream for HookedSender<S, H> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), S::Error> {
        self.catch_up().await;
        self.hooks.waiting().await;
        self.stream().wait_send_all_might_not_block().await
    }
}

impl<S: HalfCloseable, H: SendHooks> HalfCloseable for HookedSender<S, H> {
    async fn send_eof(&mut self) -> Result<(), S::Error> {
        self.catch_up().await;
        self.stream().send_eof().await?;
        self.note_end();
        Ok(())
    }
}

impl<S: SendStream + AsyncResource, H: SendHooks> AsyncResource for HookedSender<S, H> {
    async fn close(mut self) -> Result<(), S::Error> {
        self.catch_up().await;
        let closed = match self.stream.take() {
            Some(stream) => stream.close().await,
            None => Ok(()),
        };
        self.note_end();
        closed
    }
}

impl<S, H: SendHooks> Drop for HookedSender<S, H> {
    fn drop(&mut self) {
        drop(self.stream.take());
        self.note_end();
    }
}

impl<S: fmt::Debug, H: SendHooks> fmt::Debug for HookedSender<S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookedSender")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

/// A stream that receives, with hooks. It keeps the contract of the stream in it, as far as its hooks return.
///
/// The example of [`HookedSender`] is of the other direction.
pub struct HookedReceiver<R, H: ReceiveHooks> {
    /// There until it is closed.
    stream: Option<R>,
    hooks: H,
}

impl<R, H: ReceiveHooks> HookedReceiver<R, H> {
    /// Puts hooks on a stream. An `Option` of hooks can be put on and taken off at any time.
    pub const fn new(stream: R, hooks: H) -> Self {
        Self {
            stream: Some(stream),
            hooks,
        }
    }

    /// The hooks.
    pub const fn hooks(&mut self) -> &mut H {
        &mut self.hooks
    }

    fn stream(&mut self) -> &mut R {
        match &mut self.stream {
            Some(stream) => stream,
            None => unreachable!("only a close takes it"),
        }
    }
}

impl<R: ErrorType, H: ReceiveHooks> ErrorType for HookedReceiver<R, H> {
    type Error = R::Error;
}

impl<R: ReceiveStream, H: ReceiveHooks> Read for HookedReceiver<R, H> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, R::Error> {
        self.hooks.receiving().await;
        self.stream().read(buf).await
    }
}

impl<R: ReceiveStream, H: ReceiveHooks> ReceiveStream for HookedReceiver<R, H> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, R::Error> {
        self.hooks.receiving().await;
        self.stream().receive_some(buf).await
    }
}

impl<R: ReceiveStream + AsyncResource, H: ReceiveHooks> AsyncResource for HookedReceiver<R, H> {
    async fn close(mut self) -> Result<(), R::Error> {
        match self.stream.take() {
            Some(stream) => stream.close().await,
            None => Ok(()),
        }
    }
}

impl<R, H: ReceiveHooks> Drop for HookedReceiver<R, H> {
    fn drop(&mut self) {
        drop(self.stream.take());
        self.hooks.closing();
    }
}

impl<R: fmt::Debug, H: ReceiveHooks> fmt::Debug for HookedReceiver<R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookedReceiver")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}
