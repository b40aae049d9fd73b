//! A line of text that a person types.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A line of text with a cursor.
#[derive(Debug, Clone, Default)]
pub(crate) struct Input {
    before: String,
    after: String,
}

impl Input {
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.before, self.after)
    }

    /// The text before and behind the cursor.
    pub(crate) fn parts(&self) -> (&str, &str) {
        (&self.before, &self.after)
    }

    /// Takes a key, and returns whether it was one for text.
    pub(crate) fn key(&mut self, key: KeyEvent) -> bool {
        let plain = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        match key.code {
            KeyCode::Char(c) if plain => self.before.push(c),
            KeyCode::Char('u') if key.modifiers == KeyModifiers::CONTROL => self.before.clear(),
            KeyCode::Backspace => drop(self.before.pop()),
            KeyCode::Delete => drop((!self.after.is_empty()).then(|| self.after.remove(0))),
            KeyCode::Left => {
                if let Some(c) = self.before.pop() {
                    self.after.insert(0, c);
                }
            }
            KeyCode::Right => {
                if !self.after.is_empty() {
                    self.before.push(self.after.remove(0));
                }
            }
            KeyCode::Home => self.after.insert_str(0, &std::mem::take(&mut self.before)),
            KeyCode::End => self.before.push_str(&std::mem::take(&mut self.after)),
            _ => return false,
        }
        true
    }

    /// Inserts pasted text as one line.
    pub(crate) fn paste(&mut self, text: &str) {
        self.before.extend(text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
}
