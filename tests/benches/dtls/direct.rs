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

trait Socket {
    fn send(&self, datagram: &[u8], peer: SocketAddr);

    /// The length of a datagram that is under way, and who sent it.
    fn receive(&self, buf: &mut [u8]) -> (usize, SocketAddr);
}

impl Socket for UdpSocket {
    fn send(&self, datagram: &[u8], peer: SocketAddr) {
        self.send_to(datagram, peer).unwrap();
    }

    fn receive(&self, buf: &mut [u8]) -> (usize, SocketAddr) {
        self.recv_from(buf).unwrap()
    }
}

impl Socket for MemorySocket {
    fn send(&self, datagram: &[u8], _peer: SocketAddr) {
        self.send(datagram);
    }

    fn receive(&self, buf: &mut [u8]) -> (usize, SocketAddr) {
        (self.receive(buf).unwrap(), self.peer)
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
    play(ends, game, sockets, [server, client])
}

pub(crate) fn in_memory(ends: &Ends, game: Game) -> f64 {
    let sockets = MemorySocket::pair();
    let longest = sockets[0].longest();
    let peers = sockets.each_ref().map(|socket| socket.peer);
    let each = play(ends, game, sockets, peers);
    assert!(game.size < LONGEST / 2 || longest() == game.size + OVERHEAD);
    each
}

fn play<S: Socket>(ends: &Ends, game: Game, sockets: [S; 2], peers: [SocketAddr; 2]) -> f64 {
    let [client, server] = sockets;
    let mut pair = Pair {
        client: End::new(ends, client, peers[0]),
        server: End::new(ends, server, peers[1]),
        ball: Ball::new(game.size),
        answers: 0,
    };
    let mut laps = game.laps();
    if !game.shakes_hands {
        pair.shake_hands(ends);
    }
    for () in laps.by_ref() {
        if game.shakes_hands {
            pair.shake_hands(ends);
        }
        pair.round_trip();
        if game.shakes_hands {
            pair.close();
        }
    }
    laps.each()
}

struct Pair<S> {
    client: End<S>,
    server: End<S>,
    ball: Ball,
    /// How often the ball has come back.
    answers: u64,
}

struct End<S> {
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
    fn shake_hands(&mut self, ends: &Ends) {
        self.client.begin(ends);
        self.server.begin(ends);
        self.client.dtls.set_active(true);
        self.client.dtls.handle_timeout(Instant::now()).unwrap();
        self.exchange();
        assert!(self.client.is_connected && self.server.is_connected);
    }

    fn round_trip(&mut self) {
        let answers = self.answers;
        let sent = self.client.dtls.send_application_data(self.ball.next());
        sent.unwrap();
        self.exchange();
        assert_eq!(self.answers, answers + 1, "no answer");
    }

    /// Both say that this is the end.
    fn close(&mut self) {
        self.client.dtls.close().unwrap();
        self.exchange();
        assert!(self.server.has_ended);
    }

    /// Goes on until no datagram is under way.
    fn exchange(&mut self) {
        let Self {
            client,
            server,
            ball,
            answers,
        } = self;
        let mut answered = |_: &mut Dtls, answer: &[u8]| {
            ball.check(answer);
            *answers += 1;
        };
        let mut echo = |dtls: &mut Dtls, message: &[u8]| {
            dtls.send_application_data(message).unwrap();
        };
        let mut to_server = client.carry_on(&mut answered);
        while to_server > 0 {
            let mut to_client = 0;
            for _ in 0..to_server {
                server.receive();
                to_client += server.carry_on(&mut echo);
            }
            to_server = 0;
            for _ in 0..to_client {
                client.receive();
                to_server += client.carry_on(&mut answered);
            }
        }
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

    fn receive(&mut self) {
        let (length, peer) = self.socket.receive(&mut self.incoming);
        assert_eq!(peer, self.peer, "a stranger");
        self.dtls.handle_timeout(Instant::now()).unwrap();
        self.dtls.handle_packet(&self.incoming[..length]).unwrap();
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
