//! The SMSC LAN9118, a 10/100 Ethernet controller with FIFOs instead of DMA, in 32-bit mode.
//!
//! Registers, bits and sequences are those of its datasheet (revision 1.5). It was tried on the model of QEMU 7.2, which sends a frame as its
//! last word is written: on silicon, whoever writes has to look for room in the FIFO first.

use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;

/// The longest frame, without its checksum.
const LONGEST: usize = 1514;

/// What a frame is padded to, without its checksum.
const SHORTEST: usize = 60;

const CHECKSUM: usize = 4;

/// Whole words.
const RECEIVE_BUFFER: usize = (LONGEST + CHECKSUM).next_multiple_of(4);
const SEND_BUFFER: usize = LONGEST.next_multiple_of(4);

/// How often a register is read before the controller counts as absent.
const PATIENCE: usize = 1_000_000;

/// How many full frames the receive FIFO holds: more at once are lost, so the peer must not have more than these under way.
const BURST: usize = 6;

/// Offsets of the registers that are used.
mod register {
    pub(super) const RX_DATA: usize = 0x00;
    pub(super) const TX_DATA: usize = 0x20;
    pub(super) const RX_STATUS: usize = 0x40;
    pub(super) const TX_STATUS: usize = 0x48;
    pub(super) const ID_REV: usize = 0x50;
    pub(super) const IRQ_CFG: usize = 0x54;
    pub(super) const INT_STS: usize = 0x58;
    pub(super) const INT_EN: usize = 0x5C;
    pub(super) const BYTE_TEST: usize = 0x64;
    pub(super) const FIFO_INT: usize = 0x68;
    pub(super) const RX_CFG: usize = 0x6C;
    pub(super) const TX_CFG: usize = 0x70;
    pub(super) const HW_CFG: usize = 0x74;
    pub(super) const RX_FIFO_INF: usize = 0x7C;
    pub(super) const TX_FIFO_INF: usize = 0x80;
    pub(super) const PMT_CTRL: usize = 0x84;
    pub(super) const MAC_CSR_CMD: usize = 0xA4;
    pub(super) const MAC_CSR_DATA: usize = 0xA8;
    pub(super) const AFC_CFG: usize = 0xAC;
}

/// Registers of the MAC, which are reached through two of the others.
mod mac {
    pub(super) const MAC_CR: u32 = 1;
    pub(super) const ADDRH: u32 = 2;
    pub(super) const ADDRL: u32 = 3;
    pub(super) const MII_ACC: u32 = 6;
    pub(super) const MII_DATA: u32 = 7;
}

/// Registers of the PHY, which are reached through two of the MAC's.
mod phy {
    pub(super) const CONTROL: u32 = 0;
    pub(super) const STATUS: u32 = 1;
    pub(super) const INTERRUPT_SOURCE: u32 = 29;
    pub(super) const INTERRUPT_MASK: u32 = 30;
}

/// INT_STS and INT_EN: a frame is there.
const RSFL: u32 = 1 << 3;
/// INT_STS and INT_EN: the PHY has something to say.
const PHY_INT: u32 = 1 << 18;

/// RX_STATUS: something is wrong with the frame.
const RX_ERROR: u32 = 1 << 15;

/// MAC_CSR_CMD: not done yet; to read, not to write.
const MAC_BUSY: u32 = 1 << 31;
const MAC_READ: u32 = 1 << 30;

/// MAC_CR: full duplex, sending and receiving; frames to other addresses are filtered out.
const MAC_ON: u32 = 1 << 20 | 1 << 3 | 1 << 2;

/// MII_ACC: the PHY in the chip; to write, not to read; not done yet.
const MII_ADDRESS: u32 = 1 << 11;
const MII_WRITE: u32 = 1 << 1;
const MII_BUSY: u32 = 1 << 0;

/// Control register of the PHY: agree with the peer on speed and duplex, from the start.
const PHY_NEGOTIATE: u32 = 1 << 12 | 1 << 9;
/// Control register of the PHY: what is sent comes back, at 100 Mbit/s, full duplex.
const PHY_LOOPBACK: u32 = 1 << 14 | 1 << 13 | 1 << 8;
/// Status register of the PHY: there is a link.
const PHY_LINK: u32 = 1 << 2;

/// The side of the interrupt: a `static` of the board's.
pub(crate) struct Interrupt {
    registers: Registers,
    waker: AtomicWaker,
    link_changed: AtomicBool,
}

impl Interrupt {
    /// For a controller at this address.
    ///
    /// # Safety
    ///
    /// A LAN9118 is there, and nothing else uses it.
    pub(crate) const unsafe fn new(address: usize) -> Self {
        Self {
            registers: Registers(address),
            waker: AtomicWaker::new(),
            link_changed: AtomicBool::new(true),
        }
    }

