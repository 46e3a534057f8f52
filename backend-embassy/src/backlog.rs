//! The sockets that wait for clients.

use core::cell::Cell;
use core::ptr;
use core::task::{Context, Poll, Waker};

use embassy_net::IpListenEndpoint;
use embassy_net::tcp::State;
use embassy_time::{Duration, Instant};

use crate::NetError;
use crate::clock::ticks;
use crate::pool::{Pool, Wake};
use crate::slot::{Armed, Life, Slot};
use crate::usage::count;

/// The ports that RFC 6335 leaves to be chosen.
pub(crate) const FIRST_DYNAMIC_PORT: u16 = 49152;

/// How soon to look whether a client that waits to be accepted is still there.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// A listener, as the pool sees it.
#[derive(Debug)]
pub(crate) struct ListenerRecord {
    on: Cell<Option<IpListenEndpoint>>,
    backlog: Cell<usize>,
    /// Where to look first for the next socket to arm.
    cursor: Cell<usize>,
    acceptor: Wake,
}

impl ListenerRecord {
    pub(crate) const fn new() -> Self {
        Self {
            on: Cell::new(None),
            backlog: Cell::new(0),
            cursor: Cell::new(0),
            acceptor: Wake::new(),
        }
    }

    fn port(&self) -> Option<u16> {
        self.on.get().map(|on| on.port)
    }

    fn overlaps(&self, on: IpListenEndpoint) -> bool {
        self.on.get().is_some_and(|own| {
            own.port == on.port && (own.addr == on.addr || own.addr.is_none() || on.addr.is_none())
        })
    }
}

impl Pool {
    /// Starts to listen. Returns the listener's place.
    pub(crate) fn listen(&self, on: IpListenEndpoint, backlog: usize) -> Result<usize, NetError> {
        if self.listeners.iter().any(|record| record.overlaps(on)) {
            return Err(NetError::PortInUse);
        }
        let mut records = self.listeners.iter().enumerate();
        let (place, record) = records
            .find(|(_, record)| record.on.get().is_none())
            .ok_or_else(|| self.refuse())?;
        record.on.set(Some(on));
        record.backlog.set(backlog.max(1));
        record.cursor.set(0);
        // The pool's task comes to it soon; until then nobody has to be woken.
        let cx = &mut Context::from_waker(Waker::noop());
        self.arm(cx, place, record, usize::MAX);
        if self.count(|life| is_armed_for(life, place)) == 0 {
            record.on.set(None);
            return Err(self.refuse());
        }
        self.task.wake();
        Ok(place)
    }

    /// A port to listen on that no listener has.
    pub(crate) fn choose_port(&self) -> u16 {
        loop {
            let port = self.next_port.get();
            self.next_port
                .set(port.checked_add(1).unwrap_or(FIRST_DYNAMIC_PORT));
            if !self
                .listeners
                .iter()
                .any(|record| record.port() == Some(port))
            {
                return port;
            }
        }
    }

    pub(crate) fn endpoint(&self, place: usize) -> Option<IpListenEndpoint> {
        self.listeners.get(place)?.on.get()
    }

    /// Stops listening, and resets what was not accepted.
    pub(crate) fn unlisten(&self, place: usize) {
        if let Some(record) = self.listeners.get(place) {
            record.on.set(None);
        }
        let now = Instant::now();
        for slot in self.slots {
            if is_armed_for(slot.life(), place) {
                slot.abort(now);
            }
        }
        self.task.wake();
    }

    /// The connection of the client that has waited longest, held by one handle that the caller now owns.
    pub(crate) fn poll_accept(&self, cx: &Context<'_>, place: usize) -> Poll<&'static Slot> {
        while let Some(slot) = self.longest_waiting(place) {
            self.task.wake(); // to arm another
            match slot.accept() {
                Some(()) => return Poll::Ready(slot),
                None => slot.set_life(Life::Free), // reset before it was accepted
            }
        }
        if let Some(record) = self.listeners.get(place) {
            record.acceptor.register(cx);
        }
        Poll::Pending
    }

    fn longest_waiting(&self, place: usize) -> Option<&'static Slot> {
        let order = |slot: &&Slot| match slot.life() {
            Life::Armed(armed) if armed.listener == place => armed.order,
            _ => None,
        };
        let waiting = self.slots.iter().filter(|slot| order(slot).is_some());
        // Orders wrap, and those that wait are close together.
        let next = self.next_order.get();
        waiting.max_by_key(|slot| order(slot).map(|order| next.wrapping_sub(order)))
    }

