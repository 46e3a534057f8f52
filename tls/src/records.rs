//! Where records begin and end in ciphertext.

use crate::reading::{LONGEST_RECORD, RECORD_HEADER};

/// How much of a handshake can come that is not protected, where memory is short: the hellos, of which rustls makes objects of up to ten
/// times their length.
const MOST_IN_CLEAR: usize = 4 * 1024;

/// The content type of a record that is protected (RFC 8446, 5.2).
const PROTECTED: u8 = 23;

/// How far the records have come of which the ciphertext consists.
#[derive(Debug)]
pub(crate) struct Records {
    /// How much of the next header.
    header: usize,
    /// How much of the record behind it is still to come.
    rest: usize,
    /// How much can still come that is not protected. `None`: a protected record has begun.
    in_clear: Option<usize>,
}

impl Records {
    pub(crate) const fn new() -> Self {
        Self {
            header: 0,
            rest: 0,
            in_clear: Some(MOST_IN_CLEAR),
        }
    }

    /// This has come.
    pub(crate) fn follow(&mut self, mut data: &[u8]) {
        while let [byte, others @ ..] = data {
            let count = if self.header == RECORD_HEADER {
                let count = self.rest.min(data.len());
                self.rest -= count;
                data = data.get(count..).unwrap_or_default();
                count
            } else {
                if self.header == 0 && *byte == PROTECTED {
                    self.in_clear = None;
                }
                self.header += 1;
                // The last two bytes are the length.
                self.rest = (self.rest << 8 | usize::from(*byte)) & 0xffff;
                data = others;
                1
            };
            self.in_clear = self.in_clear.map(|left| left.saturating_sub(count));
            if self.header == RECORD_HEADER && self.rest == 0 {
                self.header = 0;
            }
        }
    }

    /// How much is to be read at most, of which `usual` where it is not known how much will come. Once the length of a record is known it
    /// is that, and none is longer than it may be.
    pub(crate) fn next(&self, usual: usize) -> usize {
        let next = if self.header == RECORD_HEADER {
            self.rest.min(LONGEST_RECORD)
        } else {
            usual
        };
        next.min(self.in_clear.unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn a_read_asks_for_the_rest_of_a_record_however_it_comes() {
        let stream = [
            &[22, 3, 3, 1, 2][..],
            &[7; 258],
            &[23, 3, 3, 0, 1, 7],
            &[21, 3, 3, 0, 0],
        ];
        let stream = stream.concat();
        for step in 1..=stream.len() {
            let mut records = Records::new();
            let mut come = 0;
            for part in stream.chunks(step) {
                records.follow(part);
                come += part.len();
                let expected = match come {
                    5..263 => 263 - come,
                    268 => 1,
                    _ => 1000,
                };
                assert_eq!(records.next(1000), expected, "{come} in steps of {step}");
            }
        }
    }

    #[test]
    fn little_can_come_that_is_not_protected_and_then_no_record_is_longer_than_it_may_be() {
        let mut records = Records::new();
        records.follow(&[22, 3, 3, 0x40, 0]);
        let rest = MOST_IN_CLEAR - RECORD_HEADER;
        assert_eq!(records.next(100), rest);
        records.follow(&vec![0; rest - 1]);
        assert_eq!(records.next(100), 1);
        records.follow(&[0]);
        assert_eq!(records.next(100), 0, "the hello is too long");

        let mut records = Records::new();
        for _hello in 0..2 {
            records.follow(&[22, 3, 3, 3, 0xe8]);
            records.follow(&[0; 1000]);
        }
        assert_eq!(records.next(4096), MOST_IN_CLEAR - 2010);
        records.follow(&[23, 3, 3, 0xff, 0xff]);
        assert_eq!(records.next(100), LONGEST_RECORD);
    }
}
