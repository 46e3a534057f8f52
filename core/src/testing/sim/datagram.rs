//! Datagrams of a simulated network.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use embedded_io_async::ErrorType;

use super::world::{Due, HostId, Shared, World, any_like, is_taken, register};
use super::{SimError, SimEventKind};
use crate::{AsyncResource, Datagram, LocalAddress, ReceiveDatagram, SendDatagram};

/// How many datagrams wait at a socket.
const INBOX: usize = 64;
/// The most bytes of a datagram: what UDP over IPv4 carries.
const LONGEST: usize = 65507;

/// A datagram on its way, as [`SimNet::set_hook`](super::SimNet::set_hook) sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "hooks change all of it")]
pub struct SimPacket {
    /// Who sent it.
    pub from: SocketAddr,
    /// For whom it is.
    pub to: SocketAddr,
    /// What is in it.
    pub data: Vec<u8>,
    /// After how long it arrives, once for each of these: an empty list loses it, a second entry doubles it.
    pub arrivals: Vec<Duration>,
}

pub(super) struct Socket {
    host: HostId,
    address: SocketAddr,
    /// At every address of the host.
    everywhere: bool,
    inbox: VecDeque<SimPacket>,
    receiver: Option<Waker>,
}

impl World {
    pub(super) fn bind(&mut self, host: HostId, local: SocketAddr) -> Result<u64, SimError> {
        let address = self.take_address(host, local, |world, port| {
            let mut others = world
                .sockets
                .values()
                .map(|other| (other.host, other.address));
            others.any(|(at, other)| at == host && is_taken(other, local, port))
        })?;
        let id = self.number();
        let socket = Socket {
            host,
            address,
            everywhere: local.ip().is_unspecified(),
            inbox: VecDeque::new(),
            receiver: None,
        };
        self.sockets.insert(id, socket);
        Ok(id)
    }

    fn socket_address(&self, id: u64) -> Result<SocketAddr, SimError> {
        let socket = self.sockets.get(&id);
        socket.map(|socket| socket.address).ok_or(SimError::Closed)
    }

    /// What becomes of a datagram, as far as the link decides.
    fn packet(&mut self, id: u64, data: &[u8], to: SocketAddr) -> Result<SimPacket, SimError> {
        let socket = self.sockets.get(&id).ok_or(SimError::Closed)?;
        let (host, address) = (socket.host, socket.address);
        let local = match socket.everywhere {
            true => any_like(address.ip()),
            false => address.ip(),
        };
        let from = SocketAddr::new(self.source(host, local, to)?, address.port());
        if data.len() > LONGEST {
            return Err(SimError::TooLong);
        }
        self.note(from, to, SimEventKind::DatagramSent(data.len()));
        let arrivals = match self.destination(host, to.ip()) {
            Some(destination) => {
                let link = self.link(host, destination);
                let arrivals = link.datagram(&mut self.random);
                match self.is_cut(host, destination) {
                    true => Vec::new(),
                    false => arrivals.into_iter().flatten().collect(),
                }
            }
            None => Vec::new(),
        };
        Ok(SimPacket {
            from,
            to,
            data: data.to_vec(),
            arrivals,
        })
    }

    /// Sends the copies of a datagram on their way.
    fn send_off(&mut self, id: u64, mut packet: SimPacket) {
        let arrivals = core::mem::take(&mut packet.arrivals);
        let Some(from) = self.sockets.get(&id).map(|socket| socket.host) else {
            return;
        };
        let Some(to) = self.destination(from, packet.to.ip()) else {
            return; // nobody has the address, and nobody says so
        };
        if arrivals.is_empty() {
            self.note(packet.from, packet.to, SimEventKind::DatagramLost);
        }
        for delay in arrivals {
            let copy = packet.clone();
            self.plan(self.now + delay, Due::Datagram(from, to, copy));
        }
    }

    pub(super) fn datagram_arrives(&mut self, from: HostId, to: HostId, packet: SimPacket) {
        let (sender, at) = (packet.from, packet.to);
        if self.is_cut(from, to) {
            return self.note(sender, at, SimEventKind::DatagramLost);
        }
        let mut sockets = self.sockets.values_mut();
        let socket = sockets.find(|socket| {
            let there = match socket.everywhere {
                true => socket.address.is_ipv4() == at.is_ipv4(),
                false => socket.address.ip() == at.ip(),
            };
            socket.host == to && socket.address.port() == at.port() && there
        });
        let Some(socket) = socket else {
            return self.note(sender, at, SimEventKind::DatagramUnwanted);
        };
        if socket.inbox.len() >= INBOX {
            return self.note(sender, at, SimEventKind::DatagramLost);
        }
        let length = packet.data.len();
        socket.inbox.push_back(packet);
        let waker = socket.receiver.take();
        self.wake(waker);
        self.note(sender, at, SimEventKind::DatagramArrived(length));
    }

