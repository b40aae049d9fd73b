//! Standard output and standard error.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::error::Error;
use crate::text::harmless;

/// Prints lines for a person.
pub(crate) fn lines<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{}", harmless(line.as_ref())).map_err(Error::Output)?;
    }
    out.flush().map_err(Error::Output)
}

/// Prints a line for a person.
pub(crate) fn line(text: impl AsRef<str>) -> Result<(), Error> {
    lines([text])
}

/// Prints a value for a program, as one line of JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    write_json(&mut out, value).and_then(|()| out.flush()).map_err(Error::Output)
}

/// Writes a value as one line of JSON.
pub(crate) fn write_json(out: &mut impl io::Write, value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(value)?;
    text.push(b'\n');
    out.write_all(&text)
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
