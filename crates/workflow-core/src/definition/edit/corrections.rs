//! Corrections of texts: what an editor offers as quick fixes.

use serde_json::Value;

use super::ranges::Ranges;
use super::{remove_field, rename_key, set_field};
use crate::definition::draft::Draft;
use crate::definition::model::{Diagnostic, SourceRange};
use crate::definition::report::key_of;

/// A change of a text that corrects a [`Diagnostic`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Correction {
    /// What it does, for people.
    pub title: String,
    /// The part of the text that is replaced.
    pub range: SourceRange,
    /// What takes its place.
    pub new_text: String,
}

impl Draft {
    /// The changes of the text that correct a problem of it, each by itself; the likeliest first. Nothing for a
    /// problem of another file, and where the text cannot be changed at that place alone.
    ///
    /// ```
    /// use workflow_core::definition;
    ///
    /// let text = "workflow: { id: demo, name: Demo, stages: [greet] }\ngreet: { provider: command, retrys: 2 }\n";
    /// let draft = definition::read(text.as_bytes(), None);
    /// let found = draft.clone().finish();
    /// let corrections = draft.corrections(&found[0]);
    /// let (range, new_text) = (corrections[0].range, &corrections[0].new_text);
    /// let corrected = format!("{}{new_text}{}", &text[..range.start], &text[range.end..]);
    /// assert!(corrected.ends_with("greet: { provider: command, retries: 2 }\n"));
    /// ```
    pub fn corrections(&self, found: &Diagnostic) -> Vec<Correction> {
        let Some(text) = self.text().filter(|_| found.file.is_none()) else { return Vec::new() };
        let mut texts = Vec::new();
        let path = &found.path;
        if let Some(value) = &found.replacement {
            let value = Value::String(value.to_string());
            texts.push((format!("Replace with {value}"), set_field(text, path, &value)));
        }
        if let Some(key) = &found.rename {
            texts.push((format!("Rename to `{key}`"), rename_key(text, path, key)));
        }
        if found.code == "unknown-key" {
            texts.push(("Remove it".to_owned(), remove_field(text, path)));
        }
        let ranges = Ranges::of(text);
        texts.into_iter().filter_map(|(title, new)| correction(title, text, &new.ok()?, &ranges)).collect()
    }

    /// The line and column of the end of what a problem is about: of a key, or of a value. None for a problem of
    /// another file, and for one whose end is not known.
    pub fn end(&self, found: &Diagnostic) -> Option<(u32, u32)> {
        let (text, tree) = self.source()?;
        if found.file.is_some() || found.line == 0 {
            return None;
        }
        let place = (found.line, found.column);
        if let Some(key) = key_of(tree, &found.path)
            && (key.at.line, key.at.column) == place
        {
            let ranges = Ranges::of(text);
            return ranges.key_end(key).map(|end| ranges.place(end));
        }
        let range = self.range(&found.path)?;
        ((range.line, range.column) == place).then_some((range.end_line, range.end_column))
    }
}

/// The smallest change from one text to another.
fn correction(title: String, old: &str, new: &str, ranges: &Ranges<'_>) -> Option<Correction> {
    let same = |(a, b): &(char, char)| a == b;
    let length = |(c, _): (char, char)| c.len_utf8();
    let start: usize = old.chars().zip(new.chars()).take_while(same).map(length).sum();
    let (old_rest, new_rest) = (&old[start..], &new[start..]);
    let after: usize = old_rest.chars().rev().zip(new_rest.chars().rev()).take_while(same).map(length).sum();
    if old == new {
        return None;
    }
    let range = ranges.range(start, old.len() - after);
    Some(Correction { title, range, new_text: new_rest[..new_rest.len() - after].to_owned() })
}
