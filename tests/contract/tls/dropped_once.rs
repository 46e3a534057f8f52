//! Each operation, dropped once, at every poll of its life: what it leaves behind is what it says.

use futures_util::future::join;
use tacket::testing::{DropPoint, MemoryError, MemoryPair, MemoryStream};
use tacket::{AsyncResource, Error as _, Fault, HalfCloseable, ReceiveStream, SendStream};
use tacket_tls::TlsError;
use tacket_tls::rustls::version::{TLS12, TLS13};

use super::{Parties, run};

type Tls<'p> = tacket_tls::TlsStream<MemoryStream<'p, [u8; 11]>>;

/// More than the transport holds, and more than one send.
const DATA: [&[u8]; 3] = [b"the quick brown fox", b"", b"jumps over the lazy dog"];

fn all_data() -> Vec<u8> {
    DATA.concat()
}

/// How a peer ends, as far as it can be heard.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    End,
    Failure(Fault),
}

async fn receive_all(
    rx: &mut impl ReceiveStream<Error = TlsError<MemoryError>>,
) -> (Vec<u8>, Heard) {
    let (mut data, mut buf) = (Vec::new(), [0; 5]);
    loop {
        match rx.receive_some(&mut buf).await {
            Ok(0) => return (data, Heard::End),
            Ok(count) => data.extend_from_slice(&buf[..count]),
            Err(error) => return (data, Heard::Failure(error.fault())),
        }
    }
}

async fn send_data(tls: &mut Tls<'_>) {
    for piece in DATA {
        tls.send_all(piece).await.expect("sends");
    }
}

/// Runs `exchange` with a drop at the first poll, the second, and so on, until nothing is dropped any more: for both versions, either
/// side, before the handshake and after it. It says whether something was dropped.
fn at_every_poll(
    least: usize,
    exchange: impl for<'p> AsyncFn(DropPoint, Tls<'p>, Tls<'p>) -> bool,
) {
    let pair = MemoryPair::new([0; 11], [0; 11]);
    for (version, is_client, is_acquainted) in [
        (&TLS12, true, false),
        (&TLS12, false, true),
        (&TLS13, true, true),
        (&TLS13, false, false),
        (&TLS13, false, true),
    ] {
        let parties = Parties::speaking(version);
        for polls in 1.. {
            let mut dropped = false;
            for point in [
                DropPoint::after_poll(polls),
                DropPoint::when_woken_after_poll(polls),
            ] {
                let transports = pair.open().expect("the last pair is gone");
                dropped |= run(async {
                    let (client, server) = match is_acquainted {
                        true => parties.acquainted(transports).await,
                        false => parties.pair(transports),
                    };
                    match is_client {
                        true => exchange(point, client, server).await,
                        false => exchange(point, server, client).await,
                    }
                });
            }
            if !dropped {
                assert!(polls > least, "it was dropped at few points: {polls}");
                break;
            }
        }
    }
}

#[test]
fn a_receive_that_is_dropped_once_at_any_poll_has_taken_nothing() {
    at_every_poll(2, async |point, mut subject, mut peer| {
        let receiving = async {
            let mut buf = [0; 5];
            let cut = point.cut(subject.receive_some(&mut buf)).await;
            let mut data = Vec::new();
            let is_dropped = cut.is_none();
            if let Some(received) = cut {
                data.extend_from_slice(&buf[..received.expect("receives")]);
            }
            let (rest, heard) = receive_all(&mut subject).await;
            data.extend(rest);
            assert_eq!((data, heard), (all_data(), Heard::End));
            is_dropped
        };
        let sending = async {
            send_data(&mut peer).await;
            peer.send_eof().await.expect("ends");
        };
        join(receiving, sending).await.0
    });
}

#[test]
fn a_send_that_is_dropped_once_at_any_poll_goes_on_where_it_stood() {
    at_every_poll(2, async |point, mut subject, mut peer| {
        let sending = async {
            let data = all_data();
            let mut rest = &data[..];
            let cut = point.cut(subject.send_rest(&mut rest)).await;
            let is_dropped = cut.is_none();
            cut.unwrap_or(Ok(())).expect("sends");
            subject.send_all(rest).await.expect("sends");
            subject.send_eof().await.expect("ends");
            is_dropped
        };
        let (is_dropped, heard) = join(sending, receive_all(&mut peer)).await;
        assert_eq!(heard, (all_data(), Heard::End));
        is_dropped
    });
}

#[test]
fn an_end_that_is_dropped_once_at_any_poll_is_sent_once() {
    at_every_poll(1, async |point, mut subject, mut peer| {
        let ending = async {
            let cut = point.cut(subject.send_eof()).await;
            let is_dropped = cut.is_none();
            cut.unwrap_or(Ok(())).expect("ends");
            subject.send_eof().await.expect("ends");
            assert_eq!(subject.send_all(b"x").await, Err(TlsError::Closed));
            // The other direction goes on.
            assert_eq!(receive_all(&mut subject).await, (all_data(), Heard::End));
            is_dropped
        };
        let answering = async {
            assert_eq!(receive_all(&mut peer).await, (vec![], Heard::End));
            send_data(&mut peer).await;
            peer.send_eof().await.expect("ends");
            assert_eq!(receive_all(&mut peer).await, (vec![], Heard::End));
        };
        join(ending, answering).await.0
    });
}

/// The data was sent before. The end was sent whole, or there is none.
#[test]
fn a_close_that_is_dropped_once_at_any_poll_has_closed_by_force_and_looks_so() {
    at_every_poll(1, async |point, mut subject, mut peer| {
        let closing = async {
            send_data(&mut subject).await;
            let cut = point.cut(subject.close()).await;
            let is_dropped = cut.is_none();
            cut.unwrap_or(Ok(())).expect("closes");
            is_dropped
        };
        let (is_dropped, (data, heard)) = join(closing, receive_all(&mut peer)).await;
        if is_dropped {
            let is_prefix = all_data().starts_with(&data);
            assert!(
                is_prefix && heard != Heard::Failure(Fault::Truncated),
                "{heard:?}"
            );
        } else {
            assert_eq!((data, heard), (all_data(), Heard::End));
        }
        peer.send_all(b"x").await.expect_err("nobody there");
        peer.close().await.expect("closes");
        is_dropped
    });
}

/// An `unwrap` takes the stream; dropped, it has dropped it. The peer knows the end, or that there is none.
#[test]
fn an_unwrap_that_is_dropped_once_at_any_poll_has_dropped_the_stream() {
    at_every_poll(2, async |point, subject, peer| {
        let unwrapping = async { point.cut(subject.unwrap()).await };
        let (cut, answered) = join(unwrapping, peer.unwrap()).await;
        let Some(unwrapped) = cut else {
            match answered {
                // The end had gone out, and the peer's found nobody, or was taken.
                Ok(peer) => {
                    assert_eq!(peer.trailing, b"");
                    let mut transport = peer.transport;
                    transport.receive_some(&mut [0]).await.expect_err("gone");
                }
                Err(error) => assert_eq!(error, TlsError::Transport(MemoryError::Broken)),
            }
            return true;
        };
        let (mine, theirs) = (unwrapped.expect("both end"), answered.expect("both end"));
        assert_eq!((mine.trailing, theirs.trailing), (vec![], vec![]));
        let (mut left, mut right, mut buf) = (mine.transport, theirs.transport, [0; 8]);
        left.send_all(b"plain").await.expect("sends");
        assert_eq!(right.receive_some(&mut buf).await, Ok(5));
        false
    });
}
