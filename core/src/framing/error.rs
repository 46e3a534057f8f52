//! What goes wrong with messages.

use core::fmt;

use embedded_io_async::ErrorKind;

use super::Oversize;
use crate::{Error, Fault};

/// Why a message was not sent, or not received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FramingError<E> {
    /// The stream failed.
    Stream(E),
    /// The message does not fit. Of one that was to be sent, nothing was. After one that comes, nothing further can be received.
    Oversize(Oversize),
    /// The stream ended within a message.
    Truncated,
}

impl<E> fmt::Display for FramingError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(_) => f.write_str("the stream of the messages failed"),
            Self::Oversize(Oversize { length, most }) => {
                write!(f, "a message of {length} bytes, where {most} are the most")
            }
            Self::Truncated => f.write_str("the stream ended within a message"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for FramingError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Stream(error) => Some(error),
            Self::Oversize(_) | Self::Truncated => None,
        }
    }
}

impl<E: Error + 'static> embedded_io_async::Error for FramingError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Stream(error) => error.kind(),
            Self::Oversize(_) | Self::Truncated => self.fault().kind(),
        }
    }
}

impl<E: Error + 'static> Error for FramingError<E> {
    fn fault(&self) -> Fault {
        match self {
            Self::Stream(error) => error.fault(),
            Self::Oversize(_) => Fault::InvalidInput,
            Self::Truncated => Fault::Truncated,
        }
    }
}
