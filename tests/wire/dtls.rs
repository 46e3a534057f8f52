//! Our DTLS over UDP against OpenSSL, and against Python's Trio and itself, directly and through bad networks.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use std::sync::mpsc::{self, Receiver};

use tacket::{AsyncResource as _, LocalAddress as _};
use tacket_std::{MonotonicClock, UdpSocket};
use tacket_tests::{Authority, NAME};
use tacket_tls::pki_types::CertificateDer;
use tacket_tls::pki_types::pem::PemObject as _;
use tacket_tls::{
    DtlsChannel, DtlsClientConfig, DtlsEndpoint, DtlsError, DtlsIdentity, DtlsPsk,
    DtlsServerConfig, DtlsStatistics, DtlsTrust,
};

use crate::folder::Folder;
use crate::peer::{LIMIT, Ours, Peer, field};

mod openssl;

type Channel = DtlsChannel<UdpSocket>;

const ANY_PORT: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn at(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// What was received.
fn part(buf: &[u8], length: usize) -> &[u8] {
    buf.get(..length).expect("it fits")
}

fn endpoint() -> (DtlsEndpoint<UdpSocket>, u16) {
    let socket = UdpSocket::bind(ANY_PORT).expect("a free port");
    let port = socket.local_addr().expect("its address").port();
    let endpoint = DtlsEndpoint::new(socket, MonotonicClock::new());
    (endpoint.expect("random bytes"), port)
}

/// Starts `ours` with a channel to `server`.
fn client(
    server: SocketAddr,
    config: DtlsClientConfig,
    ours: impl AsyncFnOnce(Channel) + Send + 'static,
) -> Ours {
    Ours::start(move || {
        let run = tacket_std::run(async {
            let (endpoint, _) = endpoint();
            let channel = endpoint
                .connect(server, &config, "localhost")
                .expect("open");
            let ours = ours(channel);
            let done = tacket::timeout(&MonotonicClock::new(), LIMIT, ours).await;
            done.expect("it takes too long");
        });
        run.expect("an event loop");
    })
}

/// A server of ours at work.
struct Server {
    ours: Ours,
    port: u16,
    statistics: Receiver<DtlsStatistics>,
}

impl Server {
    /// Waits for its end, and returns what its endpoint has seen.
    fn finish(self) -> DtlsStatistics {
        self.ours.finish();
        self.statistics.recv().expect("it has told")
    }
}

/// Starts a server that sends each message back, until it has got one that says so, and `lasts` more seconds.
fn echo_server(config: DtlsServerConfig, lasts: u64) -> Server {
    patient_server(config, lasts, Duration::from_millis(100))
}

/// The same, with this time until it first sends an answer again.
fn patient_server(config: DtlsServerConfig, lasts: u64, retransmit: Duration) -> Server {
    let (tell, told) = mpsc::channel();
    let (tell_statistics, statistics) = mpsc::channel();
    let ours = Ours::start(move || {
        let run = tacket_std::run(async {
            let (endpoint, port) = endpoint();
            tell.send(port).expect("somebody listens");
            let clock = MonotonicClock::new();
            let handler = async |channel: Channel| {
                channel.set_initial_retransmit_timeout(retransmit);
                let mut message = [0; 2000];
                while let Some(length) = channel.receive(&mut message).await? {
                    match part(&message, length) {
                        b"QUIT" => {
                            channel.send(b"BYE").await?;
                            // Its client may not have got that, and ask again.
                            let more = Duration::from_secs(lasts);
                            let _ = tacket::timeout(&clock, more, async {
                                while let Ok(Some(_)) = channel.receive(&mut message).await {
                                    channel.send(b"BYE").await?;
                                }
                                Ok::<_, DtlsError<_>>(())
                            })
                            .await;
                            endpoint.clone().close().await?;
                        }
                        message => channel.send(message).await?,
                    }
                }
                channel.close().await
            };
            let serving = endpoint.serve(&config, 16, handler);
            let served = tacket::timeout(&clock, LIMIT, serving).await;
            served.expect("it takes too long").expect("it was closed");
            let seen = tell_statistics.send(endpoint.statistics());
            seen.expect("somebody listens");
        });
        run.expect("an event loop");
    });
    Server {
        ours,
        port: told.recv_timeout(LIMIT).expect("a port"),
        statistics,
    }
}

fn identity(authority: &Authority) -> DtlsIdentity {
    let (certificate, key) = authority.certify(&[NAME], |_| {});
    DtlsIdentity::new(&certificate, &key).expect("they belong together")
}

fn trusting(authority: &Authority) -> DtlsTrust {
    DtlsTrust::in_roots([authority.root()]).expect("a root")
}

/// Exchanges numbered messages, each until its answer has come.
async fn exchange(channel: &Channel, count: usize) {
    let mut answer = [0; 2000];
    for number in 0..count {
        let message = format!("message {number}");
        let mut tries = 0;
        'answered: loop {
            tries += 1;
            assert!(tries < 200, "no answer");
            channel.send(message.as_bytes()).await.expect("sends");
            let again = Duration::from_millis(300);
            let waiting = async {
                loop {
                    let received = channel.receive(&mut answer).await;
                    let length = received.expect("receives").expect("no end");
                    if part(&answer, length) == message.as_bytes() {
                        return;
                    }
                }
            };
            let answered = tacket::timeout(&MonotonicClock::new(), again, waiting).await;
            if answered.is_ok() {
                break 'answered;
            }
        }
    }
}

