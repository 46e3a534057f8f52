//! What is in a channel: values, those who wait, and how many handles are open. No await, no lock, and nothing is woken or dropped here:
//! wakers and values that are over are returned, for what they do may lead back to the channel.

use core::task::Waker;

use super::ring::Ring;
use crate::waiters::{Place, Queue, Waiters};

/// A channel for `N` values, in which `W` can wait.
///
/// * Receivers wait only while there is no value, senders only while there is no room: so never both.
/// * A place is taken by who waits, by a value until the receiver that it was given to has it, and by a returned value.
/// * A value goes at once to whoever has waited longest. Nobody who comes later gets it, even before the waiting one is polled.
/// * Values that were given to a receiver who was dropped before taking them come before all others again.
pub(super) struct State<T, const N: usize, const W: usize> {
    values: Ring<T, N>,
    waiters: Waiters<T, W>,
    /// Senders who wait, each with its value. Whose value is taken is no longer there.
    sending: Queue,
    /// Receivers who wait. Who was given a value is no longer there.
    receiving: Queue,
    /// Values whose receivers are gone.
    returned: Queue,
    last_order: u32,
    /// Values that were given to receivers who have not taken them yet. If one of these goes, its value is another's.
    under_way: usize,
    pub(super) senders: usize,
    pub(super) receivers: usize,
    pub(super) most_buffered: usize,
}

/// Where a value waits to be sent, and its order: once it was sent, the place is another's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    place: Place,
    order: u32,
}

/// Why a value could not be sent at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotSent {
    /// There is no receiver.
    Broken,
    /// There is no room.
    Full,
}

/// What a receiver finds.
pub(super) enum Found<T> {
    /// The next value, and a sender whose value has now found room.
    Value(T, Option<Waker>),
    /// Nothing, for now.
    Nothing,
    /// Nothing, for ever.
    End,
}

impl<T, const N: usize, const W: usize> State<T, N, W> {
    pub(super) const fn new() -> Self {
        Self {
            values: Ring::new(),
            waiters: Waiters::new(),
            sending: Queue::new(),
            receiving: Queue::new(),
            returned: Queue::new(),
            last_order: 0,
            under_way: 0,
            senders: 0,
            receivers: 0,
            most_buffered: 0,
        }
    }

    /// Counts the first handles, if there are none and what those before have left is gone: values, and those who are still to hear
    /// that it is over.
    pub(super) const fn open(&mut self) -> bool {
        let is_unused = self.senders == 0 && self.receivers == 0;
        let is_empty = self.buffered() == 0 && self.sending.is_empty() && self.receiving.is_empty();
        let is_free = is_unused && is_empty;
        if is_free {
            (self.senders, self.receivers) = (1, 1);
            self.most_buffered = 0;
            self.under_way = 0;
        }
        is_free
    }

    pub(super) const fn buffered(&self) -> usize {
        self.values.len() + self.returned.len()
    }

    pub(super) const fn waiting_to_send(&self) -> usize {
        self.sending.len()
    }

    pub(super) const fn waiting_to_receive(&self) -> usize {
        self.receiving.len()
    }

    fn note_buffered(&mut self) {
        self.most_buffered = self.most_buffered.max(self.buffered());
    }

    const fn next_order(&mut self) -> u32 {
        self.last_order = self.last_order.wrapping_add(1);
        self.last_order
    }

    // ------------------------------------------------------------ sending

    /// Sends `value` if that is possible now, and returns a receiver to wake. Else the value comes back.
    #[inline]
    pub(super) fn send(&mut self, value: T) -> Result<Option<Waker>, (NotSent, T)> {
        if self.receivers == 0 {
            return Err((NotSent::Broken, value));
        }
        if let Some(place) = self.waiters.pop_front(&mut self.receiving) {
            let order = self.next_order();
            return Ok(self.give(place, value, order));
        }
        match self.values.push(value) {
            Ok(()) => {
                self.note_buffered();
                Ok(None)
            }
            Err(value) => Err((NotSent::Full, value)),
        }
    }

    fn give(&mut self, place: Place, value: T, order: u32) -> Option<Waker> {
        self.under_way += 1;
        self.waiters.put_value(place, value, order);
        self.waiters.take_waker(place)
    }

    /// Has `value` wait for room. It comes back if nobody more can wait.
    pub(super) fn wait_to_send(&mut self, value: T, waker: &Waker) -> Result<Ticket, T> {
        let Some(place) = self.waiters.take_place() else {
            return Err(value);
        };
        let order = self.next_order();
        self.waiters.put_value(place, value, order);
        let _none = self.waiters.put_waker(place, waker);
        self.waiters.push_back(&mut self.sending, place);
        Ok(Ticket { place, order })
    }

    /// Whether the value that waits there is still there.
    fn is_there(&self, ticket: Ticket) -> bool {
        self.waiters.has_value(ticket.place) && self.waiters.order(ticket.place) == ticket.order
    }

