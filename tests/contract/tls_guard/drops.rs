//! Operations without a heap that are dropped, at every poll of their life, on a transport that makes them wait.
//!
//! The server opens records by their numbers: one that was sealed twice, lost or torn would be the end of the session.

use std::pin::pin;

use futures_util::future::{Either, join, select};
use tacket::testing::{DropPoint, MemoryError, MemoryPair, MemoryStream};
use tacket::{AsyncResource, Error as _, Fault, HalfCloseable, ReceiveStream, SendStream};
use tacket_tls::{TlsError, TlsStream};

use super::guarded::{Guarded, Parties};
use super::run;

type Memory<'p> = MemoryStream<'p, [u8; 11]>;
type Client<'p> = Guarded<Memory<'p>>;
type Server<'p> = TlsStream<Memory<'p>>;

/// More than the transport holds, and more than one send.
const DATA: [&[u8]; 3] = [b"the quick brown fox", b"", b"jumps over the lazy dog"];

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

/// Runs `exchange` with a drop at the first poll, the second, and so on, until nothing is dropped any more. It says whether something
/// was dropped.
fn at_every_poll(
    least: usize,
    exchange: impl for<'p> AsyncFn(DropPoint, Client<'p>, Server<'p>) -> bool,
) {
    let (parties, pair) = (Parties::new(), MemoryPair::new([0; 11], [0; 11]));
    for polls in 1.. {
        let mut dropped = false;
        for point in [
            DropPoint::after_poll(polls),
            DropPoint::when_woken_after_poll(polls),
        ] {
            dropped |= run(async {
                let open = pair.open().expect("the last pair is gone");
                let (client, server) = parties.acquainted(open).await;
                exchange(point, client, server).await
            });
        }
        if !dropped {
            assert!(polls > least, "it was dropped at few points: {polls}");
            break;
        }
    }
}

/// Covers SSL-26.
#[test]
fn a_dropped_send_loses_doubles_and_tears_nothing() {
    at_every_poll(4, async |point, mut client, mut server| {
        let mut dropped = false;
        let sending = async {
            for mut rest in DATA {
                while point.cut(client.send_rest(&mut rest)).await.is_none() {
                    dropped = true;
                    // With what is left, nothing is dropped.
                    client.send_rest(&mut rest).await.expect("sends");
                }
            }
            client.send_eof().await.expect("ends");
        };
        let ((), heard) = join(sending, receive_all(&mut server)).await;
        assert_eq!(heard, (DATA.concat(), Heard::End));
        dropped
    });
}

#[test]
fn a_dropped_flush_goes_on_where_it_stood() {
    at_every_poll(3, async |point, mut client, mut server| {
        use embedded_io_async::Write as _;
        let mut dropped = false;
        let sending = async {
            let mut rest = DATA[0];
            while !rest.is_empty() {
                let count = client.write(rest).await.expect("takes some");
                rest = &rest[count..];
                dropped |= point.cut(client.flush()).await.is_none();
            }
            client.write_all(DATA[2]).await.expect("takes it");
            client.close().await.expect("closes");
        };
        let ((), heard) = join(sending, receive_all(&mut server)).await;
        assert_eq!(heard, (DATA.concat(), Heard::End));
        dropped
    });
}

/// Covers SSL-27.
#[test]
fn a_dropped_receive_loses_nothing() {
    at_every_poll(3, async |point, mut client, mut server| {
        let mut dropped = false;
        let sending = async {
            for piece in DATA {
                server.send_all(piece).await.expect("sends");
            }
            server.close().await.expect("closes");
        };
        let receiving = async {
            let (mut data, mut buf) = (Vec::new(), [0; 5]);
            loop {
                let received = point.cut(client.receive_some(&mut buf)).await;
                dropped |= received.is_none();
                let received = match received {
                    Some(received) => received,
                    None => client.receive_some(&mut buf).await,
                };
                match received.expect("receives") {
                    0 => return data,
                    count => data.extend_from_slice(&buf[..count]),
                }
            }
        };
        let ((), data) = join(sending, receiving).await;
        assert_eq!(data, DATA.concat());
        dropped
    });
}

#[test]
fn a_dropped_end_is_completed_by_the_next() {
    at_every_poll(2, async |point, mut client, mut server| {
        let mut dropped = false;
        let ending = async {
            client.send_all(DATA[0]).await.expect("sends");
            dropped |= point.cut(client.send_eof()).await.is_none();
            client.send_eof().await.expect("ends");
            let refused = client.send_all(b"x").await;
            assert_eq!(refused, Err(TlsError::Closed));
        };
        let ((), heard) = join(ending, receive_all(&mut server)).await;
        assert_eq!(heard, (DATA[0].to_vec(), Heard::End));
        let mut buf = [0; 9];
        let (sent, received) = join(server.send_all(b"back"), client.receive_some(&mut buf)).await;
        sent.expect("sends");
        assert_eq!(received, Ok(4));
        dropped
    });
}

/// Covers SSL-19.
#[test]
fn a_dropped_close_ends_or_cuts_and_adds_nothing() {
    at_every_poll(2, async |point, mut client, mut server| {
        let mut dropped = false;
        let closing = async {
            client.send_all(DATA[0]).await.expect("sends");
            dropped |= point.cut(client.close()).await.is_none();
        };
        let ((), (data, heard)) = join(closing, receive_all(&mut server)).await;
        assert_eq!(data, DATA[0]);
        if !dropped {
            assert_eq!(heard, Heard::End);
        }
        dropped
    });
}

/// Covers SSL-08.
#[test]
fn a_handshake_that_was_dropped_has_broken_the_stream() {
    let (parties, pair) = (Parties::new(), MemoryPair::new([0; 40], [0; 40]));
    for polls in 1.. {
        let point = DropPoint::after_poll(polls);
        let (mut client, mut server) = parties.pair(pair.open().expect("the last pair is gone"));
        let dropped = run(async {
            let shaken = {
                let accepting = pin!(server.do_handshake());
                let shaking = pin!(point.cut(client.do_handshake()));
                match select(shaking, accepting).await {
                    Either::Left((shaken, _)) => shaken,
                    Either::Right((_, shaking)) => shaking.await,
                }
            };
            let Some(shaken) = shaken else {
                for failed in [
                    client.do_handshake().await,
                    client.send_all(b"x").await,
                    client.receive_some(&mut [0; 4]).await.map(drop),
                    client.send_eof().await,
                ] {
                    assert_eq!(failed, Err(TlsError::Broken));
                }
                client.negotiated().expect_err("nothing was agreed on");
                client.close().await.expect("closes");
                return true;
            };
            shaken.expect("shakes hands");
            let (sent, received) =
                join(client.send_all(b"hello"), server.receive_some(&mut [0; 9])).await;
            sent.expect("sends");
            assert_eq!(received, Ok(5));
            false
        });
        if !dropped {
            assert!(polls > 10, "it was dropped at few points: {polls}");
            break;
        }
    }
}
