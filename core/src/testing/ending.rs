//! The clauses about ends of one direction: closing, a receiver that leaves, and a sender that waits for room.

use super::dropped;
use super::examiner::{Bench, Maker, Stop, Verdict, fault, violated};
use super::report::Found;
use super::steps::{Ending, Pace, breaks, drain, drain_exactly, fails_with, succeeds};
use crate::stream::yield_now;
use crate::{AsyncResource, Clock, Error as _, Fault, ReceiveStream, SendStream};

pub(super) async fn receiver_closed<S, R, M, C>(
    maker: &mut M,
    b: &mut Bench<'_, C>,
    gracefully: bool,
) -> Verdict
where
    S: SendStream,
    R: ReceiveStream + AsyncResource,
    M: Maker<S, R>,
    C: Clock,
{
    let (mut tx, rx) = maker.make().await;
    b.scratch.fill(b'x');
    let (chunk, _) = b.scratch.split_at(b.scratch.len() / 4);
    // At the same time, because a graceful close may need the other end to make progress.
    let leaving = async {
        if gracefully {
            return succeeds("the receiver's close to succeed", rx.close().await);
        }
        rx.close_forcefully();
        Ok(())
    };
    b.turns
        .try_join(leaving, breaks(&mut tx, chunk, b.clog_limit))
        .await
        .map(|_| ())
}

pub(super) async fn broken_is_sticky<S, R, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    S: SendStream,
    R: ReceiveStream + AsyncResource,
    M: Maker<S, R>,
    C: Clock,
{
    let (mut tx, rx) = maker.make().await;
    drop(rx);
    b.scratch.fill(b'x');
    let (chunk, _) = b.scratch.split_at(b.scratch.len() / 4);
    breaks(&mut tx, chunk, b.clog_limit).await?;
    for _ in 0..3 {
        let again = tx.send_all(chunk).await;
        fails_with("`Broken` again for a send", Fault::Broken, again)?;
        let again = tx.write(chunk).await;
        fails_with("`Broken` again for a write", Fault::Broken, again)?;
        let again = tx.send_all(b"").await;
        fails_with("`Broken` again for an empty send", Fault::Broken, again)?;
        if let Err(error) = tx.wait_send_all_might_not_block().await
            && error.fault() != Fault::Broken
        {
            return violated("`Broken` or nothing from a wait", fault(&error));
        }
    }
    Ok(())
}

pub(super) async fn closes<S, R, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    S: SendStream + AsyncResource,
    R: ReceiveStream + AsyncResource,
    M: Maker<S, R>,
    C: Clock,
{
    let (tx, mut rx) = maker.make().await;
    let mut check = b.pattern();
    let sending = async { succeeds("the sender's close to succeed", tx.close().await) };
    let receiving = async {
        drain_exactly(&mut rx, &mut check, b.scratch, Pace::Fast, || 0).await?;
        succeeds("the receiver's close to succeed", rx.close().await)
    };
    b.turns.try_join(sending, receiving).await.map(|_| ())
}

pub(super) async fn close_after_peer<S, R, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    S: SendStream + AsyncResource,
    R: ReceiveStream + AsyncResource,
    M: Maker<S, R>,
    C: Clock,
{
    let (tx, rx) = maker.make().await;
    drop(rx);
    succeeds(
        "a close after the receiver is gone to succeed",
        tx.close().await,
    )?;

    let (mut tx, rx) = maker.make().await;
    drop(rx);
    let (chunk, _) = b.scratch.split_at(b.scratch.len() / 4);
    breaks(&mut tx, chunk, b.clog_limit).await?;
    succeeds("a close of a broken sender to succeed", tx.close().await)?;

    let (tx, rx) = maker.make().await;
    drop(tx);
    succeeds(
        "a close after the sender is gone to succeed",
        rx.close().await,
    )
}

