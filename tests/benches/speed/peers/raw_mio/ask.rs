//! A client that asks and waits for the answer.

use core::net::SocketAddr;

use mio::Registry;
use mio::event::Event;

use super::{Next, connect, is_connected, retry, would_block};
use crate::layer::raw_mio::Socket;
use crate::speed::game::{Asker, BALL};

#[derive(Debug)]
pub(super) struct Client {
    stream: Socket,
    asker: Asker,
    connected: bool,
    /// Larger than an answer, so that a read that brings one is short.
    answer: [u8; 4 * BALL],
    filled: usize,
}

impl Client {
    pub(super) fn connect(registry: &Registry, server: SocketAddr, asker: Asker) -> Self {
        Self {
            stream: connect(registry, server),
            asker,
            connected: false,
            answer: [0; 4 * BALL],
            filled: 0,
        }
    }

    pub(super) fn into_asker(self) -> Asker {
        self.asker
    }

    pub(super) fn turn(&mut self, event: &Event) -> Next {
        if !self.connected {
            self.connected = event.is_writable() && is_connected(&self.stream);
            return if self.connected {
                self.ask()
            } else {
                Next::More
            };
        }
        if event.is_readable() {
            return self.hear();
        }
        Next::More
    }

    fn ask(&mut self) -> Next {
        let Some(question) = self.asker.question() else {
            return Next::Over;
        };
        // Nothing else is under way, so there is room.
        let sent = retry(|| self.stream.write(&question)).unwrap();
        assert_eq!(sent, BALL);
        Next::More
    }

    fn hear(&mut self) -> Next {
        loop {
            let room = &mut self.answer[self.filled..];
            match retry(|| self.stream.read(room)) {
                Ok(0) => panic!("the server is gone"),
                Ok(count) => {
                    let is_drained = count < room.len();
                    self.filled += count;
                    if self.filled >= BALL {
                        self.filled = 0;
                        self.asker.answered(self.answer.first_chunk().unwrap());
                        return self.ask();
                    }
                    if is_drained {
                        return Next::More;
                    }
                }
                Err(error) if would_block(&error) => return Next::More,
                Err(error) => panic!("receiving failed: {error}"),
            }
        }
    }
}
