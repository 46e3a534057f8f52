//! The two ends of a bulk transfer.

use core::net::SocketAddr;
use mio::Registry;
use mio::event::Event;
use mio::net::TcpListener;

use super::{LISTENER, Next, accept, connect, is_connected, listen, retry, would_block};
use crate::layer::raw_mio::Socket;
use crate::speed::game::{Arrivals, Pieces};

/// Writes until the socket is full, and again when it no longer is.
#[derive(Debug)]
pub(super) struct Sender {
    stream: Socket,
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
        if self.connected {
            self.stream.go_on().unwrap();
        }
        if self.ended && event.is_readable() {
            // The receiver has all, and nothing to say.
            match retry(|| self.stream.read(&mut [0])) {
                Ok(count) => assert_eq!(count, 0),
                Err(error) if would_block(&error) => return Next::More,
                Err(error) => panic!("receiving failed: {error}"),
            }
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
                        self.stream.shutdown();
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
    stream: Option<Socket>,
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
            let (stream, _) = retry(|| self.listener.accept()).unwrap();
            self.stream = Some(accept(registry, stream, 0));
            return Next::More;
        }
        self.ended |= event.is_read_closed();
        if event.is_readable() && self.is_over() {
            if let Some(mut stream) = self.stream.take() {
                stream.end();
            }
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
                    self.ended |= stream.has_ended();
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
