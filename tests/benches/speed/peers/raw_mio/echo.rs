//! A server that sends back what comes.

use core::net::SocketAddr;
use std::io;

use mio::Registry;
use mio::event::Event;
use mio::net::TcpListener;
use slab::Slab;

use super::{LISTENER, Next, accept, listen, retry, would_block};
use crate::layer::raw_mio::Socket;
use crate::plan::BUFFER;

#[derive(Debug)]
pub(super) struct Server {
    listener: TcpListener,
    connections: Slab<Connection>,
    /// All connections are read into this one.
    buf: Vec<u8>,
    ended: u64,
}

#[derive(Debug)]
struct Connection {
    stream: Socket,
    /// Not known to be empty.
    readable: bool,
    /// The peer's end came, and no further event may.
    ended: bool,
    /// What the socket had no room for. Nothing is read meanwhile.
    unsent: Vec<u8>,
}

impl Server {
    pub(super) fn listen(registry: &Registry) -> (Self, SocketAddr) {
        let (listener, address) = listen(registry);
        let server = Self {
            listener,
            connections: Slab::new(),
            buf: vec![0; BUFFER],
            ended: 0,
        };
        (server, address)
    }

    /// How many connections have ended.
    pub(super) const fn ended(&self) -> u64 {
        self.ended
    }

    pub(super) fn turn(&mut self, registry: &Registry, event: &Event) -> Next {
        if event.token() == LISTENER {
            self.accept(registry);
            return Next::More;
        }
        let key = event.token().0;
        let Some(connection) = self.connections.get_mut(key) else {
            return Next::More;
        };
        connection.readable |= event.is_readable();
        connection.ended |= event.is_read_closed() || event.is_error();
        if !connection.echo(&mut self.buf).unwrap_or(false) {
            drop(self.connections.remove(key)); // the system forgets the registration with the descriptor
            self.ended += 1;
        }
        Next::More
    }

    fn accept(&mut self, registry: &Registry) {
        loop {
            match retry(|| self.listener.accept()) {
                Ok((stream, _)) => {
                    let entry = self.connections.vacant_entry();
                    let stream = accept(registry, stream, entry.key());
                    entry.insert(Connection {
                        stream,
                        readable: false,
                        ended: false,
                        unsent: Vec::new(),
                    });
                }
                Err(error) if would_block(&error) => return,
                Err(error) => panic!("accepting failed: {error}"),
            }
        }
    }
}

impl Connection {
    /// Sends back what is there; `false` at the end.
    fn echo(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        loop {
            if !self.unsent.is_empty() {
                match retry(|| self.stream.write(&self.unsent)) {
                    Ok(count) => drop(self.unsent.drain(..count)),
                    Err(error) if would_block(&error) => return Ok(true),
                    Err(error) => return Err(error),
                }
                continue;
            }
            if !self.readable && !self.ended {
                return Ok(true);
            }
            let count = match retry(|| self.stream.read(buf)) {
                Ok(0) => {
                    self.stream.end();
                    return Ok(false);
                }
                Ok(count) => count,
                Err(error) if would_block(&error) => {
                    self.readable = false;
                    return Ok(true);
                }
                Err(error) => return Err(error),
            };
            self.ended |= self.stream.has_ended();
            if count < buf.len() {
                self.readable = false;
            }
            match retry(|| self.stream.write(&buf[..count])) {
                Ok(sent) => self.unsent.extend_from_slice(&buf[sent..count]),
                Err(error) if would_block(&error) => self.unsent.extend_from_slice(&buf[..count]),
                Err(error) => return Err(error),
            }
        }
    }
}
