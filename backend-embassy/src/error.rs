//! The error of everything on embassy-net.

use core::fmt;

use embedded_io_async::ErrorKind;
use tacket::{Error, Fault};

/// What failed.
///
/// The stack below tells few causes apart; each that it does tell has a variant of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetError {
    /// This side ended its sending direction earlier.
    Closed,
    /// The peer reset the connection, was silent for too long, or this side lost its address.
    ConnectionLost,
    /// Nobody listens there, or nobody answered.
    Refused,
    /// This stack has no address from which it could reach that one.
    NoRoute,
    /// Every socket of the pool is in use.
    PoolExhausted,
    /// Another socket of this pool has that port.
    PortInUse,
    /// The peer did not acknowledge what was sent within the time that a close may take. It was reset.
    CloseTimedOut,
    /// Not the address of a peer, which has a port; or not one of this stack, to be reached at.
    InvalidAddress,
    /// A buffer to receive into has no room.
    EmptyBuffer,
    /// The datagram is longer than the buffers of its socket.
    DatagramTooLong,
    /// The name is not one that could be asked for.
    InvalidName,
    /// The name has no address, or no server answered.
    NameNotFound,
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the sending direction was ended on this side",
            Self::ConnectionLost => "the connection was reset, or its peer is silent",
            Self::Refused => "the connection was refused, or nobody answered",
            Self::NoRoute => "there is no route to this address",
            Self::PoolExhausted => "every socket of the pool is in use",
            Self::PortInUse => "the port is in use",
            Self::CloseTimedOut => "the peer did not acknowledge the close in time",
            Self::InvalidAddress => "not an address of a peer, or not one of this stack",
            Self::EmptyBuffer => "the buffer to receive into is empty",
            Self::DatagramTooLong => "the datagram is longer than the socket's buffer",
            Self::InvalidName => "not a host name",
            Self::NameNotFound => "the name has no address",
        })
    }
}

impl core::error::Error for NetError {}

impl embedded_io_async::Error for NetError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::ConnectionLost => ErrorKind::ConnectionReset,
            Self::Refused => ErrorKind::ConnectionRefused,
            Self::PortInUse => ErrorKind::AddrInUse,
            Self::NoRoute => ErrorKind::AddrNotAvailable,
            Self::NameNotFound => ErrorKind::NotFound,
            other => other.fault().kind(),
        }
    }
}

impl Error for NetError {
    fn fault(&self) -> Fault {
        match self {
            Self::Closed => Fault::Closed,
            Self::ConnectionLost | Self::Refused | Self::NoRoute => Fault::Broken,
            Self::PoolExhausted => Fault::Capacity,
            Self::CloseTimedOut => Fault::TimedOut,
            Self::InvalidAddress
            | Self::EmptyBuffer
            | Self::DatagramTooLong
            | Self::InvalidName => Fault::InvalidInput,
            Self::PortInUse | Self::NameNotFound => Fault::Other,
        }
    }
}
