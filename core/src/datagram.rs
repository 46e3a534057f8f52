//! Datagrams: messages that arrive whole, or not at all.

use core::net::SocketAddr;

use embedded_io_async::ErrorType;

use crate::{AsyncResource, Error};

/// The sending direction of a datagram socket.
pub trait SendDatagram: ErrorType<Error: Error> {
    /// Sends `data` as one datagram to `peer`, and returns once the network has taken it.
    ///
    /// That is no promise that it arrives. Empty `data` is a datagram too.
    ///
    /// # Errors
    ///
    /// [`Fault::InvalidInput`](crate::Fault::InvalidInput): `data` is longer than this socket can ever send, or `peer` is not an
    /// address of a peer. [`Fault::Broken`](crate::Fault::Broken): there is no way to it. The socket stays usable after any of them.
    ///
    /// # Cancel safety
    ///
    /// Safe. A future dropped before it completes has sent nothing.
    async fn send_to(&mut self, data: &[u8], peer: SocketAddr) -> Result<(), Self::Error>;
}

/// The receiving direction of a datagram socket.
pub trait ReceiveDatagram: ErrorType<Error: Error> {
    /// Receives one datagram into the front of `buf`, and returns its length there and who sent it.
    ///
    /// What does not fit into `buf` is lost. A length of 0 is an empty datagram, and no end: there is none.
    ///
    /// # Errors
    ///
    /// The network failed. The socket stays usable unless the fault is [`Fault::Closed`](crate::Fault::Closed).
    ///
    /// # Cancel safety
    ///
    /// Safe. A future dropped before it completes has received nothing.
    async fn receive_from(&mut self, buf: &mut [u8]) -> Result<(usize, SocketAddr), Self::Error>;
}

impl<T: SendDatagram + ?Sized> SendDatagram for &mut T {
    async fn send_to(&mut self, data: &[u8], peer: SocketAddr) -> Result<(), Self::Error> {
        T::send_to(self, data, peer).await
    }
}

impl<T: ReceiveDatagram + ?Sized> ReceiveDatagram for &mut T {
    async fn receive_from(&mut self, buf: &mut [u8]) -> Result<(usize, SocketAddr), Self::Error> {
        T::receive_from(self, buf).await
    }
}

/// A socket for datagrams, whose directions can be used at the same time.
///
/// ```
/// use tacket::Datagram;
///
/// /// Sends each datagram back to where it came from.
/// async fn echo<D: Datagram>(mut socket: D) -> Result<(), D::Error> {
///     let mut buf = [0; 1500];
///     loop {
///         let (length, peer) = socket.receive_from(&mut buf).await?;
///         socket.send_to(&buf[..length], peer).await?;
///     }
/// }
/// ```
pub trait Datagram: SendDatagram + ReceiveDatagram + AsyncResource {
    /// The sending half.
    type Sending<'a>: SendDatagram + ErrorType<Error = Self::Error>
    where
        Self: 'a;
    /// The receiving half.
    type Receiving<'a>: ReceiveDatagram + ErrorType<Error = Self::Error>
    where
        Self: 'a;

    /// Borrows both directions, for use at the same time. Dropping a half closes nothing.
    fn split(&mut self) -> (Self::Sending<'_>, Self::Receiving<'_>);
}
