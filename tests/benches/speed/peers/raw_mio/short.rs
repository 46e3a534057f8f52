//! A client of short connections.

use core::net::SocketAddr;

use mio::Registry;
use mio::event::Event;

use super::super::byte;
use super::{Next, connect, is_connected, retry, would_block};
use crate::layer::raw_mio::Socket;

/// Connects, sends a byte, demands it back and closes, again and again.
#[derive(Debug)]
pub(super) struct ShortClient {
    server: SocketAddr,
    stream: Socket,
    connected: bool,
    number: u64,
    count: u64,
}

impl ShortClient {
    pub(super) fn connect(registry: &Registry, server: SocketAddr, count: u64) -> Self {
        Self {
            server,
            stream: connect(registry, server),
            connected: false,
            number: 0,
            count,
        }
    }

    pub(super) fn turn(&mut self, registry: &Registry, event: &Event) -> Next {
        if !self.connected {
            self.connected = event.is_writable() && is_connected(&self.stream);
            if self.connected {
                let sent = retry(|| self.stream.write(&byte(self.number))).unwrap();
                assert_eq!(sent, 1);
            }
            return Next::More;
        }
        if !event.is_readable() {
            return Next::More;
        }
        let mut answer = [0; 2];
        match retry(|| self.stream.read(&mut answer)) {
            Ok(1) => assert_eq!(answer[..1], byte(self.number)),
            Ok(count) => panic!("{count} bytes instead of one"),
            Err(error) if would_block(&error) => return Next::More,
            Err(error) => panic!("receiving failed: {error}"),
        }
        self.stream.end();
        self.number += 1;
        if self.number == self.count {
            return Next::Over;
        }
        self.stream = connect(registry, self.server);
        self.connected = false;
        Next::More
    }
}