pub(super) async fn forceful_close<S, R, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    S: SendStream + AsyncResource,
    R: ReceiveStream + AsyncResource,
    M: Maker<S, R>,
    C: Clock,
{
    let (mut tx, mut rx) = maker.make().await;
    let (mut pattern, mut check) = (b.pattern(), b.pattern());
    let (out, buf) = b.scratch.split_at_mut(b.scratch.len() / 2);
    let (data, _) = out.split_at_mut(out.len() / 2);
    let sent = data.len() as u64;
    pattern.fill(data);
    let sending = async {
        succeeds("a send to succeed", tx.send_all(data).await)?;
        tx.close_forcefully();
        Ok(())
    };
    let receiving = drain(&mut rx, &mut check, buf, Pace::Hesitant);
    let ((), _) = b.turns.try_join(sending, receiving).await?;
    if check.position() > sent {
        return violated("no more than was sent", Found::ExtraAt(sent));
    }
    Ok(())
}

pub(super) async fn cut_off<S, R, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    S: SendStream,
    R: ReceiveStream,
    M: Maker<S, R>,
    C: Clock,
{
    for length in [0, 5] {
        let (mut tx, mut rx) = maker.make().await;
        let (mut pattern, mut check) = (b.pattern(), b.pattern());
        let (out, buf) = b.scratch.split_at_mut(b.scratch.len() / 2);
        let (data, _) = out.split_at_mut(length);
        pattern.fill(data);
        let sending = async {
            succeeds("a send to succeed", tx.send_all(data).await)?;
            drop(tx);
            Ok(())
        };
        let receiving = drain(&mut rx, &mut check, buf, Pace::Fast);
        if let ((), Ending::Proper) = b.turns.try_join(sending, receiving).await? {
            return Err(Stop::Skipped(
                "here a drop looks like an end: the transport can say no more, or nobody tells it",
            ));
        }
    }
    Ok(())
}

pub(super) async fn wait_for_room<S, R, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    S: SendStream + AsyncResource,
    R: ReceiveStream,
    M: Maker<S, R>,
    C: Clock,
{
    let (mut tx, mut rx) = dropped::clogging(maker).await?;
    let (mut pattern, mut check) = (b.pattern(), b.pattern());
    let total = b.clog(&mut tx, &mut pattern).await?;
    let waited = b.try_for_a_while(tx.wait_send_all_might_not_block());
    if let Some(waited) = waited.await {
        succeeds("a wait for room to succeed", waited)?;
        return Err(Stop::Skipped("here the wait returns early, which it may"));
    }
    let sending = async {
        let waited = tx.wait_send_all_might_not_block().await;
        succeeds("room once the receiver reads", waited)?;
        succeeds("a close to succeed", tx.close().await)
    };
    let receiving = drain_exactly(&mut rx, &mut check, b.scratch, Pace::Hesitant, || total);
    b.turns.try_join(sending, receiving).await.map(|_| ())
}

pub(super) async fn blocked_send_breaks<S, R, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    S: SendStream,
    R: ReceiveStream + AsyncResource,
    M: Maker<S, R>,
    C: Clock,
{
    for wait in [false, true] {
        let (mut tx, rx) = dropped::clogging(maker).await?;
        let mut pattern = b.pattern();
        b.clog(&mut tx, &mut pattern).await?;
        let sending = async {
            if wait {
                match tx.wait_send_all_might_not_block().await {
                    Err(error) if error.fault() != Fault::Broken => {
                        violated("a wait to end with `Broken` or nothing", fault(&error))
                    }
                    _ => Ok(()),
                }
            } else {
                // A few more bytes may fit, but not endlessly many.
                breaks(&mut tx, b"more", b.clog_limit).await
            }
        };
        let leaving = async {
            for _ in 0..3 {
                yield_now().await;
            }
            drop(rx);
        };
        let (sent, ()) = b.turns.join(sending, leaving).await;
        sent?;
    }
    Ok(())
}
