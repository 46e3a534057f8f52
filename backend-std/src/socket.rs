//! Streams over sockets, of whatever kind.

use core::fmt;
use std::io;

use embedded_io_async::{ErrorType, Read, Write};
use socket2::{SockRef, Socket, Type};
use tacket::{AsyncResource, HalfCloseable, ReceiveStream, SendStream};

use crate::endpoint::Endpoint;
use crate::error::{IoError, Operation};
use crate::socket_kind::SocketKind;
use crate::source::Source;

/// A connected socket: a [`TcpStream`](crate::TcpStream) or a `UnixStream`, which say what is particular to each.
///
/// * `close` ends the sending direction and releases the socket; the system delivers what was sent in the background.
/// * A reset by the peer is [`Fault::Broken`](tacket::Fault::Broken) in both directions, and never looks like an end.
/// * Both directions at once: [`Split`](tacket::Split) lends them, [`into_split`](Self::into_split) gives them away.
///
/// Everything else that a system can do with a socket is there through its descriptor (`AsFd`, on Windows `AsSocket`). A clone of that shares the
/// connection, and its end: who is to have it alone gets it by `into_std`. The pending error of a socket (`SO_ERROR`) belongs to the stream: the system tells
/// it once, and after a reset that was asked away, a receive finds an end.
///
/// ```
/// use socket2::SockRef;
/// use tacket::{AsyncResource, LocalAddress};
/// use tacket_std::{TcpListener, TcpStream};
///
/// # tacket_std::run(async {
/// let listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
/// let stream = TcpStream::connect(listener.local_addr()?).await?;
/// let socket = SockRef::from(&stream);
/// assert!(socket.tcp_nodelay()?); // as every stream has it
/// socket.set_keepalive(true)?;
/// stream.close().await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SocketStream<K: SocketKind> {
    endpoint: Endpoint<K::Socket>,
}

impl<K: SocketKind> SocketStream<K> {
    /// Takes a socket that is, or will be, connected. Dropped from here on, it is aborted.
    pub(crate) const fn new(source: Source<K::Socket>) -> Self {
        Self {
            endpoint: Endpoint::new(source),
        }
    }

    pub(crate) const fn source(&self) -> &Source<K::Socket> {
        self.endpoint.source()
    }

    pub(crate) const fn io(&self) -> &K::Socket {
        self.endpoint.io()
    }

    pub(crate) fn send_eof_now(&self) -> Result<(), IoError> {
        self.endpoint.end_sending(K::end_sending)
    }

    pub(crate) fn close_now(&self) -> Result<(), IoError> {
        if self.endpoint.is_send_over() {
            return Ok(());
        }
        self.send_eof_now()
    }

    /// Another handle to the connection, which is no longer ours to end.
    pub(crate) fn give_away(self) -> Result<Socket, IoError> {
        let duplicate = SockRef::from(self.io()).try_clone();
        let socket = duplicate.map_err(|error| IoError::new(Operation::GiveAway, error))?;
        self.endpoint.let_go();
        Ok(socket)
    }

    pub(crate) const fn endpoint(&self) -> &Endpoint<K::Socket> {
        &self.endpoint
    }

    /// Receives what is there, without waiting; `None` if nothing is, or others are to have their turn first.
    ///
    /// With [`wait_receive_some_might_not_block`](Self::wait_receive_some_might_not_block), many idle connections can share
    /// one buffer:
    ///
    /// ```
    /// use core::cell::RefCell;
    /// use tacket::{AsyncResource, SendStream};
    /// use tacket_std::{IoError, TcpStream};
    ///
    /// /// Counts what arrives, in a buffer that it has only while something is there.
    /// async fn count(mut stream: TcpStream, buf: &RefCell<Vec<u8>>) -> Result<usize, IoError> {
    ///     let mut total = 0;
    ///     loop {
    ///         stream.wait_receive_some_might_not_block().await?;
    ///         match stream.try_receive_some(&mut buf.borrow_mut())? {
    ///             None => {}
    ///             Some(0) => return Ok(total),
    ///             Some(count) => total += count,
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`receive_some`](ReceiveStream::receive_some).
    pub fn try_receive_some(&mut self, buf: &mut [u8]) -> Result<Option<usize>, IoError> {
        self.endpoint.try_receive_some(buf)
    }

    /// Waits until a receive might find something: data, the end, or a failure. It may return early, never late.
    ///
    /// # Errors
    ///
    /// Outside [`run`](crate::run) it cannot wait: [`Fault::Unsupported`](tacket::Fault::Unsupported).
    ///
    /// # Cancel safety
    ///
    /// Safe. It takes nothing.
    pub async fn wait_receive_some_might_not_block(&mut self) -> Result<(), IoError> {
        self.endpoint.wait_readable().await
    }

    /// Sends what there is room for, without waiting, and returns how much that is; `None` if there is none, or others are to have
    /// their turn first.
    ///
    /// # Errors
    ///
    /// Those of [`send_all`](SendStream::send_all).
    pub fn try_send_some(&mut self, data: &[u8]) -> Result<Option<usize>, IoError> {
        self.endpoint.try_send_some(data)
    }
}

