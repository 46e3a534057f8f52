//! What every stream of the operating system shares: ends and failures that stay.

use core::cell::Cell;
use core::future::poll_fn;
use core::task::{Context, Poll, ready};
use std::io::{self, Read, Write};

use tacket::Error as _;
use tacket::Fault;

use crate::error::{Cause, IoError, Operation};
use crate::source::{Direction, Source};

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
    sending: Cell<Life>,
    receiving: Cell<Life>,
}

/// How far one direction has come. What is not open stays as it is.
#[derive(Clone, Copy, Debug)]
enum Life {
    Open,
    Ended,
    Failed(Cause),
}

impl<S: mio::event::Source> Endpoint<S> {
    pub(crate) const fn new(source: Source<S>) -> Self {
        Self {
            source,
            sending: Cell::new(Life::Open),
            receiving: Cell::new(Life::Open),
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
        !matches!(self.sending.get(), Life::Open)
    }

    /// Nothing is received or sent here any more, and dropping changes nothing of the connection: somebody else has it.
    pub(crate) fn let_go(&self) {
        self.sending.set(Life::Ended);
        self.receiving.set(Life::Ended);
    }

    #[inline]
    fn check_sending(&self) -> Result<(), IoError> {
        match self.sending.get() {
            Life::Open => Ok(()),
            Life::Ended => Err(IoError::refused(Operation::Send, Fault::Closed)),
            Life::Failed(cause) => Err(again(cause, Operation::Send)),
        }
    }

    /// Waits until a send might find room.
    pub(crate) async fn wait_writable(&self) -> Result<(), IoError> {
        self.check_sending()?;
        poll_fn(|cx| self.source.poll_ready(Direction::Write, cx))
            .await
            .map_err(|error| IoError::new(Operation::Send, error))
    }

    /// Ends the sending direction by `shutdown`, once.
    pub(crate) fn end_sending(
        &self,
        shutdown: impl FnOnce(&S) -> io::Result<()>,
    ) -> Result<(), IoError> {
        match self.sending.get() {
            Life::Open => {}
            Life::Ended => return Ok(()),
            Life::Failed(cause) => return Err(again(cause, Operation::SendEof)),
        }
        match shutdown(self.io()) {
            // The peer is gone altogether: there is nobody left to tell. Receiving reports how it went.
            Err(error) if !is_over(&error) => Err(IoError::new(Operation::SendEof, error)),
            _ => {
                self.sending.set(Life::Ended);
                Ok(())
            }
        }
    }
}

impl<S: mio::event::Source + WriteShared> Endpoint<S> {
    /// Sends what there is room for, at least a byte of `data`.
    pub(crate) fn send_some(&self, data: &[u8]) -> impl Future<Output = Result<usize, IoError>> {
        poll_fn(|cx| self.poll_send(cx, data))
    }

    /// Sends all of `data`, of which the rest is left wherever this is dropped.
    pub(crate) fn send_rest(&self, data: &mut &[u8]) -> impl Future<Output = Result<(), IoError>> {
        poll_fn(|cx| self.poll_send_rest(cx, data))
    }

    /// Sends all of `data`.
    pub(crate) fn send_all(&self, data: &[u8]) -> impl Future<Output = Result<(), IoError>> {
        let mut rest = data;
        poll_fn(move |cx| self.poll_send_rest(cx, &mut rest))
    }

    fn poll_send_rest(&self, cx: &Context<'_>, rest: &mut &[u8]) -> Poll<Result<(), IoError>> {
        loop {
            let count = ready!(self.poll_send(cx, rest))?;
            *rest = rest.get(count..).unwrap_or_default();
            if rest.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn poll_send(&self, cx: &Context<'_>, data: &[u8]) -> Poll<Result<usize, IoError>> {
        self.check_sending()?;
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let write = |io: &S| write_some(io, data);
        let sent = ready!(self.source.poll_io(Direction::Write, cx, data.len(), write));
        Poll::Ready(sent.map_err(|cause| self.sending_failed(cause)))
    }

    /// Sends what there is room for, without waiting; `None` if there is none.
    pub(crate) fn try_send_some(&self, data: &[u8]) -> Result<Option<usize>, IoError> {
        self.check_sending()?;
        if data.is_empty() {
            return Ok(Some(0));
        }
        let write = |io: &S| write_some(io, data);
        let sent = self.source.try_io(Direction::Write, data.len(), write);
        sent.transpose().map_err(|cause| self.sending_failed(cause))
    }

    #[cold]
    fn sending_failed(&self, cause: io::Error) -> IoError {
        let failure = Cause::from(&cause);
        let error = IoError::new(Operation::Send, cause);
        if error.fault() == Fault::Broken {
            self.sending.set(Life::Failed(failure));
        }
        error
    }
}

/// Whether a connection that cannot be ended is over already. Systems have several words for it.
fn is_over(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::NotConnected | Kind::ConnectionReset | Kind::ConnectionAborted
    )
}

fn write_some(io: &impl WriteShared, data: &[u8]) -> io::Result<usize> {
    match io.write_shared(data) {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        result => result,
    }
}

impl<S: mio::event::Source + ReadShared> Endpoint<S> {
    /// Receives what is there, at least a byte, or the end.
    pub(crate) fn receive_some(
        &self,
        buf: &mut [u8],
    ) -> impl Future<Output = Result<usize, IoError>> {
        poll_fn(|cx| self.poll_receive(cx, buf))
    }

