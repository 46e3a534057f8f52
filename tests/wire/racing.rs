//! Connecting to a name of several addresses on real sockets: our racer, and servers that accept, refuse, say nothing, or reset.

use core::cell::RefCell;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io;
use std::sync::mpsc;

use embedded_io_async::ErrorType;
use futures_util::future::{Either, select};
use serde_json::{Value, json};
use socket2::SockRef;
use tacket::{
    AsyncResource as _, Clock, Connect, ConnectOptions, Error as _, Fault, ReceiveStream as _,
    Resolve, SendStream as _, open_tcp_stream,
};
use tacket_std::{IoError, Net, TcpStream};

use crate::data::{assert_fault, receive, receive_end};
use crate::peer::{Ours, Peer, field};
use crate::system::open_to;

const NAME: &str = "several.example.org";

/// Long enough that nothing here waits for it and ends in time.
const HOUR: Duration = Duration::from_secs(3600);

/// One attempt, as it starts.
#[derive(Debug)]
struct Attempt {
    to: IpAddr,
    at: Duration,
    /// The attempts before it that go on.
    beside: Vec<IpAddr>,
}

/// The network of this machine, where a name has these addresses.
struct Named {
    net: Net,
    addresses: &'static [&'static str],
    attempts: RefCell<Vec<Attempt>>,
    /// Those that are under way.
    open: RefCell<Vec<IpAddr>>,
}

/// An attempt, as long as it is under way.
struct UnderWay<'a>(IpAddr, &'a RefCell<Vec<IpAddr>>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.1.borrow_mut().retain(|ip| *ip != self.0);
    }
}

impl Named {
    const fn new(addresses: &'static [&'static str]) -> Self {
        Self {
            net: Net::new(),
            addresses,
            attempts: RefCell::new(Vec::new()),
            open: RefCell::new(Vec::new()),
        }
    }

    async fn open(&self, port: u16, options: ConnectOptions) -> TcpStream {
        let opening = open_tcp_stream(self, NAME, port, options).await;
        opening.unwrap_or_else(|error| panic!("{error}: {error:?}"))
    }

    fn start(&self, peer: SocketAddr) -> UnderWay<'_> {
        let attempt = Attempt {
            to: peer.ip(),
            at: self.now(),
            beside: self.open.borrow().clone(),
        };
        self.attempts.borrow_mut().push(attempt);
        self.open.borrow_mut().push(peer.ip());
        UnderWay(peer.ip(), &self.open)
    }

    fn tried(&self) -> Vec<IpAddr> {
        let attempts = self.attempts.borrow();
        attempts.iter().map(|attempt| attempt.to).collect()
    }

    #[track_caller]
    fn assert_tried(&self, addresses: &[&str]) {
        assert_eq!(self.tried(), ips(addresses));
    }

    /// What was under way when the attempt in this place started.
    #[track_caller]
    fn assert_beside(&self, place: usize, addresses: &[&str]) {
        let attempts = self.attempts.borrow();
        let attempt = attempts.get(place).expect("an attempt");
        assert_eq!(attempt.beside, ips(addresses), "{attempts:?}");
    }
}

impl ErrorType for Named {
    type Error = IoError;
}

impl Clock for Named {
    fn now(&self) -> Duration {
        self.net.now()
    }

    async fn sleep_until(&self, deadline: Duration) {
        self.net.sleep_until(deadline).await;
    }
}

impl Resolve for Named {
    async fn resolve(&self, host: &str, addresses: &mut [IpAddr]) -> Result<usize, IoError> {
        assert_eq!(host, NAME);
        let places = addresses.iter_mut().zip(ips(self.addresses));
        places.for_each(|(place, ip)| *place = ip);
        Ok(self.addresses.len())
    }
}

impl Connect for Named {
    type Stream = TcpStream;

    async fn connect(&self, peer: SocketAddr) -> Result<TcpStream, IoError> {
        let _under_way = self.start(peer);
        self.net.connect(peer).await
    }

    async fn connect_from(&self, local: IpAddr, peer: SocketAddr) -> Result<TcpStream, IoError> {
        let _under_way = self.start(peer);
        self.net.connect_from(local, peer).await
    }
}

