//! Our listeners on several addresses, and a foreign racer that connects to them.

use core::cell::Cell;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::mpsc::{self, Sender};

use futures_channel::oneshot;
use futures_util::future::{Either, select};
use serde_json::Value;
use tacket::{
    AsyncResource as _, Clock as _, HalfCloseable as _, Listener as _, Listeners,
    LocalAddress as _, SendStream as _, open_tcp_listeners, serve_tcp,
};
use tacket_std::{IoError, MonotonicClock, Net, TcpListener, TcpStream};

use crate::data::{CLIENTS, MIB, receive, sha256};
use crate::peer::{Ours, Peer, field};
use crate::system::waiting_at;

/// Runs `ours`, which tells its port, and then the racer, to `hosts` at that port. Returns the racer's last report.
fn against(
    hosts: &str,
    options: &[&str],
    ours: impl AsyncFnOnce(Sender<u16>) + Send + 'static,
) -> Value {
    let (tell, told) = mpsc::channel();
    let ours = Ours::start(|| tacket_std::run(ours(tell)).expect("an event loop"));
    let port = told.recv().expect("our side listens");
    let (hosts, port) = (format!("--hosts={hosts}"), format!("--port={port}"));
    let bytes = format!("--bytes={MIB}");
    let arguments = [&[hosts.as_str(), &port, &bytes], options].concat();
    // The racer first: where our side waits for one that has failed, it says why.
    let done = Peer::start("he_client.py", &arguments).finish();
    ours.finish();
    done
}

/// Says which address this is, and then returns what it gets.
async fn greet_and_echo(mut stream: TcpStream) -> Result<(), IoError> {
    let greeting = format!("{}\n", stream.local_addr()?.ip());
    stream.send_all(greeting.as_bytes()).await?;
    let mut buf = vec![0; 5_000];
    while let count @ 1.. = receive(&mut stream, &mut buf).await {
        stream.send_all(buf.split_at(count).0).await?;
    }
    stream.send_eof().await?;
    stream.close().await
}

/// Listeners of both versions on one port, and that port.
async fn listen() -> (Listeners<TcpListener, 2>, u16) {
    // A port that is free for one version only is another for the other.
    for _ in 0..50 {
        let opened = open_tcp_listeners(&Net::new(), 0).await;
        let listeners = opened.expect("free ports");
        let addresses = listeners.each().map(|it| it.local_addr());
        let ports: Vec<_> = addresses.map(|it| it.expect("an address").port()).collect();
        if let [v4, v6] = ports[..]
            && v4 == v6
        {
            return (listeners, v4);
        }
    }
    panic!("no port is free for both versions");
}

/// Two listeners on one port: the first at 127.0.0.2, with room for one client and one more, and one beside it.
fn listen_beside_a_narrow_one() -> (TcpListener, TcpListener) {
    for _ in 0..50 {
        let narrow = (Ipv4Addr::new(127, 0, 0, 2), 0).into();
        let narrow = TcpListener::bind_with_backlog(narrow, 1).expect("a free port");
        let port = narrow.local_addr().expect("an address").port();
        if let Ok(wide) = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 3), port).into()) {
            return (narrow, wide);
        }
    }
    panic!("no port is free at both addresses");
}

fn assert_won(done: &Value, winner: &str) {
    assert_eq!(field(done, "winner"), winner, "{done}");
    assert_eq!(field(done, "sha256"), &sha256(CLIENTS, MIB), "{done}");
}

/// How long the racer took.
fn seconds(done: &Value) -> f64 {
    field(done, "seconds").as_f64().expect("a number")
}

/// Covers TCL-01.
#[test]
fn a_port_is_reached_by_either_version_whichever_the_racer_prefers() {
    for (hosts, winner) in [("127.0.0.1,::1", "127.0.0.1"), ("::1,127.0.0.1", "::1")] {
        let done = against(hosts, &["--delay=20"], async |tell| {
            let (mut listeners, port) = listen().await;
            tell.send(port).expect("somebody listens");
            let stream = listeners.accept().await.expect("a client");
            greet_and_echo(stream).await.expect("an orderly client");
            listeners.close().await.expect("closes");
        });
        assert_won(&done, winner);
    }
}

/// Covers TCL-09.
#[test]
fn a_served_port_sees_where_the_racer_comes_from_and_echoes() {
    let options = ["--local-address=127.0.0.7", "--delay=20"];
    let done = against("127.0.0.1", &options, async |tell| {
        let (end, ended) = oneshot::channel();
        let end = Cell::new(Some(end));
        let network = Net::new();
        let handler = async |stream: TcpStream| {
            let peer = stream.peer_addr()?.ip();
            assert_eq!(peer, IpAddr::from([127, 0, 0, 7]));
            greet_and_echo(stream).await?;
            let end = end.take().expect("one client");
            end.send(()).expect("somebody waits");
            Ok::<_, IoError>(())
        };
        let serving = serve_tcp::<2, _>(&network, 0, handler, |listeners| {
            let v4 = listeners.each().next().expect("one of IPv4");
            let port = v4.local_addr().expect("an address").port();
            tell.send(port).expect("somebody listens");
        });
        match select(Box::pin(serving), ended).await {
            Either::Left((Err(error), _)) => panic!("{error}"),
            Either::Right((ended, _)) => ended.expect("the client was served"),
        }
    });
    assert_won(&done, "127.0.0.1");
}

#[test]
fn the_racer_passes_at_once_over_addresses_where_nobody_listens() {
    let options = ["--delay=20"];
    let done = against("::1,127.0.0.4,127.0.0.1", &options, async |tell| {
        let only = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into());
        let mut only = only.expect("a free port");
        let address = only.local_addr().expect("an address");
        tell.send(address.port()).expect("somebody listens");
        let stream = only.accept().await.expect("a client");
        greet_and_echo(stream).await.expect("an orderly client");
    });
    assert_won(&done, "127.0.0.1");
    assert!(seconds(&done) < 20.0);
}

#[test]
fn every_address_of_closed_listeners_refuses() {
    let hosts = "::1,127.0.0.1,127.0.0.4";
    let done = against(hosts, &["--delay=20", "--expect=error"], async |tell| {
        let (listeners, port) = listen().await;
        listeners.close().await.expect("closes");
        tell.send(port).expect("somebody listens");
    });
    assert_eq!(field(&done, "attempts"), 3, "{done}");
    assert!(seconds(&done) < 20.0);
}

#[test]
fn the_racer_overtakes_a_listener_that_is_full_and_who_waits_there_is_served() {
    let done = against("127.0.0.2,127.0.0.3", &[], async |tell| {
        let (mut narrow, mut wide) = listen_beside_a_narrow_one();
        let address: SocketAddr = narrow.local_addr().expect("an address");
        let waiting = [(); 2].map(|()| std::net::TcpStream::connect(address).expect("room"));
        let clock = MonotonicClock::new();
        while waiting_at(address) < waiting.len() {
            clock.sleep_until(clock.now()).await;
        }
        tell.send(address.port()).expect("somebody listens");
        let stream = wide.accept().await.expect("the racer");
        greet_and_echo(stream).await.expect("an orderly client");
        for client in waiting {
            let accepted = narrow.accept().await.expect("it waits");
            let peer = accepted.peer_addr().expect("an address");
            assert_eq!(peer, client.local_addr().expect("an address"));
        }
    });
    assert_won(&done, "127.0.0.3");
}