    /// Arms sockets for every listener: first one each, then what is left.
    pub(crate) fn arm_all(&self, cx: &mut Context<'_>) {
        for most in [1, usize::MAX] {
            for (place, record) in self.listeners.iter().enumerate() {
                self.arm(cx, place, record, most);
            }
        }
    }

    /// Arms sockets until the backlog is full, or `most` are armed, or the pool is empty.
    ///
    /// A client may send its SYN twice, and the stack gives each copy to the first socket that would take it. That has to be the
    /// one that took the first copy: so sockets are armed in rising order, round and round, and never before one that is half open.
    fn arm(&self, cx: &mut Context<'_>, place: usize, record: &ListenerRecord, most: usize) {
        let Some(on) = record.on.get() else { return };
        let mut armed = self.count(|life| is_armed_for(life, place));
        while armed < record.backlog.get().min(most) {
            let is_half_open = |slot: &Slot| {
                is_armed_for(slot.life(), place) && slot.state() == State::SynReceived
            };
            let start = self.slots.iter().rposition(is_half_open).unwrap_or(0);
            let cursor = record.cursor.get();
            let free = self
                .free_slot(|index| index >= start.max(cursor))
                .or_else(|| self.free_slot(|index| index >= start));
            let Some((index, slot)) = free else { return };
            record.cursor.set(index + 1);
            slot.arm(cx, place, on);
            self.note_use();
            armed += 1;
        }
    }

    /// Follows a socket that waits for a client. Returns when to look again.
    pub(crate) fn watch_armed(
        &self,
        cx: &mut Context<'_>,
        slot: &Slot,
        mut armed: Armed,
    ) -> Option<Instant> {
        let now = Instant::now();
        match slot.state() {
            State::Listen if armed.half_open.is_some() => {
                // Its client has reset the handshake. Another may be half open on a socket behind it meanwhile.
                slot.abort(now);
                return None;
            }
            State::Listen => {}
            State::SynReceived => {
                let limit = ticks(self.options.half_open);
                let deadline = *armed
                    .half_open
                    .get_or_insert_with(|| now.saturating_add(limit));
                if now >= deadline {
                    count(&self.counters.half_open);
                    slot.abort(now);
                    return None;
                }
                if self.is_taken_twice(slot) {
                    slot.abort(now);
                    return None;
                }
            }
            State::Closed => {
                slot.set_life(Life::Free);
                return None;
            }
            _ if armed.order.is_none() => {
                armed.half_open = None;
                armed.order = Some(self.next_order.get());
                self.next_order.set(self.next_order.get().wrapping_add(1));
                if let Some(record) = self.listeners.get(armed.listener) {
                    record.acceptor.wake();
                }
            }
            _ => {}
        }
        slot.set_life(Life::Armed(armed));
        slot.watch(cx);
        // One that has sent something is ready in both directions, so nothing tells when it goes.
        let look_again = armed.order.map(|_| now.saturating_add(LOOK_AGAIN));
        armed.half_open.or(look_again)
    }

    /// Whether this handshake is that of a connection which another socket has: a late copy of its first packet.
    ///
    /// The stack gives a packet to the first socket that would take it, so the other one comes later.
    fn is_taken_twice(&self, slot: &Slot) -> bool {
        let Some(ends) = slot.endpoints() else {
            return false;
        };
        let is_alive = |other: &Slot| !matches!(other.state(), State::Closed | State::TimeWait);
        let later = self.slots.iter().skip_while(|other| !ptr::eq(*other, slot));
        later
            .skip(1)
            .any(|other| other.endpoints() == Some(ends) && is_alive(other))
    }
}

fn is_armed_for(life: Life, place: usize) -> bool {
    matches!(life, Life::Armed(armed) if armed.listener == place)
}
