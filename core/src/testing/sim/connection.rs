//! Connections, as TCP makes them: bytes in order, or an error.

use alloc::collections::VecDeque;
use core::net::{IpAddr, SocketAddr};
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use super::link::chance;
use super::segment::{Segment, What};
use super::world::{HostId, World, register};
use super::{SimError, SimEventKind};

/// The most bytes of a segment.
const SEGMENT: usize = 1460;

/// The end that opened the connection.
pub(super) const OPENER: usize = 0;
/// The other.
pub(super) const ACCEPTOR: usize = 1;

/// Both ends of a connection.
pub(super) struct Connection {
    pub(super) ends: [End; 2],
}

pub(super) struct End {
    /// Nobody has the address of some.
    pub(super) host: Option<HostId>,
    pub(super) address: SocketAddr,
    /// Somebody has it, or it waits to be accepted.
    pub(super) held: bool,
    /// The other has said that the connection is there.
    pub(super) established: bool,
    /// What has arrived and nobody has received.
    pub(super) arrived: VecDeque<u8>,
    /// The other's end has arrived.
    pub(super) peer_ended: bool,
    /// It has sent its own.
    pub(super) ended: bool,
    pub(super) broken: Option<SimError>,
    /// It has sent a reset.
    pub(super) has_reset: bool,
    pub(super) receiver: Option<Waker>,
    pub(super) sender: Option<Waker>,
    /// How many bytes it has sent of which it does not know that they were received.
    pub(super) in_flight: usize,
    /// What is on its way to the other.
    pub(super) segments: VecDeque<Segment>,
    /// When the first of them is on the agenda.
    pub(super) planned: Option<Duration>,
}

impl End {
    const fn new(host: Option<HostId>, address: SocketAddr, held: bool) -> Self {
        Self {
            host,
            address,
            held,
            established: false,
            arrived: VecDeque::new(),
            peer_ended: false,
            ended: false,
            broken: None,
            has_reset: false,
            receiver: None,
            sender: None,
            in_flight: 0,
            segments: VecDeque::new(),
            planned: None,
        }
    }

