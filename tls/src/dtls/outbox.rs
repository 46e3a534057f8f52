//! Datagrams that are to be sent.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// How many answers to strangers wait at most.
const STRANGERS: usize = 64;

pub(super) struct Outgoing {
    /// Whose association it is of.
    pub(super) id: Option<u64>,
    pub(super) number: u64,
    pub(super) peer: SocketAddr,
    pub(super) data: Vec<u8>,
}

/// They are numbered, so that who waits for one knows when it has gone.
#[derive(Default)]
pub(super) struct Outbox {
    queue: VecDeque<Outgoing>,
    pushed: u64,
    /// How many have gone, or failed.
    pub(super) gone: u64,
}

impl Outbox {
    /// Returns its number.
    pub(super) fn push(&mut self, id: Option<u64>, peer: SocketAddr, data: &[u8]) -> u64 {
        self.pushed += 1;
        self.queue.push_back(Outgoing {
            id,
            number: self.pushed,
            peer,
            data: data.to_vec(),
        });
        self.pushed
    }

    /// Answers somebody who is not known, unless too many wait for that already.
    pub(super) fn answer(&mut self, peer: SocketAddr, data: &[u8]) {
        if self.queue.len() < STRANGERS {
            self.push(None, peer, data);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Outgoing> {
        self.queue.pop_front()
    }

    /// Whether everything up to this number has gone.
    pub(super) const fn has_gone(&self, number: u64) -> bool {
        self.gone >= number
    }
}