fn ip(address: &str) -> IpAddr {
    address.parse().expect("an address")
}

fn ips(addresses: &[&str]) -> Vec<IpAddr> {
    addresses.iter().map(|address| ip(address)).collect()
}

/// Servers on one port: which address does what.
fn servers(hosts: &str, options: &[&str]) -> (Peer, u16) {
    let hosts = format!("--hosts={hosts}");
    let peer = Peer::start("he_servers.py", &[&[hosts.as_str()], options].concat());
    let port = peer.port();
    (peer, port)
}

/// Runs `ours` where the name has these addresses.
fn with(addresses: &'static [&'static str], ours: impl AsyncFnOnce(&Named) + Send + 'static) {
    let ours = Ours::start(move || {
        let named = Named::new(addresses);
        tacket_std::run(ours(&named)).expect("an event loop");
    });
    ours.finish();
}

/// Hears the winner's name, answers, and closes.
async fn use_up(mut stream: TcpStream, port: u16, winner: &str) {
    let peer = stream.peer_addr().expect("an address");
    assert_eq!(peer, SocketAddr::new(ip(winner), port));
    assert_eq!(open_to(port), [(peer.ip(), false)], "nothing else is open");
    // As every stream has it.
    let nodelay = SockRef::from(&stream).tcp_nodelay();
    assert!(nodelay.expect("an option"));
    let mut told = Vec::new();
    let mut buf = [0; 64];
    while let count @ 1.. = receive(&mut stream, &mut buf).await {
        told.extend_from_slice(buf.split_at(count).0);
    }
    assert_eq!(told, format!("{winner}\n").into_bytes());
    receive_end(&mut stream).await;
    let answered = stream.send_all(b"thank you").await;
    answered.expect("there is room");
    stream.close().await.expect("a graceful close");
}

/// A server that ends after one connection has accepted that of `winner` and no other, and it ended in good order. Returns where it came from.
fn assert_only_winner(peer: Peer, winner: &str) -> String {
    let accepted = peer.report();
    assert_eq!(field(&accepted, "event"), "accepted", "{accepted}");
    let from = accepted.pointer("/peer/0").and_then(Value::as_str);
    let from = from.expect("an address").to_owned();
    let closed = peer.report();
    assert_eq!(
        closed,
        json!({ "event": "closed", "host": winner, "how": "eof" })
    );
    let done = peer.finish();
    assert_eq!(field(&done, "accepted"), &json!([winner]));
    from
}

/// Covers HEB-16 and HEB-17.
#[test]
fn a_name_of_one_address_of_either_version_is_connected_to() {
    for address in [&["127.0.0.2"], &["::1"]] {
        let (peer, port) = servers("127.0.0.2=accept,::1=accept", &["--once"]);
        with(address, async move |named| {
            let stream = named.open(port, ConnectOptions::new()).await;
            named.assert_tried(address);
            use_up(stream, port, address[0]).await;
        });
        assert_only_winner(peer, address[0]);
    }
}

/// Covers HEB-03, HEB-05 and HEB-06.
#[test]
fn an_address_that_says_nothing_is_overtaken_by_one_of_another_version() {
    const V4_FIRST: &[&str] = &["127.0.0.2", "127.0.0.3", "::1"];
    const V6_FIRST: &[&str] = &["::1", "127.0.0.2", "127.0.0.3"];
    for (addresses, silent, winner) in [
        (V4_FIRST, "127.0.0.2", "::1"),
        (V6_FIRST, "::1", "127.0.0.2"),
    ] {
        // On a slow machine the third may be tried too. It would change nothing.
        let hosts = format!("{silent}=blackhole,127.0.0.3=blackhole,{winner}=accept");
        let (peer, port) = servers(&hosts, &["--once"]);
        with(addresses, async move |named| {
            let start = named.now();
            let stagger = Duration::from_millis(250);
            let stream = named.open(port, ConnectOptions::new()).await;
            let tried = named.tried();
            assert!(tried.starts_with(&ips(&[silent, winner])), "{tried:?}");
            named.assert_beside(1, &[silent]);
            assert!(named.attempts.borrow()[1].at >= start + stagger);
            use_up(stream, port, winner).await;
        });
        assert_only_winner(peer, winner);
    }
}

