//! The firmware's server of TLS, over rustls on a heap, with clients of the desktop and foreign ones.

use core::net::SocketAddr;
use std::fs;
use std::process::{Command, Stdio};

use embedded_io_async::Read as _;
use futures_util::future::{Either, join, join_all, select};
use tacket::{AsyncResource as _, CloseOnEof, ReceiveStream as _, SendStream as _, StapledStream};
use tacket_examples::telemetry::{self, Client, Thermostat};
use tacket_hil::{Board, Boot, Guest, Target};
use tacket_std::{Child, MonotonicClock, TcpStream};
use tacket_tests::{Authority, NAME, certified};
use tacket_tls::{ClientConfig, TlsStream};

use crate::images::heap_image;
use crate::peers::run_here;
use crate::serving::command;

pub(crate) const CORTEX_M3: (Target, Board) = (Target::THUMBV7M, Board::MPS2_AN385);
const RISC_V: (Target, Board) = (Target::RISCV32IMAC, Board::RISCV32_VIRT);

pub(crate) fn boot((target, board): (Target, Board)) -> Boot {
    Boot::new(&heap_image(target, "telemetry_tls_server"), board)
        .forward(8)
        .forward(9)
}

/// A server that `authority` has certified, and its address.
pub(crate) fn serving(boot: Boot, authority: &Authority) -> (Guest, SocketAddr) {
    let mut guest = certified(boot, authority, NAME).start().unwrap();
    guest.wait_for("listening").unwrap();
    let address = guest.address_of(8).unwrap();
    (guest, address)
}

/// Has it end, with this record of what it did. The most of its heap that was in use at the same time.
pub(crate) fn finish(mut guest: Guest, did: &str) -> usize {
    command(&mut guest);
    guest
        .wait_for(did)
        .unwrap_or_else(|error| panic!("{error}"));
    let most = heap(&mut guest);
    guest.finish().unwrap_or_else(|error| panic!("{error}"));
    most
}

/// The most of its heap that was in use at the same time, as it tells at its end.
pub(crate) fn heap(guest: &mut Guest) -> usize {
    let line = guest.wait_for("heap ");
    let line = line.unwrap_or_else(|error| panic!("{error}"));
    let most = line.split(' ').nth(1);
    most.and_then(|most| most.parse().ok())
        .unwrap_or_else(|| panic!("{line}"))
}

pub(crate) async fn connect(address: SocketAddr, config: &ClientConfig) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    TlsStream::client(stream, config, NAME).unwrap()
}

/// Has a client of the desktop be content with the thermostat.
pub(crate) fn assert_content(address: SocketAddr, authority: &Authority) {
    let config = authority.client_config();
    let clock = MonotonicClock::new();
    let summary = run_here(async {
        let stream = connect(address, &config).await;
        telemetry::session(stream, &clock).await
    });
    assert!(summary.unwrap().requests > 0);
}

fn assert_desktops_are_content(machine: (Target, Board)) {
    let authority = Authority::new();
    let (guest, address) = serving(boot(machine), &authority);
    for _client in 0..3 {
        assert_content(address, &authority);
    }
    finish(guest, "3 completed, 0 failed");
}

/// Covers FRM-17.
#[test]
fn a_cortex_m3_serves_the_desktop_over_tls() {
    assert_desktops_are_content(CORTEX_M3);
}

/// Covers FRM-17.
#[test]
fn a_risc_v_serves_the_desktop_over_tls() {
    assert_desktops_are_content(RISC_V);
}

/// A command of a foreign client that trusts the authority, whose file it is given the path of.
fn foreign(program: &str, authority: &Authority) -> (Command, tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root.pem");
    fs::write(&root, authority.root_pem()).unwrap();
    let root = root.to_str().unwrap().to_owned();
    (Command::new(program), folder, root)
}

