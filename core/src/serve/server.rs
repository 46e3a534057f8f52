//! A server: a listener, a handler, and workers.

use core::cell::Cell;
use core::fmt;
use core::future::pending;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use core::future::{poll_fn, ready};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use core::pin::pin;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use core::task::{Poll, ready};
use core::time::Duration;

use embassy_futures::join::join_array;
use embassy_futures::select::{Either, select};
use embedded_io_async::ErrorKind;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use futures_util::StreamExt as _;
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use futures_util::stream::FuturesUnordered;

use super::turn::Turns;
use super::{Handler, ServeEvent, ServeReport, ServeStatistics};
use crate::stream::yield_now;
use crate::wait_queue::WaitQueue;
use crate::{Clock, Error, Fault, Listener};

/// How many clients are accepted at once before others have their turn.
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
const BURST: usize = 32;

/// How long to wait when there is no room for another client.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves the clients of a listener, as many at the same time as it has workers, without an allocator.
///
/// A worker accepts a client, has it handled, and accepts the next. So while all are busy nobody is accepted: clients wait in the
/// listener's backlog. The handler owns its stream; one that forgets to close it, fails, or is dropped, closes that one, and
/// harms no other.
///
/// [`run`](Self::run) has a fixed number of workers in one future, of which each wake polls all: the least memory, and the fastest
/// way for few. For many, each [`worker`](Self::worker) can be a task of its own, which is woken alone; or, with the feature `alloc`, `run_unbounded`
/// makes a task for each client.
///
/// It owns the listener, which is dropped when the server is, or is [stopped](Self::stop). Ask it for its address before.
/// `W` is how many workers there can be.
///
/// ```
/// use core::time::Duration;
/// use embassy_futures::join::join;
/// use tacket::{AsyncResource, Clock, Listener, ServeError, ServeStatistics, Server};
///
/// /// Serves four clients at the same time, for a day, and gives the last ones a minute to finish.
/// async fn serve_for_a_day<L: Listener>(
///     listener: L,
///     clock: &impl Clock,
/// ) -> Result<ServeStatistics, ServeError<L::Error>> {
///     let server = Server::<_, _, _>::new(listener, clock, async |stream: L::Stream| {
///         stream.close().await // or something more useful
///     });
///     let stopping = async {
///         clock.sleep_until(clock.now() + Duration::from_secs(24 * 60 * 60)).await;
///         server.stop(Duration::from_secs(60));
///     };
///     let (served, ()) = join(server.run::<4>(), stopping).await;
///     served
/// }
/// ```
pub struct Server<L, C, H, R = (), const W: usize = 8> {
    listener: Turns<L, W>,
    clock: C,
    handler: H,
    report: R,
    workers: Cell<usize>,
    /// Once it is stopped: until when handlers may go on.
    until: Cell<Option<Duration>>,
    /// Those who look at that, at most one for each worker.
    stopping: WaitQueue<W>,
    statistics: Cell<ServeStatistics>,
}

impl<L, C, H, const W: usize> Server<L, C, H, (), W> {
    /// A server that has `handler` handle each client of `listener`.
    pub const fn new(listener: L, clock: C, handler: H) -> Self {
        Self::with_report(listener, clock, handler, ())
    }
}

impl<L, C, H, R, const W: usize> Server<L, C, H, R, W> {
    /// The same, and `report` hears what goes wrong: a function that takes a [`ServeEvent`].
    pub const fn with_report(listener: L, clock: C, handler: H, report: R) -> Self {
        Self {
            listener: Turns::new(listener),
            clock,
            handler,
            report,
            workers: Cell::new(0),
            until: Cell::new(None),
            stopping: WaitQueue::new(),
            statistics: Cell::new(ServeStatistics::new()),
        }
    }

    /// What it has done so far.
    pub const fn statistics(&self) -> ServeStatistics {
        self.statistics.get()
    }

    fn note(&self, change: impl FnOnce(&mut ServeStatistics)) {
        let mut statistics = self.statistics.get();
        change(&mut statistics);
        self.statistics.set(statistics);
    }
}

impl<L, C: Clock, H, R, const W: usize> Server<L, C, H, R, W> {
    /// Stops: handlers have this time to finish; then they are dropped, and workers return. The listener is closed, at once or when the worker that waits for
    /// a client comes to it.
    ///
    /// Again, it can only shorten the time.
    pub fn stop(&self, grace: Duration) {
        let until = self.clock.now().saturating_add(grace);
        let until = self.until.get().map_or(until, |known| known.min(until));
        self.until.set(Some(until));
        self.listener.close();
        self.stopping.wake_all();
    }

