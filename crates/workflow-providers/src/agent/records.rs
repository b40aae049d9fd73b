//! JSON values, one a line, out of the bytes that an agent prints.

use std::io::{BufRead as _, Read as _};

use serde_json::Value;

/// The longest line that is read: more than an output may have, and than a prompt that is echoed.
const LIMIT: usize = 32 * 1024 * 1024;

/// Puts records together from chunks of bytes. Holds at most one line, and of that at most 32 MiB.
#[derive(Default)]
pub(super) struct Records {
    line: Vec<u8>,
    /// This line is too long, and what is left of it is not kept.
    skips: bool,
}

/// A line of an agent's standard output.
pub(super) enum Record {
    /// A JSON object.
    Json(Value),
    /// Something else, as text.
    Other(String),
    /// More than can be held.
    TooLong,
}

impl Records {
    /// Takes a chunk, and passes on the records that it completes.
    pub(super) fn push(&mut self, mut chunk: &[u8], mut each: impl FnMut(Record)) {
        while !chunk.is_empty() {
            let room = LIMIT.saturating_sub(self.line.len()).max(1);
            // Reading from memory cannot fail.
            let _ = (&mut chunk).take(room as u64).read_until(b'\n', &mut self.line);
            if self.line.last() == Some(&b'\n') {
                self.end(&mut each);
            } else if self.line.len() >= LIMIT {
                self.line.clear();
                self.skips = true;
            }
        }
    }

    /// Passes on a last line that has no end.
    pub(super) fn finish(mut self, mut each: impl FnMut(Record)) {
        if !self.line.is_empty() || self.skips {
            self.end(&mut each);
        }
    }

    fn end(&mut self, each: &mut impl FnMut(Record)) {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.skips) {
            return each(Record::TooLong);
        }
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        each(match serde_json::from_slice(line) {
            Ok(value @ Value::Object(_)) => Record::Json(value),
            _ => Record::Other(String::from_utf8_lossy(line).into_owned()),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&[u8]]) -> Vec<String> {
        let (mut records, mut read) = (Records::default(), Vec::new());
        let show = |record| match record {
            Record::Json(value) => format!("json {value}"),
            Record::Other(text) => format!("other {text}"),
            Record::TooLong => "too long".to_owned(),
        };
        for chunk in chunks {
            records.push(chunk, |record| read.push(show(record)));
        }
        records.finish(|record| read.push(show(record)));
        read
    }

    #[test]
    fn records_are_put_together_across_chunks() {
        assert_eq!(
            read(&[b"{\"a\":\"\xc3", b"\xa9\"}\r\n\n{\"b\"", b":1}"]),
            ["json {\"a\":\"é\"}", "json {\"b\":1}"]
        );
        assert_eq!(read(&[b"hello\n{\"a\":\n[1]\n"]), ["other hello", "other {\"a\":", "other [1]"]);
    }

    #[test]
    fn a_line_without_end_costs_a_bounded_room_and_the_next_one_is_read() {
        let much = vec![b'x'; 8 * 1024 * 1024];
        let chunks: Vec<&[u8]> = std::iter::repeat_n(&*much, 10).chain([&b"\n{\"a\":1}\n"[..]]).collect();
        assert_eq!(read(&chunks), ["too long", "json {\"a\":1}"]);
    }
}
