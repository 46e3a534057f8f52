//! The rounds of a run: in each, every workload, and in that, every peer.

use std::fs::File;
use std::io::{self, Write as _};

use serde_json::{Map, Value};

use crate::plan::Workload;
use crate::speed::Failure;
use crate::speed::choices::{Choices, name};
use crate::speed::contender::Contender;
use crate::speed::summary::Measured;
use crate::speed::system;
use crate::speed::values::{Values, to_json};

/// Measures what `choices` ask for, and prints each measurement.
pub(crate) fn measure(
    choices: &Choices,
    mut contenders: Vec<Contender>,
) -> Result<Measured, Failure> {
    let rounds = if choices.quick { 1 } else { choices.rounds };
    let cpus = system::two_cpus()?;
    let mut file = choices.json.as_ref().map(File::create).transpose()?;
    let mut measured = Measured::new(&contenders);
    for round in 1..=rounds {
        for workload in choices.workloads() {
            for contender in &contenders {
                if !workload.has(contender.peer) {
                    continue;
                }
                let values = contender.measure(workload.work(choices.quick), cpus)?;
                let line = line(workload, *contender, round, &values);
                writeln!(io::stdout(), "{line}")?;
                if let Some(file) = &mut file {
                    writeln!(file, "{line}")?;
                }
                measured.add(workload, *contender, values);
            }
        }
        contenders.rotate_left(1); // nobody always comes after the same
    }
    Ok(measured)
}

/// A measurement as one JSON object.
fn line(workload: Workload, contender: Contender, round: u32, values: &Values) -> Value {
    let mut object = Map::from_iter([
        ("workload".to_owned(), name(workload).into()),
        ("peer".to_owned(), contender.label().into()),
        ("round".to_owned(), round.into()),
    ]);
    if let Value::Object(values) = to_json(values) {
        object.extend(values);
    }
    Value::Object(object)
}
