//! Standard output and standard error.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::error::Error;
use crate::text::harmless;

/// Prints lines for a person.
pub(crate) fn lines<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> Result<(), Error> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&harmless(line.as_ref()));
        text.push('\n');
    }
    write(text.as_bytes())
}

/// Prints a line for a person.
pub(crate) fn line(text: impl AsRef<str>) -> Result<(), Error> {
    lines([text])
}

/// Prints values for a program, as one line of JSON each.
pub(crate) fn objects<T: Serialize>(values: impl IntoIterator<Item = T>) -> Result<(), Error> {
    let mut text = Vec::new();
    for value in values {
        serde_json::to_writer(&mut text, &value).map_err(|error| Error::Output(error.into()))?;
        text.push(b'\n');
    }
    write(&text)
}

/// Prints a value for a program.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Error> {
    objects([value])
}

fn write(text: &[u8]) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text).and_then(|()| out.flush()).map_err(Error::Output)
}

/// Says that standard output cannot be written. Not so when its reader went away, which has seen what it wanted to
/// see: then this is false.
pub(crate) fn failed(error: &io::Error) -> bool {
    let failed = error.kind() != io::ErrorKind::BrokenPipe;
    if failed {
        to_stderr(&format!("error: standard output: {error}"));
    }
    failed
}

/// Prints lines for a person on standard error. There is nobody to tell when that fails.
pub(crate) fn to_stderr(text: &str) {
    let mut out = io::stderr().lock();
    for line in text.lines() {
        let _ = writeln!(out, "{}", harmless(line));
    }
}

/// Lines with the columns of `rows` under each other.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
