//! A pair of streams without any buffer: a byte moves only while one end sends and the other waits to receive.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};

use embedded_io_async::{ErrorType, Read, Write};
use tacket::testing::MemoryError;
use tacket::{AsyncResource, HalfCloseable, ReceiveStream, SendStream, Split};

/// Both directions of a pair.
#[derive(Debug, Default)]
pub struct LockstepPair {
    to_right: Crossing,
    to_left: Crossing,
}

impl LockstepPair {
    /// Hands out the left and the right end, anew each time.
    ///
    /// # Panics
    ///
    /// While an end of an earlier call is still there.
    pub fn open(&self) -> (LockstepStream<'_>, LockstepStream<'_>) {
        for crossing in [&self.to_right, &self.to_left] {
            let mut state = crossing.0.borrow_mut();
            assert!(
                !state.sender_out && !state.receiver_out,
                "one pair at a time"
            );
            *state = State {
                sender_out: true,
                receiver_out: true,
                ..State::default()
            };
        }
        let (right, left) = (&self.to_right, &self.to_left);
        (
            LockstepStream {
                send: LockstepSending(right),
                receive: LockstepReceiving(left),
            },
            LockstepStream {
                send: LockstepSending(left),
                receive: LockstepReceiving(right),
            },
        )
    }
}

/// One direction.
#[derive(Debug, Default)]
struct Crossing(RefCell<State>);

#[derive(Debug, Default)]
struct State {
    /// How much the receiver that waits has room for; 0: none waits.
    wanted: usize,
    /// On its way to the receiver that waited.
    crossing: Vec<u8>,
    sender_out: bool,
    ended: bool,
    receiver_out: bool,
    sender: Option<Waker>,
    receiver: Option<Waker>,
}

impl Crossing {
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.borrow_mut();
        change(&mut state);
        let wakers = (state.sender.take(), state.receiver.take());
        drop(state);
        for waker in [wakers.0, wakers.1].into_iter().flatten() {
            waker.wake();
        }
    }

    /// Waits as a sender until `ready` says so.
    fn poll_send(
        &self,
        cx: &Context<'_>,
        ready: impl FnOnce(&State) -> bool,
    ) -> Poll<Result<(), MemoryError>> {
        let mut state = self.0.borrow_mut();
        if state.ended {
            return Poll::Ready(Err(MemoryError::Closed));
        }
        if !state.receiver_out {
            return Poll::Ready(Err(MemoryError::Broken));
        }
        if ready(&state) {
            return Poll::Ready(Ok(()));
        }
        state.sender = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The sending end of one direction.
#[derive(Debug)]
pub struct LockstepSending<'p>(&'p Crossing);

/// The receiving end of one direction.
#[derive(Debug)]
pub struct LockstepReceiving<'p>(&'p Crossing);

/// One end of a [`LockstepPair`].
#[derive(Debug)]
pub struct LockstepStream<'p> {
    send: LockstepSending<'p>,
    receive: LockstepReceiving<'p>,
}

impl ErrorType for LockstepSending<'_> {
    type Error = MemoryError;
}

impl ErrorType for LockstepReceiving<'_> {
    type Error = MemoryError;
}

impl ErrorType for LockstepStream<'_> {
    type Error = MemoryError;
}

impl Write for LockstepSending<'_> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, MemoryError> {
        poll_fn(|cx| {
            self.0
                .poll_send(cx, |state| buf.is_empty() || state.wanted > 0)
        })
        .await?;
        let mut count = 0;
        self.0.change(|state| {
            count = buf.len().min(state.wanted);
            state.crossing.extend(buf.iter().take(count));
            if count > 0 {
                state.wanted = 0;
            }
        });
        Ok(count)
    }

    async fn flush(&mut self) -> Result<(), MemoryError> {
        if self.0.0.borrow().ended {
            return Ok(());
        }
        poll_fn(|cx| self.0.poll_send(cx, |state| state.crossing.is_empty())).await
    }

    async fn write_all(&mut self, buf: &[u8]) -> Result<(), MemoryError> {
        self.send_all(buf).await
    }
}

impl SendStream for LockstepSending<'_> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), MemoryError> {
        poll_fn(|cx| self.0.poll_send(cx, |state| state.wanted > 0)).await
    }
}

impl HalfCloseable for LockstepSending<'_> {
    async fn send_eof(&mut self) -> Result<(), MemoryError> {
        self.0.change(|state| state.ended = true);
        Ok(())
    }
}

/// Marks the receiver as waiting, for as long as it does.
struct Waiting<'p>(&'p Crossing);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.0.borrow_mut().wanted = 0;
    }
}

impl ReceiveStream for LockstepReceiving<'_> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, MemoryError> {
        if buf.is_empty() {
            return Err(MemoryError::EmptyBuffer);
        }
        let waiting = Waiting(self.0);
        poll_fn(|cx| {
            let mut outcome = Poll::Pending;
            let mut state = waiting.0.0.borrow_mut();
            if !state.crossing.is_empty() {
                let count = buf.len().min(state.crossing.len());
                for (to, from) in buf.iter_mut().zip(state.crossing.drain(..count)) {
                    *to = from;
                }
                outcome = Poll::Ready(Ok(count));
            } else if state.ended {
                return Poll::Ready(Ok(0));
            } else if !state.sender_out {
                return Poll::Ready(Err(MemoryError::Broken));
            } else {
                state.wanted = buf.len();
                state.receiver = Some(cx.waker().clone());
            }
            let sender = state.sender.take();
            drop(state);
            if let Some(sender) = sender {
                sender.wake();
            }
            outcome
        })
        .await
    }
}

impl Read for LockstepReceiving<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, MemoryError> {
        if buf.is_empty() {
            Ok(0)
        } else {
            self.receive_some(buf).await
        }
    }
}

impl Drop for LockstepSending<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.sender_out = false);
    }
}

impl Drop for LockstepReceiving<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.receiver_out = false);
    }
}

impl Write for LockstepStream<'_> {
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

impl SendStream for LockstepStream<'_> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), MemoryError> {
        self.send.wait_send_all_might_not_block().await
    }
}

impl HalfCloseable for LockstepStream<'_> {
    async fn send_eof(&mut self) -> Result<(), MemoryError> {
        self.send.send_eof().await
    }
}

impl Read for LockstepStream<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, MemoryError> {
        self.receive.read(buf).await
    }
}

impl ReceiveStream for LockstepStream<'_> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, MemoryError> {
        self.receive.receive_some(buf).await
    }
}

impl<'p> Split for LockstepStream<'p> {
    type Sending<'a>
        = &'a mut LockstepSending<'p>
    where
        Self: 'a;
    type Receiving<'a>
        = &'a mut LockstepReceiving<'p>
    where
        Self: 'a;

    fn split(&mut self) -> (Self::Sending<'_>, Self::Receiving<'_>) {
        (&mut self.send, &mut self.receive)
    }
}

impl AsyncResource for LockstepStream<'_> {
    async fn close(mut self) -> Result<(), MemoryError> {
        self.send.send_eof().await
    }
}
