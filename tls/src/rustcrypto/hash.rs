//! SHA-256, of the transcript of a handshake.

use alloc::boxed::Box;

use digest::Digest as _;
use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use sha2_0_10::Sha256 as State;

/// How long a hash is.
pub(super) const SIZE: usize = 32;

/// SHA-256 (FIPS 180-4).
pub(super) struct Sha256;

impl Hash for Sha256 {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Transcript(State::new()))
    }

    fn hash(&self, data: &[u8]) -> Output {
        Output::new(&State::digest(data))
    }

    fn output_len(&self) -> usize {
        SIZE
    }

    fn algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }
}

/// What has been said so far.
#[derive(Clone)]
struct Transcript(State);

impl Context for Transcript {
    fn fork_finish(&self) -> Output {
        Output::new(&self.0.clone().finalize())
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(self.clone())
    }

    fn finish(self: Box<Self>) -> Output {
        Output::new(&self.0.finalize())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

#[cfg(test)]
mod tests {
    use super::super::vectors::hex;
    use super::*;

    /// FIPS 180-4, by NIST's examples.
    const KNOWN: [(&[u8], &str); 4] = [
        (
            b"",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            b"abc",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        (
            b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr\
              lmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
        ),
    ];

    /// FIPS 180-4, by NIST's examples: the letter a, a million times.
    #[test]
    fn the_hash_of_much_is_that_of_the_standard() {
        let mut transcript = Sha256.start();
        for _ in 0..1000 {
            transcript.update(&[b'a'; 1000]);
        }
        let known = hex("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
        assert_eq!(transcript.finish().as_ref(), known);
    }

    #[test]
    fn hashes_are_those_of_the_standard_in_one_piece_and_in_several() {
        assert_eq!(Sha256.output_len(), SIZE);
        assert_eq!(Sha256.algorithm(), HashAlgorithm::SHA256);
        for (data, known) in KNOWN {
            let known = hex(known);
            assert_eq!(Sha256.hash(data).as_ref(), known);
            for cut in 0..=data.len() {
                let mut whole = Sha256.start();
                whole.update(&data[..cut]);
                let mut fork = whole.fork();
                whole.update(&data[cut..]);
                assert_eq!(whole.fork_finish().as_ref(), known);
                let mut other = fork.fork();
                other.update(b"something else");
                assert_ne!(other.finish().as_ref(), known);
                fork.update(&data[cut..]);
                assert_eq!(fork.finish().as_ref(), known);
                assert_eq!(whole.finish().as_ref(), known);
            }
        }
    }
}
