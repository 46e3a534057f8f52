//! TLS whose halves were given away.

use futures_util::FutureExt as _;
use futures_util::future::join;
use tacket::testing::{
    Makers, MemoryPipe, MemoryReceiveStream, MemorySendStream, check_half_closeable_stream,
    check_two_way_stream,
};
use tacket::{
    AsyncResource, Fault, HalfCloseable, IntoSplit, ReceiveStream, SendStream, StapledStream,
};
use tacket_tests::{Patience, examine};
use tacket_tls::{OwnedTlsReceiving, OwnedTlsSending, TlsStream};

use super::{Parties, connect, receive_to_end, run};

type Halves<S> = StapledStream<OwnedTlsSending<S>, OwnedTlsReceiving<S>>;

/// Gives the halves of both away, and staples them together again.
fn restapled<L: IntoSplit, R: IntoSplit>(
    (left, right): (TlsStream<L>, TlsStream<R>),
) -> (Halves<L>, Halves<R>) {
    let ((left_tx, left_rx), (right_tx, right_rx)) = (left.into_split(), right.into_split());
    (
        StapledStream::new(left_tx, left_rx),
        StapledStream::new(right_tx, right_rx),
    )
}

type Pipe = MemoryPipe<[u8; 2000]>;
type Memory<'p> =
    StapledStream<MemorySendStream<'p, [u8; 2000]>, MemoryReceiveStream<'p, [u8; 2000]>>;

/// Both ends of two pipes.
fn staple<'p>(there: &'p Pipe, back: &'p Pipe) -> (Memory<'p>, Memory<'p>) {
    let (left_tx, right_rx) = there.open().expect("the last pair is gone");
    let (right_tx, left_rx) = back.open().expect("the last pair is gone");
    (
        StapledStream::new(left_tx, left_rx),
        StapledStream::new(right_tx, right_rx),
    )
}

#[test]
fn halves_of_tls_over_pipes_keep_the_contract() {
    let parties = Parties::new();
    let (there, back) = (MemoryPipe::new([0; 2000]), MemoryPipe::new([0; 2000]));
    let make = async || restapled(parties.pair(staple(&there, &back)));
    let acquainted = async || restapled(parties.acquainted(staple(&there, &back)).await);
    examine(Patience::memory(), async |e| {
        check_two_way_stream(e, Makers::new(&make, &acquainted)).await;
    })
    .assert_clean(&[]);
    examine(Patience::memory(), async |e| {
        check_half_closeable_stream(e, Makers::new(&make, &acquainted)).await;
    })
    .assert_clean(&[]);
}

#[test]
fn halves_of_tls_over_tcp_keep_the_contract() {
    let parties = Parties::new();
    let make = async || restapled(parties.pair(connect().await));
    let acquainted = async || restapled(parties.acquainted(connect().await).await);
    examine(Patience::system(), async |e| {
        check_half_closeable_stream(e, Makers::new(&make, &acquainted)).await;
    })
    .assert_clean(&[]);
}

#[test]
fn halves_of_tls_in_tls_work_in_tasks_of_their_own() {
    run(async {
        let (outer, inner) = (Parties::new(), Parties::new());
        let (client, server) = inner.pair(outer.pair(connect().await));
        let (mut tx, mut rx) = client.into_split();
        let (mut server_tx, mut server_rx) = server.into_split();
        let asking = tacket_std::spawn(async move {
            tx.send_all(&[1; 50_000]).await.expect("sends");
            tx.close().await.expect("ends");
        });
        let echoing = tacket_std::spawn(async move {
            let mut buf = vec![0; 3000];
            while let count @ 1.. = server_rx.receive_some(&mut buf).await.expect("receives") {
                server_tx.send_all(&buf[..count]).await.expect("sends");
            }
            server_tx.close().await.expect("ends");
        });
        assert_eq!(receive_to_end(&mut rx).await, Ok(50_000));
        rx.close().await.expect("closes");
        join(asking, echoing).await;
    });
}

#[test]
fn a_sending_half_that_is_closed_ends_tls_and_tcp_and_the_other_goes_on() {
    run(async {
        let (client, mut server) = Parties::new().acquainted(connect().await).await;
        let (mut tx, mut rx) = client.into_split();
        tx.send_all(b"question").await.expect("sends");
        tx.close().await.expect("ends");
        assert_eq!(receive_to_end(&mut server).await, Ok(8));
        server.send_all(b"answer").await.expect("sends");
        server.close().await.expect("closes");
        assert_eq!(receive_to_end(&mut rx).await, Ok(6));
    });
}

