//! What goes wrong with streams in memory.

use core::fmt;

use embedded_io_async::ErrorKind;

use crate::{Error, Fault};

/// The error of memory streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryError {
    /// The end was sent earlier.
    Closed,
    /// The other end is gone, without a proper end.
    Broken,
    /// A receive was given an empty buffer.
    EmptyBuffer,
    /// It would have to wait: nothing is there to receive, or there is no room to send.
    WouldBlock,
    /// The pipe has no buffer, so it can never take a byte.
    Capacity,
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the end of the stream was sent earlier",
            Self::Broken => "the other end is gone",
            Self::EmptyBuffer => "cannot receive into an empty buffer",
            Self::WouldBlock => "it would have to wait",
            Self::Capacity => "a pipe without a buffer takes no bytes",
        })
    }
}

impl core::error::Error for MemoryError {}

impl embedded_io_async::Error for MemoryError {
    fn kind(&self) -> ErrorKind {
        self.fault().kind()
    }
}

impl Error for MemoryError {
    fn fault(&self) -> Fault {
        match self {
            Self::Closed => Fault::Closed,
            Self::Broken => Fault::Broken,
            Self::EmptyBuffer => Fault::InvalidInput,
            Self::Capacity => Fault::Capacity,
            Self::WouldBlock => Fault::Other,
        }
    }
}
