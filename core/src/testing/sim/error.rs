//! What goes wrong in a simulated network.

use core::fmt;

use embedded_io_async::ErrorKind;

use crate::{Error, Fault};

/// The error of a [`SimHost`](super::SimHost), and of all that it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SimError {
    /// The end was sent earlier.
    Closed,
    /// The peer, or [`SimNet::reset`](super::SimNet::reset), has cut the connection off.
    Reset,
    /// Nobody listens there.
    Refused,
    /// The peer has not answered for 30 seconds.
    TimedOut,
    /// A receive was given an empty buffer, or a lookup no room for addresses.
    EmptyBuffer,
    /// The port is in use at this host.
    AddressInUse,
    /// The address is not one of this host.
    NotLocal,
    /// Not the address of a peer: unspecified, port 0, or another version of IP than the local one.
    NotAPeer,
    /// A datagram of more than 65507 bytes.
    TooLong,
    /// All ports of the host are in use.
    NoPort,
    /// Nobody has this name.
    NoSuchName,
}

impl fmt::Display for SimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the end of the stream was sent earlier",
            Self::Reset => "the connection was reset",
            Self::Refused => "nobody listens there",
            Self::TimedOut => "the peer does not answer",
            Self::EmptyBuffer => "there is no room to receive into",
            Self::AddressInUse => "the port is in use",
            Self::NotLocal => "this host does not have the address",
            Self::NotAPeer => "not an address of a peer that can be reached from here",
            Self::TooLong => "the datagram is too long",
            Self::NoPort => "all ports are in use",
            Self::NoSuchName => "nobody has this name",
        })
    }
}

impl core::error::Error for SimError {}

impl embedded_io_async::Error for SimError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::AddressInUse => ErrorKind::AddrInUse,
            Self::NotLocal => ErrorKind::AddrNotAvailable,
            Self::Refused => ErrorKind::ConnectionRefused,
            Self::Reset => ErrorKind::ConnectionReset,
            Self::TimedOut => ErrorKind::TimedOut,
            Self::NoSuchName => ErrorKind::NotFound,
            _ => self.fault().kind(),
        }
    }
}

impl Error for SimError {
    fn fault(&self) -> Fault {
        match self {
            Self::Closed => Fault::Closed,
            Self::Reset | Self::Refused | Self::TimedOut => Fault::Broken,
            Self::EmptyBuffer | Self::NotLocal | Self::NotAPeer | Self::TooLong => {
                Fault::InvalidInput
            }
            Self::NoPort => Fault::Capacity,
            Self::AddressInUse | Self::NoSuchName => Fault::Other,
        }
    }
}