/// Holds a session of telemetry through OpenSSL's client, by its standard input and output.
fn assert_openssl_is_content(machine: (Target, Board)) {
    let authority = Authority::new();
    let (guest, address) = serving(boot(machine), &authority);
    let (mut openssl, _folder, root) = foreign("openssl", &authority);
    openssl.args(["s_client", "-quiet", "-no_ign_eof", "-tls1_3"]);
    openssl.args(["-verify_return_error", "-CAfile", &root]);
    openssl.args(["-servername", NAME, "-verify_hostname", NAME]);
    openssl.args(["-connect", &address.to_string()]);
    openssl.stdin(Stdio::piped()).stdout(Stdio::piped());
    let clock = MonotonicClock::new();
    let summary = run_here(async {
        let mut openssl = Child::spawn(&mut openssl).unwrap();
        let (stdin, stdout) = (openssl.stdin.take(), openssl.stdout.take());
        let opened = StapledStream::new(CloseOnEof::new(stdin.unwrap()), stdout.unwrap());
        let summary = telemetry::session(opened, &clock).await;
        assert!(openssl.wait().await.unwrap().success());
        summary
    });
    assert!(summary.unwrap().requests > 0);
    finish(guest, "1 completed, 0 failed");
}

/// Covers FRM-17.
#[test]
fn a_cortex_m3_serves_openssl() {
    assert_openssl_is_content(CORTEX_M3);
}

/// Covers FRM-17.
#[test]
fn a_risc_v_serves_openssl() {
    assert_openssl_is_content(RISC_V);
}

fn assert_curl_is_content(machine: (Target, Board)) {
    let authority = Authority::new();
    let image = heap_image(machine.0, "page_tls_server");
    let boot = Boot::new(&image, machine.1).forward(8);
    let (mut guest, address) = serving(boot.argument("clients=1"), &authority);
    let port = address.port();
    let (mut curl, _folder, root) = foreign("curl", &authority);
    curl.args(["--silent", "--show-error", "--fail", "--max-time", "30"]);
    curl.args(["--noproxy", "*", "--tlsv1.3", "--cacert", &root]);
    curl.args(["--resolve", &format!("{NAME}:{port}:127.0.0.1")]);
    curl.args(["--write-out", "%{ssl_verify_result} %{http_code}"]);
    let said = curl
        .arg(format!("https://{NAME}:{port}/"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&said.stdout);
    assert_eq!(text, "all is well\n0 200", "{said:?}");
    guest.wait_for("a client was served").unwrap();
    guest.finish().unwrap();
}

/// Covers FRM-17.
#[test]
fn a_cortex_m3_serves_curl_a_page() {
    assert_curl_is_content(CORTEX_M3);
}

/// Covers FRM-17.
#[test]
fn a_risc_v_serves_curl_a_page() {
    assert_curl_is_content(RISC_V);
}

/// Covers FRM-17.
#[test]
fn two_clients_are_served_at_the_same_time_and_the_third_waits() {
    let authority = Authority::new();
    let (guest, address) = serving(boot(CORTEX_M3), &authority);
    let config = authority.client_config();
    run_here(async {
        let mut served = join_all((0..2).map(async |_| {
            let mut client = Client::new(connect(address, &config).await);
            client.read(Thermostat::TEMPERATURE).await.unwrap();
            client
        }))
        .await;
        let mut third = connect(address, &config).await;
        let mut shaking = Box::pin(third.do_handshake());
        for _question in 0..20 {
            let questions = served.iter_mut().map(async |client| {
                client.read(Thermostat::TEMPERATURE).await.unwrap();
            });
            let asked = select(&mut shaking, join_all(questions)).await;
            assert!(matches!(asked, Either::Right(_)), "the third does not wait");
        }
        served.pop().unwrap().close().await.unwrap();
        shaking.await.unwrap();
        served.push(Client::new(third));
        for client in served {
            client.close().await.unwrap();
        }
    });
    finish(
        guest,
        "3 accepted, 2 at the same time, 3 completed, 0 failed",
    );
}

/// Covers FRM-17.
#[test]
fn two_clients_are_served_two_wait_and_the_next_is_refused() {
    let authority = Authority::new();
    let (guest, address) = serving(boot(CORTEX_M3), &authority);
    let config = authority.client_config();
    run_here(async {
        let mut served = Vec::new();
        for _ in 0..2 {
            let mut client = Client::new(connect(address, &config).await);
            client.read(Thermostat::TEMPERATURE).await.unwrap();
            served.push(client);
        }
        let mut waiting = [
            connect(address, &config).await,
            connect(address, &config).await,
        ];
        let mut refused = connect(address, &config).await;
        let [one, other] = &mut waiting;
        let shaking = join(one.do_handshake(), other.do_handshake());
        match select(Box::pin(refused.do_handshake()), Box::pin(shaking)).await {
            Either::Left((refused, _)) => assert!(refused.is_err()),
            Either::Right(_) => panic!("those who wait were not served"),
        }
        drop(served);
        for client in &mut waiting {
            client.do_handshake().await.unwrap();
        }
        for client in waiting {
            client.close().await.unwrap();
        }
    });
    finish(
        guest,
        "4 accepted, 2 at the same time, 2 completed, 2 failed",
    );
}

/// Covers FRM-17.
#[test]
fn a_silent_client_keeps_others_out_no_longer_than_its_time() {
    let authority = Authority::new();
    let (mut guest, address) = serving(boot(CORTEX_M3).argument("session=3000"), &authority);
    let config = authority.client_config();
    run_here(async {
        let silent = join_all((0..2).map(async |_| {
            let mut stream = connect(address, &config).await;
            stream.do_handshake().await.unwrap();
            stream
        }))
        .await;
        let mut third = Client::new(connect(address, &config).await);
        third.read(Thermostat::TEMPERATURE).await.unwrap();
        third.close().await.unwrap();
        drop(silent);
    });
    guest.wait_for("the session took too long").unwrap();
    finish(guest, "1 completed, 2 failed");
}

/// Covers FRM-17.
#[test]
fn a_client_that_does_not_shake_hands_is_let_go() {
    let authority = Authority::new();
    let (mut guest, address) = serving(boot(CORTEX_M3), &authority);
    run_here(async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        while let Ok(1..) = stream.receive_some(&mut [0; 100]).await {}
    });
    guest
        .wait_for("the handshake was not done in time")
        .unwrap();
    finish(guest, "0 completed, 1 failed");
}

