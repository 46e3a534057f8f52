//! Connections, as TCP makes them: bytes in order, or an error.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use super::link::{chance, retry};
use super::world::{Due, HostId, World};
use super::{SimError, SimEventKind};

/// The most bytes of a segment.
const SEGMENT: usize = 1460;
/// How long an end tries to reach the other.
const PATIENCE: Duration = Duration::from_secs(30);

/// The end that opened the connection.
pub(super) const OPENER: usize = 0;
/// The other.
pub(super) const ACCEPTOR: usize = 1;

/// Both ends of a connection.
pub(super) struct Connection {
    ends: [End; 2],
}

struct End {
    /// Nobody has the address of some.
    host: Option<HostId>,
    address: SocketAddr,
    /// Somebody has it, or it waits to be accepted.
    held: bool,
    /// The other has said that the connection is there.
    established: bool,
    /// What has arrived and nobody has received.
    arrived: VecDeque<u8>,
    /// The other's end has arrived.
    peer_ended: bool,
    /// It has sent its own.
    ended: bool,
    broken: Option<SimError>,
    /// It has sent a reset.
    has_reset: bool,
    receiver: Option<Waker>,
    sender: Option<Waker>,
    /// How many bytes it has sent of which it does not know that they were received.
    in_flight: usize,
    /// What is on its way to the other.
    segments: VecDeque<Segment>,
    /// When the first of them is on the agenda.
    planned: Option<Duration>,
}

struct Segment {
    what: What,
    sent: Duration,
    due: Duration,
    tries: u32,
}

enum What {
    /// The opener wants to connect.
    Open,
    /// The acceptor's side has heard of it.
    Accept,
    Data(Vec<u8>),
    /// So many bytes were received.
    Room(usize),
    End,
    Reset(SimError),
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
    fn unheard_since(&self) -> Option<Duration> {
        let mut segments = self.segments.iter();
        let first =
            segments.find(|segment| !matches!(segment.what, What::Room(_) | What::Accept))?;
        Some(first.sent)
    }
}

impl Connection {
    fn end(&self, side: usize) -> &End {
        let [opener, acceptor] = &self.ends;
        if side == OPENER { opener } else { acceptor }
    }

    const fn end_mut(&mut self, side: usize) -> &mut End {
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

    fn end(&mut self, id: u64, side: usize) -> Option<&mut End> {
        self.connections
            .get_mut(&id)
            .map(|connection| connection.end_mut(side))
    }

    /// Sends a segment on its way, behind those that are.
    fn send(&mut self, id: u64, side: usize, what: What) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let (from, to) = connection.addresses(side);
        let hosts = (connection.end(side).host, connection.end(1 - side).host);
        let (delay, losses) = match hosts {
            (Some(a), Some(b)) => self.link(a, b).segment(&mut self.random),
            _ => (Duration::ZERO, 0),
        };
        if losses > 0 {
            self.note(from, to, SimEventKind::Delayed(losses));
        }
        let now = self.now;
        let Some(end) = self.end(id, side) else {
            return;
        };
        let before = end.segments.back().map_or(Duration::ZERO, |last| last.due);
        let due = (now + delay).max(before);
        end.segments.push_back(Segment {
            what,
            sent: now,
            due,
            tries: 0,
        });
        self.plan_first(id, side);
    }

    /// Puts the first segment of this end on the agenda, if it is not there.
    fn plan_first(&mut self, id: u64, side: usize) {
        let Some(end) = self.end(id, side) else {
            return;
        };
        let Some(due) = end.segments.front().map(|first| first.due) else {
            return;
        };
        if end.planned.is_none_or(|planned| due < planned) {
            end.planned = Some(due);
            self.plan(due, Due::Segment(id, side));
        }
    }