    /// Waits until it is stopped, or, where `known` was the time to finish until then, until that is shorter.
    async fn stopped(&self, known: Option<Duration>) -> Duration {
        let until = || self.until.get().filter(|until| Some(*until) != known);
        match self.stopping.wait_for(until).await {
            Ok(until) => until,
            Err(_) => pending().await, // there are as many places as workers
        }
    }

    /// Waits until handlers have to be done.
    async fn time_is_up(&self) {
        let mut until = self.stopped(None).await;
        loop {
            let sleep = self.clock.sleep_until(until);
            match select(self.stopped(Some(until)), sleep).await {
                Either::First(shorter) => until = shorter,
                Either::Second(()) => return,
            }
        }
    }
}

impl<L, C, H, R, const W: usize> Server<L, C, H, R, W>
where
    L: Listener,
    C: Clock,
    H: Handler<L::Stream>,
    R: ServeReport<L::Error, H::Error>,
{
    /// Serves with `N` workers, until it is stopped and the last one is done.
    ///
    /// Each has the size of the handler's future, or of its accept, and at most 96 bytes more. The first poll makes them on the stack.
    ///
    /// # Errors
    ///
    /// The listener failed, with whatever is not [`Fault::Capacity`]; handlers are dropped then. Or [`ServeError::TooManyWorkers`].
    /// A handler that fails is no error here: it is counted, and reported.
    ///
    /// # Cancel safety
    ///
    /// Safe. The listener is still open. Handlers are dropped, and with them their streams; the next `run` goes on with the next client.
    pub async fn run<const N: usize>(&self) -> Result<ServeStatistics, ServeError<L::Error>> {
        const {
            assert!(N > 0, "without a worker nobody is served");
            assert!(N <= W, "more workers than the server has places for");
        }
        // All of them or none. They begin at once, so nobody comes in between.
        if self.workers.get() + N > W {
            return Err(ServeError::TooManyWorkers);
        }
        // One watch over all, which each slot would have to have otherwise.
        let failure = Cell::new(None);
        let workers = [(); N].map(|()| async {
            if let Err(error) = self.work().await {
                failure.set(Some(error));
            }
        });
        select(join_array(workers), self.time_is_up()).await;
        failure.take().map_or(Ok(self.statistics()), Err)
    }

    /// Serves without a fixed number of workers, in the place of one: each client has a task of its own in this future, which is polled only when it was
    /// woken. Only the listener bounds how many there are.
    ///
    /// # Errors
    ///
    /// As of [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// Safe. The listener is still open. Handlers are dropped, and with them their streams.
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
    pub async fn run_unbounded(&self) -> Result<ServeStatistics, ServeError<L::Error>> {
        let _work = self.start_work()?;
        let mut handlers = FuturesUnordered::new();
        let mut accepting = pin!(self.accept());
        poll_fn(|cx| {
            for _client in 0..BURST {
                while let Poll::Ready(Some(())) = handlers.poll_next_unpin(cx) {}
                let Some(stream) = ready!(accepting.as_mut().poll(cx))? else {
                    return Poll::Ready(Ok(()));
                };
                let serving = Serving::start(&self.statistics);
                handlers.push(async move {
                    let handled = self.handler.handle(stream).await;
                    self.conclude(serving, handled);
                });
                accepting.set(self.accept());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await?;
        let draining = handlers.for_each(|()| ready(()));
        select(draining, self.time_is_up()).await;
        Ok(self.statistics())
    }

    /// One worker: serves client after client, until the server is stopped and the last one of its own is done.
    ///
    /// # Errors
    ///
    /// As of [`run`](Self::run). The other workers return too then, with success.
    ///
    /// # Cancel safety
    ///
    /// Safe. The listener is the next worker's. A handler is dropped, and with it its stream.
    ///
    /// # Examples
    ///
    /// A task that is spawned as often as there shall be workers; on a microcontroller, its arguments have names for their types:
    ///
    /// ```
    /// use tacket::{AsyncResource, Clock, Handler, Listener, Server, Stream};
    ///
    /// /// Closes.
    /// struct Discard;
    ///
    /// impl<S: Stream> Handler<S> for Discard {
    ///     type Error = S::Error;
    ///
    ///     async fn handle(&self, stream: S) -> Result<(), S::Error> {
    ///         stream.close().await
    ///     }
    /// }
    ///
    /// async fn task<L: Listener, C: Clock>(server: &'static Server<L, C, Discard>) {
    ///     if server.worker().await.is_err() {
    ///         // the listener failed
    ///     }
    /// }
    /// ```
    pub async fn worker(&self) -> Result<(), ServeError<L::Error>> {
        match select(self.work(), self.time_is_up()).await {
            Either::First(result) => result,
            Either::Second(()) => Ok(()),
        }
    }

    /// Serves client after client, until it is stopped, and beyond the time to drain.
    async fn work(&self) -> Result<(), ServeError<L::Error>> {
        let _work = self.start_work()?;
        loop {
            let Some(stream) = self.accept().await? else {
                return Ok(());
            };
            // Written out, and not as a function: that would keep the stream beside the handler that it went to.
            let serving = Serving::start(&self.statistics);
            let handled = self.handler.handle(stream).await;
            self.conclude(serving, handled);
            // Where neither clients nor handlers make it wait, others come in between.
            yield_now().await;
        }
    }

    /// Counts one worker more, as long as there is a place for it.
    fn start_work(&self) -> Result<Work<'_>, ServeError<L::Error>> {
        match self.workers.get() < W {
            true => Ok(Work::start(&self.workers)),
            false => Err(ServeError::TooManyWorkers),
        }
    }

    /// Waits for a turn with the listener, then for a client. `None` once it is stopped.
    async fn accept(&self) -> Result<Option<L::Stream>, ServeError<L::Error>> {
        let turn = self.listener.take().await;
        let Some(mut turn) = turn.map_err(|_| ServeError::TooManyWorkers)? else {
            return Ok(None);
        };
        loop {
            let Some(accepted) = turn.accept().await else {
                return Ok(None);
            };
            match accepted {
                Ok(stream) => return Ok(Some(stream)),
                Err(error) if error.fault() == Fault::Capacity => {
                    self.note(|so_far| so_far.full += 1);
                    self.report.report(ServeEvent::Full(error));
                    let pause = self.clock.now().saturating_add(PAUSE);
                    select(self.listener.closed(), self.clock.sleep_until(pause)).await;
                }
                Err(error) => {
                    self.stop(Duration::ZERO);
                    return Err(ServeError::Listener(error));
                }
            }
        }
    }

    fn conclude(&self, mut serving: Serving<'_>, handled: Result<(), H::Error>) {
        serving.is_done = true;
        drop(serving);
        match handled {
            Ok(()) => self.note(|so_far| so_far.completed += 1),
            Err(error) => {
                self.note(|so_far| so_far.failed += 1);
                self.report.report(ServeEvent::Failed(error));
            }
        }
    }
}

impl<L, C, H, R, const W: usize> fmt::Debug for Server<L, C, H, R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("statistics", &self.statistics)
            .finish_non_exhaustive()
    }
}

