//! The firmware's TLS, without a heap and with one, with foreign servers, on every kind of processor.

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
use crate::images::{example, heap_image};
use crate::peers::{HERE, serve_one};

const CORTEX_M3: (Target, Board) = (Target::THUMBV7M, Board::MPS2_AN385);
const RISC_V: (Target, Board) = (Target::RISCV32IMAC, Board::RISCV32_VIRT);

fn boot((target, board): (Target, Board), name: &str) -> Boot {
    Boot::new(&example(target, name), board)
}

/// The same client over rustls, on a heap.
fn on_a_heap((target, board): (Target, Board), name: &str) -> Boot {
    Boot::new(&heap_image(target, name), board)
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

/// Covers FRM-11.
#[test]
fn a_cortex_m3_talks_with_openssl() {
    assert_content_with_openssl(boot(CORTEX_M3, "telemetry_tls_client"));
}

/// Covers FRM-11.
#[test]
fn a_risc_v_talks_with_openssl() {
    assert_content_with_openssl(boot(RISC_V, "telemetry_tls_client"));
}

/// Covers FRM-11. The processor is a Cortex-M3, but the code is that of a Cortex-M0, which cannot swap atomically.
#[test]
fn code_for_a_cortex_m0_talks_with_openssl() {
    let on_the_m3 = (Target::THUMBV6M, Board::MPS2_AN385);
    assert_content_with_openssl(boot(on_the_m3, "telemetry_tls_client"));
}

/// Covers FRM-11.
#[test]
fn a_cortex_m4_talks_with_openssl() {
    let cortex_m4 = (Target::THUMBV7EM, Board::MPS2_AN386);
    assert_content_with_openssl(boot(cortex_m4, "telemetry_tls_client"));
}

/// Has `bytes` sent back to `client` by Trio's TLS, which is Python's, and so OpenSSL's.
fn assert_echoed_by_python(client: Boot, options: &[&str], bytes: usize) {
    let folder = tempfile::tempdir().unwrap();
    let certificates = format!("--certs={}", folder.path().display());
    let arguments = [&["server", "--tls=1.3", &certificates], options].concat();
    let peer = Peer::start("ssl_peer.py", &arguments);
    let port = peer.port();
    let root = CertificateDer::from_pem_file(folder.path().join("ca.pem")).unwrap();
    let client = trusting(client, &root, "oracle.example.org");
    let mut guest: Guest = client
        .argument(format!("server={HERE}:{port}"))
        .argument(format!("bytes={bytes}"))
        .start()
        .unwrap();
    guest.wait_for(&format!("{bytes} bytes came back")).unwrap();
    guest.finish().unwrap();
    let report = connection(&peer.finish()).clone();
    assert_eq!(field(&report, "end"), "eof", "{report}");
}

/// Covers FRM-11.
#[test]
fn a_cortex_m3_gets_its_bytes_back_from_python() {
    assert_echoed_by_python(boot(CORTEX_M3, "echo_tls_client"), &[], 1 << 20);
}

/// Covers FRM-11.
#[test]
fn a_risc_v_gets_its_bytes_back_from_python() {
    assert_echoed_by_python(boot(RISC_V, "echo_tls_client"), &[], 1 << 20);
}

/// Covers FRM-11.
#[test]
fn records_may_be_as_long_as_the_rules_allow_or_as_long_as_was_agreed() {
    // Without an agreement, all of it comes in records of 16 KiB.
    let options = ["--mode=echo-after-bytes", "--bytes=100000"];
    for client in ["echo_tls_client", "echo_tls_client_2k"] {
        let client = boot(CORTEX_M3, client);
        assert_echoed_by_python(client, &options, 100_000);
    }
}

/// Covers FRM-11.
#[test]
fn records_may_come_to_firmware_byte_by_byte() {
    let options = ["--trickle", "--max-receive=7"];
    assert_echoed_by_python(boot(CORTEX_M3, "echo_tls_client"), &options, 2_000);
}

/// Covers FRM-18.
#[test]
fn a_cortex_m3_with_a_heap_talks_with_openssl() {
    assert_content_with_openssl(on_a_heap(CORTEX_M3, "telemetry_tls_client_heap"));
}

/// Covers FRM-18.
#[test]
fn a_risc_v_with_a_heap_talks_with_openssl() {
    assert_content_with_openssl(on_a_heap(RISC_V, "telemetry_tls_client_heap"));
}

/// Covers FRM-18.
#[test]
fn a_cortex_m3_with_a_heap_gets_its_bytes_back_from_python() {
    let client = on_a_heap(CORTEX_M3, "echo_tls_client_heap");
    assert_echoed_by_python(client, &[], 1 << 18);
}

/// Covers FRM-18.
#[test]
fn a_risc_v_with_a_heap_gets_its_bytes_back_from_python() {
    let client = on_a_heap(RISC_V, "echo_tls_client_heap");
    assert_echoed_by_python(client, &[], 1 << 18);
}

/// Covers FRM-18.
#[test]
fn records_may_be_as_long_as_the_rules_allow_on_a_heap() {
    let options = ["--mode=echo-after-bytes", "--bytes=100000"];
    let client = on_a_heap(CORTEX_M3, "echo_tls_client_heap");
    assert_echoed_by_python(client, &options, 100_000);
}