    /// The interrupt handler: leaves everything to the driver, and is quiet until that has looked.
    pub(crate) fn on_interrupt(&self) {
        if self.registers.read(register::INT_STS) & PHY_INT != 0 {
            self.link_changed.store(true, Ordering::Release);
        }
        self.registers.write(register::INT_EN, 0);
        self.waker.wake();
    }
}

/// Memory for one frame each way.
pub(crate) struct Frames {
    receive: [u8; RECEIVE_BUFFER],
    send: [u8; SEND_BUFFER],
}

impl Frames {
    /// Zeroes.
    pub(crate) const fn new() -> Self {
        Self {
            receive: [0; RECEIVE_BUFFER],
            send: [0; SEND_BUFFER],
        }
    }
}

/// The controller, as a driver for embassy-net.
pub struct Lan9118 {
    interrupt: &'static Interrupt,
    frames: &'static mut Frames,
    address: [u8; 6],
    link: LinkState,
}

impl Lan9118 {
    /// Resets the controller and sets it up: full duplex, interrupts for frames and for the link.
    ///
    /// # Panics
    ///
    /// When no such controller answers.
    pub(crate) fn start(interrupt: &'static Interrupt, frames: &'static mut Frames) -> Self {
        let registers = interrupt.registers;
        registers.wait_for(register::PMT_CTRL, |value| value & 1 != 0);
        registers.wait_for(register::BYTE_TEST, |value| value == 0x8765_4321);
        assert_eq!(registers.read(register::ID_REV) >> 16, 0x0118, "no LAN9118");

        registers.write(register::HW_CFG, 1); // soft reset
        registers.wait_for(register::HW_CFG, |value| value & 1 == 0);
        registers.write(register::HW_CFG, 5 << 16); // 5 KiB of FIFO to send from, the rest to receive into
        registers.write(register::AFC_CFG, 0x006E_3740); // the datasheet's flow control levels
        registers.write(register::IRQ_CFG, 1 << 8 | 1 << 4 | 1); // on, active high, push-pull
        registers.write(register::INT_EN, 0);
        registers.write(register::INT_STS, u32::MAX);
        registers.write(register::FIFO_INT, 0x48 << 24); // RSFL from the first frame on
        registers.write(register::RX_CFG, 0); // frames begin at a word
        registers.write(register::TX_CFG, 1 << 1); // on

        let (low, high) = (
            registers.read_mac(mac::ADDRL).to_le_bytes(),
            registers.read_mac(mac::ADDRH).to_le_bytes(),
        );
        let address = [low[0], low[1], low[2], low[3], high[0], high[1]];
        registers.write_phy(phy::INTERRUPT_MASK, 1 << 6 | 1 << 4); // negotiated; link down
        registers.write_phy(phy::CONTROL, PHY_NEGOTIATE);
        registers.write_mac(mac::MAC_CR, MAC_ON);
        registers.write(register::INT_EN, RSFL | PHY_INT);
        Self {
            interrupt,
            frames,
            address,
            link: LinkState::Down,
        }
    }

    /// Makes every frame that is sent come straight back, and the link be up, for tests; or ends that.
    pub fn set_loopback(&mut self, on: bool) {
        let control = if on { PHY_LOOPBACK } else { PHY_NEGOTIATE };
        self.interrupt.registers.write_phy(phy::CONTROL, control);
    }

    /// Takes the next good frame out of the controller, and returns its length.
    fn take_frame(&mut self) -> Option<usize> {
        let registers = self.interrupt.registers;
        while registers.read(register::RX_FIFO_INF) >> 16 & 0xFF != 0 {
            let status = registers.read(register::RX_STATUS);
            let length = (status >> 16 & 0x3FFF) as usize;
            // A frame of any length is read to its last word: the register that skips one is not to be relied on.
            let mut words = self.frames.receive.as_chunks_mut().0.iter_mut();
            for _ in 0..length.div_ceil(4) {
                let word = registers.read(register::RX_DATA);
                if let Some(place) = words.next() {
                    *place = word.to_le_bytes();
                }
            }
            let payload = length.saturating_sub(CHECKSUM);
            if status & RX_ERROR == 0 && (1..=LONGEST).contains(&payload) {
                return Some(payload);
            }
        }
        None
    }

    /// Lets interrupts come again. Those that came meanwhile are lost, so the caller looks once more.
    fn listen(&self, cx: &Context<'_>) {
        let registers = self.interrupt.registers;
        self.interrupt.waker.register(cx.waker());
        registers.write(register::INT_STS, RSFL);
        registers.write(register::INT_EN, RSFL | PHY_INT);
    }
}

