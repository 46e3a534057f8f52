//! Reading as much as comes, and where memory is short no more than is needed.

use crate::memory::IS_AMPLE;
use crate::reading::{FIRST_READ, Reading};
use crate::records::Records;

/// How much ciphertext a read asks for after the handshake, at least. It doubles when the transport fills it, and goes back by half
/// when the transport brings less than a quarter. A connection that is idle waits with a buffer of that size.
const LEAST_READ: usize = 128;

/// How much ciphertext a read asks for at most. Where memory is short, more is asked for only when it is known to be the rest of a record.
const MOST_READ: usize = if IS_AMPLE { 80 * 1024 } else { 2 * 1024 };

/// As much as came lately; and where memory is short, no more than a record needs whose length is known.
#[expect(unnameable_types, reason = "engines are sealed")]
#[derive(Debug)]
pub struct Adaptive {
    usual: usize,
    records: Records,
}

impl Default for Adaptive {
    fn default() -> Self {
        Self {
            usual: FIRST_READ,
            records: Records::new(),
        }
    }
}

impl Reading for Adaptive {
    fn read_less(&mut self) {
        self.usual = LEAST_READ;
    }

    fn usual(&self) -> usize {
        self.usual
    }

    fn next(&self, waiting: usize) -> usize {
        let usual = self.usual.saturating_sub(waiting).max(LEAST_READ);
        if IS_AMPLE {
            usual
        } else {
            self.records.next(usual)
        }
    }

    fn came(&mut self, data: &[u8], waiting: usize) {
        self.came_otherwise(data);
        if waiting >= self.usual {
            self.usual = MOST_READ.min(self.usual * 2);
        } else if waiting < self.usual / 4 {
            self.usual = LEAST_READ.max(self.usual / 2);
        }
    }

    fn came_otherwise(&mut self, data: &[u8]) {
        if !IS_AMPLE {
            self.records.follow(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_become_as_long_as_what_comes_and_short_again() {
        let mut reading = Adaptive::default();
        reading.read_less();
        // As much as one likes can come behind a protected record only: here records without data.
        reading.came_otherwise(&[23, 3, 3, 0, 0]);
        let mut read = |count: usize| {
            let asked = reading.next(0);
            let came = [0; MOST_READ];
            reading.came(&came[..count.min(asked)], count.min(asked));
            asked
        };
        let mut expected = LEAST_READ;
        for _ in 0..20 {
            assert_eq!(read(MOST_READ), expected);
            expected = MOST_READ.min(2 * expected);
        }
        assert_eq!(expected, MOST_READ);
        for _ in 0..20 {
            assert_eq!(read(5), expected);
            expected = LEAST_READ.max(expected / 2);
        }
        assert_eq!(expected, LEAST_READ);
    }
}
