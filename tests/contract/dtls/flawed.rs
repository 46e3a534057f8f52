//! Sockets that take nothing, fail, or have others polled in the middle of their own polls, and what the channels over them tell.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::net::SocketAddr;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use std::rc::Rc;

use embedded_io_async::ErrorType;
use futures_util::FutureExt as _;
use futures_util::future::{join, join3};
use tacket::testing::{DropPoint, SeededExecutor, SimDatagram, SimError};
use tacket::{
    AsyncResource, Bind as _, Clock as _, Datagram, LocalAddress as _, ReceiveDatagram,
    SendDatagram,
};
use tacket_tests::NAME;
use tacket_tls::{DtlsChannel, DtlsConnectError, DtlsEndpoint, DtlsError};

use super::{Error, SECOND, World, echo, endpoint, sent_to, while_serving};

/// Somebody else.
type Intruder = Pin<Box<dyn Future<Output = ()>>>;

/// What is wrong with a socket, as of now.
#[derive(Default)]
pub(super) struct Flaws {
    /// It takes no datagrams.
    pub(super) is_stalled: Cell<bool>,
    /// What sending fails with.
    pub(super) sending: Cell<Option<SimError>>,
    /// Nobody listens there: sending fails, and so does the next that is received.
    closed: Cell<Option<SocketAddr>>,
    /// What receiving fails with, and how often.
    receiving: Cell<Option<(SimError, u32)>>,
    /// How often it failed.
    failed: Cell<u32>,
    /// Polled once in the middle of the next poll, which then has nothing, and is woken for what it has.
    pub(super) intruder: Cell<Option<Intruder>>,
    waiting: RefCell<Vec<Waker>>,
    /// Polled once in the middle of the next poll that sends, and kept.
    pub(super) sender: Cell<Option<Intruder>>,
    pub(super) kept: Cell<Option<Intruder>>,
}

impl Flaws {
    pub(super) fn change(&self, change: impl FnOnce(&Self)) {
        change(self);
        let waiting = self.waiting.take();
        waiting.into_iter().for_each(Waker::wake);
    }

    fn wait(&self, cx: &Context<'_>) {
        self.waiting.borrow_mut().push(cx.waker().clone());
    }
}

pub(super) struct Flawed(pub(super) SimDatagram, pub(super) Rc<Flaws>);

pub(super) struct Sending<'s>(<SimDatagram as Datagram>::Sending<'s>, &'s Flaws);

pub(super) struct Receiving<'s>(<SimDatagram as Datagram>::Receiving<'s>, &'s Flaws);

impl ErrorType for Flawed {
    type Error = SimError;
}

impl ErrorType for Sending<'_> {
    type Error = SimError;
}

impl ErrorType for Receiving<'_> {
    type Error = SimError;
}

impl SendDatagram for Sending<'_> {
    async fn send_to(&mut self, data: &[u8], peer: SocketAddr) -> Result<(), SimError> {
        poll_fn(|cx| match self.1.is_stalled.get() {
            true => {
                self.1.wait(cx);
                Poll::Pending
            }
            false => Poll::Ready(()),
        })
        .await;
        if let Some(mut sender) = self.1.sender.take() {
            let mut nobody = Context::from_waker(Waker::noop());
            assert!(sender.as_mut().poll(&mut nobody).is_pending());
            self.1.kept.set(Some(sender));
        }
        if self.1.closed.get() == Some(peer) {
            let error = (SimError::Refused, 1);
            self.1.change(|flaws| flaws.receiving.set(Some(error)));
            return Err(SimError::Refused);
        }
        match self.1.sending.get() {
            Some(error) => Err(error),
            None => self.0.send_to(data, peer).await,
        }
    }
}

impl ReceiveDatagram for Receiving<'_> {
    async fn receive_from(&mut self, buf: &mut [u8]) -> Result<(usize, SocketAddr), SimError> {
        let Self(inner, flaws) = self;
        let mut receiving = pin!(inner.receive_from(buf));
        poll_fn(|cx| {
            flaws.wait(cx);
            if let Some((error, left)) = flaws.receiving.get() {
                let left = left.checked_sub(1).filter(|left| *left > 0);
                flaws.receiving.set(left.map(|left| (error, left)));
                flaws.failed.set(flaws.failed.get() + 1);
                return Poll::Ready(Err(error));
            }
            let intruder = flaws.intruder.take();
            if let Some(mut intruder) = intruder {
                cx.waker().wake_by_ref();
                let mut nobody = Context::from_waker(Waker::noop());
                assert!(intruder.as_mut().poll(&mut nobody).is_pending());
                return Poll::Pending;
            }
            receiving.as_mut().poll(cx)
        })
        .await
    }
}

