//! The tree of a text: values and keys with their places.

use serde_json::Value;

use crate::exact;

/// The largest file that is read, in bytes.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// The deepest nesting of lists and mappings.
pub(super) const MAX_DEPTH: usize = 64;
/// The most values in a file, and the most that its aliases may expand to together with them.
pub(super) const MAX_NODES: usize = 50_000;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Counted from 1.
    pub(crate) line: u32,
    /// In characters, counted from 1.
    pub(crate) column: u32,
    /// In bytes, counted from 0.
    pub(crate) offset: usize,
}

impl Place {
    pub(crate) const START: Place = Place { line: 1, column: 1, offset: 0 };
}

/// A value of a YAML text.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) start: Place,
    /// Where it ends; for a value in quotes or a block this may be later than its last character.
    pub(crate) end: Place,
    pub(crate) kind: Kind,
    /// How a number is written, where its value would be written in another way.
    pub(crate) number: Option<Box<str>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Scalar(Style, Value),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// How a scalar is written, as far as the positions of its characters depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Quoted,
    Block,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) at: Place,
    pub(crate) value: Node,
}

/// What is wrong with a text as YAML.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) code: &'static str,
    pub(crate) path: String,
    pub(crate) at: Place,
    pub(crate) message: String,
}

impl Node {
    /// The value of a key of a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The item of a list.
    pub(crate) fn item(&self, index: usize) -> Option<&Node> {
        match &self.kind {
            Kind::List(items) => items.get(index),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Scalar(_, Value::Null))
    }

    /// The place of the character at `offset` bytes in the value of a scalar, as far as it can be
    /// told from the text that it was read from; else that of the scalar.
    pub(crate) fn place_of(&self, offset: usize, text: &str) -> Place {
        let Kind::Scalar(style, Value::String(value)) = &self.kind else { return self.start };
        let Some(before) = value.get(..offset) else { return self.start };
        let (lines, skip) = match style {
            Style::Plain => (0, 0),
            Style::Quoted => (0, 1),
            Style::Block => (before.trim_start_matches('\n').matches('\n').count(), 0),
        };
        // The text before it in its line must match the file exactly.
        let before =
            if *style == Style::Block { before.rsplit('\n').next().unwrap_or(before) } else { before };
        let first = text[..self.start.offset].rfind('\n').map_or(0, |end| end + 1);
        let indent = self.start.column as usize - 1 + skip;
        let line = text[first..].lines().nth(lines).unwrap_or_default();
        let stands_there = line
            .char_indices()
            .nth(indent)
            .is_some_and(|(start, _)| line[start..].starts_with(before) && !before.contains('\n'));
        if !stands_there {
            return self.start;
        }
        Place {
            line: self.start.line + u32::try_from(lines).unwrap_or(u32::MAX),
            column: u32::try_from(indent + before.chars().count() + 1).unwrap_or(u32::MAX),
            offset: self.start.offset,
        }
    }

    /// The value without its places, its numbers as they are written.
    pub(crate) fn to_value(&self) -> Value {
        if let Some(number) = &self.number {
            return exact::number(number);
        }
        match &self.kind {
            Kind::Scalar(_, value) => value.clone(),
            Kind::List(items) => items.iter().map(Node::to_value).collect(),
            Kind::Map(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value())).collect()
            }
        }
    }
}
