//! The sockets that were allocated at the start, and the task that finishes what their users have left.

use core::cell::Cell;
use core::fmt;
use core::future::poll_fn;
use core::net::{IpAddr, SocketAddr};
use core::pin::pin;
use core::ptr;
use core::task::{Context, Poll, Waker};

use embassy_net::tcp::State;
use embassy_net::{IpAddress, IpListenEndpoint, Stack};
use embassy_time::{Duration, Instant, Timer};

use crate::backlog::ListenerRecord;
use crate::clock::ticks;
use crate::slot::{Closing, Life, Slot};
use crate::udp::DatagramSlot;
use crate::usage::{Counters, Usage, count, raise};
use crate::{NetError, Options, address};

/// What a [`PoolStorage`](crate::PoolStorage) holds, without its sizes.
pub(crate) struct Pool {
    pub(crate) stack: Stack<'static>,
    pub(crate) slots: &'static [Slot],
    #[cfg_attr(not(feature = "udp"), expect(dead_code, reason = "there are none"))]
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

/// A task to wake.
pub(crate) struct Wake(Cell<Option<Waker>>);

impl Wake {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(None))
    }

    /// Has the task of `cx` woken once, in place of the one before.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        let known = self.0.take();
        let known = known.filter(|known| known.will_wake(cx.waker()));
        self.0.set(known.or_else(|| Some(cx.waker().clone())));
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wake").finish_non_exhaustive()
    }
}

/// How long to wait for signs of life.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// How long a peer may be silent.
    pub(crate) silence: Option<Duration>,
    /// How soon a silent one is asked for a sign of life.
    pub(crate) keep_alive: Option<Duration>,
}

/// What all sockets of a pool have in common.
pub(crate) struct Common {
    pub(crate) task: Wake,
    pub(crate) patience: Patience,
}

impl Common {
    pub(crate) const fn new() -> Self {
        Self {
            task: Wake::new(),
            patience: Patience {
                silence: None,
                keep_alive: None,
            },
        }
    }
}

impl Pool {
    // ------------------------------------------------------------ giving out

    /// A socket that nobody uses. One that remembers no connection is preferred.
    pub(crate) fn free_slot(
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
    pub(crate) fn note_use(&self) {
        raise(
            &self.counters.most_in_use,
            self.count(|life| !matches!(life, Life::Free)),
        );
    }

    /// Whether another socket has this connection too, or had it a moment ago.
    pub(crate) fn is_doubled(&self, slot: &Slot) -> bool {
        let ends = slot.endpoints();
        let is_same = |other: &&Slot| other.endpoints() == ends && !ptr::eq(*other, slot);
        ends.is_some() && self.slots.iter().any(|other| is_same(&other))
    }

    /// To be called when the last handle of a connection is gone.
    pub(crate) fn let_go(&self, slot: &Slot) {
        let now = Instant::now();
        if slot.may_linger() {
            // What nobody has read is no reason for a reset; only what is still to come.
            slot.drain(&mut Context::from_waker(Waker::noop()));
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

    pub(crate) fn count(&self, is_counted: impl Fn(Life) -> bool) -> usize {
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

    /// Where to bind for `local`: one of this stack's addresses, or all.
    pub(crate) fn local_endpoint(&self, local: SocketAddr) -> Result<IpListenEndpoint, NetError> {
        let own = match local.ip() {
            ip if ip.is_unspecified() => None,
            ip => Some(self.own_address(ip).ok_or(NetError::InvalidAddress)?),
        };
        Ok(IpListenEndpoint {
            addr: own,
            port: local.port(),
        })
    }

    /// The address for the stack, if it is one of its own.
    fn own_address(&self, ip: IpAddr) -> Option<IpAddress> {
        let ip = address::to_stack(ip)?;
        address::own(self.stack).contains(&Some(ip)).then_some(ip)
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
            let probing = slot.watch_probing();
            next = [next, at, probing].into_iter().flatten().min();
        }
        self.arm_all(cx);
        next
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
