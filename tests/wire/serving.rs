//! `serve_tls_over_tcp`, and what can be configured, against curl and the command `openssl`.

use core::net::{Ipv4Addr, SocketAddr};
use core::pin::pin;
use core::time::Duration;
use std::sync::mpsc::{self, Receiver};

use futures_channel::oneshot;
use futures_util::future::select;
use tacket::{
    AsyncResource as _, LocalAddress as _, ReceiveStream as _, SendStream as _, ServeEvent,
};
use tacket_std::{IoError, Net, TcpStream};
use tacket_tests::{Authority, NAME};
use tacket_tls::{
    ClientConfig, Identity, Negotiated, ServerConfig, ServerConfigBuilder, TlsError, TlsStream,
    TlsVersion, Trust, serve_tls_over_tcp,
};

use crate::data::{SERVERS, pattern, receive_exactly};
use crate::folder::Folder;
use crate::openssl::openssl;
use crate::peer::{LIMIT, Ours};
use crate::process::Process;
use crate::tls::{VERSIONS, negotiated, part};

/// How much a page has.
const PAGE: usize = 300_000;

/// The facts of a session, for a line of a peer's output.
fn facts(session: &Negotiated) -> String {
    let alpn = session.alpn_protocol().map(String::from_utf8_lossy);
    format!(
        "x-session: {}, {} certificates, resumed: {}, {}",
        session.version(),
        session.peer_certificates().len(),
        session.is_resumed(),
        alpn.unwrap_or_else(|| "no ALPN".into())
    )
}

/// Answers one request of HTTP with a page, whatever it asks for, and the facts of the session in the head.
async fn answer(mut stream: TlsStream<TcpStream>) -> Result<(), TlsError<IoError>> {
    let (mut request, mut buf) = (Vec::new(), [0; 1000]);
    while !request.ends_with(b"\r\n\r\n") {
        match stream.receive_some(&mut buf).await? {
            0 => return stream.close().await,
            count => request.extend(buf.iter().take(count)),
        }
    }
    let facts = facts(&negotiated(&stream));
    let head = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {PAGE}\r\n{facts}\r\n\r\n"
    );
    stream.send_all(head.as_bytes()).await?;
    stream.send_all(&pattern(SERVERS, PAGE)).await?;
    stream.close().await
}

/// Our server at work, until it is stopped.
struct Service {
    ours: Ours,
    port: u16,
    stop: oneshot::Sender<()>,
    failed: Receiver<String>,
}

impl Service {
    fn start(config: ServerConfig) -> Self {
        let (tell, told) = mpsc::channel();
        let (complain, failed) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let ours = Ours::start(move || {
            let report = |event| {
                if let ServeEvent::Failed(error) = event {
                    let _ = complain.send(format!("{error}"));
                }
            };
            let ready = |listeners: &tacket::Listeners<_, 2>| {
                let first: Option<&tacket_tls::TlsListener<tacket_std::TcpListener>> =
                    listeners.each().next();
                let address = first.map(|listener| listener.local_addr());
                let address = address.expect("one at least").expect("its address");
                tell.send(address.port()).expect("somebody listens");
            };
            let (net, limit) = (Net::new(), Duration::from_secs(20));
            let serving =
                serve_tls_over_tcp::<4, _, _>(&net, 0, &config, limit, answer, report, ready);
            let serving = async {
                select(pin!(serving), stopped).await;
            };
            tacket_std::run(serving).expect("an event loop");
        });
        let port = told.recv().expect("it listens");
        Self {
            ours,
            port,
            stop,
            failed,
        }
    }

    /// Waits until something went wrong with a client, and returns what.
    fn hear(&self) -> String {
        self.failed.recv_timeout(LIMIT).expect("a report")
    }

    /// Stops it, and returns what else went wrong with clients.
    fn stop(self) -> Vec<String> {
        self.stop.send(()).expect("it serves");
        self.ours.finish();
        self.failed.iter().collect()
    }
}

fn identity(authority: &Authority) -> Identity {
    let pem = authority.server_pem();
    Identity::from_pem(&pem, &pem).expect("a certificate and its key")
}

fn server(authority: &Authority) -> ServerConfigBuilder {
    ServerConfig::builder().with_identity(identity(authority))
}

fn in_authority(authority: &Authority) -> Trust {
    Trust::in_pem(authority.root_pem()).expect("a root")
}

/// Starts curl, which trusts `authority`, to get the page of `host`.
fn curl(authority: &Authority, host: &str, port: u16, options: &[&str]) -> Process {
    let folder = Folder::new();
    let root = folder.write("root.pem", authority.root_pem());
    let head = folder.file("head");
    let there = format!("{host}:{port}:127.0.0.1");
    let page = format!("https://{host}:{port}/page");
    let quiet = [
        "--silent",
        "--show-error",
        "--max-time",
        "50",
        "--noproxy",
        "*",
    ];
    let checking = [
        "--cacert",
        &root,
        "--resolve",
        &there,
        "--dump-header",
        &head,
    ];
    let arguments = [&quiet[..], &checking, options, &[&page]].concat();
    Process::start("curl", &arguments, folder)
}

