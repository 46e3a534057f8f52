//! What is taken from the allocator.

use tacket_tests::Used;

pub fn measure(part: &mut dyn FnMut()) -> Used {
    let measured = allocation_counter::measure(part);
    Used {
        left: measured.bytes_current,
        most: i64::try_from(measured.bytes_max).unwrap_or(i64::MAX),
    }
}
