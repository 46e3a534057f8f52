//! The sending end of a channel.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};

use embassy_sync::blocking_mutex::raw::{NoopRawMutex, RawMutex};
use embedded_io_async::ErrorType;

use super::state::{NotSent, Ticket};
use super::{Channel, ChannelStatistics, SendChannel, SendError, TrySendError};
use crate::AsyncResource;

/// Sends into a [`Channel`]. Clones send into the same; with the last one dropped, receivers get what is left, then the end.
pub struct ChannelSender<'c, T, const N: usize, M: RawMutex = NoopRawMutex, const W: usize = 8> {
    channel: &'c Channel<T, N, M, W>,
}

/// Why a value waits in vain, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Broken,
    TooManyWaiting,
}

impl Refusal {
    fn of<T>(self, value: T) -> SendError<T> {
        match self {
            Self::Broken => SendError::Broken(value),
            Self::TooManyWaiting => SendError::TooManyWaiting(value),
        }
    }
}

impl<'c, T, const N: usize, M: RawMutex, const W: usize> ChannelSender<'c, T, N, M, W> {
    /// The one that is counted already.
    pub(super) const fn of(channel: &'c Channel<T, N, M, W>) -> Self {
        Self { channel }
    }

    /// Sends `value`, as soon as there is room and everybody who waited longer has sent.
    ///
    /// Any number of tasks may wait on one handle, up to the channel's places.
    ///
    /// # Errors
    ///
    /// [`SendError::Broken`]: all receivers are gone, be it meanwhile. [`SendError::TooManyWaiting`]. The value is in the error.
    ///
    /// # Cancel safety
    ///
    /// Safe. A future dropped before it completes has dropped the value, unless it was received or found room by then;
    /// [`send_from`](Self::send_from) keeps it.
    pub async fn send(&self, value: T) -> Result<(), SendError<T>> {
        // Mostly there is room, and then there is nothing to remember.
        let mut slot = match self.try_send(value) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Broken(value)) => return Err(SendError::Broken(value)),
            Err(TrySendError::Full(value)) => Some(value),
        };
        let sent = Sending::new(self.channel, &mut slot).await_sent().await;
        match (sent, slot) {
            (Err(refusal), Some(value)) => Err(refusal.of(value)),
            _ => Ok(()),
        }
    }

    /// The same with the value in `slot`, which is empty once it is sent. Of an empty slot there is nothing to send.
    ///
    /// # Errors
    ///
    /// As of [`send`](Self::send), but the value is still in the slot.
    ///
    /// # Cancel safety
    ///
    /// Safe. A future dropped before it completes leaves the value in the slot, unless it was received or found room by then: then
    /// the slot is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::time::Duration;
    /// use tacket::{ChannelSender, Clock, timeout};
    ///
    /// /// Sends, but gives up after a second, and has the value back then.
    /// async fn send_soon<T, const N: usize>(
    ///     tx: &ChannelSender<'_, T, N>,
    ///     value: T,
    ///     clock: &impl Clock,
    /// ) -> Option<T> {
    ///     let mut slot = Some(value);
    ///     let sending = tx.send_from(&mut slot);
    ///     let _ = timeout(clock, Duration::from_secs(1), sending).await;
    ///     slot
    /// }
    /// ```
    pub async fn send_from(&self, slot: &mut Option<T>) -> Result<(), SendError<()>> {
        let sent = Sending::new(self.channel, slot).await_sent().await;
        sent.map_err(|refusal| refusal.of(()))
    }

    /// Sends `value` if that is possible at once.
    ///
    /// # Errors
    ///
    /// [`TrySendError::Full`], also if there is room that somebody who waits will have, and [`TrySendError::Broken`].
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        match self.channel.with(|state| state.send(value)) {
            Ok(receiver) => {
                if let Some(waker) = receiver {
                    waker.wake();
                }
                Ok(())
            }
            Err((NotSent::Broken, value)) => Err(TrySendError::Broken(value)),
            Err((NotSent::Full, value)) => Err(TrySendError::Full(value)),
        }
    }

    /// What the channel is up to.
    pub fn statistics(&self) -> ChannelStatistics {
        self.channel.statistics()
    }
}

