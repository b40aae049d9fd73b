//! Names: the text between `${` and `}`.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use super::SyntaxError;

/// A name in a template, with its default: `vars.branch` and `main` in `${vars.branch:-main}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    text: Box<str>,
    segments: Box<[Box<str>]>,
    default: Option<Box<str>>,
    offset: usize,
}

impl Name {
    /// The name as it was written, without its default: `stages.test.results[0]`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first segment: `stages` in `stages.plan.output`.
    pub fn root(&self) -> &str {
        self.segment(0).unwrap_or_default()
    }

    /// The segment with that number, the root being 0. An index is written in digits.
    pub fn segment(&self, number: usize) -> Option<&str> {
        self.segments.get(number).map(AsRef::as_ref)
    }

    /// All segments, the root first.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = &str> {
        self.segments.iter().map(AsRef::as_ref)
    }

    /// The text to use where the name is absent.
    pub fn default_text(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// The position of the name's `${` in its template, in bytes.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Walks into `value` along the segments from number `from` on. A segment is a key of an
    /// object or an index of an array. Takes the part out of an owned value without copying it.
    ///
    /// ```
    /// use std::borrow::Cow;
    /// use serde_json::json;
    /// use workflow_core::expr::Template;
    ///
    /// let template = Template::parse("${stages.plan.output.files[1]}")?;
    /// let name = template.names().next().unwrap();
    /// let output = json!({ "files": ["a.rs", "b.rs"] });
    /// assert_eq!(*name.select(3, Cow::Borrowed(&output)).unwrap(), "b.rs");
    /// # Ok::<(), workflow_core::expr::SyntaxError>(())
    /// ```
    pub fn select<'v>(&self, from: usize, value: Cow<'v, Value>) -> Option<Cow<'v, Value>> {
        let mut segments = self.segments.get(from..)?.iter();
        match value {
            Cow::Borrowed(value) => segments
                .try_fold(value, |value, segment| match value {
                    Value::Object(members) => members.get(&**segment),
                    Value::Array(items) => items.get(segment.parse::<usize>().ok()?),
                    _ => None,
                })
                .map(Cow::Borrowed),
            Cow::Owned(mut value) => segments
                .try_fold(&mut value, |value, segment| match value {
                    Value::Object(members) => members.get_mut(&**segment),
                    Value::Array(items) => items.get_mut(segment.parse::<usize>().ok()?),
                    _ => None,
                })
                .map(|value| Cow::Owned(value.take())),
        }
    }

    /// Parses the expression whose `${` is at `open`; returns the name and where the expression
    /// ends.
    pub(super) fn parse(text: &str, open: usize) -> Result<(Self, usize), SyntaxError> {
        let start = open + 2;
        let Some(length) = text[start..].find('}') else {
            return Err(SyntaxError::new(
                open,
                "`${` is not closed: add a `}`, or write `$${` where the text `${` is meant",
            ));
        };
        let inside = &text[start..start + length];
        let (path, default) = match inside.split_once(":-") {
            Some((path, default)) => (path, Some(default)),
            None => (inside, None),
        };
        if path.is_empty() {
            return Err(SyntaxError::new(open, "`${` needs a name after it, as in `${vars.x}`"));
        }
        let segments = segments(path, start)?;
        if let Some(brace) = default.and_then(|default| default.find('{')) {
            return Err(SyntaxError::new(
                start + path.len() + 2 + brace,
                "a default is plain text and cannot contain braces: write the text itself after `:-`",
            ));
        }
        let name = Self { text: path.into(), segments, default: default.map(Into::into), offset: open };
        Ok((name, start + length + 1))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn segments(path: &str, offset: usize) -> Result<Box<[Box<str>]>, SyntaxError> {
    let mut segments: Vec<Box<str>> = Vec::new();
    let mut rest = path;
    loop {
        let at = offset + path.len() - rest.len();
        let key;
        (key, rest) = take(rest, |c| c.is_alphanumeric() || c == '-' || c == '_');
        if key.is_empty() {
            return Err(unexpected(rest, at));
        }
        segments.push(key.into());
        while let Some(after) = rest.strip_prefix('[') {
            let at = offset + path.len() - rest.len();
            let (index, after) = take(after, |c| c.is_ascii_digit());
            let Some(after) = after.strip_prefix(']').filter(|_| !index.is_empty()) else {
                return Err(SyntaxError::new(at, "`[` needs a number and `]` after it, as in `results[0]`"));
            };
            segments.push(index.into());
            rest = after;
        }
        if rest.is_empty() {
            return Ok(segments.into());
        }
        let at = offset + path.len() - rest.len();
        rest = rest.strip_prefix('.').ok_or_else(|| unexpected(rest, at))?;
    }
}

fn take(text: &str, part_of: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !part_of(c)).unwrap_or(text.len()))
}

fn unexpected(rest: &str, at: usize) -> SyntaxError {
    let message = match rest.chars().next() {
        None => "a name cannot end with `.`: add a key, as in `vars.x`".to_owned(),
        Some('.') => "a key must be between two `.`, as in `vars.x`".to_owned(),
        Some(':') => "a default begins with `:-`, as in `${vars.x:-text}`".to_owned(),
        Some(c) => format!(
            "{c:?} is not allowed in a name: keys have letters, digits, `-` and `_`, with `.` between them"
        ),
    };
    SyntaxError::new(at, message)
}
