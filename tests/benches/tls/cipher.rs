//! The cipher alone, a record's length at a time.

use std::time::Duration;

use ring::aead::{Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};

use crate::{BATCH, Contender, PIECE, time};

const RECORD: usize = 16 * 1024;

pub(crate) struct Cipher {
    key: LessSafeKey,
    plain: Vec<u8>,
    /// A batch of sealed records, one behind another.
    sealed: Vec<u8>,
    opened: Vec<u8>,
}

impl Cipher {
    pub(crate) fn new(algorithm: &'static Algorithm) -> Self {
        let key = UnboundKey::new(algorithm, &vec![7; algorithm.key_len()]).unwrap();
        let key = LessSafeKey::new(key);
        let plain = vec![1; RECORD];
        let mut sealed = plain.clone();
        key.seal_in_place_append_tag(nonce(), Aad::from([0; 5]), &mut sealed)
            .unwrap();
        let opened = vec![0; sealed.len()];
        let sealed = sealed.repeat(BATCH / RECORD);
        Self {
            key,
            plain,
            sealed,
            opened,
        }
    }
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

impl Contender for Cipher {
    fn seal(&mut self, pieces: usize) -> Duration {
        time(|| {
            for _ in 0..pieces * PIECE / RECORD {
                let (key, plain) = (&self.key, &mut self.plain);
                let tag = key.seal_in_place_separate_tag(nonce(), Aad::from([0; 5]), plain);
                let _ = core::hint::black_box(tag.unwrap());
            }
        })
    }

    fn open(&mut self, pieces: usize) -> Duration {
        time(|| {
            let records = self.sealed.chunks(self.opened.len()).cycle();
            for sealed in records.take(pieces * PIECE / RECORD) {
                // In place, so it needs a new copy each time, as a connection reads one each time. In pieces, which no processor is
                // slow at.
                for (to, from) in self.opened.chunks_mut(1024).zip(sealed.chunks(1024)) {
                    to.copy_from_slice(from);
                }
                self.key
                    .open_in_place(nonce(), Aad::from([0; 5]), &mut self.opened)
                    .unwrap();
            }
        })
    }
}
