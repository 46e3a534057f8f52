//! A heap of a fixed size, which remembers how full it has been.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering};

use embedded_alloc::LlffHeap;
use static_cell::ConstStaticCell;
use tacket_board::report;

/// A heap of `N` bytes, for a program with one core.
///
/// ```ignore
/// #[global_allocator]
/// static HEAP: Heap<81_920> = Heap::new();
/// ```
pub struct Heap<const N: usize> {
    memory: ConstStaticCell<[u8; N]>,
    inner: LlffHeap,
    most: AtomicUsize,
}

impl<const N: usize> Heap<N> {
    /// The heap, without its memory.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            memory: ConstStaticCell::new([0; N]),
            inner: LlffHeap::empty(),
            most: AtomicUsize::new(0),
        }
    }

    /// Gives it its memory. Nothing can be allocated before.
    ///
    /// # Panics
    ///
    /// When it has it already.
    pub fn start(&'static self) {
        let memory = self.memory.take();
        // SAFETY: nobody else has this memory, and it is there as long as the program.
        unsafe { self.inner.init(memory.as_mut_ptr() as usize, N) };
    }

    /// Reports the most bytes that were in use at the same time.
    pub fn tell_most(&self) {
        let most = self.most.load(Ordering::Relaxed);
        report!("heap {most} of {N}");
    }
}

// SAFETY: all memory is that of the heap inside.
unsafe impl<const N: usize> GlobalAlloc for Heap<N> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are what the heap inside asks for.
        let place = unsafe { self.inner.alloc(layout) };
        self.most.fetch_max(self.inner.used(), Ordering::Relaxed);
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { self.inner.dealloc(place, layout) };
    }
}
