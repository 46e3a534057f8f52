//! TCP streams and listeners.

use core::future::poll_fn;
use core::net::{IpAddr, SocketAddr};
use core::task::Poll;
use core::time::Duration;
use std::io;
use std::net::Shutdown;

use embedded_io_async::{ErrorType, Read, Write};
use socket2::{Domain, SockRef, Socket, Type};
use tacket::{AsyncResource, Fault, HalfCloseable, LocalAddress, ReceiveStream, SendStream, Split};

use crate::endpoint::Endpoint;
use crate::error::{IoError, Operation, is_ignorable_on_accept};
use crate::reactor::{Direction, Moved, Source};

/// A TCP connection.
///
/// * Small writes leave at once (`TCP_NODELAY` is on).
/// * `close` ends the sending direction and releases the socket; the system delivers what was sent in the background.
/// * Dropped before `send_eof` or `close`, the connection is aborted: the peer sees a reset, so that half a message is never
///   mistaken for a whole one.
/// * A reset by the peer is [`Fault::Broken`](tacket::Fault::Broken) in both directions, and never looks like an end.
///
/// An example is on the [crate's page](crate).
#[derive(Debug)]
pub struct TcpStream {
    endpoint: Endpoint<mio::net::TcpStream>,
}

impl TcpStream {
    /// Connects to `address`.
    ///
    /// There is no time limit but the system's; see [`timeout`](tacket::timeout).
    ///
    /// # Errors
    ///
    /// [`Fault::Broken`](tacket::Fault::Broken): refused, unreachable or timed out by the system, which
    /// [`io_error`](IoError::io_error) tells. [`Fault::Capacity`](tacket::Fault::Capacity): no descriptor left.
    ///
    /// # Cancel safety
    ///
    /// Safe. A dropped future gives the attempt up. A connection that came about meanwhile is aborted.
    ///
    /// # Examples
    ///
    /// ```
    /// use tacket::{Error as _, Fault};
    /// use tacket_std::TcpStream;
    ///
    /// let nobody = "127.0.0.1:1".parse()?;
    /// let refused = tacket_std::run(TcpStream::connect(nobody))?.expect_err("nobody listens there");
    /// assert_eq!(refused.fault(), Fault::Broken);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn connect(address: SocketAddr) -> Result<Self, IoError> {
        let failed = |error| IoError::new(Operation::Connect(address), error);
        let socket = mio::net::TcpStream::connect(address).map_err(failed)?;
        Self::finish_connect(address, socket).await
    }

    /// Connects to `address` from `local`, an address of this machine, or an unspecified one for any of its version of IP.
    ///
    /// # Errors
    ///
    /// As of [`connect`](Self::connect), and [`Fault::InvalidInput`](tacket::Fault::InvalidInput): this machine does not have the
    /// address, or it is of another version of IP than `address`.
    ///
    /// # Cancel safety
    ///
    /// Safe. It is as `connect`.
    pub async fn connect_from(local: IpAddr, address: SocketAddr) -> Result<Self, IoError> {
        if local.is_ipv4() != address.is_ipv4() {
            return Err(IoError::refused(
                Operation::Connect(address),
                Fault::InvalidInput,
            ));
        }
        Self::finish_connect(address, start_from(local, address)?).await
    }

    /// Waits until the connection to `address` has come about on `socket`.
    async fn finish_connect(
        address: SocketAddr,
        socket: mio::net::TcpStream,
    ) -> Result<Self, IoError> {
        let failed = |error| IoError::new(Operation::Connect(address), error);
        let source = Source::new(socket, false).map_err(failed)?;
        // Dropped from here on, it aborts the connection, which may come about in this moment.
        let stream = Self::new(source);
        let source = stream.endpoint.source();
        loop {
            poll_fn(|cx| source.poll_ready(Direction::Write, cx))
                .await
                .map_err(failed)?;
            if let Some(error) = source.io().take_error().map_err(failed)? {
                return Err(failed(error));
            }
            match source.io().peer_addr() {
                Ok(_) => break,
                // The event was not about the connection yet.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    source.block(Direction::Write);
                }
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(stream.connected())
    }

    const fn new(source: Source<mio::net::TcpStream>) -> Self {
        Self {
            endpoint: Endpoint::new(source),
        }
    }

    /// Sets what every connection has, however it came about.
    fn connected(self) -> Self {
        // It fails only where the peer is gone already, and then the first receive says so.
        let _ = self.endpoint.io().set_nodelay(true);
        self
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// The system does not know it any more.
    pub fn local_addr(&self) -> Result<SocketAddr, IoError> {
        self.endpoint
            .io()
            .local_addr()
            .map_err(|error| IoError::new(Operation::Address, error))
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// The system does not know it any more: the peer is gone.
    pub fn peer_addr(&self) -> Result<SocketAddr, IoError> {
        self.endpoint
            .io()
            .peer_addr()
            .map_err(|error| IoError::new(Operation::Address, error))
    }

    fn send_eof_now(&self) -> Result<(), IoError> {
        self.endpoint
            .end_sending(|socket| socket.shutdown(Shutdown::Write))
    }
}

/// Begins to connect to `address` from `local`, at a port that the system chooses.
fn start_from(local: IpAddr, address: SocketAddr) -> Result<mio::net::TcpStream, IoError> {
    let failed = |error| IoError::new(Operation::Connect(address), error);
    let local = SocketAddr::new(local, 0);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None);
    let socket = socket.map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    let bound = socket.bind(&local.into());
    bound.map_err(|error| IoError::new(Operation::Bind(local), error))?;
    match socket.connect(&address.into()) {
        Err(error) if !is_under_way(&error) => Err(failed(error)),
        _ => Ok(mio::net::TcpStream::from_std(socket.into())),
    }
}

/// Whether a connection is about to come about.
fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::EINPROGRESS) {
        return true;
    }
    error.kind() == io::ErrorKind::WouldBlock
}

