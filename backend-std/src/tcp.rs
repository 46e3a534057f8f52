//! TCP streams.

use alloc::rc::Rc;
use core::future::poll_fn;
use core::net::{IpAddr, SocketAddr};
use std::io;

use socket2::{Domain, SockRef, Socket, Type};
use tacket::Fault;

use crate::error::{IoError, Operation};
use crate::socket::{SocketStream, check_streams};
use crate::socket_halves::{SocketReceiving, SocketSending};
use crate::socket_kind::Tcp;
use crate::source::{Direction, Source, Start};

/// A TCP connection.
///
/// * Small writes leave at once (`TCP_NODELAY` is on), and Linux keeps at most 16 KiB of what it cannot send yet (`TCP_NOTSENT_LOWAT`), so
///   that what is sent next is not stale.
/// * `close` ends the sending direction and releases the socket; the system delivers what was sent in the background.
/// * Dropped before `send_eof` or `close`, the connection is aborted: the peer sees a reset, so that half a message is never
///   mistaken for a whole one. A program that is killed, or exits meanwhile, drops nothing: then the system may send an end.
/// * A reset by the peer is [`Fault::Broken`](tacket::Fault::Broken) in both directions, and never looks like an end. What had arrived
///   before it is received first, where the system keeps it, as Linux does. An end that had arrived before stays the end.
///
/// What a system knows beyond that is reached by [`SocketStream`]. An example is on the [crate's page](crate).
pub type TcpStream = SocketStream<Tcp>;

/// The sending direction of a [`TcpStream`], borrowed.
pub type TcpSending<'a> = SocketSending<&'a TcpStream>;
/// The receiving direction of a [`TcpStream`], borrowed.
pub type TcpReceiving<'a> = SocketReceiving<&'a TcpStream>;
/// The sending direction of a [`TcpStream`], given away.
pub type OwnedTcpSending = SocketSending<Rc<TcpStream>>;
/// The receiving direction of a [`TcpStream`], given away.
pub type OwnedTcpReceiving = SocketReceiving<Rc<TcpStream>>;

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
        let source = Source::new(socket, Start::Connecting).map_err(failed)?;
        // Dropped from here on, it aborts the connection, which may come about in this moment.
        let stream = Self::new(source);
        let source = stream.source();
        loop {
            poll_fn(|cx| source.poll_ready(Direction::Write, cx))
                .await
                .map_err(failed)?;
            let Err(unknown) = source.io().peer_addr() else {
                return Ok(stream.connected());
            };
            match source.io().take_error().map_err(failed)? {
                Some(error) => return Err(failed(error)),
                // The event was not about the connection yet.
                None if unknown.kind() == io::ErrorKind::NotConnected => {
                    source.block(Direction::Write);
                }
                None => return Err(failed(unknown)),
            }
        }
    }

    /// Sets what every connection has, however it came about.
    pub(crate) fn connected(self) -> Self {
        set_defaults(&SockRef::from(self.io()));
        self
    }

    /// Gives the connection away, for instance to another thread, which adopts it by `TryFrom`. It stays non-blocking.
    ///
    /// # Errors
    ///
    /// [`Fault::Capacity`](tacket::Fault::Capacity): no descriptor left. The connection is aborted then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::TcpStream as StdStream;
    /// use tacket::{AsyncResource, Listener};
    /// use tacket_std::{IoError, TcpListener, TcpStream};
    ///
    /// /// Accepts a connection that another thread is to serve.
    /// async fn hand_over(listener: &mut TcpListener, serve: fn(StdStream) -> Result<(), IoError>) -> Result<(), IoError> {
    ///     let stream = listener.accept().await?.into_std()?;
    ///     std::thread::spawn(move || serve(stream));
    ///     Ok(())
    /// }
    ///
    /// fn serve(stream: StdStream) -> Result<(), IoError> {
    ///     tacket_std::run(async { TcpStream::try_from(stream)?.close().await })?
    /// }
    /// ```
    pub fn into_std(self) -> Result<std::net::TcpStream, IoError> {
        self.give_away().map(Into::into)
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// The system does not know it any more.
    pub fn local_addr(&self) -> Result<SocketAddr, IoError> {
        self.io()
            .local_addr()
            .map_err(|error| IoError::new(Operation::Address, error))
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// The system does not know it any more: the peer is gone.
    pub fn peer_addr(&self) -> Result<SocketAddr, IoError> {
        self.io()
            .peer_addr()
            .map_err(|error| IoError::new(Operation::Address, error))
    }
}

/// Adopts a connection. It becomes non-blocking, for everybody who shares it, and gets what every connection here has.
///
/// # Errors
///
/// [`Fault::InvalidInput`](tacket::Fault::InvalidInput): it is a socket of another kind, which `socket2` can make one of these.
impl TryFrom<std::net::TcpStream> for TcpStream {
    type Error = IoError;

    fn try_from(socket: std::net::TcpStream) -> Result<Self, IoError> {
        let failed = |error| IoError::new(Operation::Adopt, error);
        check_streams(&SockRef::from(&socket)).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let socket = mio::net::TcpStream::from_std(socket);
        let source = Source::new(socket, Start::Unknown).map_err(failed)?;
        Ok(Self::new(source).connected())
    }
}

/// What every TCP connection has. A listener has it too, and passes it on where the system does that.
///
/// Each fails only where the peer is gone already, and then the first receive says so.
pub(crate) fn set_defaults(socket: &SockRef<'_>) {
    let _ = socket.set_tcp_nodelay(true);
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket.set_tcp_notsent_lowat(NOTSENT_LOWAT);
}

/// How much the system takes beyond what it can send.
#[cfg(any(target_os = "android", target_os = "linux"))]
const NOTSENT_LOWAT: u32 = 16 << 10;

/// Begins to connect to `address` from `local`, at a port that the system chooses.
fn start_from(local: IpAddr, address: SocketAddr) -> Result<mio::net::TcpStream, IoError> {
    let failed = |error| IoError::new(Operation::Connect(address), error);
    let local = SocketAddr::new(local, 0);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None);
    let socket = socket.map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    choose_port_on_connect(&socket);
    let bound = socket.bind(&local.into());
    bound.map_err(|error| IoError::new(Operation::Bind(local), error))?;
    match socket.connect(&address.into()) {
        Err(error) if !is_under_way(&error) => Err(failed(error)),
        _ => Ok(mio::net::TcpStream::from_std(socket.into())),
    }
}

/// Has the system choose the port when it knows the peer: then one port serves for connections to several.
///
/// Without it everything works, but the ports of an address run out sooner.
fn choose_port_on_connect(socket: &Socket) {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = nix::sys::socket::setsockopt(
        socket,
        nix::sys::socket::sockopt::IpBindAddressNoPort,
        &true,
    );
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    let _ = socket;
}

/// Whether a connection is about to come about.
fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    let code = libc::EINPROGRESS;
    #[cfg(windows)]
    let code = 10035; // WSAEWOULDBLOCK
    error.raw_os_error() == Some(code)
}
