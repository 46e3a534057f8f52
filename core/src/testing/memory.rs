//! Pipes and two-way streams over a fixed buffer in memory.

use core::cell::RefCell;
use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};

use embedded_io_async::{ErrorKind, ErrorType, Read, Write};

use crate::{AsyncResource, Error, Fault, HalfCloseable, ReceiveStream, SendStream, Split};

/// A one-way pipe over a buffer that the caller chooses: an array, a slice, a vector.
///
/// It clogs when the buffer is full. Its ends borrow it and know no threads.
///
/// * The sender's `send_eof` or `close`: the receiver gets what is in the buffer, then the end.
/// * The sender dropped: the receiver gets what is in the buffer, then [`MemoryError::Broken`].
/// * The receiver closed or dropped: what is in the buffer is discarded, and sends are [`MemoryError::Broken`].
/// * Over an empty buffer every send is [`MemoryError::Capacity`].
///
/// ```
/// use tacket::testing::MemoryPipe;
/// use tacket::{AsyncResource, ReceiveStream, SendStream};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let pipe = MemoryPipe::new([0; 64]);
/// let (mut tx, mut rx) = pipe.open().expect("its ends are not out");
/// tx.send_all(b"hello").await?;
/// tx.close().await?;
///
/// let mut buf = [0; 64];
/// assert_eq!(rx.receive_some(&mut buf).await?, 5);
/// assert_eq!(rx.receive_some(&mut buf).await?, 0);
/// # Ok::<(), tacket::testing::MemoryError>(())
/// # }).expect("ready").expect("no error");
/// ```
pub struct MemoryPipe<B> {
    state: RefCell<State<B>>,
}

struct State<B> {
    buffer: B,
    /// Where the oldest byte is.
    start: usize,
    /// How many bytes are waiting.
    filled: usize,
    sender: Sender,
    receiver_out: bool,
    send_waker: Option<Waker>,
    receive_waker: Option<Waker>,
}

/// What the sending end has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    /// It is out and may send.
    Open,
    /// It is out and has sent its end.
    Ended,
    /// It was dropped after its end.
    Closed,
    /// It was dropped without one, or never handed out.
    Gone,
}

impl<B: AsMut<[u8]>> MemoryPipe<B> {
    /// Makes a pipe that holds as many bytes as `buffer` has.
    pub const fn new(buffer: B) -> Self {
        Self {
            state: RefCell::new(State {
                buffer,
                start: 0,
                filled: 0,
                sender: Sender::Gone,
                receiver_out: false,
                send_waker: None,
                receive_waker: None,
            }),
        }
    }

    /// Hands out both ends of an empty pipe.
    ///
    /// `None` while an end of an earlier call is still there. Once both are gone, the pipe can be opened anew.
    pub fn open(&self) -> Option<(MemorySendStream<'_, B>, MemoryReceiveStream<'_, B>)> {
        let mut state = self.state.borrow_mut();
        let sender_out = matches!(state.sender, Sender::Open | Sender::Ended);
        if sender_out || state.receiver_out {
            return None;
        }
        state.start = 0;
        state.filled = 0;
        state.sender = Sender::Open;
        state.receiver_out = true;
        Some((
            MemorySendStream { pipe: self },
            MemoryReceiveStream { pipe: self },
        ))
    }

    fn poll_write(&self, cx: &Context<'_>, data: &[u8]) -> Poll<Result<usize, MemoryError>> {
        let mut state = self.state.borrow_mut();
        let capacity = state.buffer.as_mut().len();
        state.check_sending()?;
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if capacity == 0 {
            return Poll::Ready(Err(MemoryError::Capacity));
        }
        if state.filled == capacity {
            let replaced = register(&mut state.send_waker, cx);
            drop(state);
            drop(replaced);
            return Poll::Pending;
        }
        let count = state.put(data);
        let waker = state.receive_waker.take();
        drop(state);
        wake(waker);
        Poll::Ready(Ok(count))
    }

