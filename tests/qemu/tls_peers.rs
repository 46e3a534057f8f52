//! The firmware's TLS, without a heap, with foreign servers, on every kind of processor.

use core::time::Duration;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use futures_util::future::join;
use tacket::{Clock as _, CloseOnEof, StapledStream};
use tacket_examples::relay;
use tacket_examples::telemetry::{self, Thermostat};
use tacket_hil::{Board, Boot, Guest, Target};
use tacket_std::{Child, MonotonicClock, UnixStream};
use tacket_tests::{Authority, NAME, provision, trusting};
use tacket_tls::pki_types::CertificateDer;
use tacket_tls::pki_types::pem::PemObject as _;

use crate::foreign::{Peer, connection, field};
use crate::images::example;
use crate::peers::{HERE, serve_one};

const CORTEX_M3: (Target, Board) = (Target::THUMBV7M, Board::MPS2_AN385);
const RISC_V: (Target, Board) = (Target::RISCV32IMAC, Board::RISCV32_VIRT);

fn boot((target, board): (Target, Board), name: &str) -> Boot {
    Boot::new(&example(target, name), board)
}

/// Boots `client`, which is content with a thermostat here: TLS is OpenSSL's, and what that has opened is served through its standard
/// input and output.
fn assert_content_with_openssl(client: Boot) {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let [pem, socket] = ["server.pem", "socket"].map(|name| folder.path().join(name));
    fs::write(&pem, authority.server_pem()).unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["s_server", "-quiet", "-naccept", "1", "-tls1_3"]);
    openssl.arg("-cert").arg(&pem).arg("-key").arg(&pem);
    openssl.arg("-unix").arg(&socket);
    openssl.stdin(Stdio::piped()).stdout(Stdio::piped());

    let clock = MonotonicClock::new();
    let client = provision(client, &authority, NAME);
    let (mut guest, served) = serve_one(
        |address| client.argument(format!("server={address}")).start(),
        async |tcp| {
            let mut openssl = Child::spawn(&mut openssl).unwrap();
            let (stdin, stdout) = (openssl.stdin.take(), openssl.stdout.take());
            let opened = StapledStream::new(CloseOnEof::new(stdin.unwrap()), stdout.unwrap());
            let closed = connect(&socket, clock).await;
            let (mut there, mut back) = (vec![0; 65536], vec![0; 65536]);
            let (served, relayed) = join(
                telemetry::serve(opened, &mut Thermostat::new(), &clock),
                relay(tcp, closed, &mut there, &mut back),
            )
            .await;
            relayed.unwrap();
            assert!(openssl.wait().await.unwrap().success());
            served
        },
    );
    let served = served.unwrap();
    let summary = format!("{} requests, {} samples", served.requests, served.samples);
    guest.wait_for(&summary).unwrap();
    guest.finish().unwrap();
}

/// Connects to a socket that somebody is about to listen on.
async fn connect(path: &Path, clock: MonotonicClock) -> UnixStream {
    loop {
        if let Ok(stream) = UnixStream::connect(path).await {
            return stream;
        }
        clock
            .sleep_until(clock.now() + Duration::from_millis(5))
            .await;
    }
}

#[test]
fn a_cortex_m3_talks_with_openssl() {
    assert_content_with_openssl(boot(CORTEX_M3, "telemetry_tls_client"));
}

#[test]
fn a_risc_v_talks_with_openssl() {
    assert_content_with_openssl(boot(RISC_V, "telemetry_tls_client"));
}

#[test]
fn openssl_keeps_to_the_records_that_a_client_with_little_memory_asks_for() {
    assert_content_with_openssl(boot(CORTEX_M3, "telemetry_tls_client_2k"));
}

/// The processor is a Cortex-M3, but the code is that of a Cortex-M0, which cannot swap atomically.
#[test]
fn code_for_a_cortex_m0_talks_with_openssl() {
    let on_the_m3 = (Target::THUMBV6M, Board::MPS2_AN385);
    assert_content_with_openssl(boot(on_the_m3, "telemetry_tls_client"));
}

#[test]
fn a_cortex_m4_talks_with_openssl() {
    let cortex_m4 = (Target::THUMBV7EM, Board::MPS2_AN386);
    assert_content_with_openssl(boot(cortex_m4, "telemetry_tls_client"));
}

/// Has `bytes` echoed by Trio's TLS, which is Python's.
fn assert_echoed_by_python(machine: (Target, Board), options: &[&str], bytes: usize) {
    let folder = tempfile::tempdir().unwrap();
    let certificates = format!("--certs={}", folder.path().display());
    let arguments = [&["server", "--tls=1.3", &certificates], options].concat();
    let peer = Peer::start("ssl_peer.py", &arguments);
    let port = peer.port();
    let root = CertificateDer::from_pem_file(folder.path().join("ca.pem")).unwrap();
    let client = trusting(
        boot(machine, "echo_tls_client"),
        &root,
        "oracle.example.org",
    );
    let mut guest: Guest = client
        .argument(format!("server={HERE}:{port}"))
        .argument(format!("bytes={bytes}"))
        .start()
        .unwrap();
    guest.wait_for(&format!("{bytes} bytes came back")).unwrap();
    guest.finish().unwrap();
    let report = connection(&peer.finish()).clone();
    assert_eq!(field(&report, "end"), "eof", "{report}");
    assert_eq!(field(&report, "bytes"), bytes, "{report}");
}

#[test]
fn a_cortex_m3_gets_its_bytes_back_from_python() {
    assert_echoed_by_python(CORTEX_M3, &[], 1 << 20);
}

#[test]
fn a_risc_v_gets_its_bytes_back_from_python() {
    assert_echoed_by_python(RISC_V, &[], 1 << 20);
}

#[test]
fn records_may_come_to_firmware_byte_by_byte() {
    assert_echoed_by_python(CORTEX_M3, &["--trickle", "--max-receive=7"], 2_000);
}
