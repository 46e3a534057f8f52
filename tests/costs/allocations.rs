//! Allocations of a round trip.

use alloc::rc::Rc;
use core::cell::Cell;

use tacket_tests::pingpong;

const WARM_UP: u32 = 100;
const ROUNDS: u32 = 10_000;

/// Allocations made while playing `rounds` rounds, everything included.
fn allocations(rounds: u32) -> u64 {
    let played = Rc::new(Cell::new(0));
    let counter = Rc::clone(&played);
    let counted = allocation_counter::measure(move || {
        pingpong(rounds, move || counter.set(counter.get() + 1)).expect("a game on loopback");
    });
    assert_eq!(played.get(), rounds);
    counted.count_total
}

#[test]
fn a_round_trip_allocates_nothing_after_warm_up() {
    pingpong(WARM_UP, || ()).expect("a game on loopback");
    let (short, long) = (allocations(WARM_UP), allocations(WARM_UP + ROUNDS));
    assert_eq!(
        long,
        short,
        "{ROUNDS} more rounds made {} more allocations",
        long.abs_diff(short)
    );
}
