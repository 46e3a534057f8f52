//! The bytes of an input, taken one after the other.

/// What is left of the bytes.
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte; after the last there is nothing but zeros.
    pub(super) fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    pub(super) fn wide(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }

    pub(super) fn counted_bytes(&mut self) -> Vec<u8> {
        let count = self.byte() % 64;
        self.bytes(count.into())
    }

    /// Up to some records.
    pub(super) fn length(&mut self) -> usize {
        let byte = usize::from(self.byte());
        match byte {
            0..192 => byte,
            _ => (byte - 191) * 700,
        }
    }
}