impl AsyncResource for TcpStream {
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
    /// Safe. Dropped before its first poll, it aborts the connection.
    async fn close(self) -> Result<(), IoError> {
        if !self.endpoint.is_send_over() {
            self.send_eof_now()?;
        }
        self.endpoint.discard_received();
        Ok(())
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        if !self.endpoint.is_send_over() {
            // A linger time of zero makes the system's close a reset. Where it fails, the peer is gone.
            let _ = SockRef::from(self.endpoint.io()).set_linger(Some(Duration::ZERO));
        }
    }
}

/// The sending half of a [`TcpStream`].
#[derive(Debug)]
pub struct TcpSending<'a> {
    stream: &'a TcpStream,
}

/// The receiving half of a [`TcpStream`].
#[derive(Debug)]
pub struct TcpReceiving<'a> {
    stream: &'a TcpStream,
}

impl Split for TcpStream {
    type Sending<'a> = TcpSending<'a>;
    type Receiving<'a> = TcpReceiving<'a>;

    fn split(&mut self) -> (TcpSending<'_>, TcpReceiving<'_>) {
        (TcpSending { stream: self }, TcpReceiving { stream: self })
    }
}

impl ErrorType for TcpStream {
    type Error = IoError;
}

impl ErrorType for TcpSending<'_> {
    type Error = IoError;
}

impl ErrorType for TcpReceiving<'_> {
    type Error = IoError;
}

impl Write for TcpSending<'_> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, IoError> {
        self.stream.endpoint.send_some(buf).await
    }

    async fn flush(&mut self) -> Result<(), IoError> {
        Ok(())
    }

    async fn write_all(&mut self, buf: &[u8]) -> Result<(), IoError> {
        self.send_all(buf).await
    }
}

impl SendStream for TcpSending<'_> {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), IoError> {
        self.stream.endpoint.wait_writable().await
    }
}

