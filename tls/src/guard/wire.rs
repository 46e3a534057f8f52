//! What `embedded-tls` takes for its socket: a window on the bytes that are moved now, in memory.
//!
//! It waits where the window is empty, or full, and only the engine can change that. So the engine decides what it sees and when
//! it goes on; between two steps of the engine it always stands where it is, and nothing that it has begun is ever dropped.

use core::cell::{Cell, RefCell};
use core::convert::Infallible;
use core::future::poll_fn;
use core::task::Poll;

use embedded_io_async::{ErrorType, Read, Write};

use super::flight::Stage;
use super::reason::GuardError;

/// How much is moved at once.
const WINDOW: usize = 128;

/// What the engine and `embedded-tls` share.
#[derive(Debug)]
pub(super) struct Wire {
    /// From the peer.
    pub(super) inbound: RefCell<Window>,
    /// To the peer.
    pub(super) outbound: RefCell<Window>,
    /// What the server has to send next.
    pub(super) stage: Cell<Stage>,
    /// What was found in a record of the handshake.
    pub(super) signal: Signal,
}

impl Wire {
    pub(super) const fn new() -> Self {
        Self {
            inbound: RefCell::new(Window::new()),
            outbound: RefCell::new(Window::new()),
            stage: Cell::new(Stage::Extensions),
            signal: Signal(Cell::new(Found::Nothing)),
        }
    }
}

/// Whether something was found, and what.
#[derive(Debug)]
pub(super) struct Signal(Cell<Found>);

impl Signal {
    pub(super) fn set(&self, error: GuardError) {
        self.0.set(Found::Error(error));
    }

    pub(super) fn get(&self) -> Option<GuardError> {
        match self.0.get() {
            Found::Nothing => None,
            Found::Error(error) => Some(error),
        }
    }
}

/// An option whose `None` is zero, as all of an empty storage is: a static one then has no first value in flash.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Found {
    Nothing,
    Error(GuardError),
}

/// A few bytes on their way.
#[derive(Debug)]
pub(super) struct Window {
    bytes: [u8; WINDOW],
    start: usize,
    end: usize,
}

impl Window {
    const fn new() -> Self {
        Self {
            bytes: [0; WINDOW],
            start: 0,
            end: 0,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(super) const fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Takes as much of `data` as there is room for, and returns how much.
    pub(super) fn put(&mut self, data: &[u8]) -> usize {
        if self.is_empty() {
            self.clear();
        }
        let room = self.bytes.get_mut(self.end..).unwrap_or_default();
        let count = copy(room, data);
        self.end += count;
        count
    }

    /// Gives as much as fits to `buf`, and returns how much.
    pub(super) fn give(&mut self, buf: &mut [u8]) -> usize {
        let filled = self.bytes.get(self.start..self.end).unwrap_or_default();
        let count = copy(buf, filled);
        self.start += count;
        count
    }
}

fn copy(to: &mut [u8], from: &[u8]) -> usize {
    let count = to.len().min(from.len());
    if let (Some(to), Some(from)) = (to.get_mut(..count), from.get(..count)) {
        to.copy_from_slice(from);
    }
    count
}

/// The end of the wire that `embedded-tls` holds.
#[derive(Debug)]
pub(super) struct Mailbox<'b>(pub(super) &'b Wire);

impl ErrorType for Mailbox<'_> {
    type Error = Infallible;
}

impl Read for Mailbox<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|_| match self.0.inbound.borrow_mut().give(buf) {
            0 if !buf.is_empty() => Poll::Pending,
            count => Poll::Ready(Ok(count)),
        })
        .await
    }
}

impl Write for Mailbox<'_> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Infallible> {
        poll_fn(|_| match self.0.outbound.borrow_mut().put(buf) {
            0 if !buf.is_empty() => Poll::Pending,
            count => Poll::Ready(Ok(count)),
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
