//! The two directions of a socket, lent or given away.

use alloc::rc::Rc;
use core::ops::Deref;

use embedded_io_async::{ErrorType, Read, Write};
use tacket::{AsyncResource, HalfCloseable, IntoSplit, ReceiveStream, SendStream, Split};

use crate::error::IoError;
use crate::socket::SocketStream;
use crate::socket_kind::SocketKind;

/// The sending direction of a [`SocketStream`], which `R` is a reference to: borrowed by [`split`](tacket::Split::split), or shared
/// by [`into_split`](SocketStream::into_split).
///
/// The shared one is a resource of its own: closed, it sends the end. Dropped without an end, it aborts the connection once the
/// other half is gone too.
#[derive(Debug)]
pub struct SocketSending<R> {
    stream: R,
}

/// The receiving direction of a [`SocketStream`], which `R` is a reference to: borrowed by [`split`](tacket::Split::split), or shared
/// by [`into_split`](SocketStream::into_split).
///
/// The shared one is a resource of its own: closed or dropped, nobody receives any more. What arrives fills the system's buffers, and is
/// discarded when the other half is gone too.
#[derive(Debug)]
pub struct SocketReceiving<R> {
    stream: R,
}

impl<R> SocketSending<R> {
    pub(crate) const fn new(stream: R) -> Self {
        Self { stream }
    }
}

impl<R> SocketReceiving<R> {
    pub(crate) const fn new(stream: R) -> Self {
        Self { stream }
    }
}

impl<K: SocketKind> Split for SocketStream<K> {
    type Sending<'a>
        = SocketSending<&'a Self>
    where
        Self: 'a;
    type Receiving<'a>
        = SocketReceiving<&'a Self>
    where
        Self: 'a;

    fn split(&mut self) -> (SocketSending<&Self>, SocketReceiving<&Self>) {
        (SocketSending::new(self), SocketReceiving::new(self))
    }
}

impl<K: SocketKind> SocketStream<K> {
    /// Gives both directions away, each to be moved where it is needed, on this thread. It allocates once.
    ///
    /// ```
    /// use tacket::{AsyncResource, Listener, LocalAddress, ReceiveStream, SendStream};
    /// use tacket_std::{IoError, TcpListener, TcpStream};
    ///
    /// tacket_std::run(async {
    ///     let mut listener = TcpListener::bind("127.0.0.1:0".parse().expect("an address"))?;
    ///     let client = TcpStream::connect(listener.local_addr()?).await?;
    ///     let (mut tx, mut rx) = listener.accept().await?.into_split();
    ///     let sending = tacket_std::spawn(async move {
    ///         tx.send_all(b"hello").await?;
    ///         tx.close().await // the end
    ///     });
    ///     client.close().await?;
    ///     assert_eq!(rx.receive_some(&mut [0; 16]).await?, 0);
    ///     sending.await
    /// })??;
    /// # Ok::<(), IoError>(())
    /// ```
    pub fn into_split(self) -> (SocketSending<Rc<Self>>, SocketReceiving<Rc<Self>>) {
        let stream = Rc::new(self);
        let sending = SocketSending::new(Rc::clone(&stream));
        (sending, SocketReceiving::new(stream))
    }
}

impl<K: SocketKind> IntoSplit for SocketStream<K> {
    type OwnedSending = SocketSending<Rc<Self>>;
    type OwnedReceiving = SocketReceiving<Rc<Self>>;

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

impl<K: SocketKind> SocketSending<Rc<SocketStream<K>>> {
    /// Makes one stream of two halves again.
    ///
    /// # Errors
    ///
    /// They are of different streams; here they are.
    #[expect(
        clippy::type_complexity,
        reason = "it is what `into_split` returns, and nobody writes it down"
    )]
    pub fn reunite(
        self,
        other: SocketReceiving<Rc<SocketStream<K>>>,
    ) -> Result<SocketStream<K>, (Self, SocketReceiving<Rc<SocketStream<K>>>)> {
        if !Rc::ptr_eq(&self.stream, &other.stream) {
            return Err((self, other));
        }
        drop(self);
        // Nothing else has ever shared it.
        Rc::try_unwrap(other.stream).map_err(|stream| {
            let sending = Self::new(Rc::clone(&stream));
            (sending, SocketReceiving::new(stream))
        })
    }
}

impl<K: SocketKind> AsyncResource for SocketSending<Rc<SocketStream<K>>> {
    /// Sends the end.
    ///
    /// # Errors
    ///
    /// The system refused to end the connection for another reason than that it is over.
    ///
    /// # Cancel safety
    ///
    /// Safe. It waits for nothing.
    async fn close(self) -> Result<(), IoError> {
        self.stream.close_now()
    }
}

impl<K: SocketKind> AsyncResource for SocketReceiving<Rc<SocketStream<K>>> {
    /// Receives no more.
    ///
    /// # Errors
    ///
    /// Never.
    ///
    /// # Cancel safety
    ///
    /// Safe. It waits for nothing.
    async fn close(self) -> Result<(), IoError> {
        Ok(())
    }
}

impl<R: Deref<Target = SocketStream<K>>, K: SocketKind> ErrorType for SocketSending<R> {
    type Error = IoError;
}

impl<R: Deref<Target = SocketStream<K>>, K: SocketKind> ErrorType for SocketReceiving<R> {
    type Error = IoError;
}

impl<R: Deref<Target = SocketStream<K>>, K: SocketKind> Write for SocketSending<R> {
    fn write(&mut self, buf: &[u8]) -> impl Future<Output = Result<usize, IoError>> {
        self.stream.endpoint().send_some(buf)
    }

    async fn flush(&mut self) -> Result<(), IoError> {
        Ok(())
    }

    fn write_all(&mut self, buf: &[u8]) -> impl Future<Output = Result<(), IoError>> {
        self.stream.endpoint().send_all(buf)
    }
}

impl<R: Deref<Target = SocketStream<K>>, K: SocketKind> SendStream for SocketSending<R> {
    fn send_all(&mut self, data: &[u8]) -> impl Future<Output = Result<(), IoError>> {
        self.stream.endpoint().send_all(data)
    }

    fn send_rest(&mut self, data: &mut &[u8]) -> impl Future<Output = Result<(), IoError>> {
        self.stream.endpoint().send_rest(data)
    }

    fn wait_send_all_might_not_block(&mut self) -> impl Future<Output = Result<(), IoError>> {
        self.stream.endpoint().wait_writable()
    }
}

impl<R: Deref<Target = SocketStream<K>>, K: SocketKind> HalfCloseable for SocketSending<R> {
    async fn send_eof(&mut self) -> Result<(), IoError> {
        self.stream.send_eof_now()
    }
}

impl<R: Deref<Target = SocketStream<K>>, K: SocketKind> Read for SocketReceiving<R> {
    fn read(&mut self, buf: &mut [u8]) -> impl Future<Output = Result<usize, IoError>> {
        self.stream.endpoint().read(buf)
    }
}

impl<R: Deref<Target = SocketStream<K>>, K: SocketKind> ReceiveStream for SocketReceiving<R> {
    fn receive_some(&mut self, buf: &mut [u8]) -> impl Future<Output = Result<usize, IoError>> {
        self.stream.endpoint().receive_some(buf)
    }
}
