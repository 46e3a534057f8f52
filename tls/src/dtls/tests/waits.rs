//! Who is woken to move datagrams, when somebody else has moved some.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::cell::RefCell;
use core::convert::Infallible;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::pin::pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};

use embedded_io_async::ErrorType;
use tacket::testing::VirtualClock;
use tacket::{AsyncResource, Datagram, ReceiveDatagram, SendDatagram};

use crate::dtls::shared::Shared;
use crate::dtls::table::{Table, Topic};

/// More than are received in one go.
const ECHOES: u64 = 100;

/// Answers a datagram by many, while it is being sent.
#[derive(Clone, Default)]
struct Echo(Rc<RefCell<(VecDeque<SocketAddr>, Option<Waker>)>>);

impl ErrorType for Echo {
    type Error = Infallible;
}

impl SendDatagram for Echo {
    async fn send_to(&mut self, _data: &[u8], peer: SocketAddr) -> Result<(), Infallible> {
        let mut state = self.0.borrow_mut();
        state.0.extend((0..ECHOES).map(|_| peer));
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
        Ok(())
    }
}

impl ReceiveDatagram for Echo {
    async fn receive_from(&mut self, _buf: &mut [u8]) -> Result<(usize, SocketAddr), Infallible> {
        poll_fn(|cx| {
            let mut state = self.0.borrow_mut();
            match state.0.pop_front() {
                Some(peer) => Poll::Ready(Ok((0, peer))),
                None => {
                    state.1 = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl Datagram for Echo {
    type Sending<'a> = Self;
    type Receiving<'a> = Self;

    fn split(&mut self) -> (Self, Self) {
        (self.clone(), self.clone())
    }
}

impl AsyncResource for Echo {
    async fn close(self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn whoever_has_moved_datagrams_and_goes_leaves_the_rest_to_another() {
    let peer = SocketAddr::from(([192, 0, 2, 1], 4433));
    // The one who goes has what it waited for, or gives up.
    for has_it in [true, false] {
        let shared = Shared::new(Echo::default(), VirtualClock::<4>::new(), &[1; 32]);
        let all_came = |table: &mut Table| {
            let came = table.statistics().datagrams;
            (came == ECHOES).then_some(())
        };
        let mut waiting = pin!(shared.wait(Topic::Endpoint, all_came));
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        assert_eq!(waiting.as_mut().poll(&mut cx), Poll::Pending);
        let _ = woken.0.swap(false, Ordering::Relaxed);

        {
            let mut has_sent = false;
            let send = |table: &mut Table| {
                if !core::mem::replace(&mut has_sent, true) {
                    table.out.push(None, peer, b"who?");
                }
                has_it.then_some(())
            };
            let mut going = pin!(shared.wait(Topic::Endpoint, send));
            let other = Waker::from(Arc::new(Woken::default()));
            let polled = going.as_mut().poll(&mut Context::from_waker(&other));
            assert_eq!(polled.is_ready(), has_it);
        }

        let mut is_done = false;
        while !is_done {
            assert!(woken.0.swap(false, Ordering::Relaxed), "nobody moves them");
            is_done = waiting.as_mut().poll(&mut cx).is_ready();
        }
    }
}