impl SendDatagram for Flawed {
    async fn send_to(&mut self, data: &[u8], peer: SocketAddr) -> Result<(), SimError> {
        self.split().0.send_to(data, peer).await
    }
}

impl ReceiveDatagram for Flawed {
    async fn receive_from(&mut self, buf: &mut [u8]) -> Result<(usize, SocketAddr), SimError> {
        self.split().1.receive_from(buf).await
    }
}

impl Datagram for Flawed {
    type Sending<'s> = Sending<'s>;
    type Receiving<'s> = Receiving<'s>;

    fn split(&mut self) -> (Sending<'_>, Receiving<'_>) {
        let (tx, rx) = self.0.split();
        (Sending(tx, &self.1), Receiving(rx, &self.1))
    }
}

impl AsyncResource for Flawed {
    async fn close(self) -> Result<(), SimError> {
        self.0.close().await
    }
}

/// A client over such a socket, whose handshake is done, and what is beside it.
pub(super) struct Client {
    pub(super) endpoint: DtlsEndpoint<Flawed>,
    pub(super) channel: DtlsChannel<Flawed>,
    pub(super) flaws: Rc<Flaws>,
    pub(super) address: SocketAddr,
    pub(super) server: SocketAddr,
}

impl Client {
    pub(super) fn parts(&self) -> (&DtlsEndpoint<Flawed>, &DtlsChannel<Flawed>, &Flaws) {
        (&self.endpoint, &self.channel, &self.flaws)
    }
}

