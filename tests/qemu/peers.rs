//! The firmware talks with the desktop backend, as client and as server.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use tacket::{Listener as _, LocalAddress as _, timeout};
use tacket_examples::echo;
use tacket_examples::telemetry::{self, Thermostat};
use tacket_hil::{Guest, HilError};
use tacket_std::{MonotonicClock, TcpListener, TcpStream};

use crate::images::boot;

const MIB: u64 = 1 << 20;

/// This machine, as a guest in the emulator's network sees it.
pub(crate) const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

/// How long the side of a conversation that runs here may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs a side of a conversation on this machine.
pub(crate) fn run_here<T>(side: impl Future<Output = T>) -> T {
    let clock = MonotonicClock::new();
    let limited = tacket_std::run(timeout(&clock, LIMIT, side)).unwrap();
    limited.expect("the guest takes too long")
}

/// Has `bytes` echoed by the server at `address`.
pub(crate) fn exchange(address: SocketAddr, bytes: u64) {
    run_here(async {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sending, mut receiving) = (vec![0; 65536], vec![0; 65536]);
        echo::exchange(stream, bytes, 3, &mut sending, &mut receiving, |_| ()).await
    })
    .unwrap();
}

/// Runs `serve` on the next client of a listener on this machine, which `start` is told of.
pub(crate) fn serve_one<T>(
    start: impl FnOnce(SocketAddr) -> Result<Guest, HilError>,
    serve: impl AsyncFnOnce(TcpStream) -> T,
) -> (Guest, T) {
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let port = listener.local_addr().unwrap().port();
    let guest = start(SocketAddr::from((HERE, port))).unwrap();
    let served = run_here(async { serve(listener.accept().await.unwrap()).await });
    (guest, served)
}

/// Covers FRM-09.
#[test]
fn the_echo_server_sends_back_8_mib_each_way() {
    let mut guest = boot("echo_server")
        .argument("clients=1")
        .forward(7)
        .start()
        .unwrap();
    guest.wait_for("listening").unwrap();
    exchange(guest.address_of(7).unwrap(), 8 * MIB);
    guest.wait_for("echoed 8388608 bytes").unwrap();
    guest.finish().unwrap();
}

/// Covers FRM-09.
#[test]
fn the_echo_client_gets_8_mib_back() {
    let (mut guest, echoed) = serve_one(
        |address| {
            boot("echo_client")
                .argument(format!("server={address}"))
                .argument(format!("bytes={}", 8 * MIB))
                .start()
        },
        async |stream| echo::serve(stream, &mut vec![0; 65536]).await,
    );
    assert_eq!(echoed.unwrap(), 8 * MIB);
    guest.wait_for("8388608 bytes came back").unwrap();
    guest.finish().unwrap();
}

/// Covers FRM-09.
#[test]
fn the_telemetry_server_answers_client_after_client() {
    let mut guest = boot("telemetry_server")
        .argument("clients=3")
        .forward(8)
        .start()
        .unwrap();
    guest.wait_for("listening").unwrap();
    let address = guest.address_of(8).unwrap();
    let clock = MonotonicClock::new();
    for _client in 0..3 {
        let session = run_here(async {
            let stream = TcpStream::connect(address).await.unwrap();
            telemetry::session(stream, &clock).await
        });
        let summary = session.unwrap();
        let served = format!(
            "served {} requests, {} samples",
            summary.requests, summary.samples
        );
        guest.wait_for(&served).unwrap();
    }
    guest.finish().unwrap();
}

/// Covers FRM-09.
#[test]
fn the_telemetry_client_is_content_with_the_desktop() {
    let clock = MonotonicClock::new();
    let (mut guest, served) = serve_one(
        |address| {
            boot("telemetry_client")
                .argument(format!("server={address}"))
                .start()
        },
        async |stream| telemetry::serve(stream, &mut Thermostat::new(), &clock).await,
    );
    let served = served.unwrap();
    let summary = format!("{} requests, {} samples", served.requests, served.samples);
    guest.wait_for(&summary).unwrap();
    guest.finish().unwrap();
}
