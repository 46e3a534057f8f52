//! Streams between processes of one machine, by paths of the file system.

use alloc::rc::Rc;
use core::time::Duration;
use std::io;
use std::os::unix::net as std_unix;
use std::path::Path;

use socket2::SockRef;
use tacket::Clock as _;

use crate::MonotonicClock;
use crate::error::{IoError, Operation};
use crate::reactor::Reactor;
use crate::socket::{SocketStream, check_streams};
use crate::socket_halves::{SocketReceiving, SocketSending};
use crate::socket_kind::Unix;
use crate::source::{Source, Start};

/// How long the first wait for a listener with a full backlog is; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// How long the longest is.
const LONGEST_PAUSE: Duration = Duration::from_millis(64);

/// A connection to a process of this machine, through a path of the file system.
///
/// It is as a [`TcpStream`](crate::TcpStream) is, but for one thing: the system knows no reset here. A peer sees the end of a stream
/// that was dropped as it sees that of one that was closed, unless there is something left that it sent: then it sees a reset,
/// even in place of an end that was sent before, if it has not received that yet.
///
/// ```
/// use tacket::{AsyncResource, Listener, ReceiveStream, SendStream};
/// use tacket_std::{UnixListener, UnixStream};
///
/// # let folder = std::env::temp_dir().join(format!("tacket-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("greetings");
/// tacket_std::run(async {
///     let mut listener = UnixListener::bind(&path)?;
///     let mut client = UnixStream::connect(&path).await?;
///     let mut server = listener.accept().await?;
///     server.send_all(b"hello").await?;
///     server.close().await?;
///     let mut buf = [0; 16];
///     assert_eq!(client.receive_some(&mut buf).await?, 5);
///     assert_eq!(client.receive_some(&mut buf).await?, 0); // the end
///     client.close().await
/// })??;
/// assert!(!path.exists()); // the listener is gone, and its path with it
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type UnixStream = SocketStream<Unix>;

/// The sending direction of a [`UnixStream`], borrowed.
pub type UnixSending<'a> = SocketSending<&'a UnixStream>;
/// The receiving direction of a [`UnixStream`], borrowed.
pub type UnixReceiving<'a> = SocketReceiving<&'a UnixStream>;
/// The sending direction of a [`UnixStream`], given away.
pub type OwnedUnixSending = SocketSending<Rc<UnixStream>>;
/// The receiving direction of a [`UnixStream`], given away.
pub type OwnedUnixReceiving = SocketReceiving<Rc<UnixStream>>;

impl UnixStream {
    /// Connects to whoever listens at `path`.
    ///
    /// A listener whose backlog is full is tried again until there is room, for as long as it takes; see
    /// [`timeout`](tacket::timeout()).
    ///
    /// # Errors
    ///
    /// [`Fault::Broken`](tacket::Fault::Broken): there is no such path, nobody listens there, or it is not allowed;
    /// [`io_error`](IoError::io_error) tells. [`Fault::InvalidInput`](tacket::Fault::InvalidInput): the path is too long for a
    /// socket. [`Fault::Capacity`](tacket::Fault::Capacity): no descriptor left. Outside [`run`](crate::run) it cannot wait for room:
    /// [`Fault::Unsupported`](tacket::Fault::Unsupported).
    ///
    /// # Cancel safety
    ///
    /// Safe. A dropped future gives the attempt up. A connection that came about meanwhile is dropped.
    pub async fn connect(path: impl AsRef<Path>) -> Result<Self, IoError> {
        let path = path.as_ref();
        let failed = |error| IoError::new(Operation::ConnectUnix(path.into()), error);
        let mut pause = FIRST_PAUSE;
        loop {
            match mio::net::UnixStream::connect(path) {
                Ok(socket) => return Self::register(socket, Start::Connected).map_err(failed),
                // The system does not tell when there is room.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let reactor = Reactor::current();
                    let driven = reactor.and_then(|reactor| reactor.check_driven());
                    driven.map_err(failed)?;
                    let clock = MonotonicClock::new();
                    clock.sleep_until(clock.now() + pause).await;
                    pause = LONGEST_PAUSE.min(2 * pause);
                }
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Two streams that are connected to each other.
    ///
    /// # Errors
    ///
    /// [`Fault::Capacity`](tacket::Fault::Capacity): no descriptor left.
    pub fn pair() -> Result<(Self, Self), IoError> {
        let failed = |error| IoError::new(Operation::Open("a pair of sockets"), error);
        let (left, right) = mio::net::UnixStream::pair().map_err(failed)?;
        let left = Self::register(left, Start::Connected).map_err(failed)?;
        Ok((
            left,
            Self::register(right, Start::Connected).map_err(failed)?,
        ))
    }

    /// Gives the connection away, for instance to another thread, which adopts it by `TryFrom`. It stays non-blocking.
    ///
    /// # Errors
    ///
    /// [`Fault::Capacity`](tacket::Fault::Capacity): no descriptor left. The connection is dropped then.
    pub fn into_std(self) -> Result<std_unix::UnixStream, IoError> {
        self.give_away().map(Into::into)
    }

    pub(crate) fn register(socket: mio::net::UnixStream, start: Start) -> io::Result<Self> {
        let source = Source::new(socket, start)?;
        // A read stops at descriptors that were sent along.
        source.distrust_short_operations();
        Ok(Self::new(source))
    }
}

/// Adopts a connection. It becomes non-blocking, for everybody who shares it.
///
/// # Errors
///
/// [`Fault::InvalidInput`](tacket::Fault::InvalidInput): it is a socket of another kind, which `socket2` can make one of these.
impl TryFrom<std_unix::UnixStream> for UnixStream {
    type Error = IoError;

    fn try_from(socket: std_unix::UnixStream) -> Result<Self, IoError> {
        check_streams(&SockRef::from(&socket))
            .and_then(|()| socket.set_nonblocking(true))
            .and_then(|()| Self::register(mio::net::UnixStream::from_std(socket), Start::Unknown))
            .map_err(|error| IoError::new(Operation::Adopt, error))
    }
}
