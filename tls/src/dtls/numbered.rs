//! Few things, each with a number.

use alloc::collections::VecDeque;
use core::mem;
use core::task::Waker;

/// A map by numbers, of which a new one is mostly the highest, and the lowest goes first. It keeps its memory.
pub(super) struct Numbered<T>(VecDeque<(u64, T)>);

impl<T> Numbered<T> {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Where it is, or would be.
    fn place(&self, number: u64) -> Result<usize, usize> {
        match self.0.back() {
            Some((last, _)) if number < *last => {
                self.0.binary_search_by_key(&number, |(known, _)| *known)
            }
            Some((last, _)) if number == *last => Ok(self.0.len() - 1),
            _ => Err(self.0.len()),
        }
    }

    /// Returns what had this number before.
    pub(super) fn insert(&mut self, number: u64, value: T) -> Option<T> {
        match self.place(number) {
            Ok(place) => {
                let known = self.0.get_mut(place);
                known.map(|(_, known)| mem::replace(known, value))
            }
            Err(place) => {
                self.0.insert(place, (number, value));
                None
            }
        }
    }

    pub(super) fn get(&self, number: u64) -> Option<&T> {
        let place = self.place(number).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let place = self.place(number).ok()?;
        self.0.get_mut(place).map(|(_, value)| value)
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<T> {
        let place = self.place(number).ok()?;
        self.0.remove(place).map(|(_, value)| value)
    }

    /// Leaves none.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = T> {
        self.0.drain(..).map(|(_, value)| value)
    }

    /// The one with the lowest number from this one on.
    pub(super) fn first_from(&self, number: u64) -> Option<(u64, &T)> {
        let place = self.place(number).unwrap_or_else(|place| place);
        self.0.get(place).map(|(number, value)| (*number, value))
    }
}

impl Numbered<Waker> {
    /// Has `waker` woken under this number. Returns one that it replaces.
    pub(super) fn wait(&mut self, number: u64, waker: &Waker) -> Option<Waker> {
        match self.get_mut(number) {
            Some(known) if known.will_wake(waker) => None,
            _ => self.insert(number, waker.clone()),
        }
    }
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;
    use alloc::task::Wake;
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn things_are_found_by_number_in_whatever_order_they_came() {
        let mut numbered = Numbered::new();
        for number in [3, 1, 7, 5] {
            assert_eq!(numbered.insert(number, number * 10), None);
        }
        assert_eq!(numbered.insert(7, 71), Some(70));
        assert_eq!(numbered.get_mut(7), Some(&mut 71));
        assert_eq!((numbered.get(4), numbered.get(5)), (None, Some(&50)));
        for (from, first) in [(0, Some(1)), (2, Some(3)), (3, Some(3)), (8, None)] {
            assert_eq!(numbered.first_from(from).map(|(number, _)| number), first);
        }
        assert_eq!((numbered.remove(3), numbered.remove(3)), (Some(30), None));
        assert_eq!(numbered.drain().collect::<Vec<_>>(), [10, 50, 71]);
        assert_eq!(numbered.first_from(0), None);
    }

    struct Nobody;

    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn a_waker_replaces_another_and_not_itself() {
        let [one, other] = [(); 2].map(|()| Waker::from(Arc::new(Nobody)));
        let mut waiting = Numbered::new();
        assert!(waiting.wait(1, &one).is_none());
        assert!(waiting.wait(1, &one).is_none());
        assert!(waiting.wait(2, &other).is_none());
        let replaced = waiting.wait(1, &other);
        assert!(replaced.is_some_and(|replaced| replaced.will_wake(&one)));
        assert!(waiting.drain().all(|waker| waker.will_wake(&other)));
    }
}
