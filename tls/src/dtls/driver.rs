//! What moves datagrams between the socket and the table: nobody's future, which whoever waits polls.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use embedded_io_async::ErrorKind;
use tacket::{Clock, Datagram, Error as _, Fault, ReceiveDatagram, SendDatagram};

use super::error::Over;
use super::numbered::Numbered;
use super::receive_errors::{Next, ReceiveErrors};
use super::sizes::LONGEST_DATAGRAM;
use super::table::Table;

/// How many datagrams are received in one go.
const BURST: usize = 32;
/// How long to wait after the socket has failed to receive again and again.
const PAUSE: Duration = Duration::from_millis(10);

/// What the driver works on. Those who poll it have it too.
pub(super) struct Core<E> {
    pub(super) table: RefCell<Table>,
    pub(super) now: Box<dyn Fn() -> Duration>,
    /// The numbers of the datagrams that somebody waits for, with what became of those that failed.
    pub(super) awaited: RefCell<Numbered<Option<E>>>,
    /// The deadline that it waits for.
    pub(super) timed: Cell<Option<Duration>>,
    /// No more is sent than there is already, and then the socket is closed.
    pub(super) is_closing: Cell<bool>,
    /// Nothing moves any more.
    pub(super) is_done: Cell<bool>,
    /// Why the socket could not be closed with grace, for the first who closes.
    pub(super) failure: RefCell<Option<E>>,
}

impl<E> Core<E> {
    /// Nothing moves any more, and whoever waits for that sees it.
    pub(super) fn finish(&self) {
        self.is_done.set(true);
        self.with(Table::wake_all);
    }

    /// Whether the driver has something to do, although neither the socket nor the clock says so.
    pub(super) fn has_work(&self) -> bool {
        !self.table.borrow().out.is_empty() || self.is_mistimed() || self.is_closing.get()
    }

    /// Whether it waits for another deadline than there is now.
    pub(super) fn is_mistimed(&self) -> bool {
        !self.is_done.get() && self.table.borrow().deadline() != self.timed.get()
    }

    /// Works on the table, and then wakes whom that concerns.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut Table) -> R) -> R {
        let worked = work(&mut self.table.borrow_mut());
        let next = || self.table.borrow_mut().wake.pop_front();
        while let Some(waker) = next() {
            waker.wake();
        }
        worked
    }
}

/// Moves datagrams between the socket and the table, until the endpoint is closed or the socket fails for good.
pub(super) async fn drive<D, C>(mut socket: D, clock: Rc<C>, core: Rc<Core<D::Error>>)
where
    D: Datagram<Error: 'static>,
    C: Clock,
{
    let failed = {
        let (tx, rx) = socket.split();
        let mut sending = pin!(send(tx, &core));
        let mut receiving = pin!(receive(rx, &*clock, &core));
        let mut timing = pin!(keep_time(&*clock, &core));
        poll_fn(|cx| {
            if let Poll::Ready(error) = receiving.as_mut().poll(cx) {
                return Poll::Ready(Some(error));
            }
            let _never = timing.as_mut().poll(cx);
            // Last: what the others had to say goes out at once.
            sending.as_mut().poll(cx).map(|()| None)
        })
        .await
    };
    match failed {
        None => *core.failure.borrow_mut() = socket.close().await.err(),
        Some(error) if core.is_closing.get() => *core.failure.borrow_mut() = Some(error),
        Some(_) => core.with(|table| table.end(&Over::Broken)),
    }
    core.finish();
}

/// Sends whatever there is, until the endpoint closes and there is nothing more.
async fn send<S: SendDatagram<Error: 'static>>(mut tx: S, core: &Core<S::Error>) {
    loop {
        let next = poll_fn(|_| match core.with(|table| table.out.pop()) {
            Some(next) => Poll::Ready(Some(next)),
            None if core.is_closing.get() => Poll::Ready(None),
            // Whoever pushes something polls the driver.
            None => Poll::Pending,
        });
        let Some(next) = next.await else { return };
        let sent = tx.send_to(&next.data, next.peer).await;
        let is_sent = sent.is_ok();
        let mut refused = None;
        if let Err(error) = sent {
            match core.awaited.borrow_mut().get_mut(next.number) {
                Some(awaited) => *awaited = Some(error),
                None if is_of_network(&error) => {}
                None => refused = Some(Box::new(error)),
            }
        }
        core.with(|table| {
            if let Some(error) = refused {
                table.send_failed(next.id, next.number, error);
            }
            table.has_gone(next.id, next.number, is_sent);
            table.out.recycle(next.data);
        });
    }
}

/// Whether somebody has answered that nobody listens there. That may change.
fn is_of_network(error: &impl tacket::Error) -> bool {
    let kind = error.kind();
    matches!(
        kind,
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
    )
}

/// Receives until the socket is closed, or fails for good.
async fn receive<R: ReceiveDatagram>(
    mut rx: R,
    clock: &impl Clock,
    core: &Core<R::Error>,
) -> R::Error {
    let mut buf = vec![0; LONGEST_DATAGRAM];
    let mut errors = ReceiveErrors::default();
    loop {
        for _datagram in 0..BURST {
            let mut waits_since = None;
            let received = {
                let mut receiving = pin!(rx.receive_from(&mut buf));
                let received = poll_fn(|cx| {
                    let polled = receiving.as_mut().poll(cx);
                    if polled.is_pending() && errors.are_there() {
                        waits_since.get_or_insert_with(|| clock.now());
                    }
                    polled
                });
                received.await
            };
            match received {
                Ok((length, peer)) => {
                    errors.is_over();
                    let datagram = buf.get(..length).unwrap_or_default();
                    let now = clock.now();
                    let is_message = core.with(|table| {
                        let before = table.deliveries;
                        table.arrived(now, peer, datagram);
                        table.deliveries != before
                    });
                    // Whoever it is for has it before the next one comes.
                    if is_message {
                        break;
                    }
                }
                Err(error) if error.fault() == Fault::Closed => return error,
                Err(error) => {
                    let waited = waits_since.map(|since| clock.now().saturating_sub(since));
                    match errors.another(waited) {
                        Next::Retry => {}
                        Next::Pause => {
                            let pause = clock.now().saturating_add(PAUSE);
                            clock.sleep_until(pause).await;
                        }
                        Next::GiveUp => return error,
                    }
                }
            }
        }
        yield_now().await;
    }
}

/// Gives others their turn, and is polled again.
async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|cx| match has_yielded {
        true => Poll::Ready(()),
        false => {
            has_yielded = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

/// Tells the table the time when it wants to know.
async fn keep_time<E>(clock: &impl Clock, core: &Core<E>) {
    loop {
        let deadline = core.table.borrow().deadline();
        core.timed.set(deadline);
        let mut sleep = pin!(async {
            match deadline {
                Some(deadline) => clock.sleep_until(deadline).await,
                None => core::future::pending().await,
            }
        });
        let is_due = poll_fn(|cx| {
            if core.table.borrow().deadline() != deadline {
                return Poll::Ready(false);
            }
            sleep.as_mut().poll(cx).map(|()| true)
        });
        if is_due.await {
            let now = clock.now();
            core.with(|table| table.tick(now));
            yield_now().await;
        }
    }
}