/// Runs `talk` with a client of a server that sends each message back.
pub(super) fn with_client(talk: impl AsyncFnOnce(&SeededExecutor<'_>, &World, Client)) {
    with_client_of(false, talk);
}

/// The same by DTLS 1.2 or 1.3.
pub(super) fn with_client_of(
    dtls13: bool,
    talk: impl AsyncFnOnce(&SeededExecutor<'_>, &World, Client),
) {
    let executor = SeededExecutor::new(1);
    let world = World::new(&executor);
    executor.run(async {
        let (echoing, server) = endpoint(&world.server).await;
        let local = "0.0.0.0:0".parse().expect("an address");
        let socket = world.client.bind(local).await.expect("a free port");
        let address = socket.local_addr().expect("an address");
        let flaws = Rc::<Flaws>::default();
        let socket = Flawed(socket, Rc::clone(&flaws));
        let client = DtlsEndpoint::new(socket, world.client.clone()).expect("random bytes");
        let (client_config, server_config) = world.configs(dtls13);
        let channel = client.connect(server, &client_config, NAME);
        let channel = channel.expect("open");
        while_serving(&echoing, &server_config, echo, async {
            channel.do_handshake().await.expect("a handshake");
            let client = Client {
                endpoint: client,
                channel,
                flaws,
                address,
                server,
            };
            talk(&executor, &world, client).await;
        })
        .await;
    });
}

/// Sends `message` and waits for it to come back.
async fn round(channel: &DtlsChannel<Flawed>, message: &[u8]) -> Result<(), Error> {
    channel.send(message).await?;
    let mut answer = [0; 2000];
    let length = channel.receive(&mut answer).await?.expect("no end");
    assert_eq!(&answer[..length], message);
    Ok(())
}

#[test]
fn handles_that_close_at_the_same_time_all_return() {
    with_client(async |_, world, client| {
        let (endpoint, _, flaws) = client.parts();
        flaws.is_stalled.set(true);
        let (one, other) = (endpoint.clone(), endpoint.clone());
        let mending = async { flaws.change(|flaws| flaws.is_stalled.set(false)) };
        let closed = join3(one.close(), other.close(), mending).await;
        assert_eq!(closed, (Ok(()), Ok(()), ()));
        assert_eq!(endpoint.clone().close().await, Ok(()), "again");
        world.client.bind(client.address).await.expect("it is free");
    });
}

#[test]
fn a_close_that_is_dropped_leaves_the_others_who_close_their_grace() {
    for point in (1..4).flat_map(|polls| {
        [
            DropPoint::after_poll(polls),
            DropPoint::when_woken_after_poll(polls),
        ]
    }) {
        with_client(async |executor, world, client| {
            let (endpoint, channel, flaws) = client.parts();
            flaws.is_stalled.set(true);
            let (one, other) = (endpoint.clone(), endpoint.clone());
            let mending = async {
                executor.wait_all_tasks_blocked().await;
                flaws.change(|flaws| flaws.is_stalled.set(false));
            };
            let closing = join(other.close(), point.cut(one.close()));
            let (sent, (closed, _), ()) = join3(channel.send(b"last"), closing, mending).await;
            // What was to be sent before is.
            assert_eq!((sent, closed), (Ok(()), Ok(())), "{point}");
            world.client.bind(client.address).await.expect("it is free");
        });
    }
}

#[test]
fn a_close_that_is_dropped_alone_ends_what_waits() {
    with_client(async |_, world, client| {
        let (endpoint, channel, flaws) = client.parts();
        flaws.is_stalled.set(true);
        let closing = DropPoint::after_poll(1).cut(endpoint.clone().close());
        let (sent, closed) = join(channel.send(b"never"), closing).await;
        assert_eq!((sent, closed), (Err(DtlsError::Closed), None));
        world.client.bind(client.address).await.expect("it is free");
    });
}

#[test]
fn a_socket_that_fails_while_it_is_closed_ends_all_who_wait() {
    with_client(async |_, world, client| {
        let (endpoint, channel, flaws) = client.parts();
        flaws.is_stalled.set(true);
        let failing =
            async { flaws.change(|flaws| flaws.receiving.set(Some((SimError::Closed, 1)))) };
        let closing = join(endpoint.clone().close(), endpoint.clone().close());
        let (sent, (one, other), ()) = join3(channel.send(b"never"), closing, failing).await;
        assert_eq!(sent, Err(DtlsError::Closed));
        // One of them hears why there was no grace.
        assert_eq!(one, Err(DtlsError::Transport(SimError::Closed)));
        assert_eq!(other, Ok(()));
        world.client.bind(client.address).await.expect("it is free");
    });
}

#[test]
fn sends_that_are_dropped_leave_one_datagram_while_the_socket_takes_none() {
    with_client(async |executor, world, client| {
        let Client { channel, flaws, .. } = &client;
        let before = sent_to(&world.net, client.server).len();
        flaws.is_stalled.set(true);
        for number in 0..100 {
            let sent = channel.send(&[number]).now_or_never();
            assert_eq!(sent, None);
        }
        assert_eq!(channel.statistics().sent, 1);
        flaws.change(|flaws| flaws.is_stalled.set(false));
        channel.send(b"after").await.expect("sends");
        executor.wait_all_tasks_blocked().await;
        let sent = sent_to(&world.net, client.server);
        assert_eq!(sent.len() - before, 2, "{sent:?}");
    });
}

#[test]
fn each_who_sends_hears_of_its_own_datagram_and_of_no_other() {
    with_client(async |_, _, client| {
        let Client { channel, flaws, .. } = &client;
        // At once.
        flaws.sending.set(Some(SimError::Refused));
        let sent = channel.send(b"refused").await;
        assert_eq!(sent, Err(DtlsError::Transport(SimError::Refused)));
        flaws.sending.set(None);
        assert_eq!(round(channel, b"taken").await, Ok(()));
        // Later, while others wait for the same one to have gone, and some of them no more.
        flaws.is_stalled.set(true);
        let failing = async {
            flaws.sending.set(Some(SimError::Refused));
            flaws.change(|flaws| flaws.is_stalled.set(false));
        };
        let dropped = DropPoint::after_poll(1).cut(channel.do_handshake());
        let others = join(channel.do_handshake(), dropped);
        let (sent, (done, _), ()) = join3(channel.send(b"refused"), others, failing).await;
        assert_eq!(sent, Err(DtlsError::Transport(SimError::Refused)));
        assert_eq!(done, Ok(()));
        flaws.sending.set(None);
        assert_eq!(round(channel, b"taken").await, Ok(()));
    });
}

#[test]
fn errors_of_the_network_delay_nobody_and_end_nothing() {
    with_client(async |executor, _, client| {
        let (endpoint, channel, flaws) = client.parts();
        let before = executor.now();
        for errors in [1, 2, 5] {
            flaws.change(|flaws| flaws.receiving.set(Some((SimError::Refused, errors))));
            assert_eq!(round(channel, b"message").await, Ok(()));
        }
        assert_eq!(executor.now(), before);
        // One after the other, for as long as somebody is sent to who is not there.
        let mut message = [0; 10];
        let receiving = channel.receive(&mut message);
        let failing = async {
            for _ in 0..10_000 {
                let soon = executor.now() + SECOND / 1000;
                executor.sleep_until(soon).await;
                flaws.change(|flaws| flaws.receiving.set(Some((SimError::Refused, 1))));
            }
            endpoint.clone().close().await
        };
        let (received, closed) = join(receiving, failing).await;
        assert_eq!((received, closed), (Err(DtlsError::Closed), Ok(())));
        assert_eq!(flaws.failed.get(), 10_008);
    });
}

/// Covers DTL-33.
#[test]
fn a_port_that_is_closed_harms_no_other_channel_and_is_waited_for() {
    with_client(async |executor, world, client| {
        let (endpoint, channel, flaws) = client.parts();
        let local = "0.0.0.0:0".parse().expect("an address");
        let later = world.server.bind(local).await.expect("a free port");
        let address = later.local_addr().expect("an address");
        flaws.closed.set(Some(address));
        let config = world.client_config();
        let other = endpoint.connect(address, &config, NAME).expect("open");
        let talking = async {
            for _ in 0..100 {
                assert_eq!(round(channel, b"message").await, Ok(()));
                executor.sleep_until(executor.now() + SECOND / 4).await;
            }
            // Both errors have come, and somebody listens from now on.
            assert!(flaws.failed.get() > 3);
            assert!(endpoint.statistics().unsent > 3);
            flaws.closed.set(None);
            let later = DtlsEndpoint::new(later, world.server.clone());
            let later = later.expect("random bytes");
            let config = world.server_config();
            let _ = tacket::timeout(executor, 60 * SECOND, later.serve(&config, 1, echo)).await;
        };
        let (waited, ()) = join(other.do_handshake(), talking).await;
        assert_eq!(waited, Ok(()));
        assert_eq!(endpoint.statistics().failed, 0);
    });
}

#[test]
fn channels_that_come_and_go_while_the_socket_takes_nothing_leave_nothing_to_send() {
    with_client(async |executor, world, client| {
        let (endpoint, channel, flaws) = client.parts();
        let before = world.net.events().len();
        flaws.is_stalled.set(true);
        let config = world.client_config();
        for port in 1..=1000 {
            let address = SocketAddr::new(client.server.ip(), port);
            let other = endpoint.connect(address, &config, NAME).expect("open");
            assert_eq!(other.do_handshake().now_or_never(), None);
        }
        flaws.change(|flaws| flaws.is_stalled.set(false));
        channel.send(b"message").await.expect("sends");
        executor.wait_all_tasks_blocked().await;
        let events = world.net.events();
        let sent = events[before..]
            .iter()
            .filter(|event| event.to != client.server);
        // The one that the socket had already.
        let sent = sent.filter(|event| event.from == client.address).count();
        assert!((1..=2).contains(&sent), "{sent}");
        assert_eq!(endpoint.statistics().unsent, 999);
    });
}

#[test]
fn a_socket_whose_error_never_goes_away_is_broken_and_nobody_spins_until_then() {
    with_client(async |executor, world, client| {
        let (endpoint, channel, flaws) = client.parts();
        let before = executor.now();
        flaws.change(|flaws| flaws.receiving.set(Some((SimError::Refused, u32::MAX))));
        let mut message = [0; 10];
        let config = world.server_config();
        let serving = endpoint.serve(&config, 1, async |_| Ok::<_, Error>(()));
        let both = join(channel.receive(&mut message), serving);
        let ended = tacket::timeout(&world.client, 60 * SECOND, both).await;
        let (received, served) = ended.expect("it is given up");
        assert_eq!(received, Err(DtlsError::Broken));
        assert_eq!(served, Err(DtlsError::Broken));
        assert!(executor.now() - before > SECOND);
        assert!(flaws.failed.get() < 10_000, "{}", flaws.failed.get());
        assert_eq!(channel.send(b"x").await, Err(DtlsError::Broken));
        let refused = endpoint.connect(client.server, &world.client_config(), NAME);
        assert_eq!(refused.err(), Some(DtlsConnectError::Broken));
    });
}

#[test]
fn who_is_polled_in_the_middle_of_anothers_poll_takes_no_wake_from_it() {
    with_client(async |executor, world, client| {
        let (endpoint, channel, _) = client.parts();
        channel.send(b"answer me").await.expect("sends");
        executor.wait_all_tasks_blocked().await;
        // The answer is there, and nobody has looked.
        let nobody = world.client_config();
        let idle = endpoint.connect(client.address, &nobody, NAME);
        let idle = idle.expect("open");
        let intruder = Box::pin(async move {
            let mut message = [0; 10];
            let received = idle.receive(&mut message).await;
            panic!("{received:?}");
        });
        client.flaws.intruder.set(Some(intruder));
        let mut message = [0; 10];
        assert_eq!(channel.receive(&mut message).await, Ok(Some(9)));
    });
}
