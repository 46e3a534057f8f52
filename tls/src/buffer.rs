//! A queue of bytes that always lies in one piece.

use core::fmt;

use crate::memory::Memory;

/// The unit in which copies can get in each other's way, see [`copy`].
const PAGE: usize = 4096;

/// Bytes come in behind, leave in front, and can be changed in between.
///
/// Where its memory can, it grows when more room is asked for than it has; how far is up to whoever asks.
#[expect(unnameable_types, reason = "engines are sealed")]
#[derive(Default)]
pub struct Buffer<M> {
    bytes: M,
    start: usize,
    end: usize,
    /// Where the front is when there is a choice.
    margin: usize,
}

impl<M: Memory> Buffer<M> {
    pub(crate) const fn over(bytes: M) -> Self {
        Self {
            bytes,
            start: 0,
            end: 0,
            margin: 0,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.end - self.start
    }

    /// How much memory it has, filled or not.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// How many bytes it can hold.
    pub(crate) fn limit(&self) -> usize {
        self.bytes.limit()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn filled(&self) -> &[u8] {
        let bytes = self.bytes.as_ref();
        bytes.get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) fn filled_mut(&mut self) -> &mut [u8] {
        let bytes = self.bytes.as_mut();
        bytes.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// Takes `count` bytes away in front.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
        if self.is_empty() {
            self.move_to_margin();
        }
    }

    /// Moves what is here to the margin.
    fn move_to_margin(&mut self) {
        if self.start == self.margin {
            return;
        }
        let end = self.margin + self.len();
        self.bytes.grow(end);
        let moved = self.bytes.as_mut();
        moved.copy_within(self.start..self.end, self.margin);
        (self.start, self.end) = (self.margin, end);
    }

    /// From now on, lets the front begin at the same distance from the start of a page as `address`, where possible.
    pub(crate) fn align_with(&mut self, address: usize) {
        if M::IS_FIXED {
            return;
        }
        self.margin = address.wrapping_sub(self.bytes.as_ref().as_ptr().addr()) % PAGE;
        if self.is_empty() {
            self.move_to_margin();
        }
    }

    /// All the room behind, at least `count` bytes where they can be had; what is put there counts once it is committed.
    pub(crate) fn room(&mut self, count: usize) -> &mut [u8] {
        if self.bytes.as_ref().len() - self.end < count {
            self.move_to_margin();
            self.bytes.grow(self.end + count);
        }
        self.bytes.as_mut().get_mut(self.end..).unwrap_or_default()
    }

    /// Gives back what is not needed for what is here and `count` bytes more.
    pub(crate) fn shrink(&mut self, count: usize) {
        if self.bytes.capacity() == 0 {
            return;
        }
        self.margin = 0;
        self.move_to_margin();
        self.bytes.shrink(self.end + count);
    }

    /// Adds the first `count` bytes of the room.
    pub(crate) fn commit(&mut self, count: usize) {
        self.end = self.bytes.as_ref().len().min(self.end + count);
    }

    /// Adds `data`. `false`: there is no room for it, and nothing was added.
    pub(crate) fn append(&mut self, data: &[u8]) -> bool {
        let room = self.room(data.len());
        if room.len() < data.len() {
            return false;
        }
        copy(room, data);
        self.commit(data.len());
        true
    }

    /// Moves everything from `other` behind what is here. `false`: there is no room for it, and nothing was moved.
    pub(crate) fn append_all(&mut self, other: &mut Self) -> bool {
        let appended = self.append(other.filled());
        if appended {
            other.consume(other.len());
        }
        appended
    }

    /// Moves as much as fits to `buf`, and returns how much.
    pub(crate) fn take_into(&mut self, buf: &mut [u8]) -> usize {
        let count = copy(buf, self.filled());
        self.consume(count);
        count
    }
}

impl<M> fmt::Debug for Buffer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the bytes: some are secret.
        f.debug_struct("Buffer")
            .field("len", &(self.end - self.start))
            .finish_non_exhaustive()
    }
}

/// Where received data goes: to the caller as far as it fits, the rest of a record to the stash.
#[expect(unnameable_types, reason = "engines are sealed")]
#[derive(Debug)]
pub struct Sink<'b, M> {
    buf: &'b mut [u8],
    taken: usize,
    stash: &'b mut Buffer<M>,
    source: Option<usize>,
}

impl<'b, M: Memory> Sink<'b, M> {
    /// For a caller that waits for data. `stash` is empty then.
    pub(crate) const fn to_caller(buf: &'b mut [u8], stash: &'b mut Buffer<M>) -> Self {
        Self {
            buf,
            taken: 0,
            stash,
            source: None,
        }
    }

    /// For a caller that is after something else: everything is kept for later.
    pub(crate) const fn to_stash(stash: &'b mut Buffer<M>) -> Self {
        Self::to_caller(&mut [], stash)
    }

    /// How many bytes the caller has got.
    pub(crate) const fn taken(&self) -> usize {
        self.taken
    }

    /// The address of the last data that was put here.
    pub(crate) const fn source(&self) -> Option<usize> {
        self.source
    }

    #[cfg(feature = "embedded-tls")]
    /// How many bytes the caller can still take.
    pub(crate) const fn room(&self) -> usize {
        self.buf.len() - self.taken
    }

    /// Whether a record of `len` bytes should be put here now.
    #[cfg(feature = "rustls")]
    pub(crate) const fn wants(&self, len: usize) -> bool {
        self.buf.is_empty() || self.taken == 0 || len <= self.buf.len() - self.taken
    }

