//! For implementors of stores: collects a window of output in one pass, also from entries that are stored as lines of
//! JSON, without parsing those that the filter does not select.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::output_filter::{OutputFilter, OutputWindow};
use super::text::contains;
use crate::ids::NodePath;
use crate::output::{OutputEntry, OutputKind};

/// A longer text is searched for with less memory and less speed.
const SHORT: usize = 200;

/// Collects the window that a filter asks for. Entries are passed in the order that [`is_backwards`](Self::is_backwards)
/// says.
///
/// ```
/// use workflow_core::output::OutputEntry;
/// use workflow_core::store::{OutputFilter, window::WindowScan};
///
/// let line = r#"{"number":7,"after_event":3,"at":"2026-01-02T03:04:05Z","path":"1/plan[0]/run","attempt":1,"kind":"stdout","text":"Done"}"#;
/// let filter = OutputFilter::all().text("done").counted();
/// let mut scan = WindowScan::new(&filter);
/// scan.add_lines(line.as_bytes(), |error| panic!("{error}"));
/// let window = scan.finish();
/// assert_eq!((window.entries[0].number, window.total), (7, Some(1)));
/// ```
#[derive(Debug)]
pub struct WindowScan<'f> {
    filter: &'f OutputFilter,
    /// Made for the first lines.
    text: Option<Needle<'f>>,
    /// Whether the lines that are being passed do not contain the text anywhere.
    is_absent: bool,
    /// The last line between its time and its text, and whether that is selected: mostly, the next line has the same
    /// there.
    place: (Vec<u8>, bool),
    entries: Vec<OutputEntry>,
    limit: usize,
    total: u64,
    marks: Vec<u64>,
    /// Nothing that is passed from here on is within `after` and `before`.
    past: bool,
}

impl<'f> WindowScan<'f> {
    /// Begins to collect.
    pub fn new(filter: &'f OutputFilter) -> Self {
        Self {
            filter,
            text: None,
            is_absent: false,
            place: (Vec::new(), false),
            entries: Vec::new(),
            limit: filter.limit.unwrap_or(usize::MAX),
            total: 0,
            marks: Vec::new(),
            past: false,
        }
    }

    /// Whether entries have to be passed from the newest to the oldest; otherwise from the oldest to the newest.
    pub fn is_backwards(&self) -> bool {
        self.filter.after.is_none()
    }

    /// Only entries with numbers above the first and below the second of these have to be passed. Others do no harm.
    pub fn range(&self) -> (u64, u64) {
        if self.filter.counted {
            return (0, u64::MAX);
        }
        (self.filter.after.unwrap_or(0), self.filter.before.unwrap_or(u64::MAX))
    }

    /// Whether nothing more has to be passed.
    pub fn is_done(&self) -> bool {
        !self.filter.counted && (self.past || self.entries.len() >= self.limit)
    }

    /// Passes an entry.
    pub fn add(&mut self, entry: &OutputEntry) {
        self.see(entry.number);
        if self.filter.matches(entry) && self.count(entry.number) {
            self.entries.push(entry.clone());
        }
    }

    /// Passes entries as lines of JSON that are in the order of their numbers. `damaged` gets the error of each line that
    /// is not an entry; it is left out.
    pub fn add_lines(&mut self, lines: &[u8], mut damaged: impl FnMut(&serde_json::Error)) {
        let backwards = self.is_backwards();
        // Mostly the text is rare, and one search in many lines takes less time than one in each.
        self.is_absent = self.needle().is_some_and(|needle| !needle.may_be_in(lines));
        let mut add = |line: &[u8]| {
            if !line.is_empty() && !self.is_done() {
                self.add_line(line).unwrap_or_else(|error| damaged(&error));
            }
        };
        match (str::from_utf8(lines), backwards) {
            (Ok(lines), true) => lines.split('\n').rev().for_each(|line| add(line.as_bytes())),
            (Ok(lines), false) => lines.split('\n').for_each(|line| add(line.as_bytes())),
            (Err(_), true) => lines.rsplit(|byte| *byte == b'\n').for_each(add),
            (Err(_), false) => lines.split(|byte| *byte == b'\n').for_each(add),
        }
    }

    /// What was collected.
    pub fn finish(mut self) -> OutputWindow {
        if self.is_backwards() {
            self.entries.reverse();
        }
        let total = self.filter.counted.then_some(self.total);
        OutputWindow { entries: self.entries, total, marks: self.marks }
    }

    fn see(&mut self, number: u64) {
        self.past |= !self.is_backwards() && self.filter.before.is_some_and(|before| number >= before);
    }

    /// Counts an entry that is selected. Returns whether it belongs to the window.
    fn count(&mut self, number: u64) -> bool {
        self.total += 1;
        if self.filter.counted && self.filter.marks > 0 && self.total.is_multiple_of(self.filter.marks) {
            self.marks.push(number);
        }
        self.entries.len() < self.limit
            && self.filter.after.is_none_or(|after| number > after)
            && self.filter.before.is_none_or(|before| number < before)
    }

