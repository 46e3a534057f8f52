//! Where TCP connections come from.

use std::io::Read as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::try_join;
use tacket::testing::connect_to_listener;
use tacket::{
    AsyncResource, Error as _, Fault, Listen as _, Listener as _, LocalAddress as _,
    ReceiveStream as _, SendStream as _, timeout,
};
use tacket_std::{MonotonicClock, Net, TcpListener, TcpStream};

#[cfg(target_os = "linux")]
use crate::alone::{assert_passed, run_alone_where};
use crate::limited::run;

fn on(ip: impl Into<core::net::IpAddr>) -> SocketAddr {
    SocketAddr::new(ip.into(), 0)
}

fn address_of(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("an address")
}

/// Covers SLI-02.
#[cfg(target_os = "linux")]
#[test]
fn a_socket_that_does_not_listen_is_no_listener() {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&on(Ipv4Addr::LOCALHOST).into()).expect("bound");
    let error = TcpListener::try_from(std::net::TcpListener::from(socket));
    assert_eq!(
        error.expect_err("it does not listen").fault(),
        Fault::InvalidInput
    );
    let listening = std::net::TcpListener::bind(on(Ipv4Addr::LOCALHOST)).expect("listens");
    TcpListener::try_from(listening).expect("it listens");
}

/// Covers SLI-03.
#[test]
fn an_accepted_stream_has_the_addresses_of_both() {
    run(async {
        let mut listener = TcpListener::bind(on(Ipv4Addr::LOCALHOST)).expect("listens");
        let connecting = TcpStream::connect(address_of(&listener));
        let pair = try_join(connecting, listener.accept()).await;
        let (client, server) = pair.expect("a connection");
        assert_eq!(
            server.local_addr().expect("an address"),
            address_of(&listener)
        );
        assert_eq!(
            server.peer_addr().expect("an address"),
            client.local_addr().expect("an address")
        );
    });
}

/// Covers TCL-03 and SLI-06: after the listener nobody is there.
#[test]
fn a_listener_is_at_its_address_and_nowhere_else_and_gone_when_closed() {
    run(async {
        let two = Ipv4Addr::new(127, 0, 0, 2);
        let listener = TcpListener::bind(on(two)).expect("listens");
        let at = address_of(&listener);
        assert_eq!(at.ip(), two);
        std::net::TcpStream::connect(at).expect("reached");
        // Where nobody else listens either, as may be at 127.0.0.1.
        let elsewhere = SocketAddr::new(Ipv4Addr::new(127, 0, 0, 77).into(), at.port());
        std::net::TcpStream::connect(elsewhere).expect_err("nobody");
        listener.close().await.expect("closes");
        std::net::TcpStream::connect(at).expect_err("nobody");
        let again = TcpListener::bind(at).expect("the port that was asked for");
        assert_eq!(address_of(&again), at);
    });
}

/// Covers TST-07.
#[test]
fn a_listener_on_any_address_is_reached_from_its_own_machine() {
    run(async {
        let network = Net::new();
        for ip in ["127.0.0.1", "127.0.0.2", "0.0.0.0", "::1", "::"] {
            let ip: core::net::IpAddr = ip.parse().expect("an address");
            let mut listener = network.listen(on(ip)).await.expect("listens");
            let connecting = connect_to_listener(&network, &listener);
            let mut client = connecting.await.expect("connects");
            let mut server = listener.accept().await.expect("a connection");
            let near = server.local_addr().expect("an address");
            assert!(near.ip() == ip || ip.is_unspecified() && near.ip().is_loopback());
            client.send_all(b"hello").await.expect("sends");
            let received = server.receive_some(&mut [0; 8]).await;
            assert_eq!(received.expect("receives"), 5);
        }
    });
}

/// Covers TCL-04.
#[test]
fn a_listener_of_ipv6_is_none_of_ipv4() {
    let Ok(listener) = TcpListener::bind(on(Ipv6Addr::UNSPECIFIED)) else {
        eprintln!("there is no IPv6 here, so this was not tried");
        return;
    };
    let socket = socket2::SockRef::from(&listener);
    assert!(socket.only_v6().expect("an option"));
    let port = address_of(&listener).port();
    std::net::TcpStream::connect((Ipv6Addr::LOCALHOST, port)).expect("reached");
    std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect_err("nobody");
    let both = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
    TcpListener::bind(both).expect("the port is free for IPv4");
}

/// Covers TCL-05.
#[cfg(not(windows))]
#[test]
fn an_address_can_be_bound_again_once_its_listener_is_gone_but_not_before() {
    run(async {
        let mut listener = TcpListener::bind(on(Ipv4Addr::LOCALHOST)).expect("listens");
        let at = address_of(&listener);
        let socket = socket2::SockRef::from(&listener);
        assert!(socket.reuse_address().expect("an option"));
        let error = TcpListener::bind(at).expect_err("in use");
        let cause = error.io_error().expect("the system's word").kind();
        assert_eq!(cause, std::io::ErrorKind::AddrInUse);
        // A connection that ended here keeps the address for a while, unless it is to be used again.
        let pair = try_join(TcpStream::connect(at), listener.accept()).await;
        let (client, server) = pair.expect("a connection");
        server.close().await.expect("closes");
        client.close().await.expect("closes");
        drop(listener);
        TcpListener::bind(at).expect("free");
    });
}

