//! What the handles of an endpoint share, and how they wait.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::panic::AssertUnwindSafe;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::panic::{catch_unwind, resume_unwind};

use tacket::{Clock, Datagram};

use super::driver::{Core, drive};
use super::driver_waker::DriverWaker;
use super::error::Over;
use super::table::{Table, Topic};

pub(super) struct Shared<E> {
    core: Rc<Core<E>>,
    driver: RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>,
    driver_waker: Arc<DriverWaker>,
    /// `driver_waker` as a `Waker`.
    waker: Waker,
    tickets: Cell<u64>,
    /// How many wait for the socket to be closed.
    closing: Cell<usize>,
}

/// Why a datagram has not gone.
pub(super) enum Unsent<E> {
    Failed(E),
    Over(Over),
}

impl<E: tacket::Error + 'static> Shared<E> {
    pub(super) fn new<D, C>(socket: D, clock: C, key: &[u8; 32]) -> Self
    where
        D: Datagram<Error = E> + 'static,
        C: Clock + 'static,
    {
        let clock = Rc::new(clock);
        let now = {
            let clock = Rc::clone(&clock);
            Box::new(move || clock.now())
        };
        let core = Rc::new(Core {
            table: RefCell::new(Table::new(key)),
            now,
            awaited: RefCell::default(),
            timed: Cell::new(None),
            is_closing: Cell::new(false),
            is_done: Cell::new(false),
            failure: RefCell::new(None),
        });
        let driver_waker = Arc::<DriverWaker>::default();
        Self {
            driver: RefCell::new(Some(Box::pin(drive(socket, clock, Rc::clone(&core))))),
            core,
            waker: Waker::from(Arc::clone(&driver_waker)),
            driver_waker,
            tickets: Cell::new(0),
            closing: Cell::new(0),
        }
    }

    /// Works on the table.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut Table) -> R) -> R {
        self.core.with(work)
    }

    pub(super) fn now(&self) -> Duration {
        (self.core.now)()
    }

    fn poll_driver(&self) {
        let Ok(mut driver) = self.driver.try_borrow_mut() else {
            // It is being polled: any wake is for who does that.
            return;
        };
        self.driver_waker.begin();
        let mut cx = Context::from_waker(&self.waker);
        let mut polled = Ok(());
        if let Some(driver) = driver.as_mut() {
            let poll = AssertUnwindSafe(|| driver.as_mut().poll(&mut cx));
            polled = catch_unwind(poll).map(|_is_done| ());
        }
        // Also if it was ended in the middle of this.
        let done = driver.take_if(|_| self.core.is_done.get() || polled.is_err());
        drop(driver);
        self.driver_waker.end();
        if let Err(panic) = polled {
            // The socket, the clock or a waker is broken, and whoever waits hears of it, whatever panics then.
            self.core.is_done.set(true);
            self.with(|table| {
                table.end(&Over::Broken);
                table.wake_all();
            });
            drop(done);
            resume_unwind(panic);
        }
        drop(done);
    }

    /// Waits until `step` has something, and meanwhile moves datagrams for everybody.
    ///
    /// Dropped, it leaves nothing behind: what is under way is the driver's, whom the next one polls.
    pub(super) fn wait<T>(
        &self,
        topic: Topic,
        step: impl FnMut(&mut Table) -> Option<T>,
    ) -> impl Future<Output = T> {
        self.wait_as(self.ticket(), topic, step)
    }

    /// The same with a ticket that was taken before.
    async fn wait_as<T>(
        &self,
        ticket: u64,
        topic: Topic,
        mut step: impl FnMut(&mut Table) -> Option<T>,
    ) -> T {
        let wait = Wait::new(self, ticket, topic);
        poll_fn(|cx| {
            let mut value = self.with(&mut step);
            if value.is_none() && (self.driver_waker.is_woken() || self.core.has_work()) {
                wait.drive();
                value = self.with(&mut step);
            }
            let Some(value) = value else {
                return wait.poll(cx);
            };
            if self.core.has_work() {
                // What it has to say goes out at once, if the socket takes it.
                wait.drive();
            }
            Poll::Ready(value)
        })
        .await
    }

    /// Waits until this datagram has gone, or failed, or never will.
    pub(super) async fn gone(&self, id: u64, number: u64) -> Result<(), Over> {
        let gone = |table: &mut Table| {
            if table.out.has_gone(number) {
                return Some(Ok(()));
            }
            let over = table.over().filter(|_| self.core.is_done.get());
            over.map(|over| Err(over.clone()))
        };
        self.wait(Topic::Association(id), gone).await
    }

    /// Notes that somebody wants to know what becomes of this datagram. Call it in the step that makes the datagram, or it may have gone before.
    pub(super) fn awaited(&self, number: u64) -> Awaited<'_, E> {
        self.core.awaited.borrow_mut().insert(number, None);
        Awaited {
            shared: self,
            number,
        }
    }

    /// Waits until the socket has taken this datagram of this association.
    pub(super) async fn sent(&self, id: u64, awaited: Awaited<'_, E>) -> Result<(), Unsent<E>> {
        let gone = self.gone(id, awaited.number).await;
        match awaited.failure() {
            Some(error) => Err(Unsent::Failed(error)),
            None => gone.map_err(Unsent::Over),
        }
    }

    /// The one who serves reads the socket for all others, until this is dropped.
    pub(super) const fn serve(&self) -> Served<'_, E> {
        Served(self)
    }

    /// Says goodbye, sends what is to be sent, and closes the socket.
    pub(super) async fn close(&self) -> Result<(), E> {
        let closing = Closing::new(self);
        let now = self.now();
        self.with(|table| {
            table.say_goodbye(now);
            table.end(&Over::Closed);
        });
        self.core.is_closing.set(true);
        let done = |_: &mut Table| self.core.is_done.get().then_some(());
        self.wait(Topic::Endpoint, done).await;
        drop(closing);
        let failure = self.core.failure.borrow_mut().take();
        failure.map_or(Ok(()), Err)
    }

    /// Ends everything, at once.
    pub(super) fn end(&self) {
        self.with(|table| table.end(&Over::Closed));
        let driver = self.driver.try_borrow_mut();
        let driver = driver.ok().and_then(|mut driver| driver.take());
        drop(driver);
        self.core.finish();
    }

    /// If the driver still has to be polled, wakes the others for that: this caller has gone, or may not be polled again soon.
    fn hand_over(&self) {
        if self.driver.try_borrow().is_err() {
            // Whoever polls it hands it over afterwards.
            return;
        }
        if self.driver_waker.is_woken() || self.core.is_mistimed() {
            self.driver_waker.wake_waiting();
        }
    }

    fn ticket(&self) -> u64 {
        self.tickets.set(self.tickets.get() + 1);
        self.tickets.get()
    }
}

