//! Who an address belongs to: all that an endpoint knows, and what it does with a datagram. No await, no I/O, no clock.

mod hellos;

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec;
use alloc::vec::Vec;
use core::any::Any;
use core::hash::{BuildHasherDefault, Hasher};
use core::mem;
use core::net::{SocketAddr, SocketAddrV6};
use core::task::Waker;
use core::time::Duration;
use std::collections::HashMap;

use rustls_pki_types::ServerName;

use self::hellos::hellos_of;
use super::association::{Association, Role, Surroundings};
use super::config::{DtlsClientConfig, DtlsServerConfig};
use super::cookie::Cookies;
use super::error::Over;
use super::half_open::HalfOpen;
use super::hello::{ClientHello, NoHello, random_of_fragment};
use super::numbered::Numbered;
use super::outbox::Outbox;
use super::serving::Serving;
use super::sizes::ENGINE_BUFFER;
use super::statistics::DtlsStatistics;
use super::taken::TakenHellos;

/// All peers of an endpoint.
pub(super) struct Table {
    associations: HashMap<u64, Association, BuildHasherDefault<OwnNumbers>>,
    /// By [`who`] they are of.
    by_address: HashMap<SocketAddr, u64>,
    next_id: u64,
    cookies: Cookies,
    serving: Option<Serving>,
    half_open: HalfOpen,
    taken: TakenHellos,
    /// When an association has something to do.
    timers: BTreeSet<(Duration, u64)>,
    pub(super) out: Outbox,
    scratch: Vec<u8>,
    statistics: DtlsStatistics,
    /// Those who wait for a client, or for the end of the endpoint.
    waiting: Numbered<Waker>,
    /// To be woken when nobody looks at the table any more.
    pub(super) wake: VecDeque<Waker>,
    /// Why there will be no more associations.
    over: Option<Over>,
    /// How many messages have arrived, on whatever channel.
    pub(super) deliveries: u64,
}

/// Whom somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Association(u64),
    Endpoint,
}

/// Whom an address stands for. Flow information says nothing about that.
const fn who(peer: SocketAddr) -> SocketAddr {
    match peer {
        SocketAddr::V4(_) => peer,
        SocketAddr::V6(v6) => {
            let (ip, port, scope) = (*v6.ip(), v6.port(), v6.scope_id());
            SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope))
        }
    }
}

/// Ids are numbers of this endpoint, one after the other: nobody can choose them so that they collide.
#[derive(Default)]
struct OwnNumbers(u64);

impl Hasher for OwnNumbers {
    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        // The golden ratio: numbers that follow each other come to lie far apart.
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Table {
    /// `key` is secret, and this endpoint's own: 32 random bytes.
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self {
            associations: HashMap::default(),
            by_address: HashMap::new(),
            next_id: 0,
            cookies: Cookies::new(key),
            serving: None,
            half_open: HalfOpen::default(),
            taken: TakenHellos::default(),
            timers: BTreeSet::new(),
            out: Outbox::default(),
            scratch: vec![0; ENGINE_BUFFER],
            statistics: DtlsStatistics::default(),
            waiting: Numbered::new(),
            wake: VecDeque::new(),
            over: None,
            deliveries: 0,
        }
    }

    // ------------------------------------------------------------ associations

    /// A new association as a client, which replaces any that there is with this peer.
    pub(super) fn connect(
        &mut self,
        peer: SocketAddr,
        config: DtlsClientConfig,
        name: ServerName<'static>,
    ) -> Result<u64, Over> {
        match &self.over {
            Some(over) => Err(over.clone()),
            None => Ok(self.insert(peer, |id| {
                Association::new(id, peer, Role::Client { config, name })
            })),
        }
    }

