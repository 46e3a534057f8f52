//! What runs tasks: polls those that were woken, and lets the processor sleep when there are none.

use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

use embassy_executor::{Spawner, raw};
use static_cell::StaticCell;

use crate::{board, console};

/// Whether a task was woken since the executor last looked.
static WOKEN: AtomicBool = AtomicBool::new(false);

/// The executor calls this whenever a task is woken, from a task or from an interrupt.
#[unsafe(export_name = "__pender")]
fn wake(_: *mut ()) {
    WOKEN.store(true, Ordering::Release);
}

/// Starts the board, then runs the tasks that `spawn` spawns, and those that they spawn, for ever.
///
/// The executors that come with embassy sleep by WFE, which QEMU takes for a pause of no length. This one sleeps by WFI.
///
/// # Panics
///
/// When it is called again.
pub fn run(spawn: impl FnOnce(Spawner)) -> ! {
    static EXECUTOR: StaticCell<raw::Executor> = StaticCell::new();
    let executor = EXECUTOR.init(raw::Executor::new(ptr::null_mut()));
    board::start();
    let spawner = executor.spawner();
    spawner.spawn(console::end().expect("one end"));
    spawn(spawner);
    loop {
        WOKEN.store(false, Ordering::Release);
        // SAFETY: this is the only place that polls, and no task can get here.
        unsafe { executor.poll() };
        board::sleep_unless(|| WOKEN.load(Ordering::Acquire));
    }
}
