//! Assembles text that arrives in pieces into lines.

use std::collections::HashMap;

use workflow_core::ids::NodePath;
use workflow_core::output::{OutputEntry, OutputKind};

/// Assembles pieces of text into lines, separately for each node.
#[derive(Default)]
pub(crate) struct Pieces {
    open: HashMap<NodePath, OutputEntry>,
}

impl Pieces {
    /// Takes an entry, and returns the entries that are complete: lines, if the entry is a piece of text; otherwise the
    /// unfinished line of its node and the entry itself.
    pub(crate) fn push(&mut self, entry: OutputEntry) -> Vec<OutputEntry> {
        if entry.kind != OutputKind::TextDelta {
            return self.end(&entry.path).into_iter().chain([entry]).collect();
        }
        let (path, piece) = (entry.path.clone(), entry.text.clone());
        let open =
            self.open.entry(path.clone()).or_insert_with(|| OutputEntry { text: String::new(), ..entry });
        open.text.push_str(&piece);
        let Some((whole, rest)) = open.text.rsplit_once('\n') else { return Vec::new() };
        let lines =
            whole.split('\n').map(|line| OutputEntry { text: line.to_owned(), ..open.clone() }).collect();
        open.text = rest.to_owned();
        lines
    }

    /// The unfinished line of a node.
    pub(crate) fn line(&self, path: &NodePath) -> Option<&str> {
        self.open.get(path).map(|entry| &*entry.text)
    }

    /// A node has ended: returns its unfinished line.
    pub(crate) fn end(&mut self, path: &NodePath) -> Option<OutputEntry> {
        self.open.remove(path).filter(|entry| !entry.text.is_empty())
    }

    /// All nodes have ended: returns their unfinished lines.
    pub(crate) fn finish(self) -> Vec<OutputEntry> {
        let mut left: Vec<_> = self.open.into_values().filter(|entry| !entry.text.is_empty()).collect();
        left.sort_unstable_by_key(|entry| entry.number);
        left
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

    use super::*;

    fn entry(number: u64, node: &str, kind: OutputKind, text: &str) -> OutputEntry {
        OutputEntry {
            number,
            after_event: 3,
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            path: format!("1/plan[0]/{node}").parse().unwrap(),
            attempt: 1,
            kind,
            text: text.to_owned(),
        }
    }

    #[test]
    fn pieces_become_lines_and_other_entries_come_after_what_was_begun() {
        let mut pieces = Pieces::default();
        let said = [
            entry(1, "a", OutputKind::TextDelta, "one"),
            entry(2, "b", OutputKind::TextDelta, "other"),
            entry(3, "a", OutputKind::TextDelta, " line\n\nand"),
            entry(4, "a", OutputKind::TextDelta, " more"),
            entry(5, "a", OutputKind::Tool, "Bash ls"),
            entry(6, "a", OutputKind::TextDelta, "end"),
        ];
        let mut lines = Vec::new();
        for entry in said {
            lines.extend(pieces.push(entry));
        }
        assert_eq!(pieces.line(&"1/plan[0]/b".parse().unwrap()), Some("other"));
        lines.extend(pieces.finish());
        let lines: Vec<_> = lines.iter().map(|line| (line.path.node.as_str(), &*line.text)).collect();
        assert_eq!(
            lines,
            [("a", "one line"), ("a", ""), ("a", "and more"), ("a", "Bash ls"), ("b", "other"), ("a", "end")]
        );
    }
}
