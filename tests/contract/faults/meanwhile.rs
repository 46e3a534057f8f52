//! A peer that resets while all buffers are full, or while we wait, end or close.

use std::io::{ErrorKind, Write as _};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join;
use socket2::Socket;
use tacket::{AsyncResource as _, HalfCloseable as _, ReceiveStream as _, SendStream, Split as _};
use tacket_std::IoError;

use super::conversation::{Kind, Tcp, Unix, assert_broken};
use super::{begin, run, turn};

/// What a sender may hear of a reset. A receiver hears the first.
const RESET: [ErrorKind; 2] = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];

/// Makes the close of `peer` a reset. A Unix socket takes no notice, and resets because of what it has not received.
fn reset(peer: Socket) {
    let _ = peer.set_linger(Some(Duration::ZERO));
}

/// Sends until there is no room, neither here nor at the peer.
async fn clog<K: Kind>(stream: &mut K::Stream) {
    loop {
        while let Some(1..) = K::try_send(stream, &[7; 1 << 16]).expect("sends") {}
        // It may only have been too much for one turn.
        turn().await;
        if K::try_send(stream, b"x").expect("sends").is_none() {
            return;
        }
    }
}

/// What waits for room.
#[derive(Clone, Copy)]
enum Waiting {
    Send,
    Room,
}

impl Waiting {
    /// Waits for room, and then sends, which fails.
    async fn wait(self, tx: &mut impl SendStream<Error = IoError>) -> IoError {
        let data = [7; 1000];
        let mut rest = &data[..];
        match self {
            Self::Send => {
                let error = tx.send_rest(&mut rest).await.expect_err("a reset");
                assert_eq!(rest.len(), data.len());
                error
            }
            Self::Room => {
                // It may leave the failure to the send.
                if let Err(error) = tx.wait_send_all_might_not_block().await {
                    return error;
                }
                tx.send_all(rest).await.expect_err("a reset")
            }
        }
    }
}

/// Both directions wait, in borrowed halves and then in owned ones, when the reset comes.
async fn reset_who_waits<K: Kind>(waiting: Waiting) {
    let (mut stream, peer) = K::connect().await;
    clog::<K>(&mut stream).await;
    let (mut tx, mut rx) = stream.split();
    let mut buf = [0; 8];
    let mut both = Box::pin(join(rx.receive_some(&mut buf), waiting.wait(&mut tx)));
    begin(&mut both).await;
    reset(peer);
    let (received, error) = both.as_mut().await;
    drop(both);
    assert_broken(&received.expect_err("no end"), &RESET[..1]);
    assert_broken(&error, &RESET);
    drop((tx, rx));
    let again = stream.receive_some(&mut [0; 8]).await;
    assert_broken(&again.expect_err("it stays so"), &RESET[..1]);
    let again = stream.send_all(b"x").await.expect_err("it stays so");
    assert_broken(&again, &RESET);
    stream.close().await.expect("the peer has left");

    let (mut stream, peer) = K::connect().await;
    clog::<K>(&mut stream).await;
    let (mut tx, mut rx) = K::into_split(stream);
    let receiving = async { rx.receive_some(&mut [0; 8]).await };
    let sending = async {
        let error = waiting.wait(&mut tx).await;
        tx.close().await.expect("the peer has left");
        error
    };
    let mut both = Box::pin(join(receiving, sending));
    begin(&mut both).await;
    reset(peer);
    let (received, error) = both.await;
    assert_broken(&received.expect_err("no end"), &RESET[..1]);
    assert_broken(&error, &RESET);
    rx.close().await.expect("it waits for nothing");
}

#[test]
fn a_reset_reaches_whoever_waits_with_all_buffers_full() {
    run(async {
        for waiting in [Waiting::Send, Waiting::Room] {
            reset_who_waits::<Tcp>(waiting).await;
            reset_who_waits::<Unix>(waiting).await;
        }
    });
}

/// The end is behind data that has nowhere to go.
async fn reset_after_end<K: Kind>() {
    let (mut stream, peer) = K::connect().await;
    clog::<K>(&mut stream).await;
    stream.send_eof().await.expect("it waits for nobody");
    let mut buf = [0; 8];
    let mut receiving = Box::pin(stream.receive_some(&mut buf));
    begin(&mut receiving).await;
    reset(peer);
    let received = receiving.await;
    assert_broken(&received.expect_err("no end"), &RESET[..1]);
    stream.send_eof().await.expect("it has been sent");
    stream.close().await.expect("the peer has left");
}

#[test]
fn a_reset_is_no_answer_to_an_end_that_had_not_arrived() {
    run(reset_after_end::<Tcp>());
    run(reset_after_end::<Unix>());
}

/// The peer resets before, or after, a close that leaves data behind which nobody takes.
async fn close_and_reset<K: Kind>() {
    let clogged = async || {
        let (mut stream, peer) = K::connect().await;
        clog::<K>(&mut stream).await;
        (&peer).write_all(b"not received").expect("sends");
        (stream, peer)
    };
    let close = |stream: K::Stream| {
        let closed = stream.close().now_or_never();
        closed.expect("it waits for nobody").expect("closes");
    };
    let (stream, peer) = clogged().await;
    reset(peer);
    close(stream);
    let (stream, peer) = clogged().await;
    close(stream);
    reset(peer);
}

#[test]
fn a_close_neither_waits_for_a_reset_nor_fails_by_one() {
    run(close_and_reset::<Tcp>());
    run(close_and_reset::<Unix>());
}
