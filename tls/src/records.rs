//! Where records begin and end in ciphertext.

use crate::reading::{LONGEST_RECORD, RECORD_HEADER};

/// How much of a handshake can come that is not protected, where memory is short: the hellos, of which rustls makes objects of more than ten
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
    is_protected: bool,
    /// How much can still come in records that are not protected.
    in_clear: usize,
}

impl Records {
    pub(crate) const fn new() -> Self {
        Self {
            header: 0,
            rest: 0,
            is_protected: false,
            in_clear: MOST_IN_CLEAR,
        }
    }

    /// The handshake is done: what is not protected is no longer understood.
    pub(crate) const fn lift_limit(&mut self) {
        self.in_clear = usize::MAX;
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
                if self.header == 0 {
                    self.is_protected = *byte == PROTECTED;
                }
                self.header += 1;
                // The last two bytes are the length.
                self.rest = (self.rest << 8 | usize::from(*byte)) & 0xffff;
                data = others;
                1
            };
            if !self.is_protected {
                self.in_clear = self.in_clear.saturating_sub(count);
            }
            if self.header == RECORD_HEADER && self.rest == 0 {
                self.header = 0;
            }
        }
    }

    /// How much is to be read at most, of which `usual` where it is not known how much will come. Once the length of a record is known it
    /// is that, and none is longer than it may be. As long as there is a limit, no read goes from a protected record into one that is not.
    pub(crate) fn next(&self, usual: usize) -> usize {
        let is_limited = self.in_clear <= MOST_IN_CLEAR;
        let next = match self.header {
            // It may be the first byte of a protected record, when nothing else can come any more.
            0 => return usual.min(self.in_clear.max(1)),
            RECORD_HEADER => self.rest.min(LONGEST_RECORD),
            _ if is_limited && self.is_protected => return RECORD_HEADER - self.header,
            _ => usual,
        };
        if self.is_protected {
            next
        } else {
            next.min(self.in_clear)
        }
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
                    5..=262 => 263 - come,
                    264..=267 => 268 - come,
                    268 => 1,
                    _ => 1000,
                };
                assert_eq!(records.next(1000), expected, "{come} in steps of {step}");
            }
        }
    }

    #[test]
    fn little_can_come_that_is_not_protected() {
        let mut records = Records::new();
        records.follow(&[22, 3, 3, 0x40, 0]);
        let rest = MOST_IN_CLEAR - RECORD_HEADER;
        assert_eq!(records.next(100), rest);
        records.follow(&vec![0; rest - 1]);
        assert_eq!(records.next(100), 1);
        records.follow(&[0]);
        assert_eq!(records.next(100), 0, "the hello is too long");
    }

    #[test]
    fn a_protected_record_does_not_let_more_come_that_is_not() {
        let mut records = Records::new();
        for _hello in 0..2 {
            records.follow(&[22, 3, 3, 3, 0xe8]);
            records.follow(&[0; 1000]);
            assert!(records.next(4096) < MOST_IN_CLEAR);
            records.follow(&[23]);
            // Not beyond it: there the next record begins.
            assert_eq!(records.next(4096), 4);
            records.follow(&[3, 3, 0xff, 0xff]);
            assert_eq!(records.next(100), LONGEST_RECORD, "none is longer");
            records.follow(&vec![0; 0xffff]);
        }
        let rest = MOST_IN_CLEAR - 2010;
        assert_eq!(records.next(4096), rest);
        records.follow(&[&[22, 3, 3, 0x40, 0][..], &vec![0; rest - 6]].concat());
        assert_eq!(records.next(4096), 1);
    }

    #[test]
    fn when_all_has_come_in_the_clear_a_protected_record_still_can() {
        let mut records = Records::new();
        let [.., high, low] = (MOST_IN_CLEAR - RECORD_HEADER).to_be_bytes();
        records.follow(&[22, 3, 3, high, low]);
        records.follow(&vec![0; MOST_IN_CLEAR - RECORD_HEADER]);
        assert_eq!(records.next(4096), 1, "the first byte of the next");
        let mut other = Records { ..records };
        other.follow(&[22]);
        assert_eq!(other.next(4096), 0, "it is not protected");
        records.follow(&[23]);
        assert_eq!(records.next(4096), 4);
        records.follow(&[3, 3, 0, 40]);
        assert_eq!(records.next(4096), 40);
        records.follow(&[0; 40]);
        records.lift_limit();
        assert_eq!(records.next(4096), 4096);
        // An alert, say; what is behind it is not read in small parts for that.
        records.follow(&[21, 3, 3, 0, 0, 23]);
        assert_eq!(records.next(4096), 4096);
    }
}
