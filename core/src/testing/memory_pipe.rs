//! One-way pipes over a fixed buffer in memory.

use core::cell::RefCell;
use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use embedded_io_async::{ErrorType, Read, Write};

use super::MemoryError;
use crate::{AsyncResource, HalfCloseable, ReceiveStream, SendStream};

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
    /// Takes bytes only for a receive that waits.
    is_lockstep: bool,
    state: RefCell<State<B>>,
}

struct State<B> {
    buffer: B,
    /// Where the oldest byte is.
    start: usize,
    /// How many bytes are waiting.
    filled: usize,
    /// For how many bytes a receive waits, in lockstep.
    wanted: usize,
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
        Self::with(buffer, false)
    }

    /// Makes a pipe that holds nothing: bytes move only while a receive waits for them, and a send is over when all of its bytes
    /// were received. `buffer` is what they cross in, up to so many at once.
    ///
    /// Whoever relies on a buffer between two ends hangs here.
    ///
    /// ```
    /// use embassy_futures::block_on;
    /// use embassy_futures::join::join;
    /// use tacket::testing::MemoryPipe;
    /// use tacket::{ReceiveStream, SendStream};
    ///
    /// let pipe = MemoryPipe::lockstep([0; 64]);
    /// let (mut tx, mut rx) = pipe.open().expect("its ends are not out");
    /// let mut buf = [0; 64];
    /// let both = join(tx.send_all(b"hello"), rx.receive_some(&mut buf));
    /// assert_eq!(block_on(both), (Ok(()), Ok(5)));
    /// ```
    pub const fn lockstep(buffer: B) -> Self {
        Self::with(buffer, true)
    }

    const fn with(buffer: B, is_lockstep: bool) -> Self {
        Self {
            is_lockstep,
            state: RefCell::new(State {
                buffer,
                start: 0,
                filled: 0,
                wanted: 0,
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
        state.wanted = 0;
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
        let room = state.room(capacity, self.is_lockstep);
        if room == 0 {
            let replaced = register(&mut state.send_waker, cx);
            drop(state);
            drop(replaced);
            return Poll::Pending;
        }
        let count = state.put(data, room);
        state.wanted = 0;
        let waker = state.receive_waker.take();
        drop(state);
        wake(waker);
        Poll::Ready(Ok(count))
    }

    fn poll_room(&self, cx: &Context<'_>) -> Poll<Result<(), MemoryError>> {
        let mut state = self.state.borrow_mut();
        let capacity = state.buffer.as_mut().len();
        state.check_sending()?;
        if capacity > 0 && state.room(capacity, self.is_lockstep) == 0 {
            let replaced = register(&mut state.send_waker, cx);
            drop(state);
            drop(replaced);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    /// In lockstep, waits until everything was received.
    fn poll_flush(&self, cx: &Context<'_>) -> Poll<Result<(), MemoryError>> {
        if !self.is_lockstep {
            return Poll::Ready(Ok(()));
        }
        let mut state = self.state.borrow_mut();
        if state.sender == Sender::Ended || state.filled == 0 {
            return Poll::Ready(Ok(()));
        }
        state.check_sending()?;
        let replaced = register(&mut state.send_waker, cx);
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    fn poll_read(&self, cx: &Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, MemoryError>> {
        let mut state = self.state.borrow_mut();
        if state.filled == 0 {
            return match state.sender {
                Sender::Open => {
                    let replaced = register(&mut state.receive_waker, cx);
                    let sender = match self.is_lockstep {
                        true => {
                            state.wanted = buf.len();
                            state.send_waker.take()
                        }
                        false => None,
                    };
                    drop(state);
                    drop(replaced);
                    wake(sender);
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
        if !self.is_lockstep {
            state.filled = 0; // else the sender still has to hear of it
        }
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

    /// How many bytes it takes now.
    fn room(&self, capacity: usize, is_lockstep: bool) -> usize {
        match is_lockstep {
            false => capacity - self.filled,
            true if self.filled == 0 => capacity.min(self.wanted),
            true => 0,
        }
    }

    /// Copies as much of `data` as there is `room` for, round the end of the buffer if need be.
    fn put(&mut self, data: &[u8], room: usize) -> usize {
        let buffer = self.buffer.as_mut();
        let capacity = buffer.len();
        let count = data.len().min(room);
        let at = wrapped(self.start + self.filled, capacity);
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
        self.filled -= count;
        self.start = match self.filled {
            0 => 0, // so that what comes next is in one piece
            _ => wrapped(self.start + count, capacity),
        };
        count
    }
}

/// Where `place` is in a buffer, if it may be behind the end by less than once its size.
fn wrapped(place: usize, capacity: usize) -> usize {
    match place.checked_sub(capacity) {
        Some(place) => place,
        None => place,
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

/// The sending end of a [`MemoryPipe`].
#[derive(Debug)]
pub struct MemorySendStream<'p, B> {
    pipe: &'p MemoryPipe<B>,
}

impl<B: AsMut<[u8]>> MemorySendStream<'_, B> {
    /// How many bytes it takes now.
    pub(super) fn room(&self) -> usize {
        let mut state = self.pipe.state.borrow_mut();
        let capacity = state.buffer.as_mut().len();
        match state.check_sending() {
            Ok(()) => state.room(capacity, self.pipe.is_lockstep),
            Err(_) => 0,
        }
    }
}

impl<B> ErrorType for MemorySendStream<'_, B> {
    type Error = MemoryError;
}

impl<B: AsMut<[u8]>> Write for MemorySendStream<'_, B> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, MemoryError> {
        poll_fn(|cx| self.pipe.poll_write(cx, buf)).await
    }

    async fn flush(&mut self) -> Result<(), MemoryError> {
        poll_fn(|cx| self.pipe.poll_flush(cx)).await
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

/// A receive under way. Over or dropped, it wants nothing any more.
struct Receiving<'a, B> {
    pipe: &'a MemoryPipe<B>,
    buf: &'a mut [u8],
}

impl<B: AsMut<[u8]>> Future for Receiving<'_, B> {
    type Output = Result<usize, MemoryError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.pipe.poll_read(cx, self.buf)
    }
}

impl<B> Drop for Receiving<'_, B> {
    fn drop(&mut self) {
        if self.pipe.is_lockstep {
            self.pipe.state.borrow_mut().wanted = 0;
        }
    }
}

/// The receiving end of a [`MemoryPipe`].
#[derive(Debug)]
pub struct MemoryReceiveStream<'p, B> {
    pipe: &'p MemoryPipe<B>,
}

impl<B> MemoryReceiveStream<'_, B> {
    /// Whether the end is next.
    pub(super) fn has_ended(&self) -> bool {
        let state = self.pipe.state.borrow();
        state.filled == 0 && matches!(state.sender, Sender::Ended | Sender::Closed)
    }
}

impl<B> ErrorType for MemoryReceiveStream<'_, B> {
    type Error = MemoryError;
}

impl<B: AsMut<[u8]>> Read for MemoryReceiveStream<'_, B> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, MemoryError> {
        if buf.is_empty() {
            Ok(0)
        } else {
            let pipe = self.pipe;
            Receiving { pipe, buf }.await
        }
    }
}

impl<B: AsMut<[u8]>> ReceiveStream for MemoryReceiveStream<'_, B> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, MemoryError> {
        if buf.is_empty() {
            return Err(MemoryError::EmptyBuffer);
        }
        let pipe = self.pipe;
        Receiving { pipe, buf }.await
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
