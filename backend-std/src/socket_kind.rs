//! What is particular to each kind of connected socket.

use core::fmt;
use core::time::Duration;
use std::io;
use std::net::Shutdown;
#[cfg(unix)]
use std::os::fd::AsFd as Descriptor;
#[cfg(windows)]
use std::os::windows::io::AsSocket as Descriptor;

use socket2::SockRef;

use crate::endpoint::{ReadShared, WriteShared};

/// A kind of connected socket. There is nothing to implement: each kind is here.
#[expect(
    unnameable_types,
    reason = "it is sealed: a bound that only this crate meets"
)]
pub trait SocketKind: 'static {
    /// As the system's poll knows it.
    #[doc(hidden)]
    #[expect(private_bounds, reason = "the trait is sealed")]
    type Socket: mio::event::Source + Descriptor + fmt::Debug + ReadShared + WriteShared;

    #[doc(hidden)]
    const NAME: &'static str;

    /// Ends the sending direction.
    #[doc(hidden)]
    fn end_sending(socket: &Self::Socket) -> io::Result<()>;

    /// Lets the peer see, when the socket is closed, that it was not to end here.
    #[doc(hidden)]
    fn abort(socket: &Self::Socket);
}

/// TCP.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no value")]
pub enum Tcp {}

impl SocketKind for Tcp {
    type Socket = mio::net::TcpStream;

    const NAME: &'static str = "TcpStream";

    fn end_sending(socket: &mio::net::TcpStream) -> io::Result<()> {
        socket.shutdown(Shutdown::Write)
    }

    fn abort(socket: &mio::net::TcpStream) {
        // A linger time of zero makes the system's close a reset. Where it fails, the peer is gone.
        let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
    }
}

/// Stream sockets of Unix.
#[cfg(unix)]
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no value")]
pub enum Unix {}

#[cfg(unix)]
impl SocketKind for Unix {
    type Socket = mio::net::UnixStream;

    const NAME: &'static str = "UnixStream";

    fn end_sending(socket: &mio::net::UnixStream) -> io::Result<()> {
        socket.shutdown(Shutdown::Write)
    }

    /// The system knows no reset here.
    fn abort(_: &mio::net::UnixStream) {}
}