    fn check_sending(&self) -> Result<(), SimError> {
        match (self.ended, self.broken) {
            (true, _) => Err(SimError::Closed),
            (_, Some(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether it waits for the other to get something, and since when.
    pub(super) fn unheard_since(&self) -> Option<Duration> {
        let mut segments = self.segments.iter();
        let first =
            segments.find(|segment| !matches!(segment.what, What::Room(_) | What::Accept))?;
        Some(first.sent)
    }
}

impl Connection {
    pub(super) fn end(&self, side: usize) -> &End {
        let [opener, acceptor] = &self.ends;
        if side == OPENER { opener } else { acceptor }
    }

    pub(super) const fn end_mut(&mut self, side: usize) -> &mut End {
        let [opener, acceptor] = &mut self.ends;
        if side == OPENER { opener } else { acceptor }
    }

    pub(super) fn addresses(&self, side: usize) -> (SocketAddr, SocketAddr) {
        (self.end(side).address, self.end(1 - side).address)
    }

    pub(super) fn host(&self, side: usize) -> Option<HostId> {
        self.end(side).host
    }

    /// Whether its acceptor can still be handed out.
    pub(super) const fn is_fresh(&self) -> bool {
        self.ends[ACCEPTOR].broken.is_none()
    }
}

impl World {
    /// Begins a connection. Its opener is [established](Self::poll_established) later.
    pub(super) fn open(
        &mut self,
        host: HostId,
        local: IpAddr,
        peer: SocketAddr,
    ) -> Result<u64, SimError> {
        let ip = self.source(host, local, peer)?;
        let port = self.free_port(host, |world, port| {
            let mut connections = world.connections.values();
            connections.any(|other| other.addresses(OPENER) == (SocketAddr::new(ip, port), peer))
        })?;
        let destination = self.destination(host, peer.ip());
        let id = self.number();
        let opener = End::new(Some(host), SocketAddr::new(ip, port), true);
        let acceptor = End::new(destination, peer, false);
        self.connections.insert(
            id,
            Connection {
                ends: [opener, acceptor],
            },
        );
        self.note(SocketAddr::new(ip, port), peer, SimEventKind::Opening);
        self.send(id, OPENER, What::Open);
        Ok(id)
    }

    /// The addresses of one end of a connection and of the other.
    pub(super) fn addresses(&self, id: u64, side: usize) -> Option<(SocketAddr, SocketAddr)> {
        let connection = self.connections.get(&id)?;
        Some(connection.addresses(side))
    }

    pub(super) fn end(&mut self, id: u64, side: usize) -> Option<&mut End> {
        self.connections
            .get_mut(&id)
            .map(|connection| connection.end_mut(side))
    }
    /// A connection that nobody has, with nothing on its way, is over.
    pub(super) fn forget_if_over(&mut self, id: u64) {
        let over = |end: &End| !end.held && end.segments.is_empty();
        if self
            .connections
            .get(&id)
            .is_some_and(|connection| connection.ends.iter().all(over))
        {
            let over = self.connections.remove(&id);
            let ends = over.into_iter().flat_map(|connection| connection.ends);
            ends.for_each(|end| {
                self.wake(end.sender);
                self.wake(end.receiver);
            });
        }
    }

    pub(super) fn poll_established(
        &mut self,
        cx: &Context<'_>,
        id: u64,
    ) -> Poll<Result<(), SimError>> {
        match self.end(id, OPENER) {
            Some(End {
                established: true, ..
            }) => Poll::Ready(Ok(())),
            Some(End {
                broken: Some(error),
                ..
            }) => Poll::Ready(Err(*error)),
            Some(end) => {
                let before = register(&mut end.sender, cx);
                self.wake(before);
                Poll::Pending
            }
            None => Poll::Ready(Err(SimError::Reset)),
        }
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &Context<'_>,
        (id, side): (u64, usize),
        data: &[u8],
    ) -> Poll<Result<usize, SimError>> {
        if data.is_empty() {
            let end = self.end(id, side).ok_or(SimError::Reset)?;
            return Poll::Ready(end.check_sending().map(|()| 0));
        }
        let room = match self.poll_room(cx, (id, side))? {
            Poll::Ready(room) => room,
            Poll::Pending => return Poll::Pending,
        };
        let count = data.len().min(room);
        if let Some(end) = self.end(id, side) {
            end.in_flight += count;
        }
        let (taken, _) = data.split_at(count);
        for piece in taken.chunks(SEGMENT) {
            self.send(id, side, What::Data(piece.to_vec()));
        }
        Poll::Ready(Ok(count))
    }

    /// Waits until it takes at least a byte, and returns how many.
    pub(super) fn poll_room(
        &mut self,
        cx: &Context<'_>,
        (id, side): (u64, usize),
    ) -> Poll<Result<usize, SimError>> {
        let window = self.window;
        let end = self.end(id, side).ok_or(SimError::Reset)?;
        end.check_sending()?;
        let room = window.saturating_sub(end.in_flight);
        if room > 0 {
            return Poll::Ready(Ok(room));
        }
        let before = register(&mut end.sender, cx);
        self.wake(before);
        Poll::Pending
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &Context<'_>,
        (id, side): (u64, usize),
        buf: &mut [u8],
    ) -> Poll<Result<usize, SimError>> {
        let end = self.end(id, side).ok_or(SimError::Reset)?;
        if end.arrived.is_empty() {
            return match (end.peer_ended, end.broken) {
                (true, _) => Poll::Ready(Ok(0)),
                (_, Some(error)) => Poll::Ready(Err(error)),
                _ => {
                    let before = register(&mut end.receiver, cx);
                    self.wake(before);
                    Poll::Pending
                }
            };
        }
        let count = buf.len().min(end.arrived.len());
        for (place, byte) in buf.iter_mut().zip(end.arrived.drain(..count)) {
            *place = byte;
        }
        self.send(id, side, What::Room(count));
        Poll::Ready(Ok(count))
    }

    pub(super) fn send_end(&mut self, id: u64, side: usize) {
        if let Some(end) = self.end(id, side)
            && !core::mem::replace(&mut end.ended, true)
            && end.broken.is_none()
        {
            self.send(id, side, What::End);
        }
    }

    /// Nobody has this end any more. Without its own end, that is a reset, which may overtake what is on its way.
    pub(super) fn let_go(&mut self, id: u64, side: usize) {
        let overtakes = chance(&mut self.random) < 0.5;
        let Some(end) = self.end(id, side) else {
            return;
        };
        end.held = false;
        let arrived = core::mem::take(&mut end.arrived);
        drop(arrived);
        if !end.ended && end.broken.is_none() {
            let is_opening = |segment: &Segment| matches!(segment.what, What::Open);
            if end.segments.iter().any(is_opening) {
                end.segments.clear(); // nobody has heard of it
            } else {
                if overtakes {
                    let is_data = |segment: &Segment| matches!(segment.what, What::Data(_));
                    end.segments.retain(|segment| !is_data(segment));
                }
                self.send_reset(id, side);
            }
        }
        self.forget_if_over(id);
    }
}