    /// The first segment of this end arrives, or is tried again.
    pub(super) fn segment_due(&mut self, id: u64, side: usize) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let hosts = (connection.end(side).host, connection.end(1 - side).host);
        let reachable = matches!(hosts, (Some(a), Some(b)) if !self.is_cut(a, b));
        let now = self.now;
        let Some(end) = self.end(id, side) else {
            return;
        };
        end.planned = end.planned.filter(|planned| *planned > now);
        // What was planned may have been taken back.
        let Some(segment) = end.segments.pop_front_if(|first| first.due <= now) else {
            return self.plan_first(id, side);
        };
        let must_wait = matches!(segment.what, What::Open) && self.backlog_is_full(id);
        if reachable && !must_wait {
            self.arrive(id, side, segment.what);
            self.plan_first(id, side);
        } else {
            self.try_again(id, side, segment);
        }
        self.forget_if_over(id);
    }

    /// Keeps a segment that did not get through, for a while.
    fn try_again(&mut self, id: u64, side: usize, mut segment: Segment) {
        let now = self.now;
        let Some(end) = self.end(id, side) else {
            return;
        };
        segment.due = now + retry(segment.tries);
        segment.tries += 1;
        end.segments.push_front(segment);
        match end.unheard_since() {
            // An end that only listens does not try: it waits for the link to be mended.
            None => {}
            Some(since) if now.saturating_sub(since) < PATIENCE => self.plan_first(id, side),
            Some(_) => {
                if let Some(connection) = self.connections.get(&id) {
                    let (from, to) = connection.addresses(side);
                    self.note(from, to, SimEventKind::TimedOut);
                }
                self.fail(id, side, SimError::TimedOut);
            }
        }
    }

    /// A link that was cut is there again: who waited for it goes on.
    pub(super) fn go_on(&mut self) {
        let ids: Vec<u64> = self.connections.keys().copied().collect();
        for id in ids {
            self.plan_first(id, OPENER);
            self.plan_first(id, ACCEPTOR);
        }
    }

    /// A segment of `side` has reached the other.
    fn arrive(&mut self, id: u64, side: usize, what: What) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let (from, to) = connection.addresses(side);
        let other = 1 - side;
        match what {
            What::Open => match self.enqueue(id) {
                true => {
                    self.note(from, to, SimEventKind::Opened);
                    if let Some(end) = self.end(id, other) {
                        (end.held, end.established) = (true, true);
                    }
                    self.send(id, other, What::Accept);
                }
                false => {
                    self.note(from, to, SimEventKind::Refused);
                    self.send(id, other, What::Reset(SimError::Refused));
                }
            },
            What::Accept => {
                let waker = self.end(id, other).and_then(|end| {
                    end.established = true;
                    end.sender.take()
                });
                self.wake(waker);
            }
            What::Data(data) => {
                self.note(from, to, SimEventKind::Arrived(data.len()));
                let Some(end) = self.end(id, other) else {
                    return;
                };
                // Nobody wants it any more, and the sender has to know, once.
                if end.broken.is_some() || !end.held {
                    self.send_reset(id, other);
                    return;
                }
                end.arrived.extend(data);
                let waker = end.receiver.take();
                self.wake(waker);
            }
            What::Room(count) => {
                let waker = self.end(id, other).and_then(|end| {
                    end.in_flight = end.in_flight.saturating_sub(count);
                    end.sender.take()
                });
                self.wake(waker);
            }
            What::End => {
                self.note(from, to, SimEventKind::Ended);
                let waker = self.end(id, other).and_then(|end| {
                    end.peer_ended = true;
                    end.receiver.take()
                });
                self.wake(waker);
            }
            What::Reset(error) => {
                if error == SimError::Reset {
                    self.note(from, to, SimEventKind::Reset);
                }
                self.fail(id, other, error);
            }
        }
    }

    fn send_reset(&mut self, id: u64, side: usize) {
        if let Some(end) = self.end(id, side)
            && !core::mem::replace(&mut end.has_reset, true)
        {
            end.broken.get_or_insert(SimError::Reset);
            self.send(id, side, What::Reset(SimError::Reset));
        }
    }

    /// This end knows that the connection is over.
    fn fail(&mut self, id: u64, side: usize, error: SimError) {
        let Some(end) = self.end(id, side) else {
            return;
        };
        end.broken.get_or_insert(error);
        end.segments.clear();
        let wakers = [end.sender.take(), end.receiver.take()];
        wakers.into_iter().for_each(|waker| self.wake(waker));
    }

    /// Cuts off every connection between two hosts, for both ends at once.
    pub(super) fn reset(&mut self, a: HostId, b: HostId) {
        let between = |connection: &Connection| {
            let hosts = (connection.end(OPENER).host, connection.end(ACCEPTOR).host);
            hosts == (Some(a), Some(b)) || hosts == (Some(b), Some(a))
        };
        let found = self
            .connections
            .iter()
            .filter(|(_, connection)| between(connection));
        let ids: Vec<u64> = found.map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(connection) = self.connections.get(&id) {
                let (from, to) = connection.addresses(OPENER);
                self.note(from, to, SimEventKind::Reset);
            }
            self.fail(id, OPENER, SimError::Reset);
            self.fail(id, ACCEPTOR, SimError::Reset);
            self.forget_if_over(id);
        }
    }

    /// A connection that nobody has, with nothing on its way, is over.
    fn forget_if_over(&mut self, id: u64) {
        let over = |end: &End| !end.held && end.segments.is_empty();
        if self
            .connections
            .get(&id)
            .is_some_and(|connection| connection.ends.iter().all(over))
        {
            self.connections.remove(&id);
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
                let before = end.sender.replace(cx.waker().clone());
                drop(before);
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
        let before = end.sender.replace(cx.waker().clone());
        drop(before);
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
                    let before = end.receiver.replace(cx.waker().clone());
                    drop(before);
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
