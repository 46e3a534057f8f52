//! The clauses of a stream that goes both ways, and of one whose directions end apart.

use futures_util::future::try_join;
use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;

use super::dropped::{self, Until, receive_in_storm, send_in_storm, storm_length};
use super::examiner::{Bench, Examiner, Maker, Swapped, Verdict, fault, violated};
use super::one_way::one_way;
use super::report::{Direction, Found, Report, Summary};
use super::steps::{Pace, drain_exactly, fails_with, receive_exactly, succeeds, verifies};
use super::{DropPoint, Pattern};
use crate::{AsyncResource, Clock, Fault, HalfCloseable, ReceiveStream, SendStream, Split};

/// Checks a pair of connected two-way streams: every clause of
/// [`check_one_way_stream`](super::check_one_way_stream) in both directions, then those of full duplex.
///
/// # Cancel safety
///
/// Safe. The pair at work is dropped.
pub async fn check_two_way_stream<A, B, M, C, P>(
    examiner: &mut Examiner<'_, C, P>,
    mut maker: M,
) -> Summary
where
    A: Split + AsyncResource,
    B: Split + AsyncResource,
    M: Maker<A, B>,
    C: Clock,
    P: Report,
{
    let before = examiner.summary();
    two_way(examiner, &mut maker).await;
    examiner.summary().since(before)
}

/// Checks a pair of connected half-closeable streams: every clause of [`check_two_way_stream`], then those of an end that
/// leaves the other direction open.
///
/// The example is at [`Examiner`].
///
/// # Cancel safety
///
/// Safe. The pair at work is dropped.
pub async fn check_half_closeable_stream<A, B, M, C, P>(
    examiner: &mut Examiner<'_, C, P>,
    mut maker: M,
) -> Summary
where
    A: Split + HalfCloseable + AsyncResource,
    B: Split + HalfCloseable + AsyncResource,
    M: Maker<A, B>,
    C: Clock,
    P: Report,
{
    let before = examiner.summary();
    two_way(examiner, &mut maker).await;
    examiner.set_direction(Direction::Forward);
    half_closeable(examiner, &mut maker).await;
    examiner.set_direction(Direction::Backward);
    half_closeable(examiner, &mut Swapped(&mut maker)).await;
    examiner.set_direction(Direction::Forward);
    examiner.summary().since(before)
}

