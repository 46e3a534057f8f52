//! Hellos: whose association they belong to, and which of them begin a new one.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::Table;
use crate::dtls::answer::hello_verify_request;
use crate::dtls::association::{Admitted, Association, Role};
use crate::dtls::config::Version;
use crate::dtls::cookie::Cookies;
use crate::dtls::half_open::{Arrived, Proven};
use crate::dtls::hello::ClientHello;

/// How many hellos of one address are remembered as used, that of its current association included.
const EARLIER: usize = 16;

/// What tells the hellos that have led to this association of a server from others.
pub(super) fn hellos_of(association: &Association) -> Vec<[u8; 32]> {
    let Role::Server(client) = &association.role else {
        return Vec::new();
    };
    let hellos = client.random.iter().chain(&client.earlier);
    hellos.take(EARLIER).copied().collect()
}

impl Table {
    /// Whether it is the hello by which this association began.
    pub(super) fn is_own_hello(&self, id: u64, hello: &ClientHello<'_>) -> bool {
        let association = self.associations.get(&id);
        association.is_some_and(|association| match &association.role {
            Role::Server(client) => {
                let cookie = client.cookie.as_ref().map(|cookie| &cookie[..]);
                client.random == Some(hello.random()) && cookie.unwrap_or_default() == hello.cookie
            }
            Role::Client { .. } => false,
        })
    }

    pub(super) fn is_own_fragment(
        &self,
        id: u64,
        peer: SocketAddr,
        random: Option<[u8; 32]>,
    ) -> bool {
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
    pub(super) fn hello(
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
            return self.half_open_hello(now, peer, Some(hello.random()), datagram);
        }
        if hello.message == 0 || !self.cookies.is_good(now, peer, hello) {
            let cookie = self.cookies.make(now, peer, hello);
            let request = hello_verify_request(hello.sequence, &cookie);
            if self.out.answer(peer, &request) {
                self.statistics.cookies_sent += 1;
            }
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
    pub(super) fn half_open_hello(
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
        let has_room = self.serving.as_ref()?.has_room();
        let before = self.client_at(peer);
        if !has_room && before.is_none() {
            self.statistics.refused += 1;
            return None;
        }
        let id = self.insert(peer, make);
        let until = Cookies::good_until(now);
        let unseen = self.serving.as_mut()?.admit(id, until, before);
        if let Some(unseen) = unseen {
            self.remove(unseen);
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
}
