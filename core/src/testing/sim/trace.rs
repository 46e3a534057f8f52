//! What happened in a simulated network.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

/// Something that happened in a [`SimNet`](super::SimNet). The same seed has the same events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SimEvent {
    /// When.
    pub at: Duration,
    /// Who sent it.
    pub from: SocketAddr,
    /// For whom it is.
    pub to: SocketAddr,
    /// What happened.
    pub what: SimEventKind,
}

/// What happened to what one host sent to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SimEventKind {
    /// A datagram of this length was sent.
    DatagramSent(usize),
    /// A datagram is lost: on the way, or because its receiver had no room.
    DatagramLost,
    /// A datagram of this length has arrived.
    DatagramArrived(usize),
    /// A datagram has arrived where nobody wants it.
    DatagramUnwanted,
    /// Somebody wants to connect.
    Opening,
    /// A connection is there, and waits to be accepted.
    Opened,
    /// Nobody listens there.
    Refused,
    /// Bytes of a stream were lost so often on their way, and will arrive later.
    Delayed(u32),
    /// So many bytes of a stream have arrived.
    Arrived(usize),
    /// The end of a stream has arrived.
    Ended,
    /// One end has cut the connection off, and the other knows.
    Reset,
    /// An end gives the other up.
    TimedOut,
}

impl fmt::Display for SimEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, from, to, what } = self;
        write!(f, "{:.6} s: {from} to {to}: {what}", at.as_secs_f64())
    }
}

impl fmt::Display for SimEventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DatagramSent(length) => write!(f, "a datagram of {length} bytes is sent"),
            Self::DatagramLost => f.write_str("a datagram is lost"),
            Self::DatagramArrived(length) => write!(f, "a datagram of {length} bytes arrives"),
            Self::DatagramUnwanted => f.write_str("a datagram arrives that nobody wants"),
            Self::Opening => f.write_str("wants to connect"),
            Self::Opened => f.write_str("the connection is there"),
            Self::Refused => f.write_str("nobody listens"),
            Self::Delayed(losses) => write!(f, "bytes are lost {losses} times"),
            Self::Arrived(count) => write!(f, "{count} bytes arrive"),
            Self::Ended => f.write_str("the end arrives"),
            Self::Reset => f.write_str("a reset arrives"),
            Self::TimedOut => f.write_str("gives the peer up"),
        }
    }
}
