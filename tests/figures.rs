//! Figures in documents.

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;

/// Puts a table into a document, between the lines `<!-- NAME -->` and `<!-- end of NAME -->`.
///
/// # Errors
///
/// Those of reading and writing the file; `InvalidData`: it has no such lines.
pub fn write_figures(document: &Path, name: &str, table: &str) -> Result<(), Error> {
    let old = fs::read_to_string(document)?;
    let [first, last] = marks(name);
    let new = old
        .split_once(&first)
        .and_then(|(before, rest)| {
            let (_, after) = rest.split_once(&last)?;
            Some(format!("{before}{first}\n{table}{last}{after}"))
        })
        .ok_or(ErrorKind::InvalidData)?;
    fs::write(document, new)
}

/// The rows of a table that is there, each with its cells; without the two lines of its head.
///
/// # Errors
///
/// As [`write_figures`].
pub fn read_figures(document: &Path, name: &str) -> Result<Vec<Vec<String>>, Error> {
    let text = fs::read_to_string(document)?;
    let [first, last] = marks(name);
    let table = text
        .split_once(&first)
        .and_then(|(_, rest)| Some(rest.split_once(&last)?.0.trim()))
        .ok_or(ErrorKind::InvalidData)?;
    let cells = |row: &str| {
        let row = row.trim_matches('|').split('|');
        row.map(|cell| cell.trim().to_owned()).collect()
    };
    Ok(table.lines().skip(2).map(cells).collect())
}

fn marks(name: &str) -> [String; 2] {
    [
        format!("<!-- {name} -->"),
        format!("<!-- end of {name} -->"),
    ]
}
