//! Signals of Unix. Each listener has a pair of sockets: the handler of the signals writes to one, the loop watches the other.

use core::future::poll_fn;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Poll;
use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};

use crate::source::{Direction, Source, Start};

const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// Whether any of the signals has come while somebody listened.
static RECEIVED: AtomicBool = AtomicBool::new(false);
/// Whether the next one does what it does to a program that listens to none.
static IS_FATAL: AtomicBool = AtomicBool::new(true);

struct Listening {
    is_installed: bool,
    listeners: usize,
}

static LISTENING: Mutex<Listening> = Mutex::new(Listening {
    is_installed: false,
    listeners: 0,
});

impl Listening {
    /// Installs what handles the signals from now on. It stays: nothing puts the system's own handling back.
    fn install(&mut self) -> io::Result<()> {
        if self.is_installed {
            return Ok(());
        }
        for signal in SIGNALS {
            // They run in this order.
            flag::register_conditional_default(signal, &IS_FATAL)?;
            flag::register(signal, &RECEIVED)?;
            flag::register(signal, &IS_FATAL)?;
        }
        self.is_installed = true;
        Ok(())
    }

    fn add(&mut self) {
        self.listeners += 1;
        IS_FATAL.store(false, Ordering::SeqCst);
        // A signal sets them the other way round, so that none that comes just now is forgotten.
        if RECEIVED.load(Ordering::SeqCst) {
            IS_FATAL.store(true, Ordering::SeqCst);
        }
    }

    fn remove(&mut self) {
        self.listeners -= 1;
        if self.listeners == 0 {
            IS_FATAL.store(true, Ordering::SeqCst);
        }
    }
}

/// What is behind it is whole between any two statements, so a panic elsewhere does no harm to it.
fn lock() -> MutexGuard<'static, Listening> {
    LISTENING.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct Listener {
    source: Source<mio::net::UnixStream>,
    _handlers: [Handler; SIGNALS.len()],
    _listed: Listed,
}

impl Listener {
    pub(crate) fn new() -> io::Result<Self> {
        let (watched, written) = UnixStream::pair()?;
        watched.set_nonblocking(true)?;
        let source = Source::new(mio::net::UnixStream::from_std(watched), Start::Unknown)?;
        let mut listening = lock();
        listening.install()?;
        let [first, second] = SIGNALS;
        // After what `install` has registered, so that whoever is woken sees that.
        let handlers = [
            Handler(low_level::pipe::register(first, written.try_clone()?)?),
            Handler(low_level::pipe::register(second, written)?),
        ];
        listening.add();
        Ok(Self {
            source,
            _handlers: handlers,
            _listed: Listed,
        })
    }

    pub(crate) async fn received(&self) -> io::Result<()> {
        poll_fn(|cx| {
            if self.is_received() {
                return Poll::Ready(Ok(()));
            }
            let read = |mut socket: &mio::net::UnixStream| socket.read(&mut [0; 16]);
            let read = self.source.poll_io(Direction::Read, cx, 16, read);
            read.map_ok(drop)
        })
        .await
    }

    pub(crate) fn is_received(&self) -> bool {
        RECEIVED.load(Ordering::SeqCst)
    }
}

/// What a signal does for one listener.
struct Handler(SigId);

impl Drop for Handler {
    fn drop(&mut self) {
        low_level::unregister(self.0);
    }
}

/// Counts one listener.
struct Listed;

impl Drop for Listed {
    fn drop(&mut self) {
        lock().remove();
    }
}
