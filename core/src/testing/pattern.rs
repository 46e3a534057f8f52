//! Data that any end can make and any end can check.

use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;

/// An endless sequence of pseudo-random bytes, the same for the same seed on every machine.
///
/// It is splitmix64, each 64-bit word in little-endian order, so that foreign test peers reproduce it in a few lines.
/// One end fills what it sends, the other compares what it receives, in pieces of any size.
///
/// ```
/// use tacket::testing::Pattern;
///
/// let mut sent = [0; 10];
/// Pattern::new(7).fill(&mut sent);
///
/// let mut check = Pattern::new(7);
/// assert_eq!(check.verify(&sent[..3]), Ok(()));
/// assert_eq!(check.verify(&sent[3..]), Ok(()));
/// assert_eq!(Pattern::new(8).verify(&sent), Err(0)); // differs at byte 0
/// ```
#[derive(Clone, Debug)]
pub struct Pattern {
    words: SplitMix64,
    word: [u8; 8],
    /// How many bytes of `word` are used up.
    used: usize,
    position: u64,
}

impl Pattern {
    /// Starts the sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            words: SplitMix64::seed_from_u64(seed),
            word: [0; 8],
            used: 8,
            position: 0,
        }
    }

    /// How many bytes were filled or verified so far.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Fills `buf` with the next bytes.
    pub fn fill(&mut self, buf: &mut [u8]) {
        self.each_piece(buf.len(), |at, piece| {
            if let Some(room) = buf.get_mut(at..at + piece.len()) {
                room.copy_from_slice(piece);
            }
        });
    }

    /// Compares `data` with the next bytes, and moves past it.
    ///
    /// # Errors
    ///
    /// The position in the whole sequence of the first byte that differs.
    pub fn verify(&mut self, data: &[u8]) -> Result<(), u64> {
        let start = self.position;
        let mut difference = None;
        self.each_piece(data.len(), |at, piece| {
            let found = data.get(at..at + piece.len()).unwrap_or_default();
            if found != piece && difference.is_none() {
                let same = piece.iter().zip(found).take_while(|(a, b)| a == b).count();
                difference = Some(start + (at + same) as u64);
            }
        });
        difference.map_or(Ok(()), Err)
    }

    /// Moves past the next `count` bytes.
    pub fn skip(&mut self, count: usize) {
        self.each_piece(count, |_, _| {});
    }

    /// Hands out the next `length` bytes in pieces of up to a word, each with its offset.
    fn each_piece(&mut self, length: usize, mut piece: impl FnMut(usize, &[u8])) {
        let mut at = 0;
        while at < length {
            if self.used == self.word.len() {
                self.word = self.words.next_u64().to_le_bytes();
                self.used = 0;
            }
            let count = (self.word.len() - self.used).min(length - at);
            piece(
                at,
                self.word
                    .get(self.used..self.used + count)
                    .unwrap_or_default(),
            );
            self.used += count;
            at += count;
        }
        self.position += length as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_the_published_splitmix64() {
        let mut first = [0; 16];
        Pattern::new(1).fill(&mut first);
        assert_eq!(first[..8], 0x910a_2dec_8902_5cc1_u64.to_le_bytes());
        assert_eq!(first[8..], 0xbeeb_8da1_658e_ec67_u64.to_le_bytes());
    }

    #[test]
    fn pieces_of_any_size_make_the_same_sequence() {
        let mut whole = [0; 100];
        Pattern::new(5).fill(&mut whole);
        for step in 1..20 {
            let (mut pieces, mut pattern) = ([0; 100], Pattern::new(5));
            for piece in pieces.chunks_mut(step) {
                pattern.fill(piece);
            }
            assert_eq!(pieces, whole);
        }
    }

    #[test]
    fn a_difference_is_reported_at_its_byte() {
        let mut data = [0; 50];
        Pattern::new(3).fill(&mut data);
        data[33] ^= 1;
        let mut pattern = Pattern::new(3);
        assert_eq!(pattern.verify(&data[..20]), Ok(()));
        assert_eq!(pattern.verify(&data[20..]), Err(33));
    }
}
