//! Receiving messages.

use core::ops::Range;

use embedded_io_async::ErrorType;

use super::{Framing, FramingError, Oversize, Seen};
use crate::{AsyncResource, Error, ReceiveStream};

/// Receives messages of at most `N` bytes, framing included, from a stream of bytes.
///
/// ```
/// use tacket::{Delimited, MessageReceiver, ReceiveStream};
///
/// /// Counts the lines that come.
/// async fn count<R: ReceiveStream>(stream: R) -> usize {
///     let mut lines = MessageReceiver::<_, _, 128>::new(stream, Delimited(b'\n'));
///     let mut count = 0;
///     while let Ok(Some(_line)) = lines.receive().await {
///         count += 1;
///     }
///     count
/// }
/// ```
#[derive(Debug)]
pub struct MessageReceiver<R, F, const N: usize> {
    stream: R,
    framing: F,
    buffer: [u8; N],
    /// What has come and was not received yet.
    filled: Range<usize>,
}

impl<R, F, const N: usize> MessageReceiver<R, F, N> {
    /// Receives from `stream`.
    pub const fn new(stream: R, framing: F) -> Self {
        Self {
            stream,
            framing,
            buffer: [0; N],
            filled: 0..0,
        }
    }

    /// The stream. What has come of the next messages is lost.
    pub fn into_inner(self) -> R {
        self.stream
    }
}

impl<R: ReceiveStream<Error: Error>, F: Framing, const N: usize> MessageReceiver<R, F, N> {
    /// Receives the next message; `None` once the stream has ended between two, and on every later call.
    ///
    /// # Errors
    ///
    /// [`FramingError::TooLongToReceive`] and [`FramingError::Malformed`], now and on every later call: what comes after that cannot be found.
    /// [`FramingError::Truncated`], and those of the stream.
    ///
    /// # Cancel safety
    ///
    /// Safe. What came of a message is kept for the next call.
    pub async fn receive(&mut self) -> Result<Option<&[u8]>, FramingError<R::Error>> {
        loop {
            match self.find()? {
                Some(message) => return Ok(self.buffer.get(message)),
                None if self.fill().await? => {}
                None if self.filled.is_empty() => return Ok(None),
                None => return Err(FramingError::Truncated),
            }
        }
    }

    /// Takes the next message out of what has come.
    fn find(&mut self) -> Result<Option<Range<usize>>, FramingError<R::Error>> {
        let most = N.saturating_sub(self.framing.overhead());
        let data = self.buffer.get(self.filled.clone()).unwrap_or_default();
        match self.framing.look(data, most) {
            Ok(Seen::Message { message, end }) => {
                let is_there = message.start <= message.end && message.end <= data.len();
                if !is_there || !(1..=data.len()).contains(&end) {
                    return Err(FramingError::Malformed);
                }
                let start = self.filled.start;
                self.filled.start += end;
                Ok(Some(start + message.start..start + message.end))
            }
            // There is no room for more of it.
            Ok(Seen::Part) if data.len() == N => {
                let length = N.saturating_add(1);
                Err(FramingError::TooLongToReceive(Oversize { length, most }))
            }
            Ok(Seen::Part) => Ok(None),
            Err(oversize) => Err(FramingError::TooLongToReceive(oversize)),
        }
    }

    /// Receives more; false at the end.
    async fn fill(&mut self) -> Result<bool, FramingError<R::Error>> {
        // A part of a message is shorter than the buffer, so there is room behind it once it stands in front.
        if self.filled.start > 0 {
            self.buffer.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
        }
        let room = self.buffer.get_mut(self.filled.end..).unwrap_or_default();
        let received = self.stream.receive_some(room).await;
        let count = received.map_err(FramingError::Stream)?;
        self.filled.end += count;
        Ok(count > 0)
    }
}

impl<R: ErrorType<Error: Error + 'static>, F, const N: usize> ErrorType
    for MessageReceiver<R, F, N>
{
    type Error = FramingError<R::Error>;
}

impl<R: AsyncResource<Error: Error + 'static>, F, const N: usize> AsyncResource
    for MessageReceiver<R, F, N>
{
    /// Closes the stream.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    ///
    /// # Cancel safety
    ///
    /// Safe. A dropped close has closed the stream.
    async fn close(self) -> Result<(), Self::Error> {
        self.stream.close().await.map_err(FramingError::Stream)
    }
}
