//! The sockets that were allocated at the start, and the task that finishes what their users have left.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::pin::pin;
use core::ptr;
use core::task::{Context, Poll, Waker};

use embassy_net::tcp::State;
use embassy_net::{IpAddress, IpListenEndpoint, Stack};
use embassy_sync::waitqueue::WakerRegistration;
use embassy_time::{Instant, Timer};

use crate::clock::ticks;
use crate::slot::{Armed, Closing, Life, Slot};
use crate::udp::DatagramSlot;
use crate::usage::{Counters, Usage, count, raise};
use crate::{NetError, Options};

/// What a [`PoolStorage`](crate::PoolStorage) holds, without its sizes.
pub(crate) struct Pool {
    pub(crate) stack: Stack<'static>,
    pub(crate) slots: &'static [Slot],
    pub(crate) datagrams: &'static [DatagramSlot],
    pub(crate) listeners: &'static [ListenerRecord],
    pub(crate) options: Options,
    /// Bytes of buffers of one socket.
    pub(crate) socket_bytes: usize,
    pub(crate) task: &'static Wake,
    pub(crate) next_order: Cell<u32>,
    pub(crate) next_port: Cell<u16>,
    pub(crate) counters: Counters,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}

/// A listener, as the pool sees it.
#[derive(Debug)]
pub(crate) struct ListenerRecord {
    on: Cell<Option<IpListenEndpoint>>,
    backlog: Cell<usize>,
    /// Where to look first for the next socket to arm.
    cursor: Cell<usize>,
    acceptor: Wake,
}

/// A task to wake.
#[derive(Debug)]
pub(crate) struct Wake(RefCell<WakerRegistration>);

impl Wake {
    pub(crate) const fn new() -> Self {
        Self(RefCell::new(WakerRegistration::new()))
    }

    pub(crate) fn register(&self, cx: &Context<'_>) {
        self.0.borrow_mut().register(cx.waker());
    }

    pub(crate) fn wake(&self) {
        self.0.borrow_mut().wake();
    }
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
}

/// The ports that RFC 6335 leaves to be chosen.
const FIRST_DYNAMIC_PORT: u16 = 49152;

impl Pool {
    /// The first port to be chosen.
    pub(crate) const FIRST_PORT: u16 = FIRST_DYNAMIC_PORT;

    // ------------------------------------------------------------ giving out

    /// A socket that nobody uses. One that remembers no connection is preferred.
    fn free_slot(
        &self,
        mut is_wanted: impl FnMut(usize) -> bool,
    ) -> Option<(usize, &'static Slot)> {
        let mut remembers = None;
        for (index, slot) in self.slots.iter().enumerate() {
            if matches!(slot.life(), Life::Free) && is_wanted(index) {
                if slot.state() == State::Closed {
                    return Some((index, slot));
                }
                remembers = remembers.or(Some((index, slot)));
            }
        }
        remembers
    }

