//! Operations of TLS that are dropped, on transports that make them wait as often as can be.

use core::future::poll_fn;
use core::task::Poll;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{join, select, try_join};
use tacket::testing::{DropPoint, Makers, MemoryPair, Pattern, check_half_closeable_stream};
use tacket::{AsyncResource, Clock as _, HalfCloseable, ReceiveStream, SendStream, Split, Stream};
use tacket_std::MonotonicClock;
use tacket_tests::{Patience, examine};
use tacket_tls::TlsStream;

use super::{Parties, run, shake_hands};

pub(super) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if core::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Awaits what `operation` makes, but drops it at `point` and starts anew, as often as it takes.
async fn stubbornly<T>(point: DropPoint, mut operation: impl AsyncFnMut() -> T) -> T {
    loop {
        if let Some(output) = point.cut(operation()).await {
            return output;
        }
        yield_now().await;
    }
}

/// Ways of dropping all the time that leave operations `polls` polls or more.
fn always(polls: usize) -> impl Iterator<Item = DropPoint> {
    (polls..polls + 3).flat_map(|polls| {
        [
            DropPoint::after_poll(polls),
            DropPoint::when_woken_after_poll(polls),
        ]
    })
}

/// Runs `exchange` on pairs of fresh TLS streams over a byte of memory, and over no memory at all.
macro_rules! on_narrow_transports {
    ($exchange:expr) => {{
        let pair = MemoryPair::new([0; 1], [0; 1]);
        let lockstep = MemoryPair::lockstep([0; 1 << 15], [0; 1 << 15]);
        for parties in Parties::of_each_version() {
            for point in always(1) {
                let (client, server) = parties.pair(pair.open().expect("the last pair is gone"));
                run($exchange(client, server, point));
            }
            // In lockstep, who waits must stay for the next poll, or nobody meets anybody.
            for point in always(2) {
                let (client, server) =
                    parties.pair(lockstep.open().expect("the last pair is gone"));
                run($exchange(client, server, point));
            }
        }
    }};
}

/// Covers SSL-08.
#[test]
fn a_handshake_that_is_dropped_all_the_time_is_completed() {
    on_narrow_transports!(handshake_with_drops);
}

async fn handshake_with_drops(
    mut client: TlsStream<impl Stream>,
    mut server: TlsStream<impl Stream>,
    point: DropPoint,
) {
    let connecting = stubbornly(point, async || client.do_handshake().await);
    let accepting = stubbornly(point, async || server.do_handshake().await);
    let (connected, accepted) = join(connecting, accepting).await;
    connected.expect("shakes hands");
    accepted.expect("shakes hands");
    let mut buf = [0; 8];
    let (received, sent) = join(server.receive_some(&mut buf), client.send_all(b"hello")).await;
    sent.expect("sends");
    assert_eq!(received.expect("receives"), 5);
}

/// Covers SSL-14, SSL-26, SSL-27.
#[test]
fn no_byte_is_lost_or_doubled_when_everything_is_dropped_all_the_time() {
    on_narrow_transports!(exchange_with_drops);
}

/// Full duplex, from the handshake to the close, with every operation dropped at `point`.
async fn exchange_with_drops(
    mut client: TlsStream<impl Stream>,
    mut server: TlsStream<impl Stream>,
    point: DropPoint,
) {
    let (mut client_tx, mut client_rx) = client.split();
    let (mut server_tx, mut server_rx) = server.split();
    let there = join(
        send_with_drops(&mut client_tx, 1, point),
        receive_with_drops(&mut server_rx, 1, point),
    );
    let back = join(
        send_with_drops(&mut server_tx, 2, point),
        receive_with_drops(&mut client_rx, 2, point),
    );
    join(there, back).await;
    drop((client_tx, client_rx, server_tx, server_rx));
    client.close().await.expect("closes");
    server.close().await.expect("closes");
}

const LENGTH: usize = 20_000;

async fn send_with_drops(tx: &mut impl HalfCloseable, seed: u64, point: DropPoint) {
    let mut data = vec![0; LENGTH];
    Pattern::new(seed).fill(&mut data);
    for piece in data.chunks(6000) {
        let mut rest = piece;
        let sent = stubbornly(point, async || tx.send_rest(&mut rest).await).await;
        sent.expect("sends");
    }
    let ended = stubbornly(point, async || tx.send_eof().await).await;
    ended.expect("ends");
}

async fn receive_with_drops(rx: &mut impl ReceiveStream, seed: u64, point: DropPoint) {
    let (mut pattern, mut total, mut buf) = (Pattern::new(seed), 0, [0; 777]);
    loop {
        let received = stubbornly(point, async || rx.receive_some(&mut buf).await).await;
        match received.expect("receives") {
            0 => break,
            count => {
                assert!(pattern.verify(&buf[..count]).is_ok(), "after {total} bytes");
                total += count;
            }
        }
    }
    assert_eq!(total, LENGTH);
}

#[test]
fn a_shutdown_that_is_dropped_all_the_time_is_completed() {
    on_narrow_transports!(shutdown_with_drops);
}

