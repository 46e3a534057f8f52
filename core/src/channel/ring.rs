//! The values that wait, in the order in which they came.

/// Up to `N` values, the oldest first. `N` may be 0.
pub(super) struct Ring<T, const N: usize> {
    slots: [Option<T>; N],
    /// Where the oldest value is.
    first: usize,
    length: usize,
}

impl<T, const N: usize> Ring<T, N> {
    pub(super) const fn new() -> Self {
        Self {
            slots: [const { None }; N],
            first: 0,
            length: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.length
    }

    /// Puts `value` behind the others, or gives it back.
    #[inline]
    pub(super) fn push(&mut self, value: T) -> Result<(), T> {
        if self.length == N {
            return Err(value);
        }
        let mut end = self.first + self.length;
        if end >= N {
            end -= N;
        }
        match self.slots.get_mut(end) {
            Some(slot) => *slot = Some(value),
            None => return Err(value),
        }
        self.length += 1;
        Ok(())
    }

    /// Takes the oldest one.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        let value = self.slots.get_mut(self.first)?.take()?;
        self.first += 1;
        if self.first == N {
            self.first = 0;
        }
        self.length -= 1;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_out_in_the_order_in_which_they_went_in() {
        let mut ring = Ring::<u32, 3>::new();
        for round in 0..5 {
            for value in 0..3 {
                assert_eq!(ring.push(10 * round + value), Ok(()));
            }
            assert_eq!((ring.push(99), ring.len()), (Err(99), 3));
            assert_eq!(ring.pop(), Some(10 * round));
            assert_eq!(ring.push(10 * round + 3), Ok(()));
            for value in 1..4 {
                assert_eq!(ring.pop(), Some(10 * round + value));
            }
            assert_eq!((ring.pop(), ring.len()), (None, 0));
            assert_eq!(ring.push(0), Ok(())); // the next round begins elsewhere
            assert_eq!(ring.pop(), Some(0));
        }
    }

    #[test]
    fn a_ring_without_slots_is_full_and_empty() {
        let mut ring = Ring::<u32, 0>::new();
        assert_eq!((ring.push(1), ring.pop(), ring.len()), (Err(1), None, 0));
    }
}
