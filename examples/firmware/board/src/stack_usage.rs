//! How deep the stack has been.

use core::fmt;

/// How deep the stack has been since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackUsage {
    /// The most that was in use, in bytes.
    pub deepest: usize,
    /// What there is, in bytes.
    pub size: usize,
}

impl StackUsage {
    /// What there is, in bytes: all RAM that no variable has.
    #[must_use]
    pub fn region() -> usize {
        let (bottom, top) = ends();
        top as usize - bottom as usize
    }

    /// Looks for the deepest place that the program wrote to. `None` where the start-up code paints no stack.
    #[cfg(target_arch = "arm")]
    #[must_use]
    pub fn measure() -> Option<Self> {
        let (bottom, _) = ends();
        let size = Self::region();
        let untouched = (0..size / 4)
            // SAFETY: these are the words of the stack, painted at the start, read one by one.
            .take_while(|&word| unsafe { bottom.add(word).read_volatile() } == cortex_m_rt::STACK_PAINT_VALUE)
            .count();
        let deepest = size - untouched * 4;
        Some(Self { deepest, size })
    }

    /// Looks for the deepest place that the program wrote to. `None` where the start-up code paints no stack.
    #[cfg(not(target_arch = "arm"))]
    #[must_use]
    pub fn measure() -> Option<Self> {
        None
    }
}

/// Where the stack may end, and where it starts.
fn ends() -> (*const u32, *const u32) {
    unsafe extern "C" {
        static _stack_start: u32;
        #[cfg_attr(target_arch = "arm", link_name = "_stack_end")]
        #[cfg_attr(target_arch = "riscv32", link_name = "__ebss")]
        static LOWEST: u32;
    }
    (&raw const LOWEST, &raw const _stack_start)
}

impl fmt::Display for StackUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { deepest, size } = self;
        write!(f, "{deepest} of {size}")
    }
}