/// Covers HEB-05.
#[test]
fn an_address_that_refuses_makes_way_at_once() {
    for options in [
        ConnectOptions::new().stagger(None),
        ConnectOptions::new().stagger(Some(HOUR)),
    ] {
        let hosts = "127.0.0.2=refuse,::1=refuse,127.0.0.3=accept";
        let (peer, port) = servers(hosts, &["--once"]);
        with(&["127.0.0.2", "127.0.0.3", "::1"], async move |named| {
            let stream = named.open(port, options).await;
            named.assert_tried(&["127.0.0.2", "::1", "127.0.0.3"]);
            named.assert_beside(2, &[]);
            use_up(stream, port, "127.0.0.3").await;
        });
        assert_only_winner(peer, "127.0.0.3");
    }
}

/// Covers HEB-03 and HEB-05.
#[test]
fn the_last_of_many_addresses_wins_over_those_that_refuse_and_those_that_say_nothing() {
    const ADDRESSES: &[&str] = &["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "::1"];
    let hosts = "127.0.0.2=blackhole,127.0.0.3=refuse,127.0.0.4=blackhole,127.0.0.5=accept,\
                 127.0.0.6=accept,::1=refuse";
    let (peer, port) = servers(hosts, &["--once"]);
    with(ADDRESSES, async move |named| {
        let start = named.now();
        let stagger = Duration::from_millis(100);
        let options = ConnectOptions::new().stagger(Some(stagger));
        let stream = named.open(port, options).await;
        named.assert_tried(&["127.0.0.2", "::1", "127.0.0.3", "127.0.0.4", "127.0.0.5"]);
        named.assert_beside(3, &["127.0.0.2"]);
        named.assert_beside(4, &["127.0.0.2", "127.0.0.4"]);
        // Two of them had their time, and the others failed.
        assert!(named.attempts.borrow()[4].at >= start + 2 * stagger);
        use_up(stream, port, "127.0.0.5").await;
    });
    assert_only_winner(peer, "127.0.0.5");
}

/// Covers HEB-06.
#[test]
fn a_connection_that_came_about_and_loses_is_given_up() {
    // The one that loses may be given up before it has come about. Then nobody hears of it.
    for _ in 0..10 {
        let (peer, port) = servers("127.0.0.2=accept,127.0.0.3=accept", &[]);
        let (tell, told) = mpsc::channel();
        with(&["127.0.0.2", "127.0.0.3"], async move |named| {
            let both_at_once = ConnectOptions::new().stagger(Some(Duration::ZERO));
            let stream = named.open(port, both_at_once).await;
            let winner = stream.peer_addr().expect("an address").ip().to_string();
            use_up(stream, port, &winner).await;
            tell.send(winner).expect("somebody listens");
        });
        let winner = told.recv().expect("the winner");
        let mut heard_of_loser = false;
        loop {
            let report = peer.report();
            if field(&report, "event") == "closed" {
                let won = field(&report, "host") == &json!(winner);
                let how = if won { "eof" } else { "reset" };
                assert_eq!(field(&report, "how"), how, "{report}");
                heard_of_loser |= !won;
                if won {
                    break;
                }
            }
        }
        if heard_of_loser {
            return;
        }
    }
    panic!("no connection came about that lost");
}

#[test]
fn an_address_that_resets_wins_with_a_stream_that_breaks_or_is_passed_over() {
    let (peer, port) = servers("127.0.0.2=rst,127.0.0.3=accept", &[]);
    with(&["127.0.0.2", "127.0.0.3"], async move |named| {
        let options = ConnectOptions::new().stagger(Some(HOUR));
        let mut stream = named.open(port, options).await;
        match stream.peer_addr() {
            // The reset can overtake the end of the connecting.
            Ok(peer) if peer.ip() == ip("127.0.0.3") => {
                named.assert_tried(&["127.0.0.2", "127.0.0.3"]);
                use_up(stream, port, "127.0.0.3").await;
            }
            _ => {
                named.assert_tried(&["127.0.0.2"]);
                let received = stream.receive_some(&mut [0; 64]).await;
                assert_fault(received, Fault::Broken);
            }
        }
    });
    let accepted = peer.report();
    assert_eq!(field(&accepted, "event"), "accepted");
    assert_eq!(field(&accepted, "host"), "127.0.0.2");
}

/// Covers HEB-11.
#[test]
fn when_all_addresses_refuse_the_error_has_that_of_each() {
    let hosts = "127.0.0.2=refuse,127.0.0.3=refuse,::1=refuse,127.0.0.4=accept";
    let (_peer, port) = servers(hosts, &[]);
    with(&["127.0.0.2", "127.0.0.3", "::1"], async move |named| {
        let opening = open_tcp_stream(named, NAME, port, ConnectOptions::new());
        let error = opening.await.map(drop).expect_err("nobody listens there");
        let said = format!("all attempts to connect to {NAME}:{port} failed");
        assert_eq!(error.to_string(), said);
        assert_eq!(error.fault(), Fault::Broken);
        let attempts: Vec<_> = error.attempts().collect();
        let order = ips(&["127.0.0.2", "::1", "127.0.0.3"]);
        assert_eq!(attempts.len(), order.len());
        for ((peer, error), ip) in attempts.into_iter().zip(order) {
            assert_eq!(peer, SocketAddr::new(ip, port));
            let cause = error.io_error().expect("the system's word");
            assert_eq!(cause.kind(), io::ErrorKind::ConnectionRefused);
            assert!(error.to_string().contains(&peer.to_string()), "{error}");
        }
        assert_eq!(open_to(port), []);
    });
}

/// Covers HEB-13.
#[test]
fn dropped_midway_it_closes_the_sockets_of_all_attempts() {
    const ADDRESSES: &[&str] = &["127.0.0.2", "127.0.0.3", "127.0.0.4", "::1"];
    let hosts = "127.0.0.2=blackhole,127.0.0.3=blackhole,127.0.0.4=blackhole,::1=blackhole,\
                 127.0.0.5=accept";
    let (peer, port) = servers(hosts, &["--once"]);
    with(ADDRESSES, async move |named| {
        let soon = ConnectOptions::new().stagger(Some(Duration::from_millis(10)));
        let opening = Box::pin(open_tcp_stream(named, NAME, port, soon));
        let all_are_open = Box::pin(async {
            let waiting: Vec<_> = ips(ADDRESSES).into_iter().map(|ip| (ip, true)).collect();
            while open_to(port) != waiting {
                let later = named.now() + Duration::from_millis(5);
                named.sleep_until(later).await;
            }
        });
        match select(opening, all_are_open).await {
            Either::Left((opened, _)) => panic!("nobody answers: {opened:?}"),
            Either::Right(((), opening)) => drop(opening),
        }
        assert_eq!(open_to(port), []);
    });
    // The servers are as they were, and nobody reached them.
    with(&["127.0.0.5"], async move |named| {
        let stream = named.open(port, ConnectOptions::new()).await;
        use_up(stream, port, "127.0.0.5").await;
    });
    assert_only_winner(peer, "127.0.0.5");
}

/// Covers HEB-14 and HEB-15.
#[test]
fn the_connection_comes_from_the_address_that_was_given_and_an_unspecified_one_means_its_version() {
    for (local, seen) in [("127.0.0.9", "127.0.0.9"), ("0.0.0.0", "127.0.0.1")] {
        let local: Ipv4Addr = local.parse().expect("an address");
        let hosts = "127.0.0.2=blackhole,127.0.0.3=accept,::1=accept";
        let (peer, port) = servers(hosts, &["--once"]);
        with(&["127.0.0.2", "127.0.0.3", "::1"], async move |named| {
            let options = ConnectOptions::new().local(local.into());
            let stream = named.open(port, options).await;
            // One of the other version fails at once.
            named.assert_tried(&["127.0.0.2", "::1", "127.0.0.3"]);
            named.assert_beside(2, &["127.0.0.2"]);
            let here = stream.local_addr().expect("an address").ip();
            assert_eq!(here, ip(seen));
            use_up(stream, port, "127.0.0.3").await;
        });
        assert_eq!(assert_only_winner(peer, "127.0.0.3"), seen);
    }
}
