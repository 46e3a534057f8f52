//! Tables that speak with each other: no socket, no clock.

use alloc::vec::Vec;
use core::net::{SocketAddr, SocketAddrV6};
use core::time::Duration;

use rustls_pki_types::ServerName;

use super::of_version;
use crate::dtls::association::Association;
use crate::dtls::config::{DtlsClientConfig, DtlsServerConfig};
use crate::dtls::error::Over;
use crate::dtls::table::Table;

pub(super) const NOW: Duration = Duration::from_secs(100);

pub(super) fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

/// A server, and what its clients are configured with.
pub(super) struct World {
    pub(super) server: Table,
    client_config: DtlsClientConfig,
    server_config: DtlsServerConfig,
    /// What clients have said.
    pub(super) said: Vec<Vec<u8>>,
}

impl World {
    pub(super) fn new(limit: usize) -> Self {
        Self::of_version(limit, false)
    }

    pub(super) fn of_version(limit: usize, is_13: bool) -> Self {
        let (client_config, server_config) = of_version(is_13);
        let mut server = Table::new(&[1; 32]);
        assert!(server.serve(&server_config, limit));
        Self {
            server,
            client_config,
            server_config,
            said: Vec::new(),
        }
    }

    pub(super) fn connect(&self, client: &mut Table) -> Result<u64, Over> {
        let name = ServerName::try_from("server.example").expect("a name");
        client.connect(at(1), self.client_config.clone(), name)
    }

    /// A client at this port, whose handshake goes as far as it can.
    pub(super) fn client(&mut self, port: u16) -> (Table, u64) {
        let mut client = Table::new(&[2; 32]);
        let id = self.connect(&mut client).expect("open");
        assert!(!shake_hands(&mut client, id));
        self.exchange(&mut client, port);
        (client, id)
    }

    /// A client whose handshake is done, and the server's association with it.
    pub(super) fn established(&mut self, port: u16) -> (Table, u64, u64) {
        let (mut client, id) = self.client(port);
        let (theirs, _) = self.server.next_client().expect("a client");
        shake_hands(&mut self.server, theirs);
        self.exchange(&mut client, port);
        assert!(shake_hands(&mut client, id) && shake_hands(&mut self.server, theirs));
        (client, id, theirs)
    }

    /// Carries datagrams between the server and this client until there are none.
    pub(super) fn exchange(&mut self, client: &mut Table, port: u16) {
        self.exchange_but(client, port, NOW, |_, _| false);
    }

    /// The same at this time, but for what is lost: whether it is the client's, and its bytes.
    pub(super) fn exchange_but(
        &mut self,
        client: &mut Table,
        port: u16,
        now: Duration,
        mut is_lost: impl FnMut(bool, &[u8]) -> bool,
    ) {
        loop {
            if let Some(next) = client.out.pop() {
                client.has_gone(next.id, next.number, true);
                if !is_lost(true, &next.data) {
                    self.server.arrived(now, at(port), &next.data);
                }
                self.said.push(next.data);
            } else if let Some(next) = self.server.out.pop() {
                self.server.has_gone(next.id, next.number, true);
                if !is_lost(false, &next.data) {
                    client.arrived(now, at(1), &next.data);
                }
            } else {
                return;
            }
        }
    }
}

pub(super) fn shake_hands(table: &mut Table, id: u64) -> bool {
    let done = table.with(id, NOW, |association, around| {
        association.shake_hands(around)
    });
    done.expect("it is there").expect("it is not over")
}

pub(super) fn send(table: &mut Table, id: u64, message: &[u8]) -> Option<u64> {
    let sent = table.with(id, NOW, |association, around| {
        association.send(message, around)
    });
    sent.expect("it is there").expect("it sends")
}

#[test]
fn a_handshake_and_a_message_go_through_two_tables() {
    let mut world = World::new(2);
    let (mut client, id) = world.client(2);
    let (theirs, peer) = world.server.next_client().expect("a client");
    assert_eq!(peer, at(2));
    assert!(!shake_hands(&mut world.server, theirs));
    world.exchange(&mut client, 2);
    assert!(shake_hands(&mut client, id) && shake_hands(&mut world.server, theirs));
    // The next one waits until the one before has gone.
    let number = send(&mut client, id, b"message");
    assert!(number.is_some());
    assert_eq!(send(&mut client, id, b"another"), None);
    world.exchange(&mut client, 2);
    assert_eq!(world.server.deliveries, 1);
    assert!(send(&mut client, id, b"another") > number);
    let mut message = [0; 10];
    let received = world.server.with(theirs, NOW, |association, _| {
        association.inbox.receive(&mut message)
    });
    assert_eq!(received, Some(Ok(Some(Some(7)))));
    for table in [&client, &world.server] {
        let seen = table.statistics();
        assert_eq!((seen.associations, seen.half_open), (1, 0));
        assert_eq!((seen.established, seen.ignored), (1, 0));
    }
}

