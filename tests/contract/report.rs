//! What a check says: to people, and to machines.

use serde_json::{Value, json};
use tacket::testing::{
    Clause, MemoryPipe, MemoryReceiveStream, MemorySendStream, Outcome, VirtualClock, check_stream,
    check_stream_with_seeds,
};
use tacket::{CloseOnEof, StapledStream};

type Sending<'p> = MemorySendStream<'p, [u8; 64]>;
type Receiving<'p> = MemoryReceiveStream<'p, [u8; 64]>;
type Pair<'p> = StapledStream<CloseOnEof<Sending<'p>>, Receiving<'p>>;

/// Pairs of stapled pipes, of which the first makes no second end.
async fn pair(pipes: &[MemoryPipe<[u8; 64]>; 2]) -> (Pair<'_>, Pair<'_>) {
    let [there, back] = pipes.each_ref().map(|pipe| pipe.open().expect("the last pair is gone"));
    let ((to_right, from_left), (to_left, from_right)) = (there, back);
    (
        StapledStream::new(CloseOnEof::new(to_right), from_right),
        StapledStream::new(CloseOnEof::new(to_left), from_left),
    )
}

/// All that a check says of them.
fn results() -> Vec<(Clause, Outcome)> {
    let pipes = [MemoryPipe::new([0; 64]), MemoryPipe::new([0; 64])];
    let clock = VirtualClock::<8>::new();
    let mut results = Vec::new();
    let report = |clause: &Clause, outcome: &Outcome| results.push((*clause, *outcome));
    let summary = clock.run(check_stream(&clock, async || pair(&pipes).await, report));
    assert_eq!(summary.passed + summary.failed + summary.skipped, results.len());
    results
}

#[test]
fn each_line_of_json_says_what_the_outcome_is() {
    let results = results();
    assert!(results.len() > 50);
    for (clause, outcome) in &results {
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
