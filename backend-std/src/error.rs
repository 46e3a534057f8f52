//! The error of everything on the desktop.

use alloc::boxed::Box;
use core::fmt;
use core::net::SocketAddr;
use std::ffi::OsStr;
use std::io;
#[cfg(unix)]
use std::path::Path;

use embedded_io_async::ErrorKind;
use tacket::{Error, Fault};

/// What failed, what that means, and what the operating system said.
///
/// ```
/// use tacket::LocalAddress;
/// use tacket_std::TcpListener;
///
/// let first = TcpListener::bind("127.0.0.1:0".parse()?)?;
/// let second = TcpListener::bind(first.local_addr()?).expect_err("the port is in use");
/// assert_eq!(second.io_error().unwrap().kind(), std::io::ErrorKind::AddrInUse);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct IoError(Box<Details>);

/// Behind a pointer, so that what may fail returns no more than a few registers.
#[derive(Debug)]
struct Details {
    operation: Operation,
    fault: Fault,
    cause: Option<io::Error>,
}

/// What was being done.
#[derive(Debug)]
pub(crate) enum Operation {
    Run,
    StartThread,
    Resolve(Box<str>),
    Connect(SocketAddr),
    Listen(SocketAddr),
    Bind(SocketAddr),
    #[cfg(unix)]
    ConnectUnix(Box<Path>),
    #[cfg(unix)]
    ListenUnix(Box<Path>),
    Address,
    Adopt,
    GiveAway,
    Accept,
    #[cfg(unix)]
    Open(&'static str),
    Send,
    SendTo(SocketAddr),
    Receive,
    SendEof,
    Spawn(Box<OsStr>),
    WaitProcess,
    SignalProcess,
    Signal,
}

impl IoError {
    /// An error of the operating system, met in `operation`.
    #[cold]
    pub(crate) fn new(operation: Operation, cause: io::Error) -> Self {
        Self(Box::new(Details {
            fault: fault_of(&operation, &cause),
            operation,
            cause: Some(cause),
        }))
    }

    /// A refusal of ours: the operating system was not asked.
    #[cold]
    pub(crate) fn refused(operation: Operation, fault: Fault) -> Self {
        Self(Box::new(Details {
            operation,
            fault,
            cause: None,
        }))
    }

    /// What the operating system said, if it was asked.
    #[must_use]
    pub fn io_error(&self) -> Option<&io::Error> {
        self.0.cause.as_ref()
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run => f.write_str("running the event loop"),
            Self::StartThread => f.write_str("starting a thread"),
            Self::Resolve(host) => write!(f, "resolving {host:?}"),
            Self::Connect(address) => write!(f, "connecting to {address}"),
            Self::Listen(address) => write!(f, "listening on {address}"),
            Self::Bind(address) => write!(f, "binding to {address}"),
            #[cfg(unix)]
            Self::ConnectUnix(path) => write!(f, "connecting to {}", path.display()),
            #[cfg(unix)]
            Self::ListenUnix(path) => write!(f, "listening on {}", path.display()),
            Self::Adopt => f.write_str("adopting a socket"),
            Self::GiveAway => f.write_str("giving a socket away"),
            Self::Address => f.write_str("asking for the address"),
            Self::Accept => f.write_str("accepting"),
            #[cfg(unix)]
            Self::Open(what) => write!(f, "opening {what}"),
            Self::Send => f.write_str("sending"),
            Self::SendTo(address) => write!(f, "sending to {address}"),
            Self::Receive => f.write_str("receiving"),
            Self::SendEof => f.write_str("ending the stream"),
            Self::Spawn(program) => write!(f, "starting {program:?}"),
            Self::WaitProcess => f.write_str("waiting for a child"),
            Self::SignalProcess => f.write_str("sending a signal to a child"),
            Self::Signal => f.write_str("listening to signals"),
        }
    }
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details {
            operation,
            fault,
            cause,
        } = &*self.0;
        match cause {
            Some(cause) => write!(f, "{operation}: {cause}"),
            None => write!(f, "{operation}: {fault}"),
        }
    }
}

impl fmt::Debug for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IoError")
            .field("operation", &self.0.operation)
            .field("fault", &self.0.fault)
            .field("cause", &self.0.cause)
            .finish()
    }
}

