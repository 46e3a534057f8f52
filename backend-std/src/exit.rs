//! How the end of a child is noticed: by a descriptor of the process, or by a thread that waits for it.

use alloc::sync::Arc;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use std::io;
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};
use std::thread;

use shared_child::SharedChild;

#[cfg(any(target_os = "android", target_os = "linux"))]
use crate::process_descriptor::ProcessDescriptor;
#[cfg(any(target_os = "android", target_os = "linux"))]
use crate::source::{Direction, Moved, Source, Start};

/// What tells that a child has ended.
pub(crate) enum Exit {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    Descriptor(Source<ProcessDescriptor>),
    Thread(ExitThread),
}

impl Exit {
    /// Watches `child`, which nobody has waited for.
    pub(crate) fn watch(child: &SharedChild) -> io::Result<Self> {
        #[cfg(any(target_os = "android", target_os = "linux"))]
        if let Some(descriptor) = ProcessDescriptor::open(child.id())? {
            return Source::new(descriptor, Start::Unknown).map(Self::Descriptor);
        }
        let _ = child;
        Ok(Self::Thread(ExitThread::new()))
    }

    /// Waits until `child`, the one that is watched, ends.
    pub(crate) async fn wait(&self, child: &Arc<SharedChild>) -> io::Result<ExitStatus> {
        match self {
            #[cfg(any(target_os = "android", target_os = "linux"))]
            Self::Descriptor(source) => {
                let Ended(status) = poll_fn(|cx| {
                    source.poll_io(Direction::Read, cx, 1, |_| match child.try_wait()? {
                        Some(status) => Ok(Ended(status)),
                        None => Err(io::ErrorKind::WouldBlock.into()),
                    })
                })
                .await?;
                Ok(status)
            }
            Self::Thread(thread) => poll_fn(|cx| thread.poll(child, cx)).await,
        }
    }
}

/// How a child ended, as an operation of the system.
#[cfg(any(target_os = "android", target_os = "linux"))]
struct Ended(ExitStatus);

#[cfg(any(target_os = "android", target_os = "linux"))]
impl Moved for Ended {
    fn moved(&self) -> usize {
        1
    }
}

/// A thread that waits for one child, from the first wait on.
pub(crate) struct ExitThread {
    shared: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    has_thread: bool,
    waker: Option<Waker>,
}

impl ExitThread {
    fn new() -> Self {
        Self {
            shared: Arc::default(),
        }
    }

    fn poll(&self, child: &Arc<SharedChild>, cx: &Context<'_>) -> Poll<io::Result<ExitStatus>> {
        let waker = cx.waker().clone(); // before the lock: it is anybody's code
        let mut waiting = lock(&self.shared);
        let replaced = waiting.waker.replace(waker);
        let has_thread = waiting.has_thread;
        drop(waiting);
        drop(replaced);
        // Only now: a child that ends from here on finds the waker.
        if let Some(status) = child.try_wait()? {
            return Poll::Ready(Ok(status));
        }
        if !has_thread {
            self.start(child)?;
            lock(&self.shared).has_thread = true;
        }
        Poll::Pending
    }

    fn start(&self, child: &Arc<SharedChild>) -> io::Result<()> {
        let (child, shared) = (Arc::clone(child), Arc::clone(&self.shared));
        let wait = move || {
            // Whoever is woken asks again, and hears of an error too.
            let _ = child.wait();
            let waker = lock(&shared).waker.take();
            if let Some(waker) = waker {
                waker.wake();
            }
        };
        let name = "tacket child".to_owned();
        thread::Builder::new().name(name).spawn(wait).map(drop)
    }
}

/// What is behind it is whole between any two statements, so a panic elsewhere does no harm to it.
fn lock(mutex: &Mutex<Waiting>) -> std::sync::MutexGuard<'_, Waiting> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, unix))]
mod tests {
    use core::pin::pin;
    use core::time::Duration;
    use std::process::Command;

    use futures_util::future::{Either, join, select};
    use tacket::{Clock as _, timeout};

    use super::*;
    use crate::MonotonicClock;

    /// As where the system has no descriptors of processes.
    #[test]
    fn a_thread_of_its_own_tells_of_the_end_too() {
        let clock = MonotonicClock::new();
        let waiting = async {
            let mut command = Command::new("sleep");
            let child = SharedChild::spawn(command.arg("1000")).expect("a child");
            let (child, exit) = (Arc::new(child), Exit::Thread(ExitThread::new()));
            // Dropped and repeated, it has one thread, and the last who waits is woken.
            for _ in 0..3 {
                let limit = Duration::from_millis(2);
                let waited = timeout(&clock, limit, exit.wait(&child)).await;
                waited.expect_err("it sleeps");
            }
            let killing = async {
                clock
                    .sleep_until(clock.now() + Duration::from_millis(2))
                    .await;
                // The other is the thread.
                assert_eq!(Arc::strong_count(&child), 2);
                child.kill().expect("it is ours");
            };
            let waited = pin!(join(exit.wait(&child), killing));
            // First the limit: whoever is polled only because that is over was not woken.
            let limit = pin!(clock.sleep_until(clock.now() + Duration::from_secs(20)));
            let Either::Right(((status, ()), _)) = select(limit, waited).await else {
                panic!("nobody was woken");
            };
            let status = status.expect("it ends");
            assert!(!status.success());
            let again = exit.wait(&child).await.expect("it has ended");
            assert_eq!(again, status);
        };
        crate::run(waiting).expect("an event loop");
    }

    #[test]
    fn a_child_that_is_stopped_does_not_end_the_wait_of_its_thread() {
        use shared_child::unix::SharedChildExt as _;
        let clock = MonotonicClock::new();
        let waiting = async {
            let mut command = Command::new("sleep");
            let child = SharedChild::spawn(command.arg("1000")).expect("a child");
            let (child, exit) = (Arc::new(child), Exit::Thread(ExitThread::new()));
            for signal in [libc::SIGSTOP, libc::SIGCONT, libc::SIGSTOP] {
                child.send_signal(signal).expect("it is ours");
                let limit = Duration::from_millis(5);
                let waited = timeout(&clock, limit, exit.wait(&child)).await;
                waited.expect_err("it has only stopped");
                // The other is the thread.
                assert_eq!(Arc::strong_count(&child), 2);
            }
            child.kill().expect("it is ours");
            let limit = Duration::from_secs(20);
            let waited = timeout(&clock, limit, exit.wait(&child)).await;
            let status = waited.expect("it ends").expect("no failure");
            assert!(!status.success());
        };
        crate::run(waiting).expect("an event loop");
    }
}