async fn two_way<A, B, M, C, P>(e: &mut Examiner<'_, C, P>, maker: &mut M)
where
    A: Split + AsyncResource,
    B: Split + AsyncResource,
    M: Maker<A, B>,
    C: Clock,
    P: Report,
{
    e.set_direction(Direction::Forward);
    one_way(e, maker).await;
    e.set_direction(Direction::Backward);
    one_way(e, &mut Swapped(maker)).await;
    e.set_direction(Direction::Both);
    e.clause(
        "STR-22",
        "both directions carry their data at the same time",
        async |b| full_duplex(maker, b).await,
    )
    .await;
    e.clause(
        "STR-23",
        "a close is the end for a peer that waits, which closes too",
        async |b| close_wakes_peer(maker, b).await,
    )
    .await;
    e.clause("TKT-09", "dropping a half closes nothing", async |b| {
        dropped_halves(maker, b).await
    })
    .await;
    e.clause(
        "TKT-10",
        "dropping operations on all four halves loses no byte",
        async |b| storm_on_halves(maker, b).await,
    )
    .await;
    e.set_direction(Direction::Forward);
}

async fn half_closeable<A, B, M, C, P>(e: &mut Examiner<'_, C, P>, maker: &mut M)
where
    A: Split + HalfCloseable + AsyncResource,
    B: Split + HalfCloseable + AsyncResource,
    M: Maker<A, B>,
    C: Clock,
    P: Report,
{
    e.clause(
        "STR-24",
        "what was sent before send_eof arrives, then the end",
        async |b| end_arrives(maker, b).await,
    )
    .await;
    e.clause("STR-25", "after send_eof, sends are closed", async |b| {
        closed_after_end(maker, b).await
    })
    .await;
    e.clause("STR-26", "a second send_eof is harmless", async |b| {
        second_end(maker, b).await
    })
    .await;
    e.clause(
        "STR-27",
        "after send_eof the other direction goes on, to its own end",
        async |b| other_direction(maker, b).await,
    )
    .await;
    e.clause("TKT-11", "a dropped send_eof can be repeated", async |b| {
        dropped::at_every_poll(b, async |point, b| {
            dropped::send_eof_dropped(maker, b, point).await
        })
        .await
    })
    .await;
}

/// Sends the whole of a pattern in pieces of random size, then the end.
async fn send_at_random<S: HalfCloseable>(
    mut tx: S,
    mut pattern: Pattern,
    out: &mut [u8],
    total: u64,
    mut sizes: SplitMix64,
) -> Verdict {
    while pattern.position() < total {
        let left = usize::try_from(total - pattern.position()).unwrap_or(usize::MAX);
        let (piece, _) = out.split_at_mut(random_length(&mut sizes, out.len()).min(left));
        pattern.fill(piece);
        succeeds("a send to succeed", tx.send_all(piece).await)?;
    }
    // Without an end of its own, a stream can still be checked in full duplex.
    match tx.send_eof().await {
        Err(error) if crate::Error::fault(&error) != Fault::Unsupported => {
            violated("`send_eof` to succeed", fault(&error))
        }
        _ => Ok(()),
    }
}

/// Receives and verifies `total` bytes into buffers of random size.
async fn receive_at_random<R: ReceiveStream>(
    mut rx: R,
    mut check: Pattern,
    buf: &mut [u8],
    total: u64,
    mut sizes: SplitMix64,
) -> Verdict {
    while check.position() < total {
        let (piece, _) = buf.split_at_mut(random_length(&mut sizes, buf.len()));
        match rx.receive_some(piece).await {
            Ok(0) => return violated("every byte", Found::EndAt(check.position())),
            Ok(count) => match piece.get(..count) {
                Some(data) => verifies(&mut check, data)?,
                None => return violated("what fits the buffer", Found::Count(count)),
            },
            Err(error) => return violated("every byte", fault(&error)),
        }
    }
    if check.position() > total {
        return violated("no more than was sent", Found::ExtraAt(total));
    }
    Ok(())
}

fn random_length(sizes: &mut SplitMix64, most: usize) -> usize {
    1 + usize::try_from(sizes.next_u64() % most.max(1) as u64).unwrap_or_default()
}

/// A fourth of the scratch memory for each of four halves.
fn quarters(scratch: &mut [u8]) -> [&mut [u8]; 4] {
    let (first, second) = scratch.split_at_mut(scratch.len() / 2);
    let (a, b) = first.split_at_mut(first.len() / 2);
    let (c, d) = second.split_at_mut(a.len());
    let (d, _) = d.split_at_mut(a.len());
    [a, b, c, d]
}

async fn full_duplex<A, B, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    A: Split + AsyncResource,
    B: Split + AsyncResource,
    M: Maker<A, B>,
    C: Clock,
{
    let (mut left, mut right) = maker.make().await;
    let (there, back) = (Pattern::new(b.seed), Pattern::new(!b.seed));
    let total = b.duplex_bytes;
    let seed = b.seed ^ 0x5EED_0000;
    let sizes = |half| SplitMix64::seed_from_u64(seed ^ half);
    let [a_out, b_out, a_in, b_in] = quarters(b.scratch);
    let ((left_tx, left_rx), (right_tx, right_rx)) = (left.split(), right.split());
    b.turns
        .try_join4(
            send_at_random(left_tx, there.clone(), a_out, total, sizes(0)),
            send_at_random(right_tx, back.clone(), b_out, total, sizes(1)),
            receive_at_random(left_rx, back, a_in, total, sizes(2)),
            receive_at_random(right_rx, there, b_in, total, sizes(3)),
        )
        .await?;
    let (left, right) = b.turns.join(left.close(), right.close()).await;
    succeeds("a close to succeed", left)?;
    succeeds("a close to succeed", right)
}

async fn close_wakes_peer<A, B, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    A: Split + AsyncResource,
    B: Split + AsyncResource,
    M: Maker<A, B>,
    C: Clock,
{
    let (left, mut right) = maker.make().await;
    let mut check = b.pattern();
    // The receiver waits before the close comes.
    let receiving = async {
        drain_exactly(&mut right, &mut check, b.scratch, Pace::Fast, || 0).await?;
        succeeds("a close after the peer's to succeed", right.close().await)
    };
    let closing = async { succeeds("a close to succeed", left.close().await) };
    try_join(receiving, closing).await.map(|_| ())
}

async fn dropped_halves<A, B, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    A: Split + AsyncResource,
    B: Split + AsyncResource,
    M: Maker<A, B>,
    C: Clock,
{
    let (mut left, mut right) = maker.make().await;
    let (mut there, mut back) = (Pattern::new(b.seed), Pattern::new(!b.seed));
    let (mut check_there, mut check_back) = (there.clone(), back.clone());
    let [out, buf, back_out, back_buf] = quarters(b.scratch);
    for _ in 0..3 {
        drop(left.split());
        drop(right.split());
        there.fill(out);
        back.fill(back_out);
        let sending = async {
            let (mut tx, _) = left.split();
            succeeds("a send by a half to succeed", tx.send_all(out).await)
        };
        let count = out.len() as u64;
        b.turns
            .try_join(
                sending,
                receive_exactly(&mut right, &mut check_there, buf, count),
            )
            .await?;
        let sending = async { succeeds("a send to succeed", right.send_all(back_out).await) };
        let (_, mut rx) = left.split();
        let count = back_out.len() as u64;
        b.turns
            .try_join(
                sending,
                receive_exactly(&mut rx, &mut check_back, back_buf, count),
            )
            .await?;
    }
    Ok(())
}

async fn storm_on_halves<A, B, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    A: Split + AsyncResource,
    B: Split + AsyncResource,
    M: Maker<A, B>,
    C: Clock,
{
    for point in [1, 2].into_iter().flat_map(|polls| {
        [
            DropPoint::after_poll(polls),
            DropPoint::when_woken_after_poll(polls),
        ]
    }) {
        b.dropping_at(point);
        let (mut left, mut right) = match maker.make_clogging().await {
            Some(pair) => pair,
            None => maker.make().await,
        };
        let (there, back) = (Pattern::new(b.seed), Pattern::new(!b.seed));
        let [a_out, b_out, a_in, b_in] = quarters(b.scratch);
        let total = storm_length(a_out.len());
        let ((mut left_tx, mut left_rx), (mut right_tx, mut right_rx)) =
            (left.split(), right.split());
        b.turns
            .try_join4(
                send_in_storm(&mut left_tx, there.clone(), a_out, point),
                send_in_storm(&mut right_tx, back.clone(), b_out, point),
                receive_in_storm(&mut left_rx, back, a_in, point, Until::Bytes(total)),
                receive_in_storm(&mut right_rx, there, b_in, point, Until::Bytes(total)),
            )
            .await?;
    }
    Ok(())
}

async fn end_arrives<A, B, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    A: HalfCloseable,
    B: ReceiveStream,
    M: Maker<A, B>,
    C: Clock,
{
    let (mut tx, mut rx) = maker.make().await;
    let (mut pattern, mut check) = (b.pattern(), b.pattern());
    let (out, buf) = b.scratch.split_at_mut(b.scratch.len() / 2);
    pattern.fill(out);
    let total = out.len() as u64;
    let sending = async {
        succeeds("a send to succeed", tx.send_all(out).await)?;
        succeeds("`send_eof` to succeed", tx.send_eof().await)
    };
    let receiving = drain_exactly(&mut rx, &mut check, buf, Pace::Hesitant, || total);
    b.turns.try_join(sending, receiving).await.map(|_| ())
}

async fn closed_after_end<A, B, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    A: HalfCloseable,
    B: ReceiveStream,
    M: Maker<A, B>,
    C: Clock,
{
    let (mut tx, mut rx) = maker.make().await;
    let mut check = b.pattern();
    let sending = async {
        succeeds("`send_eof` to succeed", tx.send_eof().await)?;
        for data in [&b"x"[..], b""] {
            fails_with(
                "`Closed` for a send",
                Fault::Closed,
                tx.send_all(data).await,
            )?;
            fails_with("`Closed` for a write", Fault::Closed, tx.write(data).await)?;
        }
        let waited = tx.wait_send_all_might_not_block().await;
        fails_with("`Closed` for a wait", Fault::Closed, waited)?;
        succeeds("a flush after the end to succeed", tx.flush().await)
    };
    let receiving = drain_exactly(&mut rx, &mut check, b.scratch, Pace::Fast, || 0);
    b.turns.try_join(sending, receiving).await.map(|_| ())
}

async fn second_end<A, B, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    A: HalfCloseable + AsyncResource,
    B: ReceiveStream + AsyncResource,
    M: Maker<A, B>,
    C: Clock,
{
    let (mut tx, mut rx) = maker.make().await;
    let mut check = b.pattern();
    let sending = async {
        for _ in 0..3 {
            succeeds("every `send_eof` to succeed", tx.send_eof().await)?;
        }
        Ok(())
    };
    let receiving = drain_exactly(&mut rx, &mut check, b.scratch, Pace::Fast, || 0);
    b.turns.try_join(sending, receiving).await?;
    succeeds("`send_eof` to succeed behind the end", tx.send_eof().await)?;
    let (sender, receiver) = b.turns.join(tx.close(), rx.close()).await;
    succeeds("a close after `send_eof` to succeed", sender)?;
    succeeds("the receiver's close to succeed", receiver)
}

async fn other_direction<A, B, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    A: HalfCloseable + ReceiveStream + AsyncResource,
    B: HalfCloseable + ReceiveStream + AsyncResource,
    M: Maker<A, B>,
    C: Clock,
{
    let (mut left, mut right) = maker.make().await;
    let (mut pattern, mut check, mut nothing) = (b.pattern(), b.pattern(), b.pattern());
    let [out, buf, scrap, _] = quarters(b.scratch);
    pattern.fill(out);
    let total = out.len() as u64;
    let ending = async { succeeds("`send_eof` to succeed", left.send_eof().await) };
    b.turns
        .try_join(
            ending,
            drain_exactly(&mut right, &mut nothing, scrap, Pace::Fast, || 0),
        )
        .await?;
    let sending = async {
        succeeds(
            "a send after the peer's end to succeed",
            right.send_all(out).await,
        )?;
        succeeds(
            "`send_eof` after the peer's to succeed",
            right.send_eof().await,
        )
    };
    let receiving = drain_exactly(&mut left, &mut check, buf, Pace::Hesitant, || total);
    b.turns.try_join(sending, receiving).await?;
    let (left, right) = b.turns.join(left.close(), right.close()).await;
    succeeds("a close to succeed", left)?;
    succeeds("a close to succeed", right)
}
