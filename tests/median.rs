//! What stands for many measurements.

/// The value in the middle. Of an even number, the upper one of the two.
///
/// # Panics
///
/// If there is none.
#[expect(clippy::indexing_slicing, reason = "documented")]
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