impl<T, const N: usize, M: RawMutex, const W: usize> Clone for ChannelSender<'_, T, N, M, W> {
    fn clone(&self) -> Self {
        self.channel.with(|state| state.senders += 1);
        Self { ..*self }
    }
}

impl<T, const N: usize, M: RawMutex, const W: usize> Drop for ChannelSender<'_, T, N, M, W> {
    fn drop(&mut self) {
        self.channel.with(|state| state.senders -= 1);
        self.channel.dismiss_receivers();
    }
}

impl<T, const N: usize, M: RawMutex, const W: usize> fmt::Debug for ChannelSender<'_, T, N, M, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelSender")
            .field("channel", &self.channel)
            .finish()
    }
}

impl<T, const N: usize, M: RawMutex, const W: usize> ErrorType for ChannelSender<'_, T, N, M, W> {
    type Error = SendError<T>;
}

impl<T, const N: usize, M: RawMutex, const W: usize> AsyncResource
    for ChannelSender<'_, T, N, M, W>
{
    /// The same as to drop it.
    ///
    /// # Errors
    ///
    /// Never.
    ///
    /// # Cancel safety
    ///
    /// Safe. It waits for nothing.
    async fn close(self) -> Result<(), SendError<T>> {
        Ok(())
    }
}

impl<T, const N: usize, M: RawMutex, const W: usize> SendChannel<T>
    for ChannelSender<'_, T, N, M, W>
{
    async fn send(&mut self, value: T) -> Result<(), SendError<T>> {
        Self::send(self, value).await
    }
}

/// A send under way. Dropped, it takes back what was not sent.
struct Sending<'s, T, const N: usize, M: RawMutex, const W: usize> {
    channel: &'s Channel<T, N, M, W>,
    slot: &'s mut Option<T>,
    /// Where the value waits, if it does.
    ticket: Option<Ticket>,
}

impl<'s, T, const N: usize, M: RawMutex, const W: usize> Sending<'s, T, N, M, W> {
    const fn new(channel: &'s Channel<T, N, M, W>, slot: &'s mut Option<T>) -> Self {
        Self {
            channel,
            slot,
            ticket: None,
        }
    }

    #[inline]
    async fn await_sent(mut self) -> Result<(), Refusal> {
        poll_fn(|cx| self.poll(cx)).await
    }

    #[inline]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        match self.ticket {
            None => self.start(cx),
            Some(ticket) => self.go_on(cx, ticket),
        }
    }

    #[inline]
    fn start(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        let Some(value) = self.slot.take() else {
            return Poll::Ready(Ok(()));
        };
        let started = self.channel.with(|state| match state.send(value) {
            Ok(receiver) => Ok(receiver),
            Err((NotSent::Broken, value)) => Err(Err((Refusal::Broken, value))),
            Err((NotSent::Full, value)) => Err(state
                .wait_to_send(value, cx.waker())
                .map_err(|value| (Refusal::TooManyWaiting, value))),
        });
        match started {
            Ok(receiver) => {
                if let Some(waker) = receiver {
                    waker.wake();
                }
                Poll::Ready(Ok(()))
            }
            Err(Ok(ticket)) => {
                self.ticket = Some(ticket);
                Poll::Pending
            }
            Err(Err((refusal, value))) => {
                *self.slot = Some(value);
                Poll::Ready(Err(refusal))
            }
        }
    }

    fn go_on(&mut self, cx: &Context<'_>, ticket: Ticket) -> Poll<Result<(), Refusal>> {
        let waits = self.channel.with(|state| state.wait_on(ticket, cx.waker()));
        if let Some(_replaced) = waits {
            return Poll::Pending;
        }
        self.stop();
        Poll::Ready(match self.slot {
            Some(_) => Err(Refusal::Broken),
            None => Ok(()),
        })
    }

    /// Takes the value back, if it is still there.
    fn stop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let (value, waker) = self.channel.with(|state| state.stop_sending(ticket));
            drop(waker);
            *self.slot = value;
        }
    }
}

impl<T, const N: usize, M: RawMutex, const W: usize> Drop for Sending<'_, T, N, M, W> {
    fn drop(&mut self) {
        self.stop();
    }
}
