//! The tasks of one thread: who is to be polled, and how they are woken.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::cell::{Cell, OnceCell, RefCell};
use core::pin::Pin;
use core::task::{Context, Waker};

use slab::Slab;

use crate::reactor::Reactor;
use crate::wake::{Inbox, Queued};

/// The key of the future that `run` itself has; no task ever has it.
pub(crate) const MAIN: usize = usize::MAX;

thread_local! {
    static CURRENT: OnceCell<Rc<Tasks>> = const { OnceCell::new() };
}

pub(crate) type Body = Pin<Box<dyn Future<Output = ()>>>;

/// What a thread has to do. Its tasks live no longer than the `run` that they started in.
pub(crate) struct Tasks {
    slots: RefCell<Slab<Slot>>,
    /// Who is to be polled, first come, first served.
    queue: RefCell<VecDeque<usize>>,
    inbox: Arc<Inbox<mio::Waker>>,
    /// Where keys from the inbox pass through.
    posted: RefCell<Vec<usize>>,
    /// Whether a `run` takes tasks now.
    open: Cell<bool>,
}

struct Slot {
    /// Away while it is polled.
    task: Option<Task>,
    handle: Arc<Handle>,
    /// Cancelled while it was polled.
    cancelled: bool,
}

struct Task {
    body: Body,
    waker: Waker,
}

/// What wakes one task, from any thread.
pub(crate) struct Handle {
    key: usize,
    queued: Queued,
    inbox: Arc<Inbox<mio::Waker>>,
}

impl Handle {
    fn new(key: usize, inbox: &Arc<Inbox<mio::Waker>>) -> Arc<Self> {
        Arc::new(Self {
            key,
            queued: Queued::new(),
            inbox: Arc::clone(inbox),
        })
    }

    /// The task is about to be polled.
    pub(crate) fn polled(&self) {
        self.queued.clear();
    }
}

impl Wake for Handle {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.set() {
            return;
        }
        let here = CURRENT.try_with(|current| {
            let tasks = current.get();
            let tasks = tasks.filter(|tasks| Arc::ptr_eq(&tasks.inbox, &self.inbox));
            tasks.map(|tasks| tasks.queue.borrow_mut().push_back(self.key))
        });
        if !matches!(here, Ok(Some(()))) {
            self.inbox.post(self.key);
        }
    }
}

impl Tasks {
    /// Those of this thread, which other threads wake by `inbox`.
    pub(crate) fn current(inbox: &Arc<Inbox<mio::Waker>>) -> Rc<Self> {
        let new = || {
            Rc::new(Self {
                slots: RefCell::new(Slab::new()),
                queue: RefCell::new(VecDeque::new()),
                inbox: Arc::clone(inbox),
                posted: RefCell::new(Vec::new()),
                open: Cell::new(false),
            })
        };
        let current = CURRENT.try_with(|current| Rc::clone(current.get_or_init(new)));
        current.unwrap_or_else(|_| new()) // the thread is ending
    }

    /// Those of this thread, if it is inside a `run`, which may be about to end.
    pub(crate) fn of_run() -> Option<Rc<Self>> {
        let current = CURRENT.try_with(|current| current.get().map(Rc::clone));
        let in_run = |tasks: &Rc<Self>| tasks.open.get() || Reactor::running().is_some();
        current.ok().flatten().filter(in_run)
    }

    /// Takes tasks until the guard is dropped, and gives out what wakes the future of `run`, which is queued already.
    pub(crate) fn enter(&self) -> (Entered<'_>, Arc<Handle>) {
        self.open.set(true);
        self.queue.borrow_mut().push_back(MAIN);
        (Entered(self), Handle::new(MAIN, &self.inbox))
    }

    /// Adds the task that is `body`. While the `run` ends, `body` is dropped instead, and the key is nobody's.
    pub(crate) fn add(&self, body: Body) -> (usize, Arc<Handle>) {
        if !self.open.get() {
            drop(body);
            return (MAIN, Handle::new(MAIN, &self.inbox));
        }
        let mut slots = self.slots.borrow_mut();
        let entry = slots.vacant_entry();
        let key = entry.key();
        let handle = Handle::new(key, &self.inbox);
        let waker = Waker::from(Arc::clone(&handle));
        let task = Some(Task { body, waker });
        entry.insert(Slot {
            task,
            handle: Arc::clone(&handle),
            cancelled: false,
        });
        drop(slots);
        self.queue.borrow_mut().push_back(key);
        (key, handle)
    }

    /// Whether there is nobody to poll.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    /// Queues whom other threads woke.
    pub(crate) fn take_posted(&self) {
        if self.inbox.has_some() {
            self.take_inbox();
        }
    }

    #[cold]
    fn take_inbox(&self) {
        let mut posted = self.posted.borrow_mut();
        self.inbox.take(&mut posted);
        self.queue.borrow_mut().extend(posted.drain(..));
    }

    /// Whom to poll next.
    pub(crate) fn next(&self) -> Option<usize> {
        self.queue.borrow_mut().pop_front()
    }

    /// Polls the task at `key`. Whoever was woken too late finds nobody there, or somebody who does not mind.
    pub(crate) fn poll(&self, key: usize) {
        let mut slots = self.slots.borrow_mut();
        let Some(slot) = slots.get_mut(key) else {
            return;
        };
        slot.handle.polled();
        let Some(mut task) = slot.task.take() else {
            return;
        };
        drop(slots);
        let polling = Polling { tasks: self, key };
        let polled = task
            .body
            .as_mut()
            .poll(&mut Context::from_waker(&task.waker));
        if polled.is_pending() {
            polling.put_back(task);
        }
    }

    /// Drops the task of `handle`, wherever it is.
    pub(crate) fn cancel(&self, key: usize, handle: &Arc<Handle>) {
        let mut slots = self.slots.borrow_mut();
        // The place may have gone to another task.
        let ours = |slot: &Slot| Arc::ptr_eq(&slot.handle, handle);
        if !slots.get(key).is_some_and(ours) {
            return;
        }
        let removed = match slots.get_mut(key) {
            Some(slot) if slot.task.is_none() => {
                slot.cancelled = true; // the place is given up after its poll
                return;
            }
            _ => slots.remove(key),
        };
        drop(slots);
        drop(removed); // no longer borrowed: what is dropped may spawn, wake or cancel
    }
}

/// A task that is away from its place to be polled. Unless it is put back, it is over, as it is when it panics.
struct Polling<'a> {
    tasks: &'a Tasks,
    key: usize,
}

impl Polling<'_> {
    fn put_back(self, task: Task) {
        let mut slots = self.tasks.slots.borrow_mut();
        if let Some(slot) = slots.get_mut(self.key).filter(|slot| !slot.cancelled) {
            slot.task = Some(task);
            core::mem::forget(self);
        }
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.tasks.slots.borrow_mut().remove(self.key);
    }
}

/// Ends all tasks when it is dropped.
pub(crate) struct Entered<'a>(&'a Tasks);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.open.set(false);
        // Outside of any borrow: what is dropped may wake, cancel or start others. Should one panic, the rest is dropped all the same.
        drop(self.0.slots.take());
        self.0.queue.borrow_mut().clear();
    }
}
