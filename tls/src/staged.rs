//! Ciphertext on its way: what was read and is not understood yet, and what is to be written.

use crate::buffer::Buffer;
use crate::memory::Memory;

/// The length of the header of a record (RFC 8446, 5.1).
const RECORD_HEADER: usize = 5;

/// How much ciphertext a read asks for during the handshake. It doubles when the transport fills it.
pub(crate) const FIRST_READ: usize = 4 * 1024;

/// How much ciphertext a read asks for after the handshake, at least. It doubles when the transport fills it, and goes back by half
/// when the transport brings less than a quarter. A connection that is idle waits with a buffer of that size.
const LEAST_READ: usize = 128;

/// How much ciphertext a read asks for at most, and how much can wait to be understood: more than the longest message
/// that the engine accepts. Without an operating system a message is at most as long as a record: whoever connects could make a
/// board keep four times as much.
const MOST_READ: usize = if HAS_MEMORY {
    80 * 1024
} else {
    LONGEST_RECORD + 4 * 1024
};

/// The longest record (RFC 8446, 5.2).
const LONGEST_RECORD: usize = RECORD_HEADER + (1 << 14) + 256;

/// Whether there is an operating system, and so memory for more than is sure to be needed.
const HAS_MEMORY: bool = cfg!(feature = "std");

/// Ciphertext that has arrived and is not understood yet.
pub(crate) struct Incoming<M> {
    pub(crate) buffer: Buffer<M>,
    read: usize,
    records: Records,
}

/// How far the records have come of which the ciphertext consists.
#[derive(Debug, Default)]
struct Records {
    /// How much of the next header.
    header: usize,
    /// How much of the record behind it is still to come.
    rest: usize,
}

impl Records {
    /// This has come.
    fn follow(&mut self, mut data: &[u8]) {
        while let [byte, others @ ..] = data {
            if self.header == RECORD_HEADER {
                let count = self.rest.min(data.len());
                self.rest -= count;
                data = data.get(count..).unwrap_or_default();
            } else {
                self.header += 1;
                // The last two bytes are the length.
                self.rest = (self.rest << 8 | usize::from(*byte)) & 0xffff;
                data = others;
            }
            if self.header == RECORD_HEADER && self.rest == 0 {
                *self = Self::default();
            }
        }
    }

    /// How much of a record that has begun is still to come. No record is longer than it may be.
    fn rest(&self) -> Option<usize> {
        let is_known = self.header == RECORD_HEADER;
        is_known.then_some(self.rest.min(LONGEST_RECORD))
    }
}

impl<M: Memory> Incoming<M> {
    pub(crate) const fn over(memory: M) -> Self {
        Self {
            buffer: Buffer::over(memory),
            read: FIRST_READ,
            records: Records { header: 0, rest: 0 },
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
            match self.records.rest() {
                // Room for one record, once its length is known.
                Some(rest) if !HAS_MEMORY => rest.min(free),
                _ => {
                    let count = self.read.saturating_sub(self.buffer.len());
                    count.max(LEAST_READ).min(free)
                }
            }
        };
        let room = self.buffer.room(count).get_mut(..count)?;
        (!room.is_empty()).then_some(room)
    }

    /// `count` bytes were read into the room.
    pub(crate) fn commit(&mut self, count: usize) {
        let before = self.buffer.len();
        self.buffer.commit(count);
        if !HAS_MEMORY {
            let new = self.buffer.filled().get(before..);
            return self.records.follow(new.unwrap_or_default());
        }
        if self.buffer.len() >= self.read {
            self.read = MOST_READ.min(self.read * 2);
        } else if self.buffer.len() < self.read / 4 {
            self.read = LEAST_READ.max(self.read / 2);
        }
    }

    pub(crate) fn append(&mut self, data: &[u8]) {
        if self.buffer.append(data) && !HAS_MEMORY {
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
    use alloc::vec::Vec;

    fn send(outgoing: &mut Outgoing<Vec<u8>>, length: usize) {
        outgoing.buffer.append(&alloc::vec![1; length]);
        outgoing.grown();
        outgoing.consume(length);
        outgoing.flushed();
    }

    #[test]
    fn the_rest_of_a_record_is_known_however_it_comes() {
        let stream = [
            &[22, 3, 3, 1, 2][..],
            &[7; 258],
            &[23, 3, 3, 0, 1, 7],
            &[21, 3, 3, 0, 0],
        ];
        let stream = stream.concat();
        let ends = [263, 269];
        for step in 1..=stream.len() {
            let mut records = Records::default();
            for (index, part) in stream.chunks(step).enumerate() {
                records.follow(part);
                let come = (index * step + part.len()).min(stream.len());
                let expected = match come {
                    0..5 | 263..=267 | 269.. => None,
                    5..263 => Some(ends[0] - come),
                    _ => Some(ends[1] - come),
                };
                assert_eq!(records.rest(), expected, "{come} in steps of {step}");
            }
        }
        let mut records = Records::default();
        records.follow(&[23, 3, 3, 0xff, 0xff]);
        assert_eq!(records.rest(), Some(LONGEST_RECORD), "longer than any");
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
