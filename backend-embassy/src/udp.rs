//! Datagrams over UDP.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::future::poll_fn;
use core::marker::PhantomData;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::pin::pin;
use core::task::Poll;

use embassy_net::udp::{BindError, PacketMetadata, SendError};
use embassy_net::{IpListenEndpoint, Stack};
use embassy_time::Timer;
use embedded_io_async::ErrorType;
use tacket::{AsyncResource, Datagram, LocalAddress, ReceiveDatagram, SendDatagram};

use crate::clock::ticks;
use crate::pool::Pool;
use crate::{Net, NetError, address};

/// How many datagrams a socket keeps in each direction, if their bytes fit.
const DATAGRAMS: usize = 8;

/// The memory of a UDP socket.
pub(crate) struct DatagramBuffers<const RX: usize, const TX: usize> {
    receive_meta: [PacketMetadata; DATAGRAMS],
    receive: [u8; RX],
    send_meta: [PacketMetadata; DATAGRAMS],
    send: [u8; TX],
}

impl<const RX: usize, const TX: usize> DatagramBuffers<RX, TX> {
    pub(crate) const fn new() -> Self {
        Self {
            receive_meta: [PacketMetadata::EMPTY; DATAGRAMS],
            receive: [0; RX],
            send_meta: [PacketMetadata::EMPTY; DATAGRAMS],
            send: [0; TX],
        }
    }
}

/// A UDP socket of the pool.
pub(crate) struct DatagramSlot {
    socket: RefCell<embassy_net::udp::UdpSocket<'static>>,
    is_used: Cell<bool>,
}

impl fmt::Debug for DatagramSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatagramSlot")
            .field("is_used", &self.is_used)
            .finish_non_exhaustive()
    }
}

impl DatagramSlot {
    pub(crate) fn new<const RX: usize, const TX: usize>(
        stack: Stack<'static>,
        buffers: &'static mut DatagramBuffers<RX, TX>,
    ) -> Self {
        let DatagramBuffers {
            receive_meta,
            receive,
            send_meta,
            send,
        } = buffers;
        let socket =
            embassy_net::udp::UdpSocket::new(stack, receive_meta, receive, send_meta, send);
        Self {
            socket: RefCell::new(socket),
            is_used: Cell::new(false),
        }
    }

    fn endpoint(&self) -> IpListenEndpoint {
        self.socket.borrow().endpoint()
    }
}

/// A UDP port, with a socket of the pool.
///
/// Datagrams that arrive while its buffers are full are lost, and so are those that are longer than the link takes, for the stack parts none. It sends them in their order: one to a neighbour that does not answer,
/// or that there is no way to, holds up those behind it, until the socket is closed. Dropped, it throws away what it has not sent or received.
#[derive(Debug)]
pub struct UdpSocket {
    pool: &'static Pool,
    slot: &'static DatagramSlot,
}

impl UdpSocket {
    /// Takes `local` for datagrams: an address of this stack, or an unspecified one for all of them. Port 0 lets the stack choose.
    ///
    /// # Errors
    ///
    /// [`NetError::PortInUse`] by another socket of this pool, [`NetError::PoolExhausted`]: none is free, or
    /// [`NetError::InvalidAddress`]: this stack does not have it, or not yet.
    pub fn bind(net: Net, local: SocketAddr) -> Result<Self, NetError> {
        let pool: &'static Pool = net.pool();
        let on = pool.local_endpoint(local)?;
        let mut used = pool.datagrams.iter().filter(|slot| slot.is_used.get());
        if local.port() != 0 && used.any(|slot| slot.endpoint().port == local.port()) {
            return Err(NetError::PortInUse);
        }
        let mut free = pool.datagrams.iter().filter(|slot| !slot.is_used.get());
        let slot = free.next().ok_or_else(|| pool.refuse())?;
        let mut socket = slot.socket.borrow_mut();
        loop {
            socket.bind(on).map_err(|error| match error {
                BindError::InvalidState => NetError::PortInUse,
                BindError::NoRoute => NetError::InvalidAddress,
            })?;
            let port = socket.endpoint().port;
            let mut used = pool.datagrams.iter().filter(|slot| slot.is_used.get());
            if !used.any(|slot| slot.endpoint().port == port) {
                break;
            }
            socket.close(); // the stack goes round, without looking: the next port
        }
        slot.is_used.set(true);
        Ok(Self { pool, slot })
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.slot.socket.borrow_mut().close();
        self.slot.is_used.set(false);
    }
}

