//! What buffers lie in: the heap, or what the caller lends.

#[cfg(feature = "rustls")]
use alloc::vec::Vec;

/// Bytes for a [`Buffer`](crate::buffer::Buffer). Empty by default.
#[expect(unnameable_types, reason = "engines are sealed")]
pub trait Memory: AsRef<[u8]> + AsMut<[u8]> + Default {
    /// Whether [`grow`](Self::grow) has no effect.
    const IS_FIXED: bool;

    /// Becomes `len` bytes long, if that is more than it is and can be had.
    fn grow(&mut self, len: usize);

    /// Gives back what lies behind the first `len` bytes, if it can.
    fn shrink(&mut self, len: usize);

    /// How long it can become.
    fn limit(&self) -> usize;

    /// How much it occupies.
    fn capacity(&self) -> usize;
}

#[cfg(feature = "rustls")]
impl Memory for Vec<u8> {
    const IS_FIXED: bool = false;

    fn grow(&mut self, len: usize) {
        if let Some(more @ 1..) = len.checked_sub(self.len()) {
            // Where memory is short, no more than what was asked for.
            if cfg!(not(feature = "std")) {
                self.reserve_exact(more);
            }
            self.resize(len, 0);
        }
    }

    fn shrink(&mut self, len: usize) {
        self.truncate(len);
        self.shrink_to_fit();
    }

    fn limit(&self) -> usize {
        usize::MAX
    }

    fn capacity(&self) -> usize {
        self.capacity()
    }
}

impl Memory for &mut [u8] {
    const IS_FIXED: bool = true;

    fn grow(&mut self, _len: usize) {}

    fn shrink(&mut self, _len: usize) {}

    fn limit(&self) -> usize {
        self.len()
    }

    fn capacity(&self) -> usize {
        self.len()
    }
}
