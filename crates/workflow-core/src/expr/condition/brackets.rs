//! Brackets and quoted texts in a query: where they end, and what a pair of brackets holds.

use crate::expr::error::SyntaxError;

/// How deep brackets may be nested: filters in filters. The JSONPath parser reads a filter more than once to
/// find out what it is, so its time doubles with every level.
const DEEPEST_BRACKETS: usize = 4;
/// How deep parentheses may be nested. Each costs the JSONPath parser stack.
const DEEPEST_PARENTHESES: usize = 8;

/// Where the bracket is closed that opens at `open`.
pub(super) fn bracket(text: &str, open: usize) -> Result<usize, SyntaxError> {
    let bytes = text.as_bytes();
    let mut opened: Vec<(u8, usize)> = Vec::new();
    let mut at = open;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'[' | b'(' => {
                opened.push((byte, at));
                let deep = opened.iter().filter(|(other, _)| *other == byte).count();
                if deep > if byte == b'[' { DEEPEST_BRACKETS } else { DEEPEST_PARENTHESES } {
                    return Err(SyntaxError::new(at, "the query is nested too deeply: make it simpler"));
                }
            }
            b']' | b')' => {
                let opening = if byte == b']' { b'[' } else { b'(' };
                match opened.pop() {
                    Some((found, _)) if found == opening => {}
                    _ => {
                        let message = format!("this `{}` closes nothing: remove it", char::from(byte));
                        return Err(SyntaxError::new(at, message));
                    }
                }
                if opened.is_empty() {
                    return Ok(at);
                }
            }
            b'\'' | b'"' => {
                let Some(length) = string_length(&text[at..], byte) else {
                    let message = format!("the text is not closed: add a `{}`", char::from(byte));
                    return Err(SyntaxError::new(at, message));
                };
                at += length - 1;
            }
            _ => {}
        }
        at += 1;
    }
    let (unclosed, at) = opened.last().copied().unwrap_or((b'[', open));
    let closing = if unclosed == b'[' { ']' } else { ')' };
    Err(SyntaxError::new(at, format!("`{}` is not closed: add a `{closing}`", char::from(unclosed))))
}

/// The length of the quoted string that `text` begins with, both quotes included.
pub(super) fn string_length(text: &str, quote: u8) -> Option<usize> {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == quote && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some(end + 2)
}

/// Whether what stands in brackets is one name or one index.
pub(super) fn is_singular(selector: &str) -> bool {
    if let Some(quote @ (b'\'' | b'"')) = selector.as_bytes().first() {
        return string_length(selector, *quote) == Some(selector.len());
    }
    let digits = selector.strip_prefix('-').unwrap_or(selector);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}
