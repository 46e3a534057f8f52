//! The clauses about futures that are dropped before they are ready.
//!
//! Each runs its operation again and again on new pairs, dropped at a later poll each time, until it completes undropped; and
//! checks what the drop left behind. Pairs that clog make the sending operations wait, so that there is something to drop.

use futures_util::future::try_join;

use super::examiner::{Bench, Examiner, Maker, Stop, Verdict, fault, violated};
use super::report::{Found, Report};
use super::steps::{
    Arrivals, Counted, Ending, Pace, drain, drain_exactly, fails_with, succeeds, verifies,
};
use super::{DropPoint, Pattern};
use crate::stream::yield_now;
use crate::{AsyncResource, Clock, Fault, HalfCloseable, ReceiveStream, SendStream};

/// An operation that is still waiting at this poll is not dropped later than that.
pub(super) const ROUNDS: usize = 48;

/// The drops of one direction.
pub(super) async fn one_way<S, R, M, C, P>(e: &mut Examiner<'_, C, P>, maker: &mut M)
where
    S: SendStream + AsyncResource,
    R: ReceiveStream + AsyncResource,
    M: Maker<S, R>,
    C: Clock,
    P: Report,
{
    e.clause("TKT-03", "a dropped receive has taken nothing", async |b| {
        at_every_poll(b, async |point, b| receive_dropped(maker, b, point).await).await
    })
    .await;
    e.clause("TKT-04", "a dropped write has taken nothing", async |b| {
        at_every_poll(b, async |point, b| {
            sending_round(maker, b, async |tx, data| {
                write_dropped(tx, data, point).await
            })
            .await
        })
        .await
    })
    .await;
    e.clause(
        "TKT-05",
        "a dropped send_rest leaves exactly the rest",
        async |b| {
            at_every_poll(b, async |point, b| {
                sending_round(maker, b, async |tx, data| {
                    send_rest_dropped(tx, data, point).await
                })
                .await
            })
            .await
        },
    )
    .await;
    e.clause(
        "STR-29",
        "a dropped send_all has sent a prefix",
        async |b| at_every_poll(b, async |point, b| send_all_dropped(maker, b, point).await).await,
    )
    .await;
    e.clause("TKT-06", "a dropped flush can be repeated", async |b| {
        at_every_poll(b, async |point, b| {
            sending_round(maker, b, async |tx, data| {
                flush_dropped(tx, data, point).await
            })
            .await
        })
        .await
    })
    .await;
    e.clause(
        "TKT-07",
        "a dropped wait for room changes nothing",
        async |b| {
            at_every_poll(b, async |point, b| {
                sending_round(maker, b, async |tx, _| wait_dropped(tx, point).await).await
            })
            .await
        },
    )
    .await;
    e.clause(
        "RES-05",
        "a dropped close has closed forcefully",
        async |b| at_every_poll(b, async |point, b| close_dropped(maker, b, point).await).await,
    )
    .await;
    e.clause(
        "TKT-08",
        "dropping both ends' operations all the time loses no byte",
        async |b| storm(maker, b).await,
    )
    .await;
}

/// A pair that clogs, or the reason to skip.
pub(super) async fn clogging<S, R>(maker: &mut impl Maker<S, R>) -> Result<(S, R), Stop> {
    maker
        .make_clogging()
        .await
        .ok_or(Stop::Skipped("the maker makes no pairs that clog"))
}

/// Runs `round` for every point at which its operation can be dropped. It says whether the operation completed.
pub(super) async fn at_every_poll<'a, C: Clock>(
    b: &mut Bench<'a, C>,
    mut round: impl AsyncFnMut(DropPoint, &mut Bench<'a, C>) -> Result<bool, Stop>,
) -> Verdict {
    let mut completed = false;
    for point in DropPoint::up_to(ROUNDS) {
        if completed {
            break;
        }
        b.dropping_at(point);
        completed = round(point, b).await?;
    }
    Ok(())
}

/// A pair with as much under way as it takes, and the pattern after that; an ordinary pair where there is no clogging one.
async fn loaded<S, R, C>(
    maker: &mut impl Maker<S, R>,
    b: &mut Bench<'_, C>,
) -> Result<(S, R, Pattern), Stop>
where
    S: SendStream,
    C: Clock,
{
    let mut pattern = b.pattern();
    match maker.make_clogging().await {
        Some((mut tx, rx)) => {
            b.clog(&mut tx, &mut pattern).await?;
            Ok((tx, rx, pattern))
        }
        None => {
            let (tx, rx) = maker.make().await;
            Ok((tx, rx, pattern))
        }
    }
}

/// One round of a sending operation on a loaded pair.
///
/// `operation` says whether it completed undropped, and how much of the data it has sent and flushed: that has to arrive before
/// anything else is done. Then the rest is sent.
async fn sending_round<S, R, C>(
    maker: &mut impl Maker<S, R>,
    b: &mut Bench<'_, C>,
    operation: impl AsyncFnOnce(&mut S, &[u8]) -> Result<(bool, usize), Stop>,
) -> Result<bool, Stop>
where
    S: SendStream + AsyncResource,
    R: ReceiveStream,
    C: Clock,
{
    let (mut tx, rx, mut pattern) = loaded(maker, b).await?;
    let before = pattern.position();
    let mut check = b.pattern();
    let (out, buf) = b.scratch.split_at_mut(b.scratch.len() / 2);
    pattern.fill(out);
    let arrived = &Arrivals::default();
    let mut rx = Counted { rx, arrived };
    let sending = async {
        let (completed, taken) = operation(&mut tx, out).await?;
        let Some(rest) = out.get(taken..) else {
            return violated("no more bytes taken than there were", Found::Count(taken));
        };
        arrived.reach(before + taken as u64).await;
        if !rest.is_empty() {
            succeeds("a send of the rest to succeed", tx.send_all(rest).await)?;
        }
        succeeds("a close to succeed", tx.close().await)?;
        Ok(completed)
    };
    let total = pattern.position();
    let receiving = drain_exactly(&mut rx, &mut check, buf, Pace::Hesitant, || total);
    let (completed, ()) = b.turns.try_join(sending, receiving).await?;
    Ok(completed)
}

async fn write_dropped<S: SendStream>(
    tx: &mut S,
    data: &[u8],
    point: DropPoint,
) -> Result<(bool, usize), Stop> {
    let written = point.cut(tx.write(data)).await;
    let completed = written.is_some();
    let taken = succeeds("a write to succeed", written.unwrap_or(Ok(0)))?;
    succeeds("a flush to succeed", tx.flush().await)?;
    Ok((completed, taken))
}

async fn send_rest_dropped<S: SendStream>(
    tx: &mut S,
    data: &[u8],
    point: DropPoint,
) -> Result<(bool, usize), Stop> {
    let mut rest = data;
    let sent = point.cut(tx.send_rest(&mut rest)).await;
    let completed = sent.is_some();
    succeeds("a `send_rest` to succeed", sent.unwrap_or(Ok(())))?;
    if !completed {
        let sent = tx.send_rest(&mut rest).await;
        succeeds("a repeated `send_rest` to succeed", sent)?;
    }
    if !rest.is_empty() {
        return violated("nothing left after a `send_rest`", Found::Count(rest.len()));
    }
    Ok((completed, data.len()))
}

async fn flush_dropped<S: SendStream>(
    tx: &mut S,
    data: &[u8],
    point: DropPoint,
) -> Result<(bool, usize), Stop> {
    let taken = succeeds("a write to succeed", tx.write(data).await)?;
    let flushed = point.cut(tx.flush()).await;
    let completed = flushed.is_some();
    succeeds("a flush to succeed", flushed.unwrap_or(Ok(())))?;
    if !completed {
        succeeds("a repeated flush to succeed", tx.flush().await)?;
    }
    Ok((completed, taken))
}

async fn wait_dropped<S: SendStream>(tx: &mut S, point: DropPoint) -> Result<(bool, usize), Stop> {
    let waited = point.cut(tx.wait_send_all_might_not_block()).await;
    let completed = waited.is_some();
    succeeds("a wait for room to succeed", waited.unwrap_or(Ok(())))?;
    succeeds("a flush to succeed", tx.flush().await)?;
    Ok((completed, 0))
}

async fn receive_dropped<S, R, M, C>(
    maker: &mut M,
    b: &mut Bench<'_, C>,
    point: DropPoint,
) -> Result<bool, Stop>
where
    S: SendStream + AsyncResource,
    R: ReceiveStream,
    M: Maker<S, R>,
    C: Clock,
{
    let (mut tx, mut rx) = maker.make().await;
    let (mut pattern, mut check) = (b.pattern(), b.pattern());
    let (out, buf) = b.scratch.split_at_mut(b.scratch.len() / 2);
    pattern.fill(out);
    let total = out.len() as u64;
    let mut completed = false;
    let sending = async {
        for piece in out.chunks(out.len().div_ceil(3)) {
            yield_now().await;
            yield_now().await;
            succeeds("a send to succeed", tx.send_all(piece).await)?;
        }
        succeeds("a close to succeed", tx.close().await)
    };
    let receiving = async {
        if let Some(received) = point.cut(rx.receive_some(buf)).await {
            completed = true;
            let count = succeeds("a receive to succeed", received)?;
            match buf.get(..count) {
                Some(data) => verifies(&mut check, data)?,
                None => return violated("what fits the buffer", Found::Count(count)),
            }
        }
        drain_exactly(&mut rx, &mut check, buf, Pace::Fast, || total).await
    };
    try_join(receiving, sending).await?;
    Ok(completed)
}

async fn send_all_dropped<S, R, M, C>(
    maker: &mut M,
    b: &mut Bench<'_, C>,
    point: DropPoint,
) -> Result<bool, Stop>
where
    S: SendStream + AsyncResource,
    R: ReceiveStream,
    M: Maker<S, R>,
    C: Clock,
{
    let (mut tx, mut rx, mut pattern) = loaded(maker, b).await?;
    let before = pattern.position();
    let mut check = b.pattern();
    let (out, buf) = b.scratch.split_at_mut(b.scratch.len() / 2);
    pattern.fill(out);
    let mut completed = false;
    let sending = async {
        if let Some(sent) = point.cut(tx.send_all(out)).await {
            completed = true;
            succeeds("a send to succeed", sent)?;
        }
        succeeds("a close to succeed", tx.close().await)
    };
    let receiving = drain(&mut rx, &mut check, buf, Pace::Hesitant);
    let ((), ending) = b.turns.try_join(sending, receiving).await?;
    if ending == Ending::Broken {
        return violated("a proper end", Found::Fault(Fault::Broken));
    }
    let least = if completed {
        pattern.position()
    } else {
        before
    };
    if check.position() < least {
        return violated(
            "every byte that was sent for sure",
            Found::EndAt(check.position()),
        );
    }
    if check.position() > pattern.position() {
        return violated(
            "a prefix of what was sent",
            Found::ExtraAt(pattern.position()),
        );
    }
    Ok(completed)
}

async fn close_dropped<S, R, M, C>(
    maker: &mut M,
    b: &mut Bench<'_, C>,
    point: DropPoint,
) -> Result<bool, Stop>
where
    S: SendStream + AsyncResource,
    R: ReceiveStream,
    M: Maker<S, R>,
    C: Clock,
{
    let (tx, mut rx, pattern) = loaded(maker, b).await?;
    let mut check = b.pattern();
    let sent = pattern.position();
    let mut completed = false;
    let closing = async {
        if let Some(closed) = point.cut(tx.close()).await {
            completed = true;
            succeeds("a close to succeed", closed)?;
        }
        Ok(())
    };
    let receiving = drain(&mut rx, &mut check, b.scratch, Pace::Hesitant);
    let ((), ending) = b.turns.try_join(closing, receiving).await?;
    if completed && ending == Ending::Broken {
        return violated("a proper end after a close", Found::Fault(Fault::Broken));
    }
    if completed && check.position() < sent {
        return violated("every byte before the end", Found::EndAt(check.position()));
    }
    if check.position() > sent {
        return violated("no more than was sent", Found::ExtraAt(sent));
    }
    Ok(completed)
}

/// `send_eof`, dropped and repeated.
pub(super) async fn send_eof_dropped<S, R, M, C>(
    maker: &mut M,
    b: &mut Bench<'_, C>,
    point: DropPoint,
) -> Result<bool, Stop>
where
    S: HalfCloseable + AsyncResource,
    R: ReceiveStream,
    M: Maker<S, R>,
    C: Clock,
{
    let (mut tx, mut rx, pattern) = loaded(maker, b).await?;
    let mut check = b.pattern();
    let mut completed = false;
    let ending = async {
        if let Some(ended) = point.cut(tx.send_eof()).await {
            completed = true;
            succeeds("`send_eof` to succeed", ended)?;
        }
        succeeds("a repeated `send_eof` to succeed", tx.send_eof().await)?;
        fails_with(
            "`Closed` after the end",
            Fault::Closed,
            tx.send_all(b"x").await,
        )
    };
    let total = pattern.position();
    let receiving = drain_exactly(&mut rx, &mut check, b.scratch, Pace::Hesitant, || total);
    b.turns.try_join(ending, receiving).await?;
    Ok(completed)
}

/// How many polls a storm lets an operation live at most.
const STORM: usize = 3;
/// How many pieces of data go through one storm.
const PIECES: usize = 6;

async fn storm<S, R, M, C>(maker: &mut M, b: &mut Bench<'_, C>) -> Verdict
where
    S: SendStream + AsyncResource,
    R: ReceiveStream,
    M: Maker<S, R>,
    C: Clock,
{
    for point in DropPoint::up_to(STORM) {
        b.dropping_at(point);
        let (mut tx, mut rx) = match maker.make_clogging().await {
            Some(pair) => pair,
            None => maker.make().await,
        };
        let (pattern, check) = (b.pattern(), b.pattern());
        let (out, buf) = b.scratch.split_at_mut(b.scratch.len() / 2);
        let total = storm_length(out.len());
        let sending = async {
            send_in_storm(&mut tx, pattern, out, point).await?;
            succeeds("a close to succeed", tx.close().await)
        };
        b.turns
            .try_join(
                sending,
                receive_in_storm(&mut rx, check, buf, point, Until::EndAfter(total)),
            )
            .await?;
    }
    Ok(())
}

/// Where the next of many attempts is dropped: at the point of the storm, but every so often nowhere.
///
/// A stream promises that a drop loses nothing, not that a poll achieves something: two ends that always leave after their first
/// poll need never meet. So each end stays now and then, the two at different times.
struct Attempts {
    point: DropPoint,
    patient: usize,
    count: usize,
}

impl Attempts {
    const fn new(point: DropPoint, patient: usize) -> Self {
        Self {
            point,
            patient,
            count: 0,
        }
    }

    const fn next(&mut self) -> DropPoint {
        self.count += 1;
        if self.count.is_multiple_of(self.patient) {
            DropPoint::after_poll(usize::MAX)
        } else {
            self.point
        }
    }
}

/// Sends pieces of the pattern; operations are dropped at `point` and begun anew.
pub(super) async fn send_in_storm<S: SendStream>(
    tx: &mut S,
    mut pattern: Pattern,
    out: &mut [u8],
    point: DropPoint,
) -> Verdict {
    let mut attempts = Attempts::new(point, 5);
    for _ in 0..PIECES {
        pattern.fill(out);
        let mut rest: &[u8] = out;
        loop {
            match attempts.next().cut(tx.send_rest(&mut rest)).await {
                Some(sent) => break succeeds("a `send_rest` to succeed", sent)?,
                None => yield_now().await,
            }
            // With all taken, the receiver may be content, and in lockstep there would be no room any more.
            if !rest.is_empty()
                && let Some(waited) = point.cut(tx.wait_send_all_might_not_block()).await
            {
                succeeds("a wait for room to succeed", waited)?;
            }
        }
    }
    Ok(())
}

/// How far to receive.
#[derive(Clone, Copy)]
pub(super) enum Until {
    /// These bytes, because the sender stays or has no end of its own.
    Bytes(u64),
    /// A proper end after these bytes.
    EndAfter(u64),
}

/// Receives what `send_in_storm` sends; operations are dropped at `point` and begun anew.
pub(super) async fn receive_in_storm<R: ReceiveStream>(
    rx: &mut R,
    mut check: Pattern,
    buf: &mut [u8],
    point: DropPoint,
    until: Until,
) -> Verdict {
    let (Until::Bytes(total) | Until::EndAfter(total)) = until;
    let mut attempts = Attempts::new(point, 7);
    loop {
        if matches!(until, Until::Bytes(_)) && check.position() == total {
            return Ok(());
        }
        match attempts.next().cut(rx.receive_some(buf)).await {
            None => yield_now().await,
            Some(Ok(0)) if check.position() == total => return Ok(()),
            Some(Ok(0)) => return violated("every byte", Found::EndAt(check.position())),
            Some(Ok(count)) => match buf.get(..count) {
                Some(data) => verifies(&mut check, data)?,
                None => return violated("what fits the buffer", Found::Count(count)),
            },
            Some(Err(error)) => {
                return violated("data or the end", fault(&error));
            }
        }
        if check.position() > total {
            return violated("no more than was sent", Found::ExtraAt(total));
        }
    }
}

/// How many bytes go through a storm with pieces of this length.
pub(super) const fn storm_length(piece: usize) -> u64 {
    (piece * PIECES) as u64
}