    /// Goes on to wait for room, with this waker, and returns the one before; if the value is still there, and anybody may receive it.
    #[must_use]
    pub(super) fn wait_on(&mut self, ticket: Ticket, waker: &Waker) -> Option<Option<Waker>> {
        let waits = self.is_there(ticket) && self.receivers > 0;
        waits.then(|| self.waiters.put_waker(ticket.place, waker))
    }

    /// Gives up to wait, or to hear that it is over. Returns the value, if it was not sent, and the last waker.
    pub(super) fn stop_sending(&mut self, ticket: Ticket) -> (Option<T>, Option<Waker>) {
        if !self.is_there(ticket) {
            return (None, None);
        }
        self.waiters.remove(&mut self.sending, ticket.place);
        self.waiters.free_place(ticket.place)
    }

    /// Takes the next sender out of the queue, to tell it that there is nobody to send to. None if there is.
    pub(super) fn dismiss_sender(&mut self) -> Option<Option<Waker>> {
        if self.receivers > 0 {
            return None;
        }
        let place = self.waiters.pop_front(&mut self.sending)?;
        Some(self.waiters.take_waker(place))
    }

    // ------------------------------------------------------------ receiving

    /// Whether no value will come any more, of all that could.
    pub(super) const fn is_over(&self) -> bool {
        self.senders == 0 && self.under_way == 0
    }

    /// Takes the next value.
    #[inline]
    pub(super) fn receive(&mut self) -> Found<T> {
        if !self.returned.is_empty()
            && let Some(value) = self.take_returned()
        {
            return Found::Value(value, None);
        }
        let value = self.values.pop();
        if self.sending.is_empty() {
            return match value {
                Some(value) => Found::Value(value, None),
                None if self.is_over() => Found::End,
                None => Found::Nothing,
            };
        }
        self.receive_from_waiting(value)
    }

    /// Takes the value that is returned first. Its place is free then.
    fn take_returned(&mut self) -> Option<T> {
        let place = self.waiters.pop_front(&mut self.returned)?;
        self.waiters.free_place(place).0
    }

    /// The same, where somebody waits for the room of `value`, or to hand over its own if there is no room at all.
    fn receive_from_waiting(&mut self, value: Option<T>) -> Found<T> {
        let Some(place) = self.waiters.pop_front(&mut self.sending) else {
            return value.map_or(Found::Nothing, |value| Found::Value(value, None));
        };
        let (next, waker) = self.waiters.free_place(place);
        match (value, next) {
            (Some(value), Some(next)) => {
                // There is room now, so nothing comes back.
                let _full = self.values.push(next);
                Found::Value(value, waker)
            }
            (Some(value), None) | (None, Some(value)) => Found::Value(value, waker),
            (None, None) => Found::Nothing,
        }
    }

    /// Waits for a value.
    pub(super) fn wait_to_receive(&mut self, waker: &Waker) -> Option<Place> {
        let place = self.waiters.take_place()?;
        let _none = self.waiters.put_waker(place, waker);
        self.waiters.push_back(&mut self.receiving, place);
        Some(place)
    }

    /// Takes the value that whoever waits there was given, if it was. The place is free then.
    pub(super) fn take_given(&mut self, place: Place) -> Option<T> {
        let value = self.waiters.take_value(place)?;
        let _none = self.waiters.free_place(place);
        self.under_way -= 1;
        Some(value)
    }

    /// Goes on to wait for a value, with this waker, and returns the one before.
    #[must_use]
    pub(super) fn wait_for_value(&mut self, place: Place, waker: &Waker) -> Option<Waker> {
        self.waiters.put_waker(place, waker)
    }

    /// Gives up to wait. A value that was given meanwhile goes to the next receiver, who is returned to be woken, with the last waker.
    pub(super) fn stop_receiving(&mut self, place: Place) -> [Option<Waker>; 2] {
        self.waiters.remove(&mut self.receiving, place);
        if !self.waiters.has_value(place) {
            let (_none, waker) = self.waiters.free_place(place);
            return [waker, None];
        }
        self.under_way -= 1;
        let waker = self.waiters.take_waker(place);
        let Some(next) = self.waiters.pop_front(&mut self.receiving) else {
            self.waiters.push_in_order(&mut self.returned, place);
            self.note_buffered();
            return [waker, None];
        };
        let order = self.waiters.order(place);
        let (value, _none) = self.waiters.free_place(place);
        [waker, value.and_then(|value| self.give(next, value, order))]
    }

    /// Takes the next receiver out of the queue, to tell it that nothing will come. None if something may.
    pub(super) fn dismiss_receiver(&mut self) -> Option<Option<Waker>> {
        if !self.is_over() {
            return None;
        }
        let place = self.waiters.pop_front(&mut self.receiving)?;
        Some(self.waiters.take_waker(place))
    }

    /// Takes a value that nobody will receive. None if somebody may.
    pub(super) fn discard(&mut self) -> Option<T> {
        if self.receivers > 0 {
            return None;
        }
        self.take_returned().or_else(|| self.values.pop())
    }
}
