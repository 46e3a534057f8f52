//! The rounds of a run: in each, every workload, and in that, every peer.

use std::fs::File;
use std::io::{self, Write as _};

use clap::ValueEnum as _;
use serde_json::{Map, Value};

use crate::Failure;
use crate::measure::Contender;
use crate::options::{Options, PeerName, name};
use crate::plan::Workload;
use crate::summary::Measured;
use crate::system;
use crate::values::{Values, to_json};

/// Measures what `options` ask for, and prints each measurement.
pub(crate) fn measure(options: &Options) -> Result<Measured, Failure> {
    let rounds = if options.quick { 1 } else { options.rounds };
    let mut contenders = contenders(options);
    let cpus = system::two_cpus()?;
    let mut file = options.json.as_ref().map(File::create).transpose()?;
    let mut measured = Measured::new(&contenders);
    for round in 1..=rounds {
        for workload in workloads(options) {
            for contender in &contenders {
                if !workload.has(contender.peer) {
                    continue;
                }
                let values = contender.measure(workload.work(options.quick), cpus)?;
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

pub(crate) fn peers(options: &Options) -> Vec<PeerName> {
    let all = PeerName::value_variants().iter().copied();
    let wanted = |peer: &PeerName| options.peers.is_empty() || options.peers.contains(peer);
    all.filter(wanted).collect()
}

fn contenders(options: &Options) -> Vec<Contender> {
    let contender = |peer| Contender {
        peer,
        notsent_lowat: None,
    };
    let mut contenders: Vec<_> = peers(options).into_iter().map(contender).collect();
    contenders.extend(options.notsent_lowat.map(|bytes| Contender {
        peer: PeerName::Tacket,
        notsent_lowat: Some(bytes),
    }));
    contenders
}

fn workloads(options: &Options) -> impl Iterator<Item = Workload> {
    let all = Workload::value_variants().iter().copied();
    all.filter(|it| options.workloads.is_empty() || options.workloads.contains(it))
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
