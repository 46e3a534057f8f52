//! The wire, and what happens on it.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::array;
use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Once;

use tacket::Clock as _;

use super::account::Accounts;
use super::address::{CLIENTS, address, crowd, is_server, server_for};
use super::client::Client;
use super::edit::{edited, renew};
use super::ledger::{Ledger, Wish};
use super::parties::{Acquaintance, Kind, Parties};
use super::port::Time;
use super::program::{Forgery, Options, Origin, Step};
use super::server::Server;
use crate::fuzz_tls::doors::{Gauge, Used};

/// How many datagrams are on their way at most: whatever is too many is lost.
const ON_THEIR_WAY: usize = 300;
/// How many are delivered at most where all are.
const ALL: usize = 300;
/// How many of those that were sent are known.
const KNOWN: usize = 256;
/// More deadlines than there are in any wait.
const MOST_DEADLINES: usize = 20_000;
const SECOND: Duration = Duration::from_secs(1);
/// By when the server has forgotten everybody who is silent: handlers come one after the other.
const FORGOTTEN: u32 = 600;
/// By when the last client has its answer.
const ANSWERED: u32 = 60;

#[derive(Clone, Debug)]
struct Packet {
    from: SocketAddr,
    to: SocketAddr,
    datagram: Vec<u8>,
}

pub(super) struct World {
    parties: &'static Parties,
    time: Time,
    ledger: Rc<Ledger>,
    server: Server,
    clients: [Option<Client>; CLIENTS],
    wire: VecDeque<Packet>,
    known: Vec<Packet>,
    accounts: Accounts,
    /// How many strangers there were in crowds.
    crowd: u16,
}

impl World {
    pub(super) fn run(options: Options, steps: &[Step], gauge: Gauge) {
        warm_up();
        let mut world = Self::new(options, gauge);
        for step in steps {
            world.step(step);
        }
        world.settle(options);
    }