/// Checks that curl has got the whole page, in a session of which our side knows these facts.
#[track_caller]
fn assert_fetched(mut curl: Process, facts: &str) {
    let status = curl.wait();
    assert!(status.success(), "{curl}: {status}: {}", curl.errors());
    assert!(
        curl.output_bytes() == pattern(SERVERS, PAGE),
        "another page"
    );
    let head = curl.read("head");
    assert!(head.contains(&format!("x-session: {facts}\r\n")), "{head}");
}

/// The options that allow this version alone, and how our side writes it.
fn only(version: TlsVersion) -> ([&'static str; 3], &'static str) {
    match version {
        TlsVersion::Tls12 => (["--tlsv1.2", "--tls-max", "1.2"], "TLS 1.2"),
        _ => (["--tlsv1.3", "--tls-max", "1.3"], "TLS 1.3"),
    }
}

/// What curl returns when it does not trust a server.
const NOT_TRUSTED: i32 = 60;

#[test]
fn curl_fetches_a_page() {
    let authority = Authority::new();
    let config = server(&authority).build().expect("a server");
    let service = Service::start(config.with_alpn(&[b"http/1.1"]));
    for version in VERSIONS {
        let (options, name) = only(version);
        let curl = |more: &[&str]| {
            let options = [&options[..], more].concat();
            curl(&authority, NAME, service.port, &options)
        };
        let facts = |alpn| format!("{name}, 0 certificates, resumed: false, {alpn}");
        assert_fetched(curl(&[]), &facts("http/1.1"));
        assert_fetched(curl(&["--no-alpn"]), &facts("no ALPN"));
    }
    assert_eq!(service.stop(), [""; 0]);
}

#[test]
fn many_curls_at_once_are_served_beside_one_that_says_nothing() {
    let authority = Authority::new();
    let service = Service::start(server(&authority).build().expect("a server"));
    let silent = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, service.port));
    let curls = [(); 10].map(|()| curl(&authority, NAME, service.port, &[]));
    for curl in curls {
        assert_fetched(curl, "TLS 1.3, 0 certificates, resumed: false, no ALPN");
    }
    drop(silent.expect("it listens"));
    service.stop();
}

#[test]
fn a_curl_that_does_not_trust_us_gets_nothing_and_ends_nothing() {
    let authority = Authority::new();
    let service = Service::start(server(&authority).build().expect("a server"));
    let stranger = curl(&Authority::new(), NAME, service.port, &[]);
    let elsewhere = curl(&authority, "other.example", service.port, &[]);
    for mut refusing in [stranger, elsewhere] {
        assert_eq!(refusing.wait().code(), Some(NOT_TRUSTED), "{refusing}");
        assert_eq!(refusing.output(), "");
    }
    let fetched = "TLS 1.3, 0 certificates, resumed: false, no ALPN";
    assert_fetched(curl(&authority, NAME, service.port, &[]), fetched);
    // What it hears of the other one depends on when that one leaves.
    while !service.hear().contains("UnknownCA") {}
    service.stop();
}

#[test]
fn a_server_that_demands_certificates_serves_the_curl_that_has_one() {
    let (authority, members) = (Authority::new(), Authority::new());
    let folder = Folder::new();
    let member = folder.write("member.pem", members.server_pem());
    let stranger = folder.write("stranger.pem", authority.server_pem());
    let config = server(&authority)
        .with_clients(in_authority(&members))
        .build();
    let service = Service::start(config.expect("a server"));
    for version in VERSIONS {
        let (options, name) = only(version);
        let curl = |more: &[&str]| {
            let options = [&options[..], more].concat();
            curl(&authority, NAME, service.port, &options)
        };
        let fetched = format!("{name}, 1 certificates, resumed: false, no ALPN");
        assert_fetched(curl(&["--cert", &member]), &fetched);
        for mut refused in [curl(&[]), curl(&["--cert", &stranger])] {
            assert!(!refused.wait().success(), "{refused}: it is served");
            assert_eq!(refused.output(), "");
            let why = service.hear();
            assert!(why.starts_with("the handshake failed: TLS: "), "{why}");
        }
    }
    assert_eq!(service.stop(), [""; 0]);
}

/// Has `s_client` ask for a page, and returns what it has said about the session and what it got.
fn ask(version: TlsVersion, authority: &Authority, port: u16, options: &[&str]) -> String {
    let folder = Folder::new();
    let root = folder.write("root.pem", authority.root_pem());
    let address = format!("127.0.0.1:{port}");
    let arguments = ["s_client", "-connect", &address, "-servername", NAME];
    let checking = ["-verify_return_error", "-CAfile", &root];
    let arguments = [&arguments[..], &checking, &["-crlf"], options].concat();
    let mut peer = openssl(version, &arguments, folder);
    peer.say("get /\n\n");
    peer.wait();
    peer.output()
}