/// The certificates of the Python peers, made by the first that needs them.
fn certificates(folder: &Folder) -> String {
    folder.file("certs")
}

/// A client that trusts who made the certificates of a Python peer.
fn trusting_python(folder: &Folder) -> DtlsClientConfig {
    let root = folder.read("certs/ca.pem");
    let root = CertificateDer::from_pem_slice(&root).expect("a certificate");
    DtlsClientConfig::new(DtlsTrust::in_roots([root]).expect("a root")).expect("random bytes")
}

/// A relay to `port`, whose network is as bad as `options` say, and its port.
fn relay(port: u16, options: &[&str]) -> (Peer, u16) {
    let target = format!("127.0.0.1:{port}");
    let relay = Peer::start(
        "udp_relay.py",
        &[&["--target", &target][..], options].concat(),
    );
    let port = relay.port();
    (relay, port)
}

/// Bad networks, of several seeds.
const BAD: [&[&str]; 3] = [
    &["--seed=1", "--drop=0.2", "--dup=0.2", "--reorder=0.2"],
    &[
        "--seed=2",
        "--drop=0.1",
        "--delay=0.3",
        "--max-delay=0.3",
        "--max-size=600",
    ],
    &[
        "--seed=3",
        "--drop=0.1",
        "--dup=0.1",
        "--corrupt=0.1",
        "--spare-handshake",
    ],
];

fn python_server(folder: &Folder) -> (Peer, u16) {
    let certs = certificates(folder);
    let options = ["server", "--certs", &certs, "--retransmit=0.1"];
    let peer = Peer::start("dtls_peer.py", &options);
    let port = peer.port();
    (peer, port)
}

/// Has the server end. Python's says goodbye only once, which can get lost where `network` is bad.
async fn quit(channel: &Channel, network: Option<&[&str]>) {
    let mut answer = [0; 2000];
    let clock = MonotonicClock::new();
    for _try in 0..20 {
        channel.send(b"QUIT").await.expect("sends");
        let waiting = async {
            loop {
                let received = channel.receive(&mut answer).await.expect("receives");
                if received.is_some_and(|length| part(&answer, length) == b"BYE") {
                    return;
                }
            }
        };
        if tacket::timeout(&clock, Duration::from_millis(300), waiting)
            .await
            .is_ok()
        {
            return;
        }
    }
    assert!(network.is_some(), "no goodbye");
}

