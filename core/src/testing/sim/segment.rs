//! What is on its way between the ends of a connection, and what becomes of it.

use alloc::vec::Vec;
use core::time::Duration;

use super::connection::{ACCEPTOR, Connection, OPENER};
use super::link::retry;
use super::world::{Due, HostId, World};
use super::{SimError, SimEventKind};

/// How long an end tries to reach the other.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Segment {
    pub(super) what: What,
    pub(super) sent: Duration,
    due: Duration,
    tries: u32,
}

pub(super) enum What {
    /// The opener wants to connect.
    Open,
    /// The acceptor's side has heard of it.
    Accept,
    Data(Vec<u8>),
    /// So many bytes were received.
    Room(usize),
    End,
    Reset(SimError),
}

impl World {
    /// Sends a segment on its way, behind those that are.
    pub(super) fn send(&mut self, id: u64, side: usize, what: What) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let (from, to) = connection.addresses(side);
        let hosts = (connection.end(side).host, connection.end(1 - side).host);
        let (delay, losses) = match hosts {
            (Some(a), Some(b)) => self.link(a, b).segment(&mut self.random),
            _ => (Duration::ZERO, 0),
        };
        if losses > 0 {
            self.note(from, to, SimEventKind::Delayed(losses));
        }
        let now = self.now;
        let Some(end) = self.end(id, side) else {
            return;
        };
        let before = end.segments.back().map_or(Duration::ZERO, |last| last.due);
        let due = (now + delay).max(before);
        end.segments.push_back(Segment {
            what,
            sent: now,
            due,
            tries: 0,
        });
        self.plan_first(id, side);
    }

    /// Puts the first segment of this end on the agenda, if it is not there.
    fn plan_first(&mut self, id: u64, side: usize) {
        let Some(end) = self.end(id, side) else {
            return;
        };
        let Some(due) = end.segments.front().map(|first| first.due) else {
            return;
        };
        if end.planned.is_none_or(|planned| due < planned) {
            end.planned = Some(due);
            self.plan(due, Due::Segment(id, side));
        }
    }

    /// The first segment of this end arrives, or is tried again.
    pub(super) fn segment_due(&mut self, id: u64, side: usize) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let hosts = (connection.end(side).host, connection.end(1 - side).host);
        let reachable = matches!(hosts, (Some(a), Some(b)) if !self.is_cut(a, b));
        let now = self.now;
        let Some(end) = self.end(id, side) else {
            return;
        };
        end.planned = end.planned.filter(|planned| *planned > now);
        // What was planned may have been taken back.
        let Some(segment) = end.segments.pop_front_if(|first| first.due <= now) else {
            return self.plan_first(id, side);
        };
        let must_wait = matches!(segment.what, What::Open) && self.backlog_is_full(id);
        if reachable && !must_wait {
            self.arrive(id, side, segment.what);
            self.plan_first(id, side);
        } else {
            self.try_again(id, side, segment);
        }
        self.forget_if_over(id);
    }

    /// Keeps a segment that did not get through, for a while.
    fn try_again(&mut self, id: u64, side: usize, mut segment: Segment) {
        let now = self.now;
        let Some(end) = self.end(id, side) else {
            return;
        };
        segment.due = now + retry(segment.tries);
        segment.tries += 1;
        end.segments.push_front(segment);
        match end.unheard_since() {
            // An end that only listens does not try: it waits for the link to be mended.
            None => {}
            Some(since) if now.saturating_sub(since) < PATIENCE => self.plan_first(id, side),
            Some(_) => {
                if let Some(connection) = self.connections.get(&id) {
                    let (from, to) = connection.addresses(side);
                    self.note(from, to, SimEventKind::TimedOut);
                }
                self.fail(id, side, SimError::TimedOut);
            }
        }
    }

    /// A link that was cut is there again: who waited for it goes on.
    pub(super) fn go_on(&mut self) {
        let ids: Vec<u64> = self.connections.keys().copied().collect();
        for id in ids {
            self.plan_first(id, OPENER);
            self.plan_first(id, ACCEPTOR);
        }
    }

    /// A segment of `side` has reached the other.
    fn arrive(&mut self, id: u64, side: usize, what: What) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let (from, to) = connection.addresses(side);
        let other = 1 - side;
        match what {
            What::Open => match self.enqueue(id) {
                true => {
                    self.note(from, to, SimEventKind::Opened);
                    if let Some(end) = self.end(id, other) {
                        (end.held, end.established) = (true, true);
                    }
                    self.send(id, other, What::Accept);
                }
                false => {
                    self.note(from, to, SimEventKind::Refused);
                    self.send(id, other, What::Reset(SimError::Refused));
                }
            },
            What::Accept => {
                let waker = self.end(id, other).and_then(|end| {
                    end.established = true;
                    end.sender.take()
                });
                self.wake(waker);
            }
            What::Data(data) => {
                self.note(from, to, SimEventKind::Arrived(data.len()));
                let Some(end) = self.end(id, other) else {
                    return;
                };
                // Nobody wants it any more, and the sender has to know, once.
                if end.broken.is_some() || !end.held {
                    self.send_reset(id, other);
                    return;
                }
                end.arrived.extend(data);
                let waker = end.receiver.take();
                self.wake(waker);
            }
            What::Room(count) => {
                let waker = self.end(id, other).and_then(|end| {
                    end.in_flight = end.in_flight.saturating_sub(count);
                    end.sender.take()
                });
                self.wake(waker);
            }
            What::End => {
                self.note(from, to, SimEventKind::Ended);
                let waker = self.end(id, other).and_then(|end| {
                    end.peer_ended = true;
                    end.receiver.take()
                });
                self.wake(waker);
            }
            What::Reset(error) => {
                if error == SimError::Reset {
                    self.note(from, to, SimEventKind::Reset);
                }
                self.fail(id, other, error);
            }
        }
    }

    pub(super) fn send_reset(&mut self, id: u64, side: usize) {
        if let Some(end) = self.end(id, side)
            && !core::mem::replace(&mut end.has_reset, true)
        {
            end.broken.get_or_insert(SimError::Reset);
            self.send(id, side, What::Reset(SimError::Reset));
        }
    }

    /// This end knows that the connection is over.
    fn fail(&mut self, id: u64, side: usize, error: SimError) {
        let Some(end) = self.end(id, side) else {
            return;
        };
        end.broken.get_or_insert(error);
        end.segments.clear();
        let wakers = [end.sender.take(), end.receiver.take()];
        wakers.into_iter().for_each(|waker| self.wake(waker));
    }

    /// Cuts off every connection between two hosts, for both ends at once.
    pub(super) fn reset(&mut self, a: HostId, b: HostId) {
        let between = |connection: &Connection| {
            let hosts = (connection.end(OPENER).host, connection.end(ACCEPTOR).host);
            hosts == (Some(a), Some(b)) || hosts == (Some(b), Some(a))
        };
        let found = self
            .connections
            .iter()
            .filter(|(_, connection)| between(connection));
        let ids: Vec<u64> = found.map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(connection) = self.connections.get(&id) {
                let (from, to) = connection.addresses(OPENER);
                self.note(from, to, SimEventKind::Reset);
            }
            self.fail(id, OPENER, SimError::Reset);
            self.fail(id, ACCEPTOR, SimError::Reset);
            self.forget_if_over(id);
        }
    }
}
