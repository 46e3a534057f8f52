//! What any network promises, on the desktop's over loopback and on two embassy-net stacks joined by a wire.

mod names;
mod telemetry;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::{join, try_join};
use tacket::testing::DropPoint;
use tacket::{
    AsyncResource as _, Clock, Datagram as _, Error as _, Fault, HalfCloseable as _, Listener as _,
    LocalAddress as _, Network, ReceiveDatagram, ReceiveStream as _, SendDatagram, SendStream as _,
    timeout,
};
use tacket_embassy::Options;
use tacket_embassy::testing::{Impairments, Side, Wire};
use tacket_std::UdpSocket;

/// Two networks that reach each other, perhaps the same one twice.
struct Ends<N> {
    client: N,
    client_host: IpAddr,
    server: N,
    server_host: IpAddr,
}

impl<N: Network> Ends<N> {
    /// A port at each end.
    async fn sockets(&self) -> (N::Datagram, N::Datagram) {
        let client = self.client.bind((self.client_host, 0).into());
        let server = self.server.bind((self.server_host, 0).into());
        try_join(client, server).await.expect("free ports")
    }

    /// A listener at the server's end, and where it listens.
    async fn listener(&self) -> (N::Listener, SocketAddr) {
        let listener = self.server.listen((self.server_host, 0).into()).await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("an address");
        (listener, address)
    }
}

const LIMIT: Duration = Duration::from_secs(60);

fn on_std(claim: impl AsyncFnOnce(&Ends<tacket_std::Net>)) {
    let network = tacket_std::Net::new();
    let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let ends = Ends {
        client: network,
        client_host: host,
        server: network,
        server_host: host,
    };
    let outcome = tacket_std::run(timeout(&network, LIMIT, claim(&ends)));
    outcome.expect("an event loop").expect("it hangs");
}

fn on_embassy(claim: impl AsyncFnOnce(&Ends<tacket_embassy::Net>)) {
    let wire = Wire::new(1, Impairments::none());
    let net = |side| wire.net::<8, 2048, 2048, 2>(side, Options::new());
    let ends = Ends {
        client: net(Side::Left),
        client_host: Side::Left.ipv4().into(),
        server: net(Side::Right),
        server_host: Side::Right.ipv4().into(),
    };
    let claim = timeout(&ends.client, LIMIT, claim(&ends));
    wire.run(claim).expect("it hangs");
}

/// Holds both networks to a claim about any.
macro_rules! on_both {
    ($claim:expr) => {
        on_std($claim);
        on_embassy($claim);
    };
}
use on_both;

#[track_caller]
fn assert_fault<T, E: tacket::Error>(outcome: Result<T, E>, fault: Fault) {
    let error = outcome.err().expect("it fails");
    assert_eq!(error.fault(), fault, "{error:?}");
}

/// Covers LIS-01 and TCL-03.
#[test]
fn each_connection_to_a_port_that_the_network_chose_is_a_stream_of_its_own() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (mut listener, address) = ends.listener().await;
        let (other, elsewhere) = ends.listener().await;
        assert_eq!(address.ip(), ends.server_host);
        assert!(address.port() != 0 && address != elsewhere);
        for number in 0..3 {
            let connecting = ends.client.connect(address);
            let (mut there, mut here) =
                try_join(connecting, listener.accept()).await.expect("room");
            there.send_all(&[number; 5]).await.expect("sends");
            there.send_eof().await.expect("ends");
            let mut buf = [0; 16];
            assert_eq!(here.receive_some(&mut buf).await.expect("receives"), 5);
            assert_eq!(buf[..5], [number; 5]);
            assert_eq!(here.receive_some(&mut buf).await.expect("receives"), 0);
            try_join(there.close(), here.close()).await.expect("closes");
        }
        other.close().await.expect("closes");
        listener.close().await.expect("closes");
    }
    on_both!(claim);
}

#[test]
fn a_connection_to_nobody_is_broken_and_one_to_no_address_of_a_peer_is_invalid() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (listener, address) = ends.listener().await;
        listener.close().await.expect("closes");
        assert_fault(ends.client.connect(address).await, Fault::Broken);
        for nobody in [
            SocketAddr::new(ends.server_host, 0),
            (Ipv4Addr::UNSPECIFIED, 80).into(),
            (Ipv6Addr::UNSPECIFIED, 80).into(),
        ] {
            let refused = ends.client.connect(nobody).await;
            assert_fault(refused, Fault::InvalidInput);
        }
    }
    on_both!(claim);
}

