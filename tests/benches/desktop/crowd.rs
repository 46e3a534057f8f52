//! Many clients in one process, the same for every server: each asks, waits for its answer, and asks again.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream as BlockingStream;
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use crate::speed::game::{BALL, check, question};
use crate::speed::values::Values;

#[derive(Debug)]
pub(crate) struct Crowd {
    server: SocketAddr,
    clients: Vec<Client>,
}

#[derive(Debug)]
struct Client {
    stream: TcpStream,
    asked: u64,
    /// Larger than an answer, so that a read that brings one is short.
    answer: [u8; 4 * BALL],
    filled: usize,
}

impl Crowd {
    pub(crate) const fn new(server: SocketAddr) -> Self {
        Self {
            server,
            clients: Vec::new(),
        }
    }

    /// Connects clients until there are `count`. Each has asked and been answered once: the server has them all.
    pub(crate) fn connect(&mut self, count: usize) {
        while self.clients.len() < count {
            let mut stream = BlockingStream::connect(self.server).unwrap();
            stream.set_nodelay(true).unwrap();
            stream.write_all(&question(0)).unwrap();
            let mut answer = [0; BALL];
            stream.read_exact(&mut answer).unwrap();
            check(0, &answer);
            self.clients.push(Client::new(stream));
        }
    }

    /// Lets each client ask `rounds` times. They do not wait for one another.
    pub(crate) fn play(&mut self, rounds: u64) -> Values {
        let mut poll = Poll::new().unwrap();
        let clients = &mut self.clients;
        for (key, client) in clients.iter_mut().enumerate() {
            let registry = poll.registry();
            let interest = Interest::READABLE;
            registry
                .register(&mut client.stream, Token(key), interest)
                .unwrap();
        }
        let started = Instant::now();
        for client in &mut *clients {
            client.ask();
        }
        let mut playing = clients.len();
        let mut events = Events::with_capacity(1024);
        while playing > 0 {
            match poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled.unwrap(),
            }
            for event in &events {
                let client = &mut clients[event.token().0];
                if !client.hear() {
                    continue;
                }
                if client.asked < rounds {
                    client.ask();
                } else {
                    playing -= 1;
                }
            }
        }
        let count = clients.len() as f64 * rounds as f64;
        let seconds = started.elapsed().as_secs_f64();
        Values::from([("per_second", count / seconds)])
    }
}

impl Client {
    fn new(stream: BlockingStream) -> Self {
        stream.set_nonblocking(true).unwrap();
        // A reset leaves no port behind that nobody can have for a minute.
        let linger = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        linger.unwrap();
        Self {
            stream: TcpStream::from_std(stream),
            asked: 0,
            answer: [0; 4 * BALL],
            filled: 0,
        }
    }

    fn ask(&mut self) {
        self.asked += 1;
        let sent = self.stream.write(&question(self.asked)).unwrap();
        assert_eq!(sent, BALL, "there is room for a question");
    }

    /// Whether the whole answer has come.
    fn hear(&mut self) -> bool {
        loop {
            let room = &mut self.answer[self.filled..];
            match self.stream.read(room) {
                Ok(0) => panic!("the server is gone"),
                Ok(count) => {
                    let is_drained = count < room.len();
                    self.filled += count;
                    if self.filled >= BALL {
                        assert_eq!(self.filled, BALL, "more than was asked for");
                        self.filled = 0;
                        check(self.asked, self.answer.first_chunk().unwrap());
                        return true;
                    }
                    if is_drained {
                        return false;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("receiving failed: {error}"),
            }
        }
    }
}