    fn new(options: Options, gauge: Gauge) -> Self {
        let (time, ledger) = (Time::default(), Rc::new(Ledger::new()));
        let parties = Parties::of(options.acquaintance);
        let server = Server::new(parties, options.limit, &ledger, &time, gauge);
        let mut world = Self {
            parties,
            time,
            ledger,
            server,
            clients: array::from_fn(|_| None),
            wire: VecDeque::new(),
            known: Vec::new(),
            accounts: Accounts::default(),
            crowd: 0,
        };
        world.go_on();
        world
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Deliver(count) => self.deliver(*count),
            Step::DeliverAll => self.deliver(ALL),
            Step::Lose => drop(self.wire.pop_front()),
            Step::Swap => {
                if self.wire.len() > 1 {
                    self.wire.swap(0, 1);
                }
            }
            Step::Repeat => self.wire.extend(self.wire.front().cloned()),
            Step::Change(edits) => {
                if let Some(Packet { from, to, datagram }) = self.wire.pop_front() {
                    for datagram in edited(&datagram, edits).into_iter().rev() {
                        self.wire.push_front(Packet { from, to, datagram });
                    }
                }
            }
            Step::Wait(time) => self.wait(*time),
            Step::Begin(client, kind) => self.begin(*client, address_of(*client), *kind),
            Step::Say(client, wish, length) => self.with(*client, |it| it.say(*wish, *length)),
            Step::Close(client) => self.with(*client, Client::close),
            Step::Vanish(client) => self.clients[*client] = None,
            Step::Forge(forgery) => self.forge(forgery),
            Step::Raw(origin, bytes) => {
                let nobody = address(0);
                let (from, to) = ends(*origin, (nobody, server_for(nobody)));
                let datagram = bytes.clone();
                self.arrive(Packet { from, to, datagram });
            }
            Step::Flood(model, count) => self.flood(*model, *count),
            Step::Flaw { is_stalled, fails } => {
                self.server.line.set(*is_stalled, *fails);
                self.go_on();
            }
            Step::Restart => {
                self.server.restart();
                self.go_on();
            }
        }
        self.server.check();
        // What waits for a socket that takes nothing was an answer once.
        if self.server.is_idle() && !self.server.line.is_stalled() {
            self.accounts.start_anew();
        }
    }

    // ------------------------------------------------------------ clients

    fn begin(&mut self, client: usize, address: SocketAddr, kind: Kind) {
        // The one before is gone, and with it the address is free.
        self.clients[client] = None;
        let is_trusted = kind != Kind::Wrong;
        let config = self.parties.client(kind);
        let new = Client::new(address, config, is_trusted, &self.ledger, &self.time);
        self.clients[client] = Some(new);
        self.go_on();
    }

    fn with(&mut self, client: usize, act: impl FnOnce(&mut Client)) {
        self.clients[client].as_mut().map(act).unwrap_or_default();
        self.go_on();
    }

    // ------------------------------------------------------------ datagrams

    fn deliver(&mut self, count: usize) {
        for _ in 0..count {
            let Some(next) = self.wire.pop_front() else {
                return;
            };
            self.arrive(next);
        }
    }

    fn arrive(&mut self, packet: Packet) {
        let Packet { from, to, datagram } = packet;
        if is_server(to) {
            self.accounts.came(from, &datagram);
            self.server.line.put(from, datagram);
        } else {
            let mut clients = self.clients.iter().flatten();
            let client = clients.find(|client| client.address == to);
            client
                .map(|client| client.arrived(from, datagram))
                .unwrap_or_default();
        }
        self.go_on();
    }

    fn forge(&mut self, forgery: &Forgery) {
        let Some(model) = self.model(forgery.model) else {
            return;
        };
        let (from, to) = ends(forgery.from, (model.from, model.to));
        let mut datagrams = edited(&model.datagram, &forgery.edits);
        let joined = forgery.joined.and_then(|model| self.model(model));
        if let (Some(joined), Some(last)) = (joined, datagrams.last_mut()) {
            last.extend(&joined.datagram);
        }
        for _ in 0..forgery.times {
            for datagram in datagrams.clone() {
                self.arrive(Packet { from, to, datagram });
            }
        }
    }

    /// The hello of somebody, from many who are not there, in one go.
    fn flood(&mut self, model: u8, count: u16) {
        let Some(model) = self.model(model) else {
            return;
        };
        for _ in 0..count {
            self.crowd += 1;
            let (from, mut datagram) = (crowd(self.crowd), model.datagram.clone());
            renew(&mut datagram, self.crowd);
            self.accounts.came(from, &datagram);
            self.server.line.put(from, datagram);
        }
        self.go_on();
    }

    fn model(&self, number: u8) -> Option<Packet> {
        let number = usize::from(number).checked_rem(self.known.len())?;
        self.known.iter().rev().nth(number).cloned()
    }

    /// Whoever can do something does it.
    fn go_on(&mut self) {
        for (to, datagram) in self.server.go_on() {
            self.accounts.went(to, &datagram);
            let from = server_for(to);
            self.sent(Packet { from, to, datagram });
        }
        for client in 0..CLIENTS {
            let Some(it) = &mut self.clients[client] else {
                continue;
            };
            let from = it.address;
            for (to, datagram) in it.go_on() {
                self.sent(Packet { from, to, datagram });
            }
        }
    }

    fn sent(&mut self, packet: Packet) {
        if self.known.len() < KNOWN {
            self.known.push(packet.clone());
        }
        if self.wire.len() < ON_THEIR_WAY {
            self.wire.push_back(packet);
        }
    }

    // ------------------------------------------------------------ time

    fn wait(&mut self, time: Duration) {
        let until = self.time.now() + time;
        let mut deadlines = 0;
        let clock = Rc::clone(&self.time.0);
        while clock.next_deadline().is_some_and(|next| next <= until) {
            clock.jump();
            self.go_on();
            deadlines += 1;
            assert!(deadlines < MOST_DEADLINES, "the time does not go on");
        }
        clock.advance(until.saturating_sub(clock.now()));
    }

    // ------------------------------------------------------------ the end

    /// What must come of it all.
    fn settle(mut self, options: Options) {
        self.clients = array::from_fn(|_| None);
        self.wire.clear();
        self.server.line.set(false, false);
        self.go_on();
        // Whoever is silent is forgotten.
        let mut seconds = 0;
        while !self.server.is_idle() {
            self.wait(SECOND);
            self.server.check();
            seconds += 1;
            assert!(seconds < FORGOTTEN, "{:?}", self.server.statistics());
        }
        self.accounts.start_anew();
        self.server.check_idle();
        // Whoever does everything right is served.
        self.wire.clear();
        self.begin(0, address(options.last), options.last_kind);
        let returned = self.ledger.returns();
        self.with(0, |client| client.say(Wish::Echo, 100));
        let mut seconds = 0;
        loop {
            self.deliver(ALL);
            self.server.check();
            if self.ledger.returns() > returned {
                break;
            }
            self.wait(SECOND);
            seconds += 1;
            assert!(seconds < ANSWERED, "{:?}", self.server.statistics());
        }
        self.with(0, Client::close);
        self.deliver(ALL);
        self.wait(SECOND);
        self.deliver(ALL);
        self.clients = array::from_fn(|_| None);
        assert!(self.server.is_idle(), "{:?}", self.server.statistics());
        self.server.check_idle();
        self.server.end();
    }
}

fn address_of(client: usize) -> SocketAddr {
    address(u8::try_from(client).unwrap_or_default())
}

/// From where to where.
fn ends(origin: Origin, own: (SocketAddr, SocketAddr)) -> (SocketAddr, SocketAddr) {
    match origin {
        Origin::Own => own,
        Origin::Of(who) => (address(who), server_for(address(who))),
        Origin::Server(client) => {
            let to = address_of(client);
            (server_for(to), to)
        }
        Origin::Stranger(client) => (address(77), address_of(client)),
    }
}

/// What is made once and kept for ever is no part of what is counted.
fn warm_up() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let uncounted: Gauge = |work| {
            work();
            Used { left: 0, most: 0 }
        };
        let ways = [
            Acquaintance::Key,
            Acquaintance::Certificate,
            Acquaintance::BothVersions,
            Acquaintance::Certificates,
        ];
        for acquaintance in ways {
            for (last, last_kind) in [
                (0, Kind::Good),
                (1, Kind::Good13),
                (0, Kind::Good13),
                (1, Kind::Good),
            ] {
                let options = Options {
                    acquaintance,
                    limit: 1,
                    last,
                    last_kind,
                };
                World::new(options, uncounted).settle(options);
            }
        }
    });
}
