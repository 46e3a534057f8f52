//! Datagrams over UDP.

use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll};
use std::io;

use embedded_io_async::ErrorType;
use socket2::{Domain, Socket, Type};
use tacket::{AsyncResource, Datagram, Fault, LocalAddress, ReceiveDatagram, SendDatagram};

use crate::error::{IoError, Operation};
use crate::net::is_peer;
use crate::source::{Direction, Moved, Source, Start};

/// A UDP port.
///
/// What the network reports of datagrams sent earlier, for instance that nobody has the port they went to, is passed over:
/// it says nothing about the next.
///
/// On Windows a datagram that is longer than the buffer is an error, and lost.
///
/// An example is at [`Net`](crate::Net).
#[derive(Debug)]
pub struct UdpSocket {
    source: Source<mio::net::UdpSocket>,
}

impl UdpSocket {
    /// Takes `address` for datagrams. Port 0 lets the system choose one.
    ///
    /// An unspecified address is every one of its version of IP, and of no other (`IPV6_V6ONLY`), as for listeners.
    ///
    /// # Errors
    ///
    /// The port is in use, not allowed or not of this machine ([`io_error`](IoError::io_error) tells), or
    /// [`Fault::Capacity`]: no descriptor left.
    pub fn bind(address: SocketAddr) -> Result<Self, IoError> {
        bind(address)
            .and_then(|socket| Source::new(socket, Start::Unknown))
            .map(|source| Self { source })
            .map_err(|error| IoError::new(Operation::Bind(address), error))
    }

    /// Runs `operation`, and again after reports about earlier datagrams.
    fn poll_io<T: Moved>(
        &self,
        direction: Direction,
        cx: &Context<'_>,
        mut operation: impl FnMut(&mio::net::UdpSocket) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            // Asking for nothing makes no datagram a short one: there may be another behind each.
            match self.source.poll_io(direction, cx, 0, &mut operation) {
                Poll::Ready(Err(error)) if is_about_earlier_datagram(&error) => {}
                polled => return polled,
            }
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<mio::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(mio::net::UdpSocket::from_std(socket.into()))
}

/// Adopts a socket, for instance one that `socket2` has made. It becomes non-blocking, for everybody who shares it.
impl TryFrom<std::net::UdpSocket> for UdpSocket {
    type Error = IoError;

    fn try_from(socket: std::net::UdpSocket) -> Result<Self, IoError> {
        socket
            .set_nonblocking(true)
            .and_then(|()| Source::new(mio::net::UdpSocket::from_std(socket), Start::Unknown))
            .map(|source| Self { source })
            .map_err(|error| IoError::new(Operation::Adopt, error))
    }
}

fn is_about_earlier_datagram(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionRefused | Kind::ConnectionReset
    )
}

impl Moved for (usize, SocketAddr) {
    fn moved(&self) -> usize {
        self.0
    }
}

/// The sending half of a [`UdpSocket`].
#[derive(Debug)]
pub struct UdpSending<'a> {
    socket: &'a UdpSocket,
}

/// The receiving half of a [`UdpSocket`].
#[derive(Debug)]
pub struct UdpReceiving<'a> {
    socket: &'a UdpSocket,
}

impl Datagram for UdpSocket {
    type Sending<'a> = UdpSending<'a>;
    type Receiving<'a> = UdpReceiving<'a>;

    fn split(&mut self) -> (UdpSending<'_>, UdpReceiving<'_>) {
        (UdpSending { socket: self }, UdpReceiving { socket: self })
    }
}

impl ErrorType for UdpSocket {
    type Error = IoError;
}

impl ErrorType for UdpSending<'_> {
    type Error = IoError;
}

impl ErrorType for UdpReceiving<'_> {
    type Error = IoError;
}

impl LocalAddress for UdpSocket {
    fn local_addr(&self) -> Result<SocketAddr, IoError> {
        let address = self.source.io().local_addr();
        address.map_err(|error| IoError::new(Operation::Address, error))
    }
}

impl SendDatagram for UdpSending<'_> {
    async fn send_to(&mut self, data: &[u8], peer: SocketAddr) -> Result<(), IoError> {
        if !is_peer(peer) {
            return Err(IoError::refused(
                Operation::SendTo(peer),
                Fault::InvalidInput,
            ));
        }
        let sent = poll_fn(|cx| {
            self.socket
                .poll_io(Direction::Write, cx, |io| io.send_to(data, peer))
        });
        match sent.await {
            Ok(_) => Ok(()),
            Err(error) => Err(IoError::new(Operation::SendTo(peer), error)),
        }
    }
}

impl ReceiveDatagram for UdpReceiving<'_> {
    async fn receive_from(&mut self, buf: &mut [u8]) -> Result<(usize, SocketAddr), IoError> {
        let received = poll_fn(|cx| {
            self.socket
                .poll_io(Direction::Read, cx, |io| io.recv_from(buf))
        });
        let received = received.await;
        received.map_err(|error| IoError::new(Operation::Receive, error))
    }
}

impl SendDatagram for UdpSocket {
    async fn send_to(&mut self, data: &[u8], peer: SocketAddr) -> Result<(), IoError> {
        self.split().0.send_to(data, peer).await
    }
}

impl ReceiveDatagram for UdpSocket {
    async fn receive_from(&mut self, buf: &mut [u8]) -> Result<(usize, SocketAddr), IoError> {
        self.split().1.receive_from(buf).await
    }
}

impl AsyncResource for UdpSocket {
    /// Gives the port back. It does not wait: the system goes on sending.
    ///
    /// # Errors
    ///
    /// Never.
    ///
    /// # Cancel safety
    ///
    /// Safe. It waits for nothing.
    async fn close(self) -> Result<(), IoError> {
        Ok(())
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for UdpSocket {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.source.io().as_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for UdpSocket {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.source.io().as_socket()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;

    /// Linux tells a socket only what concerns the peer that it is connected to; other systems tell any.
    #[test]
    fn a_port_without_an_owner_fails_neither_the_next_send_nor_a_receive() {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut socket = UdpSocket::bind(anywhere).expect("a free port");
        let here = socket.local_addr().expect("an address");
        let peer = std::net::UdpSocket::bind(anywhere).expect("a free port");
        let there = peer.local_addr().expect("an address");
        socket.source.io().connect(there).expect("a route");
        drop(peer);
        crate::run(async {
            socket.send_to(b"lost", there).await.expect("sends");
            socket.send_to(b"lost too", there).await.expect("sends");
            let peer = std::net::UdpSocket::bind(there).expect("free again");
            peer.send_to(b"answer", here).expect("sends");
            let mut buf = [0; 16];
            let received = socket.receive_from(&mut buf).await.expect("no report");
            assert_eq!(received, (6, there));
        })
        .expect("an event loop");
    }
}