#[test]
fn what_a_closed_half_has_sent_arrives_though_both_are_gone_and_something_was_unread() {
    run(async {
        let (left, mut right) = connect().await;
        let (client, mut server) = Parties::new().acquainted((left, &mut right)).await;
        // Tickets and data, which the client leaves unread.
        server.send_all(&[7; 10_000]).await.expect("sends");
        let (mut tx, rx) = client.into_split();
        tx.send_all(&[1; 100_000]).await.expect("sends");
        tx.close().await.expect("ends");
        drop(rx);
        assert_eq!(receive_to_end(&mut server).await, Ok(100_000));
        drop(server);
        assert_eq!(receive_to_end(&mut right).await, Ok(0), "no reset");
    });
}

#[test]
fn what_an_ended_half_has_sent_arrives_though_both_are_dropped() {
    run(async {
        let (left, mut right) = connect().await;
        let (client, mut server) = Parties::new().acquainted((left, &mut right)).await;
        server.send_all(&[7; 10_000]).await.expect("sends");
        let (mut tx, rx) = client.into_split();
        tx.send_all(&[1; 100_000]).await.expect("sends");
        for _ in 0..2 {
            tx.send_eof().await.expect("ends");
        }
        drop((tx, rx));
        assert_eq!(receive_to_end(&mut server).await, Ok(100_000));
        drop(server);
        assert_eq!(receive_to_end(&mut right).await, Ok(0), "no reset");
    });
}

#[test]
fn a_sending_half_that_is_dropped_aborts_once_the_other_is_gone_too() {
    run(async {
        let (client, mut server) = Parties::new().acquainted(connect().await).await;
        let (tx, mut rx) = client.into_split();
        drop(tx);
        server.send_all(b"still heard").await.expect("sends");
        let mut buf = [0; 16];
        assert_eq!(rx.receive_some(&mut buf).await.expect("receives"), 11);
        assert!(server.receive_some(&mut buf).now_or_never().is_none());
        drop(rx);
        assert_eq!(receive_to_end(&mut server).await, Err(Fault::Broken));
    });
}

#[test]
fn a_sending_half_that_is_closed_after_its_peer_has_gone_says_nothing_of_it() {
    run(async {
        let (client, server) = Parties::new().acquainted(connect().await).await;
        let (mut tx, rx) = client.into_split();
        drop(server);
        while tx.send_all(&[1; 1000]).await.is_ok() {}
        tx.close().await.expect("closes");
        rx.close().await.expect("closes");
    });
}

#[test]
fn halves_of_one_stream_become_one_again_and_go_on_where_they_were() {
    run(async {
        let (client, mut server) = Parties::new().acquainted(connect().await).await;
        let (other, mut other_peer) = Parties::new().acquainted(connect().await).await;
        let (mut tx, mut rx) = client.into_split();
        let (other_tx, other_rx) = other.into_split();
        server.send_all(b"in two pieces").await.expect("sends");
        let mut buf = [0; 16];
        assert_eq!(rx.receive_some(&mut buf[..6]).await.expect("receives"), 6);
        // Taken, and not flushed.
        let taken = embedded_io_async::Write::write(&mut tx, b"staged").await;
        assert_eq!(taken.expect("takes"), 6);

        let (tx, mut other_rx) = TlsStream::reunite(tx, other_rx).expect_err("of two streams");
        other_peer.send_all(b"other").await.expect("sends");
        let received = other_rx.receive_some(&mut [0; 16]).await;
        assert_eq!(received.expect("the half that it was"), 5);
        TlsStream::reunite(other_tx, other_rx).expect("of one stream");
        let mut client = TlsStream::reunite(tx, rx).expect("of one stream");
        client.transport().peer_addr().expect("the same transport");
        assert_eq!(client.receive_some(&mut buf).await.expect("receives"), 7);
        assert_eq!(&buf[..7], b" pieces");
        let (ended, received) = join(client.close(), receive_to_end(&mut server)).await;
        ended.expect("closes");
        assert_eq!(received, Ok(6));
    });
}

#[test]
fn a_handshake_that_one_half_has_begun_is_completed_by_the_other() {
    let parties = Parties::new();
    run(async {
        let (client, mut server) = parties.pair(connect().await);
        let (mut tx, mut rx) = client.into_split();
        assert!(rx.receive_some(&mut [0; 1]).now_or_never().is_none());
        rx.close().await.expect("closes");
        tx.negotiated().expect_err("not yet");
        let mut buf = [0; 16];
        let (sent, received) = join(tx.send_all(b"alone"), server.receive_some(&mut buf)).await;
        sent.expect("sends");
        assert_eq!(received.expect("receives"), 5);
        tx.negotiated().expect("the handshake is done");
    });
}
