//! Hellos whose clients have had a handler.

use alloc::collections::VecDeque;
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::HashSet;

/// How many are known. When there are more, the oldest is forgotten: all of them take less than a megabyte.
const PLACES: usize = 4096;

/// Whose it is, and the random that tells it from others.
pub(super) type Taken = (SocketAddr, [u8; 32]);

/// A hello comes twice if the network likes that, or if somebody has recorded it. As long as its cookie is good, it must begin nothing
/// again, although its client may be gone.
#[derive(Default)]
pub(super) struct TakenHellos {
    /// In the order of coming, each with the time until which it is known.
    order: VecDeque<(Duration, Taken)>,
    known: HashSet<Taken>,
}

impl TakenHellos {
    pub(super) fn add(&mut self, until: Duration, hello: Taken) {
        if !self.known.insert(hello) {
            return;
        }
        self.order.push_back((until, hello));
        if self.order.len() > PLACES {
            self.forget_first();
        }
    }

    pub(super) fn has(&mut self, now: Duration, hello: &Taken) -> bool {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.forget_first();
        }
        self.known.contains(hello)
    }

    fn forget_first(&mut self) {
        if let Some((_, hello)) = self.order.pop_front() {
            self.known.remove(&hello);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn hello(number: usize) -> Taken {
        let peer = SocketAddr::from(([192, 0, 2, 1], 4433));
        let mut random = [7; 32];
        random[..8].copy_from_slice(&number.to_be_bytes());
        (peer, random)
    }

    #[test]
    fn a_hello_is_known_until_its_time_is_over() {
        let mut taken = TakenHellos::default();
        taken.add(60 * SECOND, hello(1));
        taken.add(90 * SECOND, hello(2));
        taken.add(120 * SECOND, hello(2));
        let mut at = |seconds| [1, 2, 3].map(|number| taken.has(seconds * SECOND, &hello(number)));
        assert_eq!(at(59), [true, true, false]);
        assert_eq!(at(60), [false, true, false]);
        assert_eq!(at(90), [false; 3]);
        assert!(taken.order.is_empty() && taken.known.is_empty());
    }

    #[test]
    fn a_hello_is_of_one_address() {
        let mut taken = TakenHellos::default();
        let (_, random) = hello(1);
        taken.add(60 * SECOND, hello(1));
        let other = SocketAddr::from(([192, 0, 2, 1], 4434));
        assert!(!taken.has(SECOND, &(other, random)));
    }

    #[test]
    fn of_too_many_the_oldest_are_forgotten() {
        let mut taken = TakenHellos::default();
        (0..PLACES + 3).for_each(|number| taken.add(60 * SECOND, hello(number)));
        let known = (0..PLACES + 3).filter(|number| taken.has(SECOND, &hello(*number)));
        assert!(known.eq(3..PLACES + 3));
        assert_eq!((taken.order.len(), taken.known.len()), (PLACES, PLACES));
    }
}
