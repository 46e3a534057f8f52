//! Deviations in how connections begin, and in what they take from the stack.

use core::cell::Cell;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;

use embassy_net::tcp::{AcceptError, ConnectError, State, TcpSocket};
use embassy_net::udp::PacketMetadata;
use futures_util::future::join;
use tacket::{
    AsyncResource, Error as _, Fault, Listener as _, LocalAddress as _, ReceiveStream,
    SendDatagram, SendStream,
};
use tacket_embassy::testing::{Impairments, Side, Wire};
use tacket_embassy::{NetError, Options, TcpListener, TcpStream, UdpSocket};

use super::bare::{BARE, BYTES, bare_pair, cancel, one_each, pairs, run, socket, soon, start};
use crate::embassy::ends::sleep;
use crate::embassy::four_each::{connect, count_resets, four_each, listen, pair};

/// Covers EMB-10.
#[test]
fn a_cancelled_connect_leaves_nothing_behind() {
    let (wire, client, server) = one_each(Options::new());
    run(&wire, async {
        let mut left = socket(&wire, Side::Left);
        wire.cut();
        cancel(left.connect(Side::Right.port(BARE))).await;
        wire.mend();
        let again = left.connect(Side::Right.port(BARE)).await;
        assert_eq!(again, Err(ConnectError::InvalidState));
        assert_eq!(left.state(), State::SynSent);
    });
    run(&wire, async {
        let mut listener = listen(server);
        wire.cut();
        cancel(connect(client)).await;
        wire.mend();
        sleep(10).await; // the peer is told
        assert_eq!(client.usage().in_use, 0);
        pair(client, &mut listener).await;
    });
}

/// Covers EMB-11.
#[test]
fn a_client_that_comes_after_a_cancelled_accept_is_accepted_by_the_next() {
    let (wire, client, server) = one_each(Options::new());
    run(&wire, async {
        let (mut left, mut right) = (socket(&wire, Side::Left), socket(&wire, Side::Right));
        cancel(right.accept(BARE)).await;
        left.connect(Side::Right.port(BARE))
            .await
            .expect("connects");
        sleep(10).await;
        let again = soon(right.accept(BARE)).await;
        assert_eq!(again, Some(Err(AcceptError::InvalidState)));
        assert_eq!(right.state(), State::Established);
    });
    run(&wire, async {
        let mut listener = listen(server);
        cancel(listener.accept()).await;
        let left = connect(client).await.expect("connects");
        let right = soon(listener.accept()).await.expect("in time");
        let right = right.expect("the client");
        assert_eq!(right.peer_addr(), left.local_addr());
    });
}

/// Lets the first packet of the next client through, and then nothing of it or for it: it is gone without a word.
fn let_next_client_vanish(wire: &Wire) {
    let mut vanished = None;
    wire.filter(move |from, packet| {
        let at = if from == Side::Left { 20 } else { 22 };
        let client = [packet[at], packet[at + 1]];
        let is_first = vanished.is_none();
        let gone = *vanished.get_or_insert(client);
        is_first || client != gone
    });
}

/// Covers EMB-12.
#[test]
fn a_client_that_never_finishes_its_handshake_occupies_no_socket_for_long() {
    let (wire, client, server) = one_each(Options::new());
    run(&wire, async {
        let [mut gone, mut left] = [(); 2].map(|()| socket(&wire, Side::Left));
        let mut right = socket(&wire, Side::Right);
        cancel(right.accept(BARE)).await;
        let_next_client_vanish(&wire);
        cancel(gone.connect(Side::Right.port(BARE))).await;
        sleep(3_600_000).await;
        assert_eq!(right.state(), State::SynReceived);
        let connected = left.connect(Side::Right.port(BARE)).await;
        assert_eq!(connected, Err(ConnectError::ConnectionReset));
    });
    run(&wire, async {
        let mut listener = listen(server);
        let_next_client_vanish(&wire);
        cancel(connect(client)).await;
        sleep(1000).await;
        let early = connect(client).await.expect_err("there is one socket");
        assert_eq!(early, NetError::Refused);
        sleep(11_000).await;
        assert_eq!(server.usage().half_open, 1);
        pair(client, &mut listener).await;
    });
}

