//! Peers that say nothing, or stop in the middle of the handshake: a time limit ends the wait, and nothing else.

use core::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join;
use tacket::testing::{MemoryError, MemoryStream, VirtualClock};
use tacket::{AsyncResource, Clock as _, ReceiveStream, SendStream, Split, TimedOut, timeout};
use tacket_tls::rustls::version::{TLS12, TLS13};
use tacket_tls::{TlsError, TlsStream};

use super::{Parties, memory};

use Subject::{Client, Server};

type Memory<'p> = MemoryStream<'p, Vec<u8>>;
type Tls<'p> = TlsStream<Memory<'p>>;

const LIMIT: Duration = Duration::from_secs(10);

/// Who waits for its peer.
#[derive(Clone, Copy, Debug)]
enum Subject {
    Client,
    Server,
}

/// The wire between both, which lets only some bytes through.
struct Wire<'p> {
    near: Memory<'p>,
    far: Memory<'p>,
}

impl Wire<'_> {
    /// Passes on what was said to the far end, and at most so many bytes of the answer to the near one. Returns how many those were.
    fn pass(&mut self, most: usize) -> usize {
        let ((near_tx, near_rx), (far_tx, far_rx)) = (self.near.split(), self.far.split());
        let mut buf = [0; 10_000];
        if let Ok(count @ 1..) = near_rx.try_receive(&mut buf) {
            assert_eq!(far_tx.try_write(&buf[..count]), Ok(count), "there is room");
        }
        if most == 0 {
            return 0;
        }
        match far_rx.try_receive(&mut buf[..most]) {
            Ok(count @ 1..) => {
                assert_eq!(near_tx.try_write(&buf[..count]), Ok(count), "there is room");
                count
            }
            _ => 0,
        }
    }
}

/// Runs `test` with the subject, its peer, the wire between them, and a clock whose time only goes on when all wait.
fn with_wire(test: impl for<'p> AsyncFn(Subject, Tls<'p>, Tls<'p>, Wire<'p>, &VirtualClock)) {
    for version in [&TLS12, &TLS13] {
        for subject in [Client, Server] {
            let (parties, near_memory, far_memory) =
                (Parties::speaking(version), memory(), memory());
            let (left, near) = near_memory.open().expect("a new pair");
            let (right, far) = far_memory.open().expect("a new pair");
            let (tls, peer) = match subject {
                Client => parties.pair((left, right)),
                Server => {
                    let (peer, tls) = parties.pair((right, left));
                    (tls, peer)
                }
            };
            let clock = VirtualClock::new();
            clock.run(test(subject, tls, peer, Wire { near, far }, &clock));
        }
    }
}

/// Waits in vain, for exactly as long as it was told.
async fn wait_in_vain(tls: &mut Tls<'_>, clock: &VirtualClock) {
    let before = clock.now();
    let waited = timeout(clock, LIMIT, tls.do_handshake()).await;
    assert_eq!(waited, Err(TimedOut));
    assert_eq!(clock.now() - before, LIMIT);
    tls.negotiated().expect_err("it is not done");
}

/// Completes the handshake, and sends something in both directions.
async fn go_on(tls: &mut Tls<'_>, peer: &mut Tls<'_>, wire: &mut Wire<'_>) {
    let (mut shaken, mut accepted) = (None, None);
    for _ in 0..20 {
        shaken = shaken.or_else(|| tls.do_handshake().now_or_never());
        wire.pass(10_000);
        accepted = accepted.or_else(|| peer.do_handshake().now_or_never());
        wire.pass(10_000);
    }
    assert_eq!((shaken, accepted), (Some(Ok(())), Some(Ok(()))));
    let mut buf = [0; 16];
    tls.send_all(b"after all").await.expect("sends");
    wire.pass(10_000);
    assert_eq!(peer.receive_some(&mut buf).await, Ok(9));
    peer.send_all(b"here I am").await.expect("sends");
    wire.pass(10_000);
    assert_eq!(tls.receive_some(&mut buf).await, Ok(9));
}

#[test]
fn a_limit_ends_a_handshake_with_a_silent_peer_and_it_goes_on_when_that_speaks() {
    with_wire(async |_, mut tls, mut peer, mut wire, clock| {
        wait_in_vain(&mut tls, clock).await;
        wait_in_vain(&mut tls, clock).await;
        go_on(&mut tls, &mut peer, &mut wire).await;
    });
}

