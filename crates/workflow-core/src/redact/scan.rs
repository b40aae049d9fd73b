//! Follows a text byte by byte in every encoding in which a secret is looked for.

use std::collections::VecDeque;
use std::ops::Range;

use aho_corasick::automaton::StateID;

use crate::redact::decode::{Escape, Escaped, Step, digit, sextet};
use crate::redact::matcher::{Matcher, is_line_end};

/// More line ends than this one after the other are none of those that a secret is wrapped with.
const MOST_LINE_ENDS: u8 = 8;

/// A text as it is read in one encoding, and how much of a secret its end matches.
struct View {
    state: StateID,
    /// Where each byte of what may become a secret begins in the text.
    starts: VecDeque<usize>,
    line_ends: u8,
}

impl View {
    fn new(matcher: &Matcher) -> Self {
        Self { state: matcher.start(), starts: VecDeque::new(), line_ends: 0 }
    }

    fn reset(&mut self, matcher: &Matcher) {
        if self.starts.is_empty() {
            return;
        }
        self.state = matcher.start();
        self.starts.clear();
    }

    fn step(&mut self, matcher: &Matcher, step: &Step<'_>, found: &mut Vec<Range<usize>>) {
        match step {
            Step::Byte(byte, at) => self.feed(matcher, *byte, *at..at + 1, found),
            Step::Decoded(bytes, place) => {
                for byte in *bytes {
                    self.feed(matcher, *byte, place.clone(), found);
                }
            }
        }
    }

    /// Takes the next byte, which is at `place` in the text.
    #[inline]
    fn feed(&mut self, matcher: &Matcher, byte: u8, place: Range<usize>, found: &mut Vec<Range<usize>>) {
        // Nearly always so.
        if self.starts.is_empty() && !matcher.can_begin_with(byte) {
            return;
        }
        self.advance(matcher, byte, place, found);
    }

    #[cold]
    fn advance(&mut self, matcher: &Matcher, byte: u8, place: Range<usize>, found: &mut Vec<Range<usize>>) {
        if is_line_end(byte) {
            self.line_ends += 1;
            if self.line_ends > MOST_LINE_ENDS {
                self.reset(matcher);
            }
            return;
        }
        self.line_ends = 0;
        let (state, depth) = matcher.next(self.state, byte);
        self.state = state;
        self.starts.push_back(place.start);
        self.starts.drain(..self.starts.len() - depth);
        if let Some(length) = matcher.ends(state) {
            found.push(self.starts[depth - length]..place.end);
        }
    }
}

/// A row of digits of which several make a byte.
#[derive(Default)]
struct Row {
    /// The last digit, and its place.
    last: Option<(u8, usize)>,
    /// How many there were, as far as that tells how they can belong together.
    number: usize,
}

/// How far a text has been read.
pub(super) struct Scan {
    at: usize,
    line_ends: u8,
    raw: View,
    json: (Escape, View),
    percent: (Escape, View),
    /// A row of digits can begin anywhere in what looks like one: a view for each way of counting.
    base64: (Row, [View; 4]),
    hex: (Row, [View; 2]),
    /// Where secrets were found, in the order of their ends.
    pub(super) found: Vec<Range<usize>>,
}

impl Scan {
    pub(super) fn new(matcher: &Matcher) -> Self {
        let view = |_| View::new(matcher);
        Self {
            at: 0,
            line_ends: 0,
            raw: view(0),
            json: (Escape::new(Escaped::Json), view(0)),
            percent: (Escape::new(Escaped::Percent), view(0)),
            base64: (Row::default(), [0; 4].map(view)),
            hex: (Row::default(), [0; 2].map(view)),
            found: Vec::new(),
        }
    }