/// Covers TCL-08.
#[cfg(target_os = "linux")]
#[test]
fn as_many_wait_as_the_backlog_says_and_the_system_allows() {
    let most: u32 = std::fs::read_to_string("/proc/sys/net/core/somaxconn")
        .expect("a number")
        .trim()
        .parse()
        .expect("a number");
    let backlog_of = |listener: &TcpListener| {
        let at = address_of(listener);
        let tables = std::process::Command::new("ss").args(["-Hltn"]).output();
        let Ok(tables) = tables else { return None };
        let tables = String::from_utf8_lossy(&tables.stdout).into_owned();
        let row = tables.lines().find(|row| row.contains(&at.to_string()))?;
        row.split_whitespace().nth(2)?.parse::<u32>().ok()
    };
    let at = on(Ipv4Addr::LOCALHOST);
    let default = TcpListener::bind(at).expect("listens");
    if backlog_of(&default).is_none() {
        eprintln!("there is no `ss` here; only the small backlogs were tried");
    } else {
        assert_eq!(backlog_of(&default), Some(most.min(65535)));
        let huge = TcpListener::bind_with_backlog(at, 99_999_999).expect("listens");
        assert_eq!(backlog_of(&huge), Some(most.min(65535)));
    }
    for backlog in [1, 10] {
        let listener = TcpListener::bind_with_backlog(at, backlog).expect("listens");
        // Linux lets one more wait than that.
        let mut waiting = Vec::new();
        while let Ok(client) =
            std::net::TcpStream::connect_timeout(&address_of(&listener), Duration::from_millis(200))
        {
            waiting.push(client);
            assert!(waiting.len() <= 11, "the backlog of {backlog} has no end");
        }
        assert_eq!(waiting.len(), backlog as usize + 1);
    }
}

/// Covers TCL-08. A system may allow more than anybody can have wanted.
#[cfg(target_os = "linux")]
#[test]
fn no_more_than_65535_are_asked_to_wait() {
    let name = "tcp_listener::no_more_than_65535_are_asked_to_wait";
    if let Some(seen) = crate::alone::run_alone_watched("listen", name) {
        let asked = seen
            .lines()
            .filter_map(|call| call.split_once("listen(")?.1.split_once(')'));
        let asked: Vec<_> = asked.map(|(of, _)| of.split(", ").nth(1)).collect();
        let expected = ["65535", "65535", "65535", "10", "1", "1"].map(Some);
        return assert_eq!(asked, expected, "{seen}");
    }
    let at = on(Ipv4Addr::LOCALHOST);
    TcpListener::bind(at).expect("listens");
    for backlog in [99_999_999, u32::MAX, 10, 1, 0] {
        TcpListener::bind_with_backlog(at, backlog).expect("listens");
    }
}

/// Covers SLI-04: errors that are the connection's and not the listener's, as Linux has them.
#[cfg(target_os = "linux")]
#[test]
fn connections_that_failed_before_they_are_accepted_are_passed_over() {
    let name = "tcp_listener::connections_that_failed_before_they_are_accepted_are_passed_over";
    for error in [
        "ECONNABORTED",
        "EPERM",
        "EPROTO",
        "ENETDOWN",
        "ENOPROTOOPT",
        "EHOSTDOWN",
        "ENONET",
        "EHOSTUNREACH",
        "EOPNOTSUPP",
        "ENETUNREACH",
        "ESOCKTNOSUPPORT",
        "EPROTONOSUPPORT",
        "ETIMEDOUT",
    ] {
        let inject = format!("accept4:error={error}:when=1..5");
        if let Some(ended) = run_alone_where(&inject, name) {
            assert_passed(&ended);
            continue;
        }
        return run(async {
            let mut listener = TcpListener::bind(on(Ipv4Addr::LOCALHOST)).expect("listens");
            let client = std::net::TcpStream::connect(address_of(&listener)).expect("connects");
            let accepted = listener.accept().await.expect("the good one");
            let peer = accepted.peer_addr().expect("an address");
            assert_eq!(peer, client.local_addr().expect("an address"));
        });
    }
}

/// The listener passes over them in any number: who is served comes after fifty that are gone.
#[test]
fn connections_that_were_reset_before_they_are_accepted_harm_nobody() {
    run(async {
        let mut listener = TcpListener::bind(on(Ipv4Addr::LOCALHOST)).expect("listens");
        let at = address_of(&listener);
        for _ in 0..50 {
            let gone = std::net::TcpStream::connect(at).expect("connects");
            let linger = Some(Duration::ZERO);
            socket2::SockRef::from(&gone)
                .set_linger(linger)
                .expect("an option");
        }
        let mut client = std::net::TcpStream::connect(at).expect("connects");
        let own = client.local_addr().expect("an address");
        let clock = MonotonicClock::new();
        let serving = async {
            loop {
                let mut stream = listener.accept().await.expect("a connection");
                if stream.peer_addr().is_ok_and(|peer| peer == own) {
                    stream.send_all(b"served").await.expect("sends");
                    return stream.close().await.expect("closes");
                }
            }
        };
        let served = timeout(&clock, Duration::from_secs(20), serving).await;
        served.expect("in time");
        let mut said = String::new();
        client.read_to_string(&mut said).expect("reads");
        assert_eq!(said, "served");
    });
}

#[test]
fn a_handle_to_a_port_serves_it_on_another_thread() {
    let first = TcpListener::bind(on(Ipv4Addr::LOCALHOST)).expect("listens");
    let at = address_of(&first);
    let second = first.to_std().expect("another handle");
    drop(first);
    let serving = std::thread::spawn(move || {
        run(async {
            let mut listener = TcpListener::try_from(second).expect("it listens");
            let mut stream = listener.accept().await.expect("a connection");
            stream.send_all(b"from afar").await.expect("sends");
            stream.close().await.expect("closes");
        });
    });
    let mut said = String::new();
    let mut client = std::net::TcpStream::connect(at).expect("connects");
    client.read_to_string(&mut said).expect("reads");
    assert_eq!(said, "from afar");
    serving.join().expect("a thread");
}
