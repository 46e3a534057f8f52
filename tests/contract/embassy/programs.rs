//! Programs that a fuzzer made up, run again. `tests/fuzz/run` makes more.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use tacket_tests::Program;

/// Covers EMB-23.
#[test]
fn every_program_of_the_corpus_runs_to_its_end() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/pool");
    let mut failed = Vec::new();
    let mut programs = 0;
    for file in fs::read_dir(corpus).unwrap() {
        let path = file.unwrap().path();
        let input = fs::read(&path).unwrap();
        if catch_unwind(|| Program::parse(&input).run()).is_err() {
            failed.push(path);
        }
        programs += 1;
    }
    assert!(programs > 100, "{programs}");
    assert!(failed.is_empty(), "{failed:#?}");
}
