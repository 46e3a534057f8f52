//! TCP connections.

use core::future::poll_fn;
use core::marker::PhantomData;
use core::mem::replace;
use core::net::SocketAddr;
use core::pin::pin;
use core::task::{Poll, ready};

use embassy_time::{Instant, Timer};
use embedded_io_async::{ErrorType, Read, Write};
use tacket::{AsyncResource, HalfCloseable, IntoSplit, ReceiveStream, SendStream, Split};

use crate::clock::ticks;
use crate::pool::Pool;
use crate::slot::Slot;
use crate::{Net, NetError, address};

/// A TCP connection on a socket of the pool.
///
/// `Broken` comes after what had arrived before was received, and so does the end; but with the stack's own address goes what was not received by then.
/// [`close`](AsyncResource::close) waits until the peer has acknowledged everything, for as long as the pool's
/// [`Options::linger`](crate::Options::linger) allows. Dropped before it sent its end, it resets the connection; dropped
/// after that, what it sent is still delivered. Either is finished by [`Net::run`], and the socket returns to the pool.
///
/// ```no_run
/// # // Without a time driver this links nowhere.
/// use core::net::SocketAddr;
/// use tacket::{AsyncResource, SendStream};
/// use tacket_embassy::{Net, NetError, TcpStream};
///
/// async fn report(net: Net, server: SocketAddr, celsius: i8) -> Result<(), NetError> {
///     let mut stream = TcpStream::connect(net, server).await?;
///     stream.send_all(&celsius.to_be_bytes()).await?;
///     stream.close().await // once the server has it
/// }
/// ```
#[derive(Debug)]
pub struct TcpStream {
    handle: Handle,
}

/// One of those that hold a socket. With the last one the connection ends.
#[derive(Debug)]
pub(crate) struct Handle {
    pool: &'static Pool,
    slot: &'static Slot,
}

impl Handle {
    /// Of a slot that is held for it already.
    const fn of(pool: &'static Pool, slot: &'static Slot) -> Self {
        Self { pool, slot }
    }

    fn another(&self) -> Self {
        self.slot.retain();
        Self { ..*self }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.slot.release() {
            self.pool.let_go(self.slot);
        }
    }
}

impl TcpStream {
    /// Connects to `peer`, with a socket of `net`'s pool.
    ///
    /// # Errors
    ///
    /// [`NetError::Refused`], [`NetError::NoRoute`], [`NetError::InvalidAddress`], or
    /// [`NetError::PoolExhausted`] if no socket is free.
    ///
    /// # Cancel safety
    ///
    /// Safe. A dropped attempt is given up: the peer is told, and the socket returns to the pool.
    pub async fn connect(net: Net, peer: SocketAddr) -> Result<Self, NetError> {
        if peer.port() == 0 || peer.ip().is_unspecified() {
            return Err(NetError::InvalidAddress);
        }
        let pool = net.pool();
        let handle = Handle::of(pool, pool.take()?);
        if !address::has_own(pool.stack, peer.ip()) {
            return Err(NetError::NoRoute);
        }
        let mut started = false;
        poll_fn(|cx| {
            if !replace(&mut started, true) {
                handle.slot.connect(cx, peer)?;
                while pool.is_doubled(handle.slot) {
                    // Nothing of this attempt is sent. The next one has the next port.
                    handle.slot.abort(Instant::now());
                    handle.slot.hold();
                    handle.slot.connect(cx, peer)?;
                }
            }
            handle.slot.poll_connected(cx)
        })
        .await?;
        Ok(Self { handle })
    }

    pub(crate) const fn accepted(pool: &'static Pool, slot: &'static Slot) -> Self {
        Self {
            handle: Handle::of(pool, slot),
        }
    }

