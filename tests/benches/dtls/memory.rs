//! Two sockets that are connected by memory alone.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::convert::Infallible;
use core::future::poll_fn;
use core::net::{Ipv4Addr, SocketAddr};
use core::task::{Poll, Waker};

use embedded_io_async::ErrorType;
use tacket::{AsyncResource, Datagram, ReceiveDatagram, SendDatagram};

#[derive(Debug)]
pub(crate) struct MemorySocket {
    pub(crate) peer: SocketAddr,
    outgoing: Rc<Queue>,
    incoming: Rc<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    datagrams: RefCell<VecDeque<Vec<u8>>>,
    /// Memory for the next ones.
    spare: RefCell<Vec<Vec<u8>>>,
    receiver: RefCell<Option<Waker>>,
    longest: Cell<usize>,
}

impl MemorySocket {
    pub(crate) fn pair() -> [Self; 2] {
        let (one, other) = (Rc::<Queue>::default(), Rc::<Queue>::default());
        let [here, there] = [1, 2].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let socket = |peer, outgoing: &Rc<_>, incoming: &Rc<_>| Self {
            peer,
            outgoing: Rc::clone(outgoing),
            incoming: Rc::clone(incoming),
        };
        [socket(there, &one, &other), socket(here, &other, &one)]
    }

    /// The length of the longest datagram that was sent, as long as somebody can ask for it.
    pub(crate) fn longest(&self) -> impl Fn() -> usize + use<> {
        let queue = Rc::clone(&self.outgoing);
        move || queue.longest.get()
    }

    pub(crate) fn send(&self, data: &[u8]) {
        let queue = &*self.outgoing;
        let mut datagram = queue.spare.borrow_mut().pop().unwrap_or_default();
        datagram.extend_from_slice(data);
        queue.longest.set(queue.longest.get().max(data.len()));
        queue.datagrams.borrow_mut().push_back(datagram);
        if let Some(receiver) = queue.receiver.take() {
            receiver.wake();
        }
    }

    pub(crate) fn receive(&self, buf: &mut [u8]) -> Option<usize> {
        let queue = &*self.incoming;
        let mut datagram = queue.datagrams.borrow_mut().pop_front()?;
        let length = datagram.len();
        buf[..length].copy_from_slice(&datagram);
        datagram.clear();
        queue.spare.borrow_mut().push(datagram);
        Some(length)
    }
}

impl ErrorType for MemorySocket {
    type Error = Infallible;
}

impl SendDatagram for MemorySocket {
    async fn send_to(&mut self, data: &[u8], peer: SocketAddr) -> Result<(), Infallible> {
        self.split().0.send_to(data, peer).await
    }
}

impl ReceiveDatagram for MemorySocket {
    async fn receive_from(&mut self, buf: &mut [u8]) -> Result<(usize, SocketAddr), Infallible> {
        self.split().1.receive_from(buf).await
    }
}

/// A half of one.
#[derive(Debug)]
pub(crate) struct Half<'s>(&'s MemorySocket);

impl ErrorType for Half<'_> {
    type Error = Infallible;
}

impl SendDatagram for Half<'_> {
    async fn send_to(&mut self, data: &[u8], _peer: SocketAddr) -> Result<(), Infallible> {
        self.0.send(data);
        Ok(())
    }
}

impl ReceiveDatagram for Half<'_> {
    async fn receive_from(&mut self, buf: &mut [u8]) -> Result<(usize, SocketAddr), Infallible> {
        poll_fn(|cx| match self.0.receive(buf) {
            Some(length) => Poll::Ready(Ok((length, self.0.peer))),
            None => {
                self.0.incoming.receiver.replace(Some(cx.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }
}

impl Datagram for MemorySocket {
    type Sending<'a> = Half<'a>;
    type Receiving<'a> = Half<'a>;

    fn split(&mut self) -> (Half<'_>, Half<'_>) {
        (Half(self), Half(self))
    }
}

impl AsyncResource for MemorySocket {
    async fn close(self) -> Result<(), Infallible> {
        Ok(())
    }
}
