//! Who an address belongs to: all that an endpoint knows, and what it does with a datagram. No await, no I/O, no clock.

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

use super::answer::hello_verify_request;
use super::association::{Admitted, Association, Over, Role, Surroundings};
use super::config::{DtlsClientConfig, DtlsServerConfig, Version};
use super::cookie::Cookies;
use super::engine::LONGEST;
use super::half_open::{Arrived, HalfOpen, Proven};
use super::hello::{ClientHello, NoHello, random_of_fragment};
use super::numbered::Numbered;
use super::outbox::Outbox;
use super::statistics::DtlsStatistics;
use super::taken::TakenHellos;

/// How many hellos of the association of one address are known to be old, its own included.
const EARLIER: usize = 16;

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

struct Serving {
    config: DtlsServerConfig,
    limit: usize,
    /// Clients that wait for a handler, and until when their cookies are good: as many as there is room for, and those that replace one who has it.
    clients: VecDeque<(u64, Duration)>,
    /// Handlers at work.
    handlers: usize,
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

/// What tells the hellos that have led to this association of a server from others.
fn hellos_of(association: &Association) -> Vec<[u8; 32]> {
    let Role::Server(client) = &association.role else {
        return Vec::new();
    };
    let hellos = client.random.iter().chain(&client.earlier);
    hellos.take(EARLIER).copied().collect()
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
            scratch: vec![0; LONGEST],
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
                    None => self.remember(now, peer, random, datagram),
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

    /// Whether it is the hello by which this association began.
    fn is_own_hello(&self, id: u64, hello: &ClientHello<'_>) -> bool {
        let association = self.associations.get(&id);
        association.is_some_and(|association| match &association.role {
            Role::Server(client) => {
                let cookie = client.cookie.as_ref().map(|cookie| &cookie[..]);
                client.random == Some(hello.random()) && cookie.unwrap_or_default() == hello.cookie
            }
            Role::Client { .. } => false,
        })
    }

    fn is_own_fragment(&self, id: u64, peer: SocketAddr, random: Option<[u8; 32]>) -> bool {
        let association = self.associations.get(&id);
        association.is_some_and(|association| match &association.role {
            Role::Server(client) if random.is_some() => client.random == random,
            Role::Server(_) => !self.half_open.has(peer),
            Role::Client { .. } => false,
        })
    }

    /// What tells the hellos of this client from others, that of its association included.
    fn hellos_of(&self, peer: SocketAddr) -> Vec<[u8; 32]> {
        let known = self.by_address.get(&peer);
        let known = known.and_then(|id| self.associations.get(id));
        known.map(hellos_of).unwrap_or_default()
    }

    /// A hello that begins something new, if it has a good cookie.
    fn hello(
        &mut self,
        now: Duration,
        peer: SocketAddr,
        hello: &ClientHello<'_>,
        datagram: &[u8],
    ) -> bool {
        let Some(serving) = &self.serving else {
            return false;
        };
        let speaks_13 = serving.config.0.version == Version::Both;
        if speaks_13 && hello.offers_dtls13() {
            return self.remember(now, peer, Some(hello.random()), datagram);
        }
        if hello.message == 0 || !self.cookies.is_good(now, peer, hello) {
            let cookie = self.cookies.make(now, peer, hello);
            let request = hello_verify_request(hello.sequence, &cookie);
            self.out.answer(peer, &request);
            self.statistics.asked += 1;
            return true;
        }
        let config = serving.config.clone();
        let earlier = self.hellos_of(peer);
        if earlier.contains(&hello.random()) || self.taken.has(now, &(peer, hello.random())) {
            return false;
        }
        let client = Admitted {
            config,
            random: Some(hello.random()),
            cookie: hello.cookie.try_into().ok(),
            earlier,
            hello: datagram.to_vec(),
        };
        self.admit(now, peer, |id| {
            Association::new(id, peer, Role::Server(client))
        });
        true
    }

    /// A hello whose address cannot be asked for without a memory of it.
    fn remember(
        &mut self,
        now: Duration,
        peer: SocketAddr,
        random: Option<[u8; 32]>,
        datagram: &[u8],
    ) -> bool {
        let Some(serving) = &self.serving else {
            return false;
        };
        if random.is_some_and(|random| self.taken.has(now, &(peer, random))) {
            return false;
        }
        let config = serving.config.clone();
        let buffers = (&mut self.out, &mut self.scratch[..]);
        let arrived = self
            .half_open
            .arrived(&config, now, peer, random, datagram, buffers);
        let Proven {
            random,
            engine,
            datagram,
        } = match arrived {
            Arrived::Ignored => return false,
            Arrived::Kept => return true,
            Arrived::Proven(proven) => proven,
        };
        let client = Admitted {
            config,
            random,
            cookie: None,
            earlier: self.hellos_of(peer),
            hello: Vec::new(),
        };
        let admitted = self.admit(now, peer, |id| {
            Association::begun(id, peer, Role::Server(client), engine)
        });
        if let Some(id) = admitted {
            let number = self.out.push(Some(id), peer, &datagram);
            self.with(id, now, |association, around| {
                association.last_sent = number;
                association.carry_on(around);
            });
        }
        true
    }

    /// A client has proven its address. It gets a handler, if there is room for one, or it had one before.
    fn admit(
        &mut self,
        now: Duration,
        peer: SocketAddr,
        make: impl FnOnce(u64) -> Association,
    ) -> Option<u64> {
        let serving = self.serving.as_ref()?;
        let is_full = serving.handlers + serving.clients.len() >= serving.limit;
        let before = self.client_at(peer);
        if is_full && before.is_none() {
            self.statistics.refused += 1;
            return None;
        }
        let id = self.insert(peer, make);
        let client = (id, Cookies::good_until(now));
        let clients = &mut self.serving.as_mut()?.clients;
        let waiting = clients.iter().position(|(known, _)| Some(*known) == before);
        match waiting.and_then(|place| clients.get_mut(place)) {
            // Nobody has seen the one before: it has its place.
            Some(place) => {
                let (before, _) = mem::replace(place, client);
                self.remove(before);
            }
            None => clients.push_back(client),
        }
        self.wake.extend(self.waiting.drain());
        Some(id)
    }

    /// The association of this peer, if that is a client here.
    fn client_at(&self, peer: SocketAddr) -> Option<u64> {
        let id = self.by_address.get(&peer)?;
        let association = self.associations.get(id)?;
        matches!(association.role, Role::Server(_)).then_some(*id)
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
        self.serving = Some(Serving {
            config: config.clone(),
            limit,
            clients: VecDeque::new(),
            handlers: 0,
        });
        true
    }

    /// Takes no clients any more. Those who wait for a handler are forgotten.
    pub(super) fn serve_no_more(&mut self) {
        self.half_open.clear();
        let serving = self.serving.take();
        for (id, _) in serving.into_iter().flat_map(|serving| serving.clients) {
            self.remove(id);
        }
    }

    /// The next client that waits for a handler, and has one now: its hello has done what it can.
    pub(super) fn next_client(&mut self) -> Option<(u64, SocketAddr)> {
        let serving = self.serving.as_mut()?;
        if serving.handlers >= serving.limit {
            return None;
        }
        let (id, until) = serving.clients.pop_front()?;
        let association = self.associations.get(&id)?;
        serving.handlers += 1;
        let peer = association.peer;
        for random in hellos_of(association) {
            self.taken.add(until, (peer, random));
        }
        Some((id, peer))
    }

    pub(super) fn handler_is_done(&mut self) {
        if let Some(serving) = &mut self.serving {
            serving.handlers = serving.handlers.saturating_sub(1);
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
            forgotten: self.half_open.forgotten,
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
    pub(super) fn was_refused(&mut self, id: Option<u64>, number: u64, error: Box<dyn Any>) {
        if let Some(association) = id.and_then(|id| self.associations.get_mut(&id)) {
            association.was_refused(number, error);
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