    fn poll_room(&self, cx: &Context<'_>) -> Poll<Result<(), MemoryError>> {
        let mut state = self.state.borrow_mut();
        let capacity = state.buffer.as_mut().len();
        state.check_sending()?;
        if capacity > 0 && state.filled == capacity {
            let replaced = register(&mut state.send_waker, cx);
            drop(state);
            drop(replaced);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&self, cx: &Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, MemoryError>> {
        let mut state = self.state.borrow_mut();
        if state.filled == 0 {
            return match state.sender {
                Sender::Open => {
                    let replaced = register(&mut state.receive_waker, cx);
                    drop(state);
                    drop(replaced);
                    Poll::Pending
                }
                Sender::Ended | Sender::Closed => Poll::Ready(Ok(0)),
                Sender::Gone => Poll::Ready(Err(MemoryError::Broken)),
            };
        }
        let count = state.take(buf);
        let waker = state.send_waker.take();
        drop(state);
        wake(waker);
        Poll::Ready(Ok(count))
    }

    fn end(&self) {
        let mut state = self.state.borrow_mut();
        state.sender = Sender::Ended;
        let waker = state.receive_waker.take();
        drop(state);
        wake(waker);
    }
}

impl<B> MemoryPipe<B> {
    fn drop_sender(&self) {
        let mut state = self.state.borrow_mut();
        state.sender = if state.sender == Sender::Ended {
            Sender::Closed
        } else {
            Sender::Gone
        };
        let wakers = (state.receive_waker.take(), state.send_waker.take());
        drop(state);
        wake(wakers.0);
    }

    fn drop_receiver(&self) {
        let mut state = self.state.borrow_mut();
        state.receiver_out = false;
        state.filled = 0;
        let wakers = (state.send_waker.take(), state.receive_waker.take());
        drop(state);
        wake(wakers.0);
    }
}

impl<B: AsMut<[u8]>> State<B> {
    fn check_sending(&self) -> Result<(), MemoryError> {
        if self.sender == Sender::Ended {
            Err(MemoryError::Closed)
        } else if !self.receiver_out {
            Err(MemoryError::Broken)
        } else {
            Ok(())
        }
    }

    /// Copies as much of `data` as there is room for, round the end of the buffer if need be.
    fn put(&mut self, data: &[u8]) -> usize {
        let buffer = self.buffer.as_mut();
        let capacity = buffer.len();
        let count = data.len().min(capacity - self.filled);
        let at = (self.start + self.filled) % capacity;
        let (head, tail) = data.split_at(count).0.split_at(count.min(capacity - at));
        if let Some(room) = buffer.get_mut(at..at + head.len()) {
            room.copy_from_slice(head);
        }
        if let Some(room) = buffer.get_mut(..tail.len()) {
            room.copy_from_slice(tail);
        }
        self.filled += count;
        count
    }

    /// Copies as much as fits into `buf`, round the end of the buffer if need be.
    fn take(&mut self, buf: &mut [u8]) -> usize {
        let buffer = self.buffer.as_mut();
        let capacity = buffer.len();
        let count = buf.len().min(self.filled);
        let (head, tail) = buf
            .split_at_mut(count)
            .0
            .split_at_mut(count.min(capacity - self.start));
        if let Some(data) = buffer.get(self.start..self.start + head.len()) {
            head.copy_from_slice(data);
        }
        if let Some(data) = buffer.get(..tail.len()) {
            tail.copy_from_slice(data);
        }
        self.start = (self.start + count) % capacity;
        self.filled -= count;
        count
    }
}

/// Puts the task's waker into `slot`, and hands back the one that was there, to drop outside of any borrow.
#[must_use]
fn register(slot: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => None,
        _ => slot.replace(cx.waker().clone()),
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<B> fmt::Debug for MemoryPipe<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.borrow();
        f.debug_struct("MemoryPipe")
            .field("filled", &state.filled)
            .field("sender", &state.sender)
            .field("receiver_out", &state.receiver_out)
            .finish_non_exhaustive()
    }
}

/// The error of memory streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryError {
    /// The end was sent earlier.
    Closed,
    /// The other end is gone, without a proper end.
    Broken,
    /// A receive was given an empty buffer.
    EmptyBuffer,
    /// The pipe has no buffer, so it can never take a byte.
    Capacity,
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the end of the stream was sent earlier",
            Self::Broken => "the other end is gone",
            Self::EmptyBuffer => "cannot receive into an empty buffer",
            Self::Capacity => "a pipe without a buffer takes no bytes",
        })
    }
}

impl core::error::Error for MemoryError {}

impl embedded_io_async::Error for MemoryError {
    fn kind(&self) -> ErrorKind {
        self.fault().kind()
    }
}

impl Error for MemoryError {
    fn fault(&self) -> Fault {
        match self {
            Self::Closed => Fault::Closed,
            Self::Broken => Fault::Broken,
            Self::EmptyBuffer => Fault::InvalidInput,
            Self::Capacity => Fault::Capacity,
        }
    }
}

/// The sending end of a [`MemoryPipe`].
#[derive(Debug)]
pub struct MemorySendStream<'p, B> {
    pipe: &'p MemoryPipe<B>,
}

impl<B> ErrorType for MemorySendStream<'_, B> {
    type Error = MemoryError;
}

impl<B: AsMut<[u8]>> Write for MemorySendStream<'_, B> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, MemoryError> {
        poll_fn(|cx| self.pipe.poll_write(cx, buf)).await
    }

    async fn flush(&mut self) -> Result<(), MemoryError> {
        Ok(())
    }

    async fn write_all(&mut self, buf: &[u8]) -> Result<(), MemoryError> {
        self.send_all(buf).await
    }
}

impl<B: AsMut<[u8]>> SendStream for MemorySendStream<'_, B> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), MemoryError> {
        poll_fn(|cx| self.pipe.poll_room(cx)).await
    }
}

impl<B: AsMut<[u8]>> HalfCloseable for MemorySendStream<'_, B> {
    async fn send_eof(&mut self) -> Result<(), MemoryError> {
        self.pipe.end();
        Ok(())
    }
}

impl<B: AsMut<[u8]>> AsyncResource for MemorySendStream<'_, B> {
    async fn close(self) -> Result<(), MemoryError> {
        self.pipe.end();
        Ok(())
    }
}

impl<B> Drop for MemorySendStream<'_, B> {
    fn drop(&mut self) {
        self.pipe.drop_sender();
    }
}

/// The receiving end of a [`MemoryPipe`].
#[derive(Debug)]
pub struct MemoryReceiveStream<'p, B> {
    pipe: &'p MemoryPipe<B>,
}

impl<B> ErrorType for MemoryReceiveStream<'_, B> {
    type Error = MemoryError;
}

impl<B: AsMut<[u8]>> Read for MemoryReceiveStream<'_, B> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, MemoryError> {
        if buf.is_empty() {
            Ok(0)
        } else {
            self.receive_some(buf).await
        }
    }
}

impl<B: AsMut<[u8]>> ReceiveStream for MemoryReceiveStream<'_, B> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, MemoryError> {
        if buf.is_empty() {
            return Err(MemoryError::EmptyBuffer);
        }
        poll_fn(|cx| self.pipe.poll_read(cx, buf)).await
    }
}

impl<B> AsyncResource for MemoryReceiveStream<'_, B> {
    async fn close(self) -> Result<(), MemoryError> {
        Ok(())
    }
}

impl<B> Drop for MemoryReceiveStream<'_, B> {
    fn drop(&mut self) {
        self.pipe.drop_receiver();
    }
}

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
