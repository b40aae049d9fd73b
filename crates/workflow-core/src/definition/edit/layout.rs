//! Finds where the parts of values are in the text of a file.

use std::ops::Range;

use crate::definition::yaml::{Entry, Kind, Node, Style};

/// The text of a file.
pub(super) struct Layout<'t>(&'t str);

impl<'t> Layout<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self(text)
    }

    pub(super) fn text(&self) -> &'t str {
        self.0
    }

    /// Whether a list or mapping is written with `[ ]` or `{ }`.
    pub(super) fn is_flow(&self, node: &Node) -> bool {
        matches!(node.kind, Kind::List(_) | Kind::Map(_))
            && self.0[node.start.offset..].starts_with(['[', '{'])
    }

    /// Whether `offset` is inside of a `[ ]` or `{ }` that is in `node`.
    pub(super) fn is_in_flow(&self, node: &Node, offset: usize) -> bool {
        if self.is_flow(node) {
            return (node.start.offset + 1..node.end.offset).contains(&offset);
        }
        match &node.kind {
            Kind::Scalar(..) => false,
            Kind::List(items) => items.iter().any(|item| self.is_in_flow(item, offset)),
            Kind::Map(entries) => entries.iter().any(|entry| self.is_in_flow(&entry.value, offset)),
        }
    }

    /// The part of the text that is a value. For one in a block this begins after the colon.
    pub(super) fn value(&self, node: &Node, entry: Option<&Entry>) -> Option<Range<usize>> {
        let start = match entry {
            Some(entry) if is_nothing(node) => {
                let place = self.after_colon(entry)?;
                return Some(place..place);
            }
            Some(entry) if self.is_block(node) => self.after_colon(entry)?,
            _ => node.start.offset,
        };
        let end = self.end(node)?;
        (start <= end).then_some(start..end)
    }

    /// Whether a value has lines of its own.
    fn is_block(&self, node: &Node) -> bool {
        match &node.kind {
            Kind::Scalar(style, _) => *style == Style::Block,
            Kind::List(_) | Kind::Map(_) => !self.is_flow(node),
        }
    }

    /// Where a value ends, without the comments and empty lines after it.
    fn end(&self, node: &Node) -> Option<usize> {
        match &node.kind {
            Kind::Scalar(Style::Plain, _) => Some(node.end.offset),
            Kind::Scalar(Style::Quoted, _) => self.quote_end(node.start.offset),
            Kind::Scalar(Style::Block, _) => Some(self.block_end(node)),
            _ if self.is_flow(node) => Some(node.end.offset),
            Kind::List(items) => self.end(items.last()?),
            Kind::Map(entries) => self.entry_end(entries.last()?),
        }
    }

    /// Where a key's value ends.
    pub(super) fn entry_end(&self, entry: &Entry) -> Option<usize> {
        if is_nothing(&entry.value) {
            return self.after_colon(entry);
        }
        if entry.value.start.offset > entry.at.offset {
            return self.end(&entry.value);
        }
        // The value is elsewhere, and this is its alias.
        let colon = self.after_colon(entry)?;
        let alias = self.0[colon..].trim_start();
        let start = self.0.len() - alias.len();
        let end = alias.find(|c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}'));
        alias.starts_with('*').then_some(start + end.unwrap_or(alias.len()))
    }

    /// Where a key ends.
    pub(super) fn key_end(&self, entry: &Entry) -> Option<usize> {
        let start = entry.at.offset;
        let is_quoted = self.0[start..].starts_with(['"', '\'']);
        if is_quoted { self.quote_end(start) } else { Some(start + entry.key.len()) }
    }

    fn after_colon(&self, entry: &Entry) -> Option<usize> {
        let end = self.key_end(entry)?;
        let rest = self.0.get(end..)?;
        let colon = end + rest.len() - rest.trim_start_matches(' ').len();
        self.0[colon..].starts_with(':').then_some(colon + 1)
    }

    /// Where a text in quotes ends that begins at `start`.
    fn quote_end(&self, start: usize) -> Option<usize> {
        let bytes = self.0.as_bytes();
        let quote = *bytes.get(start)?;
        let mut at = start + 1;
        loop {
            match (*bytes.get(at)?, quote) {
                (b'\\', b'"') => at += 2,
                (b'\'', b'\'') if bytes.get(at + 1) == Some(&b'\'') => at += 2,
                (byte, quote) if byte == quote => return Some(at + 1),
                _ => at += 1,
            }
        }
    }

    /// The end of the last line of a block that has something on it.
    fn block_end(&self, node: &Node) -> usize {
        let indent = node.start.column as usize - 1;
        let first = self.line_start(node.start.offset);
        let mut end = node.start.offset;
        let mut at = first;
        for line in self.0[first..node.end.offset].split_inclusive('\n') {
            let content = line.trim_end();
            if !content.is_empty() {
                if content.len() - content.trim_start_matches(' ').len() < indent {
                    break;
                }
                end = at + content.len();
            }
            at += line.len();
        }
        end
    }

    fn line_start(&self, offset: usize) -> usize {
        self.0[..offset].rfind('\n').map_or(0, |end| end + 1)
    }

    /// Where the line of `offset` ends, before its line end.
    fn line_end(&self, offset: usize) -> usize {
        let end = self.0[offset..].find('\n').map_or(self.0.len(), |length| offset + length);
        if self.0[..end].ends_with('\r') && end > offset { end - 1 } else { end }
    }

    fn newline(&self) -> &'static str {
        if self.0.contains("\r\n") { "\r\n" } else { "\n" }
    }

    /// A text with the file's own line ends.
    pub(super) fn lines(&self, text: &str) -> String {
        text.replace('\n', self.newline())
    }

    /// A line after the one that `offset` is in.
    pub(super) fn line_after(&self, offset: usize, indent: usize, line: &str) -> (Range<usize>, String) {
        let end = self.line_end(offset);
        (end..end, self.lines(&format!("\n{}{line}", " ".repeat(indent))))
    }

    /// Whether something that is put at `offset` needs a space before it.
    pub(super) fn needs_space(&self, offset: usize) -> bool {
        self.0[..offset].ends_with(':')
    }

    /// The same without the spaces before it, where nothing comes after it in its line.
    pub(super) fn with_space_before(&self, range: Range<usize>) -> Range<usize> {
        if self.ends_line(range.end) {
            self.0[..range.start].trim_end_matches(' ').len()..range.end
        } else {
            range
        }
    }

    /// Whether nothing follows in the line of `offset`, not even a comment.
    pub(super) fn ends_line(&self, offset: usize) -> bool {
        self.is_blank(offset..self.line_end(offset))
    }

    pub(super) fn is_blank(&self, range: Range<usize>) -> bool {
        self.0[range].trim().is_empty()
    }

    /// The lines of `range`, if there is nothing else but a comment on them.
    pub(super) fn whole_lines(&self, range: Range<usize>) -> Option<Range<usize>> {
        let start = self.line_start(range.start);
        let end = self.0[range.end..].find('\n').map_or(self.0.len(), |length| range.end + length + 1);
        self.is_blank(start..range.start).then_some(start..end)
    }
}

/// The column of a key, counted from 0.
pub(super) fn column(entry: &Entry) -> usize {
    entry.at.column as usize - 1
}

/// Whether a value is `null` because nothing is written. Its place may be that of what comes next.
fn is_nothing(node: &Node) -> bool {
    node.is_null() && node.start == node.end
}
