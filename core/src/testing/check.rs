//! The whole contract in one call.

use alloc::boxed::Box;

use super::{
    Clause, Examiner, Maker, Outcome, Report, Summary, Violation, VirtualClock,
    check_half_closeable_stream,
};
use crate::{AsyncResource, Clock, HalfCloseable, Split};

/// Checks pairs of connected streams against every clause of the contract, in 64 KiB of memory, with all else as an [`Examiner`] has it.
///
/// `report` hears of each clause; [`Clause::as_text`] and [`Clause::as_json`] have it in writing. Returns how many came out which way.
///
/// # Cancel safety
///
/// Safe. The pair at work is dropped.
///
/// ```
/// use tacket::testing::{Clause, Makers, MemoryPair, Outcome, VirtualClock, check_stream};
///
/// let pair = MemoryPair::new([0; 64], [0; 64]);
/// let make = async || pair.open().expect("the last pair is gone");
/// let report = |clause: &Clause, outcome: &Outcome| println!("{}", clause.as_text(outcome));
/// let clock = VirtualClock::<8>::new();
/// let summary = clock.run(check_stream(&clock, Makers::new(make, make), report));
/// assert!(summary.is_clean());
/// ```
pub async fn check_stream<A, B, M, C, P>(clock: &C, maker: M, report: P) -> Summary
where
    A: Split + HalfCloseable + AsyncResource,
    B: Split + HalfCloseable + AsyncResource,
    M: Maker<A, B>,
    C: Clock,
    P: Report,
{
    let mut scratch = Box::new([0; 64 << 10]);
    let mut examiner = Examiner::new(clock, &mut scratch, report);
    check_half_closeable_stream(&mut examiner, maker).await
}

/// Checks pairs of streams with one seed after the other, on a virtual clock, in no time. For streams without a system or a wire below
/// them, whose every step is a poll; `make` makes the maker for a seed.
///
/// # Errors
///
/// The first clause that fails, with the seed: the smallest that shows it, if they rise. Skipped clauses are no failure.
///
/// ```
/// use tacket::testing::{Makers, MemoryPair, check_stream_with_seeds};
///
/// let pair = MemoryPair::new([0; 64], [0; 64]);
/// let make = async || pair.open().expect("the last pair is gone");
/// assert_eq!(check_stream_with_seeds(0..10, |_| Makers::new(make, make)), Ok(()));
/// ```
pub fn check_stream_with_seeds<A, B, M>(
    seeds: impl IntoIterator<Item = u64>,
    mut make: impl FnMut(u64) -> M,
) -> Result<(), (Clause, Violation)>
where
    A: Split + HalfCloseable + AsyncResource,
    B: Split + HalfCloseable + AsyncResource,
    M: Maker<A, B>,
{
    let mut scratch = Box::new([0; 256]);
    for seed in seeds {
        let clock = VirtualClock::<8>::new();
        let mut failure = None;
        let report = |clause: &Clause, outcome: &Outcome| {
            if let Outcome::Failed(violation) = outcome {
                failure.get_or_insert((*clause, *violation));
            }
        };
        let mut examiner = Examiner::new(&clock, &mut scratch, report)
            .seed(seed)
            .duplex_bytes(600);
        clock.run(check_half_closeable_stream(&mut examiner, make(seed)));
        if let Some(failure) = failure {
            return Err(failure);
        }
    }
    Ok(())
}
