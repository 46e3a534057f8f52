//! Arm MPS2 with the image AN385 (Cortex-M3) or AN386 (Cortex-M4), as QEMU has it: `-M mps2-an385`, `-M mps2-an386`.
//!
//! Addresses and interrupts are those of the application notes DAI0385 and DAI0386, sections 3 and 4; the timers are described in the Cortex-M System
//! Design Kit's manual, DDI0479, section 4.5.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::NVIC;
use cortex_m::{asm, interrupt};
pub use cortex_m_rt::entry;

use static_cell::ConstStaticCell;

use crate::ethernet::{Frames, Interrupt, Lan9118};
use crate::time;

/// The board's network controller.
pub type Ethernet = Lan9118;

/// Ticks a microsecond of the peripherals' clock.
const TICKS_PER_MICROSECOND: u64 = 25;

const COUNTER: Timer = Timer(0x4000_1000);
const ALARM: Timer = Timer(0x4000_0000);
const LAN9118: usize = 0x4020_0000;

/// The interrupts that are used, by their number.
#[derive(Clone, Copy)]
#[repr(u16)]
enum Irq {
    Alarm = 8,
    Counter = 9,
    Ethernet = 13,
}

// SAFETY: each is one of the 32 interrupts of the board.
unsafe impl interrupt::InterruptNumber for Irq {
    fn number(self) -> u16 {
        self as u16
    }
}

/// The part of the vector table that the board decides.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [unsafe extern "C" fn(); 32] = {
    let mut table = [unexpected as unsafe extern "C" fn(); 32];
    table[Irq::Alarm as usize] = on_alarm;
    table[Irq::Counter as usize] = on_wrap;
    table[Irq::Ethernet as usize] = on_ethernet;
    table
};

extern "C" fn unexpected() {
    panic!("an interrupt that nobody switched on");
}

#[cortex_m_rt::exception]
unsafe fn HardFault(frame: &cortex_m_rt::ExceptionFrame) -> ! {
    panic!("hard fault: {frame:?}");
}

// ---------------------------------------------------------------- time

/// How often the counter has run through all its values.
static WRAPS: AtomicU32 = AtomicU32::new(0);

/// The longest alarm: the timer has 32 bits, which are 171 s.
const LONGEST_ALARM: u64 = 60_000_000;

/// Starts the counter, and lets interrupts in.
pub(crate) fn start() {
    COUNTER.run(u32::MAX, true);
    unmask(Irq::Counter);
    unmask(Irq::Alarm);
}

/// Microseconds since the start.
pub(crate) fn now() -> u64 {
    interrupt::free(|_| {
        let mut elapsed = COUNTER.elapsed();
        let mut wraps = WRAPS.load(Ordering::Relaxed);
        if COUNTER.is_interrupting() {
            // It wrapped just now, before or after it was read.
            elapsed = COUNTER.elapsed();
            // At 0 it interrupts, and a tick later it wraps.
            wraps = wraps.wrapping_add(u32::from(elapsed != u32::MAX));
        }
        (u64::from(wraps) << 32 | u64::from(elapsed)) / TICKS_PER_MICROSECOND
    })
}

/// Sets the alarm for the microsecond `at`, or earlier; `u64::MAX` is never. False if that is over already.
pub(crate) fn set_alarm(at: u64) -> bool {
    ALARM.stop();
    if at == u64::MAX {
        return true;
    }
    let Some(ahead @ 1..) = at.checked_sub(now()) else {
        return false;
    };
    // At most 60 s in ticks, which fits.
    ALARM.run(
        (ahead.min(LONGEST_ALARM) * TICKS_PER_MICROSECOND) as u32,
        true,
    );
    true
}

extern "C" fn on_alarm() {
    ALARM.stop();
    time::on_alarm();
}

extern "C" fn on_wrap() {
    COUNTER.clear();
    let wraps = WRAPS.load(Ordering::Relaxed);
    WRAPS.store(wraps.wrapping_add(1), Ordering::Relaxed);
}

/// An APB timer: it counts down to 0, interrupts, and starts over.
#[derive(Clone, Copy)]
struct Timer(usize);

impl Timer {
    const CTRL: usize = 0x0;
    const VALUE: usize = 0x4;
    const RELOAD: usize = 0x8;
    /// Reads as INTSTATUS, writes as INTCLEAR.
    const INT: usize = 0xC;

    const ENABLE: u32 = 1 << 0;
    const INTERRUPT: u32 = 1 << 3;

    fn run(self, ticks: u32, interrupting: bool) {
        self.stop();
        self.write(Self::RELOAD, ticks);
        self.write(Self::VALUE, ticks);
        let interrupt = if interrupting { Self::INTERRUPT } else { 0 };
        self.write(Self::CTRL, Self::ENABLE | interrupt);
    }

    fn stop(self) {
        self.write(Self::CTRL, 0);
        self.clear();
    }

    fn clear(self) {
        self.write(Self::INT, 1);
    }

    fn is_interrupting(self) -> bool {
        self.read(Self::INT) & 1 != 0
    }

    /// Ticks since it was at its highest value.
    fn elapsed(self) -> u32 {
        !self.read(Self::VALUE)
    }

    fn read(self, register: usize) -> u32 {
        // SAFETY: a register of a timer, which has no effect on memory.
        unsafe { ((self.0 + register) as *const u32).read_volatile() }
    }

    fn write(self, register: usize, value: u32) {
        // SAFETY: as above.
        unsafe { ((self.0 + register) as *mut u32).write_volatile(value) }
    }
}

// ---------------------------------------------------------------- sleep

/// Sleeps until the next interrupt, unless a task was `woken` already.
pub(crate) fn sleep_unless(woken: impl Fn() -> bool) {
    // An interrupt that comes in between waits, and keeps the processor from falling asleep.
    interrupt::free(|_| {
        if !woken() {
            asm::dsb();
            asm::wfi();
        }
    });
}

fn unmask(irq: Irq) {
    // SAFETY: nothing here relies on an interrupt being masked once its device is set up.
    unsafe { NVIC::unmask(irq) };
}

// ---------------------------------------------------------------- network

// SAFETY: it is there, and used here only.
static ETHERNET: Interrupt = unsafe { Interrupt::new(LAN9118) };

static FRAMES: ConstStaticCell<Frames> = ConstStaticCell::new(Frames::new());

/// Starts the network controller.
///
/// # Panics
///
/// When it is called again, or when the controller does not answer.
pub fn ethernet() -> Ethernet {
    let ethernet = Lan9118::start(&ETHERNET, FRAMES.take());
    unmask(Irq::Ethernet);
    ethernet
}

extern "C" fn on_ethernet() {
    ETHERNET.on_interrupt();
}

/// Something that differs from one time to another, for tests: **this is no entropy**, and must not make a key.
///
/// The board has no source of randomness. An application needs a chip that has one.
pub fn insecure_seed() -> u64 {
    now()
}
