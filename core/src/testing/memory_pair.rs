//! Two-way streams in memory, of two pipes.

use embedded_io_async::{ErrorType, Read, Write};

use super::{MemoryError, MemoryPipe, MemoryReceiveStream, MemorySendStream};
use crate::{AsyncResource, HalfCloseable, ReceiveStream, SendStream, Split};

/// Two pipes, one for each direction, to make a pair of two-way streams.
///
/// ```
/// use tacket::testing::MemoryPair;
/// use tacket::{ReceiveStream, SendStream};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let pair = MemoryPair::new([0; 16], [0; 16]);
/// let (mut left, mut right) = pair.open().expect("its ends are not out");
/// left.send_all(b"over").await?;
/// right.receive_some(&mut [0; 16]).await?;
/// # Ok::<(), tacket::testing::MemoryError>(())
/// # }).expect("ready").expect("no error");
/// ```
#[derive(Debug)]
pub struct MemoryPair<B> {
    to_right: MemoryPipe<B>,
    to_left: MemoryPipe<B>,
}

impl<B: AsMut<[u8]>> MemoryPair<B> {
    /// Makes a pair over two buffers: one for what the left end sends, one for what the right end sends.
    pub const fn new(to_right: B, to_left: B) -> Self {
        Self {
            to_right: MemoryPipe::new(to_right),
            to_left: MemoryPipe::new(to_left),
        }
    }

    /// Makes a pair of which each direction holds nothing: see [`MemoryPipe::lockstep`].
    pub const fn lockstep(to_right: B, to_left: B) -> Self {
        Self {
            to_right: MemoryPipe::lockstep(to_right),
            to_left: MemoryPipe::lockstep(to_left),
        }
    }

    /// Hands out the left and the right end, with empty buffers.
    ///
    /// `None` while an end of an earlier call is still there. Once both are gone, the pair can be opened anew.
    pub fn open(&self) -> Option<(MemoryStream<'_, B>, MemoryStream<'_, B>)> {
        let (left_send, right_receive) = self.to_right.open()?;
        let (right_send, left_receive) = self.to_left.open()?;
        Some((
            MemoryStream {
                send: left_send,
                receive: left_receive,
            },
            MemoryStream {
                send: right_send,
                receive: right_receive,
            },
        ))
    }
}

/// One end of a [`MemoryPair`]: a two-way stream.
#[derive(Debug)]
pub struct MemoryStream<'p, B> {
    send: MemorySendStream<'p, B>,
    receive: MemoryReceiveStream<'p, B>,
}

impl<B> ErrorType for MemoryStream<'_, B> {
    type Error = MemoryError;
}

impl<B: AsMut<[u8]>> Write for MemoryStream<'_, B> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, MemoryError> {
        self.send.write(buf).await
    }

    async fn flush(&mut self) -> Result<(), MemoryError> {
        self.send.flush().await
    }

    async fn write_all(&mut self, buf: &[u8]) -> Result<(), MemoryError> {
        self.send.write_all(buf).await
    }
}

impl<B: AsMut<[u8]>> SendStream for MemoryStream<'_, B> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), MemoryError> {
        self.send.wait_send_all_might_not_block().await
    }
}

impl<B: AsMut<[u8]>> HalfCloseable for MemoryStream<'_, B> {
    async fn send_eof(&mut self) -> Result<(), MemoryError> {
        self.send.send_eof().await
    }
}

impl<B: AsMut<[u8]>> Read for MemoryStream<'_, B> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, MemoryError> {
        self.receive.read(buf).await
    }
}

impl<B: AsMut<[u8]>> ReceiveStream for MemoryStream<'_, B> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, MemoryError> {
        self.receive.receive_some(buf).await
    }
}

impl<'p, B: AsMut<[u8]>> Split for MemoryStream<'p, B> {
    type Sending<'a>
        = &'a mut MemorySendStream<'p, B>
    where
        Self: 'a;
    type Receiving<'a>
        = &'a mut MemoryReceiveStream<'p, B>
    where
        Self: 'a;

    fn split(&mut self) -> (Self::Sending<'_>, Self::Receiving<'_>) {
        (&mut self.send, &mut self.receive)
    }
}

impl<B: AsMut<[u8]>> AsyncResource for MemoryStream<'_, B> {
    async fn close(self) -> Result<(), MemoryError> {
        self.send.close().await?;
        self.receive.close().await
    }
}
