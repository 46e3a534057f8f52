//! Rules for files.

use crate::sources;

/// The longest file. One that comes near wants a split: a file is one concept.
const MOST_LINES: usize = 600;

#[test]
fn no_file_is_longer_than_one_concept_needs() {
    let files = sources::rust_files(&sources::root());
    assert!(!files.is_empty());
    let too_long: Vec<_> = files
        .iter()
        .map(|path| (sources::shown(path), sources::read(path).lines().count()))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .collect();
    assert!(
        too_long.is_empty(),
        "longer than {MOST_LINES} lines: {too_long:?}"
    );
}
