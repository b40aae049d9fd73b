//! A position in a text that is read.

/// A position in a text, with the same text in lower case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    lower: &'t str,
}

/// The text without escapes and with ordinary spaces, and the same in lower case. Both have the same length.
pub(super) fn plain(text: &str) -> (String, String) {
    let mut plain = String::with_capacity(text.len());
    let mut is_escaped = false;
    for c in text.chars() {
        match c {
            '\\' => is_escaped = true,
            'n' | 'r' | 't' if is_escaped => {
                is_escaped = false;
                plain.push(' ');
            }
            // Some programs write these between a time and `PM`.
            '\u{a0}' | '\u{2009}' | '\u{202f}' | '\t' => plain.push(' '),
            _ => {
                is_escaped = false;
                plain.push(c);
            }
        }
    }
    let lower = plain.to_ascii_lowercase();
    (plain, lower)
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str, lower: &'t str) -> Self {
        Self { text, lower }
    }

    /// Skips characters, and returns them in lower case.
    pub(super) fn take_while(&mut self, takes: impl Fn(char) -> bool) -> &'t str {
        let end = self.lower.find(|c| !takes(c)).unwrap_or(self.lower.len());
        let taken = &self.lower[..end];
        self.advance(end);
        taken
    }

    pub(super) fn skip(&mut self, skips: impl Fn(char) -> bool) {
        self.take_while(skips);
    }

    pub(super) fn spaces(&mut self) {
        self.skip(|c| c == ' ');
    }

    /// Skips the text if it comes next.
    pub(super) fn takes(&mut self, text: &str) -> bool {
        let comes = self.lower.starts_with(text);
        if comes {
            self.advance(text.len());
        }
        comes
    }

    /// Skips the word if it comes next.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let mut next = *self;
        let comes = next.word() == word;
        if comes {
            *self = next;
        }
        comes
    }

    /// Skips letters, and returns them in lower case.
    pub(super) fn word(&mut self) -> &'t str {
        self.take_while(|c| c.is_ascii_alphabetic())
    }

    /// The letters that come next, as they are written.
    pub(super) fn word_as_written(self) -> &'t str {
        let end = self.text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(self.text.len());
        &self.text[..end]
    }

    pub(super) fn at(self, c: char) -> bool {
        self.lower.starts_with(c)
    }

    pub(super) fn starts_word(self) -> bool {
        self.lower.starts_with(|c: char| c.is_alphabetic())
    }

    /// Digits, and those behind a decimal point.
    pub(super) fn number(&mut self) -> Option<(u64, &'t str)> {
        let mut next = *self;
        // Too large a number is one, too.
        let whole = next.digits()?.parse().unwrap_or(u64::MAX);
        let mut behind = next;
        let part = if behind.takes(".") { behind.digits() } else { None };
        *self = if part.is_some() { behind } else { next };
        Some((whole, part.unwrap_or_default()))
    }

    pub(super) fn digits(&mut self) -> Option<&'t str> {
        Some(self.take_while(|c| c.is_ascii_digit())).filter(|digits| !digits.is_empty())
    }

    /// A number of one to `most` digits, and not more.
    pub(super) fn count<N: std::str::FromStr>(&mut self, most: usize) -> Option<N> {
        self.digits().filter(|digits| digits.len() <= most)?.parse().ok()
    }

    fn advance(&mut self, by: usize) {
        self.text = &self.text[by..];
        self.lower = &self.lower[by..];
    }
}