/// The sending half of a [`UdpSocket`].
#[derive(Debug)]
pub struct UdpSending<'a> {
    pool: &'static Pool,
    slot: &'static DatagramSlot,
    socket: PhantomData<&'a mut UdpSocket>,
}

/// The receiving half of a [`UdpSocket`].
#[derive(Debug)]
pub struct UdpReceiving<'a> {
    slot: &'static DatagramSlot,
    socket: PhantomData<&'a mut UdpSocket>,
}

impl Datagram for UdpSocket {
    type Sending<'a> = UdpSending<'a>;
    type Receiving<'a> = UdpReceiving<'a>;

    fn split(&mut self) -> (UdpSending<'_>, UdpReceiving<'_>) {
        let (pool, slot, socket) = (self.pool, self.slot, PhantomData);
        (
            UdpSending { pool, slot, socket },
            UdpReceiving { slot, socket },
        )
    }
}

impl ErrorType for UdpSocket {
    type Error = NetError;
}

impl ErrorType for UdpSending<'_> {
    type Error = NetError;
}

impl ErrorType for UdpReceiving<'_> {
    type Error = NetError;
}

impl LocalAddress for UdpSocket {
    fn local_addr(&self) -> Result<SocketAddr, NetError> {
        let on = self.slot.endpoint();
        let ip = on
            .addr
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), Into::into);
        Ok(SocketAddr::new(ip, on.port))
    }
}

impl SendDatagram for UdpSending<'_> {
    async fn send_to(&mut self, data: &[u8], peer: SocketAddr) -> Result<(), NetError> {
        if peer.port() == 0 || peer.ip().is_unspecified() {
            return Err(NetError::InvalidAddress);
        }
        if !address::has_own(self.pool.stack, peer.ip()) {
            return Err(NetError::NoRoute);
        }
        let peer = address::endpoint_to_stack(peer).ok_or(NetError::NoRoute)?;
        // The stack takes it, and panics when it sends it. smoltcp 0.13.1, `IpRepr::new`.
        if (self.slot.endpoint().addr).is_some_and(|own| own.version() != peer.addr.version()) {
            return Err(NetError::NoRoute);
        }
        poll_fn(|cx| self.slot.socket.borrow().poll_send_to(data, peer, cx))
            .await
            .map_err(|error| match error {
                SendError::PacketTooLarge => NetError::DatagramTooLong,
                SendError::SocketNotBound | SendError::NoRoute => NetError::NoRoute,
            })
    }
}

impl ReceiveDatagram for UdpReceiving<'_> {
    async fn receive_from(&mut self, buf: &mut [u8]) -> Result<(usize, SocketAddr), NetError> {
        let received = poll_fn(|cx| {
            let mut socket = self.slot.socket.borrow_mut();
            let receiving = socket.recv_from_with(|datagram, meta| {
                let length = datagram.len().min(buf.len());
                if let Some((buf, datagram)) = buf.get_mut(..length).zip(datagram.get(..length)) {
                    buf.copy_from_slice(datagram);
                }
                (length, meta.endpoint)
            });
            let poll: Poll<_> = pin!(receiving).poll(cx);
            poll
        });
        let (length, peer) = received.await;
        Ok((length, address::from_stack(peer)))
    }
}

impl SendDatagram for UdpSocket {
    async fn send_to(&mut self, data: &[u8], peer: SocketAddr) -> Result<(), NetError> {
        self.split().0.send_to(data, peer).await
    }
}

impl ReceiveDatagram for UdpSocket {
    async fn receive_from(&mut self, buf: &mut [u8]) -> Result<(usize, SocketAddr), NetError> {
        self.split().1.receive_from(buf).await
    }
}

impl AsyncResource for UdpSocket {
    /// Waits until the stack has sent what it was given, then gives the port back.
    ///
    /// # Errors
    ///
    /// [`NetError::CloseTimedOut`]: it could not, for as long as the pool's [`Options::linger`](crate::Options::linger) allows; the rest is thrown away.
    ///
    /// # Cancel safety
    ///
    /// Safe. Dropped, it throws away what was not sent.
    async fn close(self) -> Result<(), NetError> {
        let mut alarm = Timer::after(ticks(self.pool.options.linger));
        poll_fn(|cx| {
            if pin!(self.slot.socket.borrow_mut().flush())
                .poll(cx)
                .is_ready()
            {
                return Poll::Ready(Ok(()));
            }
            let alarm = pin!(&mut alarm).poll(cx);
            alarm.map(|()| Err(NetError::CloseTimedOut))
        })
        .await
    }
}
