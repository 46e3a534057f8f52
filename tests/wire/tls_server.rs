//! Our TLS stream is the server; OpenSSL in a foreign client is at the other end.

use std::sync::mpsc;

use serde_json::Value;
use tacket::{AsyncResource as _, SendStream as _, Stream};
use tacket_std::TcpStream;
use tacket_tests::{Authority, NAME};
use tacket_tls::{Negotiated, TlsStream};

use crate::data::{
    CLIENTS, MIB, SERVERS, receive, receive_end, receive_exactly, send_pattern, sha256,
};
use crate::folder::Folder;
use crate::peer::{Ours, Peer, field};
use crate::tls::{
    VERSIONS, assert_agreed, close, exchange, negotiated, only, part, receive_a_truncation, unwrap,
};

/// Serves `ours` to the client with `options`, and returns the client's last report.
fn against(
    options: &[&str],
    ours: impl AsyncFnOnce(TlsStream<TcpStream>) + Send + 'static,
) -> Value {
    against_one_that_offers(&[], options, ours)
}

/// The same, where our side accepts the protocols of `alpn`.
fn against_one_that_offers(
    alpn: &[&[u8]],
    options: &[&str],
    ours: impl AsyncFnOnce(TlsStream<TcpStream>) + Send + 'static,
) -> Value {
    let authority = Authority::new();
    let config = authority.server_config().with_alpn(alpn);
    serve(&authority, options, async move |tcp| {
        ours(TlsStream::server(tcp, &config).expect("a configuration")).await;
    })
}

/// Serves `ours` without TLS to the client with `options`, who trusts `authority`.
fn serve(
    authority: &Authority,
    options: &[&str],
    ours: impl AsyncFnOnce(TcpStream) + Send + 'static,
) -> Value {
    let (ours, port) = Ours::serve(ours);
    let folder = Folder::new();
    let root = folder.write("root.pem", authority.root_pem());
    let arguments = [
        format!("--port={port}"),
        format!("--certs={}", folder.file("")),
        format!("--ca={root}"),
        format!("--sni={NAME}"),
    ];
    let mut arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    arguments.insert(0, "client");
    arguments.extend(options);
    let peer = Peer::start("ssl_peer.py", &arguments);
    // The client first: where our side waits for a client that has failed, the client says why.
    let done = peer.finish();
    ours.finish();
    done
}

/// Echoes until the client's end.
async fn echo(stream: &mut TlsStream<TcpStream>) {
    let mut buf = vec![0; 5_000];
    loop {
        match receive(stream, &mut buf).await {
            0 => return,
            count => {
                let chunk = buf.split_at(count).0;
                stream.send_all(chunk).await.expect("the echo can be sent");
            }
        }
    }
}

/// Covers SSL-01.
#[test]
fn a_tls_echo_server_serves_a_client_that_sends_and_receives_at_once() {
    for version in VERSIONS {
        let done = against(&["--mode=echo", only(version)], async move |mut stream| {
            echo(&mut stream).await;
            assert_eq!(negotiated(&stream).version(), version);
            close(stream).await;
        });
        assert_eq!(field(&done, "sha256"), &sha256(CLIENTS, MIB));
    }
}

/// Covers SSL-14.
#[test]
fn a_client_may_send_its_records_byte_by_byte() {
    for version in VERSIONS {
        let options = [
            "--trickle",
            "--max-receive=7",
            "--bytes=20000",
            only(version),
        ];
        let done = against(&options, async |mut stream| {
            echo(&mut stream).await;
            close(stream).await;
        });
        assert_eq!(field(&done, "sha256"), &sha256(CLIENTS, 20_000));
    }
}

/// Covers SSL-09.
#[test]
fn an_accepted_tls_stream_carries_both_directions_at_the_same_time() {
    for version in VERSIONS {
        let done = against(&["--mode=duplex", only(version)], async |mut stream| {
            exchange(&mut stream, SERVERS, CLIENTS, MIB).await;
            receive_end(&mut stream).await;
            close(stream).await;
        });
        assert_eq!(field(&done, "sha256"), &sha256(SERVERS, MIB));
    }
}

/// Covers SSL-15.
#[test]
fn close_delivers_everything_that_was_sent_and_an_authenticated_end() {
    for version in VERSIONS {
        let options = ["--mode=source", "--expect=eof", only(version)];
        let done = against(&options, async |mut stream| {
            send_pattern(&mut stream, SERVERS, MIB).await;
            part(stream).await;
        });
        assert_eq!(field(&done, "sha256"), &sha256(SERVERS, MIB));
    }
}

/// Covers SSL-23.
#[test]
fn an_https_compatible_close_is_a_truncation_for_a_strict_client() {
    for version in VERSIONS {
        let options = ["--mode=truncate", "--expect=truncated", only(version)];
        let done = against(&options, async |stream| {
            let mut stream = stream.https_compatible();
            receive_exactly(&mut stream, b"go\n").await;
            let sent = stream.send_all(b"complete record").await;
            sent.expect("it can be sent");
            close(stream).await;
        });
        assert_eq!(field(&done, "end"), "truncated");
    }
}

