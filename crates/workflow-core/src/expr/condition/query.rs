//! JSONPath queries inside a condition: where one ends, what it may be, and its evaluation by
//! `serde_json_path`.

use std::ops::Range;

use serde_json::Value;
use serde_json_path::JsonPath;

use crate::expr::condition::brackets::{bracket, is_singular, string_length};
use crate::expr::condition::{cost, ranked};
use crate::expr::error::{SyntaxError, short};

/// The names of members that a query begins with.
pub(super) type Names = Box<[Box<str>]>;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Query {
    path: JsonPath,
    /// The query as it is written, where it has filters, or may have.
    text: Option<Box<str>>,
    /// Whether the numbers in it are compared as they are written.
    plain: bool,
    /// Whether it selects at most one value whatever the document: names and indexes only.
    pub(super) singular: bool,
    /// The names of members that it begins with, and those of each query in its filters that begins at
    /// the document's root as well.
    pub(super) names: Box<[Names]>,
}

pub(super) struct End {
    pub(super) at: usize,
    pub(super) singular: bool,
}

impl Query {
    /// Parses a query whose [`end`] was found.
    pub(super) fn parse(text: &str, range: Range<usize>, singular: bool) -> Result<Self, SyntaxError> {
        let plain = singular || ranked::has_plain_numbers(&text[range.clone()]);
        let parsed = match JsonPath::parse(&text[range.clone()]) {
            // One of its numbers may be too large.
            Err(error) if !plain => {
                ranked::ranked(&text[range.clone()], &Value::Null).map(|(path, _)| path).ok_or(error)
            }
            parsed => parsed,
        };
        match parsed {
            Ok(path) => {
                cost::check(&text[range.clone()], range.start)?;
                let text = &text[range];
                let names = roots(text).into_iter().map(|at| names(&text[at..])).collect();
                Ok(Self { path, text: (!singular).then(|| text.into()), plain, singular, names })
            }
            Err(error) => Err(SyntaxError::new(
                range.start + error.position(),
                "the query is not JSONPath (RFC 9535) from here on: \
                 write it as in `$.xs[0].name` or `$.xs[?@.n > 1]`",
            )),
        }
    }

    /// Whether the first value that it selects is `true`.
    pub(super) fn holds(&self, document: &Value) -> bool {
        if let Some(text) = &self.text
            && !(self.plain && ranked::is_plain(document))
            && let Some((path, document)) = ranked::ranked(text, document)
        {
            return path.query(&document).first() == Some(&Value::Bool(true));
        }
        self.first(document) == Some(&Value::Bool(true))
    }

    pub(super) fn first<'v>(&self, document: &'v Value) -> Option<&'v Value> {
        self.path.query(document).first()
    }
}

/// Finds where the query ends whose `$` is at `start`: after its last segment. What is refused
/// here, the JSONPath parser could not take safely, or would not explain.
pub(super) fn end(text: &str, start: usize) -> Result<End, SyntaxError> {
    let mut end = End { at: start + 1, singular: true };
    loop {
        let at = text.len() - text[end.at..].trim_start_matches([' ', '\t', '\n', '\r']).len();
        let rest = &text[at..];
        if rest.starts_with("..[") {
            end.singular = false;
            end.at = at + 2;
        } else if rest.starts_with("..") {
            end.singular = false;
            end.at = member(text, at + 2)?;
        } else if rest.starts_with('.') {
            end.singular &= !rest.starts_with(".*");
            end.at = member(text, at + 1)?;
        } else if rest.starts_with('[') {
            let close = bracket(text, at)?;
            end.singular &= is_singular(text[at + 1..close].trim_matches([' ', '\t', '\n', '\r']));
            end.at = close + 1;
        } else {
            return Ok(end);
        }
    }
}

/// Where queries begin in a well-formed one: it itself, and those in its filters.
fn roots(query: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&byte) = query.as_bytes().get(at) {
        match byte {
            b'$' => found.push(at),
            b'\'' | b'"' => at += string_length(&query[at..], byte).map_or(0, |length| length - 1),
            _ => {}
        }
        at += 1;
    }
    found
}

/// The names of members that a well-formed query begins with: `nodes`, `x` in `$.nodes['x'][0]`.
fn names(query: &str) -> Names {
    let blank = [' ', '\t', '\n', '\r'];
    let mut names = Vec::new();
    let mut rest = query.trim_start_matches('$').trim_start_matches(blank);
    loop {
        let name;
        if let Some(inside) = rest.strip_prefix('[') {
            let inside = inside.trim_start_matches(blank);
            let Some(quote) = inside.chars().next().filter(|c| matches!(c, '\'' | '"')) else { break };
            let Some((quoted, after)) = inside[1..].split_once(quote) else { break };
            let Some(after) = after.trim_start_matches(blank).strip_prefix(']') else { break };
            // An escape is nothing that the name of a node, a stage or a variable has.
            if quoted.contains('\\') {
                break;
            }
            (name, rest) = (quoted, after);
        } else if let Some(member) = rest.strip_prefix('.') {
            let end = member.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(member.len());
            (name, rest) = member.split_at(end);
        } else {
            break;
        }
        if name.is_empty() {
            break;
        }
        names.push(name.into());
        rest = rest.trim_start_matches(blank);
    }
    names.into()
}

/// Where the name or `*` ends that begins at `at`, after a dot.
fn member(text: &str, at: usize) -> Result<usize, SyntaxError> {
    let rest = &text[at..];
    if rest.starts_with('*') {
        return Ok(at + 1);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii();
    let length = rest.find(|c| !plain(c) && c != '-').unwrap_or(rest.len());
    let name = &rest[..length];
    if name.is_empty() {
        return Err(SyntaxError::new(at, "a name must stand after the dot, as in `$.vars.x`"));
    }
    if name.bytes().all(|b| b.is_ascii_digit()) {
        return Err(SyntaxError::new(at, format!("write `[{0}]` for an index, not `.{0}`", short(name))));
    }
    if name.contains('-') || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(SyntaxError::new(
            at,
            format!("write `['{0}']` for a name like this one, not `.{0}`", short(name)),
        ));
    }
    Ok(at + length)
}
