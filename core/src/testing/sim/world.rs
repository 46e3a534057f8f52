//! All that a simulated network is: who is in it, what is under way, and what happens next.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;

use super::connection::Connection;
use super::datagram::Socket;
use super::listener::Backlog;
use super::{Link, SimError, SimEvent, SimEventKind, SimPacket};
use crate::Clock as _;
use crate::testing::executor::SharedClock;

/// Where the ports begin that hosts choose themselves.
const FIRST_PORT: u16 = 49152;

/// The world, and how everybody gets at it.
pub(super) struct Shared {
    pub(super) clock: SharedClock,
    world: RefCell<World>,
    hook: RefCell<Option<Hook>>,
    /// How often the hook was changed.
    hooks: Cell<u64>,
}

type Hook = Box<dyn FnMut(&mut SimPacket)>;

/// The number of a host.
pub(super) type HostId = usize;

pub(super) struct World {
    pub(super) now: Duration,
    pub(super) random: Xoshiro256PlusPlus,
    hosts: Vec<Host>,
    usual_link: Link,
    links: BTreeMap<(HostId, HostId), Link>,
    cuts: BTreeSet<(HostId, HostId)>,
    pub(super) names: BTreeMap<String, Vec<IpAddr>>,
    pub(super) lookup_time: Duration,
    pub(super) window: usize,
    /// What happens next, in order. What is due at the same time happens in the order in which it was planned.
    agenda: BTreeMap<(Duration, u64), Due>,
    /// Numbers for whatever needs one.
    numbers: u64,
    pub(super) listeners: BTreeMap<u64, Backlog>,
    pub(super) connections: BTreeMap<u64, Connection>,
    pub(super) sockets: BTreeMap<u64, Socket>,
    pub(super) trace: Vec<SimEvent>,
    /// Who is to be woken once nobody looks at the world.
    wakes: Vec<Waker>,
    deliverer: Option<Waker>,
}

struct Host {
    addresses: Vec<IpAddr>,
    next_port: u16,
}

/// What happens at some time.
pub(super) enum Due {
    /// The first segment of this connection's end arrives.
    Segment(u64, usize),
    /// A datagram of the first host arrives at the second.
    Datagram(HostId, HostId, SimPacket),
}

impl Shared {
    pub(super) fn new(clock: SharedClock, random: Xoshiro256PlusPlus) -> Self {
        Self {
            clock,
            world: RefCell::new(World {
                now: Duration::ZERO,
                random,
                hosts: Vec::new(),
                usual_link: Link::new(),
                links: BTreeMap::new(),
                cuts: BTreeSet::new(),
                names: BTreeMap::new(),
                lookup_time: Duration::ZERO,
                window: 64 << 10,
                agenda: BTreeMap::new(),
                numbers: 0,
                listeners: BTreeMap::new(),
                connections: BTreeMap::new(),
                sockets: BTreeMap::new(),
                trace: Vec::new(),
                wakes: Vec::new(),
                deliverer: None,
            }),
            hook: RefCell::default(),
            hooks: Cell::new(0),
        }
    }

