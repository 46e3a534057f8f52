//! What the tests of the algorithms share: bytes in hexadecimal digits, and boards with more and less entropy.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use std::sync::Mutex;

use rustls::crypto::{GetRandomFailed, SecureRandom};

/// The bytes that these digits are.
pub(super) fn hex(digits: &str) -> Vec<u8> {
    let digits = digits.as_bytes().chunks(2).map(|pair| {
        let pair = core::str::from_utf8(pair).expect("digits");
        u8::from_str_radix(pair, 16).expect("two digits")
    });
    digits.collect()
}

/// A board without.
#[derive(Debug)]
pub(super) struct NoEntropy;

impl SecureRandom for NoEntropy {
    fn fill(&self, _buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        Err(GetRandomFailed)
    }
}

/// Brings these bytes, a draw each, and then fails.
#[derive(Debug)]
pub(super) struct Scripted(Mutex<VecDeque<Vec<u8>>>);

impl Scripted {
    pub(super) fn new(draws: &[&[u8]]) -> &'static Self {
        let draws = draws.iter().map(|draw| draw.to_vec()).collect();
        Box::leak(Box::new(Self(Mutex::new(draws))))
    }

    /// A secret is drawn that becomes `secret`.
    pub(super) fn one_secret(secret: &[u8]) -> &'static Self {
        let pad: Vec<u8> = (0..32).collect();
        let other: Vec<u8> = secret
            .iter()
            .zip(&pad)
            .map(|(one, pad)| one ^ pad)
            .collect();
        Self::new(&[&other, &pad])
    }
}

impl SecureRandom for Scripted {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        let next = self.0.lock().expect("no panic").pop_front();
        let draw = next.ok_or(GetRandomFailed)?;
        assert_eq!(draw.len(), buf.len());
        buf.copy_from_slice(&draw);
        Ok(())
    }
}
