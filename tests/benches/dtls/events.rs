//! `dimpl` alone: a loop by hand that asks the system which socket has something, as one that has many peers must.

use core::net::{Ipv4Addr, SocketAddr};
use std::io::ErrorKind;

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};

use crate::direct::{Pair, Socket};
use crate::ends::Ends;
use crate::game::Game;

const CLIENT: Token = Token(0);
const SERVER: Token = Token(1);

impl Socket for UdpSocket {
    fn send(&self, datagram: &[u8], peer: SocketAddr) {
        self.send_to(datagram, peer).unwrap();
    }

    fn receive(&self, buf: &mut [u8]) -> Option<(usize, SocketAddr)> {
        match self.recv_from(buf) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            received => Some(received.unwrap()),
        }
    }
}

pub(crate) fn over_udp(ends: &Ends, game: Game) -> f64 {
    let mut sockets = [(); 2].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap());
    let mut poll = Poll::new().unwrap();
    for (socket, token) in sockets.iter_mut().zip([CLIENT, SERVER]) {
        let registry = poll.registry();
        let registered = registry.register(socket, token, Interest::READABLE);
        registered.unwrap();
    }
    let [client, server] = sockets
        .each_ref()
        .map(|socket| socket.local_addr().unwrap());
    let mut events = Events::with_capacity(16);
    Pair::new(ends, sockets, [server, client], game).play(ends, game, |pair, is_done| {
        pair.client_goes_on();
        while !is_done(pair) {
            poll.poll(&mut events, None).unwrap();
            for event in &events {
                if event.token() == CLIENT {
                    while pair.client.receive() {
                        pair.client_goes_on();
                    }
                } else {
                    while pair.server.receive() {
                        pair.server_goes_on();
                    }
                }
            }
        }
    })
}
