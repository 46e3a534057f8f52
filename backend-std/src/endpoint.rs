//! What every stream of the operating system shares: ends and failures that stay.

use core::cell::Cell;
use core::future::poll_fn;
use std::io::{self, Read, Write};

use tacket::Error as _;
use tacket::Fault;

use crate::error::{Cause, IoError, Operation};
use crate::reactor::{Direction, Source};

/// A descriptor that can be read through a shared reference.
pub(crate) trait ReadShared {
    fn read_shared(&self, buf: &mut [u8]) -> io::Result<usize>;
}

impl<S> ReadShared for S
where
    for<'a> &'a S: Read,
{
    fn read_shared(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut this = self;
        this.read(buf)
    }
}

/// A descriptor that can be written to through a shared reference.
pub(crate) trait WriteShared {
    fn write_shared(&self, data: &[u8]) -> io::Result<usize>;
}

impl<S> WriteShared for S
where
    for<'a> &'a S: Write,
{
    fn write_shared(&self, data: &[u8]) -> io::Result<usize> {
        let mut this = self;
        this.write(data)
    }
}

/// A registered source with the memory that the contract asks for. Both directions work through `&self`.
#[derive(Debug)]
pub(crate) struct Endpoint<S: mio::event::Source> {
    source: Source<S>,
    send_ended: Cell<bool>,
    send_failure: Cell<Option<Cause>>,
    receive_ended: Cell<bool>,
    receive_failure: Cell<Option<Cause>>,
}

impl<S: mio::event::Source> Endpoint<S> {
    pub(crate) const fn new(source: Source<S>) -> Self {
        Self {
            source,
            send_ended: Cell::new(false),
            send_failure: Cell::new(None),
            receive_ended: Cell::new(false),
            receive_failure: Cell::new(None),
        }
    }

    pub(crate) const fn source(&self) -> &Source<S> {
        &self.source
    }

    pub(crate) const fn io(&self) -> &S {
        self.source.io()
    }

    /// Whether the sending direction is over, so that dropping cuts nothing short.
    pub(crate) const fn is_send_over(&self) -> bool {
        self.send_ended.get() || self.send_failure.get().is_some()
    }

    fn check_sending(&self, operation: Operation) -> Result<(), IoError> {
        if self.send_ended.get() {
            return Err(IoError::refused(operation, Fault::Closed));
        }
        again(self.send_failure.get(), operation)
    }

    /// Waits until a send might find room.
    pub(crate) async fn wait_writable(&self) -> Result<(), IoError> {
        self.check_sending(Operation::Send)?;
        poll_fn(|cx| self.source.poll_ready(Direction::Write, cx))
            .await
            .map_err(|error| IoError::new(Operation::Send, error))
    }

    /// Ends the sending direction by `shutdown`, once.
    pub(crate) fn end_sending(
        &self,
        shutdown: impl FnOnce(&S) -> io::Result<()>,
    ) -> Result<(), IoError> {
        if self.send_ended.get() {
            return Ok(());
        }
        again(self.send_failure.get(), Operation::SendEof)?;
        match shutdown(self.io()) {
            // The peer is gone altogether: there is nobody left to tell. Receiving reports how it went.
            Err(error) if error.kind() != io::ErrorKind::NotConnected => {
                Err(IoError::new(Operation::SendEof, error))
            }
            _ => {
                self.send_ended.set(true);
                Ok(())
            }
        }
    }
}

impl<S: mio::event::Source + WriteShared> Endpoint<S> {
    /// Sends what there is room for, at least a byte of `data`.
    pub(crate) async fn send_some(&self, data: &[u8]) -> Result<usize, IoError> {
        self.check_sending(Operation::Send)?;
        if data.is_empty() {
            return Ok(0);
        }
        let sent = poll_fn(|cx| {
            let write = |io: &S| write_some(io, data);
            self.source.poll_io(Direction::Write, cx, data.len(), write)
        });
        sent.await.map_err(|cause| self.sending_failed(cause))
    }

    /// The same without waiting; `None` if there is no room.
    pub(crate) fn try_send_some(&self, data: &[u8]) -> Result<Option<usize>, IoError> {
        self.check_sending(Operation::Send)?;
        if data.is_empty() {
            return Ok(Some(0));
        }
        let write = |io: &S| write_some(io, data);
        let sent = self.source.try_io(Direction::Write, data.len(), write);
        sent.transpose().map_err(|cause| self.sending_failed(cause))
    }