#[test]
fn a_stranger_leaves_neither_memory_nor_a_deadline() {
    let mut world = World::new(2);
    let mut client = Table::new(&[2; 32]);
    let id = world.connect(&mut client).expect("open");
    assert_eq!(client.deadline(), None);
    assert!(!shake_hands(&mut client, id));
    let hello = client.out.pop().expect("a hello");
    world.server.arrived(NOW, at(2), &hello.data);
    let seen = world.server.statistics();
    assert_eq!(
        (seen.cookies_sent, seen.associations, seen.half_open),
        (1, 0, 0)
    );
    assert_eq!(world.server.deadline(), None);
    assert!(world.server.next_client().is_none());
}

#[test]
fn a_client_that_begins_anew_has_the_place_of_its_old_self_and_no_other() {
    let mut world = World::new(1);
    for _ in 0..3 {
        world.client(2);
    }
    let seen = world.server.statistics();
    assert_eq!((seen.replaced, seen.refused, seen.associations), (2, 0, 1));
    // Nobody has a channel of those before, so nothing is left of them.
    assert!((1..=2).all(|id| world.server.get(id).is_none()));
    let (first, _) = world.server.next_client().expect("the last of them");
    shake_hands(&mut world.server, first);
    // What it says gets lost.
    while world.server.out.pop().is_some() {}
    assert!(world.server.next_client().is_none());
    // Its handler is at work.
    for _ in 0..3 {
        world.client(2);
    }
    let seen = world.server.statistics();
    assert_eq!((seen.replaced, seen.refused, seen.associations), (5, 0, 1));
    let over = world.server.with(first, NOW, |association, around| {
        association.shake_hands(around)
    });
    assert_eq!(over, Some(Err(Over::Replaced)));
    world.client(3);
    assert_eq!(world.server.statistics().refused, 1);
    // One handler at a time.
    assert!(world.server.next_client().is_none());
    world.server.remove(first);
    world.server.handler_is_done();
    let (second, peer) = world.server.next_client().expect("the new one");
    assert!(second > first && peer == at(2));
    assert!(world.server.next_client().is_none());
}

#[test]
fn who_closes_answers_nobody_and_lets_nothing_begin() {
    let mut world = World::new(2);
    world.server.end(&Over::Closed);
    let (mut client, _) = world.client(2);
    let seen = world.server.statistics();
    assert_eq!((seen.datagrams, seen.ignored, seen.cookies_sent), (1, 1, 0));
    client.end(&Over::Broken);
    client.end(&Over::Closed);
    assert_eq!(world.connect(&mut client), Err(Over::Broken));
    assert_eq!(
        (client.deadline(), client.statistics().associations),
        (None, 0)
    );
}

#[test]
fn what_is_due_comes_once_and_what_is_over_never() {
    let world = World::new(1);
    let mut client = Table::new(&[2; 32]);
    let first = world.connect(&mut client).expect("open");
    assert!(!shake_hands(&mut client, first));
    assert!(client.out.pop().is_some() && client.out.pop().is_none());
    let due = client.deadline().expect("it is sent again");
    client.tick(due - Duration::from_millis(1));
    assert!(client.out.pop().is_none());
    client.tick(due);
    assert!(client.out.pop().is_some() && client.out.pop().is_none());
    assert!(client.deadline() > Some(due));
    // One that is replaced has no time, and leaves the new one its address.
    let second = world.connect(&mut client).expect("open");
    assert_eq!(client.deadline(), None);
    client.remove(first);
    assert_eq!(client.statistics().associations, 1);
    assert!(!shake_hands(&mut client, second));
    assert!(client.deadline().is_some());
    client.remove(second);
    assert_eq!(
        (client.deadline(), client.statistics().associations),
        (None, 0)
    );
}

#[test]
fn those_who_wait_for_a_handler_are_forgotten_with_the_server() {
    let mut world = World::new(2);
    let (_client, _) = world.client(2);
    assert_eq!(world.server.statistics().associations, 1);
    assert!(!world.server.serve(&world.server_config, 2));
    world.server.serve_no_more();
    assert_eq!(world.server.statistics().associations, 0);
    // Nobody serves: nobody is answered.
    world.client(3);
    assert_eq!(world.server.statistics().cookies_sent, 1);
    assert!(world.server.serve(&world.server_config, 2));
    world.client(3);
    assert!(world.server.next_client().is_some());
}

impl World {
    /// A client whose handshake is done, and whose handler has gone with its channel.
    fn finish_client(&mut self, port: u16) {
        let (mut client, id) = self.client(port);
        let (theirs, _) = self.server.next_client().expect("a client");
        assert!(!shake_hands(&mut self.server, theirs));
        self.exchange(&mut client, port);
        assert!(shake_hands(&mut client, id));
        self.server.remove(theirs);
        self.server.handler_is_done();
    }

    /// All that was said comes again, and whoever is there by then has a handler or is asked for the address.
    fn repeat(&mut self, now: Duration, port: u16) -> (bool, u64) {
        let before = self.server.statistics().cookies_sent;
        for datagram in &self.said {
            self.server.arrived(now, at(port), datagram);
        }
        while let Some(answer) = self.server.out.pop() {
            assert_eq!(answer.data[13], 3, "it asks");
        }
        let is_there = self.server.next_client().is_some();
        assert_eq!(self.server.statistics().associations != 0, is_there);
        (is_there, self.server.statistics().cookies_sent - before)
    }
}

