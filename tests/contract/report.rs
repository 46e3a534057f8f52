//! What a check says: to people, and to machines.

use serde_json::{Value, json};
use tacket::testing::Outcome;

use super::broken_streams::{Flaw, check};

#[test]
fn each_line_of_json_says_what_the_outcome_is() {
    let recorder = check(Flaw::ReceiveKeepsBytesInItsFuture);
    assert!(!recorder.failed().is_empty() && recorder.passed().len() > 20);
    for (clause, outcome) in recorder.clauses() {
        let line = clause.as_json(outcome).to_string();
        let value: Value = serde_json::from_str(&line).expect("JSON");
        let mut wanted = json!({
            "id": clause.id,
            "direction": clause.direction.to_string(),
            "rule": clause.rule,
        });
        match outcome {
            Outcome::Passed => wanted["outcome"] = "passed".into(),
            Outcome::Skipped(reason) => {
                wanted["outcome"] = "skipped".into();
                wanted["reason"] = (*reason).into();
            }
            Outcome::Failed(violation) => {
                wanted["outcome"] = "failed".into();
                wanted["expected"] = violation.expected.into();
                wanted["found"] = violation.found.to_string().into();
                wanted["seed"] = violation.seed.into();
                if let Some(point) = violation.dropped {
                    wanted["dropped"] = point.to_string().into();
                }
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(value, wanted);
        assert!(!line.contains('\n'));
    }
}

#[test]
fn a_failure_tells_people_what_was_expected_what_happened_and_the_smallest_drop_that_shows_it() {
    let recorder = check(Flaw::ReceiveKeepsBytesInItsFuture);
    let failed = |id| {
        let mut clauses = recorder.clauses().iter();
        clauses.find(|(clause, _)| clause.id == id).expect("it ran")
    };
    let (clause, outcome) = failed("TKT-03");
    let wanted = "\
FAILED  TKT-03  forward   a dropped receive has taken nothing
        expected: the bytes that were sent, in order
        happened: the byte at position 0 is not the one that was sent
        when:     seed 1, dropped right after poll 4";
    assert_eq!(clause.as_text(outcome).to_string(), wanted);
    let (clause, outcome) = failed("STR-01");
    let wanted = "passed  STR-01  forward   what is sent arrives";
    assert_eq!(clause.as_text(outcome).to_string(), wanted);
}
