//! What documents are made of, in any form.

use jiff::Timestamp;

use super::words::time;

/// A part of a document.
#[derive(Debug)]
pub(super) enum Block {
    /// The title, with the word for how it ended.
    Title(Vec<Span>, Badge),
    /// The heading of a section, and its anchor.
    Section(&'static str, &'static str),
    /// A heading within a section, with the word for how what it names ended.
    Heading(Vec<Span>, Badge),
    /// A paragraph.
    Text(Vec<Span>),
    /// Names and values.
    Facts(Vec<(&'static str, Vec<Span>)>),
    /// A table. The first cell of each row names the row.
    Table { caption: &'static str, head: &'static [Column], rows: Vec<Vec<Vec<Span>>> },
    /// Steps, in order, each with the command that does it.
    Steps(Vec<(Vec<Span>, Option<String>)>),
    /// Lines of text that came from outside, and what they are.
    Lines(&'static str, String),
}

/// A column of a table.
#[derive(Debug)]
pub(super) struct Column {
    pub title: &'static str,
    pub is_number: bool,
}

/// A part of a line.
#[derive(Debug)]
pub(super) enum Span {
    /// Words and numbers of the report itself.
    Plain(String),
    /// A time, which stays on one line.
    Time(Timestamp),
    /// Text that came from outside, or that a user wrote: also ids.
    Code(String),
    /// The word for how something ended.
    Badge(Badge),
}

/// A word for how something ended, and the tone of its colour, as `tokens.css` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Badge {
    pub word: String,
    pub tone: &'static str,
}

/// Words of the report itself.
pub(super) fn plain(text: impl Into<String>) -> Span {
    Span::Plain(text.into())
}

/// Sentences of the report itself, in which `code` is marked as in Markdown.
pub(super) fn prose(text: &str) -> Vec<Span> {
    let parts = text.split('`').enumerate().filter(|(_, part)| !part.is_empty());
    parts.map(|(n, part)| if n % 2 == 0 { plain(part) } else { code(&part) }).collect()
}

/// Text that came from outside.
pub(super) fn code(text: &impl ToString) -> Span {
    Span::Code(text.to_string())
}

/// A time.
pub(super) fn at(time: Timestamp) -> Span {
    Span::Time(time)
}

/// A column of words.
pub(super) const fn column(title: &'static str) -> Column {
    Column { title, is_number: false }
}

/// A column of numbers.
pub(super) const fn number(title: &'static str) -> Column {
    Column { title, is_number: true }
}

/// The text of a line, without its form.
pub(super) fn text_of(spans: &[Span]) -> String {
    let text = spans.iter().map(|span| match span {
        Span::Plain(text) => text.clone(),
        Span::Time(at) => time(*at),
        Span::Code(text) => format!("`{text}`"),
        Span::Badge(badge) => badge.word.clone(),
    });
    text.collect()
}
