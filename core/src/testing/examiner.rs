//! Runs clauses: each on streams of its own, against a time limit, with a report.

use core::cell::Cell;
use core::time::Duration;

use super::dropped::ROUNDS;
use super::report::{Clause, Direction, Found, Outcome, Report, Summary, Violation};
use super::turns::Turns;
use super::{DropPoint, Pattern};
use crate::{Clock, SendStream, timeout};

/// Makes the pairs of connected streams that a check takes apart, one for each clause or round.
///
/// An async closure that returns a pair is a maker; [`Makers`] adds pairs that clog.
pub trait Maker<S, R> {
    /// Makes a new connected pair: the first sends, the second receives.
    ///
    /// # Cancel safety
    ///
    /// Not safe. The checks await it to the end.
    async fn make(&mut self) -> (S, R);

    /// Makes a new connected pair, with nothing sent yet, that clogs after a bounded number of bytes; `None` where there is no
    /// such thing, and then the clauses about clogging are skipped.
    ///
    /// # Cancel safety
    ///
    /// Not safe. The checks await it to the end.
    async fn make_clogging(&mut self) -> Option<(S, R)> {
        None
    }
}

impl<S, R, F: AsyncFnMut() -> (S, R)> Maker<S, R> for F {
    async fn make(&mut self) -> (S, R) {
        self().await
    }
}

/// A maker of ordinary pairs and a maker of pairs that clog.
///
/// A pair clogs when sending waits until the other end receives: small buffers, and an end that does not read by itself.
/// The check fills it with data of its own, all of which it verifies. A layer with a handshake has to be past it, because nobody
/// receives while the pair is filled.
#[derive(Clone, Copy, Debug)]
pub struct Makers<M, N> {
    make: M,
    make_clogging: N,
}

impl<M, N> Makers<M, N> {
    /// Both makers; each is an async closure that returns a pair.
    pub const fn new(make: M, make_clogging: N) -> Self {
        Self {
            make,
            make_clogging,
        }
    }
}

impl<S, R, M, N> Maker<S, R> for Makers<M, N>
where
    M: AsyncFnMut() -> (S, R),
    N: AsyncFnMut() -> (S, R),
{
    async fn make(&mut self) -> (S, R) {
        (self.make)().await
    }

    async fn make_clogging(&mut self) -> Option<(S, R)> {
        Some((self.make_clogging)().await)
    }
}

/// The pairs of another maker with their ends swapped.
pub(super) struct Swapped<'a, M>(pub(super) &'a mut M);

impl<S, R, M: Maker<S, R>> Maker<R, S> for Swapped<'_, M> {
    async fn make(&mut self) -> (R, S) {
        let (first, second) = self.0.make().await;
        (second, first)
    }

    async fn make_clogging(&mut self) -> Option<(R, S)> {
        let (first, second) = self.0.make_clogging().await?;
        Some((second, first))
    }
}

/// How often a clause waits for a stream to settle, at most: once a round, twice for each poll at which it drops.
const SETTLES: u32 = 2 * ROUNDS as u32 + 4;

/// Runs checks: with which clock, which memory, which patience, and where the results go.
///
/// ```
/// use tacket::testing::{Examiner, Makers, MemoryPair, check_half_closeable_stream};
/// # use core::time::Duration;
/// # struct Clock(core::cell::Cell<Duration>);
/// # impl tacket::Clock for Clock {
/// #     fn now(&self) -> Duration { self.0.get() }
/// #     async fn sleep_until(&self, deadline: Duration) {
/// #         core::future::poll_fn(|cx| {
/// #             cx.waker().wake_by_ref();
/// #             self.0.set(self.0.get() + Duration::from_micros(100)); // each look takes its time
/// #             if self.now() >= deadline { core::task::Poll::Ready(()) } else { core::task::Poll::Pending }
/// #         }).await;
/// #     }
/// # }
/// # let clock = Clock(Duration::ZERO.into());
/// # let mut future = core::pin::pin!(async {
/// let pair = MemoryPair::new([0; 64], [0; 64]);
/// let make = async || pair.open().expect("the last pair is gone");
///
/// let mut scratch = [0; 1024];
/// let mut examiner = Examiner::new(&clock, &mut scratch, |clause: &_, outcome: &_| {
///     println!("{clause}: {outcome}");
/// });
/// let summary = check_half_closeable_stream(&mut examiner, Makers::new(make, make)).await;
/// assert_eq!(summary.failed, 0);
/// # });
/// # while futures_util::FutureExt::now_or_never(future.as_mut()).is_none() {}
/// ```
#[derive(Debug)]
pub struct Examiner<'a, C, P> {
    bench: Bench<'a, C>,
    limit: Duration,
    report: P,
    summary: Summary,
    direction: Direction,
}

/// What the body of a clause works with.
#[derive(Debug)]
pub(super) struct Bench<'a, C> {
    pub(super) clock: &'a C,
    pub(super) scratch: &'a mut [u8],
    pub(super) seed: u64,
    pub(super) turns: Turns,
    pub(super) duplex_bytes: u64,
    settle: Duration,
    pub(super) clog_limit: u64,
    /// Where the round under way drops its operation, for the report.
    place: Cell<Option<DropPoint>>,
}

