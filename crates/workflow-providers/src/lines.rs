//! Splits the bytes from a pipe into lines of text.

/// The longest line that is passed on in one piece.
const LIMIT: usize = 64 * 1024;

/// Assembles lines from chunks of bytes. Holds at most one line, up to 64 KiB: longer lines are passed on in
/// several pieces. A carriage return ends a line too, because programs write one after each state of a
/// progress line.
#[derive(Default)]
pub(crate) struct Lines {
    line: Vec<u8>,
    /// A piece of this line was passed on already.
    continued: bool,
    /// A carriage return ended the last line; a line feed right after it belongs to the same line ending.
    returned: bool,
}

impl Lines {
    /// Adds a chunk, and passes on the lines that it completes, without their endings. Invalid UTF-8 is
    /// replaced.
    pub(crate) fn push(&mut self, mut chunk: &[u8], mut complete: impl FnMut(String)) {
        while let Some(first) = chunk.first() {
            let returned = std::mem::take(&mut self.returned);
            if returned && *first == b'\n' {
                chunk = &chunk[1..];
                continue;
            }
            let room = LIMIT.saturating_sub(self.line.len()).max(1).min(chunk.len());
            let end = chunk[..room].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (text, rest) = chunk.split_at(end.unwrap_or(room));
            self.line.extend_from_slice(text);
            chunk = rest;
            match chunk.split_first().filter(|_| end.is_some()) {
                Some((byte, rest)) => {
                    chunk = rest;
                    // An empty state of a progress line is skipped.
                    let said = !self.line.is_empty() || self.continued;
                    if said || *byte == b'\n' {
                        self.end(&mut complete);
                    }
                    self.returned = *byte == b'\r' && (said || returned);
                }
                None if self.line.len() >= LIMIT => {
                    let rest = self.line.split_off(self.line.len() - unfinished(&self.line));
                    complete(String::from_utf8_lossy(&self.line).into_owned());
                    self.line = rest;
                    self.continued = true;
                }
                None => {}
            }
        }
    }

    /// Passes on a last line without a line ending.
    pub(crate) fn finish(mut self, mut complete: impl FnMut(String)) {
        if !self.line.is_empty() {
            self.end(&mut complete);
        }
    }

    fn end(&mut self, complete: &mut impl FnMut(String)) {
        let continued = std::mem::take(&mut self.continued);
        if !(continued && self.line.is_empty()) {
            complete(String::from_utf8_lossy(&self.line).into_owned());
        }
        self.line.clear();
    }
}

/// How many bytes at the end of `line` are an incomplete character.
fn unfinished(line: &[u8]) -> usize {
    for (n, byte) in line.iter().rev().take(3).enumerate() {
        let length = match byte {
            0xf0..=0xf4 => 4,
            0xe0..=0xef => 3,
            0xc2..=0xdf => 2,
            0x80..=0xbf => continue,
            _ => 0,
        };
        return if length > n + 1 { n + 1 } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut complete) = (Lines::default(), Vec::new());
        for chunk in chunks {
            lines.push(chunk, |line| complete.push(line));
        }
        lines.finish(|line| complete.push(line));
        complete
    }

    #[test]
    fn lines_are_put_together_across_chunks() {
        let cases: [(&[&[u8]], &[&str]); 12] = [
            (&[b""], &[]),
            (&[b"one\ntwo\n"], &["one", "two"]),
            (&[b"on", b"e\r", b"\n\nthr", b"ee"], &["one", "", "three"]),
            (&[b"caf\xc3", b"\xa9\n"], &["café"]),
            (&[b"a\xffb\n"], &["a\u{fffd}b"]),
            (&[b"a\rb\n"], &["a", "b"]),
            (&[b"10%\r", b"20%\r", b"\ndone\n"], &["10%", "20%", "done"]),
            (&[b"\r10%\r20%"], &["10%", "20%"]),
            (&[b"a\r\r\nb\r\n\r\nc"], &["a", "b", "", "c"]),
            (&[b"\r", b"\n"], &[""]),
            (&[b"\r\r"], &[]),
            (&[b"\n"], &[""]),
        ];
        for (chunks, expected) in cases {
            assert_eq!(lines(chunks), expected, "{chunks:?}");
        }
    }

    #[test]
    fn a_long_line_comes_in_pieces_that_cut_no_character_in_two() {
        let long = "x".repeat(LIMIT);
        assert_eq!(lines(&[long.as_bytes(), b"\nnext\n"]), [long.as_str(), "next"]);
        assert_eq!(lines(&[long.as_bytes(), b"y\n"]), [long.as_str(), "y"]);
        for character in ["é", "€", "🦀"] {
            for shift in 0..character.len() {
                let text = "x".repeat(LIMIT - character.len() + shift) + character + "end";
                let pieces = lines(&[text.as_bytes()]);
                assert_eq!(pieces.concat(), text);
                assert_eq!(pieces.len(), 2);
                assert!(pieces.iter().all(|piece| piece.len() <= LIMIT));
            }
        }
        let text = "x".repeat(LIMIT - 1);
        assert_eq!(lines(&[text.as_bytes(), b"\r\n"]), [text.as_str()]);
    }

    #[test]
    fn a_state_of_a_progress_line_is_passed_on_at_once() {
        let (mut lines, mut complete) = (Lines::default(), Vec::new());
        for (chunk, said) in [(&b"10%\r"[..], 1), (b"20%", 1), (b"\r", 2), (b"\nend", 2), (b"\n", 3)] {
            lines.push(chunk, |line| complete.push(line));
            assert_eq!(complete.len(), said, "{chunk:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_split_all_the_same() {
        let pieces = lines(&[&vec![0xff; 3 * LIMIT]]);
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces.concat().chars().count(), 3 * LIMIT);
    }
}
