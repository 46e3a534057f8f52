//! Channels: values from whoever sends to whoever receives, one by one.

mod error;
mod generator;
#[cfg(all(test, loom))]
mod loom_tests;
mod memory;
mod receiver;
mod ring;
mod sender;
mod state;

pub use error::{ReceiveError, SendError, TryReceiveError, TrySendError};
pub use generator::Generator;
pub use memory::{Channel, ChannelStatistics};
pub use receiver::ChannelReceiver;
pub use sender::ChannelSender;

use crate::{AsyncResource, Error};

/// An end that values are sent into.
///
/// A channel in memory ([`Channel`]) has one, and so has whatever carries messages to a peer.
pub trait SendChannel<T>: AsyncResource<Error: Error> {
    /// Sends `value`, and returns once the channel has taken it.
    ///
    /// That is no promise that somebody will receive it.
    ///
    /// # Errors
    ///
    /// [`Fault::Broken`](crate::Fault::Broken): nobody can receive any more, now and on every later call; or, where values travel as datagrams and the error says so,
    /// this one was not sent, and the channel stays usable.
    /// [`Fault::InvalidInput`](crate::Fault::InvalidInput): this channel takes no such value; it stays usable.
    /// [`Fault::Capacity`](crate::Fault::Capacity): as many wait already as it has places for; it stays usable.
    ///
    /// # Cancel safety
    ///
    /// Safe. A future dropped before it completes has either sent the value or dropped it; where that takes time to send, the next call, or the close,
    /// sends the rest first.
    async fn send(&mut self, value: T) -> Result<(), Self::Error>;
}

/// An end that values are received from.
///
/// ```
/// use tacket::ReceiveChannel;
///
/// /// The sum of all that comes.
/// async fn sum<R: ReceiveChannel<Item = u32>>(mut numbers: R) -> Result<u32, R::Error> {
///     let mut sum = 0;
///     while let Some(number) = numbers.receive().await? {
///         sum += number;
///     }
///     Ok(sum)
/// }
/// ```
pub trait ReceiveChannel: AsyncResource<Error: Error> {
    /// What comes.
    type Item;

    /// Receives the next value; `None` once all senders are gone and everything that they sent was received, and on every later call.
    ///
    /// # Errors
    ///
    /// [`Fault::Broken`](crate::Fault::Broken): what should come is lost. [`Fault::Capacity`](crate::Fault::Capacity): as many wait already
    /// as the channel has places for; it stays usable. At the end of the
    /// channel this is `None` all the same.
    ///
    /// # Cancel safety
    ///
    /// Safe. A future dropped before it completes has received nothing; the next receive gets the value.
    async fn receive(&mut self) -> Result<Option<Self::Item>, Self::Error>;
}
