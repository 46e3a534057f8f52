//! How much memory the variables of the program take.

/// How many bytes the variables take, whatever their first value, as the linker has laid them out. The stack is beside them.
#[must_use]
pub fn static_ram() -> usize {
    unsafe extern "C" {
        static __sdata: u32;
        static __edata: u32;
        static __sbss: u32;
        static __ebss: u32;
    }
    let length = |from: *const u32, to: *const u32| to as usize - from as usize;
    length(&raw const __sdata, &raw const __edata) + length(&raw const __sbss, &raw const __ebss)
}