/// Covers TCL-05.
#[test]
fn a_port_is_taken_until_its_owner_is_gone() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (listener, address) = ends.listener().await;
        assert_fault(ends.server.listen(address).await, Fault::Other);
        listener.close().await.expect("closes");
        let again = ends.server.listen(address).await;
        again.expect("free again");

        let (socket, other) = ends.sockets().await;
        drop(other);
        let address = socket.local_addr().expect("an address");
        assert!(address.ip() == ends.client_host && address.port() != 0);
        assert_fault(ends.client.bind(address).await, Fault::Other);
        socket.close().await.expect("closes");
        ends.client.bind(address).await.expect("free again");
    }
    on_both!(claim);
}

#[test]
fn datagrams_arrive_whole_the_empty_one_too_and_say_who_sent_them() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (mut client, mut server) = ends.sockets().await;
        let here = client.local_addr().expect("an address");
        let there = server.local_addr().expect("an address");
        let mut buf = [0; 64];
        for _ in 0..3 {
            for data in [&b"ping"[..], b"", b"long enough"] {
                client.send_to(data, there).await.expect("sends");
            }
            for data in [&b"ping"[..], b"", b"long enough"] {
                let received = server.receive_from(&mut buf).await.expect("receives");
                assert_eq!(received, (data.len(), here));
                assert_eq!(&buf[..data.len()], data);
            }
            server.send_to(b"pong", here).await.expect("sends");
            let received = client.receive_from(&mut buf).await.expect("receives");
            assert_eq!((received, &buf[..4]), ((4, there), &b"pong"[..]));
        }
        try_join(client.close(), server.close())
            .await
            .expect("closes");
    }
    on_both!(claim);
}

#[test]
fn of_a_datagram_only_what_fits_is_received() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (mut client, mut server) = ends.sockets().await;
        let there = server.local_addr().expect("an address");
        for data in [&[1; 100], &[2; 100], &[3; 100]] {
            client.send_to(data, there).await.expect("sends");
        }
        let (mut buf, mut rest) = ([0; 11], [0; 100]);
        let (length, _) = server.receive_from(&mut buf[..10]).await.expect("receives");
        assert_eq!((length, buf[9], buf[10]), (10, 1, 0));
        let (length, _) = server.receive_from(&mut []).await.expect("receives");
        assert_eq!(length, 0);
        let (length, _) = server.receive_from(&mut rest).await.expect("receives");
        assert_eq!((length, rest), (100, [3; 100]));
    }
    on_both!(claim);
}

#[test]
fn what_cannot_be_sent_is_refused_and_the_socket_goes_on() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (mut client, mut server) = ends.sockets().await;
        let there = server.local_addr().expect("an address");
        let too_long = client.send_to(&[0; 70_000], there).await;
        assert_fault(too_long, Fault::InvalidInput);
        for nobody in [
            SocketAddr::new(ends.server_host, 0),
            (Ipv4Addr::UNSPECIFIED, there.port()).into(),
        ] {
            let refused = client.send_to(b"x", nobody).await;
            assert_fault(refused, Fault::InvalidInput);
        }
        client.send_to(b"right", there).await.expect("sends");
        let (length, _) = server.receive_from(&mut [0; 16]).await.expect("receives");
        assert_eq!(length, 5);
    }
    on_both!(claim);
}

#[test]
fn a_datagram_to_nobody_does_no_harm() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (mut client, server) = ends.sockets().await;
        let here = client.local_addr().expect("an address");
        let there = server.local_addr().expect("an address");
        server.close().await.expect("closes");
        for _ in 0..3 {
            client.send_to(b"lost", there).await.expect("sends");
        }
        let mut server = ends.server.bind(there).await.expect("free again");
        server.send_to(b"found", here).await.expect("sends");
        let received = client.receive_from(&mut [0; 16]).await;
        assert_eq!(received.expect("receives"), (5, there));
    }
    on_both!(claim);
}