    pub(crate) fn put(&mut self, data: &[u8]) {
        self.source = Some(data.as_ptr().addr());
        let free = self.buf.get_mut(self.taken..).unwrap_or_default();
        let count = copy(free, data);
        self.taken += count;
        match data.get(count..) {
            Some(later) if !later.is_empty() => {
                self.stash.append(later);
            }
            _ => {}
        }
    }
}

/// Copies as much of `from` as fits to `to`, and returns how much.
///
/// In small pieces: on some processors the C library's copy of a long piece, a string instruction, is 25 times slower when it
/// goes 1 to 16 bytes further within a page, which is where the header of a record puts it.
fn copy(to: &mut [u8], from: &[u8]) -> usize {
    const PIECE: usize = 1024;
    let count = to.len().min(from.len());
    let (to, from) = (to.get_mut(..count), from.get(..count));
    let pieces = to.into_iter().flat_map(|to| to.chunks_mut(PIECE));
    let copied = from.into_iter().flat_map(|from| from.chunks(PIECE));
    for (to, from) in pieces.zip(copied) {
        to.copy_from_slice(from);
    }
    count
}

#[cfg(test)]
#[cfg(feature = "rustls")]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn bytes_leave_in_the_order_in_which_they_came() {
        let mut buffer = Buffer::<Vec<u8>>::default();
        buffer.append(b"one");
        buffer.append(b"two");
        buffer.consume(2);
        buffer.append(b"three");
        assert_eq!(buffer.filled(), b"etwothree");
        let mut out = [0; 4];
        assert_eq!(buffer.take_into(&mut out), 4);
        assert_eq!((&out, buffer.filled()), (b"etwo", &b"three"[..]));
    }

    #[test]
    fn what_was_consumed_makes_room_before_it_grows() {
        let mut buffer = Buffer::<Vec<u8>>::default();
        buffer.append(&[1; 100]);
        buffer.consume(90);
        assert!(buffer.room(90).len() >= 90);
        assert_eq!(buffer.filled(), [1; 10]);
        assert_eq!(buffer.bytes.len(), 100);
    }

    #[test]
    fn the_front_moves_to_the_place_in_a_page_that_is_asked_for() {
        let mut buffer = Buffer::<Vec<u8>>::default();
        buffer.append(&[1; 100]);
        buffer.consume(90);
        buffer.align_with(0x1234_5678);
        assert_eq!(buffer.filled(), [1; 10]);
        // So much that it does not move to another address any more.
        let _ = buffer.room(2 * PAGE);
        assert_eq!(buffer.filled(), [1; 10]);
        buffer.align_with(0x1234_5678);
        buffer.consume(10);
        buffer.append(&[2; 10]);
        assert_eq!(buffer.filled().as_ptr().addr() % PAGE, 0x678);
        assert_eq!(buffer.filled(), [2; 10]);
    }

    #[test]
    fn it_gives_back_what_it_does_not_need() {
        let mut buffer = Buffer::<Vec<u8>>::default();
        buffer.append(&[1; 1000]);
        buffer.consume(990);
        buffer.shrink(20);
        assert_eq!(buffer.filled(), [1; 10]);
        assert_eq!((buffer.bytes.len(), buffer.bytes.capacity()), (30, 30));
        buffer.consume(10);
        buffer.shrink(0);
        assert_eq!(buffer.bytes.capacity(), 0);
    }

    #[test]
    fn only_what_is_committed_counts() {
        let mut buffer = Buffer::<Vec<u8>>::default();
        buffer.room(8).fill(7);
        buffer.commit(3);
        assert_eq!(buffer.filled(), [7; 3]);
    }

    #[test]
    fn a_sink_gives_the_caller_all_it_can_and_keeps_the_rest_of_a_record() {
        let (mut stash, mut buf) = (Buffer::<Vec<u8>>::default(), [0; 4]);
        let mut sink = Sink::to_caller(&mut buf, &mut stash);
        assert!(sink.wants(6));
        sink.put(b"abcdef");
        assert!(!sink.wants(1));
        assert_eq!(sink.taken(), 4);
        assert_eq!((&buf, stash.filled()), (b"abcd", &b"ef"[..]));
    }

    #[test]
    fn a_sink_takes_whole_records_while_they_fit() {
        let (mut stash, mut buf) = (Buffer::<Vec<u8>>::default(), [0; 8]);
        let mut sink = Sink::to_caller(&mut buf, &mut stash);
        sink.put(b"abc");
        assert!(sink.wants(5) && !sink.wants(6));
        sink.put(b"defgh");
        assert!(stash.is_empty());
    }

    #[test]
    fn lent_memory_takes_all_that_fits_or_nothing() {
        let mut memory = [0; 10];
        let mut buffer = Buffer::over(&mut memory[..]);
        assert!(buffer.append(&[1; 6]));
        buffer.consume(4);
        assert!(!buffer.append(&[2; 9]));
        assert_eq!(buffer.filled(), [1; 2]);
        assert!(buffer.append(&[2; 8]));
        assert_eq!(buffer.filled(), [1, 1, 2, 2, 2, 2, 2, 2, 2, 2]);
        assert!(buffer.room(1).is_empty());
        buffer.shrink(0);
        buffer.consume(10);
        assert_eq!(buffer.room(1).len(), 10);
    }
}
