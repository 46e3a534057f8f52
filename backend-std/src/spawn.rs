//! Starting tasks that belong to nobody but the `run` they are in.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use core::cell::Cell;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use futures_util::FutureExt as _;

use crate::tasks::{Handle, Tasks};

/// Starts `future` as a task beside the future of [`run`](crate::run), on the same thread.
///
/// It goes on until it ends, is [cancelled](SpawnedTask::cancel), or the `run` ends, which drops all tasks that are left. It is first
/// polled after what is woken already. A task that is started while the `run` ends, by what is dropped then, is dropped at once. A
/// panic of a task is one of `run`, unless the task catches it (`catch_unwind`; for handlers of a server there is
/// [`CatchPanic`](crate::CatchPanic)).
///
/// A task that borrows, or must not be left behind, belongs in a [`TaskGroup`](crate::TaskGroup). This one costs less: who wakes it
/// leaves a number in a queue.
///
/// # Panics
///
/// Outside [`run`](crate::run), where nobody would ever poll it.
///
/// # Examples
///
/// ```
/// use tacket::{AsyncResource, Listener, LocalAddress, ReceiveStream, SendStream};
/// use tacket_std::{IoError, TcpListener, TcpStream};
///
/// tacket_std::run(async {
///     let mut listener = TcpListener::bind("127.0.0.1:0".parse().expect("an address"))?;
///     let address = listener.local_addr()?;
///     let served = tacket_std::spawn(async move {
///         let mut stream = listener.accept().await?;
///         stream.send_all(b"hello").await?;
///         stream.close().await
///     });
///     let mut stream = TcpStream::connect(address).await?;
///     assert_eq!(stream.receive_some(&mut [0; 16]).await?, 5);
///     served.await
/// })??;
/// # Ok::<(), IoError>(())
/// ```
pub fn spawn<F>(future: F) -> SpawnedTask<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    #[expect(
        clippy::expect_used,
        reason = "documented; a task that never starts would be worse"
    )]
    let tasks = Tasks::of_run().expect("spawning needs tacket_std::run on this thread");
    let outcome = Rc::new(Outcome {
        value: Cell::new(None),
        over: Cell::new(false),
        waiter: Cell::new(None),
    });
    let place = Place(Rc::clone(&outcome));
    let body = future.map(move |value| place.0.value.set(Some(value)));
    let (key, handle) = tasks.add(Box::pin(body));
    SpawnedTask {
        tasks,
        key,
        handle,
        outcome,
    }
}

/// A task that was [`spawn`]ed. To await it returns what it returns; to drop this lets it go on.
///
/// ```
/// tacket_std::run(async {
///     let answer = tacket_std::spawn(async { 6 * 7 });
///     assert_eq!(answer.await, 42);
///
///     let endless = tacket_std::spawn(core::future::pending::<()>());
///     endless.cancel();
/// })?;
/// # Ok::<(), tacket_std::IoError>(())
/// ```
///
/// # Panics
///
/// To await it panics when the task was dropped before it ended: its `run` is over, or it panicked itself.
pub struct SpawnedTask<T> {
    tasks: Rc<Tasks>,
    key: usize,
    handle: Arc<Handle>,
    outcome: Rc<Outcome<T>>,
}

struct Outcome<T> {
    value: Cell<Option<T>>,
    over: Cell<bool>,
    waiter: Cell<Option<Waker>>,
}

/// Where the task leaves what it returns. Goes with the task, however that ends.
struct Place<T>(Rc<Outcome<T>>);

impl<T> Drop for Place<T> {
    fn drop(&mut self) {
        self.0.over.set(true);
        if let Some(waiter) = self.0.waiter.take() {
            waiter.wake();
        }
    }
}

impl<T> SpawnedTask<T> {
    /// Drops the task's future, wherever it is; nothing happens if it has ended.
    pub fn cancel(self) {
        self.tasks.cancel(self.key, &self.handle);
    }

    /// Whether the task has ended, or was dropped.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.outcome.over.get()
    }
}

impl<T> Future for SpawnedTask<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if let Some(value) = self.outcome.value.take() {
            return Poll::Ready(value);
        }
        assert!(
            !self.outcome.over.get(),
            "the task was dropped before it ended"
        );
        self.outcome.waiter.set(Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl<T> fmt::Debug for SpawnedTask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnedTask")
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}
