//! A socket whose other side is the program, the clock, and who is woken.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::mem;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Poll, Waker};
use core::time::Duration;

use embedded_io_async::ErrorType;
use tacket::testing::{SimError, VirtualClock};
use tacket::{AsyncResource, Clock, Datagram, ReceiveDatagram, SendDatagram};

/// More datagrams than are sent or received between two looks at a socket.
const ROOM: usize = 1024;

pub(super) type Addressed = (SocketAddr, Vec<u8>);

/// What comes to a socket, and what it sends.
#[derive(Debug)]
pub(super) struct Line {
    incoming: RefCell<VecDeque<Addressed>>,
    /// What was received: it is freed where it was made, which is not where memory is counted.
    spent: RefCell<Vec<Addressed>>,
    outgoing: RefCell<Vec<Addressed>>,
    is_stalled: Cell<bool>,
    fails: Cell<bool>,
    receiver: RefCell<Option<Waker>>,
    sender: RefCell<Option<Waker>>,
}

impl Line {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self {
            incoming: RefCell::default(),
            spent: RefCell::new(Vec::with_capacity(ROOM)),
            outgoing: RefCell::new(Vec::with_capacity(ROOM)),
            is_stalled: Cell::new(false),
            fails: Cell::new(false),
            receiver: RefCell::default(),
            sender: RefCell::default(),
        })
    }

    pub(super) fn put(&self, from: SocketAddr, datagram: Vec<u8>) {
        self.spent.borrow_mut().clear();
        self.incoming.borrow_mut().push_back((from, datagram));
        self.receiver.take().map(Waker::wake).unwrap_or_default();
    }

    /// What was sent since the last time.
    pub(super) fn take(&self) -> Vec<Addressed> {
        let sent = self.outgoing.borrow_mut();
        let (mut sent, room) = (sent, Vec::with_capacity(ROOM));
        mem::replace(&mut *sent, room)
    }

    /// From now on, nothing can be sent, or it fails, or neither.
    pub(super) fn set(&self, is_stalled: bool, fails: bool) {
        self.is_stalled.set(is_stalled);
        self.fails.set(fails);
        self.sender.take().map(Waker::wake).unwrap_or_default();
    }

    pub(super) const fn is_stalled(&self) -> bool {
        self.is_stalled.get()
    }
}

/// A socket on a line, or half of one.
#[derive(Debug)]
pub(super) struct Port(pub(super) Rc<Line>);

impl ErrorType for Port {
    type Error = SimError;
}

impl SendDatagram for Port {
    async fn send_to(&mut self, data: &[u8], peer: SocketAddr) -> Result<(), SimError> {
        poll_fn(|cx| match self.0.is_stalled.get() {
            true => {
                self.0.sender.replace(Some(cx.waker().clone()));
                Poll::Pending
            }
            false => Poll::Ready(()),
        })
        .await;
        match self.0.fails.get() {
            true => return Err(SimError::Refused),
            false => self.0.outgoing.borrow_mut().push((peer, data.to_vec())),
        }
        Ok(())
    }
}

impl ReceiveDatagram for Port {
    async fn receive_from(&mut self, buf: &mut [u8]) -> Result<(usize, SocketAddr), SimError> {
        let (from, datagram) = poll_fn(|cx| {
            let next = self.0.incoming.borrow_mut().pop_front();
            next.map_or_else(
                || {
                    self.0.receiver.replace(Some(cx.waker().clone()));
                    Poll::Pending
                },
                Poll::Ready,
            )
        })
        .await;
        let length = datagram.len().min(buf.len());
        buf[..length].copy_from_slice(&datagram[..length]);
        self.0.spent.borrow_mut().push((from, datagram));
        Ok((length, from))
    }
}

impl Datagram for Port {
    type Sending<'a> = Self;
    type Receiving<'a> = Self;

    fn split(&mut self) -> (Self, Self) {
        (Self(Rc::clone(&self.0)), Self(Rc::clone(&self.0)))
    }
}

impl AsyncResource for Port {
    async fn close(self) -> Result<(), SimError> {
        Ok(())
    }
}

/// The time of all.
#[derive(Clone, Debug, Default)]
pub(super) struct Time(pub(super) Rc<VirtualClock<128>>);

impl Clock for Time {
    fn now(&self) -> Duration {
        self.0.now()
    }

    async fn sleep_until(&self, deadline: Duration) {
        self.0.sleep_until(deadline).await;
    }
}

/// Whether somebody was woken.
#[derive(Debug)]
pub(super) struct Flag(AtomicBool);

impl Flag {
    pub(super) fn raised() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    pub(super) fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.raise();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.raise();
    }
}
