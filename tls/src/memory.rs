//! What buffers lie in: the heap, or what the caller lends.

#[cfg(feature = "rustls")]
use alloc::vec;
#[cfg(feature = "rustls")]
use alloc::vec::Vec;

#[cfg(feature = "rustls")]
use crate::adaptive::Adaptive;
use crate::reading::Reading;

/// Whether there is an operating system, and so memory for more than what is asked for.
pub(crate) const IS_AMPLE: bool = cfg!(feature = "std");

/// Bytes for a [`Buffer`](crate::buffer::Buffer). Empty by default.
#[expect(unnameable_types, reason = "engines are sealed")]
pub trait Memory: AsRef<[u8]> + AsMut<[u8]> + Default {
    /// Whether [`grow`](Self::grow) has no effect.
    const IS_FIXED: bool;

    /// How much is read into it at once.
    type Reading: Reading;

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

    type Reading = Adaptive;

    fn grow(&mut self, len: usize) {
        if len <= self.len() {
            return;
        }
        if IS_AMPLE {
            return self.resize(len, 0);
        }
        // No more than what was asked for. Where anything in a program is compiled for the least size, `resize` may set byte after byte.
        let mut grown = vec![0; len];
        if let Some(front) = grown.get_mut(..self.len()) {
            front.copy_from_slice(self);
        }
        *self = grown;
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

    type Reading = ();

    fn grow(&mut self, _len: usize) {}

    fn shrink(&mut self, _len: usize) {}

    fn limit(&self) -> usize {
        self.len()
    }

    fn capacity(&self) -> usize {
        self.len()
    }
}