/// A worker, as long as it is there.
struct Work<'w>(&'w Cell<usize>);

impl<'w> Work<'w> {
    fn start(workers: &'w Cell<usize>) -> Self {
        workers.set(workers.get() + 1);
        Self(workers)
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// A client that is served, as long as it is.
struct Serving<'s> {
    statistics: &'s Cell<ServeStatistics>,
    is_done: bool,
}

impl<'s> Serving<'s> {
    fn start(statistics: &'s Cell<ServeStatistics>) -> Self {
        let mut so_far = statistics.get();
        so_far.accepted += 1;
        so_far.active += 1;
        so_far.most_active = so_far.most_active.max(so_far.active);
        statistics.set(so_far);
        Self {
            statistics,
            is_done: false,
        }
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let mut so_far = self.statistics.get();
        so_far.active -= 1;
        so_far.cut += u64::from(!self.is_done);
        self.statistics.set(so_far);
    }
}

/// Why a server ended that was not stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServeError<A> {
    /// The listener failed.
    Listener(A),
    /// There are as many workers already as the server has places for.
    TooManyWorkers,
}

impl<A> fmt::Display for ServeError<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listener(_) => "the listener failed",
            Self::TooManyWorkers => "the server has no place for another worker",
        })
    }
}

impl<A: core::error::Error + 'static> core::error::Error for ServeError<A> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Listener(error) => Some(error),
            Self::TooManyWorkers => None,
        }
    }
}

impl<A: Error + 'static> embedded_io_async::Error for ServeError<A> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Listener(error) => error.kind(),
            Self::TooManyWorkers => Fault::Capacity.kind(),
        }
    }
}

impl<A: Error + 'static> Error for ServeError<A> {
    fn fault(&self) -> Fault {
        match self {
            Self::Listener(error) => error.fault(),
            Self::TooManyWorkers => Fault::Capacity,
        }
    }
}
