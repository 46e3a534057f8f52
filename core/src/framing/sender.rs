//! Sending messages.

use core::ops::Range;

use embedded_io_async::ErrorType;

use super::{Framing, FramingError, Oversize};
use crate::stream::yield_now;
use crate::{AsyncResource, Error, SendChannel, SendStream};

/// Sends messages of at most `N` bytes, framing included, into a stream of bytes.
///
/// ```
/// use tacket::{FramingError, LengthPrefixed, MessageSender, SendStream};
///
/// /// Sends each word as a message.
/// async fn send_words<S: SendStream>(
///     stream: S,
///     text: &str,
/// ) -> Result<(), FramingError<S::Error>> {
///     let mut messages = MessageSender::<_, _, 64>::new(stream, LengthPrefixed::<2>);
///     for word in text.split(' ') {
///         messages.send(word.as_bytes()).await?;
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct MessageSender<S, F, const N: usize> {
    stream: S,
    framing: F,
    frame: [u8; N],
    /// What is still to be sent of the frame.
    rest: Range<usize>,
}

impl<S, F, const N: usize> MessageSender<S, F, N> {
    /// Sends into `stream`.
    pub const fn new(stream: S, framing: F) -> Self {
        Self {
            stream,
            framing,
            frame: [0; N],
            rest: 0..0,
        }
    }

    /// The stream. What is left of a message whose send was dropped is lost, and the stream then has a part of it: see
    /// [`finish`](Self::finish).
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: SendStream<Error: Error>, F: Framing, const N: usize> MessageSender<S, F, N> {
    /// Sends `message`, after what a dropped send has left.
    ///
    /// # Errors
    ///
    /// [`FramingError::TooLongToSend`], also for a message with the delimiter in it: nothing of it was sent, and the next can be. Those of the stream: then the message
    /// has perhaps begun, and its rest is as that of a dropped send; [`unsent`](Self::unsent) tells.
    ///
    /// # Cancel safety
    ///
    /// Safe. A future dropped before it completes leaves the rest of the message to the next call or to [`finish`](Self::finish): never is half a
    /// message followed by another one. Where nothing was [`unsent`](Self::unsent) before, it begins with its first poll; else it may not have begun.
    pub async fn send(&mut self, message: &[u8]) -> Result<(), FramingError<S::Error>> {
        if !self.rest.is_empty() {
            self.finish().await?;
        }
        let most = N.saturating_sub(self.framing.overhead());
        let length = message.len();
        if length > most {
            return Err(FramingError::TooLongToSend(Oversize { length, most }));
        }
        let end = self.framing.put(message, &mut self.frame);
        self.rest = 0..end.map_err(FramingError::TooLongToSend)?.min(N);
        self.finish().await
    }

    /// How many bytes are left of a message whose send was dropped, or has failed. They go before the next one.
    pub const fn unsent(&self) -> usize {
        self.rest.end - self.rest.start
    }

    /// Sends what a dropped send has left.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    ///
    /// # Cancel safety
    ///
    /// Safe. It can be repeated.
    pub async fn finish(&mut self) -> Result<(), FramingError<S::Error>> {
        while !self.rest.is_empty() {
            let data = self.frame.get(self.rest.clone()).unwrap_or_default();
            let written = self.stream.write(data).await;
            match written.map_err(FramingError::Stream)? {
                0 => yield_now().await, // from a broken `write`: as `send_rest`, it tries again
                count => self.rest.start += count,
            }
        }
        self.stream.flush().await.map_err(FramingError::Stream)
    }
}

impl<S: ErrorType<Error: Error + 'static>, F, const N: usize> ErrorType for MessageSender<S, F, N> {
    type Error = FramingError<S::Error>;
}

impl<S, F, const N: usize> AsyncResource for MessageSender<S, F, N>
where
    S: SendStream<Error: Error + 'static> + AsyncResource,
    F: Framing,
{
    /// Sends what a dropped send has left, and closes the stream, also if that fails.
    ///
    /// # Errors
    ///
    /// Those of the stream, the first.
    ///
    /// # Cancel safety
    ///
    /// Safe. A dropped close has closed the stream.
    async fn close(mut self) -> Result<(), Self::Error> {
        // Without a rest, that the peer has left is no failure.
        let finished = match self.rest.is_empty() {
            true => Ok(()),
            false => self.finish().await,
        };
        let closed = self.stream.close().await.map_err(FramingError::Stream);
        finished.and(closed)
    }
}

impl<S, F, const N: usize> SendChannel<&[u8]> for MessageSender<S, F, N>
where
    S: SendStream<Error: Error + 'static> + AsyncResource,
    F: Framing,
{
    async fn send(&mut self, message: &[u8]) -> Result<(), Self::Error> {
        Self::send(self, message).await
    }
}
