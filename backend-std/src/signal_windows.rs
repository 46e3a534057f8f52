//! Events of the console of Windows, which tells of them on a thread of its own.

use core::future::poll_fn;
use core::task::{Poll, Waker};
use std::io;
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

use slab::Slab;

/// What the system's own handling makes of Ctrl-C: `STATUS_CONTROL_C_EXIT`.
const CONTROL_C_EXIT: u32 = 0xC000_013A;

struct Listening {
    is_installed: bool,
    is_received: bool,
    /// One for each listener, `None` while it does not wait.
    wakers: Slab<Option<Waker>>,
}

static LISTENING: Mutex<Listening> = Mutex::new(Listening {
    is_installed: false,
    is_received: false,
    wakers: Slab::new(),
});

/// What is behind it is whole between any two statements, so a panic elsewhere does no harm to it.
fn lock() -> MutexGuard<'static, Listening> {
    LISTENING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn handle() {
    let mut listening = lock();
    if listening.is_received || listening.wakers.is_empty() {
        drop(listening);
        process::exit(CONTROL_C_EXIT.cast_signed());
    }
    listening.is_received = true;
    let wakers = listening.wakers.iter_mut();
    let wakers: Vec<_> = wakers.filter_map(|(_, waker)| waker.take()).collect();
    drop(listening);
    wakers.into_iter().for_each(Waker::wake);
}

pub(crate) struct Listener {
    key: usize,
}

impl Listener {
    pub(crate) fn new() -> io::Result<Self> {
        let mut listening = lock();
        if !listening.is_installed {
            ctrlc::set_handler(handle).map_err(io::Error::other)?;
            listening.is_installed = true;
        }
        let key = listening.wakers.insert(None);
        Ok(Self { key })
    }

    pub(crate) async fn received(&self) -> io::Result<()> {
        poll_fn(|cx| {
            let waker = cx.waker().clone(); // before the lock: it is anybody's code
            let mut listening = lock();
            if listening.is_received {
                return Poll::Ready(Ok(()));
            }
            let place = listening.wakers.get_mut(self.key);
            let replaced = place.and_then(|place| place.replace(waker));
            drop(listening);
            drop(replaced);
            Poll::Pending
        })
        .await
    }

    pub(crate) fn is_received(&self) -> bool {
        lock().is_received
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut listening = lock();
        let waker = listening.wakers.try_remove(self.key);
        drop(listening);
        drop(waker);
    }
}
