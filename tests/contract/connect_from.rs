//! Connecting from an address of this machine that was given.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tacket::{Connect as _, Error as _, Fault, timeout};
use tacket_std::{IoError, MonotonicClock, Net, TcpStream};

use crate::alone::{assert_passed, run_alone_watched, run_alone_where};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 5));

/// A listener without any option. Dropped, it lets nobody connect.
fn listen() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&any.into()).expect("a free port");
    socket.listen(8).expect("listens");
    let address = socket.local_addr().expect("an address");
    (socket, address.as_socket().expect("of IP"))
}

fn connect(from: IpAddr, to: SocketAddr) -> Result<TcpStream, IoError> {
    tacket_std::run(Net::new().connect_from(from, to)).expect("an event loop")
}

fn assert_from_here(stream: &TcpStream, listener: &Socket) {
    let local = stream.local_addr().expect("an address");
    assert_eq!(local.ip(), HERE);
    let (_, peer) = listener.accept().expect("a connection");
    assert_eq!(peer.as_socket(), Some(local));
}

/// Covers HEB-14.
#[test]
fn the_port_is_chosen_when_the_peer_is_known() {
    let name = "connect_from::the_port_is_chosen_when_the_peer_is_known";
    if let Some(seen) = run_alone_watched("setsockopt,bind", name) {
        let calls: Vec<_> = seen.lines().collect();
        let chosen_late = calls.iter().position(|call| {
            call.contains("IP_BIND_ADDRESS_NO_PORT, [1]") && call.ends_with("= 0")
        });
        let bound = calls
            .iter()
            .position(|call| call.contains("bind(") && call.contains(&HERE.to_string()));
        assert!(chosen_late.is_some() && chosen_late < bound, "{seen}");
        assert!(calls.iter().any(|call| call.contains("sin_port=htons(0)")));
        return;
    }
    let (listener, address) = listen();
    assert_from_here(&connect(HERE, address).expect("connects"), &listener);
}

/// Covers HEB-14.
#[test]
fn an_old_system_that_chooses_the_port_early_does_as_well() {
    let name = "connect_from::an_old_system_that_chooses_the_port_early_does_as_well";
    let none = "setsockopt:error=ENOPROTOOPT:when=1+";
    if let Some(ended) = run_alone_where(none, name) {
        return assert_passed(&ended);
    }
    let (listener, address) = listen();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket
        .set_reuse_address(true)
        .expect_err("no option is known");
    assert_from_here(&connect(HERE, address).expect("connects"), &listener);
}

#[test]
fn what_is_no_address_of_this_machine_or_of_another_version_is_invalid() {
    let (_listener, address) = listen();
    let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    for from in [elsewhere, Ipv6Addr::LOCALHOST.into()] {
        let refused = connect(from, address).expect_err("not from there");
        assert_eq!(refused.fault(), Fault::InvalidInput);
    }
}

/// Nothing is under way then, and no event would come.
#[test]
fn an_attempt_that_the_system_does_not_begin_fails() {
    let name = "connect_from::an_attempt_that_the_system_does_not_begin_fails";
    if let Some(ended) = run_alone_where("connect:error=EAGAIN:when=1", name) {
        return assert_passed(&ended);
    }
    let (_listener, address) = listen();
    let clock = MonotonicClock::new();
    let network = Net::new();
    let connecting = network.connect_from(HERE, address);
    let limited = timeout(&clock, Duration::from_secs(5), connecting);
    let ended = tacket_std::run(limited).expect("an event loop");
    ended.expect("no waiting").expect_err("no attempt");
}
