//! Ports that the stack chooses, and addresses that it does not have.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use embassy_net::{Config, ConfigV4, ConfigV6, Ipv4Cidr, StackResources, StaticConfigV4};
use tacket::{
    AsyncResource as _, Connect as _, LocalAddress as _, ReceiveStream as _, SendDatagram as _,
    SendStream as _, timeout,
};
use tacket_embassy::testing::{Impairments, Side, Wire};
use tacket_embassy::{Net, NetError, Options, PoolState, PoolStorage, TcpStream, UdpSocket};

use super::ends::{PORT, sleep};
use super::four_each::{CLOCK, connect, listen, pair};
use super::nobody::Nobody;

/// As many as the stack chooses from, before it begins again.
const PORTS: u32 = 64_511;

fn with_datagrams() -> (Wire, Net, Net) {
    let wire = Wire::new(6, Impairments::none());
    let client = wire.net::<4, 1024, 1024, 2>(Side::Left, Options::new());
    let server = wire.net::<4, 1024, 1024, 2>(Side::Right, Options::new());
    (wire, client, server)
}

/// Has the stack choose a port, and gives it back.
fn choose(net: Net) -> SocketAddr {
    let socket = UdpSocket::bind(net, Side::Left.port(0)).expect("a port");
    socket.local_addr().expect("its address")
}

#[test]
fn a_port_that_a_datagram_socket_has_is_not_chosen_again() {
    let (wire, net, _) = with_datagrams();
    wire.run(async {
        let socket = UdpSocket::bind(net, Side::Left.port(5353)).unwrap();
        let own = socket.local_addr().unwrap();
        assert!((0..PORTS).all(|_| choose(net) != own));
    });
}

/// Covers EMB-27.
#[test]
fn a_port_that_a_connection_has_is_not_chosen_for_another_to_the_same_peer() {
    let (wire, client, server) = with_datagrams();
    wire.run(async {
        let mut listener = listen(server);
        let (mut left, mut right) = pair(client, &mut listener).await;
        let own = left.local_addr().port();
        while choose(client).port() != own - 1 {}
        let (other, _) = pair(client, &mut listener).await;
        assert_eq!(other.local_addr().port(), own + 1);
        left.send_all(b"x").await.unwrap();
        assert_eq!(right.receive_some(&mut [0; 4]).await, Ok(1));
    });
}

#[test]
fn a_stack_connects_from_its_own_address_and_from_no_other() {
    let (wire, client, server) = with_datagrams();
    wire.run(async {
        let _listener = listen(server);
        let peer = Side::Right.port(PORT);
        for own in [Side::Left.ipv4().into(), IpAddr::V4(Ipv4Addr::UNSPECIFIED)] {
            let stream = client.connect_from(own, peer).await.unwrap();
            assert_eq!(stream.local_addr().ip(), Side::Left.ipv4());
        }
        for other in [Side::Right.ipv4().into(), IpAddr::V6(Side::Left.ipv6())] {
            let error = client.connect_from(other, peer).await.err();
            assert_eq!(error, Some(NetError::InvalidAddress));
        }
    });
}

/// Covers EMB-28.
#[test]
fn without_an_address_of_a_version_of_ip_there_is_no_route_by_it() {
    let (wire, net, _) = with_datagrams();
    wire.run(async {
        let mut socket = UdpSocket::bind(net, ([0, 0, 0, 0], 9).into()).unwrap();
        wire.stack(Side::Left).set_config_v6(ConfigV6::None);
        sleep(100).await;
        let v6 = SocketAddr::from((Side::Right.ipv6(), 9));
        assert_eq!(socket.send_to(b"x", v6).await, Err(NetError::NoRoute));
        assert_eq!(
            TcpStream::connect(net, v6).await.err(),
            Some(NetError::NoRoute)
        );
        assert_eq!(connect(net).await.err(), Some(NetError::Refused));

        wire.stack(Side::Left).set_config_v4(ConfigV4::None);
        sleep(100).await;
        let v4 = Side::Right.port(9);
        assert_eq!(socket.send_to(b"x", v4).await, Err(NetError::NoRoute));
        assert_eq!(connect(net).await.err(), Some(NetError::NoRoute));
    });
}

/// Covers EMB-29.
#[test]
fn a_datagram_socket_whose_neighbour_does_not_answer_can_be_closed() {
    let wire = Wire::new(0, Impairments::none());
    let address = Ipv4Cidr::new(Side::Left.ipv4(), 24);
    let config = Config::ipv4_static(StaticConfigV4 {
        address,
        gateway: None,
        dns_servers: Default::default(),
    });
    let resources = Box::leak(Box::new(StackResources::<8>::new()));
    let (stack, mut runner) = embassy_net::new(Nobody, config, resources, 5);
    wire.spawn(async move { runner.run().await });
    let storage = Box::leak(Box::new(PoolStorage::<1, 1024, 1024, 1>::new()));
    let state = Box::leak(Box::new(PoolState::new()));
    let net = Net::new(stack, storage, state, Options::new());
    wire.spawn(async move { net.run().await });
    wire.run(async {
        sleep(100).await;
        let mut socket = UdpSocket::bind(net, ([0, 0, 0, 0], 7).into()).unwrap();
        socket
            .send_to(b"x", ([10, 0, 0, 9], 9).into())
            .await
            .unwrap();
        let closing = timeout(&CLOCK, Duration::from_secs(11), socket.close());
        assert_eq!(closing.await, Ok(Err(NetError::CloseTimedOut)));
        UdpSocket::bind(net, ([0, 0, 0, 0], 7).into()).unwrap();
    });
}
