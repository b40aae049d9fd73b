//! Encodings, read one byte at a time.

use std::ops::Range;

/// A way to escape single characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escaped {
    Json,
    Percent,
}

/// What a byte leads to.
pub(super) enum Step<'b> {
    /// A byte that stands for itself, and its place.
    Byte(u8, usize),
    /// What an escape stands for, and its place.
    Decoded(&'b [u8], Range<usize>),
}

/// An escape that has not come whole.
pub(super) struct Escape {
    how: Escaped,
    bytes: Vec<u8>,
    start: usize,
}

enum Read {
    Partly,
    Whole([u8; 4], usize),
    /// It is none.
    Not,
}

impl Escape {
    pub(super) fn new(how: Escaped) -> Self {
        Self { how, bytes: Vec::new(), start: 0 }
    }

    /// Where it begins, if there is one.
    pub(super) fn start(&self) -> Option<usize> {
        (!self.bytes.is_empty()).then_some(self.start)
    }

    pub(super) fn push(&mut self, byte: u8, at: usize, take: &mut impl FnMut(Step<'_>)) {
        let introduces = match self.how {
            Escaped::Json => b'\\',
            Escaped::Percent => b'%',
        };
        if self.bytes.is_empty() {
            if byte != introduces {
                return take(Step::Byte(byte, at));
            }
            self.start = at;
        }
        self.bytes.push(byte);
        let read = match self.how {
            Escaped::Json => json(&self.bytes),
            Escaped::Percent => percent(&self.bytes),
        };
        match read {
            Read::Partly => {}
            Read::Whole(decoded, length) => {
                take(Step::Decoded(&decoded[..length], self.start..at + 1));
                self.bytes.clear();
            }
            Read::Not => self.give_up(take),
        }
    }

    /// Takes the end of the text: an escape that was begun is incomplete, and so not an escape.
    pub(super) fn finish(&mut self, take: &mut impl FnMut(Step<'_>)) {
        while !self.bytes.is_empty() {
            self.give_up(take);
        }
    }

    /// The first byte stands for itself. Another escape may begin in the rest.
    fn give_up(&mut self, take: &mut impl FnMut(Step<'_>)) {
        let (bytes, start) = (std::mem::take(&mut self.bytes), self.start);
        for (byte, at) in bytes.iter().zip(start..) {
            if at == start {
                take(Step::Byte(*byte, at));
            } else {
                self.push(*byte, at, take);
            }
        }
    }
}

fn percent(bytes: &[u8]) -> Read {
    match *bytes {
        [_, high, low] => match (digit(high), digit(low)) {
            (Some(high), Some(low)) => Read::Whole([high << 4 | low, 0, 0, 0], 1),
            _ => Read::Not,
        },
        [_, high] if digit(high).is_none() => Read::Not,
        _ => Read::Partly,
    }
}

fn json(bytes: &[u8]) -> Read {
    let simple = |byte| Read::Whole([byte, 0, 0, 0], 1);
    match bytes {
        [_] => Read::Partly,
        [_, byte @ (b'"' | b'\\' | b'/')] => simple(*byte),
        [_, b'b'] => simple(8),
        [_, b'f'] => simple(12),
        [_, b'n'] => simple(b'\n'),
        [_, b'r'] => simple(b'\r'),
        [_, b't'] => simple(b'\t'),
        [_, b'u', rest @ ..] => unicode(rest),
        _ => Read::Not,
    }
}

/// What follows `\u`: four digits, and after the first half of a pair the other one.
fn unicode(bytes: &[u8]) -> Read {
    let (first, second) = bytes.split_at(bytes.len().min(4));
    let Some(high) = unit(first) else { return Read::Not };
    if first.len() < 4 {
        return Read::Partly;
    }
    let character = match (high, second) {
        (0xd800..=0xdbff, [] | [b'\\'] | [b'\\', b'u']) => return Read::Partly,
        (0xd800..=0xdbff, [b'\\', b'u', rest @ ..]) => match unit(rest) {
            Some(_) if rest.len() < 4 => return Read::Partly,
            Some(low @ 0xdc00..=0xdfff) => char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)),
            _ => None,
        },
        (high, _) => char::from_u32(high),
    };
    let Some(character) = character else { return Read::Not };
    let mut decoded = [0; 4];
    let length = character.encode_utf8(&mut decoded).len();
    Read::Whole(decoded, length)
}

/// The number that hexadecimal digits stand for.
fn unit(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, byte| Some(number << 4 | u32::from(digit(*byte)?)))
}

/// The value of a hexadecimal digit.
pub(super) fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The value of a digit of Base64, of either alphabet.
pub(super) fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}
