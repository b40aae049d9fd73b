//! Standard output and standard error. Everything that this program prints goes through here or through
//! [`harmless`], because it may repeat what providers, files and stores hold.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use console::{Alignment, measure_text_width, pad_str};
use serde::Serialize;
use workflow_service::to_json;

use crate::error::Error;
use crate::text::{harmless, harmless_json};

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

/// Prints a file: as it is for a program or a file, and as lines for a person at a terminal.
pub(crate) fn document(text: &str) -> Result<(), Error> {
    if io::stdout().is_terminal() { lines(text.lines()) } else { write(text.as_bytes()) }
}

/// Prints values for a program, as one line of JSON each.
pub(crate) fn objects<T: Serialize>(values: impl IntoIterator<Item = T>) -> Result<(), Error> {
    let mut text = String::new();
    for value in values {
        text.push_str(&object(&value).map_err(Error::Output)?);
        text.push('\n');
    }
    write(text.as_bytes())
}

/// A value as a line for a program, with the names of members that the service has.
pub(crate) fn object(value: &impl Serialize) -> io::Result<String> {
    Ok(harmless_json(&to_json(value)?))
}

/// Prints a value for a program.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Error> {
    objects([value])
}

fn write(text: &[u8]) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text).and_then(|()| out.flush()).map_err(Error::Output)
}

/// Reports that standard output cannot be written, and returns true. A closed pipe is not reported: the reader has
/// read what it wanted.
pub(crate) fn failed(error: &io::Error) -> bool {
    let failed = error.kind() != io::ErrorKind::BrokenPipe;
    if failed {
        to_stderr(&format!("error: standard output: {error}"));
    }
    failed
}

/// Prints lines for a person on standard error. A failure to do so cannot be reported and is ignored.
pub(crate) fn to_stderr(text: &str) {
    text.lines().for_each(line_to_stderr);
}

fn line_to_stderr(line: &str) {
    let line = harmless(line);
    match HELD.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        Some(held) if held.len() < MOST_HELD => held.push(line),
        // There are enough already to tell what is wrong.
        Some(_) => {}
        None => drop(writeln!(io::stderr().lock(), "{line}")),
    }
}

/// The lines for standard error, while a full screen is shown on the terminal.
static HELD: Mutex<Option<Vec<String>>> = Mutex::new(None);
/// How many lines are kept.
const MOST_HELD: usize = 100;

/// Keeps what is printed on standard error back: it would be written over a full screen.
pub(crate) fn hold() {
    HELD.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default();
}

/// Prints what was kept back.
pub(crate) fn release() {
    let held = HELD.lock().unwrap_or_else(PoisonError::into_inner).take();
    held.iter().flatten().for_each(|line| line_to_stderr(line));
}

/// Writes log lines to standard error, one event per line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log;

impl io::Write for Log {
    /// Takes a whole event, as the subscriber writes it. A line end within it is replaced, so that no text can pass for
    /// another event.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        line_to_stderr(text.strip_suffix('\n').unwrap_or(&text));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lines with the columns of `rows` under each other.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    // Some characters take two columns of a terminal, and some none.
    let rows: Vec<[String; N]> =
        rows.iter().map(|row| std::array::from_fn(|column| harmless(&row[column]))).collect();
    let width = |column: usize| rows.iter().map(|row| measure_text_width(&row[column])).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells: Vec<_> =
            row.iter().zip(widths).map(|(cell, width)| pad_str(cell, width, Alignment::Left, None)).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_after_wide_and_combined_characters() {
        let rows = ["plain", "日本語", "e\u{301}te\u{301}", "\x1b[1mbold"]
            .map(|name| [name.to_owned(), "|".to_owned()]);
        assert_eq!(table(&rows), ["plain     |", "日本語    |", "e\u{301}te\u{301}       |", "␛[1mbold  |"]);
    }
}
