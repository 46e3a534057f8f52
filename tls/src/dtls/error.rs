//! What can go wrong with DTLS.

use alloc::string::String;
use core::fmt;

use embedded_io_async::ErrorKind;
use tacket::{Error, Fault};

/// The error of a [`DtlsEndpoint`](crate::DtlsEndpoint) and its channels, over a socket whose own error is `E`.
///
/// What concerns one peer concerns its channel only: the endpoint and the others stay as they are.
///
/// ```
/// use tacket::{Error, Fault};
/// use tacket_tls::{DtlsError, DtlsProblem};
///
/// /// Whether to connect anew.
/// fn is_worth_another_try<E: Error>(error: &DtlsError<E>) -> bool {
///     match error {
///         DtlsError::Problem(DtlsProblem::KeysUsedUp | DtlsProblem::HandshakeTimeout) => true,
///         DtlsError::Problem(_) => false, // one side refuses the other
///         DtlsError::Replaced => false, // who has the new one would lose it, and try again
///         other => other.fault() == Fault::Broken,
///     }
/// }
/// # type Failure = DtlsError<core::convert::Infallible>;
/// # assert!(!is_worth_another_try(&Failure::Replaced));
/// # assert!(is_worth_another_try(&Failure::PeerClosed));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DtlsError<E> {
    /// The socket's error. Of a channel: it could not send this datagram, or three attempts of the handshake in a row; the channel stays usable. Of an endpoint that
    /// closes: it could not be closed gracefully.
    Transport(E),
    /// The socket failed for good, some time ago.
    Broken,
    /// The handshake failed, or the association did later.
    Problem(DtlsProblem),
    /// There is a new association with the same peer: it began anew, or [`connect`](crate::DtlsEndpoint::connect) was called again for it.
    Replaced,
    /// The peer has closed its channel, and receives nothing any more.
    PeerClosed,
    /// The endpoint was closed, here.
    Closed,
    /// The message is longer than a datagram can be; how long it may be at most.
    TooLong(usize),
    /// A message has at least one byte.
    Empty,
    /// The next message is longer than the buffer: how long. It is still there.
    BufferTooSmall(usize),
    /// The endpoint serves already.
    Busy,
}

impl<E: fmt::Display> fmt::Display for DtlsError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(error) => write!(f, "below DTLS: {error}"),
            Self::Broken => f.write_str("the socket below DTLS has failed"),
            Self::Problem(problem) => problem.fmt(f),
            Self::Replaced => {
                f.write_str("a new association with the same peer has replaced this one")
            }
            Self::PeerClosed => f.write_str("the peer has closed its end"),
            Self::Closed => f.write_str("the endpoint was closed"),
            Self::TooLong(limit) => write!(f, "a message may have {limit} bytes at most"),
            Self::Empty => f.write_str("a message has at least one byte"),
            Self::BufferTooSmall(length) => {
                write!(
                    f,
                    "the next message has {length} bytes, and the buffer fewer"
                )
            }
            Self::Busy => f.write_str("the endpoint serves already"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for DtlsError<E> {
    /// The problem. The socket's error is in the variant's field: it need not be `'static`.
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }
}

impl<E: Error> embedded_io_async::Error for DtlsError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Transport(error) => error.kind(),
            Self::Problem(_) => ErrorKind::InvalidData,
            other => other.fault().kind(),
        }
    }
}

impl<E: Error> Error for DtlsError<E> {
    fn fault(&self) -> Fault {
        match self {
            Self::Transport(error) => error.fault(),
            Self::Broken | Self::Problem(_) | Self::Replaced | Self::PeerClosed => Fault::Broken,
            Self::Closed => Fault::Closed,
            Self::TooLong(_) | Self::Empty | Self::BufferTooSmall(_) => Fault::InvalidInput,
            Self::Busy => Fault::Busy,
        }
    }
}

/// Why there is no channel to a peer.
///
/// ```
/// use tacket_tls::DtlsConnectError;
///
/// assert_eq!(DtlsConnectError::Closed.to_string(), "the endpoint was closed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DtlsConnectError {
    /// The server's name is neither a DNS name nor an IP address.
    InvalidName,
    /// The endpoint was closed.
    Closed,
    /// The endpoint's socket has failed.
    Broken,
}

impl fmt::Display for DtlsConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidName => "the server's name is neither a DNS name nor an IP address",
            Self::Closed => "the endpoint was closed",
            Self::Broken => "the socket below DTLS has failed",
        })
    }
}

impl core::error::Error for DtlsConnectError {}

impl embedded_io_async::Error for DtlsConnectError {
    fn kind(&self) -> ErrorKind {
        self.fault().kind()
    }
}

impl Error for DtlsConnectError {
    fn fault(&self) -> Fault {
        match self {
            Self::InvalidName => Fault::InvalidInput,
            Self::Closed => Fault::Closed,
            Self::Broken => Fault::Broken,
        }
    }
}

/// What one side objected to.
///
/// ```
/// use tacket_tls::DtlsProblem;
///
/// fn is_about_a_certificate(problem: &DtlsProblem) -> bool {
///     matches!(problem, DtlsProblem::Untrusted(_) | DtlsProblem::NoCertificate)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DtlsProblem {
    /// In the words of the engine: a message was damaged or out of place, the peer refused something, or the engine does not take the configuration. Or the engine itself has failed.
    Protocol(String),
    /// The peer's certificate is not trusted: why.
    Untrusted(String),
    /// The peer has shown no certificate.
    NoCertificate,
    /// This end's certificate is too long for DTLS 1.3, as [the table](crate::DtlsEndpoint#what-dtls-can-do-here) says.
    CertificateTooLong,
    /// Of a server: its client has not answered in the handshake for more than twenty minutes. A client goes on asking.
    HandshakeTimeout,
    /// This end has sent 2^24 (16,777,216) messages, as many as one key may protect: of DTLS 1.3, and of DTLS 1.2 with AES, which is every channel with a pre-shared key. The peer is not
    /// told. Connect anew.
    KeysUsedUp,
}

impl fmt::Display for DtlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(why) => write!(f, "DTLS: {why}"),
            Self::Untrusted(why) => write!(f, "the peer's certificate is not trusted: {why}"),
            Self::NoCertificate => f.write_str("the peer has shown no certificate"),
            Self::CertificateTooLong => {
                f.write_str("this end's certificate is too long for DTLS 1.3")
            }
            Self::HandshakeTimeout => f.write_str("the peer does not answer any more"),
            Self::KeysUsedUp => f.write_str("the keys have protected as many messages as they may"),
        }
    }
}

impl core::error::Error for DtlsProblem {}

/// Why an association is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Closed,
    Replaced,
    Broken,
    Problem(DtlsProblem),
}

/// Why nothing is sent or received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Over(Over),
    PeerClosed,
    TooLong(usize),
    BufferTooSmall(usize),
    Empty,
}

impl<E> From<Over> for DtlsError<E> {
    fn from(over: Over) -> Self {
        match over {
            Over::Closed => Self::Closed,
            Over::Replaced => Self::Replaced,
            Over::Broken => Self::Broken,
            Over::Problem(problem) => Self::Problem(problem),
        }
    }
}

impl<E> From<Refusal> for DtlsError<E> {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Over(over) => over.into(),
            Refusal::PeerClosed => Self::PeerClosed,
            Refusal::TooLong(limit) => Self::TooLong(limit),
            Refusal::BufferTooSmall(length) => Self::BufferTooSmall(length),
            Refusal::Empty => Self::Empty,
        }
    }
}
