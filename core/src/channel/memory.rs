//! A channel in memory.

use core::cell::RefCell;
use core::fmt;

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::{NoopRawMutex, RawMutex};

use super::state::State;
use super::{ChannelReceiver, ChannelSender};

/// A channel for values of type `T`, with room for `N` of them, all in its own memory: no allocator.
///
/// Any number of senders and receivers share it, and each value goes to one receiver. Who waits is served in the order of coming.
/// With `N = 0` a send completes when its value is given to a receive that waits, or comes.
///
/// `M` says who may use it: on one thread, nothing is locked ([`NoopRawMutex`], unless something else is named); a
/// `CriticalSectionRawMutex` of `embassy-sync` lets interrupts and other threads in, and makes the channel `Sync`, for a `static`.
/// `W` is how many places there are to wait in. A send has one until its value is received or found room, a receive until its future has completed or
/// is dropped, and a value that a dropped receive had been given already until it is received. Who finds none is told so by an error. A
/// future that waits and is forgotten, not dropped, keeps its place for ever; and one that was given a value and is not polled again keeps that from everybody, and with
/// it the end.
///
/// ```
/// use futures_util::future::join;
/// use tacket::Channel;
///
/// # futures_util::FutureExt::now_or_never(async {
/// let channel = Channel::<u32, 4>::new();
/// let (tx, rx) = channel.open().expect("its handles are not out");
/// let sending = async move {
///     for number in 1..=4 {
///         tx.send(number).await.expect("somebody receives");
///     }
///     // The last sender is gone: that is the end of the channel.
/// };
/// let receiving = async move {
///     let mut sum = 0;
///     while let Some(number) = rx.receive().await.expect("a place to wait") {
///         sum += number;
///     }
///     sum
/// };
/// assert_eq!(join(sending, receiving).await.1, 10);
/// # }).expect("ready");
/// ```
///
/// Between an interrupt and a task:
///
/// ```
/// use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
/// use tacket::Channel;
///
/// static PRESSED: Channel<u8, 8, CriticalSectionRawMutex> = Channel::new();
/// ```
pub struct Channel<T, const N: usize, M: RawMutex = NoopRawMutex, const W: usize = 8> {
    state: Mutex<M, RefCell<State<T, N, W>>>,
}

impl<T, const N: usize, M: RawMutex, const W: usize> Channel<T, N, M, W> {
    /// An empty channel, without handles.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: Mutex::new(RefCell::new(State::new())),
        }
    }

    /// Hands out the first sender and the first receiver. More are clones of these.
    ///
    /// `None` while a handle of an earlier call is still there, or a value of then. Once all are gone, the channel can be opened anew.
    pub fn open(
        &self,
    ) -> Option<(
        ChannelSender<'_, T, N, M, W>,
        ChannelReceiver<'_, T, N, M, W>,
    )> {
        // A value that panicked while it was dropped may have left some behind it.
        self.discard();
        self.with(State::open)
            .then(|| (ChannelSender::of(self), ChannelReceiver::of(self)))
    }

    /// What the channel is up to.
    pub fn statistics(&self) -> ChannelStatistics {
        self.with(|state| ChannelStatistics {
            capacity: N,
            buffered: state.buffered(),
            most_buffered: state.most_buffered,
            senders: state.senders,
            receivers: state.receivers,
            waiting_to_send: state.waiting_to_send(),
            waiting_to_receive: state.waiting_to_receive(),
        })
    }

    /// Wakes all receivers that wait, if no value can come any more: each outside of the lock, for it may come back here.
    pub(super) fn dismiss_receivers(&self) {
        while let Some(receiver) = self.with(State::dismiss_receiver) {
            if let Some(waker) = receiver {
                waker.wake();
            }
        }
    }

    /// Drops the values that nobody can receive any more, each outside of the lock.
    pub(super) fn discard(&self) {
        while let Some(value) = self.with(State::discard) {
            drop(value);
        }
    }

    /// Works on the state. Nothing may be woken or dropped in there.
    #[inline]
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut State<T, N, W>) -> R) -> R {
        self.state.lock(|state| work(&mut state.borrow_mut()))
    }
}

impl<T, const N: usize, M: RawMutex, const W: usize> Default for Channel<T, N, M, W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize, M: RawMutex, const W: usize> fmt::Debug for Channel<T, N, M, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("statistics", &self.statistics())
            .finish_non_exhaustive()
    }
}

/// What a channel is up to. The same from every handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelStatistics {
    /// For how many values there is room.
    pub capacity: usize,
    /// Values that anybody may receive. One that a waiting receiver was given is not among them, but is once more if that
    /// was dropped: so there can be more than the capacity.
    pub buffered: usize,
    /// The most of them at the same time, since the channel was opened.
    pub most_buffered: usize,
    /// Open senders.
    pub senders: usize,
    /// Open receivers.
    pub receivers: usize,
    /// Sends that wait for room.
    pub waiting_to_send: usize,
    /// Receives that wait for a value.
    pub waiting_to_receive: usize,
}
