//! The contract on a thousand bad wires.

use core::ops::Range;
use std::time::Duration;

use tacket_embassy::Options;
use tacket_embassy::testing::{Impairments, Wire};

use super::ends::{Ends, examine};

/// What a seed makes of a wire: up to a tenth of the packets lost, up to a tenth doubled, up to half of them held back so that
/// others overtake them.
fn impaired(seed: u64) -> Impairments {
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let part = |byte: u32| f64::from((mixed >> (8 * byte)) as u8) / 255.0;
    Impairments::none()
        .delay(Duration::from_millis(1 + seed % 50))
        .loss(0.1 * part(1))
        .duplication(0.1 * part(2))
        .reordering(0.5 * part(3))
}

/// Where half the packets of a retransmission are lost, the next comes after minutes.
fn patient() -> Options {
    Options::new()
        .linger(Duration::from_secs(600))
        .half_open(Duration::from_secs(600))
        .silence(Some(Duration::from_secs(7200)))
}

fn examine_seeds(seeds: Range<u64>) {
    for seed in seeds {
        let wire = Wire::new(seed, impaired(seed));
        let ends = Ends::of(&wire, patient());
        let examined = examine::<2048>(&wire, &ends);
        let kept = examined.failed().is_empty() && examined.skipped().is_empty();
        assert!(kept, "seed {seed}\n{}", examined.text());
    }
}

#[test]
fn embassy_streams_keep_the_contract_on_bad_wires_0_to_249() {
    examine_seeds(0..250);
}

#[test]
fn embassy_streams_keep_the_contract_on_bad_wires_250_to_499() {
    examine_seeds(250..500);
}

#[test]
fn embassy_streams_keep_the_contract_on_bad_wires_500_to_749() {
    examine_seeds(500..750);
}

#[test]
fn embassy_streams_keep_the_contract_on_bad_wires_750_to_999() {
    examine_seeds(750..1000);
}
