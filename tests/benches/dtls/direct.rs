//! `dimpl` alone: a loop by hand, which knows whose turn it is, and so never has to ask the system for it.

use alloc::sync::Arc;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::net::UdpSocket;
use std::time::Instant;

use dimpl::{Dtls, Output};

use crate::ends::{Ends, OVERHEAD};
use crate::game::{Ball, Game};
use crate::memory::MemorySocket;

/// More than any datagram here has.
const LONGEST: usize = 2048;
/// How long to wait for a datagram that is under way.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) trait Socket {
    fn send(&self, datagram: &[u8], peer: SocketAddr);

    /// The length of a datagram that has come, and who sent it.
    fn receive(&self, buf: &mut [u8]) -> Option<(usize, SocketAddr)>;
}

impl Socket for UdpSocket {
    fn send(&self, datagram: &[u8], peer: SocketAddr) {
        self.send_to(datagram, peer).unwrap();
    }

    fn receive(&self, buf: &mut [u8]) -> Option<(usize, SocketAddr)> {
        Some(self.recv_from(buf).unwrap())
    }
}

impl Socket for MemorySocket {
    fn send(&self, datagram: &[u8], _peer: SocketAddr) {
        self.send(datagram);
    }

    fn receive(&self, buf: &mut [u8]) -> Option<(usize, SocketAddr)> {
        Some((self.receive(buf)?, self.peer))
    }
}

pub(crate) fn over_udp(ends: &Ends, game: Game) -> f64 {
    let sockets = [(); 2].map(|()| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    });
    let [client, server] = sockets
        .each_ref()
        .map(|socket| socket.local_addr().unwrap());
    Pair::new(ends, sockets, [server, client], game).play(ends, game, take_turns)
}

pub(crate) fn in_memory(ends: &Ends, game: Game) -> f64 {
    let sockets = MemorySocket::pair();
    let longest = sockets[0].longest();
    let peers = sockets.each_ref().map(|socket| socket.peer);
    let each = Pair::new(ends, sockets, peers, game).play(ends, game, take_turns);
    assert!(game.size < LONGEST / 2 || longest() == game.size + OVERHEAD);
    each
}

/// Goes on until no datagram is under way.
fn take_turns<S: Socket>(pair: &mut Pair<S>, is_done: fn(&Pair<S>) -> bool) {
    let mut to_server = pair.client_goes_on();
    while to_server > 0 {
        let mut to_client = 0;
        for _ in 0..to_server {
            assert!(pair.server.receive(), "it is lost");
            to_client += pair.server_goes_on();
        }
        to_server = 0;
        for _ in 0..to_client {
            assert!(pair.client.receive(), "it is lost");
            to_server += pair.client_goes_on();
        }
    }
    assert!(is_done(pair), "both wait for the other");
}

/// Both ends, and what they talk about.
pub(crate) struct Pair<S> {
    pub(crate) client: End<S>,
    pub(crate) server: End<S>,
    ball: Ball,
    is_answered: bool,
}

pub(crate) struct End<S> {
    dtls: Dtls,
    socket: S,
    peer: SocketAddr,
    /// The certificate that the peer may show.
    trusted: Vec<u8>,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    is_connected: bool,
    has_ended: bool,
}

impl<S: Socket> Pair<S> {
    /// The client and the server, with their sockets and their peers.
    pub(crate) fn new(ends: &Ends, sockets: [S; 2], peers: [SocketAddr; 2], game: Game) -> Self {
        let [client, server] = sockets;
        Self {
            client: End::new(ends, client, peers[0]),
            server: End::new(ends, server, peers[1]),
            ball: Ball::new(game.size),
            is_answered: false,
        }
    }

    /// Plays `game`. `exchange` moves datagrams until what it is given holds.
    pub(crate) fn play(
        mut self,
        ends: &Ends,
        game: Game,
        mut exchange: impl FnMut(&mut Self, fn(&Self) -> bool),
    ) -> f64 {
        let mut laps = game.laps();
        if !game.shakes_hands {
            self.shake_hands(ends, &mut exchange);
        }
        for () in laps.by_ref() {
            if game.shakes_hands {
                self.shake_hands(ends, &mut exchange);
            }
            let message = self.ball.next();
            self.client.dtls.send_application_data(message).unwrap();
            self.is_answered = false;
            exchange(&mut self, |pair| pair.is_answered);
            if game.shakes_hands {
                self.client.dtls.close().unwrap();
                exchange(&mut self, |pair| pair.server.has_ended);
            }
        }
        laps.each()
    }

    fn shake_hands(&mut self, ends: &Ends, mut exchange: impl FnMut(&mut Self, fn(&Self) -> bool)) {
        self.client.begin(ends);
        self.server.begin(ends);
        self.client.dtls.set_active(true);
        self.client.dtls.handle_timeout(Instant::now()).unwrap();
        exchange(self, |pair| {
            pair.client.is_connected && pair.server.is_connected
        });
    }

    pub(crate) fn client_goes_on(&mut self) -> usize {
        let Self {
            client,
            ball,
            is_answered,
            ..
        } = self;
        client.carry_on(|_, answer| {
            ball.check(answer);
            *is_answered = true;
        })
    }

    pub(crate) fn server_goes_on(&mut self) -> usize {
        self.server.carry_on(|dtls, message| {
            dtls.send_application_data(message).unwrap();
        })
    }
}

impl<S: Socket> End<S> {
    fn new(ends: &Ends, socket: S, peer: SocketAddr) -> Self {
        Self {
            dtls: dtls(ends),
            socket,
            peer,
            trusted: ends.certificate.certificate.clone(),
            incoming: vec![0; LONGEST],
            outgoing: vec![0; LONGEST],
            is_connected: false,
            has_ended: false,
        }
    }

    fn begin(&mut self, ends: &Ends) {
        self.dtls = dtls(ends);
        (self.is_connected, self.has_ended) = (false, false);
    }

    /// Takes a datagram, if there is one.
    pub(crate) fn receive(&mut self) -> bool {
        let Some((length, peer)) = self.socket.receive(&mut self.incoming) else {
            return false;
        };
        assert_eq!(peer, self.peer, "a stranger");
        self.dtls.handle_timeout(Instant::now()).unwrap();
        self.dtls.handle_packet(&self.incoming[..length]).unwrap();
        true
    }

    /// Does what the engine says, and returns how many datagrams it has sent.
    fn carry_on(&mut self, mut received: impl FnMut(&mut Dtls, &[u8])) -> usize {
        let mut sent = 0;
        loop {
            match self.dtls.poll_output(&mut self.outgoing) {
                Output::Packet(datagram) => {
                    self.socket.send(datagram, self.peer);
                    sent += 1;
                }
                Output::ApplicationData(message) => received(&mut self.dtls, message),
                Output::PeerCert(shown) => assert!(shown == self.trusted, "a stranger"),
                Output::Connected => self.is_connected = true,
                Output::CloseNotify => {
                    self.has_ended = true;
                    self.dtls.close().unwrap();
                }
                Output::BufferTooSmall { needed } => panic!("{needed} bytes at once"),
                // A datagram is under way, or nothing is to be waited for.
                Output::Timeout(_) => return sent,
                _ => {}
            }
        }
    }
}

fn dtls(ends: &Ends) -> Dtls {
    let (config, certificate) = (Arc::clone(&ends.config), ends.certificate.clone());
    Dtls::new_12(config, certificate, Instant::now())
}
