//! A loop for each processor.

use core::future::poll_fn;
use core::num::NonZero;
use core::pin::pin;
use core::task::{Poll, Waker};
use std::panic::resume_unwind;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use crate::error::{IoError, Operation};
use crate::run::run;

/// Runs `body` once for each processor that this process may use, all at the same time, each on a thread with a loop of its own.
/// Returns what they returned, in the order of the numbers that they were given: 0 is the calling thread.
///
/// Nothing moves between the threads by itself, and nothing need be [`Send`]: what `body` makes belongs to its thread. A
/// port is shared by handles to one listener, each of which gets some of the clients:
///
/// ```no_run
/// use tacket::{AsyncResource, Listener, SendStream};
/// use tacket_std::{IoError, TcpListener};
///
/// let port = TcpListener::bind("0.0.0.0:7000".parse().expect("an address"))?.to_std()?;
/// tacket_std::run_on_all_cores(async |_| {
///     let mut listener = TcpListener::duplicate(&port)?;
///     loop {
///         let mut stream = listener.accept().await?;
///         stream.send_all(b"hello").await?;
///         stream.close().await?;
///     }
///     # #[expect(unreachable_code, reason = "it says of which type the error is")]
///     # Ok::<(), IoError>(())
/// })?;
/// # Ok::<(), IoError>(())
/// ```
///
/// A [`StopSignal`](crate::StopSignal) in each of them hears of Ctrl-C. A channel over a `CriticalSectionRawMutex` ([`tacket::Channel`]) hands
/// values from one to another; such a wake costs a system call, if the other one sleeps.
///
/// # Errors
///
/// The first error of any of them. All others are dropped then, where they stand. `E::from` is given what [`run`] fails with, and
/// [`Fault::Capacity`](tacket::Fault::Capacity) where the system has no thread left.
///
/// # Panics
///
/// When one of them panics; the others are dropped before that goes on.
pub fn run_on_all_cores<T, E>(body: impl AsyncFn(usize) -> Result<T, E> + Sync) -> Result<Vec<T>, E>
where
    T: Send,
    E: From<IoError> + Send,
{
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let end = End::new();
    let play = |core| {
        let guard = EndOnPanic(&end);
        let body = async { end.or(body(core)).await };
        let played = run(body).unwrap_or_else(|error| Some(Err(error.into())));
        core::mem::forget(guard);
        match played? {
            Ok(value) => Some(value),
            Err(error) => {
                end.fail(error);
                None
            }
        }
    };
    let values: Option<Vec<T>> = thread::scope(|scope| {
        let play = &play;
        let mut others = Vec::new();
        for core in 1..cores {
            let thread = thread::Builder::new().name(format!("core {core}"));
            match thread.spawn_scoped(scope, move || play(core)) {
                Ok(thread) => others.push(thread),
                Err(error) => {
                    end.fail(IoError::new(Operation::StartThread, error).into());
                    break;
                }
            }
        }
        let mut values = vec![play(0)];
        for thread in others {
            values.push(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        values.into_iter().collect()
    });
    match end.into_error() {
        Some(error) => Err(error),
        // Without an error all of them have a value.
        None => Ok(values.unwrap_or_default()),
    }
}

/// The end of all, if it comes before each has reached its own.
struct End<E> {
    has_come: OnceLock<()>,
    state: Mutex<State<E>>,
}

struct State<E> {
    error: Option<E>,
    /// Who is to be told.
    wakers: Vec<Waker>,
}

impl<E> End<E> {
    const fn new() -> Self {
        Self {
            has_come: OnceLock::new(),
            state: Mutex::new(State {
                error: None,
                wakers: Vec::new(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `future`, which is all that a [`run`] does, but not beyond the end: then it is `None`.
    async fn or<F: Future>(&self, future: F) -> Option<F::Output> {
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        // First the waker and then the look; who brings the end does it the other way round.
        self.lock().wakers.push(waker);
        let mut future = pin!(future);
        poll_fn(|cx| match self.has_come.get() {
            Some(()) => Poll::Ready(None),
            None => future.as_mut().poll(cx).map(Some),
        })
        .await
    }

    fn fail(&self, error: E) {
        let mut state = self.lock();
        if state.error.is_none() {
            state.error = Some(error);
        }
        drop(state); // before another error is dropped
        self.come();
    }

    fn come(&self) {
        let _ = self.has_come.set(()); // the first to come has set it
        let wakers = core::mem::take(&mut self.lock().wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn into_error(self) -> Option<E> {
        let state = self.state.into_inner();
        state.unwrap_or_else(PoisonError::into_inner).error
    }
}

struct EndOnPanic<'a, E>(&'a End<E>);

impl<E> Drop for EndOnPanic<'_, E> {
    fn drop(&mut self) {
        self.0.come();
    }
}