#[test]
fn our_client_talks_with_python_directly_and_through_bad_networks() {
    let networks = BAD.iter().map(|network| Some(*network));
    for network in core::iter::once(None).chain(networks) {
        let folder = Folder::new();
        let (peer, port) = python_server(&folder);
        let between = network.map(|options| relay(port, options));
        let port = between.as_ref().map_or(port, |(_, port)| *port);
        let ours = client(at(port), trusting_python(&folder), async move |channel| {
            channel.set_initial_retransmit_timeout(Duration::from_millis(100));
            exchange(&channel, 20).await;
            quit(&channel, network).await;
        });
        ours.finish();
        // No handshake is damaged, and so none is begun anew.
        assert_eq!(*field(&peer.finish(), "associations"), 1, "{network:?}");
    }
}

/// Covers DTL-33.
#[test]
fn a_closed_port_harms_no_other_channel_of_the_endpoint() {
    let folder = Folder::new();
    let (peer, port) = python_server(&folder);
    let config = trusting_python(&folder);
    let ours = Ours::start(move || {
        let run = tacket_std::run(async {
            let closed = UdpSocket::bind(ANY_PORT).and_then(|socket| socket.local_addr());
            let (endpoint, _) = endpoint();
            let connect = |address| {
                endpoint
                    .connect(address, &config, "localhost")
                    .expect("open")
            };
            let (good, bad) = (connect(at(port)), connect(closed.expect("a free port")));
            bad.set_initial_retransmit_timeout(Duration::from_millis(20));
            let clock = MonotonicClock::new();
            let waiting = bad.do_handshake();
            let waited = tacket::timeout(&clock, Duration::from_millis(200), waiting).await;
            assert!(waited.is_err());
            exchange(&good, 5).await;
            let waiting = bad.do_handshake();
            let waited = tacket::timeout(&clock, Duration::from_millis(200), waiting).await;
            assert!(waited.is_err());
            exchange(&good, 5).await;
            quit(&good, None).await;
        });
        run.expect("an event loop");
    });
    ours.finish();
    peer.finish();
}

fn server_of_python(folder: &Folder) -> (DtlsServerConfig, String) {
    let authority = Authority::new();
    let ca = folder.write("ours.pem", authority.root_pem());
    (DtlsServerConfig::new(identity(&authority)), ca)
}

#[test]
fn python_talks_with_our_server_directly_and_through_bad_networks() {
    let networks = BAD.iter().map(|network| Some(*network));
    for network in core::iter::once(None).chain(networks) {
        let folder = Folder::new();
        let (config, ca) = server_of_python(&folder);
        let server = echo_server(config, 1);
        let between = network.map(|options| relay(server.port, options));
        let port = between.as_ref().map_or(server.port, |(_, port)| *port);
        let port = port.to_string();
        let certs = certificates(&folder);
        let options = ["client", "--port", &port, "--certs", &certs, "--ca", &ca];
        let more = ["--retransmit=0.1", "--resend=0.3", "--count=20", "--quit"];
        let peer = Peer::start("dtls_peer.py", &[&options[..], &more].concat());
        assert_eq!(*field(&peer.finish(), "messages"), 20);
        let seen = server.finish();
        assert_eq!((seen.established, seen.failed), (1, 0), "{network:?}");
    }
}

#[test]
fn python_begins_anew_from_the_same_address() {
    let modes = [
        ("reconnect", 5, 4),
        ("abandon", 1, 1),
        ("implicit", 1, 0),
        ("handshakes", 6, 0),
    ];
    for (mode, established, replaced) in modes {
        let folder = Folder::new();
        let (config, ca) = server_of_python(&folder);
        let server = match mode {
            // One who begins anew would take what is sent again for an answer to its new hello.
            "abandon" => patient_server(config, 0, LIMIT),
            _ => echo_server(config, 0),
        };
        let (port, certs) = (server.port.to_string(), certificates(&folder));
        let options = ["client", "--port", &port, "--certs", &certs, "--ca", &ca];
        let more = ["--mode", mode, "--count=5", "--retransmit=0.1", "--quit"];
        Peer::start("dtls_peer.py", &[&options[..], &more].concat()).finish();
        let seen = server.finish();
        let found = (seen.established, seen.replaced, seen.failed);
        assert_eq!(found, (established, replaced, 0), "{mode}: {seen:?}");
    }
}

