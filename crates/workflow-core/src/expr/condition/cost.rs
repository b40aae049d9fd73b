//! Which queries stay linear in the size of the document, whatever it holds.
//!
//! One `..` visits every value once. A second one in the same chain visits every value once for each value around
//! it, and keeps all that it finds: `$..*..*..*` over a document of 60 levels finds tens of thousands of values for
//! each one in it. A list of selectors multiplies what is found with each list, and a query that begins at `$`
//! inside a filter is made once for each value that the filter looks at.

use super::brackets::{bracket, is_singular, string_length};
use crate::expr::SyntaxError;

/// How many `..` a whole query may have, its filters included; one in each chain.
const MOST_DESCENTS: usize = 2;
/// The numbers of selectors in the lists of a query may multiply to this.
const MOST_SELECTORS: usize = 64;

/// What was counted in a query and its filters.
struct Count {
    descents: usize,
    selectors: usize,
}

/// Refuses a well-formed query that is not linear. `start` is the position of the query in the condition.
pub(super) fn check(query: &str, start: usize) -> Result<(), SyntaxError> {
    let mut count = Count { descents: 0, selectors: 1 };
    chain(query, start, &mut count)
}

/// Goes through the segments of a query, which begins with `$` or `@`.
fn chain(query: &str, start: usize, count: &mut Count) -> Result<(), SyntaxError> {
    let (mut at, mut descents) = (1, 0);
    while at < query.len() {
        let rest = &query[at..];
        if rest.starts_with("..") {
            descents += 1;
            count.descents += 1;
            if descents > 1 || count.descents > MOST_DESCENTS {
                return Err(SyntaxError::new(
                    start + at,
                    "the query is too complex: its time would grow faster than the document; use one `..` at most, \
                     and names for the rest",
                ));
            }
            at += 2;
        } else if rest.starts_with('[') {
            let close = bracket(query, at)?;
            selectors(&query[at + 1..close], start + at + 1, count)?;
            at = close + 1;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    Ok(())
}

/// The selectors within a pair of brackets.
fn selectors(text: &str, start: usize, count: &mut Count) -> Result<(), SyntaxError> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    let mut listed = 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\'' | b'"' => at += string_length(&text[at..], byte).map_or(0, |length| length - 1),
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => listed += 1,
            b'$' | b'@' => {
                let query = &text[at..at + length(&text[at..])];
                if byte == b'$' && !segments_are_singular(query) {
                    return Err(SyntaxError::new(
                        start + at,
                        "the query is too complex: inside a filter, a query that begins with `$` may have only names and \
                         indexes",
                    ));
                }
                chain(query, start + at, count)?;
                at += query.len() - 1;
            }
            _ => {}
        }
        at += 1;
    }
    count.selectors = count.selectors.saturating_mul(listed);
    if count.selectors > MOST_SELECTORS {
        let message = "the query is too complex: write fewer selectors between `[` and `]`";
        return Err(SyntaxError::new(start, message));
    }
    Ok(())
}

/// How long the query is that `text`, a part of a filter, begins with.
fn length(text: &str) -> usize {
    let mut at = 1;
    loop {
        let rest = &text[at..];
        let name = rest.trim_start_matches('.').trim_start_matches('*');
        if rest.starts_with('[') {
            let Ok(close) = bracket(text, at) else { return text.len() };
            at = close + 1;
        } else if rest.starts_with('.') {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii();
            let end = name.find(|c| !plain(c)).unwrap_or(name.len());
            at = text.len() - name.len() + end;
        } else {
            return at;
        }
    }
}

fn segments_are_singular(query: &str) -> bool {
    let mut at = 1;
    while at < query.len() {
        let rest = &query[at..];
        if rest.starts_with("..") || rest.starts_with(".*") {
            return false;
        }
        if rest.starts_with('[') {
            let Ok(close) = bracket(query, at) else { return false };
            if !is_singular(query[at + 1..close].trim()) {
                return false;
            }
            at = close;
        }
        at += query[at..].chars().next().map_or(1, char::len_utf8);
    }
    true
}
