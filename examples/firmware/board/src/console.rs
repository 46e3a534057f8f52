//! The way to whoever boots the image, by semihosting: lines out, and an end.
//!
//! On hardware it needs a debugger. Without one, the first line stops the processor.

use core::panic::PanicInfo;

use crate::StackUsage;

/// Prints a line.
#[macro_export]
macro_rules! report {
    ($($part:tt)*) => { $crate::__println!($($part)*) };
}

/// Ends the program, and QEMU with it: its exit code is 0 for a success, 1 for a failure. Reports the depth of the stack first.
pub fn exit(success: bool) -> ! {
    if let Some(usage) = StackUsage::measure() {
        report!("stack {usage}");
    }
    semihosting::process::exit(i32::from(!success))
}

/// A panic is reported, and is the end.
#[panic_handler]
fn on_panic(info: &PanicInfo<'_>) -> ! {
    report!("{info}");
    semihosting::process::exit(1)
}
