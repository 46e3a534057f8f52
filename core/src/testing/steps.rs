//! The small steps that clauses are made of.

use core::cell::Cell;
use core::future::poll_fn;
use core::task::{Poll, Waker};

use embedded_io_async::{ErrorType, Read};

use super::Pattern;
use super::examiner::{Stop, Verdict, fault, violated};
use super::report::Found;
use crate::stream::yield_now;
use crate::{Error, Fault, ReceiveStream, SendStream};

/// Turns an error into a violation of `expected`.
pub(super) fn succeeds<T, E: Error>(
    expected: &'static str,
    result: Result<T, E>,
) -> Result<T, Stop> {
    result.or_else(|error| violated(expected, fault(&error)))
}

/// Demands that `result` is this `fault`.
pub(super) fn fails_with<T, E: Error>(
    expected: &'static str,
    wanted: Fault,
    result: Result<T, E>,
) -> Verdict {
    match result {
        Ok(_) => violated(expected, Found::Success),
        Err(error) if error.fault() == wanted => Ok(()),
        Err(error) => violated(expected, fault(&error)),
    }
}

/// Compares received bytes with the pattern.
pub(super) fn verifies(pattern: &mut Pattern, data: &[u8]) -> Verdict {
    pattern.verify(data).or_else(|position| {
        violated(
            "the bytes that were sent, in order",
            Found::DifferenceAt(position),
        )
    })
}

/// A receiver that tells a sender how much has arrived.
pub(super) struct Counted<'a, R> {
    pub(super) rx: R,
    pub(super) arrived: &'a Arrivals,
}

/// How many bytes have arrived, and who waits for more.
#[derive(Default)]
pub(super) struct Arrivals {
    count: Cell<u64>,
    waiter: Cell<Option<Waker>>,
}

impl Arrivals {
    fn add(&self, count: usize) {
        self.count.set(self.count.get() + count as u64);
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
    }

    /// Waits, for one task, until this many have arrived.
    pub(super) async fn reach(&self, count: u64) {
        poll_fn(|cx| {
            if self.count.get() >= count {
                return Poll::Ready(());
            }
            self.waiter.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

impl<R: ErrorType> ErrorType for Counted<'_, R> {
    type Error = R::Error;
}

impl<R: ReceiveStream> Read for Counted<'_, R> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, R::Error> {
        let count = self.rx.read(buf).await?;
        self.arrived.add(count);
        Ok(count)
    }
}

impl<R: ReceiveStream> ReceiveStream for Counted<'_, R> {
    async fn receive_some(&mut self, buf: &mut [u8]) -> Result<usize, R::Error> {
        let count = self.rx.receive_some(buf).await?;
        self.arrived.add(count);
        Ok(count)
    }
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Proper,
    Broken,
}

/// How fast a reader takes what arrives.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// As fast as it can.
    Fast,
    /// The first bytes in small pieces with pauses, so that a waiting sender is polled often.
    Hesitant,
}

/// Receives and verifies everything up to the end of the stream, whatever kind of end; returns how many bytes came.
pub(super) async fn drain<R: ReceiveStream>(
    rx: &mut R,
    pattern: &mut Pattern,
    buf: &mut [u8],
    pace: Pace,
) -> Result<Ending, Stop> {
    let mut pauses = match pace {
        Pace::Fast => 0,
        Pace::Hesitant => 10,
    };
    for turn in 0_usize.. {
        let (piece, _) = buf.split_at_mut(if pauses > 0 {
            16.min(buf.len())
        } else {
            buf.len()
        });
        let received = if turn.is_multiple_of(2) {
            rx.receive_some(piece).await
        } else {
            rx.read(piece).await // the same, by the other name
        };
        match received {
            Ok(0) => return Ok(Ending::Proper),
            Ok(count) => match piece.get(..count) {
                Some(data) => verifies(pattern, data)?,
                None => {
                    return violated("no more bytes than the buffer holds", Found::Count(count));
                }
            },
            Err(error) if matches!(error.fault(), Fault::Broken | Fault::Truncated) => {
                stays_broken(rx, buf).await?;
                return Ok(Ending::Broken);
            }
            Err(error) => return violated("data, the end, or a broken stream", fault(&error)),
        }
        if pauses > 0 {
            pauses -= 1;
            yield_now().await;
        }
    }
    Ok(Ending::Proper)
}

/// A stream that was broken must not seem to have ended properly after all.
async fn stays_broken<R: ReceiveStream>(rx: &mut R, buf: &mut [u8]) -> Verdict {
    for _ in 0..3 {
        match rx.receive_some(buf).await {
            Err(error) if matches!(error.fault(), Fault::Broken | Fault::Truncated) => {}
            Ok(count) => return violated("a broken stream again", Found::Count(count)),
            Err(error) => return violated("a broken stream again", fault(&error)),
        }
    }
    Ok(())
}

/// Receives and verifies up to a proper end after exactly `total` bytes.
pub(super) async fn drain_exactly<R: ReceiveStream>(
    rx: &mut R,
    pattern: &mut Pattern,
    buf: &mut [u8],
    pace: Pace,
    total: impl Fn() -> u64,
) -> Verdict {
    let ending = drain(rx, pattern, buf, pace).await?;
    if ending == Ending::Broken {
        return violated("a proper end of the stream", Found::Fault(Fault::Broken));
    }
    let (got, total) = (pattern.position(), total());
    if got < total {
        violated("every byte before the end", Found::EndAt(got))
    } else if got > total {
        violated("the end after the last byte", Found::ExtraAt(total))
    } else {
        Ok(())
    }
}

/// Receives and verifies exactly `count` further bytes.
pub(super) async fn receive_exactly<R: ReceiveStream>(
    rx: &mut R,
    pattern: &mut Pattern,
    buf: &mut [u8],
    count: u64,
) -> Verdict {
    let until = pattern.position() + count;
    while pattern.position() < until {
        let left = usize::try_from(until - pattern.position()).unwrap_or(usize::MAX);
        let (piece, _) = buf.split_at_mut(left.min(buf.len()));
        match rx.receive_some(piece).await {
            Ok(0) => return violated("data that was sent", Found::EndAt(pattern.position())),
            Ok(count) => match piece.get(..count) {
                Some(data) => verifies(pattern, data)?,
                None => {
                    return violated("no more bytes than the buffer holds", Found::Count(count));
                }
            },
            Err(error) => return violated("data that was sent", fault(&error)),
        }
    }
    Ok(())
}

/// Sends until the stream reports an error, and demands that it is `Broken`, before it has taken more than `limit` bytes.
pub(super) async fn breaks<S: SendStream>(tx: &mut S, chunk: &[u8], limit: u64) -> Verdict {
    let mut taken = 0;
    let error = loop {
        match tx.send_all(chunk).await {
            Ok(()) if taken > limit => {
                return violated("`Broken` once the receiver is gone", Found::Taken(taken));
            }
            Ok(()) => yield_now().await,
            Err(error) => break error,
        }
        taken += chunk.len() as u64;
    };
    if error.fault() != Fault::Broken {
        return violated("`Broken` once the receiver is gone", fault(&error));
    }
    Ok(())
}
