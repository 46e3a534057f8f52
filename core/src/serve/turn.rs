//! The listener, which one worker has at a time.

use core::cell::RefCell;
use core::future::pending;

use embassy_futures::select::{Either, select};

use crate::Listener;
use crate::wait_queue::{NoPlace, WaitQueue};

/// A listener that workers take turns with.
pub(super) struct Turns<L, const W: usize> {
    listener: RefCell<Place<L>>,
    idle: WaitQueue<W>,
}

enum Place<L> {
    Free(L),
    /// A worker has it.
    Taken,
    /// It is not to be used any more.
    Closed,
}

impl<L, const W: usize> Turns<L, W> {
    pub(super) const fn new(listener: L) -> Self {
        Self {
            listener: RefCell::new(Place::Free(listener)),
            idle: WaitQueue::new(),
        }
    }

    /// Waits for the listener. `None` once it is closed.
    pub(super) async fn take(&self) -> Result<Option<Turn<'_, L, W>>, NoPlace> {
        self.idle.wait_for(|| self.try_take()).await
    }

    fn try_take(&self) -> Option<Option<Turn<'_, L, W>>> {
        let mut place = self.listener.borrow_mut();
        match core::mem::replace(&mut *place, Place::Taken) {
            Place::Free(listener) => Some(Some(Turn {
                turns: self,
                listener: Some(listener),
            })),
            Place::Taken => None,
            Place::Closed => {
                *place = Place::Closed;
                Some(None)
            }
        }
    }

    /// Waits until the listener is closed. To be awaited by the one who has it: there are as many places as workers.
    pub(super) async fn closed(&self) {
        let is_closed = || matches!(*self.listener.borrow(), Place::Closed).then_some(());
        if self.idle.wait_for(is_closed).await.is_err() {
            pending().await
        }
    }

    /// Has the listener dropped: at once, or when its worker gives it back.
    pub(super) fn close(&self) {
        let listener = core::mem::replace(&mut *self.listener.borrow_mut(), Place::Closed);
        drop(listener);
        self.idle.wake_all();
    }
}

/// A worker's turn with the listener. Dropped, it is the next one's.
pub(super) struct Turn<'t, L, const W: usize> {
    turns: &'t Turns<L, W>,
    listener: Option<L>,
}

impl<L, const W: usize> Turn<'_, L, W> {
    /// Accepts, unless the listener was or is closed meanwhile: then `None`.
    pub(super) async fn accept(&mut self) -> Option<Result<L::Stream, L::Error>>
    where
        L: Listener,
    {
        let closed = self.turns.closed();
        match select(closed, self.listener.as_mut()?.accept()).await {
            Either::First(()) => None,
            Either::Second(accepted) => Some(accepted),
        }
    }
}

impl<L, const W: usize> Drop for Turn<'_, L, W> {
    fn drop(&mut self) {
        let mut place = self.turns.listener.borrow_mut();
        if let Place::Taken = *place
            && let Some(listener) = self.listener.take()
        {
            *place = Place::Free(listener);
        }
        drop(place);
        self.turns.idle.wake_one();
    }
}
