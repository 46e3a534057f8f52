//! Our TLS stream is the client; OpenSSL in a foreign server is at the other end.

use core::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;

use serde_json::Value;
use tacket::{AsyncResource as _, Error as _, Fault, SendStream as _};
use tacket_std::TcpStream;
use tacket_tls::rustls::{CertificateError, Error};
use tacket_tls::{ClientConfig, EngineError, Negotiated, TlsError, TlsStream};

use crate::data::{
    CLIENTS, MIB, SERVERS, assert_fault, receive_end, receive_exactly, receive_pattern, sha256,
};
use crate::folder::Folder;
use crate::peer::{Ours, Peer, connection, field};
use crate::tls::{
    VERSIONS, assert_agreed, assert_truncated, close, exchange, negotiated, only, part,
    receive_a_truncation, receive_from, trusting, unwrap,
};

/// One of the names in the certificates of the peers.
const NAME: &str = "oracle.example.org";

/// A foreign server, as our side sees it.
struct Server {
    address: SocketAddr,
    trusting: ClientConfig,
}

impl Server {
    /// A connection, without a handshake so far.
    async fn connect(&self) -> TlsStream<TcpStream> {
        self.connect_as(NAME, &self.trusting).await
    }

    async fn connect_as(&self, name: &str, config: &ClientConfig) -> TlsStream<TcpStream> {
        TlsStream::client(self.tcp().await, config, name).expect("a name")
    }

    async fn tcp(&self) -> TcpStream {
        let connecting = TcpStream::connect(self.address).await;
        connecting.expect("the server is there")
    }
}

/// Runs `ours` against the server with `options`, and returns what the server reports of the connection.
fn against(options: &[&str], ours: impl AsyncFnOnce(Server) + Send + 'static) -> Value {
    connection(&start(options, ours).finish()).clone()
}

/// Runs `ours` against the server with `options`, and returns the server.
fn start(options: &[&str], ours: impl AsyncFnOnce(Server) + Send + 'static) -> Peer {
    let folder = Folder::new();
    let certificates = format!("--certs={}", folder.file(""));
    let peer = Peer::start(
        "ssl_peer.py",
        &[&["server", &certificates], options].concat(),
    );
    let address = (Ipv4Addr::LOCALHOST, peer.port()).into();
    let trusting = trusting(&folder, &["ca.pem"]);
    let server = Server { address, trusting };
    Ours::start(move || tacket_std::run(ours(server)).expect("an event loop")).finish();
    peer
}

/// Sends `length` bytes to an echo server with `options` and gets them back. Both sides report the same facts.
fn echo(options: &[&str], length: usize, name: &'static str, alpn: &'static [&[u8]]) -> Negotiated {
    let (tell, told) = mpsc::channel();
    let report = against(options, async move |server| {
        let config = server.trusting.clone().with_alpn(alpn);
        let mut stream = server.connect_as(name, &config).await;
        exchange(&mut stream, CLIENTS, CLIENTS, length).await;
        tell.send(negotiated(&stream)).expect("somebody listens");
        part(stream).await;
    });
    assert_eq!(field(&report, "end"), "eof", "{report}");
    assert_eq!(field(&report, "bytes"), length, "{report}");
    let ours = told.recv().expect("our side has told");
    assert_agreed(&report, &ours);
    ours
}

/// Covers SSL-01.
#[test]
fn what_a_tls_echo_server_returns_is_what_was_sent() {
    for version in VERSIONS {
        let ours = echo(&[only(version)], MIB, NAME, &[]);
        assert_eq!(ours.version(), version);
    }
}

/// Covers SSL-14.
#[test]
fn records_may_come_byte_by_byte() {
    for version in VERSIONS {
        let options = [only(version), "--trickle", "--max-receive=7"];
        echo(&options, 20_000, NAME, &[]);
    }
}

