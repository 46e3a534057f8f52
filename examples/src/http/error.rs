//! What can go wrong with HTTP.

use core::fmt;

/// Why an exchange over HTTP failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpError<E> {
    /// The stream failed.
    Stream(E),
    /// The peer ended before its message was complete.
    EndedEarly,
    /// What the peer sent is not HTTP/1.
    Malformed {
        /// The part of the message that is wrong.
        part: &'static str,
    },
    /// A head of the peer, or a line of it, is longer than there is room for.
    TooLong,
    /// The own request has a space or a control character in a name, or is too long for the buffer.
    InvalidRequest,
    /// The proxy makes no tunnel.
    Refused {
        /// What it answered instead.
        status: u16,
    },
}

impl<E> HttpError<E> {
    pub(super) const fn malformed(part: &'static str) -> Self {
        Self::Malformed { part }
    }
}

impl<E: fmt::Display> fmt::Display for HttpError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(error) => error.fmt(f),
            Self::EndedEarly => f.write_str("the peer ended within a message"),
            Self::Malformed { part } => write!(f, "the peer does not speak HTTP/1: {part}"),
            Self::TooLong => f.write_str("the head of the peer's message is too long"),
            Self::InvalidRequest => f.write_str("this cannot be put into a request"),
            Self::Refused { status } => write!(f, "the proxy refuses with status {status}"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for HttpError<E> {}