    fn add_line(&mut self, line: &[u8]) -> serde_json::Result<()> {
        let Some((number, selected, quoted)) = self.outline(line) else {
            let entry: OutputEntry = serde_json::from_slice(line)?;
            self.add(&entry);
            return Ok(());
        };
        self.see(number);
        if selected && self.has_text(quoted)? && self.count(number) {
            self.entries.push(serde_json::from_slice(line)?);
        }
        Ok(())
    }

    /// The number of the entry in a line, whether all but its text is selected, and its text as a JSON string, in its
    /// quotes. `None` if the line has another form than the one in which this crate writes entries: it is parsed then.
    fn outline<'l>(&mut self, line: &'l [u8]) -> Option<(u64, bool, &'l [u8])> {
        let (number, rest) = digits(line.strip_prefix(b"{\"number\":")?)?;
        let (_, rest) = digits(rest.strip_prefix(b",\"after_event\":")?)?;
        let (_, rest) = string(rest.strip_prefix(b",\"at\":")?)?;
        let known = if self.place.0.is_empty() { None } else { rest.strip_prefix(self.place.0.as_slice()) };
        let quoted = if let Some(quoted) = known {
            quoted
        } else {
            let (place, quoted) = Place::of(rest)?;
            let selected = self.selects(&place);
            self.place.0.clear();
            self.place.0.extend_from_slice(&rest[..rest.len() - quoted.len()]);
            self.place.1 = selected;
            quoted
        };
        let quoted = quoted.strip_suffix(b"}")?;
        (quoted.len() >= 2 && quoted.starts_with(b"\"") && quoted.ends_with(b"\"")).then_some(())?;
        Some((number, self.place.1, quoted))
    }

    fn selects(&self, place: &Place<'_>) -> bool {
        let kinds = &self.filter.kinds;
        if !kinds.is_empty() && !kinds.iter().any(|kind| OutputKind::as_str(*kind).as_bytes() == place.kind) {
            return false;
        }
        if self.filter.attempt.is_some_and(|attempt| u64::from(attempt) != place.attempt) {
            return false;
        }
        // A path has only ASCII characters, so a text that is none selects nothing.
        let path = str::from_utf8(place.path).ok().and_then(|path| path.parse::<NodePath>().ok());
        path.is_some_and(|path| self.filter.matches_path(&path))
    }

    fn has_text(&mut self, quoted: &[u8]) -> serde_json::Result<bool> {
        if self.is_absent {
            return Ok(false);
        }
        self.needle().map_or(Ok(true), |needle| needle.is_in(quoted))
    }

    /// The text to search for, if there is one.
    fn needle(&mut self) -> Option<&Needle<'f>> {
        let text = self.filter.text.as_deref().filter(|text| !text.is_empty())?;
        Some(self.text.get_or_insert_with(|| Needle::new(text)))
    }
}

/// Where an entry comes from, as a line has it between its time and its text.
struct Place<'l> {
    path: &'l [u8],
    attempt: u64,
    kind: &'l [u8],
}

impl<'l> Place<'l> {
    /// With what follows it in the line.
    fn of(line: &'l [u8]) -> Option<(Self, &'l [u8])> {
        let (path, rest) = string(line.strip_prefix(b",\"path\":")?)?;
        let (attempt, rest) = digits(rest.strip_prefix(b",\"attempt\":")?)?;
        let (kind, rest) = string(rest.strip_prefix(b",\"kind\":")?)?;
        Some((Self { path, attempt, kind }, rest.strip_prefix(b",\"text\":")?))
    }
}

fn digits(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut number: u64 = 0;
    for (n, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => number = number.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?,
            _ if n > 0 => return Some((number, &text[n..])),
            _ => break,
        }
    }
    None
}

/// A JSON string without escapes.
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"\"")?;
    let end = text.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    (text[end] == b'"').then(|| (&text[..end], &text[end + 1..]))
}

/// A text to search for.
#[derive(Debug)]
struct Needle<'f> {
    text: &'f str,
    /// Finds it as JSON writes it. Absent where it cannot be made: every text is parsed then.
    finder: Option<AhoCorasick>,
}

impl<'f> Needle<'f> {
    fn new(text: &'f str) -> Self {
        let json = serde_json::to_string(text).unwrap_or_default();
        let inner = json.get(1..json.len().saturating_sub(1)).unwrap_or_default();
        let kind = if inner.len() <= SHORT { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let finder = AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(kind)).build([inner]);
        Self { text, finder: finder.ok() }
    }

    /// Whether it may be in the text of a JSON string that is written as this crate writes it, or in that of several.
    ///
    /// JSON writes each character for itself, and letters as they are: a text that contains another contains it in its JSON
    /// form as well.
    fn may_be_in(&self, json: &[u8]) -> bool {
        self.finder.as_ref().is_none_or(|finder| finder.is_match(json))
    }

    /// Whether it is in the text of a JSON string.
    fn is_in(&self, quoted: &[u8]) -> serde_json::Result<bool> {
        let inner = &quoted[1..quoted.len() - 1];
        if !self.may_be_in(inner) {
            return Ok(false);
        }
        if self.finder.is_some() && !inner.contains(&b'\\') && !inner.contains(&b'"') {
            return Ok(true);
        }
        let text: Cow<'_, str> = serde_json::from_slice(quoted)?;
        Ok(contains(&text, self.text))
    }
}