impl HalfCloseable for TcpSending<'_> {
    async fn send_eof(&mut self) -> Result<(), IoError> {
        self.stream.send_eof_now()
    }
}

impl Read for TcpReceiving<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, IoError> {
        if buf.is_empty() {
            Ok(0)
        } else {
            self.receive_some(buf).await
        }
    }
}

impl ReceiveStream for TcpReceiving<'_> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, IoError> {
        self.stream.endpoint.receive_some(buf).await
    }
}

impl Write for TcpStream {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, IoError> {
        self.split().0.write(buf).await
    }

    async fn flush(&mut self) -> Result<(), IoError> {
        self.split().0.flush().await
    }

    async fn write_all(&mut self, buf: &[u8]) -> Result<(), IoError> {
        self.split().0.write_all(buf).await
    }
}

impl SendStream for TcpStream {
    async fn wait_send_all_might_not_block(&mut self) -> Result<(), IoError> {
        self.split().0.wait_send_all_might_not_block().await
    }
}

impl HalfCloseable for TcpStream {
    async fn send_eof(&mut self) -> Result<(), IoError> {
        self.split().0.send_eof().await
    }
}

impl Read for TcpStream {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, IoError> {
        self.split().1.read(buf).await
    }
}

impl ReceiveStream for TcpStream {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, IoError> {
        self.split().1.receive_some(buf).await
    }
}

/// A TCP port that accepts connections.
///
/// ```
/// use tacket::LocalAddress;
/// use tacket_std::TcpListener;
///
/// let listener = TcpListener::bind("127.0.0.1:0".parse()?)?; // port 0: the system chooses
/// assert_ne!(listener.local_addr()?.port(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TcpListener {
    source: Source<mio::net::TcpListener>,
}

impl TcpListener {
    /// Listens on `address`. Port 0 lets the system choose one.
    ///
    /// The address can be bound again at once after the listener is gone (`SO_REUSEADDR`, not on Windows), but not before.
    ///
    /// # Errors
    ///
    /// The port is in use, not allowed or not of this machine ([`io_error`](IoError::io_error) tells), or
    /// [`Fault::Capacity`](tacket::Fault::Capacity): no descriptor left.
    pub fn bind(address: SocketAddr) -> Result<Self, IoError> {
        mio::net::TcpListener::bind(address)
            .and_then(|listener| Source::new(listener, true))
            .map(|source| Self { source })
            .map_err(|error| IoError::new(Operation::Listen(address), error))
    }
}

impl LocalAddress for TcpListener {
    fn local_addr(&self) -> Result<SocketAddr, IoError> {
        let address = self.source.io().local_addr();
        address.map_err(|error| IoError::new(Operation::Address, error))
    }
}

impl ErrorType for TcpListener {
    type Error = IoError;
}

impl AsyncResource for TcpListener {
    /// Closes the port. Connections that nobody accepted are reset by the system.
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

impl Moved for (mio::net::TcpStream, SocketAddr) {
    fn moved(&self) -> usize {
        1
    }
}

/// How many connections in a row can fail before they are accepted until that is a failure of the listener.
const MOST_IGNORED: usize = 1000;

impl tacket::Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> Result<TcpStream, IoError> {
        let mut ignored = 0;
        poll_fn(|cx| {
            loop {
                let accepted =
                    self.source
                        .poll_io(Direction::Read, cx, 1, mio::net::TcpListener::accept);
                match accepted {
                    Poll::Ready(Err(error))
                        if ignored < MOST_IGNORED && is_ignorable_on_accept(&error) =>
                    {
                        ignored += 1
                    }
                    accepted => return accepted,
                }
            }
        })
        .await
        .and_then(|(socket, _)| Source::new(socket, true))
        .map(|source| TcpStream::new(source).connected())
        .map_err(|error| IoError::new(Operation::Accept, error))
    }
}
