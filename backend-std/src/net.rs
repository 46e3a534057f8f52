//! A network: that of this machine.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use embedded_io_async::ErrorType;
use tacket::{Bind, Clock, Connect, Fault, Listen, Resolve};

use crate::error::Operation;
use crate::{IoError, MonotonicClock, TcpListener, TcpStream, UdpSocket, resolve};

/// The network of this machine, with its resolver of names and its clock.
///
/// The resolver of the system keeps a thread waiting for each name, so eight of the whole program are asked for at a time, and others
/// wait for their turn; without a thread at all, a name is [`Fault::Capacity`](tacket::Fault::Capacity). The system has limits of its
/// own, often half a minute and more, and then says that it failed; for another limit there is [`timeout`](tacket::timeout()). A
/// question that was dropped holds its place until the system has answered: where nobody answers, eight of those keep any other
/// waiting, even one for `localhost`. Only names wait for them: addresses do not, nor does the end of [`run`](crate::run), or of the program.
///
/// ```
/// use core::net::{IpAddr, Ipv4Addr};
/// use tacket::{Bind, LocalAddress, ReceiveDatagram, Resolve, SendDatagram};
/// use tacket_std::{IoError, Net};
///
/// tacket_std::run(async {
///     let network = Net::new();
///     let mut addresses = [IpAddr::V4(Ipv4Addr::UNSPECIFIED)];
///     network.resolve("127.0.0.1", &mut addresses).await?;
///     let mut socket = network.bind((addresses[0], 0).into()).await?; // port 0: the system chooses
///     let here = socket.local_addr()?;
///     socket.send_to(b"hello", here).await?;
///     let mut buf = [0; 16];
///     assert_eq!(socket.receive_from(&mut buf).await?, (5, here));
///     Ok::<(), IoError>(())
/// })??;
/// # Ok::<(), IoError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Net;

impl Net {
    /// The network.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl ErrorType for Net {
    type Error = IoError;
}

impl Connect for Net {
    type Stream = TcpStream;

    async fn connect(&self, peer: SocketAddr) -> Result<TcpStream, IoError> {
        if !is_peer(peer) {
            return Err(IoError::refused(
                Operation::Connect(peer),
                Fault::InvalidInput,
            ));
        }
        TcpStream::connect(peer).await
    }

    async fn connect_from(&self, local: IpAddr, peer: SocketAddr) -> Result<TcpStream, IoError> {
        if !is_peer(peer) {
            return Err(IoError::refused(
                Operation::Connect(peer),
                Fault::InvalidInput,
            ));
        }
        TcpStream::connect_from(local, peer).await
    }
}

/// Whether somebody can have that address. Some systems take an unspecified one for their own.
pub(crate) const fn is_peer(peer: SocketAddr) -> bool {
    peer.port() != 0 && !peer.ip().is_unspecified()
}

impl Listen for Net {
    type Listener = TcpListener;

    async fn listen(&self, local: SocketAddr) -> Result<TcpListener, IoError> {
        TcpListener::bind(local)
    }
}

impl Bind for Net {
    type Datagram = UdpSocket;

    async fn bind(&self, local: SocketAddr) -> Result<UdpSocket, IoError> {
        UdpSocket::bind(local)
    }
}

impl Resolve for Net {
    async fn resolve(&self, host: &str, addresses: &mut [IpAddr]) -> Result<usize, IoError> {
        resolve::resolve(host, addresses).await
    }
}

impl Clock for Net {
    fn now(&self) -> Duration {
        MonotonicClock::new().now()
    }

    async fn sleep_until(&self, deadline: Duration) {
        MonotonicClock::new().sleep_until(deadline).await;
    }
}
