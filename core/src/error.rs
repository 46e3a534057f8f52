//! What went wrong, in a vocabulary small enough to act on.

use core::fmt;

use embedded_io_async::ErrorKind;

/// What an error means for the caller, whatever layer reports it.
///
/// Where several apply, `Closed` goes before `Busy`, and `Busy` before `Broken`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// This side closed the object, or its sending direction, earlier.
    Closed,
    /// The peer or the path to it failed. A stream stays so; of a datagram, only that one has failed.
    Broken,
    /// The transport ended where only an authenticated end counts, or within a message.
    Truncated,
    /// Another task is inside an operation that excludes this one.
    Busy,
    /// The answer is known only once the handshake is done.
    NeedHandshake,
    /// A pool, a table or the process is full. Later the same call may succeed.
    Capacity,
    /// A deadline passed.
    TimedOut,
    /// The caller passed what the operation does not take. Nothing happened.
    InvalidInput,
    /// This object cannot do that, now or ever.
    Unsupported,
    /// None of the above.
    Other,
}

impl Fault {
    /// The nearest kind in the vocabulary of `embedded-io`.
    ///
    /// ```
    /// use embedded_io_async::ErrorKind;
    /// assert_eq!(tacket::Fault::TimedOut.kind(), ErrorKind::TimedOut);
    /// ```
    #[must_use]
    pub const fn kind(self) -> ErrorKind {
        match self {
            Self::Closed => ErrorKind::NotConnected,
            Self::Broken => ErrorKind::BrokenPipe,
            Self::Truncated => ErrorKind::ConnectionAborted,
            Self::Capacity => ErrorKind::OutOfMemory,
            Self::TimedOut => ErrorKind::TimedOut,
            Self::InvalidInput => ErrorKind::InvalidInput,
            Self::Unsupported => ErrorKind::Unsupported,
            Self::Busy | Self::NeedHandshake | Self::Other => ErrorKind::Other,
        }
    }

    /// The fault that a foreign error of this kind stands for.
    ///
    /// Used for errors that know `embedded-io` but not tacket.
    ///
    /// ```
    /// use embedded_io_async::ErrorKind;
    /// use tacket::Fault;
    /// assert_eq!(Fault::from_kind(ErrorKind::ConnectionReset), Fault::Broken);
    /// ```
    #[must_use]
    pub const fn from_kind(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::WriteZero => Self::Broken,
            ErrorKind::NotConnected => Self::Closed,
            ErrorKind::TimedOut => Self::TimedOut,
            ErrorKind::InvalidInput => Self::InvalidInput,
            ErrorKind::Unsupported => Self::Unsupported,
            ErrorKind::OutOfMemory => Self::Capacity,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed on this side",
            Self::Broken => "the connection is broken",
            Self::Truncated => "the stream ended without its authenticated end",
            Self::Busy => "another task is using it",
            Self::NeedHandshake => "not known before the handshake",
            Self::Capacity => "no capacity left",
            Self::TimedOut => "the deadline passed",
            Self::InvalidInput => "invalid argument",
            Self::Unsupported => "not supported here",
            Self::Other => "failed",
        })
    }
}

/// An error of a tacket stream, listener or network.
///
/// `kind` (from `embedded-io`) says it in the ecosystem's words, [`fault`](Self::fault) in tacket's.
/// The cause is kept: as [`source`](core::error::Error::source) by concrete errors, as a public field by the errors
/// of generic wrappers.
///
/// ```
/// use tacket::{Error, Fault};
///
/// fn worth_another_try(error: &impl Error) -> bool {
///     matches!(error.fault(), Fault::Capacity | Fault::TimedOut)
/// }
/// assert!(worth_another_try(&tacket::TimedOut));
/// ```
pub trait Error: embedded_io_async::Error {
    /// What this error means for the caller.
    fn fault(&self) -> Fault;
}

impl Error for core::convert::Infallible {
    fn fault(&self) -> Fault {
        match *self {}
    }
}