impl<'a, C: Clock, P: Report> Examiner<'a, C, P> {
    /// Makes an examiner that works in `scratch`: data of up to a quarter of it moves at once, so 64 KiB tries large pieces, and
    /// the 256 bytes that are the least do on a microcontroller.
    pub fn new<const N: usize>(clock: &'a C, scratch: &'a mut [u8; N], report: P) -> Self {
        const {
            assert!(
                N >= 256,
                "a check needs at least 256 bytes of scratch memory"
            )
        }
        Self {
            bench: Bench {
                clock,
                scratch,
                seed: 1,
                turns: Turns::new(1),
                duplex_bytes: 1 << 20,
                settle: Duration::from_millis(20),
                clog_limit: 64 << 20,
                place: Cell::new(None),
            },
            limit: Duration::from_secs(30),
            report,
            summary: Summary::default(),
            direction: Direction::Forward,
        }
    }

    /// How long one clause may take before it counts as hung; 30 seconds unless set. What it waits for streams to
    /// [settle](Self::settle) does not count.
    #[must_use]
    pub const fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// How long a waiting operation is watched before the stream counts as clogged; 20 milliseconds unless set.
    ///
    /// Longer than the transport needs to move what is under way.
    #[must_use]
    pub const fn settle(mut self, settle: Duration) -> Self {
        self.bench.settle = settle;
        self
    }

    /// After how many bytes a pair counts as one that does not clog, or that does not notice that its receiver is gone; 64 MiB
    /// unless set.
    #[must_use]
    pub const fn clog_limit(mut self, bytes: u64) -> Self {
        self.bench.clog_limit = bytes;
        self
    }

    /// How many bytes the full-duplex clause moves each way; 1 MiB unless set.
    #[must_use]
    pub const fn duplex_bytes(mut self, bytes: u64) -> Self {
        self.bench.duplex_bytes = bytes;
        self
    }

    /// Seeds the data, the sizes of its pieces, and which end goes first when both could; 1 unless set. The same seed tries the
    /// same.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.bench.seed = seed;
        self
    }

    /// The results of all checks so far.
    pub const fn summary(&self) -> Summary {
        self.summary
    }

    pub(super) const fn set_direction(&mut self, direction: Direction) {
        self.direction = direction;
    }

    /// Runs the body of one clause and reports how it came out.
    pub(super) async fn clause(
        &mut self,
        id: &'static str,
        rule: &'static str,
        body: impl AsyncFnOnce(&mut Bench<'a, C>) -> Verdict,
    ) {
        self.bench.place.set(None);
        self.bench.turns = Turns::new(self.bench.seed); // so a clause alone goes as it goes among others
        let clock = self.bench.clock;
        let limit = self.limit.saturating_add(self.bench.settle * SETTLES);
        let outcome = match timeout(clock, limit, body(&mut self.bench)).await {
            Ok(Ok(())) => Outcome::Passed,
            Ok(Err(Stop::Skipped(reason))) => Outcome::Skipped(reason),
            Ok(Err(Stop::Violated { expected, found })) => self.failed(expected, found),
            Err(_) => self.failed("the clause to end in time", Found::Hung),
        };
        self.summary.count(&outcome);
        self.report
            .clause(&Clause::new(id, rule, self.direction), &outcome);
    }

    const fn failed(&self, expected: &'static str, found: Found) -> Outcome {
        Outcome::Failed(Violation {
            expected,
            found,
            dropped: self.bench.place.get(),
            seed: self.bench.seed,
        })
    }
}

/// How the body of a clause ends.
pub(super) type Verdict = Result<(), Stop>;

/// Why the body of a clause ends early.
#[derive(Debug)]
pub(super) enum Stop {
    Violated {
        expected: &'static str,
        found: Found,
    },
    Skipped(&'static str),
}

/// Shorthand for a violation.
pub(super) const fn violated<T>(expected: &'static str, found: Found) -> Result<T, Stop> {
    Err(Stop::Violated { expected, found })
}

impl<C: Clock> Bench<'_, C> {
    pub(super) fn pattern(&self) -> Pattern {
        Pattern::new(self.seed)
    }

    /// Notes where the operation of this round is dropped.
    pub(super) fn dropping_at(&self, point: DropPoint) {
        self.place.set(Some(point));
    }

    /// Awaits `future` for the time to settle. `None`: it waits on, and was dropped.
    pub(super) async fn try_for_a_while<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        timeout(self.clock, self.settle, future).await.ok()
    }

    /// Sends until sending waits; returns how many bytes of the pattern are under way.
    pub(super) async fn clog<S: SendStream>(
        &mut self,
        tx: &mut S,
        pattern: &mut Pattern,
    ) -> Result<u64, Stop> {
        let quarter = self.scratch.len() / 4;
        loop {
            let (chunk, _) = self.scratch.split_at_mut(quarter);
            pattern.clone().fill(chunk);
            match timeout(self.clock, self.settle, tx.write(chunk)).await {
                Ok(Ok(0)) => return violated("a write to take at least a byte", Found::Count(0)),
                Ok(Ok(count)) if count > chunk.len() => {
                    return violated("a write of at most what there was", Found::Count(count));
                }
                Ok(Ok(count)) => pattern.skip(count),
                Ok(Err(error)) => {
                    return violated("a send before the stream clogs to succeed", fault(&error));
                }
                Err(_) => return Ok(pattern.position()),
            }
            if pattern.position() > self.clog_limit {
                return Err(Stop::Skipped("the pair did not clog"));
            }
        }
    }
}

pub(super) fn fault(error: &impl crate::Error) -> Found {
    Found::Fault(error.fault())
}
