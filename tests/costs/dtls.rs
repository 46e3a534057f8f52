//! Allocations of a message of DTLS, when both ends have found their pace.

use alloc::rc::Rc;
use core::cell::Cell;
use core::net::{Ipv4Addr, SocketAddr};

use tacket::{AsyncResource as _, LocalAddress as _};
use tacket_std::{MonotonicClock, UdpSocket};
use tacket_tests::{Authority, NAME};
use tacket_tls::{
    DtlsChannel, DtlsClientConfig, DtlsEndpoint, DtlsError, DtlsIdentity, DtlsServerConfig,
    DtlsTrust,
};

const WARM_UP: u32 = 100;
const ROUNDS: u32 = 1_000;
/// The allocations of a message on its way from one end to the other, for a moment: six are of `dimpl`, for its record, and one is the
/// message that waits to be received.
const EACH: f64 = 7.0;

fn endpoint() -> (DtlsEndpoint<UdpSocket>, SocketAddr) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let address = socket.local_addr().expect("its address");
    let endpoint = DtlsEndpoint::new(socket, MonotonicClock::new());
    (endpoint.expect("random bytes"), address)
}

async fn echo(channel: DtlsChannel<UdpSocket>) -> Result<(), DtlsError<tacket_std::IoError>> {
    let mut message = [0; 100];
    while let Some(length) = channel.receive(&mut message).await? {
        channel.send(&message[..length]).await?;
    }
    channel.close().await
}

/// Sends so many messages there and back. Returns how many allocations that made, everything included, and how many of those are left.
fn allocations(rounds: u32, client: &DtlsClientConfig, server: &DtlsServerConfig) -> (u64, i64) {
    let played = Rc::new(Cell::new(0));
    let counter = Rc::clone(&played);
    let counted = allocation_counter::measure(move || {
        let playing = async {
            let (serving, address) = endpoint();
            let (calling, _) = endpoint();
            let task = tacket_std::spawn({
                let (serving, server) = (serving.clone(), server.clone());
                async move { serving.serve(&server, 4, echo).await }
            });
            let channel = calling.connect(address, client, NAME).expect("open");
            let mut answer = [0; 100];
            for _ in 0..rounds {
                channel.send(&[7; 64]).await.expect("sends");
                let received = channel.receive(&mut answer).await;
                assert_eq!(received.expect("receives"), Some(64));
                counter.set(counter.get() + 1);
            }
            channel.close().await.expect("closes");
            calling.close().await.expect("closes");
            serving.close().await.expect("closes");
            task.await.expect("it was closed");
        };
        tacket_std::run(playing).expect("an event loop");
    });
    assert_eq!(played.get(), rounds);
    (counted.count_total, counted.count_current)
}

#[test]
fn a_message_of_dtls_allocates_little_and_leaves_nothing() {
    let authority = Authority::new();
    let (certificate, key) = authority.certify(&[NAME], |_| {});
    let identity = DtlsIdentity::new(&certificate, &key).expect("they belong together");
    let server = DtlsServerConfig::new(identity);
    let trust = DtlsTrust::in_roots([authority.root()]).expect("a root");
    let client = DtlsClientConfig::new(trust).expect("random bytes");
    // The first makes what is made once.
    let _first = allocations(WARM_UP, &client, &server);
    let (short, left_by_short) = allocations(WARM_UP, &client, &server);
    let (long, left_by_long) = allocations(WARM_UP + ROUNDS, &client, &server);
    let messages = u64::from(2 * ROUNDS);
    let each = (long.saturating_sub(short)) as f64 / messages as f64;
    assert!(each <= EACH + 0.01, "{each} allocations a message");
    assert_eq!(left_by_long, left_by_short);
}
