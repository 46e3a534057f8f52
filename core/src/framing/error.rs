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
    /// The message that was to be sent does not fit. Nothing of it was sent; others can be.
    TooLongToSend(Oversize),
    /// The message that comes does not fit. Nothing can be received any more.
    TooLongToReceive(Oversize),
    /// What comes is not in this format. Nothing can be received any more.
    Malformed,
    /// The stream ended within a message.
    Truncated,
}

impl<E> fmt::Display for FramingError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(_) => f.write_str("the stream of the messages failed"),
            Self::TooLongToSend(Oversize { length, most }) => {
                write!(
                    f,
                    "a message of {length} bytes cannot be sent, {most} are the most"
                )
            }
            Self::TooLongToReceive(Oversize { length, most }) => {
                write!(
                    f,
                    "a message of {length} bytes comes, where {most} are the most"
                )
            }
            Self::Malformed => f.write_str("what comes is not in this format"),
            Self::Truncated => f.write_str("the stream ended within a message"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for FramingError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Stream(error) => Some(error),
            _ => None,
        }
    }
}

impl<E: Error + 'static> embedded_io_async::Error for FramingError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Stream(error) => error.kind(),
            _ => self.fault().kind(),
        }
    }
}

impl<E: Error + 'static> Error for FramingError<E> {
    fn fault(&self) -> Fault {
        match self {
            Self::Stream(error) => error.fault(),
            Self::TooLongToSend(_) => Fault::InvalidInput,
            Self::TooLongToReceive(_) | Self::Malformed => Fault::Broken,
            Self::Truncated => Fault::Truncated,
        }
    }
}
