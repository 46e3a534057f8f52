//! Datagrams that are to be sent.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;

/// How many answers to strangers wait at most.
const STRANGERS: usize = 64;
/// How many buffers of datagrams that have gone are kept for the next ones.
const SPARE: usize = 4;
/// How many datagrams of one association may wait: a flight of the handshake, and one that repeats it.
const OF_ONE: usize = 128;
/// How many close_notify datagrams of dropped channels may wait.
const GOODBYES: usize = 64;

pub(super) struct Outgoing {
    /// Whose association it is of.
    pub(super) id: Option<u64>,
    pub(super) number: u64,
    pub(super) peer: SocketAddr,
    pub(super) data: Vec<u8>,
    /// It goes out although its association is gone.
    is_goodbye: bool,
}

/// What waits of one association.
struct OfOne {
    count: usize,
    /// The number of the last.
    last: u64,
}

/// They are numbered, so that who waits for one knows when it has gone.
#[derive(Default)]
pub(super) struct Outbox {
    queue: VecDeque<Outgoing>,
    spare: Vec<Vec<u8>>,
    /// How many there are of each association that has had any.
    of_each: BTreeMap<u64, OfOne>,
    /// How many goodbyes there are of those that are gone.
    goodbyes: usize,
    /// How many were too many.
    pub(super) dropped: u64,
    pushed: u64,
    /// How many have gone, or failed.
    pub(super) gone: u64,
}

impl Outbox {
    /// Returns its number. If too many of the same association wait already, it is dropped, as on its way; the number is that of the last of them then.
    pub(super) fn push(&mut self, id: Option<u64>, peer: SocketAddr, data: &[u8]) -> u64 {
        if let Some(id) = id {
            let last = self.pushed + 1;
            let waiting = self.of_each.entry(id).or_insert(OfOne { count: 0, last });
            if waiting.count >= OF_ONE {
                self.dropped += 1;
                return waiting.last;
            }
            (waiting.count, waiting.last) = (waiting.count + 1, last);
        }
        self.pushed += 1;
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.extend_from_slice(data);
        self.queue.push_back(Outgoing {
            id,
            number: self.pushed,
            peer,
            data: copy,
            is_goodbye: false,
        });
        self.pushed
    }

    /// This one goes out, if it has not gone, although nobody waits for it.
    pub(super) fn keep(&mut self, number: u64) {
        let waiting = self.queue.iter_mut().rev();
        let kept = waiting
            .take_while(|next| next.number >= number)
            .find(|next| next.number == number);
        if let Some(kept) = kept {
            kept.is_goodbye = true;
        }
    }

    /// Drops what waits of an association that is gone, as on its way, but for its goodbye: unless `keeps_all`, few of those wait.
    pub(super) fn forget(&mut self, id: u64, keeps_all: bool) {
        let waiting = self.of_each.remove(&id);
        if waiting.is_none_or(|waiting| waiting.count == 0) {
            return;
        }
        let before = self.queue.len();
        self.queue.retain_mut(|next| {
            if next.id != Some(id) {
                return true;
            }
            let keeps = next.is_goodbye && (keeps_all || self.goodbyes < GOODBYES);
            self.goodbyes += usize::from(keeps);
            next.id = None;
            keeps
        });
        self.dropped += u64::try_from(before - self.queue.len()).unwrap_or_default();
    }

    /// Answers somebody who is not known, unless too many wait for that already: returns whether it does.
    pub(super) fn answer(&mut self, peer: SocketAddr, data: &[u8]) -> bool {
        let has_room = self.queue.len() < STRANGERS;
        if has_room {
            self.push(None, peer, data);
        }
        has_room
    }

    pub(super) fn pop(&mut self) -> Option<Outgoing> {
        let next = self.queue.pop_front()?;
        match next.id {
            Some(id) => {
                if let Some(waiting) = self.of_each.get_mut(&id) {
                    waiting.count -= 1;
                }
            }
            None => self.goodbyes -= usize::from(next.is_goodbye),
        }
        Some(next)
    }

