//! The two ends of a bulk transfer.

use core::net::SocketAddr;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Registry, Token};

use super::{BOTH, LISTENER, Next, connect, is_connected, listen, retry, would_block};
use crate::game::{Arrivals, Pieces};

/// Writes until the socket is full, and again when it no longer is.
#[derive(Debug)]
pub(super) struct Sender {
    stream: TcpStream,
    connected: bool,
    pieces: Pieces,
    /// What is left of the piece that is being sent.
    left: usize,
    /// The end is sent.
    ended: bool,
}

impl Sender {
    pub(super) fn connect(registry: &Registry, receiver: SocketAddr, pieces: Pieces) -> Self {
        Self {
            stream: connect(registry, receiver),
            connected: false,
            pieces,
            left: 0,
            ended: false,
        }
    }

    pub(super) fn turn(&mut self, event: &Event) -> Next {
        if !self.connected {
            self.connected = event.is_writable() && is_connected(&self.stream);
        }
        if self.ended && event.is_readable() {
            // The receiver has all, and nothing to say.
            assert_eq!(retry(|| self.stream.read(&mut [0])).unwrap(), 0);
            return Next::Over;
        }
        if self.connected && !self.ended && event.is_writable() {
            self.send();
        }
        Next::More
    }

    fn send(&mut self) {
        loop {
            if self.left == 0 {
                match self.pieces.next() {
                    Some(piece) => self.left = piece.len(),
                    None => {
                        self.stream.shutdown(Shutdown::Write).unwrap();
                        self.ended = true;
                        return;
                    }
                }
            }
            let piece = self.pieces.current();
            let rest = &piece[piece.len() - self.left..];
            match retry(|| self.stream.write(rest)) {
                Ok(count) => {
                    let is_full = count < rest.len();
                    self.left -= count;
                    if is_full {
                        return;
                    }
                }
                Err(error) if would_block(&error) => return,
                Err(error) => panic!("sending failed: {error}"),
            }
        }
    }
}

/// Reads until the socket is empty, and again when it no longer is.
#[derive(Debug)]
pub(super) struct Receiver {
    listener: TcpListener,
    stream: Option<TcpStream>,
    ended: bool,
    arrivals: Arrivals,
    buf: Vec<u8>,
}

impl Receiver {
    pub(super) fn listen(registry: &Registry, arrivals: Arrivals) -> (Self, SocketAddr) {
        let (listener, address) = listen(registry);
        let receiver = Self {
            listener,
            stream: None,
            ended: false,
            arrivals,
            buf: vec![0; Arrivals::BUFFER],
        };
        (receiver, address)
    }

    pub(super) fn into_arrivals(self) -> Arrivals {
        self.arrivals
    }

    pub(super) fn turn(&mut self, registry: &Registry, event: &Event) -> Next {
        if event.token() == LISTENER {
            let (mut stream, _) = retry(|| self.listener.accept()).unwrap();
            stream.set_nodelay(true).unwrap();
            registry.register(&mut stream, Token(0), BOTH).unwrap();
            self.stream = Some(stream);
            return Next::More;
        }
        self.ended |= event.is_read_closed();
        if event.is_readable() && self.is_over() {
            self.stream = None;
            return Next::Over;
        }
        Next::More
    }

    /// Receives what is there, and tells whether it was the last.
    fn is_over(&mut self) -> bool {
        let Some(stream) = &mut self.stream else {
            return false;
        };
        loop {
            match retry(|| stream.read(&mut self.buf)) {
                Ok(0) => return true,
                Ok(count) => {
                    self.arrivals.add(&self.buf[..count]);
                    if count < self.buf.len() && !self.ended {
                        return false;
                    }
                }
                Err(error) if would_block(&error) => return false,
                Err(error) => panic!("receiving failed: {error}"),
            }
        }
    }
}
