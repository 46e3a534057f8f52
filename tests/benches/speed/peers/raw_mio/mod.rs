//! State machines by hand over mio: what there is to lose to an abstraction.
//!
//! Edge-triggered, each socket registered once for both directions, and no read after one that came short.

mod ask;
mod bulk;
mod echo;
mod short;

use core::net::SocketAddr;
use std::io::{self, ErrorKind};

use mio::event::Event;
use mio::{Events, Interest, Poll, Registry, Token};

use super::{ANYWHERE, Peer, Ready};
use crate::layer::raw_mio::Socket;
use crate::speed::game::{Arrivals, Asker, Pieces};

use ask::Client;
use bulk::{Receiver, Sender};
use echo::Server;
use short::ShortClient;

/// The one client of a loop. Servers number theirs from 0.
const CLIENT: Token = Token(usize::MAX - 1);
const LISTENER: Token = Token(usize::MAX - 2);

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

#[derive(Debug)]
pub(crate) struct RawMio;

/// Polls until `turn` has nothing more to do.
fn drive(poll: &mut Poll, mut turn: impl FnMut(&Registry, &Event) -> Next) {
    let mut events = Events::with_capacity(1024);
    loop {
        retry(|| poll.poll(&mut events, None)).unwrap();
        for event in &events {
            if matches!(turn(poll.registry(), event), Next::Over) {
                return;
            }
        }
    }
}

/// Whether a loop goes on.
#[derive(Clone, Copy, Debug)]
enum Next {
    More,
    Over,
}

/// Calls once more what a signal interrupted.
pub(crate) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

pub(crate) fn would_block(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
}

impl Peer for RawMio {
    fn ping_pong(&self, asker: Asker) -> Asker {
        let mut poll = Poll::new().unwrap();
        let (mut server, address) = Server::listen(poll.registry());
        let mut client = Client::connect(poll.registry(), address, asker);
        drive(&mut poll, |registry, event| match event.token() {
            CLIENT => client.turn(event),
            _ => server.turn(registry, event),
        });
        client.into_asker()
    }

    fn ask(&self, server: SocketAddr, asker: Asker) -> Asker {
        let mut poll = Poll::new().unwrap();
        let mut client = Client::connect(poll.registry(), server, asker);
        drive(&mut poll, |_, event| client.turn(event));
        client.into_asker()
    }

    fn answer(&self, ready: Ready) {
        let mut poll = Poll::new().unwrap();
        let (mut server, address) = Server::listen(poll.registry());
        ready(address);
        drive(&mut poll, |registry, event| {
            let next = server.turn(registry, event);
            if server.ended() > 0 { Next::Over } else { next }
        });
    }

    fn bulk(&self, pieces: Pieces, arrivals: Arrivals) -> Arrivals {
        let mut poll = Poll::new().unwrap();
        let (mut receiver, address) = Receiver::listen(poll.registry(), arrivals);
        let mut sender = Sender::connect(poll.registry(), address, pieces);
        drive(&mut poll, |registry, event| match event.token() {
            CLIENT => sender.turn(event),
            _ => {
                let _ = receiver.turn(registry, event); // the sender is over after it
                Next::More
            }
        });
        receiver.into_arrivals()
    }

    fn send(&self, receiver: SocketAddr, pieces: Pieces) {
        let mut poll = Poll::new().unwrap();
        let mut sender = Sender::connect(poll.registry(), receiver, pieces);
        drive(&mut poll, |_, event| sender.turn(event));
    }

    fn receive(&self, ready: Ready, arrivals: Arrivals) -> Arrivals {
        let mut poll = Poll::new().unwrap();
        let (mut receiver, address) = Receiver::listen(poll.registry(), arrivals);
        ready(address);
        drive(&mut poll, |registry, event| receiver.turn(registry, event));
        receiver.into_arrivals()
    }

    fn serve(&self, ready: Ready) {
        let mut poll = Poll::new().unwrap();
        let (mut server, address) = Server::listen(poll.registry());
        ready(address);
        drive(&mut poll, |registry, event| server.turn(registry, event));
    }

    fn short(&self, count: u64) {
        let mut poll = Poll::new().unwrap();
        let (mut server, address) = Server::listen(poll.registry());
        let mut client = ShortClient::connect(poll.registry(), address, count);
        drive(&mut poll, |registry, event| match event.token() {
            CLIENT => client.turn(registry, event),
            _ => server.turn(registry, event),
        });
    }
}

/// A socket for [`ANYWHERE`], registered.
fn listen(registry: &Registry) -> (mio::net::TcpListener, SocketAddr) {
    let mut listener = mio::net::TcpListener::bind(ANYWHERE).unwrap();
    let address = listener.local_addr().unwrap();
    let interest = Interest::READABLE;
    registry
        .register(&mut listener, LISTENER, interest)
        .unwrap();
    (listener, address)
}

/// A socket that connects, registered.
fn connect(registry: &Registry, server: SocketAddr) -> Socket {
    let mut stream = mio::net::TcpStream::connect(server).unwrap();
    stream.set_nodelay(true).unwrap();
    registry.register(&mut stream, CLIENT, BOTH).unwrap();
    Socket::connect(stream)
}

/// A socket that was accepted, registered.
fn accept(registry: &Registry, mut stream: mio::net::TcpStream, key: usize) -> Socket {
    stream.set_nodelay(true).unwrap();
    registry.register(&mut stream, Token(key), BOTH).unwrap();
    Socket::accept(stream)
}

/// Whether the connection has come about; it is asked at the first event that says that it can be written to.
fn is_connected(socket: &Socket) -> bool {
    let stream = socket.tcp();
    if let Some(error) = stream.take_error().unwrap() {
        panic!("connecting failed: {error}");
    }
    match stream.peer_addr() {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::NotConnected => false,
        Err(error) => panic!("connecting failed: {error}"),
    }
}