    /// It has gone, or failed, and its buffer is free.
    pub(super) fn recycle(&mut self, mut gone: Vec<u8>) {
        if self.spare.len() < SPARE {
            gone.clear();
            self.spare.push(gone);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether everything up to this number has gone.
    pub(super) const fn has_gone(&self, number: u64) -> bool {
        self.gone >= number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], 4433))
    }

    #[test]
    fn what_goes_out_is_numbered_in_the_order_of_coming() {
        let mut out = Outbox::default();
        let numbers = [Some(7), None, Some(8)].map(|id| out.push(id, peer(), b"data"));
        assert_eq!(numbers, [1, 2, 3]);
        let next = core::iter::from_fn(|| out.pop());
        let next: Vec<_> = next.map(|next| (next.id, next.number)).collect();
        assert_eq!(next, [(Some(7), 1), (None, 2), (Some(8), 3)]);
        (1..=3).for_each(|number| {
            assert!(!out.has_gone(number));
            out.gone = number;
            assert!(out.has_gone(number));
        });
    }

    #[test]
    fn an_association_has_so_many_datagrams_waiting_and_takes_no_room_from_others() {
        let mut out = Outbox::default();
        let last = (0..1000).map(|_| out.push(Some(7), peer(), b"data")).last();
        assert_eq!((last, out.dropped), (Some(128), 1000 - 128));
        assert_eq!(out.push(Some(8), peer(), b"data"), 129);
        // As soon as one is gone there is room again.
        assert_eq!(out.pop().map(|next| next.number), Some(1));
        assert_eq!(out.push(Some(7), peer(), b"data"), 130);
        assert_eq!(out.push(Some(8), peer(), b"data"), 131);
        // What is dropped has gone with the last one that is of the same.
        assert_eq!(out.push(Some(7), peer(), b"data"), 130);
        assert_eq!(core::iter::from_fn(|| out.pop()).count(), 130);
        out.forget(7, false);
        out.forget(8, false);
        assert!(out.of_each.is_empty());
    }

    #[test]
    fn of_those_that_are_gone_nothing_waits_but_few_goodbyes() {
        let mut out = Outbox::default();
        for id in 0..1000 {
            out.push(Some(id), peer(), b"data");
            let goodbye = out.push(Some(id), peer(), b"goodbye");
            out.keep(goodbye);
            out.push(Some(2000), peer(), b"data");
            out.forget(id, false);
        }
        assert_eq!((out.len(), out.dropped), (64 + 128, 1000 + 936 + 872));
        out.forget(2000, false);
        assert!(out.of_each.is_empty());
        assert_eq!(out.len(), 64);
        // One that has gone is kept nowhere.
        out.keep(1);
        out.keep(u64::MAX);
        // As soon as one is gone there is room again, and more than that for those that are told the end together.
        let said = out.pop().expect("a goodbye");
        assert_eq!((said.id, &*said.data), (None, &b"goodbye"[..]));
        for (id, expected) in (1..=3).zip([64, 64, 65]) {
            let goodbye = out.push(Some(id), peer(), b"goodbye");
            out.keep(goodbye);
            out.forget(id, id == 3);
            assert_eq!(out.len(), expected);
        }
        while out.pop().is_some() {}
        assert_eq!((out.goodbyes, out.of_each.len()), (0, 0));
    }

    #[test]
    fn answers_to_strangers_wait_only_where_few_do() {
        let mut out = Outbox::default();
        let answered = (0..1000).filter(|_| out.answer(peer(), b"who?"));
        assert_eq!(answered.count(), STRANGERS);
        assert_eq!(core::iter::from_fn(|| out.pop()).count(), STRANGERS);
        assert!(out.answer(peer(), b"who?"));
        assert!(out.pop().is_some());
    }
}
