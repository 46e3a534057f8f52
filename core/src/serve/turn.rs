//! The listener, which one worker has at a time.

use core::cell::{Cell, RefCell, RefMut};
use core::future::pending;

use embassy_futures::select::{Either, select};

use crate::Listener;
use crate::wait_queue::{NoPlace, WaitQueue};

/// A listener that workers take turns with.
pub(super) struct Turns<L, const W: usize> {
    /// Borrowed by the worker whose turn it is. `None` once it was closed.
    listener: RefCell<Option<L>>,
    is_closed: Cell<bool>,
    idle: WaitQueue<W>,
}

impl<L, const W: usize> Turns<L, W> {
    pub(super) const fn new(listener: L) -> Self {
        Self {
            listener: RefCell::new(Some(listener)),
            is_closed: Cell::new(false),
            idle: WaitQueue::new(),
        }
    }

    /// Waits for the listener. `None` once it is closed.
    pub(super) async fn take(&self) -> Result<Option<Turn<'_, L, W>>, NoPlace> {
        self.idle.wait_for(|| self.try_take()).await
    }

    fn try_take(&self) -> Option<Option<Turn<'_, L, W>>> {
        if self.is_closed.get() {
            return Some(None);
        }
        let listener = self.listener.try_borrow_mut().ok()?;
        Some(Some(Turn {
            turns: self,
            listener: Some(listener),
        }))
    }

    /// Waits until the listener is closed. To be awaited by the one who has it: there are as many places as workers.
    pub(super) async fn closed(&self) {
        let is_closed = || self.is_closed.get().then_some(());
        if self.idle.wait_for(is_closed).await.is_err() {
            pending().await
        }
    }

    /// Has the listener dropped: at once, or when its worker gives it back.
    pub(super) fn close(&self) {
        self.is_closed.set(true);
        self.drop_listener();
        self.idle.wake_all();
    }

    /// Drops it, unless a worker has it. By then nothing is borrowed any more.
    fn drop_listener(&self) {
        let listener = self.listener.try_borrow_mut().ok();
        let listener = listener.and_then(|mut listener| listener.take());
        drop(listener);
    }
}

/// A worker's turn with the listener. Dropped, it is the next one's.
pub(super) struct Turn<'t, L, const W: usize> {
    turns: &'t Turns<L, W>,
    /// Until it is dropped.
    listener: Option<RefMut<'t, Option<L>>>,
}

impl<L, const W: usize> Turn<'_, L, W> {
    /// Accepts, unless the listener was or is closed meanwhile: then `None`.
    pub(super) async fn accept(&mut self) -> Option<Result<L::Stream, L::Error>>
    where
        L: Listener,
    {
        let closed = self.turns.closed();
        let listener = self.listener.as_mut()?.as_mut()?;
        match select(closed, listener.accept()).await {
            Either::First(()) => None,
            Either::Second(accepted) => Some(accepted),
        }
    }
}

impl<L, const W: usize> Drop for Turn<'_, L, W> {
    fn drop(&mut self) {
        self.listener = None;
        if self.turns.is_closed.get() {
            self.turns.drop_listener();
        }
        self.turns.idle.wake_one();
    }
}