/// Covers FRM-17.
#[test]
fn who_is_not_done_when_the_server_drains_is_cut_off() {
    let authority = Authority::new();
    let (guest, address) = serving(boot(CORTEX_M3).argument("grace=200"), &authority);
    let config = authority.client_config();
    run_here(async {
        let mut client = Client::new(connect(address, &config).await);
        client.read(Thermostat::TEMPERATURE).await.unwrap();
        let mut guest = guest;
        command(&mut guest);
        guest.wait_for("draining, with 1 clients").unwrap();
        while client.read(Thermostat::TEMPERATURE).await.is_ok() {}
        guest.wait_for("1 cut").unwrap();
        guest.finish().unwrap();
    });
}

/// Covers FRM-17.
#[test]
fn a_client_that_refuses_the_certificate_or_speaks_no_tls_fails_alone() {
    let [authority, other] = [Authority::new(), Authority::new()];
    let (mut guest, address) = serving(boot(CORTEX_M3), &authority);
    let distrusting = other.client_config();
    run_here(async {
        let mut stream = connect(address, &distrusting).await;
        stream.do_handshake().await.unwrap_err();
        let _ = stream.close().await;
    });
    let said = guest.wait_for("a client failed").unwrap();
    assert!(said.contains("UnknownCA"), "{said}");
    run_here(async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.send_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut alert = [0; 7];
        stream.read_exact(&mut alert).await.unwrap();
        assert_eq!(alert[..5], [21, 3, 3, 0, 2], "an alert in the clear");
    });
    guest.wait_for("a client failed").unwrap();
    assert_content(address, &authority);
    finish(guest, "1 completed, 2 failed");
}

/// Covers FRM-17.
#[test]
fn without_entropy_nobody_is_served() {
    let image = heap_image(Target::THUMBV7M, "telemetry_tls_server");
    let mut guest = Boot::new(&image, Board::MPS2_AN385).start().unwrap();
    guest.wait_for("this board has no entropy").unwrap();
    assert!(guest.finish().is_err());
}