/// Covers EMB-13. The stack can only refuse whom no socket waits for. So some always wait.
#[test]
fn clients_that_come_faster_than_they_are_accepted_find_a_backlog() {
    let (wire, client, server) = four_each(Options::new().backlog(2));
    run(&wire, async {
        let resets = count_resets(&wire, Side::Right);
        let _served = bare_pair(&wire).await;
        let refused = socket(&wire, Side::Left)
            .connect(Side::Right.port(BARE))
            .await;
        assert_eq!(refused, Err(ConnectError::ConnectionReset));
        assert_eq!(resets.get(), 1);
    });
    run(&wire, async {
        let resets = count_resets(&wire, Side::Right);
        let mut listener = listen(server);
        let mut held = Vec::new();
        for _ in 0..2 {
            held.push(connect(client).await.expect("two sockets wait"));
            held.push(connect(client).await.expect("two sockets wait"));
            held.push(listener.accept().await.expect("the first"));
            held.push(listener.accept().await.expect("the second"));
        }
        assert_eq!(resets.get(), 0);
    });
}

/// Covers EMB-14. The bare halves have no way to close.
#[test]
fn a_half_can_be_ended_while_the_other_goes_on() {
    let (wire, mut bare, mut ours) = pairs();
    run(&wire, async {
        let mut buf = [0; 16];
        {
            let (_reader, mut writer) = bare.0.split();
            writer.write(b"last").await.expect("sends");
            writer.flush().await.expect("the peer has it");
        }
        assert_eq!(soon(bare.1.read(&mut buf)).await, Some(Ok(4)));
        assert_eq!(soon(bare.1.read(&mut buf)).await, None);

        let (mut sending, mut receiving) = ours.0.into_split();
        sending.send_all(b"last").await.expect("sends");
        sending.close().await.expect("the end");
        assert_eq!(soon(ours.1.receive_some(&mut buf)).await, Some(Ok(4)));
        assert_eq!(soon(ours.1.receive_some(&mut buf)).await, Some(Ok(0)));
        ours.1.send_all(b"answer").await.expect("sends");
        assert_eq!(soon(receiving.receive_some(&mut buf)).await, Some(Ok(6)));
    });
}

/// Counts the tasks that are done.
fn spawn_counted(wire: &Wire, done: &Rc<Cell<u32>>, task: impl Future<Output = ()> + 'static) {
    let done = Rc::clone(done);
    wire.spawn(async move {
        task.await;
        done.set(done.get() + 1);
    });
}

/// Covers EMB-15. Ours has one sender and one receiver by its types. The third that waits is the pool's task, here for what
/// arrives after the receiving half was dropped; it must not take the sender's place.
#[test]
fn everybody_who_waits_on_one_socket_is_woken() {
    let (wire, bare, ours) = pairs();
    run(&wire, async {
        let (mut full, mut peer) = bare;
        for _ in 0..2 {
            assert_eq!(full.write(&[1; BYTES]).await, Ok(BYTES));
        }
        let (full, done) = (Rc::new(full), Rc::default());
        for _ in 0..2 {
            let full = Rc::clone(&full);
            spawn_counted(&wire, &done, async move { full.wait_write_ready().await });
        }
        sleep(100).await;
        assert_eq!(peer.read(&mut [0; BYTES]).await, Ok(BYTES));
        sleep(60_000).await;
        assert!(full.can_send());
        assert_eq!(done.get(), 1, "of two");
    });
    run(&wire, async {
        let ((full, mut peer), done) = (ours, Rc::default());
        let (mut sending, receiving) = full.into_split();
        spawn_counted(&wire, &done, async move {
            sending.send_all(&[1; 3 * BYTES]).await.expect("sends");
            sending.close().await.expect("the end");
        });
        sleep(100).await;
        drop(receiving);
        for _ in 0..3 {
            peer.send_all(&[2; BYTES]).await.expect("sends");
        }
        sleep(100).await;
        assert_eq!(done.get(), 0, "the peer has not read yet");
        let mut total = 0;
        while total < 3 * BYTES {
            let received = soon(peer.receive_some(&mut [0; BYTES])).await;
            total += received.expect("the sender goes on").expect("data");
        }
        assert_eq!(done.get(), 1);
    });
}