    fn poll_receive(
        &mut self,
        cx: &Context<'_>,
        id: u64,
        buf: &mut [u8],
    ) -> Poll<Result<(usize, SocketAddr), SimError>> {
        let socket = self.sockets.get_mut(&id).ok_or(SimError::Closed)?;
        let Some(packet) = socket.inbox.pop_front() else {
            let before = register(&mut socket.receiver, cx);
            self.wake(before);
            return Poll::Pending;
        };
        let count = buf.len().min(packet.data.len());
        for (place, byte) in buf.iter_mut().zip(&packet.data) {
            *place = *byte;
        }
        Poll::Ready(Ok((count, packet.from)))
    }
}

/// A socket for datagrams of a [`SimHost`](super::SimHost).
///
/// 64 datagrams wait to be received; those that come then are lost. Datagrams to nobody vanish.
#[derive(Debug)]
pub struct SimDatagram {
    sending: SimDatagramSender,
    receiving: SimDatagramReceiver,
}

/// The sending half of a [`SimDatagram`].
#[derive(Debug)]
pub struct SimDatagramSender {
    bound: Rc<Bound>,
}

/// The receiving half of a [`SimDatagram`].
#[derive(Debug)]
pub struct SimDatagramReceiver {
    bound: Rc<Bound>,
}

/// Somebody has the socket.
struct Bound {
    shared: Rc<Shared>,
    id: u64,
}

impl Drop for Bound {
    fn drop(&mut self) {
        let socket = self.shared.with(|world| world.sockets.remove(&self.id));
        drop(socket);
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl SimDatagram {
    pub(super) fn new(shared: Rc<Shared>, id: u64) -> Self {
        let bound = Rc::new(Bound { shared, id });
        Self {
            sending: SimDatagramSender {
                bound: Rc::clone(&bound),
            },
            receiving: SimDatagramReceiver { bound },
        }
    }
}

impl ErrorType for SimDatagramSender {
    type Error = SimError;
}

impl SendDatagram for SimDatagramSender {
    async fn send_to(&mut self, data: &[u8], peer: SocketAddr) -> Result<(), SimError> {
        let Bound { shared, id } = &*self.bound;
        let mut packet = shared.with(|world| world.packet(*id, data, peer))?;
        shared.show(&mut packet);
        shared.with(|world| world.send_off(*id, packet));
        Ok(())
    }
}

impl ErrorType for SimDatagramReceiver {
    type Error = SimError;
}

impl ReceiveDatagram for SimDatagramReceiver {
    async fn receive_from(&mut self, buf: &mut [u8]) -> Result<(usize, SocketAddr), SimError> {
        let Bound { shared, id } = &*self.bound;
        poll_fn(|cx| shared.with(|world| world.poll_receive(cx, *id, buf))).await
    }
}

impl ErrorType for SimDatagram {
    type Error = SimError;
}

impl SendDatagram for SimDatagram {
    async fn send_to(&mut self, data: &[u8], peer: SocketAddr) -> Result<(), SimError> {
        self.sending.send_to(data, peer).await
    }
}

impl ReceiveDatagram for SimDatagram {
    async fn receive_from(&mut self, buf: &mut [u8]) -> Result<(usize, SocketAddr), SimError> {
        self.receiving.receive_from(buf).await
    }
}

impl Datagram for SimDatagram {
    type Sending<'a> = &'a mut SimDatagramSender;
    type Receiving<'a> = &'a mut SimDatagramReceiver;

    fn split(&mut self) -> (Self::Sending<'_>, Self::Receiving<'_>) {
        (&mut self.sending, &mut self.receiving)
    }
}

impl AsyncResource for SimDatagram {
    async fn close(self) -> Result<(), SimError> {
        Ok(())
    }
}

impl LocalAddress for SimDatagram {
    /// The address at which other hosts reach it: for one that is bound everywhere, the first of its host.
    fn local_addr(&self) -> Result<SocketAddr, SimError> {
        let Bound { shared, id } = &*self.sending.bound;
        shared.with(|world| world.socket_address(*id))
    }
}
