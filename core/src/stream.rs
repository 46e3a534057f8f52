//! The contract of a byte stream, case by case.
//!
//! The traits build on those of `embedded-io-async` and add what those leave open: an end that stays the end, sends
//! that can be resumed, half-close, full duplex and two kinds of close. [`testing`](crate::testing) holds the functions that
//! check an implementation against every clause below.

use core::future::poll_fn;
use core::task::Poll;

use embedded_io_async::{ErrorType, Read, Write};

use crate::{AsyncResource, Error};

/// The receiving direction of a byte stream.
pub trait ReceiveStream: Read<Error: Error> {
    /// Receives some bytes into `buf` and returns how many.
    ///
    /// Waits until at least one byte is there, then returns what is there, up to `buf.len()`, without waiting for
    /// more. `Ok(0)` is the end of the stream, and stays so.
    ///
    /// [`Read::read`] is the same, but for an empty `buf`: that is `Ok(0)` there.
    ///
    /// # Errors
    ///
    /// [`Fault::InvalidInput`](crate::Fault::InvalidInput): `buf` is empty, which could not be told from the end.
    /// [`Fault::Broken`](crate::Fault::Broken): the peer or the path failed. It is sticky; bytes that had arrived
    /// before are delivered first where the layer still has them.
    ///
    /// # Cancel safety
    ///
    /// Safe. A future dropped before it completes has taken nothing.
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error>;
}

/// The sending direction of a byte stream.
///
/// [`Write::write`] is the primitive below the methods here, and an implementation makes it exact: it waits until at
/// least one byte can be taken, takes as many as fit, and returns how many; a future dropped before it is ready has
/// taken none. An empty `write` takes nothing and waits for nothing: it is `Ok(0)`, or the error that any other
/// write would meet now. [`Write::flush`] returns once every byte taken so far was handed to the transport below and
/// that transport was flushed too; it does not wait for the peer. It can be repeated after a drop.
pub trait SendStream: Write<Error: Error> {
    /// Sends all of `data`; returns once the transport has taken every byte.
    ///
    /// Empty `data` sends nothing and is no end of stream, but meets the same errors.
    ///
    /// # Errors
    ///
    /// [`Fault::Closed`](crate::Fault::Closed): after `send_eof`. [`Fault::Broken`](crate::Fault::Broken): the peer
    /// or the path failed; sticky.
    ///
    /// # Cancel safety
    ///
    /// Not safe. Of a dropped `send_all`, any prefix may have been sent, and nobody knows which. The stream itself
    /// stays usable; [`send_rest`](Self::send_rest) tells the prefix.
    async fn send_all(&mut self, data: &[u8]) -> Result<(), Self::Error> {
        let mut rest = data;
        self.send_rest(&mut rest).await
    }

    /// Sends all of `data`, and moves the start of `data` past each byte as it is taken.
    ///
    /// The resumable [`send_all`](Self::send_all): whatever interrupts it, `data` is what remains to be sent. Called
    /// again with that, it completes the first call; with empty `data` it only flushes.
    ///
    /// # Errors
    ///
    /// As for `send_all`. `data` then starts at the first byte that was not taken.
    ///
    /// # Cancel safety
    ///
    /// Safe. After a drop, `data` is exactly what is left to send.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::time::Duration;
    /// use tacket::{Clock, SendStream, timeout};
    ///
    /// /// Sends `data`, but for at most a second. Returns how much of it was sent; the stream goes on from there.
    /// async fn send_for_a_second<S: SendStream>(
    ///     tx: &mut S,
    ///     data: &[u8],
    ///     clock: &impl Clock,
    /// ) -> Result<usize, S::Error> {
    ///     let mut rest = data;
    ///     let sending = timeout(clock, Duration::from_secs(1), tx.send_rest(&mut rest)).await;
    ///     sending.unwrap_or(Ok(()))?;
    ///     Ok(data.len() - rest.len())
    /// }
    /// ```
    async fn send_rest(&mut self, data: &mut &[u8]) -> Result<(), Self::Error> {
        loop {
            let count = self.write(data).await?;
            if count == 0 && !data.is_empty() {
                // Against the contract of `write`. Giving way keeps the caller able to time out.
                yield_now().await;
            }
            *data = data.get(count..).unwrap_or_default();
            if data.is_empty() {
                return self.flush().await;
            }
        }
    }

    /// Waits until a `send_all` might not have to wait.
    ///
    /// May return early, never late: on a stream where sending is possible, or has failed for good, it returns. So a
    /// program can decide what to send at the moment when it can be sent.
    ///
    /// # Errors
    ///
    /// [`Fault::Closed`](crate::Fault::Closed): after `send_eof`. [`Fault::Broken`](crate::Fault::Broken) may be
    /// reported here or left to the next send.
    ///
    /// # Cancel safety
    ///
    /// Safe. It takes no data.
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), Self::Error>;
}

/// A sending direction that can end on its own, while the other direction goes on.
pub trait HalfCloseable: SendStream {
    /// Ends the sending direction: the peer receives what was sent, then the end of the stream.
    ///
    /// Flushes first. Receiving goes on. Later sends are `Closed`; a second `send_eof` is `Ok`.
    ///
    /// # Errors
    ///
    /// [`Fault::Unsupported`](crate::Fault::Unsupported): this layer has no end of its own short of closing.
    /// [`Fault::Broken`](crate::Fault::Broken): the peer or the path failed.
    ///
    /// # Cancel safety
    ///
    /// Safe. After a drop the end may have been sent or not; calling again completes it.
    async fn send_eof(&mut self) -> Result<(), Self::Error>;
}

