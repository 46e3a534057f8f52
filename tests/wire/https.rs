//! Our TLS stream gets pages of a real web server, straight and through proxies.

use core::net::{Ipv4Addr, SocketAddr};

use tacket::{ReceiveStream, SendStream, Split, Stream};
use tacket_std::TcpStream;
use tacket_tests::{Authority, NAME};
use tacket_tls::{TlsStream, TlsVersion};

use crate::data::receive;
use crate::folder::Folder;
use crate::nginx::Nginx;
use crate::peer::{Ours, Peer, connection, field};
use crate::tls::{close, negotiated, trusting};

const BOTH: &str = "TLSv1.2 TLSv1.3";

/// Gets the page over `stream`, and sees the server's end after it.
async fn get<S: Stream>(mut stream: TlsStream<S>) -> Vec<u8> {
    let request = format!("GET /page HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n");
    send(&mut stream, &request).await;
    let head = receive_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let mut page = Vec::new();
    let mut buf = vec![0; 10_000];
    loop {
        match receive(&mut stream, &mut buf).await {
            0 => break,
            count => page.extend_from_slice(buf.split_at(count).0),
        }
    }
    let length = format!("\r\nContent-Length: {}\r\n", page.len());
    assert!(head.contains(&length), "{head}");
    close(stream).await;
    page
}

async fn send<S: SendStream>(stream: &mut S, text: &str) {
    let sent = stream.send_all(text.as_bytes()).await;
    sent.expect("it can be sent");
}

/// Receives the head of an answer, up to the empty line and nothing after it.
async fn receive_head<S: ReceiveStream>(stream: &mut S) -> String {
    let mut head = String::new();
    let mut byte = [0];
    while !head.ends_with("\r\n\r\n") {
        assert_eq!(receive(stream, &mut byte).await, 1, "{head}");
        head.push(byte[0].into());
    }
    head
}

/// Asks a proxy for a connection to `target`.
async fn tunnel<S: Split>(stream: &mut S, target: SocketAddr) {
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    send(stream, &request).await;
    let head = receive_head(stream).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
}

/// Runs `ours`, which must not hang.
fn run(ours: impl AsyncFnOnce() + Send + 'static) {
    Ours::start(move || tacket_std::run(ours()).expect("an event loop")).finish();
}

async fn connect(address: SocketAddr) -> TcpStream {
    let connected = TcpStream::connect(address).await;
    connected.expect("the server is there")
}

#[test]
fn a_page_of_nginx_is_whole_and_ends_with_close_notify() {
    for (protocols, version) in [
        ("TLSv1.2", TlsVersion::Tls12),
        ("TLSv1.3", TlsVersion::Tls13),
    ] {
        let authority = Authority::new();
        let nginx = Nginx::start(&authority, protocols);
        run(async move || {
            let config = authority.client_config().with_alpn(&[b"http/1.1"]);
            let tcp = connect(nginx.address).await;
            let mut stream = TlsStream::client(tcp, &config, NAME).expect("a name");
            stream.do_handshake().await.expect("they trust each other");
            let facts = negotiated(&stream);
            assert_eq!(facts.version(), version);
            assert_eq!(facts.alpn_protocol(), Some(&b"http/1.1"[..]));
            assert!(get(stream).await == nginx.page, "the page has changed");
        });
    }
}

/// A proxy that carries one connection, and the certificates that its users need. Who comes and asks for none does not count: it may be
/// another test, which takes this port for one where nobody listens.
pub(crate) struct Proxy {
    peer: Peer,
    pub(crate) address: SocketAddr,
    folder: Folder,
}

impl Proxy {
    pub(crate) fn start(options: &[&str]) -> Self {
        let folder = Folder::new();
        let certificates = format!("--certs={}", folder.file(""));
        let peer = Peer::start(
            "ssl_proxy.py",
            &[&[certificates.as_str()], options].concat(),
        );
        let address = (Ipv4Addr::LOCALHOST, peer.port()).into();
        Self {
            peer,
            address,
            folder,
        }
    }

    /// The certificate of its authority.
    pub(crate) fn root_pem(&self) -> String {
        String::from_utf8(self.folder.read("ca.pem")).expect("PEM is text")
    }

    /// Waits for its end. The whole page has gone through it.
    pub(crate) fn assert_carried(self, page: usize) {
        let done = self.peer.finish();
        let down = field(connection(&done), "down").as_u64();
        assert!(down > Some(page as u64), "{done}");
    }
}

#[test]
fn a_page_of_nginx_comes_through_a_proxy() {
    let authority = Authority::new();
    let nginx = Nginx::start(&authority, BOTH);
    let proxy = Proxy::start(&["--plain"]);
    let (at, target, length) = (proxy.address, nginx.address, nginx.page.len());
    run(async move || {
        let mut tcp = connect(at).await;
        tunnel(&mut tcp, target).await;
        let stream = TlsStream::client(tcp, &authority.client_config(), NAME).expect("a name");
        assert!(get(stream).await == nginx.page, "the page has changed");
    });
    proxy.assert_carried(length);
}

/// Covers SSL-31.
#[test]
fn a_page_of_nginx_comes_through_a_proxy_that_itself_speaks_tls() {
    let authority = Authority::new();
    let nginx = Nginx::start(&authority, BOTH);
    let proxy = Proxy::start(&[]);
    let (at, target, length) = (proxy.address, nginx.address, nginx.page.len());
    let to_the_proxy = trusting(&proxy.folder, &["ca.pem"]);
    run(async move || {
        let tcp = connect(at).await;
        let mut outer = TlsStream::client(tcp, &to_the_proxy, "127.0.0.1").expect("a name");
        tunnel(&mut outer, target).await;
        let stream = TlsStream::client(outer, &authority.client_config(), NAME).expect("a name");
        assert!(get(stream).await == nginx.page, "the page has changed");
    });
    proxy.assert_carried(length);
}
