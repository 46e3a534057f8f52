//! `https_get` as its users start it, against servers and proxies of this test.

#![allow(
    clippy::large_futures,
    reason = "a desktop program has the stack for them"
)]

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::process::{Command, Output};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::{env, fs, process};

use tacket::{Listener as _, LocalAddress as _, Stream, timeout};
use tacket_examples::http::ConnectRequest;
use tacket_examples::relay;
use tacket_std::{MonotonicClock, TcpListener, TcpStream};
use tacket_tls::{ServerConfig, TlsStream};

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";

/// A server's certificate, as its owner and its clients need it.
struct Identity {
    server: ServerConfig,
    ca: String,
}

impl Identity {
    /// For `name`; `tag` tells the file of its certificate from those of other tests.
    fn new(name: &str, tag: &str) -> Self {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        let key = made.signing_key.serialize_der().try_into().expect("a key");
        let chain = vec![made.cert.der().clone()];
        let server = ServerConfig::with_certificate(chain, key).expect("they belong together");
        let server = server.with_alpn(&[b"http/1.1"]);
        let file = format!(
            "{}/{tag}-{}.pem",
            env!("CARGO_TARGET_TMPDIR"),
            process::id()
        );
        fs::write(&file, made.cert.pem()).expect("a file");
        Self { server, ca: file }
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        fs::remove_file(&self.ca).expect("the file is there");
    }
}

/// Runs `serve` for one connection, in a thread of its own. Returns where, and what it returned.
fn serve_one<T: Send + 'static>(
    serve: impl AsyncFnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let (tell, address) = mpsc::channel();
    let server = thread::spawn(move || {
        let serving = async {
            let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0).into()).expect("room");
            tell.send(listener.local_addr().expect("an address"))
                .expect("somebody waits");
            serve(listener.accept().await.expect("a connection")).await
        };
        let clock = MonotonicClock::new();
        let served = tacket_std::run(timeout(&clock, Duration::from_secs(60), serving));
        served
            .expect("a loop")
            .expect("a client that comes and goes")
    });
    (address.recv().expect("an address"), server)
}

/// How a server ends.
#[derive(Clone, Copy)]
enum End {
    Proper,
    /// Without the end of TLS, as somebody in between could forge it.
    Forged,
}

/// A server that gives `answer` to the one request it gets. Returns that.
fn server(identity: &Identity, answer: &str, end: End) -> (SocketAddr, JoinHandle<String>) {
    let (config, answer) = (identity.server.clone(), answer.to_owned());
    serve_one(async move |tcp| {
        let mut tls = TlsStream::server(tcp, &config).expect("a server");
        if matches!(end, End::Forged) {
            tls = tls.https_compatible();
        }
        answer_one(tls, &answer).await
    })
}

async fn answer_one(mut stream: impl Stream, answer: &str) -> String {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        match stream.receive_some(&mut byte).await {
            Ok(1) => request.extend(byte),
            _ => return "no request".to_owned(),
        }
    }
    stream
        .send_all(answer.as_bytes())
        .await
        .expect("it is taken");
    stream.close().await.expect("it closes");
    String::from_utf8(request).expect("text")
}

/// Makes one tunnel to wherever the client wants. Returns where that was.
async fn proxy(client: impl Stream) -> String {
    let (mut there, mut back) = ([0; 1000], [0; 1000]);
    let request = ConnectRequest::receive(client, &mut there).await;
    let request = request.expect("a request");
    let target = request.target().to_owned();
    match TcpStream::connect(target.parse().expect("an address")).await {
        Ok(server) => {
            let tunnel = request.accept().await.expect("it is taken");
            // The client may be gone before the last word of the server.
            let _: Result<(), _> = relay(tunnel, server, &mut there, &mut back).await;
        }
        Err(_) => request.refuse().await.expect("it is taken"),
    }
    target
}

fn https_get(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_https_get"));
    command.args(arguments).output().expect("it starts")
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).expect("text")
}

/// Fetches `answer` from a server that ends so. Returns what was printed if all was well, and what was complained of if not.
fn fetched(tag: &str, answer: &str, end: End) -> Result<String, String> {
    let identity = Identity::new("localhost", tag);
    let (address, server) = server(&identity, answer, end);
    let url = format!("https://localhost:{}/", address.port());
    let output = https_get(&[
        &url,
        "--ca",
        &identity.ca,
        "--connect",
        &address.to_string(),
    ]);
    server.join().expect("it served");
    match output.status.code() {
        Some(0) => Ok(String::from_utf8(output.stdout).expect("text")),
        Some(1) => Err(stderr(&output).to_owned()),
        _ => panic!("{output:?}"),
    }
}

#[test]
fn a_page_is_printed_and_the_facts_are_told() {
    let identity = Identity::new("far.example", "page");
    let (address, server) = server(&identity, HELLO, End::Proper);
    let url = format!("https://far.example:{}/a/b?c#d", address.port());
    let output = https_get(&[
        &url,
        "--ca",
        &identity.ca,
        "--connect",
        &address.to_string(),
    ]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"hello\n");
    for fact in [
        &format!("connected to {address}"),
        "server: TLS 1.3, TLS13_",
        "ALPN http/1.1",
        "certificate for far.example; chain of 1",
    ] {
        assert!(stderr(&output).contains(fact), "{output:?}");
    }
    let request = server.join().expect("it served");
    assert!(request.starts_with("GET /a/b?c HTTP/1.1\r\n"), "{request}");
    let host = format!("\r\nHost: far.example:{}\r\n", address.port());
    assert!(request.contains(&host), "{request}");
}

