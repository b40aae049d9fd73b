//! `events.jsonl`: one event per line.
//!
//! An append is atomic, even if it has several events and the machine stops in the middle of it: every line
//! but its last ends with the field `"more":true`. Lines after the last line without that field were never
//! acknowledged; readers ignore them, and the next claim of the run removes them.

use std::fs::File;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use workflow_core::event::{EVENT_VERSION, Event};
use workflow_core::store::StoreError;

use super::facts::Facts;
use super::lines::{Line, Lines, line_number, number, seek};
use crate::disk::at;

const KEY: &str = "seq";
const MORE: &[u8] = b",\"more\":true}";

/// A boundary between two appends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// How many events come before it.
    pub(super) events: u64,
    /// How many bytes come before it.
    pub(super) bytes: u64,
}

/// The fields that every line has.
#[derive(Deserialize)]
struct Outline<'a> {
    seq: u64,
    v: u32,
    r#type: &'a str,
}

/// Writes the lines of one append to `buffer`.
pub(super) fn encode(events: &[Event], buffer: &mut Vec<u8>) -> io::Result<()> {
    for (n, event) in events.iter().enumerate() {
        serde_json::to_writer(&mut *buffer, event)?;
        if n + 1 < events.len() {
            buffer.pop();
            buffer.extend_from_slice(MORE);
        }
        buffer.push(b'\n');
    }
    Ok(())
}

/// Reads up to `limit` events with numbers above `after` from the first `end` bytes.
pub(super) fn read(
    path: &Path,
    file: &File,
    end: u64,
    after: u64,
    limit: usize,
) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::new();
    if limit == 0 {
        return Ok(events);
    }
    // How many of the events belong to complete appends.
    let mut whole = 0;
    let from = seek(file, end, KEY, after).map_err(at(path))?;
    let mut lines = Lines::new(file, from, end).map_err(at(path))?;
    while let Some(line) = lines.next().map_err(at(path))? {
        let last = !has_more(&line);
        if events.len() < limit {
            let corrupt = |message: &str| corrupt(path, file, &line, message);
            let number = number(line.bytes, KEY).ok_or_else(|| corrupt("this line is not an event"))?;
            if number > after {
                let expected = after + 1 + events.len() as u64;
                if number != expected {
                    return Err(corrupt(&format!("found event {number}, expected event {expected}")));
                }
                let event =
                    serde_json::from_slice(line.bytes).map_err(|error| corrupt(&error.to_string()))?;
                events.push(event);
            }
        }
        if last {
            whole = events.len();
            if whole == limit {
                break;
            }
        }
    }
    events.truncate(whole);
    Ok(events)
}

/// Folds the events after `mark` into `facts`. Returns the end of the last complete append, and the facts at
/// that point.
pub(super) fn scan(
    path: &Path,
    file: &File,
    mut facts: Facts,
    mut mark: Mark,
) -> Result<(Facts, Mark), StoreError> {
    let end = file.metadata().map_err(at(path))?.len();
    let mut lines = Lines::new(file, mark.bytes, end).map_err(at(path))?;
    let mut append = Vec::new();
    let mut events = mark.events;
    while let Some(line) = lines.next().map_err(at(path))? {
        let corrupt = |message: &str| corrupt(path, file, &line, message);
        let outline: Outline<'_> =
            serde_json::from_slice(line.bytes).map_err(|error| corrupt(&error.to_string()))?;
        events += 1;
        if outline.seq != events {
            return Err(corrupt(&format!("found event {}, expected event {events}", outline.seq)));
        }
        if outline.v != EVENT_VERSION {
            return Err(corrupt(&format!(
                "event {events} has format version {}; this version reads {EVENT_VERSION}",
                outline.v
            )));
        }
        if Facts::come_from(outline.r#type) {
            let event =
                serde_json::from_slice::<Event>(line.bytes).map_err(|error| corrupt(&error.to_string()))?;
            append.push(event);
        }
        if !has_more(&line) {
            append.drain(..).for_each(|event| facts.add(&event));
            mark = Mark { events, bytes: line.end() };
        }
    }
    Ok((facts, mark))
}

/// Whether an append can end just before the byte that `mark` names.
pub(super) fn is_line_end(file: &File, mark: Mark) -> io::Result<bool> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = file;
    let mut byte = [0];
    if mark.bytes == 0 || file.metadata()?.len() < mark.bytes {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(mark.bytes - 1))?;
    file.read_exact(&mut byte)?;
    Ok(byte == *b"\n")
}

fn has_more(line: &Line<'_>) -> bool {
    // Without the marker, the byte before the last brace ends an object or a string.
    line.bytes.strip_suffix(b"\n").is_some_and(|line| line.ends_with(MORE))
}

fn corrupt(path: &Path, file: &File, line: &Line<'_>, message: &str) -> StoreError {
    StoreError::Corrupt {
        place: format!("{}:{}", path.display(), line_number(file, line.start)),
        message: format!("{message}. The file was changed or damaged: correct the line, or delete the run"),
    }
}
