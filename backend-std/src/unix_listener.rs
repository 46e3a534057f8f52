//! Listeners at paths of the file system.

use core::fmt;
use core::time::Duration;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net as std_unix;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use embedded_io_async::ErrorType;
use socket2::{Domain, SockAddr, Socket, Type};
use tacket::AsyncResource;

use crate::accept::{accept, check_listens};
use crate::error::{IoError, Operation};
use crate::source::{Source, Start};
use crate::unix::UnixStream;

/// How many connections can wait to be accepted. The system may allow less.
const MOST_WAITING: i32 = 65535;

/// How long somebody may keep the lock of a folder before it counts as one that cannot be had.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(1);

/// A path of the file system that accepts connections. The example is at [`UnixStream`].
///
/// Closed or dropped, it removes its path, unless somebody else has put something there meanwhile.
pub struct UnixListener {
    /// What is to be removed in the end, and first: once nobody listens there, somebody else can take the path over, with the same file number.
    place: Option<Place>,
    source: Source<mio::net::UnixListener>,
}

impl UnixListener {
    /// Listens at `path`, which must not exist yet.
    ///
    /// What a listener left behind that ended without removing its path, by a crash for instance, is replaced: a socket that nobody
    /// listens at. Any other file, and a socket that somebody listens at, is left alone, and the path is in use. So is everything in a folder
    /// that this program may not read, or that another has locked (`flock`); for such a lock it blocks the thread, a tenth of a second at most.
    ///
    /// Who may connect is decided by the permissions of the path: those of the process's `umask`, and of the folder.
    ///
    /// # Errors
    ///
    /// The path is in use, not allowed, or its folder does not exist ([`io_error`](IoError::io_error) tells).
    /// [`Fault::InvalidInput`](tacket::Fault::InvalidInput): it is too long for a socket.
    /// [`Fault::Capacity`](tacket::Fault::Capacity): no descriptor left.
    pub fn bind(path: impl AsRef<Path>) -> Result<Self, IoError> {
        let path = path.as_ref();
        let failed = |error| IoError::new(Operation::ListenUnix(path.into()), error);
        let listener = listen(path).map_err(failed)?;
        let place = Place::of(path).map_err(failed)?;
        let mut listener = Self::new(listener).map_err(failed)?;
        listener.place = Some(place);
        Ok(listener)
    }

    fn new(listener: Socket) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = mio::net::UnixListener::from_std(listener.into());
        Ok(Self {
            place: None,
            source: Source::new(listener, Start::Unknown)?,
        })
    }
}

/// Adopts a listener, for instance one that a service manager has handed over. It becomes non-blocking, for everybody who shares
/// it. Its path is not this one's to remove.
///
/// # Errors
///
/// [`Fault::InvalidInput`](tacket::Fault::InvalidInput): it does not listen, where the system can tell.
impl TryFrom<std_unix::UnixListener> for UnixListener {
    type Error = IoError;

    fn try_from(listener: std_unix::UnixListener) -> Result<Self, IoError> {
        let listener = Socket::from(listener);
        check_listens(&listener)
            .and_then(|()| Self::new(listener))
            .map_err(|error| IoError::new(Operation::Adopt, error))
    }
}

/// Listens at `path`, in place of a socket that was left behind there.
fn listen(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let address = SockAddr::unix(path)?;
    // Between binding and listening a socket looks as if it had been left behind. The lock keeps others who come
    // by this way from thinking so: they wait for it. Where it cannot be had nothing is replaced.
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = File::open(folder).ok().filter(lock);
    match socket.bind(&address) {
        Err(error)
            if error.kind() == io::ErrorKind::AddrInUse
                && folder.is_some()
                && is_left_behind(path) =>
        {
            fs::remove_file(path)?;
            socket.bind(&address)?;
        }
        bound => bound?,
    }
    socket.listen(MOST_WAITING)?;
    Ok(socket)
}

/// Waits for the lock of `folder`. Others who come by this way have it for a moment; who has it for longer wants something else.
fn lock(folder: &File) -> bool {
    let give_up = Instant::now() + LONGEST_WAIT;
    loop {
        match folder.try_lock() {
            Ok(()) => return true,
            Err(TryLockError::WouldBlock) if Instant::now() < give_up => thread::sleep(PAUSE),
            Err(_) => return false,
        }
    }
}

/// Whether `path` is a socket that nobody listens at.
fn is_left_behind(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    // Where somebody listens with a full backlog, this one waits for nothing.
    let connect = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    };
    is_socket && connect().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// A path, and which file it was.
struct Place {
    path: PathBuf,
    file: (u64, u64),
}

impl Place {
    fn of(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let file = which(&path)?;
        Ok(Self { path, file })
    }
}

fn which(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

impl Drop for Place {
    fn drop(&mut self) {
        if which(&self.path).is_ok_and(|file| file == self.file) {
            // It fails where it is not allowed any more; the next listener replaces what is left.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UnixListener")
            .field(self.source.io())
            .finish()
    }
}

impl ErrorType for UnixListener {
    type Error = IoError;
}

impl AsyncResource for UnixListener {
    /// Closes the listener and removes its path. Connections that nobody accepted are reset by the system.
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

impl tacket::Listener for UnixListener {
    type Stream = UnixStream;

    async fn accept(&mut self) -> Result<UnixStream, IoError> {
        let accepted = accept(&self.source, mio::net::UnixListener::accept);
        let (socket, _) = accepted.await?;
        UnixStream::register(socket, Start::Connected)
            .map_err(|error| IoError::new(Operation::Accept, error))
    }
}

impl std::os::fd::AsFd for UnixListener {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.source.io().as_fd()
    }
}