#[test]
fn both_halves_are_used_at_the_same_time() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (mut client, mut server) = ends.sockets().await;
        let here = client.local_addr().expect("an address");
        let there = server.local_addr().expect("an address");
        let (mut client_tx, mut client_rx) = client.split();
        let (mut server_tx, mut server_rx) = server.split();
        let mut buf = [0; 16];
        for number in 0..20_u8 {
            // The client waits for an answer before its own datagram is sent.
            let answered = client_rx.receive_from(&mut buf);
            let question = [number];
            let asked = client_tx.send_to(&question, there);
            let serving = async {
                let mut question = [0; 16];
                let (length, peer) = server_rx.receive_from(&mut question).await?;
                assert_eq!((length, peer), (1, here));
                server_tx.send_to(&question[..length], peer).await
            };
            let (answered, (asked, served)) = join(answered, join(asked, serving)).await;
            assert_eq!(answered.expect("receives"), (1, there));
            asked.and(served).expect("sends");
            assert_eq!(buf[0], number);
        }
    }
    on_both!(claim);
}

/// The points at which an operation is dropped, one after the other, for ever.
fn drop_points() -> impl Iterator<Item = DropPoint> {
    (1..4)
        .flat_map(|polls| {
            [
                DropPoint::after_poll(polls),
                DropPoint::when_woken_after_poll(polls),
            ]
        })
        .cycle()
}

/// Slowly: what finds no room at the receiver is lost.
async fn send_cut<T: SendDatagram>(
    mut tx: T,
    peer: SocketAddr,
    clock: &impl Clock,
) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    for (number, point) in (0..100_u8).zip(drop_points()) {
        let data = vec![number; usize::from(number)];
        if let Some(outcome) = point.cut(tx.send_to(&data, peer)).await {
            outcome.expect("sends");
            sent.push(data);
            clock
                .sleep_until(clock.now() + Duration::from_millis(2))
                .await;
        }
    }
    tx.send_to(b"the end", peer).await.expect("sends");
    sent
}

async fn receive_cut<R: ReceiveDatagram>(mut rx: R) -> Vec<Vec<u8>> {
    let (mut received, mut buf) = (Vec::new(), [0; 200]);
    for point in drop_points() {
        if let Some(outcome) = point.cut(rx.receive_from(&mut buf)).await {
            let (length, _) = outcome.expect("receives");
            if buf[..length] == *b"the end" {
                break;
            }
            received.push(buf[..length].to_vec());
        }
    }
    received
}

#[test]
fn a_dropped_send_has_sent_nothing_and_a_dropped_receive_taken_nothing() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (mut client, mut server) = ends.sockets().await;
        let there = server.local_addr().expect("an address");
        let sending = send_cut(client.split().0, there, &ends.client);
        let (sent, received) = join(sending, receive_cut(server.split().1)).await;
        assert!(sent.len() > 10);
        assert_eq!(sent, received);
    }
    on_both!(claim);
}

#[test]
fn a_connection_attempt_that_is_dropped_is_given_up() {
    async fn claim<N: Network>(ends: &Ends<N>) {
        let (mut listener, address) = ends.listener().await;
        for point in drop_points().take(24) {
            drop(point.cut(ends.client.connect(address)).await);
        }
        // The sockets of those attempts are free again, and what came of them is no end to the server.
        let clients = async {
            let mut stream = ends.client.connect(address).await.expect("room");
            stream.send_all(b"hello").await.expect("sends");
            stream.close().await.expect("closes");
        };
        let serving = async {
            let mut buf = [0; 16];
            loop {
                let mut stream = listener.accept().await.expect("accepts");
                match stream.receive_some(&mut buf).await {
                    Ok(length) => return assert_eq!(&buf[..length], b"hello"),
                    Err(error) => assert_eq!(error.fault(), Fault::Broken),
                }
            }
        };
        join(clients, serving).await;
    }
    on_both!(claim);
}

/// What has to be set before a port is taken is for `socket2` to set.
#[test]
fn a_socket_of_datagrams_that_was_made_elsewhere_can_be_adopted() {
    use socket2::{Domain, Socket, Type};
    let adopt = || {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any.into()).expect("a free port");
        UdpSocket::try_from(std::net::UdpSocket::from(socket)).expect("adopted")
    };
    let (mut one, mut other) = (adopt(), adopt());
    let ended = tacket_std::run(async {
        let from = one.local_addr().expect("an address");
        let to = other.local_addr().expect("an address");
        let mut buf = [0; 16];
        let sending = one.send_to(b"hello", to);
        let (received, sent) = join(other.receive_from(&mut buf), sending).await;
        sent.expect("sends");
        assert_eq!(received.expect("receives"), (5, from));
    });
    ended.expect("an event loop");
}

#[test]
fn any_address_for_datagrams_is_any_of_its_version_of_ip_and_of_no_other() {
    let one = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0).into()).expect("a free port");
    let port = one.local_addr().expect("an address").port();
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port).into()).expect("it is free in the other version");
}