    /// The same, but into no room at all nothing is received, which is no error.
    pub(crate) fn read(&self, buf: &mut [u8]) -> impl Future<Output = Result<usize, IoError>> {
        poll_fn(|cx| match buf.is_empty() {
            true => Poll::Ready(Ok(0)),
            false => self.poll_receive(cx, buf),
        })
    }

    fn poll_receive(&self, cx: &Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, IoError>> {
        if !self.may_receive(buf) {
            return Poll::Ready(self.receive_nothing(buf));
        }
        let asked = buf.len();
        let read = |io: &S| io.read_shared(buf);
        let received = ready!(self.source.poll_io(Direction::Read, cx, asked, read));
        Poll::Ready(self.received(received))
    }

    /// Receives what is there, without waiting; `None` if nothing is there.
    pub(crate) fn try_receive_some(&self, buf: &mut [u8]) -> Result<Option<usize>, IoError> {
        if !self.may_receive(buf) {
            return self.receive_nothing(buf).map(Some);
        }
        let asked = buf.len();
        let read = |io: &S| io.read_shared(buf);
        let received = self.source.try_io(Direction::Read, asked, read);
        received.map(|received| self.received(received)).transpose()
    }

    /// Waits until a receive might find something. A failure is for that to report.
    pub(crate) async fn wait_readable(&self) -> Result<(), IoError> {
        if !matches!(self.receiving.get(), Life::Open) {
            return Ok(());
        }
        poll_fn(|cx| self.source.poll_ready(Direction::Read, cx))
            .await
            .map_err(|error| IoError::new(Operation::Receive, error))
    }

    /// Whether the system has to be asked what a receive into `buf` comes to.
    const fn may_receive(&self, buf: &[u8]) -> bool {
        matches!(self.receiving.get(), Life::Open) && !buf.is_empty()
    }

    /// What it comes to if not.
    #[cold]
    fn receive_nothing(&self, buf: &[u8]) -> Result<usize, IoError> {
        if buf.is_empty() {
            return Err(IoError::refused(Operation::Receive, Fault::InvalidInput));
        }
        match self.receiving.get() {
            Life::Open | Life::Ended => Ok(0),
            Life::Failed(cause) => Err(again(cause, Operation::Receive)),
        }
    }

    fn received(&self, received: io::Result<usize>) -> Result<usize, IoError> {
        match received {
            Ok(0) => self.end_of_receiving(),
            Ok(count) => Ok(count),
            Err(cause) => Err(self.receiving_failed(cause)),
        }
    }

    #[cold]
    fn receiving_failed(&self, cause: io::Error) -> IoError {
        let failure = Cause::from(&cause);
        let error = IoError::new(Operation::Receive, cause);
        if error.fault() == Fault::Broken {
            self.receiving.set(Life::Failed(failure));
            if let Life::Open = self.sending.get() {
                self.sending.set(Life::Failed(failure));
            }
        }
        error
    }

    /// Tells the end of the stream from the silence after a reset.
    ///
    /// The system reports a reset once, to whoever asks first; after that a read looks like an end. A send that learnt of
    /// a reset is remembered here. `EPIPE` is no reset: the peer had sent its end before.
    fn end_of_receiving(&self) -> Result<usize, IoError> {
        match self.sending.get() {
            Life::Failed(cause) if io::Error::from(cause).kind() != io::ErrorKind::BrokenPipe => {
                self.receiving.set(Life::Failed(cause));
                Err(again(cause, Operation::Receive))
            }
            _ => {
                self.receiving.set(Life::Ended);
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
        if !matches!(self.receiving.get(), Life::Open) {
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

/// An earlier failure, reported once more.
#[cold]
fn again(cause: Cause, operation: Operation) -> IoError {
    IoError::new(operation, cause.into())
}
