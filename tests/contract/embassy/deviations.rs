//! Where the sockets of embassy-net 0.9 do otherwise than the contract demands, and that ours do not.
//!
//! Each test first shows the bare socket, so that it tells when embassy-net changes, and a repair can go.

mod bare;
mod beyond;
mod pool;

use std::time::Duration;

use embassy_net::tcp::{ConnectError, Error};
use futures_util::future::join;
use tacket::{AsyncResource, Error as _, Fault, HalfCloseable, ReceiveStream, SendStream};
use tacket_embassy::testing::Side;
use tacket_embassy::{NetError, Options};

use super::ends::sleep;
use super::four_each::{connect, four_each, listen, pair};
use bare::{BARE, BYTES, bare_pair, one_each, pairs, run, socket, soon};

/// Covers EMB-01.
#[test]
fn a_write_of_nothing_returns_at_once() {
    let (wire, mut bare, mut ours) = pairs();
    run(&wire, async {
        assert_eq!(soon(bare.0.write(&[])).await, None);
        assert_eq!(soon(ours.0.send_all(&[])).await, Some(Ok(())));
        assert_eq!(
            soon(embedded_io_async::Write::write(&mut ours.0, &[])).await,
            Some(Ok(0))
        );
        ours.0.send_eof().await.expect("the end");
        assert_eq!(
            soon(ours.0.send_all(&[])).await,
            Some(Err(NetError::Closed))
        );
    });
}

/// Covers EMB-02.
#[test]
fn a_flush_of_what_a_reset_threw_away_is_broken() {
    let (wire, mut bare, mut ours) = pairs();
    run(&wire, async {
        // The peer's buffer takes the first half, and the second half waits.
        for _ in 0..2 {
            assert_eq!(bare.0.write(&[1; BYTES]).await, Ok(BYTES));
        }
        ours.0.send_all(&[1; 2 * BYTES]).await.expect("sends");
        bare.1.abort();
        drop(ours.1);
        sleep(100).await;
        assert_eq!(bare.0.send_queue(), BYTES);
        assert_eq!(bare.0.flush().await, Ok(()));
        let flushed = embedded_io_async::Write::flush(&mut ours.0).await;
        assert_eq!(flushed, Err(NetError::ConnectionLost));
    });
}

/// Covers EMB-03.
#[test]
fn what_was_sent_before_a_drop_arrives_and_then_the_end_or_a_reset() {
    let (wire, bare, ours) = pairs();
    run(&wire, async {
        let (mut client, mut server) = bare;
        client.write(b"last words").await.expect("sends");
        client.close();
        drop(client);
        let mut buf = [0; 16];
        assert_eq!(soon(server.read(&mut buf)).await, None);

        let (mut client, mut server) = ours;
        client.send_all(b"last words").await.expect("sends");
        client.send_eof().await.expect("the end");
        drop(client);
        assert_eq!(soon(server.receive_some(&mut buf)).await, Some(Ok(10)));
        assert_eq!(soon(server.receive_some(&mut buf)).await, Some(Ok(0)));
    });
    // Dropped before the end was sent: the bare peer hears nothing again, and ours of a reset.
    let (wire, bare, ours) = pairs();
    run(&wire, async {
        let ((client, mut server), mut buf) = (bare, [0; 16]);
        drop(client);
        assert_eq!(soon(server.read(&mut buf)).await, None);
        let (client, mut server) = ours;
        drop(client);
        assert_eq!(
            soon(server.receive_some(&mut buf)).await,
            Some(Err(NetError::ConnectionLost))
        );
    });
}

/// Covers EMB-04.
#[test]
fn the_end_is_the_same_however_it_is_received() {
    let (wire, mut bare, mut ours) = pairs();
    run(&wire, async {
        bare.0.close();
        let mut buf = [0; 16];
        assert_eq!(bare.1.read(&mut buf).await, Ok(0));
        let zero_copy = bare.1.read_with(|data| (data.len(), data.len()));
        assert_eq!(zero_copy.await, Err(Error::ConnectionReset));

        ours.0.send_eof().await.expect("the end");
        assert_eq!(ours.1.receive_some(&mut buf).await, Ok(0));
        let read = embedded_io_async::Read::read(&mut ours.1, &mut buf);
        assert_eq!(read.await, Ok(0));
        let (_sending, mut receiving) = ours.1.into_split();
        assert_eq!(receiving.receive_some(&mut buf).await, Ok(0));
    });
}

/// Covers EMB-05.
#[test]
fn who_waits_to_receive_hears_of_the_end_and_of_a_reset() {
    let (wire, mut bare, mut ours) = pairs();
    run(&wire, async {
        let mut buf = [0; 16];
        let ending = async { bare.0.close() };
        let (ready, ()) = join(soon(bare.1.wait_read_ready()), ending).await;
        assert_eq!(ready, None);
        bare.0.abort();
        assert_eq!(soon(bare.1.wait_read_ready()).await, None);

        let ending = ours.0.send_eof();
        let (received, ended) = join(soon(ours.1.receive_some(&mut buf)), ending).await;
        assert_eq!((received, ended), (Some(Ok(0)), Ok(())));
        let resetting = async { drop(ours.1) };
        let (received, ()) = join(soon(ours.0.receive_some(&mut buf)), resetting).await;
        assert_eq!(received, Some(Err(NetError::ConnectionLost)));
    });
}

