//! The end of an output that may be too long to be kept.

use std::borrow::Cow;
use std::collections::VecDeque;

/// Keeps the last bytes of what it is given, and counts the others.
pub(crate) struct Tail {
    kept: VecDeque<u8>,
    limit: usize,
    left_out: u64,
}

impl Tail {
    /// Keeps at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { kept: VecDeque::new(), limit, left_out: 0 }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let excess = (self.kept.len() + bytes.len()).saturating_sub(self.limit);
        let of_kept = excess.min(self.kept.len());
        self.kept.drain(..of_kept);
        self.kept.extend(&bytes[excess - of_kept..]);
        self.left_out += excess as u64;
    }

    /// How many bytes were not kept.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The bytes that were kept.
    pub(crate) fn bytes(&mut self) -> &[u8] {
        self.kept.make_contiguous()
    }

    /// The last `limit` bytes as text, with a mark in front where more came before.
    pub(crate) fn excerpt(&mut self, limit: usize) -> String {
        let (left_out, text) = self.last(limit);
        marked(left_out, text.trim_end())
    }

    /// All that was kept as text, cut further where that is needed for it to take at most
    /// `limit` bytes as a JSON string, with a mark in front where something is left out.
    /// Line ends at the end are not part of it.
    pub(crate) fn text(&mut self, limit: usize) -> String {
        let (left_out, text) = self.last(usize::MAX);
        let text = text.trim_end_matches(['\n', '\r']);
        if left_out == 0 && json_tail(text, limit).len() == text.len() {
            return text.to_owned();
        }
        let kept = json_tail(text, limit.saturating_sub(MARK));
        marked(left_out + (text.len() - kept.len()) as u64, kept)
    }

    /// The last `limit` bytes as text, and how many bytes came before them. Where something is left
    /// out the text begins with a whole line, so that no secret that stands in one is cut in two and
    /// then not recognised; with a whole character where there is one line only.
    fn last(&mut self, limit: usize) -> (u64, Cow<'_, str>) {
        let left_out = self.left_out;
        let bytes = self.bytes();
        let mut skipped = bytes.len().saturating_sub(limit);
        if left_out > 0 || skipped > 0 {
            let is_inside = |byte: &&u8| matches!(byte, 0x80..=0xbf);
            let line = bytes[skipped..].iter().position(|byte| *byte == b'\n').map(|end| end + 1);
            skipped += line
                .filter(|start| skipped + start < bytes.len())
                .unwrap_or_else(|| bytes[skipped..].iter().take(3).take_while(is_inside).count());
        }
        (left_out + skipped as u64, String::from_utf8_lossy(&bytes[skipped..]))
    }
}

/// More than the mark takes.
const MARK: usize = 80;

fn marked(left_out: u64, text: &str) -> String {
    if left_out == 0 { text.to_owned() } else { format!("[… {left_out} bytes left out …]\n{text}") }
}

/// The longest end of `text` that takes at most `limit` bytes as a JSON string, quotes included.
fn json_tail(text: &str, limit: usize) -> &str {
    let mut left = limit.saturating_sub(2);
    for (at, character) in text.char_indices().rev() {
        let length = match character {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..='\u{1f}' => 6,
            _ => character.len_utf8(),
        };
        if length > left {
            return &text[at + character.len_utf8()..];
        }
        left -= length;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(limit: usize, chunks: &[&[u8]]) -> Tail {
        let mut tail = Tail::new(limit);
        for chunk in chunks {
            tail.push(chunk);
        }
        tail
    }

    #[test]
    fn the_last_bytes_are_kept_and_the_others_counted() {
        for (chunks, kept, left_out) in [
            (&[&b"abc"[..], b"de"][..], &b"abcde"[..], 0),
            (&[b"abc", b"def"], b"bcdef", 1),
            (&[b"abc", b"defghijk"], b"ghijk", 6),
            (&[b"abcdefgh", b"", b"i"], b"efghi", 4),
        ] {
            let mut tail = tail(5, chunks);
            assert_eq!((tail.left_out(), tail.bytes()), (left_out, kept));
        }
    }

    #[test]
    fn text_that_fits_is_whole() {
        assert_eq!(tail(100, &[b"one\ntwo\r\n\n"]).text(100), "one\ntwo");
        assert_eq!(tail(100, &[b"a\xffb"]).text(100), "a\u{fffd}b");
        assert_eq!(tail(10, &[b"12345678"]).text(10), "12345678");
    }

    #[test]
    fn longer_text_is_marked_and_fits_as_json() {
        assert_eq!(tail(9, &[b"0123456789"]).text(100), "[… 1 bytes left out …]\n123456789");
        assert_eq!(tail(9, &["0€23456789".as_bytes()]).text(100), "[… 4 bytes left out …]\n23456789");
        for text in
            ["x".repeat(500), "\"".repeat(500), "\u{1}".repeat(500), "🦀".repeat(200), "\n.".repeat(300)]
        {
            let text = tail(400, &[text.as_bytes()]).text(400);
            let json = serde_json::to_string(&text).unwrap();
            assert!((320..=400).contains(&json.len()), "{} bytes: {text}", json.len());
        }
    }

    #[test]
    fn an_excerpt_is_the_end() {
        let mut tail = tail(9, &[b"0123456789\n"]);
        assert_eq!(tail.excerpt(4), "[… 7 bytes left out …]\n789");
        assert_eq!(tail.excerpt(100), "[… 2 bytes left out …]\n23456789");
    }

    #[test]
    fn no_line_is_cut_where_there_are_several() {
        let mut tail = tail(20, &[b"password=secret\nmore\nend\n"]);
        assert_eq!(tail.excerpt(14), "[… 16 bytes left out …]\nmore\nend");
        assert_eq!(tail.text(100), "[… 16 bytes left out …]\nmore\nend");
    }
}
