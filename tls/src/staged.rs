//! Ciphertext on its way: what was read and is not understood yet, and what is to be written.

use crate::buffer::Buffer;
use crate::memory::{IS_AMPLE, Memory};
use crate::reading::{FIRST_READ, LONGEST_RECORD, RECORD_HEADER, Reading as _};

/// How much ciphertext can wait to be understood: more than the longest message that the engine accepts. Without an operating system a
/// message is at most as long as a record: whoever connects could make a board keep four times as much.
const MOST_WAITING: usize = if IS_AMPLE {
    80 * 1024
} else {
    LONGEST_RECORD + 4 * 1024
};

/// Ciphertext that has arrived and is not understood yet.
pub(crate) struct Incoming<M: Memory> {
    pub(crate) buffer: Buffer<M>,
    reading: M::Reading,
}

impl<M: Memory> Incoming<M> {
    pub(crate) fn over(memory: M) -> Self {
        Self {
            buffer: Buffer::over(memory),
            reading: M::Reading::default(),
        }
    }

    /// The handshake is done.
    pub(crate) fn read_less(&mut self) {
        self.reading.read_less();
    }

    /// Where to read to. `None`: what is there should have been enough.
    pub(crate) fn room(&mut self) -> Option<&mut [u8]> {
        let most = MOST_WAITING.min(self.buffer.limit());
        let free = most.checked_sub(self.buffer.len())?;
        let usual = self.reading.usual();
        if self.buffer.is_empty() && self.buffer.capacity() > usual.saturating_mul(3) {
            self.buffer.shrink(usual);
        }
        let count = self.reading.next(self.buffer.len()).min(free);
        let room = self.buffer.room(count).get_mut(..count)?;
        (!room.is_empty()).then_some(room)
    }

    /// `count` bytes were read into the room.
    pub(crate) fn commit(&mut self, count: usize) {
        let before = self.buffer.len();
        self.buffer.commit(count);
        let waiting = self.buffer.filled();
        let came = waiting.get(before..).unwrap_or_default();
        self.reading.came(came, waiting.len());
    }

    pub(crate) fn append(&mut self, data: &[u8]) {
        if self.buffer.append(data) {
            self.reading.came_otherwise(data);
        }
    }

    /// The engine puts the data of records at `address`. The next record is to lie so that this copy is not a slow one: its
    /// data as far into a page as the copy, and those of the records behind it further. See [`Buffer`]'s copy.
    pub(crate) fn align_with(&mut self, address: usize) {
        // A page is much where there is no operating system, or little to copy.
        if IS_AMPLE && self.reading.usual() >= FIRST_READ {
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