impl core::error::Error for IoError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.0.cause.as_ref().map(|cause| cause as _)
    }
}

impl embedded_io_async::Error for IoError {
    fn kind(&self) -> ErrorKind {
        match &self.0.cause {
            Some(cause) => cause.kind().into(),
            None => self.0.fault.kind(),
        }
    }
}

impl Error for IoError {
    fn fault(&self) -> Fault {
        self.0.fault
    }
}

/// An error of the operating system that can be reported again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Os(i32),
    Kind(io::ErrorKind),
}

impl From<&io::Error> for Cause {
    fn from(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(code) => Self::Os(code),
            None => Self::Kind(error.kind()),
        }
    }
}

impl From<Cause> for io::Error {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Os(code) => Self::from_raw_os_error(code),
            Cause::Kind(kind) => Self::from(kind),
        }
    }
}

fn fault_of(operation: &Operation, cause: &io::Error) -> Fault {
    use io::ErrorKind as Kind;
    if is_capacity(cause) {
        return Fault::Capacity;
    }
    if is_unsupported(cause) {
        return Fault::Unsupported;
    }
    #[cfg(unix)]
    if let (Operation::ConnectUnix(_), kind) = (operation, cause.kind())
        && kind != Kind::InvalidInput
    {
        return Fault::Broken;
    }
    match (operation, cause.kind()) {
        (Operation::SendTo(_), _) if is_too_long(cause) => Fault::InvalidInput,
        // Linux says so where there is no way from the socket's own address to the peer's.
        (Operation::SendTo(_), Kind::InvalidInput) => Fault::Broken,
        (_, Kind::InvalidInput) => Fault::InvalidInput,
        (Operation::Bind(_) | Operation::Listen(_), Kind::AddrNotAvailable) => Fault::InvalidInput,
        (Operation::Resolve(_) | Operation::StartThread, Kind::WouldBlock) => Fault::Capacity, // no thread left
        (Operation::Spawn(_) | Operation::WaitProcess, Kind::WouldBlock) => Fault::Capacity, // no process left, or no thread
        (
            Operation::Connect(_)
            | Operation::Send
            | Operation::SendTo(_)
            | Operation::Receive
            | Operation::SendEof,
            _,
        ) => Fault::Broken,
        _ => Fault::Other,
    }
}

/// The system has no such version of IP, no such kind of socket, or no event loop for it.
fn is_unsupported(error: &io::Error) -> bool {
    #[cfg(unix)]
    let code = libc::EAFNOSUPPORT;
    #[cfg(windows)]
    let code = 10047; // WSAEAFNOSUPPORT
    error.raw_os_error() == Some(code) || error.kind() == io::ErrorKind::Unsupported
}

/// The datagram is longer than any can be.
fn is_too_long(error: &io::Error) -> bool {
    #[cfg(unix)]
    let code = libc::EMSGSIZE;
    #[cfg(windows)]
    let code = 10040; // WSAEMSGSIZE
    error.raw_os_error() == Some(code)
}

/// The process or the system is out of descriptors or buffers; that can pass.
fn is_capacity(error: &io::Error) -> bool {
    #[cfg(unix)]
    let codes = [
        libc::EMFILE,
        libc::ENFILE,
        libc::ENOBUFS,
        libc::ENOMEM,
        libc::ENOSPC, // too many watched descriptors
    ];
    #[cfg(windows)]
    let codes = [10024, 10055]; // WSAEMFILE, WSAENOBUFS
    error
        .raw_os_error()
        .is_some_and(|code| codes.contains(&code))
}

/// The connection failed before it could be accepted; the listener is fine.
pub(crate) fn is_ignorable_on_accept(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    #[cfg(unix)]
    if error.raw_os_error().is_some_and(|code| {
        [
            libc::EPROTO,
            libc::ENOPROTOOPT,
            libc::EHOSTDOWN,
            libc::EOPNOTSUPP,
            libc::EPROTONOSUPPORT,
            libc::ESOCKTNOSUPPORT,
            #[cfg(any(target_os = "android", target_os = "linux"))]
            libc::ENONET,
        ]
        .contains(&code)
    }) {
        return true;
    }
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::PermissionDenied
            | Kind::NetworkDown
            | Kind::NetworkUnreachable
            | Kind::HostUnreachable
            | Kind::TimedOut
            | Kind::Interrupted
    )
}