impl Driver for Lan9118 {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Received<'_>, Sending<'_>)> {
        let length = match self.take_frame() {
            Some(length) => length,
            None => {
                self.listen(cx);
                self.take_frame()?
            }
        };
        let frame = &mut self.frames.receive[..length];
        let sending = Sending {
            registers: self.interrupt.registers,
            frame: &mut self.frames.send,
        };
        Some((Received(frame), sending))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Sending<'_>> {
        Some(Sending {
            registers: self.interrupt.registers,
            frame: &mut self.frames.send,
        })
    }

    fn link_state(&mut self, cx: &mut Context<'_>) -> LinkState {
        self.interrupt.waker.register(cx.waker());
        if self.interrupt.link_changed.load(Ordering::Acquire) {
            self.interrupt.link_changed.store(false, Ordering::Release);
            let registers = self.interrupt.registers;
            registers.read_phy(phy::INTERRUPT_SOURCE); // reading it quiets the PHY
            registers.write(register::INT_STS, PHY_INT);
            registers.write(register::INT_EN, RSFL | PHY_INT);
            registers.read_phy(phy::STATUS); // that it was down stays there until it is read
            self.link = match registers.read_phy(phy::STATUS) & PHY_LINK {
                0 => LinkState::Down,
                _ => LinkState::Up,
            };
        }
        self.link
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = LONGEST;
        capabilities.max_burst_size = Some(BURST);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.address)
    }
}

/// A frame that has come.
pub struct Received<'a>(&'a mut [u8]);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

/// A frame that may go.
pub struct Sending<'a> {
    registers: Registers,
    frame: &'a mut [u8; SEND_BUFFER],
}

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let result = write(&mut self.frame[..length]);
        let padded = length.max(SHORTEST);
        self.frame[length..padded].fill(0);
        let bytes = padded as u32;
        self.registers
            .write(register::TX_DATA, 1 << 13 | 1 << 12 | bytes); // the first and last piece of a frame
        self.registers.write(register::TX_DATA, bytes << 16 | bytes);
        for word in &self.frame.as_chunks().0[..padded.div_ceil(4)] {
            self.registers
                .write(register::TX_DATA, u32::from_le_bytes(*word));
        }
        // Nobody asks how it went, but the FIFO of answers must not fill.
        while self.registers.read(register::TX_FIFO_INF) >> 16 & 0xFF != 0 {
            self.registers.read(register::TX_STATUS);
        }
        result
    }
}

/// The registers of a controller at this address.
#[derive(Clone, Copy)]
struct Registers(usize);

impl Registers {
    fn read(self, offset: usize) -> u32 {
        // SAFETY: a controller is there, by the promise to `Interrupt::new`; its registers have no effect on memory.
        unsafe { ((self.0 + offset) as *const u32).read_volatile() }
    }

    fn write(self, offset: usize, value: u32) {
        // SAFETY: as above.
        unsafe { ((self.0 + offset) as *mut u32).write_volatile(value) }
    }

    #[track_caller]
    fn wait_for(self, offset: usize, is_right: impl Fn(u32) -> bool) {
        let came = (0..PATIENCE).any(|_| is_right(self.read(offset)));
        assert!(came, "the network controller does not answer");
    }

    fn read_mac(self, index: u32) -> u32 {
        self.write(register::MAC_CSR_CMD, MAC_BUSY | MAC_READ | index);
        self.wait_for(register::MAC_CSR_CMD, |value| value & MAC_BUSY == 0);
        self.read(register::MAC_CSR_DATA)
    }

    fn write_mac(self, index: u32, value: u32) {
        self.write(register::MAC_CSR_DATA, value);
        self.write(register::MAC_CSR_CMD, MAC_BUSY | index);
        self.wait_for(register::MAC_CSR_CMD, |value| value & MAC_BUSY == 0);
    }

    fn read_phy(self, index: u32) -> u32 {
        self.write_mac(mac::MII_ACC, MII_ADDRESS | index << 6 | MII_BUSY);
        self.wait_for_phy();
        self.read_mac(mac::MII_DATA)
    }

    fn write_phy(self, index: u32, value: u32) {
        self.write_mac(mac::MII_DATA, value);
        self.write_mac(
            mac::MII_ACC,
            MII_ADDRESS | index << 6 | MII_WRITE | MII_BUSY,
        );
        self.wait_for_phy();
    }

    #[track_caller]
    fn wait_for_phy(self) {
        let came = (0..PATIENCE).any(|_| self.read_mac(mac::MII_ACC) & MII_BUSY == 0);
        assert!(came, "the PHY does not answer");
    }
}