/// Covers EMB-06.
#[test]
fn who_waits_to_send_hears_of_a_reset() {
    let (wire, mut bare, mut ours) = pairs();
    run(&wire, async {
        for _ in 0..2 {
            assert_eq!(bare.0.write(&[1; BYTES]).await, Ok(BYTES));
        }
        let resetting = async { bare.1.abort() };
        let (ready, ()) = join(soon(bare.0.wait_write_ready()), resetting).await;
        assert_eq!(ready, None);

        ours.0.send_all(&[1; 2 * BYTES]).await.expect("sends");
        let waiting = soon(ours.0.wait_send_all_might_not_block());
        let (ready, ()) = join(waiting, async { drop(ours.1) }).await;
        assert_eq!(ready, Some(Err(NetError::ConnectionLost)));
        let later = soon(ours.0.wait_send_all_might_not_block()).await;
        assert_eq!(later, Some(Err(NetError::ConnectionLost)));
    });
}

/// Covers EMB-07.
#[test]
fn sending_after_the_end_is_closed_and_not_broken() {
    let (wire, mut bare, mut ours) = pairs();
    run(&wire, async {
        bare.0.close();
        assert_eq!(bare.0.write(b"more").await, Err(Error::ConnectionReset));
        ours.0.send_eof().await.expect("the end");
        let error = ours.0.send_all(b"more").await.expect_err("it was ended");
        assert_eq!(error.fault(), Fault::Closed);
    });
}

/// Covers EMB-08. An abort of ours is a drop, so nothing can be read after it on the same stream; nor is it by the next stream
/// on the same socket. (The repair of EMB-19 rests on what the bare socket does here.)
#[test]
fn nothing_received_before_an_abort_is_read_after_it() {
    let (wire, mut bare, _) = pairs();
    run(&wire, async {
        bare.0.write(b"old").await.expect("sends");
        sleep(100).await;
        bare.1.abort();
        let mut buf = [0; 16];
        assert_eq!(bare.1.read(&mut buf).await, Ok(3));
    });
    let (wire, client, server) = one_each(Options::new());
    run(&wire, async {
        let mut listener = listen(server);
        for message in ["old".as_bytes(), b"newer"] {
            let (mut left, mut right) = pair(client, &mut listener).await;
            assert_eq!(server.usage().in_use, 1, "there is one socket");
            left.send_all(message).await.expect("sends");
            sleep(100).await;
            if message == b"newer" {
                let mut buf = [0; 16];
                assert_eq!(right.receive_some(&mut buf).await, Ok(5));
            }
            drop(right);
            sleep(100).await;
        }
    });
}

/// Covers EMB-09.
#[test]
fn failures_are_told_apart() {
    let (wire, client, server) = four_each(Options::new().linger(Duration::from_secs(7)));
    run(&wire, async {
        let mut buf = [0; 16];
        // Nobody listens; and nobody answers in time.
        let mut alone = socket(&wire, Side::Left);
        let nobody = alone.connect(Side::Right.port(BARE)).await;
        assert_eq!(nobody, Err(ConnectError::ConnectionReset));
        wire.cut();
        alone.set_timeout(Some(embassy_time::Duration::from_secs(5)));
        let silent = alone.connect(Side::Right.port(BARE)).await;
        assert_eq!(silent, nobody);
        wire.mend();
        // The peer resets; it falls silent; and it is this side that has closed.
        let mut reset = bare_pair(&wire).await;
        let mut lost = bare_pair(&wire).await;
        let mut ended = bare_pair(&wire).await;
        reset.1.abort();
        ended.0.close();
        sleep(100).await;
        wire.cut();
        lost.0
            .set_timeout(Some(embassy_time::Duration::from_secs(5)));
        lost.0.write(b"hello?").await.expect("sends");
        let errors = [
            reset.0.write(b"x").await,
            lost.0.read(&mut buf).await,
            ended.0.write(b"x").await,
        ];
        assert_eq!(errors, [Err(Error::ConnectionReset); 3]);
        wire.mend();
    });
    run(&wire, async {
        let refused = connect(client).await.expect_err("nobody listens");
        let mut listener = listen(server);
        let mut reset = pair(client, &mut listener).await;
        let mut ended = pair(client, &mut listener).await;
        let silent = pair(client, &mut listener).await;
        drop(reset.1);
        ended.0.send_eof().await.expect("the end");
        sleep(100).await;
        wire.cut();
        let errors = [
            refused,
            reset.0.send_all(b"x").await.expect_err("it was reset"),
            ended.0.send_all(b"x").await.expect_err("it was ended"),
            silent.0.close().await.expect_err("nobody answers"),
        ];
        let (reset, timed_out) = (NetError::ConnectionLost, NetError::CloseTimedOut);
        assert_eq!(
            errors,
            [NetError::Refused, reset, NetError::Closed, timed_out]
        );
        let faults = errors.map(|error| error.fault());
        assert_eq!(
            faults,
            [Fault::Broken, Fault::Broken, Fault::Closed, Fault::TimedOut]
        );
    });
}
