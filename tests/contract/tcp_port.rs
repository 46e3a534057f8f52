//! A port at all addresses: listening there, and serving it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use embedded_io_async::{Error as _, ErrorKind, ErrorType};
use futures_util::future::{Either, join, join_all, select};
use tacket::testing::{SeededExecutor, SimError, SimNet};
use tacket::{
    AsyncResource as _, Connect as _, Error as _, Fault, Listen, Listener as _, LocalAddress,
    ReceiveStream as _, SendStream as _, open_tcp_listeners, serve_tcp,
};
use tacket_std::{IoError, Net, TcpListener, TcpStream};

use crate::limited::run;

/// The address of loopback at which `listener` is reached.
fn near(listener: &TcpListener) -> SocketAddr {
    let address = listener.local_addr().expect("an address");
    assert!(address.ip().is_unspecified(), "{address}");
    let ip: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    (ip, address.port()).into()
}

/// Covers TCL-01.
#[test]
fn a_port_is_open_at_all_addresses_of_both_versions_and_two_clients_wait() {
    run(async {
        let mut listeners = open_tcp_listeners(&Net::new(), 0).await.expect("listens");
        let addresses: Vec<_> = listeners.each().map(near).collect();
        assert!(addresses[0].is_ipv4() && addresses[1].is_ipv6());
        let [v4, v6] = [addresses[0], addresses[1]];
        let _clients = join_all([v4, v4, v6, v6].map(TcpStream::connect)).await;
        let mut accepted = Vec::new();
        for _ in 0..4 {
            let stream = listeners.accept().await.expect("a client");
            accepted.push(stream.local_addr().expect("an address"));
        }
        assert_eq!(accepted, [v4, v6, v4, v6], "they take turns");
    });
}

/// Covers TCL-02.
#[test]
fn a_port_that_is_free_for_one_version_only_is_another_for_the_other() {
    let executor = SeededExecutor::new(1);
    let host = SimNet::new(&executor).host(&[]);
    let opened = executor.run(async {
        let v6 = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        // The simulation gives ports out in order.
        let first = host.listen(v6(0)).await?.local_addr()?.port();
        let _taken = host.listen(v6(first + 1)).await?;
        let listeners = open_tcp_listeners(&host, 0).await?;
        let ports: Vec<_> = listeners.each().map(LocalAddress::local_addr).collect();
        assert_eq!(ports[0]?.port(), first + 1);
        assert_eq!(ports[1]?.port(), first + 2);
        Ok::<_, SimError>(())
    });
    assert_eq!(opened, Ok(()));
}

#[test]
fn a_port_that_somebody_has_is_not_opened_at_half_of_the_addresses() {
    run(async {
        for taken in [
            IpAddr::from(Ipv4Addr::UNSPECIFIED),
            Ipv6Addr::UNSPECIFIED.into(),
        ] {
            let taken = TcpListener::bind((taken, 0).into()).expect("a free port");
            let port = taken.local_addr().expect("an address").port();
            let refused = open_tcp_listeners(&Net::new(), port).await;
            let refused = refused.expect_err("it is in use");
            assert_eq!(refused.kind(), ErrorKind::AddrInUse);
            drop(taken);
            let opened = open_tcp_listeners(&Net::new(), port).await;
            assert_eq!(opened.expect("nobody has it").each().count(), 2);
        }
    });
}

/// Covers TCL-07.
#[cfg(target_os = "linux")]
#[test]
fn without_ipv6_a_port_is_open_at_the_addresses_of_ipv4() {
    let name = "tcp_port::without_ipv6_a_port_is_open_at_the_addresses_of_ipv4";
    let inject = "socket:error=EAFNOSUPPORT:when=2";
    if let Some(ended) = crate::alone::run_alone_where(inject, name) {
        return crate::alone::assert_passed(&ended);
    }
    the_only_one_is_open(0);
}