#[test]
fn what_a_client_has_said_begins_nothing_again_when_it_is_gone() {
    let mut world = World::new(1);
    // Its first self was replaced before anybody saw it.
    let (_given_up, _) = world.client(2);
    world.finish_client(2);
    for seconds in [100, 120, 149] {
        let found = world.repeat(Duration::from_secs(seconds), 2);
        assert_eq!(found, (false, 2), "{seconds}");
    }
    // Cookies outlast a server, and so does the memory.
    world.server.serve_no_more();
    assert!(world.server.serve(&world.server_config, 1));
    assert_eq!(world.repeat(NOW, 2), (false, 2));
    let seen = world.server.statistics();
    let rest = u64::try_from(world.said.len()).expect("few") - 2;
    assert_eq!(seen.ignored, 4 * rest);
    // Then its cookies are no good, and it has to show that it is there.
    let found = world.repeat(Duration::from_secs(150), 2);
    assert_eq!(found, (false, 4));
    // Whoever is there has another hello.
    world.finish_client(2);
}

#[test]
fn a_client_whom_nobody_has_seen_is_served_when_it_repeats_its_hello() {
    let mut world = World::new(1);
    let (_client, _) = world.client(2);
    world.server.serve_no_more();
    assert!(world.server.serve(&world.server_config, 1));
    assert_eq!(world.repeat(NOW, 2), (true, 1));
    // The same of one for whom there was no room.
    let mut world = World::new(1);
    let (_client, _) = world.client(2);
    world.said.clear();
    let (_other, _) = world.client(3);
    assert_eq!(world.server.statistics().refused, 1);
    let (first, _) = world.server.next_client().expect("a client");
    world.server.remove(first);
    world.server.handler_is_done();
    assert_eq!(world.repeat(NOW, 3), (true, 1));
}

#[test]
fn flow_information_is_no_part_of_an_address_and_a_scope_is() {
    let v6 = |flow, scope| {
        let ip = "fe80::1".parse().expect("an address");
        SocketAddr::V6(SocketAddrV6::new(ip, 1, flow, scope))
    };
    let mut world = World::new(8);
    let mut client = Table::new(&[2; 32]);
    let name = ServerName::try_from("server.example").expect("a name");
    let id = client.connect(v6(7, 3), world.client_config.clone(), name);
    let id = id.expect("open");
    assert!(!shake_hands(&mut client, id));
    let mut flow = 10;
    for _ in 0..20 {
        while let Some(next) = client.out.pop() {
            assert_eq!(next.peer, v6(7, 3));
            client.has_gone(next.id, next.number, true);
            flow += 1;
            world.server.arrived(NOW, v6(flow, 5), &next.data);
        }
        if let Some((theirs, _)) = world.server.next_client() {
            assert!(!shake_hands(&mut world.server, theirs));
        }
        while let Some(next) = world.server.out.pop() {
            world.server.has_gone(next.id, next.number, true);
            flow += 1;
            client.arrived(NOW, v6(flow, 4), &next.data);
            client.arrived(NOW, v6(flow, 3), &next.data);
        }
    }
    assert!(shake_hands(&mut client, id));
    let seen = client.statistics();
    assert_eq!((seen.ignored, seen.associations), (seen.datagrams / 2, 1));
    let seen = world.server.statistics();
    assert_eq!((seen.ignored, seen.associations, seen.replaced), (0, 1, 0));
    client.remove(id);
    assert_eq!(client.statistics().associations, 0);
}

/// Nothing of what is sent goes out.
#[test]
fn associations_that_come_and_go_leave_nothing_to_send_but_some_goodbyes() {
    let world = World::new(1);
    let mut client = Table::new(&[2; 32]);
    for number in 1..=1000 {
        let name = ServerName::try_from("server.example").expect("a name");
        let id = client.connect(at(number), world.client_config.clone(), name);
        let id = id.expect("open");
        assert!(!shake_hands(&mut client, id));
        assert_eq!(client.out.len(), 1);
        client.remove(id);
        assert_eq!(client.out.len(), 0);
    }
    assert_eq!(client.statistics().unsent, 1000);
    // The same of those that were established, for which there is a goodbye.
    for endpoint_closes in [false, true] {
        let mut world = World::new(100);
        let mut ids = Vec::new();
        for port in 1000..1100 {
            let (mut client, _) = world.client(port);
            let (id, _) = world.server.next_client().expect("a client");
            assert!(!shake_hands(&mut world.server, id));
            world.exchange(&mut client, port);
            assert!(shake_hands(&mut world.server, id));
            ids.push(id);
        }
        for id in &ids {
            assert!(send(&mut world.server, *id, b"message").is_some());
        }
        if endpoint_closes {
            world.server.say_goodbye(NOW);
            world.server.end(&Over::Closed);
        }
        for id in ids {
            world.server.with(id, NOW, Association::close);
            world.server.remove(id);
        }
        let expected = if endpoint_closes { 100 } else { 64 };
        assert_eq!(world.server.out.len(), expected);
    }
}
