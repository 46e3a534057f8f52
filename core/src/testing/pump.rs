//! What streams in memory do without waiting, and how bytes get from one pipe to the next.

use embedded_io_async::Write as _;
use futures_util::FutureExt as _;

use super::{MemoryError, MemoryReceiveStream, MemorySendStream};
use crate::{HalfCloseable as _, ReceiveStream as _};

/// How many bytes move at once.
const PIECE: usize = 64;

impl<B: AsMut<[u8]>> MemorySendStream<'_, B> {
    /// Writes as much of `data` as there is room for now, and returns how much that was.
    ///
    /// # Errors
    ///
    /// [`MemoryError::WouldBlock`]: there is no room. Otherwise those of `write`.
    pub fn try_write(&mut self, data: &[u8]) -> Result<usize, MemoryError> {
        let written = self.write(data).now_or_never();
        written.unwrap_or(Err(MemoryError::WouldBlock))
    }
}

impl<B: AsMut<[u8]>> MemoryReceiveStream<'_, B> {
    /// Receives what is there now, as much as fits into `buf`, and returns how much that was. 0 is the end.
    ///
    /// # Errors
    ///
    /// [`MemoryError::WouldBlock`]: nothing is there. Otherwise those of `receive_some`.
    pub fn try_receive(&mut self, buf: &mut [u8]) -> Result<usize, MemoryError> {
        let received = self.receive_some(buf).now_or_never();
        received.unwrap_or(Err(MemoryError::WouldBlock))
    }

    /// Moves up to `most` bytes from here into another pipe, as many as are there and as it has room for; behind the last one,
    /// the end. Returns whether there was anything to move.
    ///
    /// # Errors
    ///
    /// Those of `receive_some` and of `write`. No byte is lost.
    ///
    /// ```
    /// use tacket::SendStream;
    /// use tacket::testing::MemoryPipe;
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let (first, second) = (MemoryPipe::new([0; 8]), MemoryPipe::new([0; 8]));
    /// let (mut tx, mut between) = first.open().expect("its ends are not out");
    /// let (mut on, mut rx) = second.open().expect("its ends are not out");
    /// tx.send_all(b"abc").await?;
    /// assert_eq!(between.pump(&mut on, 2), Ok(true));
    /// assert_eq!(rx.try_receive(&mut [0; 8]), Ok(2));
    /// # Ok::<(), tacket::testing::MemoryError>(())
    /// # }).expect("ready").expect("no error");
    /// ```
    pub fn pump<C: AsMut<[u8]>>(
        &mut self,
        to: &mut MemorySendStream<'_, C>,
        most: usize,
    ) -> Result<bool, MemoryError> {
        let mut piece = [0; PIECE];
        let mut moved = 0;
        while moved < most {
            let room = to.room().min(most - moved).min(PIECE);
            let (room, _) = piece.split_at_mut(room);
            if room.is_empty() {
                return match to.try_write(&[]) {
                    Ok(_) => Ok(moved > 0),
                    Err(MemoryError::Closed) if self.has_ended() => Ok(true),
                    Err(error) => Err(error),
                };
            }
            match self.try_receive(room) {
                Ok(0) => {
                    let _ = to.send_eof().now_or_never();
                    return Ok(true);
                }
                Ok(count) => moved += to.try_write(room.get(..count).unwrap_or_default())?,
                Err(MemoryError::WouldBlock) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(moved > 0)
    }
}