/// One who closes. The last one that is dropped ends everything.
struct Closing<'s, E: tacket::Error + 'static>(&'s Shared<E>);

impl<'s, E: tacket::Error + 'static> Closing<'s, E> {
    fn new(shared: &'s Shared<E>) -> Self {
        shared.closing.set(shared.closing.get() + 1);
        Self(shared)
    }
}

impl<E: tacket::Error + 'static> Drop for Closing<'_, E> {
    fn drop(&mut self) {
        let left = self.0.closing.get() - 1;
        self.0.closing.set(left);
        if left == 0 {
            self.0.end();
        }
    }
}

/// One who waits. Dropped, it waits no more.
struct Wait<'s, E: tacket::Error + 'static> {
    shared: &'s Shared<E>,
    topic: Topic,
    ticket: u64,
    /// The table has it in a list.
    is_listed: Cell<bool>,
    /// It was woken by the driver, or may be.
    has_waited: Cell<bool>,
    /// It has polled the driver. What woke that meanwhile has woken nobody else.
    has_driven: Cell<bool>,
}

impl<'s, E: tacket::Error + 'static> Wait<'s, E> {
    const fn new(shared: &'s Shared<E>, ticket: u64, topic: Topic) -> Self {
        Self {
            shared,
            topic,
            ticket,
            is_listed: Cell::new(false),
            has_waited: Cell::new(false),
            has_driven: Cell::new(false),
        }
    }

    fn poll<T>(&self, cx: &Context<'_>) -> Poll<T> {
        let (topic, ticket) = (self.topic, self.ticket);
        self.is_listed.set(true);
        self.has_waited.set(true);
        let replaced = self
            .shared
            .with(|table| table.wait(topic, ticket, cx.waker()));
        drop(replaced);
        drop(self.shared.driver_waker.wait(ticket, cx.waker()));
        self.shared.hand_over();
        Poll::Pending
    }

    /// Polls the driver. What this one waits for, it sees for itself afterwards.
    fn drive(&self) {
        self.leave();
        self.has_driven.set(true);
        self.shared.poll_driver();
    }

    /// Waits no more for what it is about.
    fn leave(&self) {
        if self.is_listed.take() {
            let (topic, ticket) = (self.topic, self.ticket);
            let left = self.shared.with(|table| table.wait_no_more(topic, ticket));
            drop(left);
        }
    }
}

impl<E: tacket::Error + 'static> Drop for Wait<'_, E> {
    fn drop(&mut self) {
        self.leave();
        let waker = &self.shared.driver_waker;
        let was_woken = self.has_waited.get() && waker.wait_no_more(self.ticket).is_some();
        if was_woken || self.has_driven.get() {
            // That may have been for this one to see to.
            self.shared.hand_over();
        }
    }
}

/// Dropped, nobody waits for this datagram any more.
pub(super) struct Awaited<'s, E: tacket::Error + 'static> {
    shared: &'s Shared<E>,
    number: u64,
}

impl<E: tacket::Error + 'static> Awaited<'_, E> {
    fn failure(&self) -> Option<E> {
        let mut awaited = self.shared.core.awaited.borrow_mut();
        awaited.remove(self.number).flatten()
    }
}

impl<E: tacket::Error + 'static> Drop for Awaited<'_, E> {
    fn drop(&mut self) {
        drop(self.failure());
    }
}

/// Dropped, nobody serves any more.
pub(super) struct Served<'s, E: tacket::Error + 'static>(&'s Shared<E>);

impl<E: tacket::Error + 'static> Drop for Served<'_, E> {
    fn drop(&mut self) {
        self.0.driver_waker.set_server(None);
        // One of those who wait has to read the socket now.
        self.0.with(|table| {
            table.serve_no_more();
            table.wake_all();
        });
    }
}

impl<E: tacket::Error + 'static> Served<'_, E> {
    /// Waits as [`Shared::wait`] does, as the one whom the driver wakes.
    pub(super) async fn wait<T>(&self, step: impl FnMut(&mut Table) -> Option<T>) -> T {
        let ticket = self.0.ticket();
        self.0.driver_waker.set_server(Some(ticket));
        self.0.wait_as(ticket, Topic::Endpoint, step).await
    }
}
