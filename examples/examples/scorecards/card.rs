//! One card: what the suite finds on one stream.

use core::time::Duration;

use tacket::testing::{Clause, Examiner, Maker, Outcome, Summary, check_half_closeable_stream};
use tacket::{AsyncResource, Clock, HalfCloseable, Split};

/// The memory in which a check works.
const SCRATCH: usize = 1 << 16;

/// The clauses of the contract on one stream.
#[derive(Debug)]
pub(crate) struct Card {
    /// What the stream is called in results.
    pub(crate) stream: &'static str,
    pub(crate) heading: &'static str,
    /// How it became a stream of Tacket.
    pub(crate) wrapping: &'static str,
    /// Every clause, in the order of the suite.
    pub(crate) clauses: Vec<(Clause, Outcome)>,
    pub(crate) summary: Summary,
}

/// How long to wait. A clause about drops lets a stream settle up to a hundred times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For one clause.
    pub(crate) limit: Duration,
    /// For a stream to settle before it counts as clogged.
    pub(crate) settle: Duration,
}

impl Patience {
    /// For sockets of the operating system.
    pub(crate) const fn system() -> Self {
        Self {
            limit: Duration::from_secs(5),
            settle: Duration::from_millis(10),
        }
    }

    /// For sockets in virtual time, which costs nothing.
    pub(crate) const fn wire() -> Self {
        Self {
            limit: Duration::from_secs(3600),
            settle: Duration::from_secs(1),
        }
    }
}

impl Card {
    /// A card for a stream, without results.
    pub(crate) fn new(stream: &'static str, heading: &'static str, wrapping: &'static str) -> Self {
        Self {
            stream,
            heading,
            wrapping,
            clauses: Vec::new(),
            summary: Summary::default(),
        }
    }

    /// Checks the pairs of `maker` against the whole contract.
    pub(crate) async fn fill<A, B>(
        mut self,
        clock: &impl Clock,
        patience: Patience,
        maker: impl Maker<A, B>,
    ) -> Self
    where
        A: Split + HalfCloseable + AsyncResource,
        B: Split + HalfCloseable + AsyncResource,
    {
        let mut scratch = Box::new([0; SCRATCH]);
        let clauses = &mut self.clauses;
        let mut examiner =
            Examiner::new(clock, &mut scratch, |clause: &Clause, outcome: &Outcome| {
                clauses.push((*clause, *outcome));
            })
            .limit(patience.limit)
            .settle(patience.settle);
        self.summary = check_half_closeable_stream(&mut examiner, maker).await;
        self
    }
}
