//! The receiving end of a channel.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};

use embassy_sync::blocking_mutex::raw::{NoopRawMutex, RawMutex};
use embedded_io_async::ErrorType;

use super::state::Found;
use super::{Channel, ChannelStatistics, ReceiveChannel, ReceiveError, TryReceiveError};
use crate::AsyncResource;
use crate::waiters::Place;

/// Receives from a [`Channel`]. Clones share its values; with the last one dropped, those are dropped, and sends fail.
pub struct ChannelReceiver<'c, T, const N: usize, M: RawMutex = NoopRawMutex, const W: usize = 8> {
    channel: &'c Channel<T, N, M, W>,
}

impl<'c, T, const N: usize, M: RawMutex, const W: usize> ChannelReceiver<'c, T, N, M, W> {
    /// The one that is counted already.
    pub(super) const fn of(channel: &'c Channel<T, N, M, W>) -> Self {
        Self { channel }
    }

    /// Receives the next value, after everybody who has waited longer; `None` once all senders are gone and nothing is left.
    ///
    /// Any number of tasks may wait on one handle, up to the channel's places.
    ///
    /// # Errors
    ///
    /// [`ReceiveError::TooManyWaiting`].
    ///
    /// # Cancel safety
    ///
    /// Safe. A future dropped before it completes has received nothing. A value that it was given by then goes to the next
    /// receiver, before all that nobody was given yet.
    pub async fn receive(&self) -> Result<Option<T>, ReceiveError> {
        // Mostly there is a value, and then there is nothing to remember.
        match self.try_receive() {
            Err(TryReceiveError::Empty) => {}
            Ok(value) => return Ok(value),
        }
        let mut receiving = Receiving {
            channel: self.channel,
            place: None,
        };
        poll_fn(|cx| receiving.poll(cx)).await
    }

    /// Receives the next value if there is one that nobody else waits for; `None` once all senders are gone and nothing is left.
    ///
    /// # Errors
    ///
    /// [`TryReceiveError::Empty`].
    #[inline]
    pub fn try_receive(&self) -> Result<Option<T>, TryReceiveError> {
        match self.channel.with(|state| state.receive()) {
            Found::Value(value, sender) => {
                if let Some(waker) = sender {
                    waker.wake();
                }
                Ok(Some(value))
            }
            Found::Nothing => Err(TryReceiveError::Empty),
            Found::End => Ok(None),
        }
    }

    /// What the channel is up to.
    pub fn statistics(&self) -> ChannelStatistics {
        self.channel.statistics()
    }
}

impl<T, const N: usize, M: RawMutex, const W: usize> Clone for ChannelReceiver<'_, T, N, M, W> {
    fn clone(&self) -> Self {
        self.channel.with(|state| state.receivers += 1);
        Self { ..*self }
    }
}

impl<T, const N: usize, M: RawMutex, const W: usize> Drop for ChannelReceiver<'_, T, N, M, W> {
    fn drop(&mut self) {
        self.channel.with(|state| state.receivers -= 1);
        // If this was the last one. Whatever is woken or dropped may come back here, so each is, outside of the lock.
        while let Some(sender) = self.channel.with(|state| state.dismiss_sender()) {
            if let Some(waker) = sender {
                waker.wake();
            }
        }
        self.channel.discard();
    }
}

impl<T, const N: usize, M: RawMutex, const W: usize> fmt::Debug
    for ChannelReceiver<'_, T, N, M, W>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelReceiver")
            .field("channel", &self.channel)
            .finish()
    }
}

impl<T, const N: usize, M: RawMutex, const W: usize> ErrorType for ChannelReceiver<'_, T, N, M, W> {
    type Error = ReceiveError;
}

impl<T, const N: usize, M: RawMutex, const W: usize> AsyncResource
    for ChannelReceiver<'_, T, N, M, W>
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
    async fn close(self) -> Result<(), ReceiveError> {
        Ok(())
    }
}

impl<T, const N: usize, M: RawMutex, const W: usize> ReceiveChannel
    for ChannelReceiver<'_, T, N, M, W>
{
    type Item = T;

    async fn receive(&mut self) -> Result<Option<T>, ReceiveError> {
        Self::receive(self).await
    }
}

/// A receive under way. Dropped, it passes on what it was given.
struct Receiving<'r, T, const N: usize, M: RawMutex, const W: usize> {
    channel: &'r Channel<T, N, M, W>,
    /// Where it waits, if it does.
    place: Option<Place>,
}

impl<T, const N: usize, M: RawMutex, const W: usize> Receiving<'_, T, N, M, W> {
    #[inline]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>, ReceiveError>> {
        match self.place {
            None => self.start(cx),
            Some(place) => self.go_on(cx, place),
        }
    }

    #[inline]
    fn start(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<T>, ReceiveError>> {
        let (found, place) = self.channel.with(|state| match state.receive() {
            Found::Nothing => (Found::Nothing, state.wait_to_receive(cx.waker())),
            found => (found, None),
        });
        match found {
            Found::Value(value, sender) => {
                if let Some(waker) = sender {
                    waker.wake();
                }
                Poll::Ready(Ok(Some(value)))
            }
            Found::End => Poll::Ready(Ok(None)),
            Found::Nothing if place.is_none() => Poll::Ready(Err(ReceiveError::TooManyWaiting)),
            Found::Nothing => {
                self.place = place;
                Poll::Pending
            }
        }
    }

    fn go_on(&mut self, cx: &Context<'_>, place: Place) -> Poll<Result<Option<T>, ReceiveError>> {
        enum Step<T> {
            Given { value: T, is_over: bool },
            End,
            Wait(Option<core::task::Waker>),
        }
        let step = self.channel.with(|state| match state.take_given(place) {
            Some(value) => Step::Given {
                value,
                is_over: state.is_over(),
            },
            None if state.is_over() => Step::End,
            None => Step::Wait(state.wait_for_value(place, cx.waker())),
        });
        match step {
            Step::Given { value, is_over } => {
                self.place = None;
                if is_over {
                    self.channel.dismiss_receivers();
                }
                Poll::Ready(Ok(Some(value)))
            }
            Step::End => {
                self.stop();
                Poll::Ready(Ok(None))
            }
            Step::Wait(_replaced) => Poll::Pending,
        }
    }

    fn stop(&mut self) {
        if let Some(place) = self.place.take() {
            let [waker, next] = self.channel.with(|state| state.stop_receiving(place));
            drop(waker);
            if let Some(next) = next {
                next.wake();
            }
        }
    }
}

impl<T, const N: usize, M: RawMutex, const W: usize> Drop for Receiving<'_, T, N, M, W> {
    fn drop(&mut self) {
        self.stop();
    }
}