/// Covers TCL-07.
#[cfg(target_os = "linux")]
#[test]
fn without_ipv4_a_port_is_open_at_the_addresses_of_ipv6() {
    let name = "tcp_port::without_ipv4_a_port_is_open_at_the_addresses_of_ipv6";
    let inject = "socket:error=EAFNOSUPPORT:when=1";
    if let Some(ended) = crate::alone::run_alone_where(inject, name) {
        return crate::alone::assert_passed(&ended);
    }
    the_only_one_is_open(1);
}

#[cfg(target_os = "linux")]
fn the_only_one_is_open(place: usize) {
    run(async {
        let mut listeners = open_tcp_listeners(&Net::new(), 0).await.expect("listens");
        let addresses: Vec<_> = listeners.each().map(near).collect();
        assert_eq!(addresses.len(), 1, "{addresses:?}");
        assert_eq!(addresses[0].is_ipv6(), place == 1);
        let connecting = TcpStream::connect(addresses[0]);
        let (accepted, connected) = join(listeners.accept(), connecting).await;
        connected.expect("connects");
        accepted.expect("a client");
        listeners.close().await.expect("closes");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn without_any_version_of_ip_nothing_is_opened() {
    let name = "tcp_port::without_any_version_of_ip_nothing_is_opened";
    let inject = "socket:error=EAFNOSUPPORT:when=1..2";
    if let Some(ended) = crate::alone::run_alone_where(inject, name) {
        return crate::alone::assert_passed(&ended);
    }
    run(async {
        let refused = open_tcp_listeners(&Net::new(), 0).await;
        assert_eq!(refused.expect_err("neither").fault(), Fault::Unsupported);
    });
}

/// A network whose listeners are of both versions of IP, as on a microcontroller.
struct DualStack<'n>(&'n Net);

impl ErrorType for DualStack<'_> {
    type Error = IoError;
}

impl Listen for DualStack<'_> {
    type Listener = TcpListener;

    const DUAL_STACK: bool = true;

    async fn listen(&self, local: SocketAddr) -> Result<TcpListener, IoError> {
        self.0.listen(local).await
    }
}

#[test]
fn a_network_of_both_versions_in_one_opens_one_listener() {
    run(async {
        let network = Net::new();
        let opened = open_tcp_listeners(&DualStack(&network), 0).await;
        assert_eq!(opened.expect("listens").each().count(), 1);
    });
}

/// Covers TCL-09.
#[test]
fn a_port_is_served_once_it_is_ready_until_that_is_dropped() {
    run(async {
        let network = Net::new();
        let greet = async |mut stream: TcpStream| {
            stream.send_all(b"hello").await?;
            stream.close().await
        };
        let (tell, told) = futures_channel::oneshot::channel();
        let serving = serve_tcp::<2, _>(&network, 0, greet, |listeners| {
            let addresses: Vec<_> = listeners.each().map(near).collect();
            tell.send(addresses).expect("somebody waits");
        });
        let clients = async {
            let addresses = told.await.expect("it is ready");
            assert_eq!(addresses.len(), 2);
            for address in addresses.iter().chain(&addresses) {
                let mut stream = network.connect(*address).await.expect("connects");
                let mut greeting = [0; 8];
                let received = stream.receive_some(&mut greeting).await;
                assert_eq!(received.expect("receives"), 5);
            }
            addresses
        };
        let ended = select(Box::pin(serving), Box::pin(clients)).await;
        let Either::Right((addresses, serving)) = ended else {
            panic!("it serves until it is dropped");
        };
        drop(serving);
        for address in addresses {
            let refused = network.connect(address).await;
            refused.expect_err("nobody listens any more");
        }
    });
}

#[test]
fn a_port_that_somebody_has_is_not_served() {
    run(async {
        let network = Net::new();
        let taken = TcpListener::bind(([0, 0, 0, 0], 0).into()).expect("a free port");
        let port = taken.local_addr().expect("an address").port();
        let handler = async |stream: TcpStream| stream.close().await;
        let serving = serve_tcp::<1, _>(&network, port, handler, |_| panic!("it is not ready"));
        let refused = serving.await.expect_err("it is in use");
        assert_eq!(refused.kind(), ErrorKind::AddrInUse);
    });
}