    /// The address of this side.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.handle.slot.addresses().0
    }

    /// The address of the peer.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.handle.slot.addresses().1
    }

    /// Parts the stream into halves that tasks of their own can keep.
    ///
    /// Dropping the receiving half throws away what arrives from then on. Once both are gone, the connection ends as
    /// that of a dropped stream: reset, unless the sending half has sent its end.
    #[must_use]
    pub fn into_split(self) -> (TcpSending<'static>, TcpReceiving<'static>) {
        let other = self.handle.another();
        (
            TcpSending::new(self.handle.slot, Some(self.handle)),
            TcpReceiving::new(other.slot, Some(other)),
        )
    }
}

impl AsyncResource for TcpStream {
    /// Sends the end, and waits until the peer has acknowledged it and everything before. What arrives meanwhile is
    /// thrown away.
    ///
    /// # Errors
    ///
    /// [`NetError::CloseTimedOut`]: the peer said nothing, and was reset. A peer that has reset the connection is no failure
    /// of a close, nor is that this stack has lost its address; a protocol that has to know whether its last data was processed waits for an answer to it.
    ///
    /// # Cancel safety
    ///
    /// Safe. Dropped, it resets the connection.
    async fn close(self) -> Result<(), NetError> {
        let Handle { pool, slot } = self.handle;
        if slot.send_eof().is_err() {
            return Ok(());
        }
        slot.set_leaving(true);
        let deadline = Instant::now().saturating_add(ticks(pool.options.linger));
        let mut alarm = Timer::at(deadline);
        poll_fn(|cx| {
            if slot.poll_delivered(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            slot.drain(cx);
            slot.watch_receiving(cx);
            ready!(pin!(&mut alarm).poll(cx));
            pool.note_unclean();
            Poll::Ready(Err(NetError::CloseTimedOut))
        })
        .await?;
        slot.set_leaving(false);
        Ok(())
    }
}

/// The sending half of a [`TcpStream`]: borrowed from it, or, with the lifetime `'static`, parted from it.
#[derive(Debug)]
pub struct TcpSending<'a> {
    slot: &'static Slot,
    /// Of a half that was parted from its stream.
    handle: Option<Handle>,
    stream: PhantomData<&'a mut TcpStream>,
}

/// The receiving half of a [`TcpStream`]: borrowed from it, or, with the lifetime `'static`, parted from it.
#[derive(Debug)]
pub struct TcpReceiving<'a> {
    slot: &'static Slot,
    /// Of a half that was parted from its stream.
    handle: Option<Handle>,
    stream: PhantomData<&'a mut TcpStream>,
}

impl TcpSending<'_> {
    const fn new(slot: &'static Slot, handle: Option<Handle>) -> Self {
        Self {
            slot,
            handle,
            stream: PhantomData,
        }
    }
}

impl TcpReceiving<'_> {
    const fn new(slot: &'static Slot, handle: Option<Handle>) -> Self {
        Self {
            slot,
            handle,
            stream: PhantomData,
        }
    }
}

impl TcpSending<'static> {
    /// Joins the halves of one stream again.
    ///
    /// # Errors
    ///
    /// Both halves, as they were, if they are not of one stream, or not parted from it.
    pub fn reunite(
        self,
        mut receiving: TcpReceiving<'static>,
    ) -> Result<TcpStream, (Self, TcpReceiving<'static>)> {
        if !core::ptr::eq(self.slot, receiving.slot) || receiving.handle.is_none() {
            return Err((self, receiving));
        }
        match self.handle {
            Some(handle) => {
                receiving.handle = None; // is not the end of receiving
                Ok(TcpStream { handle })
            }
            None => Err((self, receiving)),
        }
    }
}

impl AsyncResource for TcpSending<'static> {
    /// Sends the end, and leaves its delivery to the pool. The receiving half goes on.
    ///
    /// # Errors
    ///
    /// Never: that the peer is gone is no failure of a close.
    ///
    /// # Cancel safety
    ///
    /// Safe. It waits for nothing.
    async fn close(self) -> Result<(), NetError> {
        let _gone = self.slot.send_eof();
        Ok(())
    }
}