/// Rejects what is no stream, whatever type it has here.
pub(crate) fn check_streams(socket: &SockRef<'_>) -> io::Result<()> {
    if socket.r#type()? == Type::STREAM {
        return Ok(());
    }
    let cause = "the socket is none of streams";
    Err(io::Error::new(io::ErrorKind::InvalidInput, cause))
}

impl<K: SocketKind> AsyncResource for SocketStream<K> {
    /// Sends the end and releases the socket. It does not wait: the system goes on delivering.
    ///
    /// What has arrived but was not received is discarded.
    ///
    /// # Errors
    ///
    /// The system refused to end the connection for another reason than that it is over.
    ///
    /// # Cancel safety
    ///
    /// Safe. Dropped before its first poll, it drops the stream.
    async fn close(self) -> Result<(), IoError> {
        self.close_now()
    }
}

impl<K: SocketKind> Drop for SocketStream<K> {
    fn drop(&mut self) {
        if self.endpoint.is_send_over() {
            // Unread bytes make the system answer a close with a reset, which can destroy what was sent last.
            self.endpoint.discard_received();
        } else {
            K::abort(self.endpoint.io());
        }
    }
}

impl<K: SocketKind> fmt::Debug for SocketStream<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(K::NAME).field(self.endpoint.io()).finish()
    }
}

#[cfg(unix)]
impl<K: SocketKind> std::os::fd::AsFd for SocketStream<K> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.endpoint.io().as_fd()
    }
}

#[cfg(windows)]
impl<K: SocketKind> std::os::windows::io::AsSocket for SocketStream<K> {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.endpoint.io().as_socket()
    }
}

impl<K: SocketKind> ErrorType for SocketStream<K> {
    type Error = IoError;
}

impl<K: SocketKind> Write for SocketStream<K> {
    fn write(&mut self, buf: &[u8]) -> impl Future<Output = Result<usize, IoError>> {
        self.endpoint.send_some(buf)
    }

    async fn flush(&mut self) -> Result<(), IoError> {
        Ok(())
    }

    fn write_all(&mut self, buf: &[u8]) -> impl Future<Output = Result<(), IoError>> {
        self.endpoint.send_all(buf)
    }
}

impl<K: SocketKind> SendStream for SocketStream<K> {
    fn send_all(&mut self, data: &[u8]) -> impl Future<Output = Result<(), IoError>> {
        self.endpoint.send_all(data)
    }

    fn send_rest(&mut self, data: &mut &[u8]) -> impl Future<Output = Result<(), IoError>> {
        self.endpoint.send_rest(data)
    }

    fn wait_send_all_might_not_block(&mut self) -> impl Future<Output = Result<(), IoError>> {
        self.endpoint.wait_writable()
    }
}

impl<K: SocketKind> HalfCloseable for SocketStream<K> {
    async fn send_eof(&mut self) -> Result<(), IoError> {
        self.send_eof_now()
    }
}

impl<K: SocketKind> Read for SocketStream<K> {
    fn read(&mut self, buf: &mut [u8]) -> impl Future<Output = Result<usize, IoError>> {
        self.endpoint.read(buf)
    }
}

impl<K: SocketKind> ReceiveStream for SocketStream<K> {
    fn receive_some(&mut self, buf: &mut [u8]) -> impl Future<Output = Result<usize, IoError>> {
        self.endpoint.receive_some(buf)
    }
}