/// Covers SSL-33.
#[test]
fn client_and_foreign_server_agree_on_a_protocol_where_both_offer_some() {
    for version in VERSIONS {
        let version = only(version);
        let offers = [version, "--alpn=http/1.1,h2"];
        let ours = echo(&offers, 10, NAME, &[b"spdy/1", b"http/1.1"]);
        assert_eq!(ours.alpn_protocol(), Some(&b"http/1.1"[..]));
        let ours = echo(&[version], 10, NAME, &[b"h2"]);
        assert_eq!(ours.alpn_protocol(), None);
        let ours = echo(&offers, 10, NAME, &[]);
        assert_eq!(ours.alpn_protocol(), None);
    }
}

/// Covers SSL-34.
#[test]
fn the_client_sees_the_certificate_of_a_foreign_server() {
    for version in VERSIONS {
        let ours = echo(&[only(version)], 10, NAME, &[]);
        let [certificate, ..] = ours.peer_certificates() else {
            panic!("no certificate: {ours:?}")
        };
        // The names stand in it as they are.
        let names = certificate.windows(NAME.len());
        assert!(names.into_iter().any(|name| name == NAME.as_bytes()));
    }
}

/// Covers SSL-37.
#[test]
fn a_server_can_be_known_by_its_address() {
    for version in VERSIONS {
        echo(&[only(version)], 10, "127.0.0.1", &[]);
    }
}

#[test]
fn both_directions_of_tls_carry_different_data_at_the_same_time() {
    for version in VERSIONS {
        let report = against(&["--mode=duplex", only(version)], async |server| {
            let mut stream = server.connect().await;
            exchange(&mut stream, CLIENTS, SERVERS, MIB).await;
            part(stream).await;
        });
        assert_eq!(field(&report, "sha256"), &sha256(CLIENTS, MIB));
    }
}

#[test]
fn everything_a_tls_source_sends_arrives_before_its_end() {
    for version in VERSIONS {
        against(&["--mode=source", only(version)], async |server| {
            let mut stream = server.connect().await;
            receive_pattern(&mut stream, SERVERS, MIB).await;
            receive_end(&mut stream).await;
            close(stream).await;
        });
    }
}

/// Covers SSL-20 and SSL-21.
#[test]
fn an_end_without_close_notify_is_a_truncation_after_the_data_before_it() {
    for version in VERSIONS {
        against(&["--mode=truncate", only(version)], async |server| {
            let mut stream = server.connect().await;
            stream.send_all(b"go\n").await.expect("it can be sent");
            receive_exactly(&mut stream, b"complete record").await;
            receive_a_truncation(&mut stream).await;
            close(stream).await;
        });
    }
}

/// Covers SSL-16.
#[test]
fn close_does_not_wait_for_a_server_that_lingers() {
    for version in VERSIONS {
        let report = against(
            &["--mode=close-and-linger", only(version)],
            async |server| {
                let mut stream = server.connect().await;
                stream.send_all(b"x\n").await.expect("it can be sent");
                receive_exactly(&mut stream, b"bye\n").await;
                receive_end(&mut stream).await;
                // The server waits for the end of the connection before it does the same.
                close(stream).await;
            },
        );
        let after = field(field(&report, "after"), "bytes");
        assert_ne!(after, 0, "no close_notify: {report}");
    }
}

/// Covers SSL-28.
#[test]
fn after_unwrap_a_foreign_server_speaks_in_the_clear() {
    for version in VERSIONS {
        for trickle in [&[][..], &["--trickle", "--max-receive=1"]] {
            let options = [&["--mode=unwrap", only(version)], trickle].concat();
            against(&options, async |server| {
                let mut stream = server.connect().await;
                stream.send_all(b"one\n").await.expect("it can be sent");
                receive_exactly(&mut stream, b"tls:one\n").await;
                stream.send_all(b"STOPTLS\n").await.expect("it can be sent");
                let (mut tcp, trailing) = unwrap(stream).await;
                assert_eq!(trailing, b"", "the server speaks second");
                tcp.send_all(b"two\n").await.expect("it can be sent");
                receive_exactly(&mut tcp, b"plain:two\n").await;
                receive_end(&mut tcp).await;
                tcp.close().await.expect("a graceful close");
            });
        }
    }
}

