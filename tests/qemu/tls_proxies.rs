//! The firmware's TLS in TLS: through a proxy that it talks with by TLS.

use core::net::{Ipv4Addr, SocketAddr};
use core::pin::pin;
use std::fs;

use futures_util::future::{join, select};
use tacket::{Listener as _, LocalAddress as _};
use tacket_examples::http::ConnectRequest;
use tacket_examples::relay;
use tacket_examples::telemetry::{self, Served, Thermostat};
use tacket_hil::{Boot, Guest};
use tacket_std::{MonotonicClock, TcpListener, TcpStream};
use tacket_tests::{Authority, NAME, provision, trusting};
use tacket_tls::pki_types::pem::PemObject as _;
use tacket_tls::pki_types::{CertificateDer, PrivateKeyDer};
use tacket_tls::{ServerConfig, TlsStream};

use crate::foreign::Peer;
use crate::images::boot;
use crate::peers::{HERE, run_here, serve_one};
use crate::tls::records_of;

const PROXY: &str = "proxy.example";

/// The records that the client asks for.
const RECORDS: usize = 1024;

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Serves the client that comes by the proxy.
async fn serve(listener: &mut TcpListener, server: &ServerConfig) -> Option<Served> {
    let stream = TlsStream::server(listener.accept().await.unwrap(), server).unwrap();
    let clock = MonotonicClock::new();
    telemetry::serve(stream, &mut Thermostat::new(), &clock)
        .await
        .ok()
}

/// Makes one tunnel.
async fn tunnel(client: TcpStream, proxy: &ServerConfig) -> Option<()> {
    let client = TlsStream::server(client, proxy).unwrap();
    let (mut there, mut back) = (vec![0; 65536], vec![0; 65536]);
    let request = ConnectRequest::receive(client, &mut there).await.ok()?;
    let target: SocketAddr = request.target().parse().unwrap();
    let target = TcpStream::connect(target).await.unwrap();
    let tunnel = request.accept().await.ok()?;
    relay(tunnel, target, &mut there, &mut back).await.ok()
}

fn client(authority: &Authority, target: SocketAddr) -> Boot {
    provision(boot("telemetry_tls_proxied"), authority, NAME)
        .argument(format!("proxy_name={PROXY}"))
        .argument(format!("target={target}"))
}

fn assert_content(mut guest: Guest, served: Option<Served>) {
    let served = served.unwrap();
    let summary = format!("{} requests, {} samples", served.requests, served.samples);
    guest.wait_for(&summary).unwrap();
    guest.finish().unwrap();
}

/// Covers FRM-14.
#[test]
fn firmware_talks_by_tls_in_tls_through_a_proxy() {
    let authority = Authority::new();
    let proxy = records_of(RECORDS, &authority, PROXY);
    let server = records_of(RECORDS, &authority, NAME);
    let (mut listener, target) = listen();
    let (guest, (served, tunnelled)) = serve_one(
        |address| {
            client(&authority, target)
                .argument(format!("proxy={address}"))
                .start()
        },
        async |stream| join(serve(&mut listener, &server), tunnel(stream, &proxy)).await,
    );
    assert_content(guest, served);
    tunnelled.unwrap();
}

/// Covers FRM-14.
#[test]
fn firmware_trusts_neither_a_proxy_nor_a_server_for_the_other() {
    let authority = Authority::new();
    for (proxy, server, said) in [
        (NAME, NAME, "the proxy failed"),
        (PROXY, PROXY, "the server failed"),
    ] {
        let proxy = records_of(RECORDS, &authority, proxy);
        let server = records_of(RECORDS, &authority, server);
        let (mut listener, target) = listen();
        let (mut guest, ()) = serve_one(
            |address| {
                client(&authority, target)
                    .argument(format!("proxy={address}"))
                    .start()
            },
            async |stream| {
                let serving = serve(&mut listener, &server);
                let tunnelling = tunnel(stream, &proxy);
                // The one ends the other: nobody comes to the server where there is no tunnel.
                select(pin!(serving), pin!(tunnelling)).await;
            },
        );
        let line = guest.wait_for(said).unwrap();
        assert!(line.contains("name"), "{line}");
        assert!(guest.finish().is_err());
    }
}

/// Covers FRM-14.
#[test]
fn firmware_goes_through_a_proxy_of_python_by_tls_in_tls() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = format!("--certs={}", folder.path().display());
    let proxy = Peer::start("ssl_proxy.py", &[&certificates]);
    let proxy_port = proxy.port();
    let file = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let pem = file("server.pem");
    let root = CertificateDer::from_pem_slice(&file("ca.pem")).unwrap();
    let chain = CertificateDer::pem_slice_iter(&pem)
        .map(Result::unwrap)
        .collect();
    let key = PrivateKeyDer::from_pem_slice(&pem).unwrap();
    let server = ServerConfig::with_certificate(chain, key).unwrap();

    let (mut listener, target) = listen();
    let guest = trusting(boot("telemetry_tls_proxied"), &root, "oracle.example.org")
        .argument("proxy_name=oracle.example.org")
        .argument(format!("proxy={HERE}:{proxy_port}"))
        .argument(format!("target={target}"))
        .start()
        .unwrap();
    let served = run_here(serve(&mut listener, &server));
    assert_content(guest, served);
    proxy.finish();
}
