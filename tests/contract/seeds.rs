//! Correct streams in many schedules: no seed raises a false alarm.

use tacket::testing::{Clause, Makers, MemoryPair, Violation, check_stream_with_seeds};

/// Checks pairs of `pair` with so many seeds.
fn check(pair: &MemoryPair<Vec<u8>>, seeds: u64) -> Result<(), (Clause, Violation)> {
    let make = async || pair.open().expect("the last pair is gone");
    check_stream_with_seeds(0..seeds, |_| Makers::new(make, make))
}

#[test]
fn streams_in_memory_pass_with_every_seed() {
    let pair = MemoryPair::new(vec![0; 40], vec![0; 40]);
    assert_eq!(check(&pair, 1000), Ok(()));
}

#[test]
fn streams_in_lockstep_pass_with_every_seed() {
    let pair = MemoryPair::lockstep(vec![0; 40], vec![0; 40]);
    assert_eq!(check(&pair, 1000), Ok(()));
}