    /// Looks at the world, or changes it. Whoever has to be woken for that is woken behind it.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.borrow_mut();
        world.now = self.clock.now();
        let seen = look(&mut world);
        let wakes = core::mem::take(&mut world.wakes);
        drop(world);
        wakes.into_iter().for_each(Waker::wake);
        seen
    }

    pub(super) fn set_hook(&self, hook: Option<Hook>) {
        self.hooks.set(self.hooks.get() + 1);
        let before = self.hook.replace(hook);
        drop(before);
    }

    /// Shows a packet to the hook, if there is one.
    pub(super) fn show(&self, packet: &mut SimPacket) {
        // Away while it runs, because it may come back here.
        let Some(mut hook) = self.hook.take() else {
            return;
        };
        let number = self.hooks.get();
        hook(packet);
        if self.hooks.get() == number {
            *self.hook.borrow_mut() = Some(hook);
        }
    }

    /// Makes happen what is due, each at its time, for ever.
    pub(super) async fn deliver(self: Rc<Self>) {
        loop {
            while self.with(World::happen) {}
            let next = self.with(|world| world.next());
            let waiting =
                core::future::poll_fn(|cx| self.with(|world| world.poll_earlier(cx, next)));
            match next {
                Some(next) => {
                    embassy_futures::select::select(waiting, self.clock.sleep_until(next)).await;
                }
                None => waiting.await,
            }
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl World {
    pub(super) const fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn plan(&mut self, at: Duration, what: Due) {
        let at = at.max(self.now);
        let is_first = self.next().is_none_or(|next| at < next);
        let number = self.number();
        self.agenda.insert((at, number), what);
        if is_first {
            self.wakes.extend(self.deliverer.take());
        }
    }

    /// When something happens next.
    fn next(&self) -> Option<Duration> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    /// Makes the first thing happen that is due. False if nothing is.
    fn happen(&mut self) -> bool {
        let due = self.next().is_some_and(|at| at <= self.now);
        let first = match due {
            true => self.agenda.pop_first(),
            false => None,
        };
        match first {
            Some((_, Due::Segment(connection, side))) => self.segment_due(connection, side),
            Some((_, Due::Datagram(from, to, packet))) => self.datagram_arrives(from, to, packet),
            None => return false,
        }
        true
    }

    /// Waits until something is to happen before `next`.
    fn poll_earlier(&mut self, cx: &Context<'_>, next: Option<Duration>) -> Poll<()> {
        if self.next() != next {
            return Poll::Ready(());
        }
        let before = register(&mut self.deliverer, cx);
        self.wake(before);
        Poll::Pending
    }

    pub(super) fn wake(&mut self, waker: Option<Waker>) {
        self.wakes.extend(waker);
    }

    pub(super) fn note(&mut self, from: SocketAddr, to: SocketAddr, what: SimEventKind) {
        let at = self.now;
        self.trace.push(SimEvent { at, from, to, what });
    }

    /// How long it takes to ask for a name, and its addresses; `None` if nobody has it.
    pub(super) fn look_up(&self, name: &str) -> (Duration, Option<Vec<IpAddr>>) {
        let own = || {
            let loopback = [
                IpAddr::V6(Ipv6Addr::LOCALHOST),
                IpAddr::V4(Ipv4Addr::LOCALHOST),
            ];
            (name == "localhost").then(|| loopback.to_vec())
        };
        let found = self.names.get(name).cloned().or_else(own);
        let found = found.filter(|addresses| !addresses.is_empty());
        (self.lookup_time, found)
    }

    pub(super) fn add_host(&mut self, addresses: &[IpAddr]) -> HostId {
        for address in addresses {
            assert!(
                !address.is_unspecified() && !address.is_loopback() && !address.is_multicast(),
                "{address} is not an address for a host"
            );
            assert!(
                self.host_at(*address).is_none(),
                "{address} is another host's"
            );
        }
        self.hosts.push(Host {
            addresses: addresses.to_vec(),
            next_port: FIRST_PORT,
        });
        self.hosts.len() - 1
    }

    fn host_at(&self, address: IpAddr) -> Option<HostId> {
        let mut hosts = self.hosts.iter();
        hosts.position(|host| host.addresses.contains(&address))
    }

    /// Who gets what `from` sends to this address.
    pub(super) fn destination(&self, from: HostId, to: IpAddr) -> Option<HostId> {
        match to.is_loopback() {
            true => Some(from),
            false => self.host_at(to),
        }
    }

    /// The first address of this host with the version of `like`; loopback if it has none.
    fn address_like(&self, host: HostId, like: IpAddr) -> IpAddr {
        let addresses = self.hosts.get(host).map(|host| &host.addresses);
        let mut alike = addresses.into_iter().flatten();
        let alike = alike.find(|ip| ip.is_ipv4() == like.is_ipv4());
        alike.copied().unwrap_or_else(|| loopback_like(like))
    }

    /// The address from which `host` reaches `peer`, if it may be `local`.
    pub(super) fn source(
        &self,
        host: HostId,
        local: IpAddr,
        peer: SocketAddr,
    ) -> Result<IpAddr, SimError> {
        if peer.port() == 0 || peer.ip().is_unspecified() || local.is_ipv4() != peer.is_ipv4() {
            return Err(SimError::NotAPeer);
        }
        match local.is_unspecified() {
            true if peer.ip().is_loopback() => Ok(peer.ip()),
            true => Ok(self.address_like(host, peer.ip())),
            false => self.owned(host, local),
        }
    }

    fn owned(&self, host: HostId, address: IpAddr) -> Result<IpAddr, SimError> {
        match self.destination(host, address) {
            Some(owner) if owner == host => Ok(address),
            _ => Err(SimError::NotLocal),
        }
    }

    /// The address to listen or to receive on for `local`, with a port that is free there.
    pub(super) fn take_address(
        &mut self,
        host: HostId,
        local: SocketAddr,
        is_taken: impl Fn(&Self, u16) -> bool,
    ) -> Result<SocketAddr, SimError> {
        let ip = match local.ip().is_unspecified() {
            true => self.address_like(host, local.ip()),
            false => self.owned(host, local.ip())?,
        };
        let port = match local.port() {
            0 => self.free_port(host, |world, port| is_taken(world, port))?,
            port if is_taken(self, port) => return Err(SimError::AddressInUse),
            port => port,
        };
        Ok(SocketAddr::new(ip, port))
    }

    /// A port that nobody has.
    pub(super) fn free_port(
        &mut self,
        host: HostId,
        is_taken: impl Fn(&Self, u16) -> bool,
    ) -> Result<u16, SimError> {
        for _ in FIRST_PORT..=u16::MAX {
            let Some(host) = self.hosts.get_mut(host) else {
                break;
            };
            let port = host.next_port;
            host.next_port = port.checked_add(1).unwrap_or(FIRST_PORT);
            if !is_taken(self, port) {
                return Ok(port);
            }
        }
        Err(SimError::NoPort)
    }

    pub(super) const fn set_usual_link(&mut self, link: Link) {
        self.usual_link = link;
    }

    pub(super) fn set_link(&mut self, a: HostId, b: HostId, link: Link) {
        self.links.insert(pair(a, b), link);
    }

    /// What is between two hosts. A host reaches itself at once.
    pub(super) fn link(&self, a: HostId, b: HostId) -> Link {
        match a == b {
            true => Link::new(),
            false => self
                .links
                .get(&pair(a, b))
                .copied()
                .unwrap_or(self.usual_link),
        }
    }

    pub(super) fn cut(&mut self, a: HostId, b: HostId) {
        self.cuts.insert(pair(a, b));
    }

    pub(super) fn mend(&mut self, a: HostId, b: HostId) {
        self.cuts.remove(&pair(a, b));
        self.go_on();
    }

    pub(super) fn is_cut(&self, a: HostId, b: HostId) -> bool {
        a != b && self.cuts.contains(&pair(a, b))
    }
}

/// The address by which a host reaches itself, in the version of `like`.
pub(in crate::testing) const fn loopback_like(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    }
}

/// Any address, in the version of `like`.
pub(super) const fn any_like(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// Puts the task's waker into `slot`, and hands back one of another task that was there, to [wake](World::wake) it: it has lost its
/// place, and nothing is dropped while somebody looks at the world.
#[must_use]
pub(super) fn register(slot: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => None,
        _ => slot.replace(cx.waker().clone()),
    }
}

/// Whether a socket at `taken` has that port of `local`'s version of IP.
pub(super) const fn is_taken(taken: SocketAddr, local: SocketAddr, port: u16) -> bool {
    taken.is_ipv4() == local.is_ipv4() && taken.port() == port
}

/// Links have no direction.
fn pair(a: HostId, b: HostId) -> (HostId, HostId) {
    (a.min(b), a.max(b))
}
