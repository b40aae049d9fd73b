//! Rows of bounded size with several JSON texts, one per line.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// One row of a table of events or of output.
pub(super) struct Row {
    /// The number of its last line.
    pub(super) last: u64,
    pub(super) lines: usize,
    pub(super) body: Vec<u8>,
}

/// The maximum number of lines in a row, so that reading a few of them does not read many.
const MOST_LINES: usize = 64;

/// The approximate length of a line.
const LINE: usize = 256;

/// Writes `items` as rows of about `size` bytes each.
pub(super) fn rows<T: Serialize>(
    items: &[T],
    size: usize,
    number: impl Fn(&T) -> u64,
) -> serde_json::Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::with_capacity(items.len().div_ceil(MOST_LINES));
    for (done, item) in items.iter().enumerate() {
        match rows.last_mut() {
            Some(row) if row.lines < MOST_LINES && row.body.len() < size => row.body.push(b'\n'),
            _ => {
                let lines = (items.len() - done).min(MOST_LINES);
                rows.push(Row { last: 0, lines: 0, body: Vec::with_capacity((lines * LINE).min(2 * size)) });
            }
        }
        if let Some(row) = rows.last_mut() {
            serde_json::to_writer(&mut row.body, item)?;
            row.last = number(item);
            row.lines += 1;
        }
    }
    Ok(rows)
}

/// Parses one line.
pub(super) fn read<T: DeserializeOwned>(line: &str) -> serde_json::Result<T> {
    serde_json::from_str(line)
}