#[test]
fn a_name_is_looked_up() {
    let identity = Identity::new("localhost", "look-up");
    let (address, server) = server(&identity, HELLO, End::Proper);
    let url = format!("https://localhost:{}", address.port());
    let output = https_get(&[&url, "--ca", &identity.ca]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"hello\n");
    server.join().expect("it served");
}

#[test]
fn a_page_comes_through_a_proxy_of_either_kind() {
    let (far, near) = (
        Identity::new("far.example", "far"),
        Identity::new("localhost", "near"),
    );
    let both = Identity::new("unused", "both");
    let roots = [&far, &near].map(|one| fs::read_to_string(&one.ca).expect("it is there"));
    fs::write(&both.ca, roots.concat()).expect("a file");
    for scheme in ["http", "https"] {
        let (target, server) = server(&far, HELLO, End::Proper);
        let config = near.server.clone();
        let (gate, proxy) = serve_one(async move |tcp| match scheme {
            "http" => proxy(tcp).await,
            _ => proxy(TlsStream::server(tcp, &config).expect("a server")).await,
        });
        let output = https_get(&[
            "https://far.example/",
            "--ca",
            &both.ca,
            "--connect",
            &target.to_string(),
            "--proxy",
            &format!("{scheme}://localhost:{}", gate.port()),
        ]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(output.stdout, b"hello\n");
        assert!(stderr(&output).contains("certificate for far.example"));
        let introduced = stderr(&output).contains("proxy: TLS 1.3");
        assert_eq!(introduced, scheme == "https", "{output:?}");
        let request = server.join().expect("it served");
        assert!(request.contains("\r\nHost: far.example\r\n"), "{request}");
        assert_eq!(proxy.join().expect("it led"), target.to_string());
    }
}

#[test]
fn a_proxy_that_refuses_is_named() {
    let identity = Identity::new("far.example", "refusing");
    let (gate, proxy) = serve_one(async |tcp| proxy(tcp).await);
    let gate = format!("http://{gate}");
    let arguments = [
        "https://far.example/",
        "--ca",
        &identity.ca,
        "--proxy",
        &gate,
    ];
    let output = https_get(&[&arguments[..], &["--connect", "127.0.0.1:1"]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("the proxy refuses with status 502"),
        "{output:?}"
    );
    assert_eq!(proxy.join().expect("it refused"), "127.0.0.1:1");
}

#[test]
fn a_status_that_is_no_success_is_a_failure_and_its_page_is_printed() {
    let identity = Identity::new("localhost", "missing");
    let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nnone\n";
    let (address, server) = server(&identity, answer, End::Proper);
    let url = format!("https://localhost:{}/", address.port());
    let output = https_get(&[&url, "--ca", &identity.ca]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"none\n");
    assert!(stderr(&output).contains("status 404"), "{output:?}");
    server.join().expect("it served");
}

#[test]
fn bodies_of_every_kind_are_printed() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello\n\r\n0\r\n\r\n";
    let untold = "HTTP/1.1 200 OK\r\n\r\nhello\n";
    for answer in [HELLO, chunked, untold] {
        assert_eq!(
            fetched("kinds", answer, End::Proper).as_deref(),
            Ok("hello\n")
        );
    }
    // A body that is whole needs no end of TLS.
    for answer in [HELLO, chunked] {
        assert_eq!(
            fetched("kinds", answer, End::Forged).as_deref(),
            Ok("hello\n")
        );
    }
}

#[test]
fn a_body_that_is_cut_short_is_a_failure() {
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nhello\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello\n\r\n";
    for answer in [long, chunked] {
        let complaint = fetched("cut", answer, End::Proper).expect_err("too short");
        assert!(
            complaint.contains("the peer ended within a message"),
            "{complaint}"
        );
    }
    let untold = "HTTP/1.1 200 OK\r\n\r\nhello\n";
    for answer in [long, chunked, untold] {
        let complaint =
            fetched("cut", answer, End::Forged).expect_err("an end that proves nothing");
        assert!(
            complaint.contains("without the peer's close_notify"),
            "{complaint}"
        );
    }
}

#[test]
fn a_server_that_is_not_trusted_gets_no_request() {
    let (identity, other) = (
        Identity::new("far.example", "mine"),
        Identity::new("far.example", "other"),
    );
    for (name, ca) in [("far.example", &other.ca), ("near.example", &identity.ca)] {
        let (address, server) = server(&identity, HELLO, End::Proper);
        let url = format!("https://{name}/");
        let output = https_get(&[&url, "--ca", ca, "--connect", &address.to_string()]);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        assert!(
            stderr(&output).contains("invalid peer certificate"),
            "{output:?}"
        );
        assert_eq!(server.join().expect("it tried"), "no request");
    }
    // The usual authorities do not know this one either.
    let (address, server) = server(&identity, HELLO, End::Proper);
    let output = https_get(&["https://far.example/", "--connect", &address.to_string()]);
    assert!(stderr(&output).contains("UnknownIssuer"), "{output:?}");
    assert_eq!(server.join().expect("it tried"), "no request");
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_sent() {
    for (arguments, complaint) in [
        (&["http://a/"][..], "only https://"),
        (
            &["https://a/", "--proxy", "socks://b"],
            "https:// or http://",
        ),
        (&["https://a/", "--connect", "b:443"], "--connect"),
    ] {
        let output = https_get(arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stderr(&output).contains(complaint), "{output:?}");
    }
    let output = https_get(&["https://a/", "--ca", "/nowhere/to/be/found"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("/nowhere/to/be/found"),
        "{output:?}"
    );
}
