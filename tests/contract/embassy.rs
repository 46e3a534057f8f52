//! The contract on two embassy-net stacks, joined by a wire in virtual time.

mod deviations;
mod ends;
mod four_each;
mod halves;
mod listening;
mod nobody;
mod pool;
mod ports;
mod programs;
mod seeds;
mod silence;
mod tls;
mod wire;

use tacket_embassy::Options;
use tacket_embassy::testing::{Impairments, Wire};

use ends::{Ends, examine};

#[test]
fn embassy_streams_keep_the_contract() {
    let wire = Wire::new(1, Impairments::none());
    let ends = Ends::of(&wire, Options::new());
    examine::<{ 1 << 16 }>(&wire, &ends).assert_clean(&[]);
}