/// Covers SSL-20.
#[test]
fn a_client_that_leaves_without_close_notify_has_truncated_the_stream() {
    for version in VERSIONS {
        against(
            &["--mode=truncate-me", only(version)],
            async |mut stream| {
                receive_exactly(&mut stream, b"hello\n").await;
                let sent = stream.send_all(b"hello\n").await;
                sent.expect("it can be sent");
                receive_a_truncation(&mut stream).await;
                close(stream).await;
            },
        );
    }
}

/// Echoes a line behind `mark`, and returns it.
async fn echo_line<S: Stream>(stream: &mut S, trailing: Vec<u8>, mark: &str) -> Vec<u8> {
    let mut line = trailing;
    while line.last() != Some(&b'\n') {
        let mut buf = [0; 1];
        assert_eq!(receive(stream, &mut buf).await, 1, "an end within a line");
        line.extend(buf);
    }
    if line != b"STOPTLS\n" {
        let echo = [mark.as_bytes(), &line].concat();
        stream.send_all(&echo).await.expect("it can be sent");
    }
    line
}

/// Covers SSL-28.
#[test]
fn after_unwrap_a_foreign_client_speaks_in_the_clear() {
    for version in VERSIONS {
        for trickle in [&[][..], &["--trickle", "--max-receive=1"]] {
            let options = [&["--mode=unwrap", only(version)], trickle].concat();
            against(&options, async |mut stream| {
                while echo_line(&mut stream, Vec::new(), "tls:").await != b"STOPTLS\n" {}
                let (mut tcp, trailing) = unwrap(stream).await;
                let line = echo_line(&mut tcp, trailing, "plain:").await;
                assert_eq!(line, b"two\n");
                tcp.close().await.expect("a graceful close");
            });
        }
    }
}

/// Covers SSL-28.
#[test]
fn a_foreign_client_starts_and_stops_tls_on_one_connection_again_and_again() {
    const ROUNDS: usize = 4;
    for version in VERSIONS {
        for trickle in [&[][..], &["--trickle", "--max-receive=1"]] {
            let authority = Authority::new();
            let config = authority.server_config();
            let rounds = format!("--rounds={ROUNDS}");
            let options = [&["--mode=starttls", &rounds, only(version)], trickle].concat();
            serve(&authority, &options, async move |mut tcp| {
                tcp.send_all(b"220 hello\n").await.expect("it can be sent");
                for _ in 0..ROUNDS {
                    receive_exactly(&mut tcp, b"STARTTLS\n").await;
                    tcp.send_all(b"220 go\n").await.expect("it can be sent");
                    // As a reader of whole buffers has it: part of the hello is here already.
                    let mut buf = [0; 100];
                    let count = receive(&mut tcp, &mut buf).await;
                    let stream = TlsStream::server(tcp, &config).expect("a configuration");
                    let mut stream = stream.with_received(buf.split_at(count).0);
                    while echo_line(&mut stream, Vec::new(), "tls:").await != b"STOPTLS\n" {}
                    let trailing;
                    (tcp, trailing) = unwrap(stream).await;
                    echo_line(&mut tcp, trailing, "plain:").await;
                }
                receive_end(&mut tcp).await;
                tcp.close().await.expect("a graceful close");
            });
        }
    }
}

/// Echoes a few bytes, and returns what was agreed. Both sides report the same.
fn agree(options: &[&str], alpn: &[&[u8]]) -> Negotiated {
    let (tell, told) = mpsc::channel();
    let options = [options, &["--bytes=10"]].concat();
    let done = against_one_that_offers(alpn, &options, async move |mut stream| {
        echo(&mut stream).await;
        tell.send(negotiated(&stream)).expect("somebody listens");
        close(stream).await;
    });
    let ours = told.recv().expect("our side has told");
    assert_agreed(&done, &ours);
    ours
}

/// Covers SSL-33.
#[test]
fn server_and_foreign_client_agree_on_a_protocol_where_both_offer_some() {
    for version in VERSIONS {
        let version = only(version);
        let offers = [version, "--alpn=http/1.1,h2"];
        let ours = agree(&offers, &[b"spdy/1", b"h2"]);
        assert_eq!(ours.alpn_protocol(), Some(&b"h2"[..]));
        let ours = agree(&[version], &[b"h2"]);
        assert_eq!(ours.alpn_protocol(), None);
        let ours = agree(&offers, &[]);
        assert_eq!(ours.alpn_protocol(), None);
    }
}

/// Covers SSL-34.
#[test]
fn a_foreign_client_without_a_certificate_shows_none() {
    for version in VERSIONS {
        let ours = agree(&[only(version)], &[]);
        assert_eq!(ours.peer_certificates(), []);
    }
}

#[test]
fn the_name_that_a_foreign_client_asks_for_is_known() {
    for version in VERSIONS {
        for (options, asked) in [
            (&[only(version)][..], Some(NAME)),
            (&[only(version), "--sni=LOCALHOST"], Some("localhost")),
            (&[only(version), "--sni=127.0.0.1"], None),
        ] {
            let ours = agree(options, &[]);
            assert_eq!(ours.server_name(), asked);
        }
    }
}