#[test]
fn a_limit_ends_a_handshake_with_a_peer_that_stops_in_its_first_flight_and_it_goes_on_later() {
    for part in [1, 5, 6, 50, 150] {
        with_wire(async |subject, mut tls, mut peer, mut wire, clock| {
            if let Client = subject {
                wait_in_vain(&mut tls, clock).await;
                wire.pass(0);
            }
            let greeted = peer.do_handshake().now_or_never();
            assert_eq!(greeted, None, "it needs an answer");
            assert_eq!(wire.pass(part), part, "so much is there");
            wait_in_vain(&mut tls, clock).await;
            go_on(&mut tls, &mut peer, &mut wire).await;
        });
    }
}

#[test]
fn a_limit_ends_a_handshake_with_a_peer_that_stops_behind_its_first_flight() {
    with_wire(async |subject, mut tls, mut peer, mut wire, clock| {
        if let Client = subject {
            wait_in_vain(&mut tls, clock).await;
            wire.pass(0);
        }
        assert_eq!(peer.do_handshake().now_or_never(), None);
        assert!(wire.pass(10_000) > 100, "a whole flight");
        let before = clock.now();
        match timeout(clock, LIMIT, tls.do_handshake()).await {
            // A client of TLS 1.3 needs no more.
            Ok(shaken) => {
                shaken.expect("shakes hands");
                let version = tls.negotiated().expect("it is done").version();
                assert!(matches!(subject, Client), "{subject:?}, {version}");
            }
            Err(TimedOut) => assert_eq!(clock.now() - before, LIMIT),
        }
        go_on(&mut tls, &mut peer, &mut wire).await;
    });
}

/// What the peer finds when the subject is gone.
async fn assert_told(peer: &mut Memory<'_>, clock: &VirtualClock) {
    let mut buf = [0; 10_000];
    let hearing = async {
        loop {
            match peer.receive_some(&mut buf).await {
                Ok(1..) => {}
                other => return other,
            }
        }
    };
    let heard = timeout(clock, LIMIT, hearing).await;
    assert_eq!(heard, Ok(Err(MemoryError::Broken)));
    assert_eq!(peer.send_all(b"x").await, Err(MemoryError::Broken));
}

#[test]
fn a_stream_that_gave_up_its_handshake_and_is_dropped_tells_the_transport() {
    with_wire(async |_, mut tls, _peer, mut wire, clock| {
        wait_in_vain(&mut tls, clock).await;
        drop(tls);
        assert_told(&mut wire.near, clock).await;
    });
}

/// A graceful close needs the handshake, so the limit is one of the close too.
#[test]
fn a_close_before_a_silent_peer_is_made_forceful_by_a_limit() {
    with_wire(async |_, tls, _peer, mut wire, clock| {
        let before = clock.now();
        assert_eq!(timeout(clock, LIMIT, tls.close()).await, Err(TimedOut));
        assert_eq!(clock.now() - before, LIMIT);
        assert_told(&mut wire.near, clock).await;
    });
}

/// Each operation that needs the handshake can be limited as it can.
#[test]
fn whatever_needs_the_handshake_of_a_silent_peer_is_ended_by_a_limit_and_loses_nothing() {
    with_wire(async |_, mut tls, mut peer, mut wire, clock| {
        let mut buf = [0; 16];
        let received = timeout(clock, LIMIT, tls.receive_some(&mut buf)).await;
        assert_eq!(received.err(), Some(TimedOut));
        let sent = timeout(clock, LIMIT, tls.send_all(b"lost")).await;
        assert_eq!(sent.err(), Some(TimedOut));
        let shut = timeout(clock, LIMIT, tls.shutdown()).await;
        assert_eq!(shut.err(), Some(TimedOut));
        let (mut tx, mut rx) = tls.split();
        let both = join(rx.receive_some(&mut buf), tx.send_all(b"lost"));
        assert_eq!(timeout(clock, LIMIT, both).await.err(), Some(TimedOut));
        drop((tx, rx));
        assert_eq!(clock.now(), 4 * LIMIT);
        // Nothing was protected before the handshake was done, so nothing of that is sent.
        go_on(&mut tls, &mut peer, &mut wire).await;
    });
}

#[test]
fn a_silent_peer_that_goes_at_last_is_gone_for_the_handshake() {
    with_wire(async |_, mut tls, peer, wire, clock| {
        wait_in_vain(&mut tls, clock).await;
        drop((peer, wire));
        let error = tls.do_handshake().await.expect_err("nobody there");
        assert_eq!(error, TlsError::Transport(MemoryError::Broken));
        assert_eq!(tls.do_handshake().await, Err(TlsError::Broken));
    });
}
