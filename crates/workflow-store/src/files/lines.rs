//! Files of numbered lines: JSON objects whose first field is a number that increases from line to line.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Take};

/// Reads lines in order.
pub(super) struct Lines<'a> {
    reader: BufReader<Take<&'a File>>,
    line: Vec<u8>,
    /// Where the next line starts.
    next: u64,
}

/// A line, including its line ending.
pub(super) struct Line<'a> {
    pub(super) bytes: &'a [u8],
    /// Its offset in the file.
    pub(super) start: u64,
}

impl Line<'_> {
    /// The offset of its end in the file.
    pub(super) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl<'a> Lines<'a> {
    /// The lines of `file` from the offset `from`, which must be the start of a line, up to the offset `end`.
    pub(super) fn new(mut file: &'a File, from: u64, end: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(from))?;
        let reader = BufReader::with_capacity(64 << 10, file.take(end.saturating_sub(from)));
        Ok(Self { reader, line: Vec::new(), next: from })
    }

    /// The next complete line; `None` at the end, also if an incomplete line follows.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let start = self.next;
        self.next += self.reader.read_until(b'\n', &mut self.line)? as u64;
        let complete = self.line.last() == Some(&b'\n');
        Ok(complete.then_some(Line { bytes: &self.line, start }))
    }
}

/// The number that a line starts with, as in `{"seq":12,…`.
pub(super) fn number(line: &[u8], key: &str) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"")?.strip_prefix(key.as_bytes())?.strip_prefix(b"\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    matches!(rest.get(digits), Some(b',' | b'}')).then_some(())?;
    str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// An offset from which reading forward finds the first line with a number above `after`: a nearby start of a
/// line, found by binary search, so that a repeated reader does not read the whole file.
pub(super) fn seek(file: &File, end: u64, key: &str, after: u64) -> io::Result<u64> {
    const NEAR: u64 = 64 << 10;
    if after == 0 {
        return Ok(0);
    }
    // Every line before `low` has a number up to `after`; no line that starts at `high` or later needs to be
    // searched. An unreadable line moves `high`: reading forward finds it.
    let (mut low, mut high) = (0, end);
    while high - low > NEAR {
        let middle = low + (high - low) / 2;
        match line_after(file, middle, high, key)? {
            Some((start, Some(number))) if number <= after => low = start,
            Some((start, _)) if start < high => high = start,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The offset and number of the first line that starts after the offset `from` and before `end`.
fn line_after(mut file: &File, from: u64, end: u64, key: &str) -> io::Result<Option<(u64, Option<u64>)>> {
    file.seek(SeekFrom::Start(from))?;
    let mut reader = BufReader::with_capacity(4 << 10, file);
    let start = from + reader.by_ref().take(end - from).skip_until(b'\n')? as u64;
    if start >= end {
        return Ok(None);
    }
    let mut head = Vec::with_capacity(64);
    reader.take(64).read_to_end(&mut head)?;
    Ok(Some((start, number(&head, key))))
}

/// The number, counted from 1, of the line that starts at the offset `start`: for messages.
pub(super) fn line_number(file: &File, start: u64) -> u64 {
    let mut count = 1;
    if let Ok(mut lines) = Lines::new(file, 0, start) {
        while let Ok(Some(_)) = lines.next() {
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_line_is_found_by_its_number() {
        let mut file = tempfile::tempfile().unwrap();
        let mut starts = Vec::new();
        for n in 1..=300_u64 {
            starts.push(file.stream_position().unwrap());
            // Some lines are longer than the search window, some are not numbered, some numbers are left out.
            let filler = "x".repeat(if n % 50 == 0 { 200_000 } else { 900 });
            let key = if n % 70 == 0 { "damaged" } else { "seq" };
            writeln!(file, "{{\"{key}\":{},\"filler\":\"{filler}\"}}", 2 * n).unwrap();
        }
        let end = file.stream_position().unwrap();
        for after in 0..=601 {
            let from = seek(&file, end, "seq", after).unwrap();
            assert!(starts.contains(&from), "{after}: not a line start");
            let first = starts.iter().zip(1..).find(|(_, n)| 2 * n > after && n % 70 != 0);
            let first = first.map_or(end, |(start, _)| *start);
            assert!(from <= first, "{after}: too late");
        }
        let near = seek(&file, end, "seq", 598).unwrap();
        assert!(end - near < 300_000, "reads {} bytes", end - near);
    }

    #[test]
    fn only_a_first_field_is_a_number() {
        assert_eq!(number(b"{\"seq\":12,\"x\":1}", "seq"), Some(12));
        assert_eq!(number(b"{\"seq\":12}", "seq"), Some(12));
        for line in
            ["", "{}", "{\"seq\":", "{\"seq\":12", "{\"seq\":-1}", "{\"x\":1,\"seq\":12}", "{\"seq\":1.5}"]
        {
            assert_eq!(number(line.as_bytes(), "seq"), None, "{line}");
        }
    }
}
