//! The clauses of a stream that sends one way.

use futures_util::future::try_join;

use super::examiner::{Bench, Examiner, Maker, Verdict, fault, violated};
use super::report::{Direction, Found, Report, Summary};
use super::steps::{Pace, drain_exactly, fails_with, receive_exactly, succeeds, verifies};
use super::{dropped, ending};
use crate::stream::yield_now;
use crate::{AsyncResource, Clock, Fault, ReceiveStream, SendStream};

/// Checks a pair of connected streams against every clause for one direction.
///
/// Each clause runs on pairs of its own, and a failed clause does not keep the others from running. The clauses about drops run
/// their operation many times, each time dropped at a later poll. Where the maker makes pairs that clog, the clauses about
/// waiting for room run too.
///
/// Returns how many clauses came out which way; the examiner's report has each. The example is at [`Examiner`].
///
/// # Cancel safety
///
/// Safe. The pair at work is dropped.
pub async fn check_one_way_stream<S, R, M, C, P>(
    examiner: &mut Examiner<'_, C, P>,
    mut maker: M,
) -> Summary
where
    S: SendStream + AsyncResource,
    R: ReceiveStream + AsyncResource,
    M: Maker<S, R>,
    C: Clock,
    P: Report,
{
    let before = examiner.summary();
    examiner.set_direction(Direction::Forward);
    one_way(examiner, &mut maker).await;
    examiner.summary().since(before)
}