impl AsyncResource for TcpReceiving<'static> {
    /// Throws away what arrives from now on. The sending half goes on.
    ///
    /// # Errors
    ///
    /// Never.
    ///
    /// # Cancel safety
    ///
    /// Safe. It waits for nothing.
    async fn close(self) -> Result<(), NetError> {
        Ok(())
    }
}

impl Drop for TcpReceiving<'_> {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            self.slot.discard_received();
            handle.pool.task.wake();
        }
    }
}

impl Split for TcpStream {
    type Sending<'a> = TcpSending<'a>;
    type Receiving<'a> = TcpReceiving<'a>;

    fn split(&mut self) -> (TcpSending<'_>, TcpReceiving<'_>) {
        let slot = self.handle.slot;
        (TcpSending::new(slot, None), TcpReceiving::new(slot, None))
    }
}

impl IntoSplit for TcpStream {
    type OwnedSending = TcpSending<'static>;
    type OwnedReceiving = TcpReceiving<'static>;

    fn into_split(self) -> (Self::OwnedSending, Self::OwnedReceiving) {
        self.into_split()
    }

    fn reunite(
        sending: Self::OwnedSending,
        receiving: Self::OwnedReceiving,
    ) -> Result<Self, (Self::OwnedSending, Self::OwnedReceiving)> {
        sending.reunite(receiving)
    }
}

impl ErrorType for TcpStream {
    type Error = NetError;
}

impl ErrorType for TcpSending<'_> {
    type Error = NetError;
}

impl ErrorType for TcpReceiving<'_> {
    type Error = NetError;
}

impl Write for TcpSending<'_> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, NetError> {
        self.slot.send_some(buf).await
    }

    /// The stack has everything. It does not wait for the peer to have it.
    async fn flush(&mut self) -> Result<(), NetError> {
        self.slot.flush()
    }

    async fn write_all(&mut self, buf: &[u8]) -> Result<(), NetError> {
        self.slot.send_rest(&mut &*buf).await
    }
}

impl SendStream for TcpSending<'_> {
    async fn send_rest(&mut self, data: &mut &[u8]) -> Result<(), NetError> {
        self.slot.send_rest(data).await
    }

    async fn wait_send_all_might_not_block(&mut self) -> Result<(), NetError> {
        self.slot.might_send().await
    }
}

impl HalfCloseable for TcpSending<'_> {
    async fn send_eof(&mut self) -> Result<(), NetError> {
        self.slot.send_eof()
    }
}

impl Read for TcpReceiving<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, NetError> {
        self.slot.read(buf).await
    }
}

impl ReceiveStream for TcpReceiving<'_> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, NetError> {
        self.slot.receive_some(buf).await
    }
}

impl Write for TcpStream {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, NetError> {
        self.handle.slot.send_some(buf).await
    }

    /// The stack has everything. It does not wait for the peer to have it.
    async fn flush(&mut self) -> Result<(), NetError> {
        self.handle.slot.flush()
    }

    async fn write_all(&mut self, buf: &[u8]) -> Result<(), NetError> {
        self.handle.slot.send_rest(&mut &*buf).await
    }
}

impl SendStream for TcpStream {
    async fn send_rest(&mut self, data: &mut &[u8]) -> Result<(), NetError> {
        self.handle.slot.send_rest(data).await
    }

    async fn wait_send_all_might_not_block(&mut self) -> Result<(), NetError> {
        self.handle.slot.might_send().await
    }
}

impl HalfCloseable for TcpStream {
    async fn send_eof(&mut self) -> Result<(), NetError> {
        self.handle.slot.send_eof()
    }
}

impl Read for TcpStream {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, NetError> {
        self.handle.slot.read(buf).await
    }
}

impl ReceiveStream for TcpStream {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, NetError> {
        self.handle.slot.receive_some(buf).await
    }
}
