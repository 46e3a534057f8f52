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
    /// There is no room, and no place to wait in.
    TooManyWaiting(T),
}

impl<T> SendError<T> {
    /// The value that was not sent.
    pub fn into_value(self) -> T {
        match self {
            Self::Broken(value) | Self::TooManyWaiting(value) => value,
        }
    }
}

/// It does not show the value, which need not be showable.
impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken(_) => "Broken(..)",
            Self::TooManyWaiting(_) => "TooManyWaiting(..)",
        })
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken(_) => BROKEN,
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
            Self::TooManyWaiting(_) => Fault::Capacity,
        }
    }
}

/// Why a value was not sent at once. It is in here.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrySendError<T> {
    /// All receivers are gone.
    Broken(T),
    /// There is no room now.
    Full(T),
}

impl<T> TrySendError<T> {
    /// The value that was not sent.
    pub fn into_value(self) -> T {
        match self {
            Self::Broken(value) | Self::Full(value) => value,
        }
    }
}

/// It does not show the value, which need not be showable.
impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken(_) => "Broken(..)",
            Self::Full(_) => "Full(..)",
        })
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken(_) => BROKEN,
            Self::Full(_) => "the channel is full",
        })
    }
}

impl<T> core::error::Error for TrySendError<T> {}

const BROKEN: &str = "all receivers of the channel are gone";

/// Why nothing was received. The end of a channel is none: that is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiveError {
    /// There is nothing, and no place to wait in.
    TooManyWaiting,
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel is empty, and its places to wait in are full")
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

/// Why nothing was received at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryReceiveError {
    /// There is nothing now, or nothing that nobody waits for.
    Empty,
}

impl fmt::Display for TryReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel is empty")
    }
}

impl core::error::Error for TryReceiveError {}