/// Covers SSL-28.
#[test]
fn a_foreign_server_starts_and_stops_tls_on_one_connection_again_and_again() {
    const ROUNDS: usize = 4;
    for version in VERSIONS {
        for trickle in [&[][..], &["--trickle", "--max-receive=1"]] {
            let rounds = format!("--rounds={ROUNDS}");
            let options = [&["--mode=starttls", &rounds, only(version)], trickle].concat();
            let peer = async |server: Server| {
                let mut tcp = server.tcp().await;
                receive_exactly(&mut tcp, b"220 hello\n").await;
                for round in 0..ROUNDS {
                    tcp.send_all(b"STARTTLS\n").await.expect("it can be sent");
                    receive_exactly(&mut tcp, b"220 go\n").await;
                    let mut stream =
                        TlsStream::client(tcp, &server.trusting, NAME).expect("a name");
                    let line = format!("line {round}\n");
                    let sent = stream.send_all(line.as_bytes()).await;
                    sent.expect("it can be sent");
                    receive_exactly(&mut stream, format!("tls:{line}").as_bytes()).await;
                    stream.send_all(b"STOPTLS\n").await.expect("it can be sent");
                    let trailing;
                    (tcp, trailing) = unwrap(stream).await;
                    let sent = tcp.send_all(line.as_bytes()).await;
                    sent.expect("it can be sent");
                    let expected = format!("plain:{line}");
                    receive_from(trailing, &mut tcp, expected.as_bytes()).await;
                }
                tcp.close().await.expect("a graceful close");
            };
            start(&options, peer).finish();
        }
    }
}

/// Covers SSL-02.
#[test]
fn a_foreign_server_of_an_unknown_authority_is_refused_and_told() {
    for version in VERSIONS {
        let options = ["--wrong-cert", "--expect=handshake-failed", only(version)];
        let report = against(&options, async |server| {
            let mut stream = server.connect().await;
            match stream.do_handshake().await {
                Err(TlsError::Engine(EngineError::Rustls(Error::InvalidCertificate(reason)))) => {
                    assert_eq!(reason, CertificateError::UnknownIssuer);
                }
                other => panic!("{other:?}"),
            }
            assert!(stream.negotiated().is_err());
            close(stream).await;
        });
        let detail = field(&report, "detail").to_string();
        assert!(detail.contains("unknown ca"), "{report}");
    }
}

/// Covers SSL-03.
#[test]
fn a_foreign_server_of_another_name_is_refused_and_told() {
    for version in VERSIONS {
        let options = ["--expect=handshake-failed", only(version)];
        let report = against(&options, async |server| {
            let name = "elsewhere.example.org";
            let mut stream = server.connect_as(name, &server.trusting).await;
            let shown = stream.do_handshake().await.expect_err("another name");
            assert!(shown.to_string().contains(name), "{shown}");
            assert_eq!(shown.fault(), Fault::Broken);
            close(stream).await;
        });
        let detail = field(&report, "detail").to_string();
        assert!(detail.contains("bad certificate"), "{report}");
    }
}

/// Covers SSL-07.
#[test]
fn an_answer_that_is_not_tls_breaks_the_stream() {
    against(&["--mode=garbage"], async |server| {
        let mut stream = server.connect().await;
        for _ in 0..2 {
            match stream.do_handshake().await {
                Err(TlsError::Engine(EngineError::Rustls(Error::InvalidMessage(_)))) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_fault(stream.send_all(b"anybody there?").await, Fault::Broken);
        close(stream).await;
    });
}

#[test]
fn a_server_that_leaves_before_the_handshake_truncates_it() {
    against(&["--mode=eof-before-handshake"], async |server| {
        let mut tcp = server.tcp().await;
        // Its end is here, and stays, before our hello can make it answer with a reset.
        receive_end(&mut tcp).await;
        let mut stream = TlsStream::client(tcp, &server.trusting, NAME).expect("a name");
        assert_truncated(stream.do_handshake().await);
    });
}
