//! Listening: the backlog, its order, and what disturbs it.

use std::time::Duration;

use futures_util::future::try_join;
use tacket::testing::DropPoint;
use tacket::{Error as _, Fault, Listener as _, LocalAddress as _, timeout};
use tacket_embassy::testing::Side;
use tacket_embassy::{NetError, Options, TcpListener, TcpStream};

use super::ends::{PORT, sleep};
use super::four_each::{CLOCK, SYN, assert_all_free, connect, flags, four_each, listen, pair};

#[test]
fn a_listener_without_a_socket_is_refused() {
    let (wire, client, server) = four_each(Options::new());
    wire.run(async {
        let local = Side::Left.port(PORT);
        let mut listener = TcpListener::bind(client, local).expect("a free port");
        let busy = TcpListener::bind(server, Side::Right.port(1)).expect("two sockets");
        let also = TcpListener::bind(server, Side::Right.port(2)).expect("the other two");
        let error = TcpListener::bind(server, Side::Right.port(3)).expect_err("none is left");
        assert_eq!(error.fault(), Fault::Capacity);
        assert_eq!((server.usage().armed, server.usage().refused), (4, 1));
        drop((busy, also));
        assert_all_free(server);
        // Nothing of it is left: a client of the other side is served.
        let peer = TcpStream::connect(server, local);
        try_join(peer, listener.accept())
            .await
            .expect("a connection");
    });
}

#[test]
fn clients_that_find_no_armed_socket_are_refused_until_one_is_free() {
    let (wire, client, server) = four_each(Options::new().backlog(1));
    wire.run(async {
        let mut listener = listen(server);
        let waits = connect(client).await.expect("the backlog is one");
        // The socket that was armed waits for accept now.
        assert_eq!(
            connect(client).await.expect_err("no other"),
            NetError::Refused
        );
        let accepted = listener.accept().await.expect("the first");
        assert_eq!(accepted.peer_addr(), waits.local_addr());
        pair(client, &mut listener).await;
    });
}

#[test]
fn clients_are_accepted_in_the_order_in_which_they_came() {
    let (wire, client, server) = four_each(Options::new().backlog(3));
    wire.run(async {
        let mut listener = listen(server);
        let mut held = Vec::new();
        for _ in 0..30 {
            let clients = [
                connect(client).await.expect("in the backlog"),
                connect(client).await.expect("in the backlog"),
                connect(client).await.expect("in the backlog"),
            ];
            for client in clients {
                let server = listener.accept().await.expect("a connection");
                assert_eq!(server.peer_addr(), client.local_addr());
                assert_eq!(client.peer_addr(), server.local_addr());
                held.push((client, server));
            }
            held.clear();
            sleep(100).await;
        }
    });
}

#[test]
fn no_listener_starves_another_of_sockets() {
    let (wire, client, server) = four_each(Options::new().backlog(3));
    wire.run(async {
        let mut greedy = listen(server);
        let other = Side::Right.port(PORT + 1);
        let mut modest = TcpListener::bind(server, other).expect("one socket is left");
        // The first wants another socket from now on.
        let _held = pair(client, &mut greedy).await;
        for _ in 0..20 {
            let connecting = TcpStream::connect(client, other);
            let pair = try_join(connecting, modest.accept()).await;
            drop(pair.expect("a connection"));
            sleep(100).await;
        }
    });
}

#[test]
fn a_flood_of_half_open_connections_passes() {
    let options = Options::new().half_open(Duration::from_secs(3));
    let (wire, client, server) = four_each(options);
    wire.run(async {
        let mut listener = listen(server);
        // What begins a connection arrives, and nothing after that, in either direction.
        wire.filter(|from, packet| from == Side::Left && flags(packet) & SYN != 0);
        for _ in 0..50 {
            let attempt = timeout(&CLOCK, Duration::from_millis(500), connect(client));
            attempt.await.expect_err("nobody answers");
        }
        wire.filter(|_, _| true);
        let usage = server.usage();
        assert!(usage.half_open >= 10, "{usage:?}");
        // Whoever comes after the last of them was given up is served.
        sleep(4000).await;
        pair(client, &mut listener).await;
        sleep(100).await;
        assert_eq!(server.usage().armed, 2);
        drop(listener);
        sleep(2000).await;
        assert_all_free(server);
        assert_all_free(client);
    });
}

#[test]
fn no_connection_is_lost_when_accept_is_dropped_at_any_poll() {
    let (wire, client, server) = four_each(Options::new());
    wire.run(async {
        let mut listener = listen(server);
        for polls in 1..6 {
            for point in [
                DropPoint::after_poll(polls),
                DropPoint::when_woken_after_poll(polls),
            ] {
                let serving = async {
                    let accepted = point.cut(listener.accept()).await;
                    match accepted {
                        Some(accepted) => accepted,
                        None => listener.accept().await,
                    }
                };
                let (left, right) = try_join(connect(client), serving).await.expect("both");
                assert_eq!(left.local_addr(), right.peer_addr());
                drop((left, right));
                sleep(100).await;
            }
        }
    });
}

#[test]
fn a_port_is_listened_on_once_and_port_0_is_one_that_is_free() {
    let (wire, client, server) = four_each(Options::new().backlog(1));
    wire.run(async {
        let first = listen(server);
        let error = TcpListener::bind(server, Side::Right.port(PORT)).expect_err("in use");
        assert_eq!(error, NetError::PortInUse);
        drop(first);
        let mut anywhere = TcpListener::bind(server, Side::Right.port(0)).expect("a port");
        let other = TcpListener::bind(server, Side::Right.port(0)).expect("another");
        let address = anywhere.local_addr().expect("known");
        assert!(address.port() >= 49152 && address != other.local_addr().expect("known"));
        let connecting = TcpStream::connect(client, address);
        try_join(connecting, anywhere.accept())
            .await
            .expect("a connection");
    });
}

#[test]
fn connections_work_over_version_6_too() {
    let (wire, client, server) = four_each(Options::new());
    wire.run(async {
        let mut listener =
            TcpListener::bind(server, "[::]:7".parse().expect("an address")).expect("a free port");
        let address = (Side::Right.ipv6(), PORT).into();
        let (left, right) = try_join(TcpStream::connect(client, address), listener.accept())
            .await
            .expect("a connection");
        assert_eq!((left.peer_addr(), right.local_addr()), (address, address));
    });
}