#[test]
fn s_client_resumes_a_session_that_it_kept() {
    let authority = Authority::new();
    for version in VERSIONS {
        let config = server(&authority).build().expect("a server");
        let service = Service::start(config.clone());
        let folder = Folder::new();
        let kept = folder.file("session");
        let name = only(version).1;
        let first = ask(version, &authority, service.port, &["-sess_out", &kept]);
        let facts = |resumed| format!("{name}, 0 certificates, resumed: {resumed}, no ALPN");
        assert!(
            first.contains(&facts(false)) && first.contains("\nNew, TLSv1."),
            "{first}"
        );
        let again = ask(version, &authority, service.port, &["-sess_in", &kept]);
        assert!(
            again.contains(&facts(true)) && again.contains("\nReused, TLSv1."),
            "{again}"
        );
        assert_eq!(service.stop(), [""; 0]);

        let service = Service::start(config.without_resumption());
        let first = ask(version, &authority, service.port, &["-sess_out", &kept]);
        assert!(first.contains(&facts(false)), "{first}");
        let again = ask(version, &authority, service.port, &["-sess_in", &kept]);
        assert!(
            again.contains(&facts(false)) && again.contains("\nNew, TLSv1."),
            "{again}"
        );
        service.stop();
    }
}

#[test]
fn s_client_proves_who_it_is_and_agrees_on_a_protocol() {
    let (authority, members) = (Authority::new(), Authority::new());
    let folder = Folder::new();
    let member = folder.write("member.pem", members.server_pem());
    let config = server(&authority)
        .with_optional_clients(in_authority(&members))
        .build();
    let service = Service::start(config.expect("a server").with_alpn(&[b"h3", b"h2"]));
    for version in VERSIONS {
        let name = only(version).1;
        let proving = ["-cert", &member, "-key", &member, "-alpn", "http/1.1,h2"];
        for (options, facts) in [
            (&proving[..], "1 certificates, resumed: false, h2"),
            (&[], "0 certificates, resumed: false, no ALPN"),
        ] {
            let said = ask(version, &authority, service.port, options);
            assert!(said.contains(&format!("{name}, {facts}")), "{said}");
        }
    }
    assert_eq!(service.stop(), [""; 0]);
}

/// Has our client meet `s_server` twice, and returns what it knows of the two sessions.
fn meet_twice(
    version: TlsVersion,
    config: ClientConfig,
    trusted: &Authority,
    options: &[&str],
) -> [Negotiated; 2] {
    let folder = Folder::new();
    let proof = folder.write("server.pem", trusted.server_pem());
    let arguments = [
        "s_server",
        "-accept",
        "127.0.0.1:0",
        "-naccept",
        "2",
        "-rev",
    ];
    let proving = ["-cert", &proof, "-key", &proof];
    let arguments = [&arguments[..], &proving, options].concat();
    let mut peer = openssl(version, &arguments, folder);
    let port: u16 = peer.wait_for("port", |peer| {
        let output = peer.output();
        let (_, port) = output.split_once("ACCEPT 127.0.0.1:")?;
        port.split_once('\n')?.0.parse().ok()
    });
    let (tell, told) = mpsc::channel();
    let ours = Ours::start(move || {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let meeting = async {
            for _ in 0..2 {
                let tcp = TcpStream::connect(address).await.expect("it is there");
                let mut stream = TlsStream::client(tcp, &config, NAME).expect("a name");
                stream.send_all(b"tacket\n").await.expect("it can be sent");
                receive_exactly(&mut stream, b"tekcat\n").await;
                tell.send(negotiated(&stream)).expect("somebody listens");
                part(stream).await;
            }
        };
        tacket_std::run(meeting).expect("an event loop");
    });
    ours.finish();
    assert!(peer.wait().success(), "{peer}: {}", peer.errors());
    [(); 2].map(|()| told.recv().expect("it has told"))
}

#[test]
fn our_client_resumes_a_session_of_s_server_and_proves_who_it_is_and_agrees_on_a_protocol() {
    let (authority, members) = (Authority::new(), Authority::new());
    let folder = Folder::new();
    let root = folder.write("members.pem", members.root_pem());
    let config = ClientConfig::builder()
        .with_trust(in_authority(&authority))
        .with_identity(identity(&members))
        .build();
    let config = config.expect("a client").with_alpn(&[b"h2", b"http/1.1"]);
    let demanding = [
        "-Verify",
        "2",
        "-verify_return_error",
        "-CAfile",
        &root,
        "-alpn",
        "http/1.1",
    ];
    for version in VERSIONS {
        let sessions = meet_twice(version, config.clone(), &authority, &demanding);
        let resumed = sessions.each_ref().map(Negotiated::is_resumed);
        assert_eq!(resumed, [false, true]);
        for session in &sessions {
            assert_eq!(session.version(), version);
            assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        }
        let forgetful = config.clone().without_resumption();
        let sessions = meet_twice(version, forgetful, &authority, &demanding);
        assert!(!sessions.iter().any(Negotiated::is_resumed));
    }
}
