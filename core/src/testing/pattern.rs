//! Data that any end can make and any end can check.

use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;

/// The length of a word of the generator, in bytes.
const WORD: usize = 8;

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
    seed: u64,
    words: SplitMix64,
    /// The word that the last piece ended in.
    word: [u8; WORD],
    /// How many bytes of `word` are used up.
    used: usize,
    position: u64,
}

impl Pattern {
    /// Starts the sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            words: SplitMix64::seed_from_u64(seed),
            word: [0; WORD],
            used: WORD,
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
        let (head, rest) = buf.split_at_mut(self.left_of_word(buf.len()));
        head.copy_from_slice(self.part_of_word(head.len()));
        let (words, tail) = rest.as_chunks_mut();
        for word in words {
            *word = self.next_word();
        }
        tail.copy_from_slice(self.part_of_word(tail.len()));
    }

    /// Compares `data` with the next bytes, and moves past it.
    ///
    /// # Errors
    ///
    /// The position in the whole sequence of the first byte that differs.
    pub fn verify(&mut self, data: &[u8]) -> Result<(), u64> {
        let start = self.position;
        let (head, rest) = data.split_at(self.left_of_word(data.len()));
        let (words, tail) = rest.as_chunks();
        let mut same = head == self.part_of_word(head.len());
        for word in words {
            same &= *word == self.next_word();
        }
        same &= tail == self.part_of_word(tail.len());
        if same {
            Ok(())
        } else {
            Err(start + self.first_difference(data) as u64)
        }
    }

    /// Moves past the next `count` bytes.
    pub fn skip(&mut self, count: usize) {
        let head = self.left_of_word(count);
        self.part_of_word(head);
        for _ in 0..(count - head) / WORD {
            self.next_word();
        }
        self.part_of_word((count - head) % WORD);
    }

    /// How many of the next `length` bytes are left of a word begun before.
    fn left_of_word(&self, length: usize) -> usize {
        (WORD - self.used).min(length)
    }

    /// The next whole word, at the end of the last.
    fn next_word(&mut self) -> [u8; WORD] {
        self.position += WORD as u64;
        self.words.next_u64().to_le_bytes()
    }

    /// The next `length` bytes, which are part of one word.
    fn part_of_word(&mut self, length: usize) -> &[u8] {
        if length > 0 && self.used == WORD {
            self.word = self.words.next_u64().to_le_bytes();
            self.used = 0;
        }
        let start = self.used;
        self.used += length;
        self.position += length as u64;
        self.word.get(start..self.used).unwrap_or_default()
    }

    /// Where `data`, which was just compared and found different, first differs.
    fn first_difference(&self, data: &[u8]) -> usize {
        let mut again = Self::new(self.seed);
        let start = self.position - data.len() as u64;
        for _ in 0..start / WORD as u64 {
            again.next_word();
        }
        again.skip(usize::try_from(start % WORD as u64).unwrap_or_default());
        data.iter()
            .take_while(|byte| again.part_of_word(1) == core::slice::from_ref(*byte))
            .count()
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
    fn skipped_bytes_are_the_ones_not_seen() {
        let mut whole = [0; 100];
        Pattern::new(5).fill(&mut whole);
        for skipped in 0..50 {
            for before in 0..10 {
                let mut pattern = Pattern::new(5);
                pattern.fill(&mut [0; 10][..before]);
                pattern.skip(skipped);
                assert_eq!(pattern.position(), (before + skipped) as u64);
                assert_eq!(pattern.verify(&whole[before + skipped..]), Ok(()));
            }
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
