//! Networks as values: what a program needs to connect, to listen, to ask for names, and to know the time.

use core::net::{IpAddr, SocketAddr};

use embedded_io_async::ErrorType;

use crate::{Clock, Datagram, Error, Listener, Stream};

/// A network that makes connections.
pub trait Connect: ErrorType<Error: Error> {
    /// What it connects with.
    type Stream: Stream<Error = Self::Error>;

    /// Connects to `peer`.
    ///
    /// It has no time limit of its own beyond that of the network below; put [`timeout`](crate::timeout()) around it.
    ///
    /// # Errors
    ///
    /// [`Fault::Broken`](crate::Fault::Broken): nobody listens there, nobody answers, or there is no way to it.
    /// [`Fault::Capacity`](crate::Fault::Capacity): no socket is left. [`Fault::InvalidInput`](crate::Fault::InvalidInput): not
    /// an address of a peer.
    ///
    /// # Cancel safety
    ///
    /// Safe. A dropped attempt is given up, and nothing of it is left behind.
    async fn connect(&self, peer: SocketAddr) -> Result<Self::Stream, Self::Error>;

    /// Connects to `peer` from `local`, an address of this side, or an unspecified one for any of its version of IP.
    ///
    /// # Errors
    ///
    /// As of [`connect`](Self::connect); [`Fault::InvalidInput`](crate::Fault::InvalidInput): this side does not have the
    /// address, or `peer` cannot be reached from one of its version.
    ///
    /// # Cancel safety
    ///
    /// Safe. It is as `connect`.
    async fn connect_from(
        &self,
        local: IpAddr,
        peer: SocketAddr,
    ) -> Result<Self::Stream, Self::Error>;
}

/// A network that accepts connections.
pub trait Listen: ErrorType<Error: Error> {
    /// What accepts them.
    type Listener: Listener<Error = Self::Error> + LocalAddress;

    /// Whether an unspecified address is that of both versions of IP, so that one listener has all of a port.
    const DUAL_STACK: bool = false;

    /// Listens on `local`. Port 0 lets the network choose one; [`LocalAddress::local_addr`] tells which.
    ///
    /// # Errors
    ///
    /// The port is in use or not allowed, or the address is not one of this network.
    /// [`Fault::Capacity`](crate::Fault::Capacity): no socket is left. [`Fault::Unsupported`](crate::Fault::Unsupported): this
    /// network has no such version of IP.
    ///
    /// # Cancel safety
    ///
    /// Safe. A dropped future listens nowhere.
    async fn listen(&self, local: SocketAddr) -> Result<Self::Listener, Self::Error>;
}

/// A network that carries datagrams.
pub trait Bind: ErrorType<Error: Error> {
    /// What sends and receives them.
    type Datagram: Datagram<Error = Self::Error> + LocalAddress;

    /// Takes `local` for datagrams. Port 0 lets the network choose one; [`LocalAddress::local_addr`] tells which.
    ///
    /// # Errors
    ///
    /// As for [`Listen::listen`].
    ///
    /// # Cancel safety
    ///
    /// Safe. A dropped future takes no port.
    async fn bind(&self, local: SocketAddr) -> Result<Self::Datagram, Self::Error>;
}

/// A network that knows names.
pub trait Resolve: ErrorType<Error: Error> {
    /// Writes addresses of `host` to the front of `addresses`, the preferred ones first, and returns how many it has.
    ///
    /// `host` is a name, or an address in its usual notation. Of more addresses than there is room for, the rest is left out, but
    /// counted.
    ///
    /// # Errors
    ///
    /// [`Fault::InvalidInput`](crate::Fault::InvalidInput): `addresses` is empty, or `host` cannot be a name.
    /// Any other: the name has no address, or nobody could be asked.
    ///
    /// # Cancel safety
    ///
    /// Safe. A dropped question leaves `addresses` as it may be.
    async fn resolve(&self, host: &str, addresses: &mut [IpAddr]) -> Result<usize, Self::Error>;
}

/// Something that has an address of this side.
pub trait LocalAddress: ErrorType<Error: Error> {
    /// The address and the port of this side.
    ///
    /// # Errors
    ///
    /// The system does not know it.
    fn local_addr(&self) -> Result<SocketAddr, Self::Error>;
}

/// All that a program needs of a network: connections, datagrams, names and time.
///
/// Implemented for everything that has its parts. A program that is written for any of them connects and serves on the
/// desktop and on a microcontroller alike:
///
/// ```
/// use core::net::SocketAddr;
/// use core::time::Duration;
/// use tacket::{AsyncResource, Network, SendStream, timeout};
///
/// /// Sends a line, and takes at most five seconds for it.
/// async fn report<N: Network>(network: &N, to: SocketAddr, line: &str) -> Option<Result<(), N::Error>> {
///     let reporting = async {
///         let mut stream = network.connect(to).await?;
///         stream.send_all(line.as_bytes()).await?;
///         stream.close().await
///     };
///     timeout(network, Duration::from_secs(5), reporting).await.ok()
/// }
/// ```
pub trait Network:
    Connect + Listen<Listener: Listener<Stream = <Self as Connect>::Stream>> + Bind + Resolve + Clock
{
}

impl<N> Network for N where
    N: Connect
        + Listen<Listener: Listener<Stream = <Self as Connect>::Stream>>
        + Bind
        + Resolve
        + Clock
{
}
