//! The end of an output that may be too long to keep.

use std::borrow::Cow;
use std::collections::VecDeque;

use workflow_core::redact::Redactor;

/// Keeps the last bytes of its input, and counts the others.
///
/// If something is left out, secrets are redacted from the rest first: a secret that was cut could not be
/// found any more. So additional bytes are kept, as many as a secret can have, and never shown.
pub(crate) struct Tail {
    kept: VecDeque<u8>,
    limit: usize,
    left_out: u64,
    redactors: Vec<Redactor>,
    reach: usize,
}

impl Tail {
    /// Keeps at most `limit` bytes, without the secrets that `redactors` find.
    pub(crate) fn without(limit: usize, redactors: impl IntoIterator<Item = Redactor>) -> Self {
        let redactors: Vec<_> = redactors.into_iter().filter(|redactor| !redactor.is_empty()).collect();
        let reach = redactors.iter().map(Redactor::reach).max().unwrap_or(0);
        Self { kept: VecDeque::new(), limit, left_out: 0, redactors, reach }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let room = self.limit.saturating_add(self.reach);
        let excess = (self.kept.len() + bytes.len()).saturating_sub(room);
        let of_kept = excess.min(self.kept.len());
        self.kept.drain(..of_kept);
        self.kept.extend(&bytes[excess - of_kept..]);
        self.left_out += excess as u64;
    }

    /// How many bytes are not shown.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out + self.kept.len().saturating_sub(self.limit) as u64
    }

    /// The bytes that were kept: all, if none is left out.
    pub(crate) fn bytes(&mut self) -> &[u8] {
        self.kept.make_contiguous()
    }

    /// The last `limit` bytes as text, with a marker in front if more came before.
    pub(crate) fn excerpt(&mut self, limit: usize) -> String {
        let (left_out, text) = self.last(limit);
        marked(left_out, text.trim_end())
    }

    /// The kept bytes as text without trailing line endings. It is cut further if needed to take at most
    /// `limit` bytes as a JSON string, with a marker in front if something is left out.
    pub(crate) fn text(&mut self, limit: usize) -> String {
        let (left_out, text) = self.last(usize::MAX);
        let mut text = text.trim_end_matches(['\n', '\r']).to_owned();
        if left_out == 0 {
            if json_tail(&text, limit).len() == text.len() {
                return text;
            }
            self.redact(&mut text);
        }
        let kept = json_tail(&text, limit.saturating_sub(MARK));
        marked(left_out + (text.len() - kept.len()) as u64, kept)
    }

    fn redact(&self, text: &mut String) {
        for redactor in &self.redactors {
            redactor.text(text);
        }
    }

    /// The last `limit` bytes as text, and how many bytes came before them. If something is left out, the
    /// text begins with a whole line, or with a whole character if there is only one line.
    fn last(&mut self, limit: usize) -> (u64, Cow<'_, str>) {
        let (limit, left_out) = (limit.min(self.limit), self.left_out);
        self.kept.make_contiguous();
        let bytes = self.kept.as_slices().0;
        if left_out == 0 && bytes.len() <= limit {
            return (0, String::from_utf8_lossy(bytes));
        }
        let mut skipped = bytes.len().saturating_sub(limit.saturating_add(self.reach));
        let is_inside = |byte: &&u8| matches!(byte, 0x80..=0xbf);
        skipped += bytes[skipped..].iter().take(3).take_while(is_inside).count();
        let before = left_out + skipped as u64;
        let mut text = String::from_utf8_lossy(&bytes[skipped..]).into_owned();
        let mut start = 0;
        if self.reach > 0 {
            self.redact(&mut text);
            // The start can be the rest of a secret that was cut.
            start = if before > 0 { self.reach.min(text.len()) } else { 0 };
            start = start.max(text.len().saturating_sub(limit));
            start = (start..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        }
        let line = text[start..].find('\n').map(|end| start + end + 1);
        start = line.filter(|line| *line < text.len()).unwrap_or(start);
        (before + start as u64, text.split_off(start).into())
    }
}

/// More bytes than the marker takes.
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
        let mut tail = Tail::without(limit, []);
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
    fn no_part_of_a_secret_is_left_wherever_the_text_is_cut() {
        let secret = "S3cr3t-Value-0123456789";
        let redactor = || Redactor::new([secret]).unwrap();
        let escaped = secret.bytes().fold(String::new(), |text, byte| text + &format!("\\u{byte:04x}"));
        let parts: Vec<_> = (0..=secret.len() - 6).map(|at| &secret[at..at + 6]).collect();
        for (text, encoded) in [
            (format!("{}{}", "x".repeat(300), secret.repeat(40)), false),
            (format!("a\n{}", format!("\"{secret}\" ").repeat(30)), false),
            (escaped.repeat(9), true),
        ] {
            for limit in 200..420 {
                let mut tail = Tail::without(limit, [redactor()]);
                text.as_bytes().chunks(7).for_each(|chunk| tail.push(chunk));
                for shown in [tail.excerpt(limit), tail.excerpt(limit / 2), tail.text(limit)] {
                    assert!(shown.len() <= limit + MARK, "{limit}: {shown}");
                    let left = parts.iter().find(|part| shown.contains(**part));
                    assert_eq!(left, None, "{limit}: {shown}");
                    assert!(!encoded || !shown.contains("\\u00"), "{limit}: {shown}");
                    assert!(shown.starts_with("[… "), "{limit}: {shown}");
                }
            }
            // Text that is not cut is redacted by the engine.
            let mut tail = Tail::without(10_000, [redactor()]);
            tail.push(text.as_bytes());
            assert_eq!((tail.text(20_000), tail.left_out()), (text, 0));
        }
    }

    #[test]
    fn no_line_is_cut_where_there_are_several() {
        let mut tail = tail(20, &[b"password=secret\nmore\nend\n"]);
        assert_eq!(tail.excerpt(14), "[… 16 bytes left out …]\nmore\nend");
        assert_eq!(tail.text(100), "[… 16 bytes left out …]\nmore\nend");
    }
}
