//! Those who wait, in the order in which they came, in a fixed number of places.

use core::mem::replace;
use core::task::Waker;

/// Where somebody waits.
pub(crate) type Place = u16;

/// No place.
const NONE: Place = Place::MAX;

/// `W` places for those who wait. A place is free, or in a queue, or held by somebody without being in one.
pub(crate) struct Waiters<T, const W: usize> {
    places: [Waiter<T>; W],
    /// The first of the free places, linked by `next`.
    free: Place,
    /// How many places were ever used. Those behind are free too.
    used: Place,
}

struct Waiter<T> {
    value: Option<T>,
    waker: Option<Waker>,
    /// When it was given its value, among those of its queue.
    order: u32,
    is_queued: bool,
    next: Place,
    previous: Place,
}

/// A queue of places.
#[derive(Debug)]
pub(crate) struct Queue {
    first: Place,
    last: Place,
    length: usize,
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Self {
            first: NONE,
            last: NONE,
            length: 0,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.length
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl<T, const W: usize> Waiters<T, W> {
    const FIT: () = assert!(W < NONE as usize, "more places than numbers for them");

    pub(crate) const fn new() -> Self {
        let () = Self::FIT;
        Self {
            places: [const { Waiter::new() }; W],
            free: NONE,
            used: 0,
        }
    }

    fn at(&mut self, place: Place) -> Option<&mut Waiter<T>> {
        self.places.get_mut(usize::from(place))
    }

    // ------------------------------------------------------------ places

    /// Takes a free place, outside of all queues.
    pub(crate) fn take_place(&mut self) -> Option<Place> {
        let place = self.free;
        if let Some(waiter) = self.at(place) {
            let next = waiter.next;
            self.free = next;
            return Some(place);
        }
        let place = self.used;
        self.at(place)?;
        self.used += 1;
        Some(place)
    }

    /// Gives a place back that is in no queue. Returns what was left in it.
    pub(crate) fn free_place(&mut self, place: Place) -> (Option<T>, Option<Waker>) {
        let free = self.free;
        let Some(waiter) = self.at(place) else {
            return (None, None);
        };
        waiter.next = free;
        let left = (waiter.value.take(), waiter.waker.take());
        self.free = place;
        left
    }

    pub(crate) fn has_value(&self, place: Place) -> bool {
        let waiter = self.places.get(usize::from(place));
        waiter.is_some_and(|waiter| waiter.value.is_some())
    }

    /// The order that its value was given with.
    pub(crate) fn order(&self, place: Place) -> u32 {
        let waiter = self.places.get(usize::from(place));
        waiter.map_or(0, |waiter| waiter.order)
    }

    pub(crate) fn put_value(&mut self, place: Place, value: T, order: u32) {
        if let Some(waiter) = self.at(place) {
            (waiter.value, waiter.order) = (Some(value), order);
        }
    }

    pub(crate) fn take_value(&mut self, place: Place) -> Option<T> {
        self.at(place)?.value.take()
    }

    pub(crate) fn take_waker(&mut self, place: Place) -> Option<Waker> {
        self.at(place)?.waker.take()
    }

    /// Has `waker` woken from now on. Returns the one before, to be dropped where that may do anything.
    #[must_use]
    pub(crate) fn put_waker(&mut self, place: Place, waker: &Waker) -> Option<Waker> {
        let known = &mut self.at(place)?.waker;
        match known {
            Some(known) if known.will_wake(waker) => None,
            known => known.replace(waker.clone()),
        }
    }

    // ------------------------------------------------------------ queues

    pub(crate) fn is_queued(&self, place: Place) -> bool {
        let waiter = self.places.get(usize::from(place));
        waiter.is_some_and(|waiter| waiter.is_queued)
    }

    pub(crate) fn push_back(&mut self, queue: &mut Queue, place: Place) {
        self.insert_behind(queue, queue.last, place);
    }

    /// Puts `place` in front of those that were given their values after it.
    pub(crate) fn push_in_order(&mut self, queue: &mut Queue, place: Place) {
        let order = self.order(place);
        let mut previous = queue.last;
        while let Some(waiter) = self.at(previous)
            && waiter.order.wrapping_sub(order).cast_signed() > 0
        {
            previous = waiter.previous;
        }
        self.insert_behind(queue, previous, place);
    }

    /// Puts `place` behind `previous`, or in front of all if that is none.
    fn insert_behind(&mut self, queue: &mut Queue, previous: Place, place: Place) {
        let next = match self.at(previous) {
            Some(waiter) => replace(&mut waiter.next, place),
            None => replace(&mut queue.first, place),
        };
        match self.at(next) {
            Some(waiter) => waiter.previous = place,
            None => queue.last = place,
        }
        if let Some(waiter) = self.at(place) {
            (waiter.previous, waiter.next) = (previous, next);
            waiter.is_queued = true;
        }
        queue.length += 1;
    }

    /// Takes `place` out of the queue, if it is still there.
    pub(crate) fn remove(&mut self, queue: &mut Queue, place: Place) {
        let Some(waiter) = self.at(place) else { return };
        if !replace(&mut waiter.is_queued, false) {
            return;
        }
        let (previous, next) = (waiter.previous, waiter.next);
        match self.at(previous) {
            Some(waiter) => waiter.next = next,
            None => queue.first = next,
        }
        match self.at(next) {
            Some(waiter) => waiter.previous = previous,
            None => queue.last = previous,
        }
        queue.length -= 1;
    }

    pub(crate) fn pop_front(&mut self, queue: &mut Queue) -> Option<Place> {
        let place = queue.first;
        self.at(place)?;
        self.remove(queue, place);
        Some(place)
    }
}

impl<T> Waiter<T> {
    const fn new() -> Self {
        Self {
            value: None,
            waker: None,
            order: 0,
            is_queued: false,
            next: NONE,
            previous: NONE,
        }
    }
}
