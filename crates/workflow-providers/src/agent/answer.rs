//! The text of an answer that is streamed in pieces.

/// Assembles an answer. Some agents restart an answer after a broken connection and do not report it: a piece
/// that repeats the start of the answer is held back until it is clear whether that happened.
#[derive(Default)]
pub(super) struct Answer {
    /// The last part that is not empty: the text after the last use of a tool.
    part: String,
    /// Text that may repeat the start of `part`.
    again: String,
    /// A tool was used since: the next piece begins a new part.
    ended: bool,
}

/// A complete answer of at least so many characters that comes twice was restarted: words and JSON values have
/// something between them where they are repeated on purpose. Syllables, as in `haha`, have not.
const WORD: usize = 4;

/// Shorter texts than this are repeated on purpose more often than by accident.
const ACCIDENT: usize = 16;

impl Answer {
    /// Adds a piece, and returns its new text.
    pub(super) fn push(&mut self, piece: &str) -> String {
        if piece.is_empty() {
            return String::new();
        }
        if std::mem::take(&mut self.ended) {
            self.part.clear();
        }
        self.again.push_str(piece);
        if self.part.is_empty() {
            return self.accept();
        }
        if self.is_number() {
            // Digits that repeat are a part of the number.
            return self.accept();
        }
        if self.part.starts_with(&self.again) {
            // It is not yet clear whether the piece is a repetition.
            return String::new();
        }
        match self.again.strip_prefix(&*self.part) {
            // The answer restarted once more.
            Some(new) if !new.is_empty() && self.part.starts_with(new) => {
                self.again = new.to_owned();
                String::new()
            }
            Some(new) => {
                let new = new.to_owned();
                self.part.push_str(&new);
                self.again.clear();
                new
            }
            None => self.accept(),
        }
    }

    /// Ends the part at the use of a tool or at the end. Returns the text that was held back and is new.
    pub(super) fn end_part(&mut self) -> String {
        self.ended = true;
        let is_whole = self.again == self.part && self.again.chars().count() >= WORD;
        if is_whole || self.is_accident() {
            self.again.clear();
            return String::new();
        }
        self.accept()
    }

    fn is_number(&self) -> bool {
        self.part.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Whether the held-back text is the start of a restarted answer that broke off again.
    fn is_accident(&self) -> bool {
        self.again.len() >= ACCIDENT
    }

    fn accept(&mut self) -> String {
        let new = std::mem::take(&mut self.again);
        self.part.push_str(&new);
        new
    }

    pub(super) fn into_text(mut self) -> String {
        self.end_part();
        self.part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_begun_again_is_not_doubled() {
        for (pieces, text) in [
            (&["Hello from", " the fake."][..], "Hello from the fake."),
            (&["Hello from", "Hello from", " the fake."], "Hello from the fake."),
            (&["Hello from", "Hello", " from", " the", " fake."], "Hello from the fake."),
            (&["Hello from the fake.", "Hello from the fake."], "Hello from the fake."),
            (&["Hello from the fake.", "Hello from", " the fake. Bye."], "Hello from the fake. Bye."),
            (&["ha", "ha"], "haha"),
            (&["approve", "approve"], "approve"),
            (&["approve", "approve", "approve"], "approve"),
            (&["app", "rove", "app", "rove"], "approve"),
            (&["approve", " approve"], "approve approve"),
            (&["{\"ok\":true}", "{\"ok\":true}"], "{\"ok\":true}"),
            (&["{\"ok\":", "true}", "{\"ok\":", "true}"], "{\"ok\":true}"),
            (&["bye", "-", "bye"], "bye-bye"),
            (&["10", "10"], "1010"),
            (&["1", "10", " items"], "110 items"),
            (&["no", " no", " no"], "no no no"),
            (&["a b", "a c"], "a ba c"),
            (&[], ""),
        ] {
            let (mut answer, mut shown) = (Answer::default(), String::new());
            for piece in pieces {
                shown += &answer.push(piece);
            }
            shown += &answer.end_part();
            assert_eq!((answer.into_text(), shown), (text.to_owned(), text.to_owned()), "{pieces:?}");
        }
    }

    #[test]
    fn the_answer_is_what_was_said_after_the_last_tool() {
        let mut answer = Answer::default();
        for piece in ["I will run a command.", "", "It is", " done."] {
            if piece.is_empty() {
                answer.end_part();
            }
            answer.push(piece);
        }
        answer.end_part();
        assert_eq!(answer.into_text(), "It is done.");
    }
}
