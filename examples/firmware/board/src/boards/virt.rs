//! QEMU's generic RISC-V machine, `-M virt`, with 32 bits and virtio-net.
//!
//! Nothing here is interrupted: the processor sleeps until an interrupt is pending, and the executor's loop then looks what it is. So there is no
//! trap handler. The timer is the CLINT's, described in the SiFive FU540 manual, chapter 9; interrupts come through a PLIC, as in the RISC-V PLIC
//! specification. Addresses are those of QEMU's `hw/riscv/virt.c`.

use riscv::register::{mie, mip};
pub use riscv_rt::entry;
use static_cell::ConstStaticCell;

use crate::ethernet::{Buffers, Interrupt, VirtioNet};
use crate::time;

/// The board's network controller.
pub type Ethernet = VirtioNet;

/// Ticks a microsecond of the timer.
const TICKS_PER_MICROSECOND: u64 = 10;

/// The CLINT: when the processor's timer interrupt is due, and the time.
const MTIMECMP: usize = 0x0200_4000;
const MTIME: usize = 0x0200_BFF8;

/// The PLIC: priorities of the interrupts, which of them are on, the least priority that counts, and who is it.
const PRIORITIES: usize = 0x0C00_0000;
const ENABLED: usize = 0x0C00_2000;
const THRESHOLD: usize = 0x0C20_0000;
const CLAIM: usize = 0x0C20_0004;

/// Where devices of virtio can be, and their interrupts. QEMU fills them from the last one on.
const LAST_SLOT: usize = 0x1000_8000;
const LAST_SLOT_IRQ: u32 = 8;

// ---------------------------------------------------------------- time

/// Lets the timer end a sleep.
pub(crate) fn start() {
    set_alarm(u64::MAX);
    // SAFETY: interrupts stay off for the processor as a whole: this one only wakes it.
    unsafe { mie::set_mtimer() };
}

/// Microseconds since the start.
pub(crate) fn now() -> u64 {
    let time = loop {
        let high = read(MTIME + 4);
        let low = read(MTIME);
        if read(MTIME + 4) == high {
            break u64::from(high) << 32 | u64::from(low);
        }
    };
    time / TICKS_PER_MICROSECOND
}

/// Sets the alarm for the microsecond `at`; `u64::MAX` is never. False if that is over already.
pub(crate) fn set_alarm(at: u64) -> bool {
    let ticks = at.saturating_mul(TICKS_PER_MICROSECOND);
    // Never a time in between that is earlier than both.
    write(MTIMECMP, u32::MAX);
    write(MTIMECMP + 4, (ticks >> 32) as u32);
    write(MTIMECMP, ticks as u32);
    at > now()
}

// ---------------------------------------------------------------- sleep

/// Sleeps until the next interrupt, unless a task was `woken` already; then sees to the interrupts.
pub(crate) fn sleep_unless(woken: impl Fn() -> bool) {
    if !woken() {
        riscv::asm::wfi();
    }
    let pending = mip::read();
    if pending.mtimer() {
        time::on_alarm();
    }
    if pending.mext() {
        let irq = read(CLAIM);
        if irq == LAST_SLOT_IRQ {
            ETHERNET.on_interrupt();
        }
        write(CLAIM, irq);
    }
}

// ---------------------------------------------------------------- network

// SAFETY: a slot is there, and is used here only.
static ETHERNET: Interrupt = unsafe { Interrupt::new(LAST_SLOT) };

static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new(Buffers::new());

/// Starts the network controller.
///
/// # Panics
///
/// When it is called again, or when there is none.
pub fn ethernet() -> Ethernet {
    let ethernet = VirtioNet::start(&ETHERNET, BUFFERS.take());
    write(PRIORITIES + 4 * LAST_SLOT_IRQ as usize, 1);
    write(ENABLED, 1 << LAST_SLOT_IRQ);
    write(THRESHOLD, 0);
    // SAFETY: as for the timer.
    unsafe { mie::set_mext() };
    ethernet
}

/// Something that differs from one time to another, for tests: **this is no entropy**, and must not make a key.
pub fn insecure_seed() -> u64 {
    now()
}

fn read(address: usize) -> u32 {
    // SAFETY: a register of the CLINT or the PLIC, neither of which has an effect on memory.
    unsafe { (address as *const u32).read_volatile() }
}

fn write(address: usize, value: u32) {
    // SAFETY: as above.
    unsafe { (address as *mut u32).write_volatile(value) }
}
