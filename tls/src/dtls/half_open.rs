//! Clients that have to be remembered before they have proven their address: those of DTLS 1.3, and those whose hello is in parts.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::answer::is_answer_to_proof;
use super::config::DtlsServerConfig;
use super::dimpl_engine::DimplEngine;
use super::engine::{Engine, Output, Settings};
use super::outbox::Outbox;
use super::sizes::surest_mtu;

/// How many there are at most.
const PLACES: usize = 64;
/// How many bytes of one are listened to: the longest hello there is, more than once.
const MOST_HEARD: usize = 8 << 10;
/// And how many datagrams, for an engine takes more than their bytes: one of 2 KiB in the smallest, and that again three times.
const MOST_DATAGRAMS: usize = 32;
/// How long one is remembered.
const PATIENCE: Duration = Duration::from_secs(10);

/// A bounded table. When it is full, whoever has been in it longest makes room.
#[derive(Default)]
pub(super) struct HalfOpen {
    /// In the order of coming.
    clients: VecDeque<Client>,
    pub(super) evicted: u64,
}

struct Client {
    peer: SocketAddr,
    random: Option<[u8; 32]>,
    engine: Box<dyn Engine>,
    until: Duration,
    /// How many bytes came from the address, and went there.
    came: usize,
    went: usize,
    /// How many datagrams came.
    datagrams: usize,
}

/// A client that has proven its address: its engine has just begun its answer, which is in `datagram`.
pub(super) struct Proven {
    pub(super) random: Option<[u8; 32]>,
    pub(super) engine: Box<dyn Engine>,
    pub(super) datagram: Vec<u8>,
}

/// What became of a datagram.
pub(super) enum Arrived {
    /// Nothing: it is of no use, or what it said was not understood.
    Ignored,
    Kept,
    Proven(Proven),
}

impl HalfOpen {
    pub(super) fn len(&self) -> usize {
        self.clients.len()
    }

    pub(super) fn has(&self, peer: SocketAddr) -> bool {
        self.clients.iter().any(|client| client.peer == peer)
    }

    pub(super) fn clear(&mut self) {
        self.clients.clear();
    }

    /// Forgets those whose time is over.
    pub(super) fn tick(&mut self, now: Duration) {
        self.clients.retain(|client| client.until > now);
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.clients.front().map(|client| client.until)
    }

    /// A hello, or a part of one, has come from somebody who has not proven its address. Never are more bytes sent there than have come.
    pub(super) fn arrived(
        &mut self,
        config: &DtlsServerConfig,
        now: Duration,
        peer: SocketAddr,
        random: Option<[u8; 32]>,
        datagram: &[u8],
        (out, scratch): (&mut Outbox, &mut [u8]),
    ) -> Arrived {
        self.tick(now);
        let known = self.clients.iter().position(|client| client.peer == peer);
        // What is not the beginning of a hello could be of any.
        if datagram.len() > MOST_HEARD || (known.is_none() && random.is_none()) {
            return Arrived::Ignored;
        }
        let client = match known.and_then(|place| self.clients.remove(place)) {
            Some(known) if random.is_none() || known.random == random => Some(known),
            _ => Client::new(config, now, peer, random),
        };
        let Some(mut client) = client else {
            return Arrived::Ignored;
        };
        // One that has begun anew is the last to have come.
        let place = known.filter(|_| client.came > 0);
        if client.came + datagram.len() > MOST_HEARD || client.datagrams >= MOST_DATAGRAMS {
            self.put(place, client);
            return Arrived::Ignored;
        }
        client.came += datagram.len();
        client.datagrams += 1;
        // What it does not understand, it has to forget: its engine is of no more use.
        if client.engine.receive(now, datagram).is_err() {
            return Arrived::Ignored;
        }
        loop {
            match client.engine.next(scratch) {
                Ok(Some(Output::Datagram(length))) => {
                    let answer = scratch.get(..length).unwrap_or_default();
                    if is_answer_to_proof(answer) {
                        return Arrived::Proven(Proven {
                            random: client.random,
                            engine: client.engine,
                            datagram: answer.to_vec(),
                        });
                    }
                    if client.went + length <= client.came {
                        client.went += length;
                        out.answer(peer, answer);
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return Arrived::Ignored,
            }
        }
        self.put(place, client);
        Arrived::Kept
    }

    /// Puts it back to its place, or to the end.
    fn put(&mut self, place: Option<usize>, client: Client) {
        if self.clients.len() >= PLACES {
            self.clients.pop_front();
            self.evicted += 1;
        }
        let last = self.clients.len();
        let place = place.map_or(last, |place| place.min(last));
        self.clients.insert(place, client);
    }
}

impl Client {
    fn new(
        config: &DtlsServerConfig,
        now: Duration,
        peer: SocketAddr,
        random: Option<[u8; 32]>,
    ) -> Option<Self> {
        let settings = Settings {
            mtu: surest_mtu(peer),
            retransmit: Duration::from_secs(1),
        };
        Some(Self {
            peer,
            random,
            engine: DimplEngine::server(&config.0, settings, now).ok()?,
            until: now.saturating_add(PATIENCE),
            came: 0,
            went: 0,
            datagrams: 0,
        })
    }
}
