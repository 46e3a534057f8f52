//! Why a value was not sent, or not received.

use core::fmt;

use embedded_io_async::ErrorKind;

use crate::{Error, Fault};

/// Why a value was not sent. It is in here.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError<T> {
    /// All receivers are gone.
    Broken(T),
    /// There is no room now. Only of `try_send`.
    Full(T),
    /// There is no room, and as many wait already as the channel has places for.
    TooManyWaiting(T),
}

impl<T> SendError<T> {
    /// The value that was not sent.
    pub fn into_value(self) -> T {
        match self {
            Self::Broken(value) | Self::Full(value) | Self::TooManyWaiting(value) => value,
        }
    }
}

/// It does not show the value, which need not be showable.
impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken(_) => "Broken(..)",
            Self::Full(_) => "Full(..)",
            Self::TooManyWaiting(_) => "TooManyWaiting(..)",
        })
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken(_) => "all receivers of the channel are gone",
            Self::Full(_) => "the channel is full",
            Self::TooManyWaiting(_) => "the channel is full, and so are the places to wait in",
        })
    }
}

impl<T> core::error::Error for SendError<T> {}

impl<T> embedded_io_async::Error for SendError<T> {
    fn kind(&self) -> ErrorKind {
        self.fault().kind()
    }
}

impl<T> Error for SendError<T> {
    fn fault(&self) -> Fault {
        match self {
            Self::Broken(_) => Fault::Broken,
            Self::Full(_) | Self::TooManyWaiting(_) => Fault::Capacity,
        }
    }
}

/// Why nothing was received. The end of a channel is none: that is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiveError {
    /// There is nothing now. Only of `try_receive`.
    Empty,
    /// There is nothing, and as many wait already as the channel has places for.
    TooManyWaiting,
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the channel is empty",
            Self::TooManyWaiting => "the channel is empty, and its places to wait in are full",
        })
    }
}

impl core::error::Error for ReceiveError {}

impl embedded_io_async::Error for ReceiveError {
    fn kind(&self) -> ErrorKind {
        self.fault().kind()
    }
}

impl Error for ReceiveError {
    fn fault(&self) -> Fault {
        Fault::Capacity
    }
}