/// Covers EMB-16.
#[test]
fn whoever_is_accepted_has_an_address() {
    let (wire, client, server) = four_each(Options::new());
    run(&wire, async {
        let (mut left, mut right) = (socket(&wire, Side::Left), socket(&wire, Side::Right));
        {
            let mut accepting = pin!(right.accept(BARE));
            assert!(start(accepting.as_mut()).await.is_pending());
            left.connect(Side::Right.port(BARE))
                .await
                .expect("connects");
            left.abort();
            sleep(100).await;
            assert_eq!(accepting.await, Ok(()));
        }
        assert_eq!(right.remote_endpoint(), None);
    });
    run(&wire, async {
        let mut listener = listen(server);
        let mut accepting = pin!(listener.accept());
        assert!(start(accepting.as_mut()).await.is_pending());
        drop(connect(client).await.expect("connects"));
        sleep(100).await;
        assert!(start(accepting.as_mut()).await.is_pending());
        let left = connect(client).await.expect("connects");
        let right = accepting.await.expect("the one that stays");
        assert_eq!(right.peer_addr(), left.local_addr());
    });
}

/// Covers EMB-17.
#[test]
fn port_0_is_a_port_that_is_free() {
    let (wire, client, server) = four_each(Options::new());
    run(&wire, async {
        let refused = socket(&wire, Side::Right).accept(0).await;
        assert_eq!(refused, Err(AcceptError::InvalidPort));
        let mut listener = TcpListener::bind(server, Side::Right.port(0)).expect("a port");
        let address = listener.local_addr().expect("known");
        assert_ne!(address.port(), 0);
        let both = join(TcpStream::connect(client, address), listener.accept()).await;
        assert!(matches!(both, (Ok(_), Ok(_))), "{both:?}");
    });
}

/// Covers EMB-18.
#[test]
fn a_socket_too_many_is_an_error() {
    let (wire, client, server) = one_each(Options::new());
    let filling = catch_unwind(AssertUnwindSafe(|| {
        (0..1000)
            .map(|_| socket(&wire, Side::Left))
            .collect::<Vec<TcpSocket<'_>>>()
    }));
    let panic = filling.err().expect("a stack has room for 64");
    let message = panic.downcast_ref::<&str>().expect("a message");
    assert!(message.contains("full SocketSet"), "{message}");
    run(&wire, async {
        let mut listener = listen(server);
        let _held = pair(client, &mut listener).await;
        let error = connect(client).await.expect_err("there is one socket");
        assert_eq!(
            (error, error.fault()),
            (NetError::PoolExhausted, Fault::Capacity)
        );
    });
}

/// Covers EMB-22.
#[test]
fn a_datagram_to_an_address_of_the_other_version_is_an_error() {
    const LENGTH: usize = 16;
    let bare_sends = || {
        let wire = Wire::new(0, Impairments::none());
        let mut meta = [[PacketMetadata::EMPTY; 1]; 2];
        let mut data = [[0; LENGTH]; 2];
        let ([received, sent], [receive, send]) = (&mut meta, &mut data);
        let stack = wire.stack(Side::Left);
        let mut socket = embassy_net::udp::UdpSocket::new(stack, received, receive, sent, send);
        let own = (Side::Left.ipv4(), 7);
        socket.bind(own).expect("a free port");
        let peer = (Side::Right.ipv6(), 7);
        wire.run(async {
            socket.send_to(b"?", peer).await.expect("is taken");
            socket.flush().await;
        });
    };
    let panic = catch_unwind(AssertUnwindSafe(bare_sends)).expect_err("a panic");
    let message = panic.downcast_ref::<String>().expect("a message");
    assert!(message.contains("IP version mismatch"), "{message}");

    let wire = Wire::new(0, Impairments::none());
    let net = wire.net::<0, 0, LENGTH, 1>(Side::Left, Options::new());
    wire.run(async {
        let mut socket = UdpSocket::bind(net, Side::Left.port(7)).expect("a free port");
        let peer = SocketAddr::new(Side::Right.ipv6().into(), 7);
        assert_eq!(socket.send_to(b"?", peer).await, Err(NetError::NoRoute));
        let same = Side::Right.port(7);
        assert_eq!(socket.send_to(b"?", same).await, Ok(()));
        assert_eq!(socket.close().await, Ok(()));
    });
}