    fn insert(&mut self, peer: SocketAddr, make: impl FnOnce(u64) -> Association) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.associations.insert(id, make(id));
        if let Some(before) = self.by_address.insert(who(peer), id)
            && let Some(before) = self.associations.get_mut(&before)
        {
            before.end(Over::Replaced, &mut self.wake);
            let timer = before.timer.take().map(|timer| (timer, before.id));
            timer.map(|timer| self.timers.remove(&timer));
            self.statistics.replaced += 1;
        }
        id
    }

    /// Works on an association, and keeps what is known of it up to date. `None`: there is none.
    pub(super) fn with<R>(
        &mut self,
        id: u64,
        now: Duration,
        work: impl FnOnce(&mut Association, &mut Surroundings<'_>) -> R,
    ) -> Option<R> {
        let association = self.associations.get_mut(&id)?;
        let mut around = Surroundings {
            now,
            out: &mut self.out,
            scratch: &mut self.scratch,
            wake: &mut self.wake,
            statistics: &mut self.statistics,
        };
        let before = association.statistics().received;
        let worked = work(association, &mut around);
        self.deliveries += association.statistics().received - before;
        let deadline = association.deadline();
        let timer = mem::replace(&mut association.timer, deadline);
        if timer != deadline {
            timer.map(|timer| self.timers.remove(&(timer, id)));
            deadline.map(|deadline| self.timers.insert((deadline, id)));
        }
        let who = who(association.peer);
        if association.is_over() && self.by_address.get(&who) == Some(&id) {
            self.by_address.remove(&who);
        }
        Some(worked)
    }

    /// What is only asked, or set.
    pub(super) fn get(&mut self, id: u64) -> Option<&mut Association> {
        self.associations.get_mut(&id)
    }

    /// The channel of this association is gone.
    pub(super) fn remove(&mut self, id: u64) {
        let Some(association) = self.associations.remove(&id) else {
            return;
        };
        if let Some(timer) = association.timer {
            self.timers.remove(&(timer, id));
        }
        // Whoever closes the endpoint tells all the end, whatever becomes of their channels.
        self.out.forget(id, self.over.is_some());
        let who = who(association.peer);
        if self.by_address.get(&who) == Some(&id) {
            self.by_address.remove(&who);
        }
    }

    // ------------------------------------------------------------ datagrams

    /// A datagram has come.
    pub(super) fn arrived(&mut self, now: Duration, peer: SocketAddr, datagram: &[u8]) {
        self.statistics.datagrams += 1;
        let peer = who(peer);
        let known = self.by_address.get(&peer).copied();
        let is_of_use = match ClientHello::parse(datagram) {
            // Who closes answers nobody.
            _ if self.over.is_some() => false,
            Ok(hello) => {
                let own = known.filter(|id| self.is_own_hello(*id, &hello));
                match own {
                    // It asks for the answer again.
                    Some(id) => self.deliver(now, id, datagram),
                    None => self.hello(now, peer, &hello, datagram),
                }
            }
            Err(NoHello::Fragmented) => {
                let random = random_of_fragment(datagram);
                let own = known.filter(|id| self.is_own_fragment(*id, peer, random));
                match own {
                    Some(id) => self.deliver(now, id, datagram),
                    None => self.half_open_hello(now, peer, random, datagram),
                }
            }
            Err(NoHello::Other) => known.is_some_and(|id| self.deliver(now, id, datagram)),
        };
        if !is_of_use {
            self.statistics.ignored += 1;
        }
    }

    fn deliver(&mut self, now: Duration, id: u64, datagram: &[u8]) -> bool {
        let arrived = self.with(id, now, |association, around| {
            association.arrived(datagram, around)
        });
        arrived == Some(true)
    }

    // ------------------------------------------------------------ time

    pub(super) fn deadline(&self) -> Option<Duration> {
        let timer = self.timers.first().map(|(timer, _)| *timer);
        let half_open = self.half_open.deadline();
        timer.into_iter().chain(half_open).min()
    }

    /// Time has gone on.
    pub(super) fn tick(&mut self, now: Duration) {
        self.half_open.tick(now);
        // Each once: one that is due again at once has its turn the next time.
        let due: Vec<_> = self
            .timers
            .iter()
            .take_while(|(timer, _)| *timer <= now)
            .map(|(_, id)| *id)
            .collect();
        for id in due {
            self.with(id, now, Association::tick);
        }
    }

    // ------------------------------------------------------------ serving

    /// Takes clients from now on, of whom this many have handlers at the same time. False: that is so already.
    pub(super) fn serve(&mut self, config: &DtlsServerConfig, limit: usize) -> bool {
        if self.serving.is_some() {
            return false;
        }
        self.serving = Some(Serving::new(config.clone(), limit));
        true
    }

    /// Takes no clients any more. Those who wait for a handler are forgotten.
    pub(super) fn serve_no_more(&mut self) {
        self.half_open.clear();
        let serving = self.serving.take();
        for id in serving.into_iter().flat_map(Serving::into_clients) {
            self.remove(id);
        }
    }

    /// The next client that waits for a handler, and has one now: its hello has done what it can.
    pub(super) fn next_client(&mut self) -> Option<(u64, SocketAddr)> {
        let (id, until) = self.serving.as_mut()?.next_client()?;
        let association = self.associations.get(&id)?;
        let peer = association.peer;
        for random in hellos_of(association) {
            self.taken.add(until, (peer, random));
        }
        Some((id, peer))
    }

    pub(super) fn handler_is_done(&mut self) {
        if let Some(serving) = &mut self.serving {
            serving.handler_is_done();
        }
    }

    // ------------------------------------------------------------ the end

    /// Why the endpoint is over, if it is.
    pub(super) const fn over(&self) -> Option<&Over> {
        self.over.as_ref()
    }

    /// Ends all associations, and lets none begin.
    pub(super) fn end(&mut self, over: &Over) {
        if self.over.is_some() {
            return;
        }
        self.over = Some(over.clone());
        self.half_open.clear();
        self.taken = TakenHellos::default();
        self.timers.clear();
        self.by_address.clear();
        for association in self.associations.values_mut() {
            association.timer = None;
            association.end(over.clone(), &mut self.wake);
        }
        self.wake.extend(self.waiting.drain());
    }

    /// Tells all peers the end.
    pub(super) fn say_goodbye(&mut self, now: Duration) {
        let ids: Vec<_> = self.associations.keys().copied().collect();
        for id in ids {
            self.with(id, now, Association::close);
        }
    }

    pub(super) fn statistics(&self) -> DtlsStatistics {
        DtlsStatistics {
            associations: self.by_address.len(),
            half_open: self.half_open.len(),
            half_open_evicted: self.half_open.evicted,
            unsent: self.statistics.unsent + self.out.dropped,
            ..self.statistics
        }
    }

    // ------------------------------------------------------------ who waits

    /// A datagram has gone, or not.
    pub(super) fn has_gone(&mut self, id: Option<u64>, number: u64, is_sent: bool) {
        self.out.gone = number;
        self.statistics.unsent += u64::from(!is_sent);
        if let Some(association) = id.and_then(|id| self.associations.get_mut(&id)) {
            if is_sent {
                association.was_taken();
            }
            association.wake(&mut self.wake);
        }
    }

    /// The socket has refused a datagram that nobody waits for.
    pub(super) fn send_failed(&mut self, id: Option<u64>, number: u64, error: Box<dyn Any>) {
        if let Some(association) = id.and_then(|id| self.associations.get_mut(&id)) {
            association.send_failed(number, error);
        }
    }

    /// Has `waker` woken once something has changed. Returns one that it replaces.
    pub(super) fn wait(&mut self, topic: Topic, ticket: u64, waker: &Waker) -> Option<Waker> {
        match topic {
            Topic::Association(id) => self.associations.get_mut(&id)?.wait(ticket, waker),
            Topic::Endpoint => self.waiting.wait(ticket, waker),
        }
    }

    pub(super) fn wait_no_more(&mut self, topic: Topic, ticket: u64) -> Option<Waker> {
        match topic {
            Topic::Association(id) => self.associations.get_mut(&id)?.wait_no_more(ticket),
            Topic::Endpoint => self.waiting.remove(ticket),
        }
    }

    /// Wakes everybody: whoever reads the socket for all has gone.
    pub(super) fn wake_all(&mut self) {
        for association in self.associations.values_mut() {
            association.wake(&mut self.wake);
        }
        self.wake.extend(self.waiting.drain());
    }
}