async fn shutdown_with_drops(
    mut client: TlsStream<impl Stream>,
    mut server: TlsStream<impl Stream>,
    point: DropPoint,
) {
    let ending = stubbornly(point, async || client.shutdown().await);
    let answering = stubbornly(point, async || server.shutdown().await);
    let (ended, answered) = join(ending, answering).await;
    ended.expect("ends");
    answered.expect("ends");
    let left = client.unwrap().await.expect("both have ended");
    let right = server.unwrap().await.expect("both have ended");
    // Not a byte of TLS is left on the way.
    assert_eq!((left.trailing.len(), right.trailing.len()), (0, 0));
    let (mut left, mut right, mut buf) = (left.transport, right.transport, [0; 8]);
    let (sent, received) = join(left.send_all(b"!"), right.receive_some(&mut buf)).await;
    sent.expect("sends");
    assert_eq!((received.expect("receives"), buf[0]), (1, b'!'));
    let (sent, received) = join(right.send_all(b"?"), left.receive_some(&mut buf)).await;
    sent.expect("sends");
    assert_eq!((received.expect("receives"), buf[0]), (1, b'?'));
}

/// Covers SSL-19.
#[test]
fn tls_keeps_the_contract_when_the_transport_moves_few_bytes_at_a_time() {
    let parties = Parties::new();
    // Enough for the end of a server that has not sent anything yet: tickets and close_notify, to a peer that does not read.
    let pair = MemoryPair::new([0; 300], [0; 300]);
    let open = || pair.open().expect("the last pair is gone");
    let mut patience = Patience::memory();
    patience.duplex_bytes = 1 << 12;
    let make = async || parties.pair(open());
    let acquainted = async || parties.acquainted(open()).await;
    examine(patience, async |e| {
        check_half_closeable_stream(e, Makers::new(make, acquainted)).await;
    })
    .assert_clean(&[]);
}

/// Covers SSL-04.
#[test]
fn whoever_needs_the_handshake_first_performs_it_in_lockstep() {
    let parties = Parties::new();
    let lockstep = MemoryPair::lockstep([0; 1 << 15], [0; 1 << 15]);
    // Who does what: each end sends, or receives, or only shakes hands.
    for client_sends in [true, false] {
        let (mut client, mut server) =
            parties.pair(lockstep.open().expect("the last pair is gone"));
        run(async {
            let mut buf = [0; 16];
            let (received, sent) = if client_sends {
                join(server.receive_some(&mut buf), async {
                    client.send_all(b"one way").await
                })
                .await
            } else {
                join(client.receive_some(&mut buf), async {
                    server.send_all(b"one way").await
                })
                .await
            };
            sent.expect("sends");
            assert_eq!(received.expect("receives"), 7);
        });
    }
    let (mut client, mut server) = parties.pair(lockstep.open().expect("the last pair is gone"));
    run(shake_hands(&mut client, &mut server));
}

#[test]
fn two_ends_that_only_receive_complete_the_handshake_in_lockstep() {
    let parties = Parties::new();
    let lockstep = MemoryPair::lockstep([0; 1 << 15], [0; 1 << 15]);
    let (mut client, mut server) = parties.pair(lockstep.open().expect("the last pair is gone"));
    run(async {
        let (mut here, mut there) = ([0; 8], [0; 8]);
        {
            let both = pin!(join(
                client.receive_some(&mut here),
                server.receive_some(&mut there)
            ));
            let clock = MonotonicClock::new();
            let pause = pin!(clock.sleep_until(clock.now() + Duration::from_millis(100)));
            select(both, pause).await;
        }
        client.negotiated().expect("the handshake is done");
        server.negotiated().expect("the handshake is done");
    });
}

#[test]
fn two_ends_that_only_send_at_first_are_not_stuck_in_lockstep() {
    let parties = Parties::new();
    let lockstep = MemoryPair::lockstep([0; 1 << 15], [0; 1 << 15]);
    let (mut client, mut server) = parties.pair(lockstep.open().expect("the last pair is gone"));
    run(async {
        let (mut client_tx, mut client_rx) = client.split();
        let (mut server_tx, mut server_rx) = server.split();
        let sending = try_join(
            async { client_tx.send_all(&[1; 50_000]).await.map_err(drop) },
            async { server_tx.send_all(&[2; 50_000]).await.map_err(drop) },
        );
        let receiving = async {
            // By now both sends are clogged.
            let clock = MonotonicClock::new();
            clock
                .sleep_until(clock.now() + Duration::from_millis(100))
                .await;
            join(
                receive_exactly(&mut client_rx, 2),
                receive_exactly(&mut server_rx, 1),
            )
            .await
        };
        let (sent, _) = join(sending, receiving).await;
        sent.expect("sends");
    });
}

async fn receive_exactly(rx: &mut impl ReceiveStream, filler: u8) {
    let (mut left, mut buf) = (50_000, [0; 4096]);
    while left > 0 {
        let count = rx.receive_some(&mut buf).await.expect("receives");
        assert!(count > 0 && buf[..count].iter().all(|&byte| byte == filler));
        left -= count;
    }
}
