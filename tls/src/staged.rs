//! Ciphertext on its way: what was read and is not understood yet, and what is to be written.

use crate::buffer::Buffer;
use crate::memory::{IS_AMPLE, Memory};

/// The length of the header of a record (RFC 8446, 5.1).
const RECORD_HEADER: usize = 5;

/// How much ciphertext a read asks for during the handshake. It doubles when the transport fills it.
pub(crate) const FIRST_READ: usize = 4 * 1024;

/// How much ciphertext a read asks for after the handshake, at least. It doubles when the transport fills it, and goes back by half
/// when the transport brings less than a quarter. A connection that is idle waits with a buffer of that size.
const LEAST_READ: usize = 128;

/// How much ciphertext a read asks for at most that does not know how much is still to come of a record.
const MOST_AHEAD: usize = if IS_AMPLE { MOST_READ } else { 2 * 1024 };

/// How much ciphertext a read asks for at most, and how much can wait to be understood: more than the longest message
/// that the engine accepts. Without an operating system a message is at most as long as a record: whoever connects could make a
/// board keep four times as much.
const MOST_READ: usize = if IS_AMPLE {
    80 * 1024
} else {
    LONGEST_RECORD + 4 * 1024
};

/// The longest record (RFC 8446, 5.2).
const LONGEST_RECORD: usize = RECORD_HEADER + (1 << 14) + 256;

/// How much of a handshake can come that is not protected, where memory is short: the hellos, of which rustls makes objects of up to ten
/// times their length.
const MOST_IN_CLEAR: usize = 4 * 1024;

/// The content type of a record that is protected (RFC 8446, 5.2).
const PROTECTED: u8 = 23;

/// Ciphertext that has arrived and is not understood yet.
pub(crate) struct Incoming<M> {
    pub(crate) buffer: Buffer<M>,
    read: usize,
    records: Records,
}

/// How far the records have come of which the ciphertext consists.
#[derive(Debug)]
struct Records {
    /// How much of the next header.
    header: usize,
    /// How much of the record behind it is still to come.
    rest: usize,
    /// How much can still come that is not protected. `None`: a protected record has begun.
    in_clear: Option<usize>,
}

impl Records {
    const fn new() -> Self {
        Self {
            header: 0,
            rest: 0,
            in_clear: Some(MOST_IN_CLEAR),
        }
    }

    /// This has come.
    fn follow(&mut self, mut data: &[u8]) {
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
    fn next(&self, usual: usize) -> usize {
        let next = if self.header == RECORD_HEADER {
            self.rest.min(LONGEST_RECORD)
        } else {
            usual
        };
        next.min(self.in_clear.unwrap_or(usize::MAX))
    }
}

impl<M: Memory> Incoming<M> {
    /// Whether it matters how much the next record needs.
    const FOLLOWS_RECORDS: bool = !IS_AMPLE && !M::IS_FIXED;

    pub(crate) const fn over(memory: M) -> Self {
        Self {
            buffer: Buffer::over(memory),
            read: FIRST_READ,
            records: Records::new(),
        }
    }

    /// The handshake is done.
    pub(crate) const fn read_less(&mut self) {
        self.read = LEAST_READ;
    }

    /// Where to read to. `None`: what is there should have been enough.
    pub(crate) fn room(&mut self) -> Option<&mut [u8]> {
        let most = MOST_READ.min(self.buffer.limit());
        let free = most.checked_sub(self.buffer.len())?;
        if self.buffer.is_empty() && self.buffer.capacity() > 3 * self.read {
            self.buffer.shrink(self.read);
        }
        let count = if M::IS_FIXED {
            free
        } else {
            let usual = self.read.saturating_sub(self.buffer.len()).max(LEAST_READ);
            let count = if Self::FOLLOWS_RECORDS {
                self.records.next(usual)
            } else {
                usual
            };
            count.min(free)
        };
        let room = self.buffer.room(count).get_mut(..count)?;
        (!room.is_empty()).then_some(room)
    }

    /// `count` bytes were read into the room.
    pub(crate) fn commit(&mut self, count: usize) {
        let before = self.buffer.len();
        self.buffer.commit(count);
        if Self::FOLLOWS_RECORDS {
            let new = self.buffer.filled().get(before..);
            self.records.follow(new.unwrap_or_default());
        }
        if self.buffer.len() >= self.read {
            self.read = MOST_AHEAD.min(self.read * 2);
        } else if self.buffer.len() < self.read / 4 {
            self.read = LEAST_READ.max(self.read / 2);
        }
    }

