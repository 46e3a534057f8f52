//! The results, as a table or as JSON.

use core::fmt;
use core::time::Duration;
use std::io::{self, Write as _};
use std::process::ExitCode;

use serde_json::json;

use crate::options::Options;
use crate::rows::Row;

/// How a row went.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Every byte and every answer was right; the echo took this long.
    Verified(Duration),
    Unavailable(&'static str),
    Failed(String),
}

impl Outcome {
    const fn result(&self) -> &'static str {
        match self {
            Self::Verified(_) => "verified",
            Self::Unavailable(_) => "not available",
            Self::Failed(_) => "FAILED",
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Verified(_) => None,
            Self::Unavailable(reason) => Some(reason),
            Self::Failed(reason) => Some(reason),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.result())?;
        match self.reason() {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

/// Collects the rows, and prints what it can at once.
pub(crate) struct Report {
    bytes: u64,
    json: bool,
    rows: Vec<(Row, Outcome)>,
}

impl Report {
    pub(crate) fn new(options: &Options) -> Self {
        let report = Self {
            bytes: options.bytes,
            json: options.json,
            rows: Vec::new(),
        };
        if !report.json {
            let kinds = match options.rows().count() {
                1 => "one kind".to_owned(),
                count => format!("{count} kinds"),
            };
            let size = size(report.bytes);
            print(&format!(
                "Two protocols, each written once, over {kinds} of stream.\n\
                 In each row a telemetry session, then {size} echoed both ways at once.\n\n"
            ));
        }
        report
    }

    pub(crate) fn add(&mut self, row: Row, outcome: Outcome) {
        if self.json {
            print(&format!("{}\n", self.object(row, &outcome)));
        }
        self.rows.push((row, outcome));
    }

    /// Prints what is left to print.
    pub(crate) fn finish(self) -> ExitCode {
        if !self.json {
            print(&self.table());
        }
        let failed = |(_, outcome): &&(Row, Outcome)| matches!(outcome, Outcome::Failed(_));
        match self.rows.iter().filter(failed).count() {
            0 => ExitCode::SUCCESS,
            count => {
                let all = self.rows.len();
                let _: Result<(), _> = writeln!(io::stderr(), "tour: {count} of {all} rows failed");
                ExitCode::FAILURE
            }
        }
    }

    fn table(&self) -> String {
        let layers = |row: Row| row.layers().join(" / ");
        let widths = self.rows.iter().map(|(row, _)| layers(*row).len());
        let width = widths.max().unwrap_or_default();
        let mut table = format!(
            "{:<15} {:<width$} {:>15}  result\n",
            "row", "layers", "MiB/s each way"
        );
        for (row, outcome) in &self.rows {
            let speed = self
                .speed(outcome)
                .map_or_else(|| "-".to_owned(), |speed| format!("{speed:.0}"));
            let (name, layers) = (row.name(), layers(*row));
            let result = outcome.result();
            table += &format!("{name:<15} {layers:<width$} {speed:>15}  {result}\n");
        }
        for (row, outcome) in &self.rows {
            if outcome.reason().is_some() {
                table += &format!("\n{}: {outcome}\n", row.name());
            }
        }
        table
    }

    fn object(&self, row: Row, outcome: &Outcome) -> serde_json::Value {
        let (result, seconds) = match outcome {
            Outcome::Verified(time) => ("verified", Some(time.as_secs_f64())),
            Outcome::Unavailable(_) => ("unavailable", None),
            Outcome::Failed(_) => ("failed", None),
        };
        json!({
            "row": row.name(),
            "layers": row.layers(),
            "bytes": self.bytes,
            "seconds": seconds,
            "mib_per_second": self.speed(outcome),
            "result": result,
            "reason": outcome.reason(),
        })
    }

    /// In MiB a second, each way.
    fn speed(&self, outcome: &Outcome) -> Option<f64> {
        match outcome {
            Outcome::Verified(time) => {
                let seconds = time.max(&Duration::from_nanos(1)).as_secs_f64();
                Some(self.bytes as f64 / f64::from(1 << 20) / seconds)
            }
            _ => None,
        }
    }
}

/// In the largest unit that is exact.
fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let exact = units
        .into_iter()
        .find(|(shift, _)| bytes.is_multiple_of(1 << shift));
    match exact {
        Some((shift, unit)) => format!("{} {unit}", bytes >> shift),
        None if bytes == 1 => "1 byte".to_owned(),
        None => format!("{bytes} bytes"),
    }
}

/// Whoever reads may have seen enough and left: then there is nobody to print for.
fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let printed = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    if let Err(error) = printed
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        let _: Result<(), _> = writeln!(io::stderr(), "tour: cannot print: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_shown_in_the_largest_unit_that_is_exact() {
        let sizes = [
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1 KiB"),
            (1025, "1025 bytes"),
            (64 << 20, "64 MiB"),
            (1536 << 20, "1536 MiB"),
            (2 << 30, "2 GiB"),
        ];
        for (bytes, text) in sizes {
            assert_eq!(size(bytes), text);
        }
    }
}