    /// Takes the next byte of the text.
    pub(super) fn push(&mut self, matcher: &Matcher, byte: u8) {
        let at = self.at;
        self.at += 1;
        if is_line_end(byte) {
            self.end_line(matcher);
        } else {
            self.line_ends = 0;
        }
        let found = &mut self.found;
        self.raw.feed(matcher, byte, at..at + 1, found);
        unescape(matcher, &mut self.json, byte, at, found);
        unescape(matcher, &mut self.percent, byte, at, found);
        if self.line_ends > 0 {
            return;
        }
        digits(matcher, &mut self.base64, sextet(byte), at, found, |number, view, last, now| {
            // The first digit of four begins a byte, and each other one ends one.
            match (number + view) % 4 {
                0 => None,
                1 => Some(last << 2 | now >> 4),
                2 => Some(last << 4 | now >> 2),
                _ => Some(last << 6 | now),
            }
        });
        digits(matcher, &mut self.hex, digit(byte), at, found, |number, view, last, now| {
            (number % 2 == view).then_some(last << 4 | now)
        });
    }

    /// Takes the end of the text.
    pub(super) fn finish(&mut self, matcher: &Matcher) {
        for (escape, view) in [&mut self.json, &mut self.percent] {
            escape.finish(&mut |step| view.step(matcher, &step, &mut self.found));
        }
    }

    /// Notes that a line ends, whose end is not a part of the text.
    pub(super) fn end_line(&mut self, matcher: &Matcher) {
        self.line_ends = self.line_ends.saturating_add(1);
        if self.line_ends > MOST_LINE_ENDS {
            self.reset(matcher);
        }
    }

    fn reset(&mut self, matcher: &Matcher) {
        let found = std::mem::take(&mut self.found);
        *self = Self { at: self.at, line_ends: self.line_ends, found, ..Self::new(matcher) };
    }

    /// Where the text begins that may still become a part of a secret.
    pub(super) fn undecided(&self) -> usize {
        let escapes = [&self.json.0, &self.percent.0].into_iter().filter_map(Escape::start);
        let rows = [&self.base64.0, &self.hex.0].into_iter().filter_map(|row| row.last.map(|(_, at)| at));
        escapes.chain(rows).min().unwrap_or(self.at).min(self.undecided_after(0))
    }

    /// The same, where less than `least` bytes of a secret count for nothing.
    pub(super) fn undecided_after(&self, least: usize) -> usize {
        let decoded = [&self.raw, &self.json.1, &self.percent.1].into_iter();
        let views = decoded.chain(&self.base64.1).chain(&self.hex.1);
        let long = views.filter(|view| view.starts.len() >= least);
        long.filter_map(|view| view.starts.front().copied()).min().unwrap_or(self.at)
    }
}

/// Takes a byte of a text in which some bytes may be escaped.
fn unescape(
    matcher: &Matcher,
    (escape, view): &mut (Escape, View),
    byte: u8,
    at: usize,
    found: &mut Vec<Range<usize>>,
) {
    escape.push(byte, at, &mut |step| view.step(matcher, &step, found));
}

/// Takes a digit of a row, or what ends it.
fn digits<const N: usize>(
    matcher: &Matcher,
    (row, views): &mut (Row, [View; N]),
    digit: Option<u8>,
    at: usize,
    found: &mut Vec<Range<usize>>,
    byte: impl Fn(usize, usize, u8, u8) -> Option<u8>,
) {
    let Some(digit) = digit else {
        if row.last.take().is_some() {
            row.number = 0;
            for view in views {
                view.reset(matcher);
            }
        }
        return;
    };
    if let Some((last, start)) = row.last {
        for (n, view) in views.iter_mut().enumerate() {
            if let Some(byte) = byte(row.number, n, last, digit) {
                view.feed(matcher, byte, start..at + 1, found);
            }
        }
    }
    row.last = Some((digit, at));
    row.number = (row.number + 1) % 4;
}

impl Matcher {
    /// Where secrets are in a text, in order; what overlaps is one place.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut scan = Scan::new(self);
        for byte in text.bytes() {
            scan.push(self, byte);
        }
        scan.finish(self);
        let mut found = scan.found;
        found.sort_unstable_by_key(|place| place.start);
        found.dedup_by(|next, place| {
            let overlaps = next.start < place.end;
            if overlaps {
                place.end = place.end.max(next.end);
            }
            overlaps
        });
        found
    }
}

/// A part of a text, widened to whole characters.
pub(super) fn whole_characters(text: &str, mut part: Range<usize>) -> Range<usize> {
    while !text.is_char_boundary(part.start) {
        part.start -= 1;
    }
    while !text.is_char_boundary(part.end) {
        part.end += 1;
    }
    part
}