    pub(crate) fn append(&mut self, data: &[u8]) {
        if self.buffer.append(data) && Self::FOLLOWS_RECORDS {
            self.records.follow(data);
        }
    }

    /// The engine puts the data of records at `address`. The next record is to lie so that this copy is not a slow one: its
    /// data as far into a page as the copy, and those of the records behind it further. See [`Buffer`]'s copy.
    pub(crate) fn align_with(&mut self, address: usize) {
        // A page is much where there is no operating system, or little to copy.
        if cfg!(feature = "std") && self.read >= FIRST_READ {
            self.buffer.align_with(address.wrapping_sub(RECORD_HEADER));
        }
    }
}

/// Ciphertext to be sent.
pub(crate) struct Outgoing<M> {
    pub(crate) buffer: Buffer<M>,
    /// The transport was given something since its last flush, or will be.
    pub(crate) dirty: bool,
    /// The keys were changed since then, and nothing is protected by the new ones yet.
    pub(crate) has_new_keys: bool,
    /// How much there was at once since then, or half of what it was before.
    most: usize,
}

impl<M: Memory> Outgoing<M> {
    pub(crate) const fn over(memory: M) -> Self {
        Self {
            buffer: Buffer::over(memory),
            dirty: false,
            has_new_keys: false,
            most: 0,
        }
    }

    /// What the transport has not taken yet.
    pub(crate) fn rest(&self) -> &[u8] {
        self.buffer.filled()
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.buffer.consume(count);
    }

    pub(crate) const fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// The transport has everything. A small buffer goes back whole; half of a large one, if less than a quarter of it was needed
    /// for some time.
    pub(crate) fn flushed(&mut self) {
        self.dirty = false;
        self.has_new_keys = false;
        let capacity = self.buffer.capacity();
        if capacity <= FIRST_READ {
            self.buffer.shrink(0);
        } else if self.most < capacity / 4 {
            self.buffer.shrink(capacity / 2);
        }
        self.most /= 2;
    }

    /// Something was added.
    pub(crate) fn grown(&mut self) {
        self.most = self.most.max(self.buffer.len());
    }

    /// Gives back the room that the handshake needed.
    pub(crate) fn shrink(&mut self) {
        self.buffer.shrink(0);
    }
}

#[cfg(test)]
#[cfg(feature = "rustls")]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn send(outgoing: &mut Outgoing<Vec<u8>>, length: usize) {
        outgoing.buffer.append(&alloc::vec![1; length]);
        outgoing.grown();
        outgoing.consume(length);
        outgoing.flushed();
    }

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

    #[test]
    fn reads_become_as_long_as_what_comes_and_short_again() {
        let mut incoming = Incoming::over(Vec::new());
        incoming.read_less();
        // Zeros are records without data. As many as one likes can come behind protected ones only.
        incoming.records.follow(&[PROTECTED, 3, 3, 0, 0]);
        let mut read = |count: usize| {
            let asked = incoming.room().unwrap().len();
            incoming.commit(count.min(asked));
            incoming.buffer.consume(count);
            asked
        };
        let mut expected = LEAST_READ;
        for _ in 0..20 {
            assert_eq!(read(usize::MAX), expected);
            expected = MOST_AHEAD.min(2 * expected);
        }
        assert_eq!(expected, MOST_AHEAD);
        for _ in 0..20 {
            assert_eq!(read(1), expected);
            expected = LEAST_READ.max(expected / 2);
        }
        assert_eq!(expected, LEAST_READ);
    }

    #[test]
    fn small_sends_after_a_large_one_give_its_room_back_and_large_ones_keep_it() {
        let mut outgoing = Outgoing::over(Vec::new());
        for _ in 0..3 {
            send(&mut outgoing, 65_536);
            assert_eq!(outgoing.buffer.capacity(), 65_536);
        }
        for length in [100, 16_384, 65_536, 100, 100] {
            send(&mut outgoing, length);
            assert_eq!(outgoing.buffer.capacity(), 65_536);
        }
        for capacity in [32_768, 16_384, 8192, 4096, 0, 0] {
            send(&mut outgoing, 100);
            while outgoing.buffer.capacity() > capacity {
                send(&mut outgoing, 100);
            }
            assert_eq!(outgoing.buffer.capacity(), capacity);
        }
    }
}