    /// A socket to connect with, held by one handle that the caller now owns.
    pub(crate) fn take(&self) -> Result<&'static Slot, NetError> {
        let free = self.free_slot(|_| true);
        let (_, slot) = free.ok_or_else(|| self.refuse())?;
        slot.hold();
        self.note_use();
        Ok(slot)
    }

    pub(crate) fn refuse(&self) -> NetError {
        count(&self.counters.refused);
        NetError::PoolExhausted
    }

    /// To be called when a socket was taken into use.
    fn note_use(&self) {
        raise(
            &self.counters.most_in_use,
            self.count(|life| !matches!(life, Life::Free)),
        );
    }

    /// To be called when the last handle of a connection is gone.
    pub(crate) fn let_go(&self, slot: &Slot) {
        let now = Instant::now();
        if slot.may_linger() {
            slot.linger(now.saturating_add(ticks(self.options.linger)));
            let lingering = self.count(|life| matches!(life, Life::Closing { .. }));
            raise(&self.counters.most_lingering, lingering);
        } else {
            slot.abort(now);
        }
        self.task.wake();
    }

    /// To be called when a close becomes a reset.
    pub(crate) fn note_unclean(&self) {
        count(&self.counters.unclean);
    }

    fn count(&self, is_counted: impl Fn(Life) -> bool) -> usize {
        self.slots
            .iter()
            .filter(|slot| is_counted(slot.life()))
            .count()
    }

    pub(crate) fn usage(&self) -> Usage {
        let in_use = self.count(|life| !matches!(life, Life::Free));
        let most_in_use = self.counters.most_in_use.get();
        Usage {
            sockets: self.slots.len(),
            in_use,
            most_in_use,
            bytes_in_use: in_use * self.socket_bytes,
            most_bytes_in_use: most_in_use * self.socket_bytes,
            armed: self.count(|life| matches!(life, Life::Armed(_))),
            lingering: self.count(|life| matches!(life, Life::Closing { .. })),
            most_lingering: self.counters.most_lingering.get(),
            aborting: self.count(|life| matches!(life, Life::Aborting { .. })),
            refused: self.counters.refused.get(),
            half_open: self.counters.half_open.get(),
            unclean: self.counters.unclean.get(),
        }
    }

    // ------------------------------------------------------------ listening

    /// Where to bind for `local`: one of this stack's addresses, or all.
    pub(crate) fn local_endpoint(&self, local: SocketAddr) -> Result<IpListenEndpoint, NetError> {
        let own = match local.ip() {
            ip if ip.is_unspecified() => None,
            ip => Some(IpAddress::from(ip)),
        };
        let ipv4 = self.stack.config_v4();
        let ipv6 = self.stack.config_v6();
        let is_own = |ip| {
            let ipv4 = ipv4.as_ref().map(|ipv4| ipv4.address.address().into());
            let ipv6 = ipv6.as_ref().map(|ipv6| ipv6.address.address().into());
            [ipv4, ipv6].contains(&Some(ip))
        };
        match own {
            Some(ip) if !is_own(ip) => Err(NetError::InvalidAddress),
            addr => Ok(IpListenEndpoint {
                addr,
                port: local.port(),
            }),
        }
    }

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
        self.arm(&mut Context::from_waker(Waker::noop()), place, record);
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

    /// Arms sockets until the backlog is full or the pool is empty.
    ///
    /// A client may send its SYN twice, and the stack gives each copy to the first socket that would take it. That has to be the
    /// one that took the first copy: so sockets are armed in rising order, round and round, and never before one that is half open.
    fn arm(&self, cx: &mut Context<'_>, place: usize, record: &ListenerRecord) {
        let Some(on) = record.on.get() else { return };
        let mut armed = self.count(|life| is_armed_for(life, place));
        while armed < record.backlog.get() {
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

    // ------------------------------------------------------------ the pool's task

    /// Finishes, for ever, what handles have left behind, and keeps the listeners armed.
    pub(crate) async fn run(&self) -> ! {
        poll_fn(|cx| {
            self.task.register(cx);
            if let Some(next) = self.sweep(cx) {
                let _ = pin!(Timer::at(next)).poll(cx);
            }
            Poll::Pending
        })
        .await
    }

    /// Looks after every socket once. Returns when that is next due, if nothing happens before.
    fn sweep(&self, cx: &mut Context<'_>) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for slot in self.slots {
            let at = match slot.life() {
                Life::Free => None,
                Life::Held { save } => slot.watch_held(cx, save),
                Life::Armed(armed) => self.watch_armed(cx, slot, armed),
                Life::Closing { deadline } => self.watch_closing(cx, slot, deadline),
                Life::Aborting { .. } => None,
            };
            let at = match slot.life() {
                Life::Aborting { deadline } => Self::watch_aborting(cx, slot, deadline),
                _ => at,
            };
            next = [next, at, slot.watch_probing()].into_iter().flatten().min();
        }
        for (place, record) in self.listeners.iter().enumerate() {
            self.arm(cx, place, record);
        }
        next
    }

    fn watch_armed(&self, cx: &mut Context<'_>, slot: &Slot, mut armed: Armed) -> Option<Instant> {
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
        armed.half_open
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

    fn watch_closing(
        &self,
        cx: &mut Context<'_>,
        slot: &Slot,
        deadline: Instant,
    ) -> Option<Instant> {
        match slot.watch_closing(cx, deadline) {
            Closing::Goes => return Some(deadline),
            Closing::Done => slot.set_life(Life::Free),
            Closing::GiveUp => {
                self.note_unclean();
                slot.abort(Instant::now());
            }
        }
        None
    }

    fn watch_aborting(cx: &mut Context<'_>, slot: &Slot, deadline: Instant) -> Option<Instant> {
        if slot.watch_aborting(cx, deadline) {
            slot.set_life(Life::Free);
            return None;
        }
        Some(deadline)
    }
}

impl ListenerRecord {
    fn port(&self) -> Option<u16> {
        self.on.get().map(|on| on.port)
    }

    fn overlaps(&self, on: IpListenEndpoint) -> bool {
        self.on.get().is_some_and(|own| {
            own.port == on.port && (own.addr == on.addr || own.addr.is_none() || on.addr.is_none())
        })
    }
}

fn is_armed_for(life: Life, place: usize) -> bool {
    matches!(life, Life::Armed(armed) if armed.listener == place)
}
