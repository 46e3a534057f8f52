//! Correct streams in many schedules: no seed raises a false alarm.

use tacket::testing::{
    Examiner, Makers, MemoryPair, Summary, VirtualClock, check_half_closeable_stream,
};
use tacket_tests::Recorder;

/// Checks pairs of `pair` with so many seeds, in no time.
fn check(pair: &MemoryPair<Vec<u8>>, seeds: u64) {
    let make = async || pair.open().expect("the last pair is gone");
    for seed in 0..seeds {
        let clock = VirtualClock::<4>::new();
        let mut recorder = Recorder::default();
        let mut scratch = [0; 256];
        let mut examiner = Examiner::new(&clock, &mut scratch, &mut recorder)
            .seed(seed)
            .duplex_bytes(600);
        let summary: Summary = clock.run(check_half_closeable_stream(
            &mut examiner,
            Makers::new(make, make),
        ));
        drop(examiner);
        assert_eq!(
            (summary.failed, summary.skipped),
            (0, 0),
            "seed {seed}\n{}",
            recorder.text()
        );
    }
}

#[test]
fn streams_in_memory_pass_with_every_seed() {
    check(&MemoryPair::new(vec![0; 40], vec![0; 40]), 1000);
}

#[test]
fn streams_in_lockstep_pass_with_every_seed() {
    // Where every byte needs both ends at once, the storms take long.
    let seeds = if std::env::var_os("TACKET_LONG").is_some() {
        1000
    } else {
        100
    };
    check(&MemoryPair::lockstep(vec![0; 40], vec![0; 40]), seeds);
}
