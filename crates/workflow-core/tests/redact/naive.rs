//! A naive redactor, without regard for speed or for pieces: the whole text is decoded in every way, and each
//! secret is compared at each position. The fuzz target uses it too.

use std::ops::Range;

use workflow_core::redact::{MARK, SHORTEST_LINE};

/// A byte of a decoded text with its position; `None` where no secret can continue.
type Decoded = Vec<Option<(u8, Range<usize>)>>;

/// The text without the secrets, which are at these positions.
pub(crate) fn without(places: &[Range<usize>], text: &str) -> String {
    let (mut redacted, mut rest) = (String::new(), 0);
    for place in places {
        redacted.push_str(&text[rest..place.start]);
        redacted.push_str(MARK);
        rest = place.end;
    }
    redacted.push_str(&text[rest..]);
    redacted
}

/// The positions of secrets, in order.
pub(crate) fn places(secrets: &[String], text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut patterns: Vec<_> = secrets.iter().flat_map(|secret| patterns(secret)).collect();
    patterns.sort();
    patterns.dedup();
    for view in views(text) {
        let view = joined(view);
        for pattern in &patterns {
            for window in view.windows(pattern.len()) {
                let is_there = window
                    .iter()
                    .zip(pattern)
                    .all(|(there, byte)| there.as_ref().is_some_and(|(there, _)| there == byte));
                if let (true, Some(Some((_, first))), Some(Some((_, last)))) =
                    (is_there, window.first(), window.last())
                {
                    found.push(first.start..last.end);
                }
            }
        }
    }
    found.sort_by_key(|place| (place.start, place.end));
    let mut merged: Vec<Range<usize>> = Vec::new();
    for place in found {
        match merged.last_mut() {
            Some(last) if place.start < last.end => last.end = last.end.max(place.end),
            _ => merged.push(place),
        }
    }
    merged
}

/// The texts to search for: the secret and its lines, each also with `+` for a space.
fn patterns(secret: &str) -> Vec<Vec<u8>> {
    let mut parts = vec![secret];
    parts.extend(secret.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE));
    let parts = parts.into_iter().map(|part| part.replace(['\n', '\r'], ""));
    let patterns = parts.flat_map(|part| [part.replace(' ', "+"), part]);
    patterns.filter(|part| !part.is_empty()).map(String::into_bytes).collect()
}

/// Without line endings; nine or more of them separate the texts around them.
fn joined(view: Decoded) -> Decoded {
    let (mut joined, mut ends): (Decoded, _) = (Vec::new(), 0);
    for decoded in view {
        match decoded {
            Some((b'\n' | b'\r', _)) => {
                ends += 1;
                if ends == 9 {
                    joined.push(None);
                }
            }
            decoded => {
                ends = 0;
                joined.push(decoded);
            }
        }
    }
    joined
}

fn views(text: &str) -> Vec<Decoded> {
    let mut views = vec![
        text.bytes().enumerate().map(|(at, byte)| Some((byte, at..at + 1))).collect(),
        json(text),
        percent(text),
    ];
    views.extend((0..4).map(|before| {
        digits(text, 6, before, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
    }));
    views.extend((0..2).map(|before| digits(text, 4, before, "0123456789abcdef")));
    views
}

fn hex(text: Option<&str>) -> Option<u32> {
    let text = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u32::from_str_radix(text, 16).ok()
}

fn json(text: &str) -> Decoded {
    let (mut decoded, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let unit = |at: usize| match text.get(at..at + 2) {
            Some("\\u") => hex(text.get(at + 2..at + 6)),
            _ => None,
        };
        let escape = match text.get(at..at + 2) {
            Some("\\n") => Some(('\n', 2)),
            Some("\\r") => Some(('\r', 2)),
            Some("\\t") => Some(('\t', 2)),
            Some("\\b") => Some(('\u{8}', 2)),
            Some("\\f") => Some(('\u{c}', 2)),
            Some("\\\"") => Some(('"', 2)),
            Some("\\/") => Some(('/', 2)),
            Some("\\\\") => Some(('\\', 2)),
            _ => match (unit(at), unit(at + 6)) {
                (Some(high @ 0xd800..=0xdbff), Some(low @ 0xdc00..=0xdfff)) => {
                    char::from_u32(0x1_0000 + (high - 0xd800) * 0x400 + low - 0xdc00).map(|found| (found, 12))
                }
                (Some(unit), _) => char::from_u32(unit).map(|found| (found, 6)),
                _ => None,
            },
        };
        let length = escape.map_or(1, |(_, length)| length);
        match escape {
            Some((character, _)) => {
                let bytes = character.to_string().into_bytes();
                decoded.extend(bytes.into_iter().map(|byte| Some((byte, at..at + length))));
            }
            None => decoded.push(Some((text.as_bytes()[at], at..at + 1))),
        }
        at += length;
    }
    decoded
}

fn percent(text: &str) -> Decoded {
    let (mut decoded, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let escaped = text.get(at..at + 3).and_then(|part| hex(part.strip_prefix('%')));
        let length = if escaped.is_some() { 3 } else { 1 };
        let byte = escaped.and_then(|byte| u8::try_from(byte).ok()).unwrap_or(text.as_bytes()[at]);
        decoded.push(Some((byte, at..at + length)));
        at += length;
    }
    decoded
}

/// Runs of digits of `bits` bits each, decoded as if `before` digits came before each.
fn digits(text: &str, bits: usize, before: usize, alphabet: &str) -> Decoded {
    let value = |character: char| match (bits, character) {
        (6, '+' | '-') => Some(62),
        (6, '/' | '_') => Some(63),
        (4, character) => alphabet.find(character.to_ascii_lowercase()),
        (_, character) => alphabet.find(character),
    };
    let mut decoded = Vec::new();
    let mut row: Vec<(usize, usize)> = Vec::new();
    let mut ends = 0;
    for (at, character) in text.char_indices().chain([(text.len(), ' ')]) {
        if matches!(character, '\n' | '\r') {
            ends += 1;
            if ends < 9 {
                continue;
            }
        } else {
            ends = 0;
        }
        if let Some(value) = value(character) {
            row.push((value, at));
            continue;
        }
        let row_bits: Vec<usize> =
            row.iter().flat_map(|(value, _)| (0..bits).rev().map(move |bit| value >> bit & 1)).collect();
        let mut bit = 0;
        while bit + 8 <= row_bits.len() + before * bits {
            if bit >= before * bits {
                let at = bit - before * bits;
                let byte = row_bits[at..at + 8].iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit == 1));
                decoded.push(Some((byte, row[at / bits].1..row[(at + 7) / bits].1 + 1)));
            }
            bit += 8;
        }
        decoded.push(None);
        row.clear();
    }
    decoded
}
