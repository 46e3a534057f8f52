//! TCP listeners.

use core::net::SocketAddr;
use std::io;

use embedded_io_async::ErrorType;
use socket2::{Domain, SockRef, Socket, Type};
use tacket::{AsyncResource, LocalAddress};

use crate::accept::{accept, check_listens};
use crate::error::{IoError, Operation};
use crate::source::{Source, Start};
use crate::tcp::{TcpStream, set_defaults};

/// How many connections can wait to be accepted. The system may allow less (Linux: `net.core.somaxconn`).
const MOST_WAITING: u32 = 65535;

/// A TCP port that accepts connections.
///
/// A connection that failed before it was accepted is passed over. On Linux one that the client reset is accepted nevertheless, with
/// what had arrived of it, and fails then. Without a descriptor left, `accept` is
/// [`Fault::Capacity`](tacket::Fault::Capacity); the connection waits, and so does the listener, for better times.
///
/// ```
/// use tacket::LocalAddress;
/// use tacket_std::TcpListener;
///
/// let listener = TcpListener::bind("127.0.0.1:0".parse()?)?; // port 0: the system chooses
/// assert_ne!(listener.local_addr()?.port(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What [`bind`](Self::bind) does not offer, `socket2` does; the result becomes one of these by way of
/// [`std::net::TcpListener`]:
///
/// ```
/// use std::net::SocketAddr;
/// use socket2::{Domain, Socket, Type};
/// use tacket_std::TcpListener;
///
/// let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
/// socket.set_only_v6(false)?; // IPv4 too
/// socket.bind(&SocketAddr::from(([0; 16], 0)).into())?;
/// socket.listen(16)?;
/// let listener = TcpListener::try_from(std::net::TcpListener::from(socket))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TcpListener {
    source: Source<mio::net::TcpListener>,
    /// Whether connections come with what every connection here has.
    passes_defaults_on: bool,
}

impl TcpListener {
    /// Listens on `address`. Port 0 lets the system choose one.
    ///
    /// An unspecified address is every one of its version of IP, and of no other (`IPV6_V6ONLY`); for both there is
    /// [`open_tcp_listeners`](tacket::open_tcp_listeners). The address can be bound again at once after the listener is gone (`SO_REUSEADDR`, not on
    /// Windows), but not before. As many connections wait to be accepted as the system allows.
    ///
    /// # Errors
    ///
    /// The port is in use, not allowed or not of this machine ([`io_error`](IoError::io_error) tells),
    /// [`Fault::Unsupported`](tacket::Fault::Unsupported): this machine has no such version of IP, or
    /// [`Fault::Capacity`](tacket::Fault::Capacity): no descriptor left.
    pub fn bind(address: SocketAddr) -> Result<Self, IoError> {
        Self::bind_with_backlog(address, MOST_WAITING)
    }

    /// As [`bind`](Self::bind), for at most `backlog` connections that wait to be accepted; 65535 and what the system allows
    /// are the limits. Who comes then has to try again, which the systems of clients do for a while.
    ///
    /// # Errors
    ///
    /// As `bind`.
    pub fn bind_with_backlog(address: SocketAddr, backlog: u32) -> Result<Self, IoError> {
        // On Linux a connection has what its listener had when it came about.
        let passes_defaults_on = cfg!(any(target_os = "android", target_os = "linux"));
        listen(address, backlog.min(MOST_WAITING))
            .and_then(|listener| Self::new(listener, passes_defaults_on))
            .map_err(|error| IoError::new(Operation::Listen(address), error))
    }

    fn new(listener: Socket, passes_defaults_on: bool) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let source = Source::new(
            mio::net::TcpListener::from_std(listener.into()),
            Start::Unknown,
        )?;
        Ok(Self {
            source,
            passes_defaults_on,
        })
    }

    /// Another handle to the port of `listener`, for this thread.
    ///
    /// Each connection goes to one of the handles: to whoever accepts first. The port is closed when all are.
    ///
    /// # Errors
    ///
    /// [`Fault::Capacity`](tacket::Fault::Capacity): no descriptor left. [`Fault::InvalidInput`](tacket::Fault::InvalidInput): it does
    /// not listen, where the system can tell.
    pub fn duplicate(listener: &std::net::TcpListener) -> Result<Self, IoError> {
        let duplicate = listener.try_clone();
        duplicate
            .map_err(|error| IoError::new(Operation::Adopt, error))
            .and_then(Self::try_from)
    }

    /// A handle to the same port for other threads, each of which [duplicates](Self::duplicate) it. An
    /// example is at [`run_on_all_cores`](crate::run_on_all_cores).
    ///
    /// # Errors
    ///
    /// [`Fault::Capacity`](tacket::Fault::Capacity): no descriptor left.
    pub fn to_std(&self) -> Result<std::net::TcpListener, IoError> {
        let duplicate = SockRef::from(self.source.io()).try_clone();
        duplicate
            .map(Into::into)
            .map_err(|error| IoError::new(Operation::Adopt, error))
    }
}

fn listen(address: SocketAddr, backlog: u32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    set_defaults(&SockRef::from(&socket));
    socket.bind(&address.into())?;
    // A backlog of none would be one to some systems and the default to others.
    let backlog = backlog.max(1);
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket)
}

/// Adopts a listener. It becomes non-blocking, for everybody who shares it.
///
/// # Errors
///
/// [`Fault::InvalidInput`](tacket::Fault::InvalidInput): it does not listen, where the system can tell.
impl TryFrom<std::net::TcpListener> for TcpListener {
    type Error = IoError;

    fn try_from(listener: std::net::TcpListener) -> Result<Self, IoError> {
        let listener = Socket::from(listener);
        check_listens(&listener)
            .and_then(|()| Self::new(listener, false))
            .map_err(|error| IoError::new(Operation::Adopt, error))
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

impl tacket::Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> Result<TcpStream, IoError> {
        let accepted = accept(&self.source, mio::net::TcpListener::accept);
        let (socket, _) = accepted.await?;
        let source = Source::new(socket, Start::Connected);
        let source = source.map_err(|error| IoError::new(Operation::Accept, error))?;
        let stream = TcpStream::new(source);
        Ok(if self.passes_defaults_on {
            stream
        } else {
            stream.connected()
        })
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for TcpListener {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.source.io().as_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for TcpListener {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.source.io().as_socket()
    }
}