/// All clauses of one direction.
pub(super) async fn one_way<S, R, M, C, P>(examiner: &mut Examiner<'_, C, P>, maker: &mut M)
where
    S: SendStream + AsyncResource,
    R: ReceiveStream + AsyncResource,
    M: Maker<S, R>,
    C: Clock,
    P: Report,
{
    let e = examiner;
    e.clause("STR-01", "what is sent arrives", async |b| {
        arrives(maker, b).await
    })
    .await;
    e.clause(
        "STR-02",
        "an empty send is neither data nor the end",
        async |b| empty_send(maker, b).await,
    )
    .await;
    e.clause(
        "STR-04",
        "an empty buffer is invalid input and takes nothing",
        async |b| empty_buffer(maker, b).await,
    )
    .await;
    e.clause(
        "STR-05",
        "a receive returns what is there, at least a byte",
        async |b| what_is_there(maker, b).await,
    )
    .await;
    e.clause(
        "TKT-01",
        "write takes a prefix and reports its length",
        async |b| write_prefix(maker, b).await,
    )
    .await;
    e.clause(
        "STR-07",
        "waiting for room returns while a receiver waits",
        async |b| wait_with_receiver(maker, b).await,
    )
    .await;
    e.clause(
        "STR-13",
        "what was sent before a close arrives, then the end, which stays",
        async |b| send_then_close(maker, b).await,
    )
    .await;
    e.clause(
        "STR-28",
        "receiving until the end yields each byte once",
        async |b| receive_to_the_end(maker, b).await,
    )
    .await;
    e.clause("STR-08", "a closed receiver breaks the sender", async |b| {
        ending::receiver_closed(maker, b, true).await
    })
    .await;
    e.clause(
        "STR-14",
        "a dropped receiver breaks the sender",
        async |b| ending::receiver_closed(maker, b, false).await,
    )
    .await;
    e.clause("STR-09", "broken stays broken", async |b| {
        ending::broken_is_sticky(maker, b).await
    })
    .await;
    e.clause("RES-01", "close succeeds on both ends", async |b| {
        ending::closes(maker, b).await
    })
    .await;
    e.clause(
        "RES-06",
        "a peer that is gone is no failure of a close",
        async |b| ending::close_after_peer(maker, b).await,
    )
    .await;
    e.clause(
        "RES-07",
        "a forceful close never waits and never invents data",
        async |b| ending::forceful_close(maker, b).await,
    )
    .await;
    e.clause(
        "TKT-12",
        "a sender that is dropped does not seem to have ended",
        async |b| ending::cut_off(maker, b).await,
    )
    .await;
    e.clause(
        "STR-16",
        "waiting for room ends when the receiver makes some",
        async |b| ending::wait_for_room(maker, b).await,
    )
    .await;
    e.clause(
        "TKT-02",
        "a send that waits for room ends when the receiver goes",
        async |b| ending::blocked_send_breaks(maker, b).await,
    )
    .await;
    dropped::one_way(e, maker).await;
}

async fn arrives<S, R, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    S: SendStream,
    R: ReceiveStream,
    M: Maker<S, R>,
    C: Clock,
{
    let (mut tx, mut rx) = maker.make().await;
    let (mut pattern, mut check) = (b.pattern(), b.pattern());
    let (out, buf) = b.scratch.split_at_mut(b.scratch.len() / 2);
    for length in [1, 7, out.len() / 2] {
        let (data, _) = out.split_at_mut(length);
        pattern.fill(data);
        let sending = async { succeeds("a send to succeed", tx.send_all(data).await) };
        let receiving = receive_exactly(&mut rx, &mut check, buf, data.len() as u64);
        b.turns.try_join(sending, receiving).await?;
    }
    Ok(())
}

async fn empty_send<S, R, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    S: SendStream,
    R: ReceiveStream,
    M: Maker<S, R>,
    C: Clock,
{
    let (mut tx, mut rx) = maker.make().await;
    let sending = async {
        succeeds("an empty send to succeed", tx.send_all(b"").await)?;
        succeeds(
            "an empty `send_rest` to succeed",
            tx.send_rest(&mut &[][..]).await,
        )?;
        match tx.write(b"").await {
            Ok(0) => {}
            Ok(count) => return violated("an empty write to take nothing", Found::Count(count)),
            Err(error) => {
                return violated("an empty write to succeed", fault(&error));
            }
        }
        succeeds(
            "a send after an empty send to succeed",
            tx.send_all(b"y").await,
        )
    };
    let receiving = async {
        let mut one = [0];
        match rx.receive_some(&mut one).await {
            Ok(1) if one == *b"y" => Ok(()),
            Ok(0) => violated("the data after an empty send", Found::EndAt(0)),
            Ok(1) => violated("the data after an empty send", Found::DifferenceAt(0)),
            Ok(count) => violated("the data after an empty send", Found::Count(count)),
            Err(error) => violated("the data after an empty send", fault(&error)),
        }
    };
    let _ = &b;
    b.turns.try_join(sending, receiving).await.map(|_| ())
}

async fn empty_buffer<S, R, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    S: SendStream,
    R: ReceiveStream,
    M: Maker<S, R>,
    C: Clock,
{
    let (mut tx, mut rx) = maker.make().await;
    let (mut pattern, mut check) = (b.pattern(), b.pattern());
    let (out, buf) = b.scratch.split_at_mut(b.scratch.len() / 2);
    let (data, _) = out.split_at_mut(8);
    pattern.fill(data);
    // Before data is there, while it is there, and behind it.
    empty_receives(&mut rx).await?;
    let sending = async { succeeds("a send to succeed", tx.send_all(data).await) };
    let receiving = async {
        for _ in 0..3 {
            yield_now().await;
        }
        empty_receives(&mut rx).await?;
        receive_exactly(&mut rx, &mut check, buf, 8).await?;
        empty_receives(&mut rx).await
    };
    b.turns.try_join(sending, receiving).await.map(|_| ())
}

async fn empty_receives<R: ReceiveStream>(rx: &mut R) -> Verdict {
    let empty = rx.receive_some(&mut []).await;
    fails_with(
        "`InvalidInput` for an empty buffer",
        Fault::InvalidInput,
        empty,
    )?;
    match rx.read(&mut []).await {
        Ok(0) => Ok(()),
        Ok(count) => violated("an empty `read` to be 0 bytes", Found::Count(count)),
        Err(error) => violated("an empty `read` to be 0 bytes", fault(&error)),
    }
}

async fn what_is_there<S, R, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    S: SendStream,
    R: ReceiveStream,
    M: Maker<S, R>,
    C: Clock,
{
    let (mut tx, mut rx) = maker.make().await;
    let (mut pattern, mut check) = (b.pattern(), b.pattern());
    let (out, buf) = b.scratch.split_at_mut(b.scratch.len() / 2);
    let (data, _) = out.split_at_mut(3);
    pattern.fill(data);
    let sending = async { succeeds("a send to succeed", tx.send_all(data).await) };
    let receiving = async {
        // Never waits for a full buffer: three bytes are all that will come.
        while check.position() < 3 {
            match rx.receive_some(buf).await {
                Ok(0) => return violated("at least a byte", Found::EndAt(check.position())),
                Ok(count) => match buf.get(..count) {
                    Some(data) => verifies(&mut check, data)?,
                    None => return violated("what fits the buffer", Found::Count(count)),
                },
                Err(error) => return violated("at least a byte", fault(&error)),
            }
        }
        Ok(())
    };
    b.turns.try_join(sending, receiving).await.map(|_| ())
}

async fn write_prefix<S, R, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    S: SendStream + AsyncResource,
    R: ReceiveStream,
    M: Maker<S, R>,
    C: Clock,
{
    let (mut tx, mut rx) = maker.make().await;
    let (mut pattern, mut check) = (b.pattern(), b.pattern());
    let (out, buf) = b.scratch.split_at_mut(b.scratch.len() / 2);
    let total = out.len() as u64;
    let sending = async {
        while pattern.position() < total {
            let left = usize::try_from(total - pattern.position()).unwrap_or(usize::MAX);
            let (data, _) = out.split_at_mut(left.min(out.len()));
            pattern.clone().fill(data);
            let count = succeeds("a write to succeed", tx.write(data).await)?;
            if count == 0 || count > data.len() {
                return violated("a write of 1 byte up to all of them", Found::Count(count));
            }
            pattern.skip(count);
            succeeds("a flush to succeed", tx.flush().await)?;
        }
        succeeds("a repeated flush to succeed", tx.flush().await)
    };
    // What was flushed arrives without any further call.
    b.turns
        .try_join(sending, receive_exactly(&mut rx, &mut check, buf, total))
        .await?;
    let closing = async { succeeds("a close to succeed", tx.close().await) };
    let ending = drain_exactly(&mut rx, &mut check, buf, Pace::Fast, || total);
    b.turns.try_join(closing, ending).await.map(|_| ())
}

async fn wait_with_receiver<S, R, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    S: SendStream,
    R: ReceiveStream,
    M: Maker<S, R>,
    C: Clock,
{
    let (mut tx, mut rx) = maker.make().await;
    let (mut pattern, mut check) = (b.pattern(), b.pattern());
    let (out, buf) = b.scratch.split_at_mut(b.scratch.len() / 2);
    let (data, _) = out.split_at_mut(1);
    pattern.fill(data);
    // The receiver is polled first, so it waits when the sender looks.
    let receiving = receive_exactly(&mut rx, &mut check, buf, 1);
    let sending = async {
        let waited = tx.wait_send_all_might_not_block().await;
        succeeds("room while the receiver waits", waited)?;
        succeeds("a send to succeed", tx.send_all(data).await)
    };
    try_join(receiving, sending).await.map(|_| ())
}

async fn send_then_close<S, R, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    S: SendStream + AsyncResource,
    R: ReceiveStream,
    M: Maker<S, R>,
    C: Clock,
{
    let (mut tx, mut rx) = maker.make().await;
    let (mut pattern, mut check) = (b.pattern(), b.pattern());
    let (out, buf) = b.scratch.split_at_mut(b.scratch.len() / 2);
    let (data, _) = out.split_at_mut(1);
    pattern.fill(data);
    let sending = async {
        succeeds("a send to succeed", tx.send_all(data).await)?;
        succeeds("a close to succeed", tx.close().await)
    };
    let receiving = async {
        for _ in 0..3 {
            yield_now().await; // the close comes first where it does not need the receiver
        }
        drain_exactly(&mut rx, &mut check, buf, Pace::Fast, || 1).await?;
        for _ in 0..3 {
            for ended in [rx.receive_some(buf).await, rx.read(buf).await] {
                match succeeds("the end to stay the end", ended)? {
                    0 => {}
                    count => return violated("the end to stay the end", Found::Count(count)),
                }
            }
        }
        Ok(())
    };
    b.turns.try_join(sending, receiving).await.map(|_| ())
}

async fn receive_to_the_end<S, R, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    S: SendStream + AsyncResource,
    R: ReceiveStream,
    M: Maker<S, R>,
    C: Clock,
{
    let (mut tx, mut rx) = maker.make().await;
    let (mut pattern, mut check) = (b.pattern(), b.pattern());
    let (out, buf) = b.scratch.split_at_mut(b.scratch.len() / 2);
    let pieces = 16;
    let total = (out.len() * pieces) as u64;
    let sending = async {
        for piece in 0..pieces {
            pattern.fill(out);
            if piece % 2 == 0 {
                succeeds("a send to succeed", tx.send_all(out).await)?;
            } else {
                succeeds("a `write_all` to succeed", tx.write_all(out).await)?;
                succeeds("a flush to succeed", tx.flush().await)?;
            }
        }
        succeeds("a close to succeed", tx.close().await)
    };
    let receiving = drain_exactly(&mut rx, &mut check, buf, Pace::Hesitant, || total);
    b.turns.try_join(sending, receiving).await.map(|_| ())
}
