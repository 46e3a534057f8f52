//! Tasks that live no longer than the block that started them.

use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::future::poll_fn;
use core::pin::pin;
use core::task::{Poll, Waker};

use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

/// How many times in a row a group looks for new tasks and for tasks that are done.
const ROUNDS: usize = 128;

/// Starts tasks that end with their group.
///
/// [`TaskGroup::run`] makes one for a block. The block does not end before its tasks; the first error, of the block or of
/// a task, drops all the others and is returned; dropping the group's future drops them all. So tasks can borrow what
/// lives outside the group, and none is ever left behind.
///
/// Handles are cheap to clone, also into tasks, which then start tasks themselves. All tasks run on the group's thread,
/// and each is polled only when it was woken.
///
/// ```
/// use std::cell::Cell;
/// use tacket_std::TaskGroup;
///
/// let sum = Cell::new(0);
/// tacket_std::run(async {
///     TaskGroup::run(async |group| {
///         for n in [1, 2, 3] {
///             let sum = &sum;
///             group.spawn(async move {
///                 sum.set(sum.get() + n);
///                 Ok::<(), std::convert::Infallible>(())
///             });
///         }
///         Ok(())
///     })
///     .await
/// })?;
/// assert_eq!(sum.get(), 6);
/// # Ok::<(), tacket_std::IoError>(())
/// ```
pub struct TaskGroup<'env, E> {
    shared: Rc<Shared<'env, E>>,
}

struct Shared<'env, E> {
    /// Started, but not yet seen by the group's future.
    incoming: RefCell<Vec<LocalBoxFuture<'env, Result<(), E>>>>,
    /// Wakes the group's future.
    waker: RefCell<Option<Waker>>,
    ended: Cell<bool>,
}

impl<'env, E> TaskGroup<'env, E> {
    /// Runs `body` with a new group, and everything that is spawned into it.
    ///
    /// Returns what `body` returned, once all tasks are done.
    ///
    /// # Errors
    ///
    /// The first error of `body` or of a task. Everything else in the group was dropped then.
    ///
    /// # Cancel safety
    ///
    /// As safe as its tasks are: dropping it drops `body` and every task where they stand.
    pub async fn run<T>(body: impl AsyncFnOnce(Self) -> Result<T, E>) -> Result<T, E> {
        let shared = Rc::new(Shared {
            incoming: RefCell::new(Vec::new()),
            waker: RefCell::new(None),
            ended: Cell::new(false),
        });
        let ending = Ending(Rc::clone(&shared));
        let mut tasks = FuturesUnordered::new();
        let mut body = pin!(body(Self { shared }));
        let mut value = None;
        poll_fn(|cx| {
            let replaced = ending.0.waker.replace(Some(cx.waker().clone()));
            drop(replaced); // no longer borrowed: it may be the last handle to a task
            if value.is_none()
                && let Poll::Ready(result) = body.as_mut().poll(cx)
            {
                value = Some(result?);
            }
            for _ in 0..ROUNDS {
                tasks.extend(ending.0.incoming.take());
                match tasks.poll_next_unpin(cx) {
                    Poll::Ready(Some(result)) => result?,
                    Poll::Ready(None) if ending.0.incoming.borrow().is_empty() => {
                        return value
                            .take()
                            .map_or(Poll::Pending, |value| Poll::Ready(Ok(value)));
                    }
                    Poll::Pending if ending.0.incoming.borrow().is_empty() => return Poll::Pending,
                    Poll::Ready(None) | Poll::Pending => {}
                }
            }
            // There is more to do, but others have to come in between.
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }

    /// Starts `task` in the group. It is first polled when the group's future is polled next.
    ///
    /// A task started in a group that has ended is dropped at once.
    pub fn spawn(&self, task: impl Future<Output = Result<(), E>> + 'env) {
        if self.shared.ended.get() {
            return;
        }
        self.shared.incoming.borrow_mut().push(Box::pin(task));
        let waker = self.shared.waker.borrow().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<E> Clone for TaskGroup<'_, E> {
    fn clone(&self) -> Self {
        Self {
            shared: Rc::clone(&self.shared),
        }
    }
}

impl<E> fmt::Debug for TaskGroup<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup")
            .field("ended", &self.shared.ended)
            .finish_non_exhaustive()
    }
}

/// Ends the group with its future, so that no task outlives it inside a handle.
struct Ending<'env, E>(Rc<Shared<'env, E>>);

impl<E> Drop for Ending<'_, E> {
    fn drop(&mut self) {
        self.0.ended.set(true);
        let left = self.0.incoming.take();
        drop(left);
    }
}
