//! Streams of a simulated network.

use alloc::rc::Rc;
use core::fmt;
use core::future::poll_fn;
use core::net::SocketAddr;

use embedded_io_async::{ErrorType, Read, Write};

use super::SimError;
use super::world::Shared;
use crate::{AsyncResource, HalfCloseable, LocalAddress, ReceiveStream, SendStream, Split};

/// Somebody has an end of a connection.
pub(super) struct Handle {
    shared: Rc<Shared>,
    connection: u64,
    side: usize,
}

impl Handle {
    pub(super) const fn new(shared: Rc<Shared>, connection: u64, side: usize) -> Self {
        Self {
            shared,
            connection,
            side,
        }
    }

    pub(super) async fn established(&self) -> Result<(), SimError> {
        poll_fn(|cx| {
            self.shared
                .with(|world| world.poll_established(cx, self.connection))
        })
        .await
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared
            .with(|world| world.let_go(self.connection, self.side));
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("connection", &self.connection)
            .field("side", &self.side)
            .finish_non_exhaustive()
    }
}

/// A connection between two [`SimHost`](super::SimHost)s, or of one with itself.
///
/// Its sender has a window: it waits while so many bytes were not received by the other end. `close` and `send_eof` do not wait
/// for the peer. Dropped without an end of its own, it is reset; what was on its way then arrives or not, as the seed decides.
#[derive(Debug)]
pub struct SimStream {
    sending: SimSending,
    receiving: SimReceiving,
}

impl SimStream {
    pub(super) fn new(handle: Handle) -> Self {
        let handle = Rc::new(handle);
        Self {
            sending: SimSending {
                handle: Rc::clone(&handle),
            },
            receiving: SimReceiving { handle },
        }
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// None, as long as the stream is there.
    pub fn peer_addr(&self) -> Result<SocketAddr, SimError> {
        self.sending.addresses().map(|(_, peer)| peer)
    }
}

/// The sending half of a [`SimStream`].
#[derive(Debug)]
pub struct SimSending {
    handle: Rc<Handle>,
}

/// The receiving half of a [`SimStream`].
#[derive(Debug)]
pub struct SimReceiving {
    handle: Rc<Handle>,
}

impl SimSending {
    fn end(&self) -> (u64, usize) {
        (self.handle.connection, self.handle.side)
    }

    fn addresses(&self) -> Result<(SocketAddr, SocketAddr), SimError> {
        let (connection, side) = self.end();
        let addresses = self
            .handle
            .shared
            .with(|world| world.addresses(connection, side));
        addresses.ok_or(SimError::Reset)
    }
}

impl ErrorType for SimSending {
    type Error = SimError;
}

impl Write for SimSending {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, SimError> {
        let shared = &self.handle.shared;
        poll_fn(|cx| shared.with(|world| world.poll_write(cx, self.end(), buf))).await
    }

    async fn flush(&mut self) -> Result<(), SimError> {
        Ok(())
    }

    async fn write_all(&mut self, buf: &[u8]) -> Result<(), SimError> {
        self.send_all(buf).await
    }
}

impl SendStream for SimSending {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), SimError> {
        let shared = &self.handle.shared;
        let room = poll_fn(|cx| shared.with(|world| world.poll_room(cx, self.end())));
        room.await.map(|_| ())
    }
}

impl HalfCloseable for SimSending {
    async fn send_eof(&mut self) -> Result<(), SimError> {
        let (connection, side) = self.end();
        self.handle
            .shared
            .with(|world| world.send_end(connection, side));
        Ok(())
    }
}

impl ErrorType for SimReceiving {
    type Error = SimError;
}

impl Read for SimReceiving {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, SimError> {
        match buf.is_empty() {
            true => Ok(0),
            false => self.receive_some(buf).await,
        }
    }
}

impl ReceiveStream for SimReceiving {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, SimError> {
        if buf.is_empty() {
            return Err(SimError::EmptyBuffer);
        }
        let Handle {
            shared,
            connection,
            side,
        } = &*self.handle;
        poll_fn(|cx| shared.with(|world| world.poll_read(cx, (*connection, *side), buf))).await
    }
}

impl ErrorType for SimStream {
    type Error = SimError;
}

impl Write for SimStream {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, SimError> {
        self.sending.write(buf).await
    }

    async fn flush(&mut self) -> Result<(), SimError> {
        self.sending.flush().await
    }

    async fn write_all(&mut self, buf: &[u8]) -> Result<(), SimError> {
        self.sending.write_all(buf).await
    }
}

impl SendStream for SimStream {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), SimError> {
        self.sending.wait_send_all_might_not_block().await
    }
}

impl HalfCloseable for SimStream {
    async fn send_eof(&mut self) -> Result<(), SimError> {
        self.sending.send_eof().await
    }
}

impl Read for SimStream {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, SimError> {
        self.receiving.read(buf).await
    }
}

impl ReceiveStream for SimStream {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, SimError> {
        self.receiving.receive_some(buf).await
    }
}

impl Split for SimStream {
    type Sending<'a> = &'a mut SimSending;
    type Receiving<'a> = &'a mut SimReceiving;

    fn split(&mut self) -> (Self::Sending<'_>, Self::Receiving<'_>) {
        (&mut self.sending, &mut self.receiving)
    }
}

impl AsyncResource for SimStream {
    async fn close(mut self) -> Result<(), SimError> {
        self.sending.send_eof().await
    }
}

impl LocalAddress for SimStream {
    fn local_addr(&self) -> Result<SocketAddr, SimError> {
        self.sending.addresses().map(|(local, _)| local)
    }
}