    fn sending_failed(&self, cause: io::Error) -> IoError {
        let failure = Cause::from(&cause);
        let error = IoError::new(Operation::Send, cause);
        if error.fault() == Fault::Broken {
            self.send_failure.set(Some(failure));
        }
        error
    }
}

fn write_some(io: &impl WriteShared, data: &[u8]) -> io::Result<usize> {
    match io.write_shared(data) {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        result => result,
    }
}

impl<S: mio::event::Source + ReadShared> Endpoint<S> {
    /// Receives what is there, at least a byte, or the end.
    pub(crate) async fn receive_some(&self, buf: &mut [u8]) -> Result<usize, IoError> {
        match self.check_receiving(buf)? {
            Some(end) => Ok(end),
            None => {
                let asked = buf.len();
                let received = poll_fn(|cx| {
                    let read = |io: &S| io.read_shared(buf);
                    self.source.poll_io(Direction::Read, cx, asked, read)
                });
                self.received(received.await)
            }
        }
    }

    /// The same without waiting; `None` if nothing is there.
    pub(crate) fn try_receive_some(&self, buf: &mut [u8]) -> Result<Option<usize>, IoError> {
        match self.check_receiving(buf)? {
            Some(end) => Ok(Some(end)),
            None => {
                let asked = buf.len();
                let read = |io: &S| io.read_shared(buf);
                let received = self.source.try_io(Direction::Read, asked, read);
                received.map(|received| self.received(received)).transpose()
            }
        }
    }

    /// Waits until a receive might find something. A failure is for that to report.
    pub(crate) async fn wait_readable(&self) -> Result<(), IoError> {
        if self.receive_ended.get() || self.receive_failure.get().is_some() {
            return Ok(());
        }
        poll_fn(|cx| self.source.poll_ready(Direction::Read, cx))
            .await
            .map_err(|error| IoError::new(Operation::Receive, error))
    }

    /// What a receive into `buf` comes to without the system.
    fn check_receiving(&self, buf: &[u8]) -> Result<Option<usize>, IoError> {
        if buf.is_empty() {
            return Err(IoError::refused(Operation::Receive, Fault::InvalidInput));
        }
        if self.receive_ended.get() {
            return Ok(Some(0));
        }
        again(self.receive_failure.get(), Operation::Receive).map(|()| None)
    }

    fn received(&self, received: io::Result<usize>) -> Result<usize, IoError> {
        match received {
            Ok(0) => self.end_of_receiving(),
            Ok(count) => Ok(count),
            Err(cause) => {
                let failure = Cause::from(&cause);
                let error = IoError::new(Operation::Receive, cause);
                if error.fault() == Fault::Broken {
                    self.receive_failure.set(Some(failure));
                    self.send_failure
                        .set(self.send_failure.get().or(Some(failure)));
                }
                Err(error)
            }
        }
    }

    /// Tells the end of the stream from the silence after a reset.
    ///
    /// The system reports a reset once, to whoever asks first; after that a read looks like an end. A send that learnt of
    /// a reset is remembered here. `EPIPE` is no reset: the peer had sent its end before.
    fn end_of_receiving(&self) -> Result<usize, IoError> {
        match self.send_failure.get() {
            Some(cause) if io::Error::from(cause).kind() != io::ErrorKind::BrokenPipe => {
                self.receive_failure.set(Some(cause));
                again(Some(cause), Operation::Receive).map(|()| 0)
            }
            _ => {
                self.receive_ended.set(true);
                Ok(0)
            }
        }
    }

    /// Takes what has arrived already, without waiting.
    ///
    /// Unread bytes make the system answer a close with a reset, which can destroy what was sent last. A peer that sends
    /// faster than they are taken meets the bound, more than a system's receive buffer holds by default.
    pub(crate) fn discard_received(&self) {
        const MOST: usize = 8 << 20;
        if self.receive_ended.get() || self.receive_failure.get().is_some() {
            return;
        }
        let mut scrap = [0; 16 << 10];
        let mut taken = 0;
        while taken < MOST {
            match self.io().read_shared(&mut scrap) {
                Ok(count @ 1..) => taken += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return,
            }
        }
    }
}

/// Reports an earlier failure once more.
fn again(failure: Option<Cause>, operation: Operation) -> Result<(), IoError> {
    failure.map_or(Ok(()), |cause| Err(IoError::new(operation, cause.into())))
}
