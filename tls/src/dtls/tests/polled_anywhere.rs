//! Whoever is polled where nobody expects it, or panics there.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::convert::Infallible;
use core::future::{pending, poll_fn};
use core::mem;
use core::net::SocketAddr;
use core::panic::AssertUnwindSafe;
use core::pin::{Pin, pin};
use core::sync::atomic::Ordering;
use core::task::{Context, Poll, Waker};
use std::panic::catch_unwind;
use std::thread_local;

use embedded_io_async::ErrorType;
use tacket::testing::VirtualClock;
use tacket::{AsyncResource, Datagram, ReceiveDatagram, SendDatagram};

use super::two_tables::at;
use super::{Count, certified};
use crate::dtls::{DtlsChannel, DtlsEndpoint, DtlsError};

/// Sockets in memory. Who receives is woken while another one sends.
#[derive(Clone, Default)]
struct Net(Rc<RefCell<BTreeMap<SocketAddr, Port>>>);

#[derive(Default)]
struct Port {
    came: VecDeque<(Vec<u8>, SocketAddr)>,
    receiver: Option<Waker>,
}

#[derive(Clone)]
struct Socket {
    net: Net,
    own: SocketAddr,
    /// It panics when something is sent.
    panics: Rc<Cell<bool>>,
}

impl Socket {
    fn new(net: &Net, port: u16) -> Self {
        net.0.borrow_mut().insert(at(port), Port::default());
        Self {
            net: net.clone(),
            own: at(port),
            panics: Rc::default(),
        }
    }

    fn send(&self, data: &[u8], peer: SocketAddr) {
        let receiver = {
            let mut ports = self.net.0.borrow_mut();
            let port = ports.get_mut(&peer);
            port.and_then(|port| {
                port.came.push_back((data.to_vec(), self.own));
                port.receiver.take()
            })
        };
        receiver.map(Waker::wake).unwrap_or_default();
    }
}

impl ErrorType for Socket {
    type Error = Infallible;
}

impl SendDatagram for Socket {
    async fn send_to(&mut self, data: &[u8], peer: SocketAddr) -> Result<(), Infallible> {
        assert!(!self.panics.get(), "the socket panics");
        self.send(data, peer);
        Ok(())
    }
}

impl ReceiveDatagram for Socket {
    async fn receive_from(&mut self, buf: &mut [u8]) -> Result<(usize, SocketAddr), Infallible> {
        poll_fn(|cx| {
            let mut ports = self.net.0.borrow_mut();
            let port = ports.get_mut(&self.own).expect("it is bound");
            match port.came.pop_front() {
                Some((data, from)) => {
                    buf[..data.len()].copy_from_slice(&data);
                    Poll::Ready(Ok((data.len(), from)))
                }
                None => {
                    port.receiver = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl Datagram for Socket {
    type Sending<'a> = Self;
    type Receiving<'a> = Self;

    fn split(&mut self) -> (Self, Self) {
        (self.clone(), self.clone())
    }
}

impl AsyncResource for Socket {
    async fn close(self) -> Result<(), Infallible> {
        Ok(())
    }
}

fn endpoint(socket: Socket) -> DtlsEndpoint<Socket> {
    DtlsEndpoint::new(socket, VirtualClock::<1>::new()).expect("random bytes")
}

// ------------------------------------------------------------ an executor that polls a task where it is woken

#[derive(Default)]
struct Task {
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    is_polled: bool,
    is_woken: bool,
    polls: usize,
}

thread_local! {
    static TASKS: RefCell<Vec<Task>> = const { RefCell::new(Vec::new()) };
}

struct PollAtOnce(usize);

impl Wake for PollAtOnce {
    fn wake(self: Arc<Self>) {
        poll_task(self.0);
    }
}

fn with_task<R>(number: usize, work: impl FnOnce(&mut Task) -> R) -> R {
    TASKS.with_borrow_mut(|tasks| work(&mut tasks[number]))
}

fn poll_task(number: usize) {
    if with_task(number, |task| mem::replace(&mut task.is_polled, true)) {
        return with_task(number, |task| task.is_woken = true);
    }
    let waker = Waker::from(Arc::new(PollAtOnce(number)));
    loop {
        let future = with_task(number, |task| {
            task.is_woken = false;
            task.polls += 1;
            assert!(task.polls < 10_000, "task {number} is polled for ever");
            task.future.take()
        });
        let Some(mut future) = future else { break };
        let mut cx = Context::from_waker(&waker);
        if future.as_mut().poll(&mut cx).is_pending() {
            with_task(number, |task| task.future = Some(future));
        }
        if !with_task(number, |task| task.is_woken) {
            break;
        }
    }
    with_task(number, |task| task.is_polled = false);
}

fn spawn(future: impl Future<Output = ()> + 'static) {
    let number = TASKS.with_borrow_mut(|tasks| {
        let future = Some(Box::pin(future) as _);
        tasks.push(Task {
            future,
            ..Task::default()
        });
        tasks.len() - 1
    });
    poll_task(number);
}

async fn echo(channel: DtlsChannel<Socket>) -> Result<(), DtlsError<Infallible>> {
    let mut message = [0; 100];
    while let Some(length) = channel.receive(&mut message).await? {
        channel.send(&message[..length]).await?;
    }
    Ok(())
}

#[test]
fn tasks_may_be_polled_where_they_are_woken() {
    let net = Net::default();
    let (server, client) = (
        endpoint(Socket::new(&net, 1)),
        endpoint(Socket::new(&net, 2)),
    );
    let (config, server_config) = certified();
    spawn(async move {
        let served = server.serve(&server_config, 8, echo).await;
        panic!("it serves no more: {served:?}");
    });
    let channel = client.connect(at(1), &config, "server.example");
    let channel = Rc::new(channel.expect("open"));
    let came = Rc::new(Cell::new(0));
    spawn({
        let (channel, came) = (Rc::clone(&channel), Rc::clone(&came));
        async move {
            let mut message = [0; 100];
            while channel.receive(&mut message).await == Ok(Some(7)) {
                came.set(came.get() + 1);
            }
        }
    });
    spawn(async move {
        for _ in 0..10 {
            channel.send(b"message").await.expect("sends");
        }
        pending().await
    });
    assert_eq!(came.get(), 10);
}

#[test]
fn a_panic_of_the_socket_breaks_the_endpoint_for_all_who_wait() {
    let net = Net::default();
    let socket = Socket::new(&net, 2);
    let panics = Rc::clone(&socket.panics);
    let client = endpoint(socket);
    let (config, _) = certified();
    let [one, other] = [1, 3].map(|port| {
        let channel = client.connect(at(port), &config, "server.example");
        channel.expect("open")
    });
    let count = Arc::<Count>::default();
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    let mut waiting = pin!(one.do_handshake());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    panics.set(true);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut shaking = pin!(other.do_handshake());
        let mut cx = Context::from_waker(Waker::noop());
        let _ = shaking.as_mut().poll(&mut cx);
    }));
    assert!(panicked.is_err());
    assert!(count.0.load(Ordering::Relaxed) > 0, "nobody is woken");
    let over = Poll::Ready(Err(DtlsError::Broken));
    assert_eq!(waiting.as_mut().poll(&mut cx), over);
    let mut shaking = pin!(other.do_handshake());
    assert_eq!(shaking.as_mut().poll(&mut cx), over);
    let mut closing = pin!(client.close());
    assert_eq!(closing.as_mut().poll(&mut cx), Poll::Ready(Ok(())));
}
