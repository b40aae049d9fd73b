//! The path of something in a definition, as a chain of borrowed steps: written out only when there is
//! something to report.

use std::fmt;

/// How much of a key is shown: keys come from files that may be hostile.
const SHOWN: usize = 64;

/// The way from the root of a definition to one of its fields.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub(crate) fn key(&'a self, key: &'a str) -> Path<'a> {
        Path::Key(self, key)
    }

    pub(crate) fn index(&'a self, index: usize) -> Path<'a> {
        Path::Index(self, index)
    }

    pub(crate) fn parent(&self) -> Option<&'a Path<'a>> {
        match self {
            Path::Root => None,
            Path::Key(parent, _) | Path::Index(parent, _) => Some(parent),
        }
    }

    /// The last key on the way: the name that a message calls a field by.
    pub(crate) fn name(&self) -> &'a str {
        match self {
            Path::Root => "",
            Path::Key(_, key) => key,
            Path::Index(parent, _) => parent.name(),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
            Path::Key(parent, key) => {
                parent.fmt(f)?;
                if is_plain(key) {
                    let dot = if matches!(parent, Path::Root) { "" } else { "." };
                    write!(f, "{dot}{key}")
                } else {
                    write!(f, "[{:?}]", shorten(key))
                }
            }
        }
    }
}

fn is_plain(key: &str) -> bool {
    (1..=SHOWN).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// A name or a value from a file, cut to a length that fits a message.
pub(crate) fn shorten(text: &str) -> std::borrow::Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}
