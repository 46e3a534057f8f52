//! A transport that notes what is offered to it, and fails when it is told to.

use core::cell::{Cell, RefCell};
use core::fmt;
use std::rc::Rc;

use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use tacket::testing::MemoryError;
use tacket::{AsyncResource, Error as _, Fault, HalfCloseable, ReceiveStream, SendStream, Split};

/// A transport that notes every byte that was ever offered to it, and fails for a while when it is told to.
pub(super) struct Recording<S> {
    inner: S,
    tape: Tape,
}

/// What it has noted, and what is to happen.
#[derive(Clone, Default)]
pub(super) struct Tape(Rc<Notes>);

#[derive(Default)]
struct Notes {
    /// How many bytes were taken.
    taken: Cell<usize>,
    /// All that were ever offered.
    offered: RefCell<Vec<u8>>,
    /// How many operations go well before one fails, and how.
    left: Cell<Option<(usize, Fault)>>,
}

/// The failure that it was told of, or one of the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Told(Fault),
    Memory(MemoryError),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("trouble")
    }
}

impl core::error::Error for Trouble {}

impl embedded_io_async::Error for Trouble {
    fn kind(&self) -> ErrorKind {
        self.fault().kind()
    }
}

impl tacket::Error for Trouble {
    fn fault(&self) -> Fault {
        match self {
            Self::Told(fault) => *fault,
            Self::Memory(error) => error.fault(),
        }
    }
}

impl Tape {
    /// After so many operations one fails.
    pub(super) fn fail_after(&self, operations: usize, fault: Fault) {
        self.0.left.set(Some((operations, fault)));
    }

    /// Whether that has not come to pass. From now on nothing fails.
    pub(super) fn is_left(&self) -> bool {
        self.0.left.take().is_some()
    }

    /// What the transport has taken.
    pub(super) fn sent(&self) -> Vec<u8> {
        self.0.offered.borrow()[..self.0.taken.get()].to_vec()
    }

    fn count(&self) -> Result<(), Trouble> {
        match self.0.left.take() {
            Some((0, fault)) => Err(Trouble::Told(fault)),
            left => {
                self.0.left.set(left.map(|(left, fault)| (left - 1, fault)));
                Ok(())
            }
        }
    }

    /// Bytes for a place where others were offered before are the same: another record under the same number would be different ones.
    fn note(&self, bytes: &[u8]) {
        let mut offered = self.0.offered.borrow_mut();
        let before = &offered[self.0.taken.get()..];
        let both = before.len().min(bytes.len());
        assert_eq!(before[..both], bytes[..both], "something else was offered");
        offered.extend_from_slice(&bytes[both..]);
    }
}

impl<S> Recording<S> {
    pub(super) fn new(inner: S) -> (Self, Tape) {
        let tape = Tape::default();
        let recording = Self {
            inner,
            tape: tape.clone(),
        };
        (recording, tape)
    }
}

impl<S: ErrorType> ErrorType for Recording<S> {
    type Error = Trouble;
}

impl<S: ErrorType<Error = MemoryError> + Write> Write for Recording<S> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Trouble> {
        self.tape.note(buf);
        self.tape.count()?;
        let count = self.inner.write(buf).await.map_err(Trouble::Memory)?;
        let taken = &self.tape.0.taken;
        taken.set(taken.get() + count);
        Ok(count)
    }

    async fn flush(&mut self) -> Result<(), Trouble> {
        self.tape.count()?;
        self.inner.flush().await.map_err(Trouble::Memory)
    }
}

impl<S: ErrorType<Error = MemoryError> + Read> Read for Recording<S> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Trouble> {
        self.tape.count()?;
        self.inner.read(buf).await.map_err(Trouble::Memory)
    }
}

impl<S: ReceiveStream + ErrorType<Error = MemoryError>> ReceiveStream for Recording<S> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, Trouble> {
        self.tape.count()?;
        self.inner.receive_some(buf).await.map_err(Trouble::Memory)
    }
}

impl<S: SendStream + ErrorType<Error = MemoryError>> SendStream for Recording<S> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), Trouble> {
        let waited = self.inner.wait_send_all_might_not_block().await;
        waited.map_err(Trouble::Memory)
    }
}

impl<S: HalfCloseable + ErrorType<Error = MemoryError>> HalfCloseable for Recording<S> {
    async fn send_eof(&mut self) -> Result<(), Trouble> {
        self.inner.send_eof().await.map_err(Trouble::Memory)
    }
}

impl<S: AsyncResource + ErrorType<Error = MemoryError>> AsyncResource for Recording<S> {
    async fn close(self) -> Result<(), Trouble> {
        self.inner.close().await.map_err(Trouble::Memory)
    }
}

impl<S: Split + ErrorType<Error = MemoryError>> Split for Recording<S> {
    type Sending<'a>
        = Recording<S::Sending<'a>>
    where
        Self: 'a;
    type Receiving<'a>
        = Recording<S::Receiving<'a>>
    where
        Self: 'a;

    fn split(&mut self) -> (Self::Sending<'_>, Self::Receiving<'_>) {
        let (tx, rx) = self.inner.split();
        let sending = Recording {
            inner: tx,
            tape: self.tape.clone(),
        };
        let receiving = Recording {
            inner: rx,
            tape: self.tape.clone(),
        };
        (sending, receiving)
    }
}