/// What a server of ours has seen of a client of ours, by DTLS 1.2 or 1.3, with this network between them.
fn both_ours(is_13: bool, network: Option<&'static [&'static str]>) -> DtlsStatistics {
    let authority = Authority::new();
    let (certificate, key) = authority.certify(&["localhost"], |_| {});
    let own = DtlsIdentity::new(&certificate, &key).expect("they belong together");
    let mut config = DtlsServerConfig::new(own);
    let trusting = DtlsClientConfig::new(trusting(&authority));
    let mut client_config = trusting.expect("random bytes");
    if is_13 {
        (client_config, config) = (
            client_config.with_dtls13().expect("it has certificates"),
            config.with_dtls13().expect("it has certificates"),
        );
    }
    let server = echo_server(config, 4);
    let between = network.map(|options| relay(server.port, options));
    let port = between.as_ref().map_or(server.port, |(_, port)| *port);
    let ours = client(at(port), client_config, async move |channel| {
        channel.set_initial_retransmit_timeout(Duration::from_millis(100));
        exchange(&channel, 5).await;
        quit(&channel, None).await;
        channel.close().await.expect("closes");
    });
    ours.finish();
    server.finish()
}

#[test]
fn our_ends_talk_by_dtls_1_3_directly_and_through_bad_networks() {
    let networks = BAD.iter().map(|network| Some(*network));
    for network in core::iter::once(None).chain(networks) {
        let seen = both_ours(true, network);
        assert_eq!((seen.established, seen.failed), (1, 0), "{network:?}");
    }
}

/// Networks that damage the second datagram of the server, of the first ones no other, and later one in ten.
const DAMAGING: [&[&str]; 3] = [
    &["--seed=50", "--corrupt=0.1"],
    &["--seed=5018", "--corrupt=0.1"],
    &["--seed=9644", "--corrupt=0.1"],
];

#[test]
fn our_ends_begin_handshakes_anew_that_were_damaged() {
    for is_13 in [false, true] {
        let mut begun_anew = 0;
        for network in DAMAGING {
            let seen = both_ours(is_13, Some(network));
            assert_eq!(seen.established, 1, "{is_13} {network:?} {seen:?}");
            begun_anew += seen.replaced + seen.failed;
        }
        // All of that datagram is plain text by DTLS 1.2. By 1.3 a part is, and what of the rest is damaged comes again.
        assert!(is_13 || begun_anew > 0, "none of them was");
    }
}

/// As where there is no way to it: the socket is of IPv4, and the peer of IPv6.
#[test]
fn a_peer_that_the_socket_cannot_send_to_is_an_error_and_harms_no_other_channel() {
    let key = DtlsPsk::new("sensor 17", [7; 32]).expect("a key");
    let server = echo_server(
        DtlsServerConfig::with_psks([key.clone()]).expect("a key"),
        0,
    );
    let port = server.port;
    let ours = Ours::start(move || {
        let run = tacket_std::run(async {
            let (endpoint, _) = endpoint();
            let config = DtlsClientConfig::with_psk(key);
            let connect = |address| endpoint.connect(address, &config, NAME).expect("open");
            let good = connect(at(port));
            exchange(&good, 5).await;
            let bad = connect(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
            bad.set_initial_retransmit_timeout(Duration::from_millis(20));
            let clock = MonotonicClock::new();
            for _again in 0..2 {
                let waiting = tacket::timeout(&clock, LIMIT, bad.do_handshake());
                let refused = waiting.await.expect("it is an error");
                assert!(
                    matches!(refused, Err(DtlsError::Transport(_))),
                    "{refused:?}"
                );
            }
            assert!(endpoint.statistics().unsent >= 6);
            exchange(&good, 5).await;
            quit(&good, None).await;
        });
        run.expect("an event loop");
    });
    ours.finish();
    server.finish();
}
