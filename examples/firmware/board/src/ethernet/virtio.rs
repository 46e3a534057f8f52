//! A network controller of virtio, by the crate `virtio-drivers`: frames by DMA.

use core::cell::Cell;
use core::ptr::NonNull;
use core::task::Context;

use critical_section::Mutex;
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;
use static_cell::ConstStaticCell;
use virtio_drivers::device::net::VirtIONetRaw;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// The longest frame.
const LONGEST: usize = 1514;

/// Room for a frame and the device's header; a whole number of words.
const BUFFER: usize = 2048;

/// How many frames can be received before anybody looks.
const QUEUE: usize = 16;

/// Pages for the two queues.
const PAGES: usize = 8;

/// The length of a slot for a device.
const SLOT: usize = 0x1000;

type Device = VirtIONetRaw<Memory, MmioTransport<'static>, QUEUE>;

/// The side of the interrupt: a `static` of the board's.
pub(crate) struct Interrupt {
    slot: usize,
    waker: AtomicWaker,
}

impl Interrupt {
    const STATUS: usize = 0x60;
    const ACKNOWLEDGE: usize = 0x64;

    /// For a device in the slot at this address.
    ///
    /// # Safety
    ///
    /// A slot is there, and nothing else uses it.
    pub(crate) const unsafe fn new(slot: usize) -> Self {
        Self {
            slot,
            waker: AtomicWaker::new(),
        }
    }

    /// To be called when the device interrupts.
    pub(crate) fn on_interrupt(&self) {
        // SAFETY: a register of the slot, by the promise to `new`, which has no effect on memory.
        let reasons = unsafe { ((self.slot + Self::STATUS) as *const u32).read_volatile() };
        // SAFETY: as above.
        unsafe { ((self.slot + Self::ACKNOWLEDGE) as *mut u32).write_volatile(reasons) };
        self.waker.wake();
    }
}

/// Memory for frames.
pub(crate) struct Buffers {
    /// For the device to write to.
    shared: [[u8; BUFFER]; QUEUE],
    receive: [u8; LONGEST],
    send: [u8; LONGEST],
}

impl Buffers {
    /// Zeroes.
    pub(crate) const fn new() -> Self {
        Self {
            shared: [[0; BUFFER]; QUEUE],
            receive: [0; LONGEST],
            send: [0; LONGEST],
        }
    }
}

/// The controller, as a driver for embassy-net.
pub struct VirtioNet {
    device: Device,
    interrupt: &'static Interrupt,
    buffers: &'static mut Buffers,
}

impl VirtioNet {
    /// Sets the controller up.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub(crate) fn start(interrupt: &'static Interrupt, buffers: &'static mut Buffers) -> Self {
        let slot = NonNull::new(interrupt.slot as *mut VirtIOHeader);
        let slot = slot.expect("no slot is at the null address");
        // SAFETY: a slot is there, by the promise to `Interrupt::new`, which touches registers only that this does not.
        let transport = unsafe { MmioTransport::new(slot, SLOT) };
        let transport = transport.expect("a device of virtio");
        let mut controller = Self {
            device: Device::new(transport).expect("a network controller"),
            interrupt,
            buffers,
        };
        for place in 0..QUEUE {
            controller.offer(place);
        }
        controller
    }

    /// Gives a buffer to the device.
    fn offer(&mut self, place: usize) {
        let buffer = &mut self.buffers.shared[place];
        // SAFETY: the buffer is static, and is not touched before the device gives it back.
        let token = unsafe { self.device.receive_begin(buffer) };
        // The device takes the places of its queue in the order in which they became free, which is that of the buffers.
        assert_eq!(token, Ok(place as u16), "as many places as buffers");
    }

    /// Copies the next frame out of the memory shared with the device, and returns its length.
    fn take_frame(&mut self) -> Option<usize> {
        loop {
            let token = self.device.poll_receive()?;
            let place = usize::from(token);
            let buffer = &mut self.buffers.shared[place];
            // SAFETY: it is the buffer that the device got under this token.
            let received = unsafe { self.device.receive_complete(token, buffer) };
            let frame = received
                .ok()
                .and_then(|(start, length)| buffer.get(start..start + length));
            let place_for_it = frame.and_then(|frame| self.buffers.receive.get_mut(..frame.len()));
            let copied = frame.zip(place_for_it).map(|(frame, place)| {
                place.copy_from_slice(frame);
                frame.len()
            });
            self.offer(place);
            // What is no frame, or none that fits, is passed over.
            if let Some(length @ 1..) = copied {
                return Some(length);
            }
        }
    }
}

impl Driver for VirtioNet {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Received<'_>, Sending<'_>)> {
        let length = match self.take_frame() {
            Some(length) => length,
            None => {
                self.interrupt.waker.register(cx.waker());
                self.take_frame()?
            }
        };
        let sending = Sending {
            device: &mut self.device,
            frame: &mut self.buffers.send,
        };
        Some((Received(&mut self.buffers.receive[..length]), sending))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Sending<'_>> {
        Some(Sending {
            device: &mut self.device,
            frame: &mut self.buffers.send,
        })
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up // the crate does not tell
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = LONGEST;
        capabilities.max_burst_size = Some(QUEUE);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.device.mac_address())
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
    device: &'a mut Device,
    frame: &'a mut [u8; LONGEST],
}

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let frame = &mut self.frame[..length];
        let result = write(frame);
        // It waits until the device has the frame. One that the device refuses is lost, as on any network.
        let _ = self.device.send(frame);
        result
    }
}

/// The memory of the queues, and where the device sees memory: where it is.
struct Memory;

#[repr(C, align(4096))]
struct Pages([[u8; PAGE_SIZE]; PAGES]);

static QUEUES: ConstStaticCell<Pages> = ConstStaticCell::new(Pages([[0; PAGE_SIZE]; PAGES]));

/// What of it is not given out yet.
static FREE: Mutex<Cell<&'static mut [[u8; PAGE_SIZE]]>> = Mutex::new(Cell::new(&mut []));

// SAFETY: pages are aligned by their type, zeroed, and given out once; addresses are the same for the device.
unsafe impl Hal for Memory {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let given = critical_section::with(|cs| {
            let free = FREE.borrow(cs);
            let all = match QUEUES.try_take() {
                Some(queues) => &mut queues.0,
                None => free.take(),
            };
            let (given, rest) = all.split_at_mut(pages);
            free.set(rest);
            NonNull::from(given).cast::<u8>()
        });
        (given.as_ptr() as PhysAddr, given)
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        0 // the queues are there for good
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _: usize) -> NonNull<u8> {
        NonNull::new(address as *mut u8).expect("no device is at the null address")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.cast::<u8>().as_ptr() as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}
