//! What the user may choose.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::rows::Row;

/// Two protocols, each written once, over every kind of stream.
///
/// Each row is a telemetry session with a device, then bytes echoed both ways at once. Every byte is verified.
#[derive(Debug, Parser)]
#[command(name = "tour", max_term_width = 100)]
pub(crate) struct Options {
    /// Only these rows, separated by commas
    #[arg(long, value_name = "ROW", value_delimiter = ',')]
    rows: Vec<Row>,

    /// Take the rows with firmware too; they need QEMU, and a compiler for its target
    #[arg(long)]
    firmware: bool,

    /// How much to echo: a number, or one with KiB, MiB or GiB
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = parse_bytes)]
    pub(crate) bytes: u64,

    /// Print one JSON object a row instead of the table
    #[arg(long)]
    pub(crate) json: bool,

    /// Be the server of a row with pipes, on standard input and output
    #[cfg(unix)]
    #[arg(long, hide = true, value_name = "PROTOCOL")]
    pub(crate) child: Option<Protocol>,

    /// Run this program as the server of the rows with pipes
    #[arg(long, hide = true, value_name = "PATH")]
    pub(crate) child_program: Option<PathBuf>,
}

/// What a child process serves.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Protocol {
    Echo,
    Telemetry,
}

impl Options {
    /// The rows to take, each once, in their order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row> {
        let all = Row::value_variants().iter().copied();
        all.filter(|row| match self.rows.is_empty() {
            true => self.firmware || !row.is_firmware(),
            false => self.rows.contains(row) || self.firmware && row.is_firmware(),
        })
    }
}

fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match text.strip_prefix(digits).unwrap_or_default().trim() {
        "" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let Some(unit) = unit.filter(|_| is_number) else {
        return Err("a size is a whole number, alone or with KiB, MiB or GiB: 64MiB".to_owned());
    };
    match digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)) {
        Some(0) => Err("nothing to echo: the least is 1".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err("more bytes than 64 bits can count".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_with_or_without_a_unit() {
        let sizes = [
            ("1", 1),
            ("1000", 1000),
            ("3KiB", 3 << 10),
            ("64MiB", 64 << 20),
            ("2 GiB", 2 << 30),
            ("17179869183GiB", 17_179_869_183 << 30),
        ];
        for (text, bytes) in sizes {
            assert_eq!(parse_bytes(text), Ok(bytes));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "MiB",
            "0",
            "0KiB",
            "-1",
            "+1",
            "1.5GiB",
            "1e6",
            "64MB",
            "64mib",
            "64MiBs",
            "1 2",
            "0x10",
            "17179869184GiB",
            "17179869185GiB",
            "99999999999999999999",
            "٣",
        ] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_options_fit_together() {
        use clap::CommandFactory as _;
        Options::command().debug_assert();
    }
}
