//! Reads JSON values, one per line, from the bytes that an agent prints.

use std::io::{BufRead as _, Read as _};

use serde_json::Value;
use workflow_core::data::Data;

use crate::agent::escapes;

/// The byte order mark.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The fields of a record with the requested answer: their numbers keep their exact notation.
const ANSWERS: [&str; 2] = ["structured_output", "structuredOutput"];

/// The longest line that is read: longer than the largest output, and than an echoed prompt.
const LIMIT: usize = 32 * 1024 * 1024;

/// Assembles records from chunks of bytes. Holds at most one line, up to 32 MiB.
#[derive(Default)]
pub(crate) struct Records {
    line: Vec<u8>,
    /// This line is too long, and the rest of it is dropped.
    skips: bool,
}

/// A line of an agent's standard output.
pub(crate) enum Record {
    /// A JSON object.
    Json(Value),
    /// Anything else, as text.
    Other(String),
    /// A line over the limit.
    TooLong,
}

impl Records {
    /// Adds a chunk, and passes on the records that it completes.
    pub(crate) fn push(&mut self, mut chunk: &[u8], mut each: impl FnMut(Record)) {
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

    /// Passes on a last line without a line ending.
    pub(crate) fn finish(mut self, mut each: impl FnMut(Record)) {
        if !self.line.is_empty() || self.skips {
            self.end(&mut each);
        }
    }

    fn end(&mut self, each: &mut impl FnMut(Record)) {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.skips) {
            return each(Record::TooLong);
        }
        let line = line.strip_prefix(BOM).unwrap_or(&line).trim_ascii();
        if line.is_empty() {
            return;
        }
        if let Some(value) = read(line) {
            return each(Record::Json(value));
        }
        let text = String::from_utf8_lossy(line).into_owned();
        // Programs set the title of the terminal in front of a record.
        let of_plain = text.contains('\u{1b}').then(|| read(escapes::without(&text).trim().as_bytes()));
        each(of_plain.flatten().map_or(Record::Other(text), Record::Json));
    }
}

fn read(line: &[u8]) -> Option<Value> {
    object(&serde_json::from_slice(line).ok()?)
}

/// A record that is an object, with numbers rounded to 64 bits except for those of the answer.
fn object(line: &Data) -> Option<Value> {
    let mut record = line.value();
    let members = record.as_object_mut()?;
    for name in ANSWERS.into_iter().filter(|name| line.json().contains(name)) {
        if let Some(answer) = members.get_mut(name) {
            *answer = line.exact_value().get_mut(name).map(Value::take).unwrap_or_default();
        }
    }
    Some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &[&[u8]]) -> Vec<String> {
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
            all(&[b"{\"a\":\"\xc3", b"\xa9\"}\r\n\n{\"b\"", b":1}"]),
            ["json {\"a\":\"é\"}", "json {\"b\":1}"]
        );
        assert_eq!(
            all(&[b"\xef\xbb\xbf{\"a\":1}\n\x1b]0;x\x07{\"b\":2}\n"]),
            ["json {\"a\":1}", "json {\"b\":2}"]
        );
        assert_eq!(all(&[b"hello\n{\"a\":\n[1]\n"]), ["other hello", "other {\"a\":", "other [1]"]);
    }

    #[test]
    fn numbers_of_an_answer_stay_as_they_are_written_and_no_number_makes_a_record_unreadable() {
        for name in ANSWERS {
            let answer = r#"{"n":[23000000000000000001,1e400,-0.0,-0,1.0,0.10]}"#;
            let line = format!("{{\"cost\":0.10,\"{name}\":{answer},\"other\":[1e400]}}\n");
            let mut read = Vec::new();
            Records::default().push(line.as_bytes(), |record| match record {
                Record::Json(record) => read.push(record),
                Record::Other(_) | Record::TooLong => {}
            });
            assert_eq!(Data::new(&read[0][name]).json(), answer);
            assert_eq!((read[0]["cost"].as_f64(), read[0]["other"][0].as_f64()), (Some(0.1), Some(f64::MAX)));
        }
    }

    #[test]
    fn a_line_without_end_costs_a_bounded_room_and_the_next_one_is_read() {
        let much = vec![b'x'; 8 * 1024 * 1024];
        let chunks: Vec<&[u8]> = std::iter::repeat_n(&*much, 10).chain([&b"\n{\"a\":1}\n"[..]]).collect();
        assert_eq!(all(&chunks), ["too long", "json {\"a\":1}"]);
    }
}
