//! Where values are in their text, in lines and columns as editors count them.

use super::layout::Layout;
use crate::definition::model::{Path, SourceRange};
use crate::definition::yaml::{Entry, Kind, Node};

/// Finds the ranges of values in a text.
pub(in crate::definition) struct Ranges<'t> {
    layout: Layout<'t>,
    /// Where each line starts, in bytes.
    lines: Vec<usize>,
    /// How many characters there are before each byte, where they are not the bytes.
    characters: Option<Vec<u32>>,
}

impl<'t> Ranges<'t> {
    pub(in crate::definition) fn of(text: &'t str) -> Self {
        let lines = [0].into_iter().chain(text.match_indices('\n').map(|(end, _)| end + 1)).collect();
        let characters = (!text.is_ascii()).then(|| {
            let mut before = Vec::with_capacity(text.len() + 1);
            for (n, c) in text.chars().enumerate() {
                // A text has at most 1 MiB.
                before.extend(std::iter::repeat_n(u32::try_from(n).unwrap_or(u32::MAX), c.len_utf8()));
            }
            before.push(before.last().map_or(0, |last| last + 1));
            before
        });
        Self { layout: Layout::new(text), lines, characters }
    }

    /// The line and column of a byte, counted from 1.
    pub(in crate::definition) fn place(&self, offset: usize) -> (u32, u32) {
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines[line - 1];
        let column = match &self.characters {
            Some(before) => before[offset] - before[start],
            None => u32::try_from(offset - start).unwrap_or(u32::MAX),
        };
        (u32::try_from(line).unwrap_or(u32::MAX), column + 1)
    }

    /// Where a key ends, in bytes.
    pub(in crate::definition) fn key_end(&self, key: &Entry) -> Option<usize> {
        self.layout.key_end(key)
    }

    /// A part of the text.
    pub(in crate::definition) fn range(&self, start: usize, end: usize) -> SourceRange {
        let ((line, column), (end_line, end_column)) = (self.place(start), self.place(end));
        SourceRange { line, column, start, end_line, end_column, end }
    }

    /// The range of a value.
    pub(in crate::definition) fn value(&self, node: &Node) -> SourceRange {
        let start = node.start.offset;
        let end = self.layout.value(node, None).map_or(node.end.offset, |range| range.end);
        self.range(start, end.max(start))
    }

    /// The range of a key's value. That of one that is not written is empty, after the colon.
    fn of_entry(&self, entry: &Entry) -> SourceRange {
        match self.layout.value(&entry.value, Some(entry)) {
            Some(range) if range.is_empty() => self.range(range.start, range.end),
            _ => self.value(&entry.value),
        }
    }

    /// The ranges of a value and of all that it contains, by their paths.
    pub(in crate::definition) fn all(&self, tree: &Node) -> Vec<(String, SourceRange)> {
        let mut found = vec![(String::new(), self.value(tree))];
        self.inside(tree, &Path::Root, &mut found);
        found
    }

    fn inside(&self, node: &Node, path: &Path<'_>, found: &mut Vec<(String, SourceRange)>) {
        match &node.kind {
            Kind::Scalar(..) => {}
            Kind::List(items) => {
                for (n, item) in items.iter().enumerate() {
                    let path = path.index(n);
                    found.push((path.to_string(), self.value(item)));
                    self.inside(item, &path, found);
                }
            }
            Kind::Map(entries) => {
                for entry in entries {
                    let path = path.key(&entry.key);
                    found.push((path.to_string(), self.of_entry(entry)));
                    self.inside(&entry.value, &path, found);
                }
            }
        }
    }
}