/// A two-way stream whose directions can be used at the same time.
///
/// The halves borrow the stream and are not resources: dropping one closes nothing. They hold the borrow until they
/// are dropped, so drop both before closing the stream:
///
/// ```
/// use futures_util::future::try_join;
/// use tacket::{HalfCloseable, ReceiveStream, SendStream, Stream};
///
/// /// Sends `request` while receiving what the peer has to say, and returns the length of that.
/// async fn exchange<S: Stream>(mut stream: S, request: &[u8]) -> Result<usize, S::Error> {
///     let (mut tx, mut rx) = stream.split();
///     let sending = async {
///         tx.send_all(request).await?;
///         tx.send_eof().await
///     };
///     let receiving = async {
///         let (mut total, mut buf) = (0, [0; 256]);
///         loop {
///             match rx.receive_some(&mut buf).await? {
///                 0 => return Ok(total),
///                 count => total += count,
///             }
///         }
///     };
///     let ((), total) = try_join(sending, receiving).await?;
///     drop((tx, rx));
///     stream.close().await?;
///     Ok(total)
/// }
/// ```
///
/// In generic code never bound the halves themselves with `for<'a> S::Sending<'a>: Bound`: stable Rust then demands
/// `S: 'static`. What a protocol needs is in the bounds here.
pub trait Split: SendStream + ReceiveStream {
    /// The sending half.
    type Sending<'a>: HalfCloseable + ErrorType<Error = Self::Error>
    where
        Self: 'a;
    /// The receiving half.
    type Receiving<'a>: ReceiveStream + ErrorType<Error = Self::Error>
    where
        Self: 'a;

    /// Borrows both directions, for use at the same time.
    fn split(&mut self) -> (Self::Sending<'_>, Self::Receiving<'_>);
}

/// A two-way stream that can give its directions away, to be kept where each is needed.
///
/// Unlike the halves of [`split`](Split::split) these are resources, and hold no borrow:
///
/// * Closing the sending half sends the end; receiving goes on.
/// * Dropped without its end, the sending half aborts the connection, once the other half is gone too.
/// * Without the receiving half, nobody receives what arrives; sending goes on. A peer that sends more than the connection holds has to wait.
///
/// ```
/// use tacket::{AsyncResource, IntoSplit, ReceiveStream, SendStream};
///
/// /// Sends all that `source` brings, and gives back the half that hears the answer.
/// async fn pump<S: IntoSplit>(
///     source: &mut impl ReceiveStream,
///     stream: S,
/// ) -> Result<S::OwnedReceiving, S::Error> {
///     let (mut tx, rx) = stream.into_split();
///     let mut buf = [0; 256];
///     while let Ok(count @ 1..) = source.receive_some(&mut buf).await {
///         tx.send_all(&buf[..count]).await?;
///     }
///     tx.close().await?; // the end
///     Ok(rx)
/// }
/// ```
pub trait IntoSplit: Split + Sized {
    /// The sending half.
    type OwnedSending: HalfCloseable + AsyncResource + ErrorType<Error = Self::Error>;
    /// The receiving half.
    type OwnedReceiving: ReceiveStream + AsyncResource + ErrorType<Error = Self::Error>;

    /// Gives both directions away. It may allocate once.
    fn into_split(self) -> (Self::OwnedSending, Self::OwnedReceiving);

    /// Makes one stream of two halves again.
    ///
    /// # Errors
    ///
    /// They are not of one stream, where that matters; here they are.
    fn reunite(
        sending: Self::OwnedSending,
        receiving: Self::OwnedReceiving,
    ) -> Result<Self, (Self::OwnedSending, Self::OwnedReceiving)>;
}

/// A two-way byte stream: what protocols take.
///
/// Implemented for everything that has its parts.
///
/// ```
/// use tacket::Stream;
///
/// async fn greet<S: Stream>(mut stream: S) -> Result<(), S::Error> {
///     stream.send_all(b"hello\n").await?;
///     stream.close().await
/// }
/// ```
pub trait Stream: Split + HalfCloseable + AsyncResource {}

impl<S: Split + HalfCloseable + AsyncResource> Stream for S {}

impl<T: ReceiveStream + ?Sized> ReceiveStream for &mut T {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        T::receive_some(self, buf).await
    }
}

impl<T: SendStream + ?Sized> SendStream for &mut T {
    async fn send_all(&mut self, data: &[u8]) -> Result<(), Self::Error> {
        T::send_all(self, data).await
    }

    async fn send_rest(&mut self, data: &mut &[u8]) -> Result<(), Self::Error> {
        T::send_rest(self, data).await
    }

    async fn wait_send_all_might_not_block(&mut self) -> Result<(), Self::Error> {
        T::wait_send_all_might_not_block(self).await
    }
}

impl<T: HalfCloseable + ?Sized> HalfCloseable for &mut T {
    async fn send_eof(&mut self) -> Result<(), Self::Error> {
        T::send_eof(self).await
    }
}

impl<T: Split + ?Sized> Split for &mut T {
    type Sending<'a>
        = T::Sending<'a>
    where
        Self: 'a;
    type Receiving<'a>
        = T::Receiving<'a>
    where
        Self: 'a;

    fn split(&mut self) -> (Self::Sending<'_>, Self::Receiving<'_>) {
        T::split(self)
    }
}

/// Gives other tasks of the same executor a turn.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
