//! A text that comes in pieces.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::matcher::Matcher;
use super::scan::{Scan, whole_characters};
use super::secret::MARK;

/// At the end of a line less of a secret than this is shown at once. Nearly every line ends with something that a secret
/// could begin with, and a person waits for it.
const SHORT: usize = 4;

/// How a piece belongs to the one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// The text continues in the next piece, and the cut has no meaning.
    Delta,
    /// The text continues in the next piece, and the two must stay separate: a line that is too long for one
    /// piece.
    Part,
    /// The end of a line.
    Line,
}

/// Takes secrets out of a text that comes in pieces, wherever it is cut. The end of a piece that may be the
/// beginning of a secret is held back until more text arrives, or until the [end](Stream::finish).
///
/// So little is held back that a person does not notice it: mostly nothing, or the last character; at most what the
/// longest secret takes in the longest of its encodings.
pub struct Stream {
    matcher: Option<Arc<Matcher>>,
    scan: Option<Scan>,
    /// The text that has not been passed on, and where in the whole text it begins.
    held: String,
    held_from: usize,
    /// The ends of separate pieces in the text that is held back.
    ends: VecDeque<usize>,
    found: Vec<SecretPlace>,
}

/// The place of a secret in the text that is held back.
struct SecretPlace {
    range: Range<usize>,
    /// It began in text that was passed on, and is marked there.
    is_marked: bool,
}

impl Stream {
    pub(super) fn new(matcher: Option<Arc<Matcher>>) -> Self {
        let scan = matcher.as_deref().map(Scan::new);
        let (held, ends, found) = (String::new(), VecDeque::new(), Vec::new());
        Self { matcher, scan, held, held_from: 0, ends, found }
    }

    /// Takes a piece, and passes on everything that is certain by now.
    pub fn push(&mut self, text: String, piece: Piece, mut take: impl FnMut(String)) {
        let (Some(matcher), Some(scan)) = (&self.matcher, &mut self.scan) else { return take(text) };
        for byte in text.bytes() {
            scan.push(matcher, byte);
        }
        if self.held.is_empty() && self.ends.is_empty() {
            self.held = text;
        } else {
            self.held.push_str(&text);
        }
        if piece != Piece::Delta {
            self.ends.push_back(self.held_from + self.held.len());
        }
        if piece == Piece::Line {
            scan.end_line(matcher);
        }
        let certain = match piece {
            Piece::Line => scan.undecided_after(SHORT),
            Piece::Delta | Piece::Part => scan.undecided(),
        };
        self.release(certain, piece == Piece::Line, &mut take);
    }

    /// Passes on what is held back.
    pub fn finish(&mut self, mut take: impl FnMut(String)) {
        if let (Some(matcher), Some(scan)) = (&self.matcher, &mut self.scan) {
            scan.finish(matcher);
        }
        self.release(self.held_from + self.held.len(), false, &mut take);
        *self = Self::new(self.matcher.take());
    }

    /// Passes on the text before `certain`; only whole pieces, if requested.
    fn release(&mut self, certain: usize, whole: bool, take: &mut impl FnMut(String)) {
        if let Some(scan) = &mut self.scan {
            for mut range in scan.found.drain(..) {
                range.start = range.start.max(self.held_from);
                self.found.push(SecretPlace { range, is_marked: false });
            }
        }
        merge(&mut self.found);
        let mut upto = certain.clamp(self.held_from, self.held_from + self.held.len());
        // What is found may still become a part of something longer.
        if let Some(SecretPlace { range, .. }) =
            self.found.iter().find(|place| place.range.start < upto && upto < place.range.end)
        {
            upto = range.start;
        }
        while let Some(end) = self.ends.front().copied().filter(|end| *end <= upto) {
            self.ends.pop_front();
            let was_empty = end == self.held_from;
            let text = self.cut(end);
            if was_empty || !text.is_empty() {
                take(text);
            }
        }
        while !self.held.is_char_boundary(upto - self.held_from) {
            upto -= 1;
        }
        if !whole && upto > self.held_from {
            let text = self.cut(upto);
            if !text.is_empty() {
                take(text);
            }
        }
    }

    /// Takes what is held up to there, without secrets.
    fn cut(&mut self, upto: usize) -> String {
        let rest = self.held.split_off(upto - self.held_from);
        let mut text = std::mem::replace(&mut self.held, rest);
        let from = std::mem::replace(&mut self.held_from, upto);
        for SecretPlace { range, is_marked } in
            self.found.iter().rev().filter(|place| place.range.start < upto)
        {
            let part = range.start - from..range.end.min(upto) - from;
            text.replace_range(whole_characters(&text, part), if *is_marked { "" } else { MARK });
        }
        self.found.retain_mut(|SecretPlace { range, is_marked }| {
            *is_marked |= range.start < upto;
            range.start = range.start.max(upto);
            range.start < range.end
        });
        text
    }
}

/// Sorts places, and makes one of those that overlap.
fn merge(places: &mut Vec<SecretPlace>) {
    places.sort_by_key(|place| place.range.start);
    places.dedup_by(|next, place| {
        let overlaps = next.range.start < place.range.end;
        if overlaps {
            place.range.end = place.range.end.max(next.range.end);
            place.is_marked |= next.is_marked;
        }
        overlaps
    });
}
