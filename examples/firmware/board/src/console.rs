//! The way to whoever boots the image, by semihosting: lines out, and an end.
//!
//! On hardware it needs a debugger. Without one, the first line stops the processor.

use core::panic::PanicInfo;

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::Timer;

use crate::StackUsage;

/// How long the network has for what is still to be said.
const GRACE: u64 = 100;

/// The verdict, once there is one.
static VERDICT: Signal<CriticalSectionRawMutex, bool> = Signal::new();

/// Prints a line.
#[macro_export]
macro_rules! report {
    ($($part:tt)*) => { $crate::__println!($($part)*) };
}

/// Ends the program, and QEMU with it: its exit code is 0 for a success, 1 for a failure.
///
/// It goes on for another 100 ms, in which the last acknowledgements are sent, and reports the depth of the stack then.
pub fn exit(success: bool) {
    VERDICT.signal(success);
}

/// Waits for the verdict, and ends the program.
#[embassy_executor::task]
pub(crate) async fn end() -> ! {
    let success = VERDICT.wait().await;
    Timer::after_millis(GRACE).await;
    if let Some(usage) = StackUsage::measure() {
        report!("stack {usage}");
    }
    semihosting::process::exit(i32::from(!success))
}

/// A panic is reported, and is the end, at once. Without the feature `panic-text` none of its text is in the program.
#[panic_handler]
fn on_panic(info: &PanicInfo<'_>) -> ! {
    if cfg!(feature = "panic-text") {
        report!("{info}");
    } else {
        report!("a panic; the feature panic-text would say more");
    }
    semihosting::process::exit(1)
}
