//! What the benchmarks of the desktop have in common. Peers do the same work in turns, round by round; each measurement runs in processes
//! of its own: the program starts itself, and tells the copies which part they play.
//!
//! A benchmark includes this as a module, and has what differs: `plan` (the workloads), `measure` (the processes of one), `peers` (who
//! takes part), `layer` (what they put on top of TCP) and `crowd` (many clients).

mod chart;
pub(crate) mod choices;
pub(crate) mod contender;
mod counts;
pub(crate) mod figure;
pub(crate) mod game;
mod machine;
pub(crate) mod part;
pub(crate) mod peers;
pub(crate) mod role;
mod rounds;
mod summary;
pub(crate) mod system;
mod under;
pub(crate) mod values;

use std::path::Path;
use std::process::ExitCode;

use tacket_tests::write_figures;

use crate::plan::{FIGURES, FOLDER};
use choices::Choices;
use contender::Contender;
use part::Play;

pub(crate) use under::Failure;

/// Plays a part, or measures and counts what was asked for.
pub(crate) fn run(play: Option<&Play>, choices: &Choices, contenders: Vec<Contender>) -> ExitCode {
    let done = match play {
        Some(Play::Part(part)) => role::play(part),
        None if choices.counts => count(choices),
        None => measure(choices, contenders),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{FIGURES}: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure(choices: &Choices, contenders: Vec<Contender>) -> Result<(), Failure> {
    let measured = rounds::measure(choices, contenders)?;
    let table = measured.table();
    eprint!("{table}");
    if choices.write {
        write("machine", &machine::table()?)?;
        write(FIGURES, &table)?;
        let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
        chart::draw(&measured, &chart.join("speed.svg"))?;
    }
    Ok(())
}

fn count(choices: &Choices) -> Result<(), Failure> {
    let table = counts::table(choices)?;
    eprint!("{table}");
    if choices.write {
        write("counts", &table)?;
    }
    Ok(())
}

/// Puts a table into the document of this benchmark.
fn write(name: &str, table: &str) -> Result<(), Failure> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    Ok(write_figures(&folder.join("SPEED.md"), name, table)?)
}
