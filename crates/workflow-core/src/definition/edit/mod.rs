//! Changing one field of a workflow file and leaving every other byte of it alone: comments, order,
//! quotes and line ends.
//!
//! ```
//! use serde_json::json;
//! use workflow_core::definition::edit;
//!
//! let text = "\
//! workflow:
//!   id: demo
//!   name: Demonstration
//!   stages: [plan, code]
//! plan:
//!   retries: 2   # was 5
//! code: simple
//! ";
//! let text = edit::set_field(text, "plan.retries", &json!(3))?;
//! let text = edit::set_field(&text, "code.provider", &json!("codex"))?;
//! assert!(text.ends_with("\
//! plan:
//!   retries: 3   # was 5
//! code:
//!   profile: simple
//!   provider: codex
//! "));
//! # Ok::<(), edit::EditError>(())
//! ```

mod corrections;
mod layout;
mod ranges;
mod render;

use std::ops::Range;

use serde_json::{Map, Value};

pub use self::corrections::Correction;
use self::layout::{Layout, column};
pub(super) use self::ranges::Ranges;
use super::model::steps::{self, Step};
use super::model::{Diagnostic, Diagnostics};
use super::yaml::{self, Entry, Kind, Node};
use crate::ids::WorkflowId;

/// Why a field was not changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The text is not YAML that can be read.
    #[error("the file cannot be read, so it cannot be changed:\n{0}")]
    NotReadable(Diagnostics),
    /// The path is not of the form `test.providers[1].role`.
    #[error("`{0}` is not the path of a field: write for instance `test.providers[1].role`")]
    BadPath(String),
    /// There is nothing at the path, or at what should contain it.
    #[error("there is no `{0}` in the file")]
    NotFound(String),
    /// The file is written in a way that this change cannot be made in without touching more of it.
    #[error("`{path}` cannot be changed by itself: {reason}; edit the file by hand")]
    NotAlone {
        /// The path.
        path: String,
        /// What prevents the change.
        reason: &'static str,
    },
}

/// The text with the field at `path` set to `value`.
///
/// A value is replaced in its place, with the comments inside of it. A field that is missing is added to the
/// end of the mapping that it belongs to, together with mappings that are missing on the way there, and a
/// stage in its short form becomes a mapping. Items of lists have to exist.
///
/// The new text may be an invalid workflow: use [`parse`](super::parse()) to check it.
///
/// # Errors
///
/// [`EditError`]; the text that would have been returned is read again, and has to differ in that
/// field only.
pub fn set_field(text: &str, path: &str, value: &Value) -> Result<String, EditError> {
    let file = File::read(text, path)?;
    let mut expected = file.root.to_value();
    set(&mut expected, &file.steps, value, 0).ok_or_else(|| file.not_found())?;
    let splices = file.set(value)?;
    file.finish(splices, &expected)
}

/// The text without the field at `path`, a key of a mapping. A mapping that loses its last key
/// becomes `{}`.
///
/// # Errors
///
/// [`EditError`], as for [`set_field`].
pub fn remove_field(text: &str, path: &str) -> Result<String, EditError> {
    let file = File::read(text, path)?;
    let mut expected = file.root.to_value();
    let (last, parents) = file.steps.split_last().ok_or_else(|| file.not_found())?;
    let parent = parents.iter().try_fold(&mut expected, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    });
    let removed = match (parent, last) {
        (Some(Value::Object(members)), Step::Key(key)) => members.shift_remove(key),
        (Some(Value::Array(_)), Step::Index(_)) => {
            return Err(file.not_alone("it is an item of a list, which is set as a whole"));
        }
        _ => None,
    };
    removed.ok_or_else(|| file.not_found())?;
    let splices = file.remove().ok_or_else(|| file.not_alone(UNUSUAL))?;
    file.finish(splices, &expected)
}

/// The text of a workflow with another id, where it contains one.
///
/// # Errors
///
/// [`EditError`], as for [`set_field`].
pub fn with_id(text: &str, id: &WorkflowId) -> Result<String, EditError> {
    const PATH: &str = "workflow.id";
    let file = File::read(text, PATH)?;
    let has_id = file.root.get("workflow").is_some_and(|header| header.value.get("id").is_some());
    if has_id { set_field(text, PATH, &id.as_str().into()) } else { Ok(text.to_owned()) }
}

/// A text in one line, in quotes where it needs them.
pub(super) fn plain(text: &str) -> String {
    render::text(text)
}

/// The text with another name for the key at the end of `path`.
///
/// # Errors
///
/// [`EditError`], as for [`set_field`]; also where there is a key of that name beside it.
pub fn rename_key(text: &str, path: &str, name: &str) -> Result<String, EditError> {
    let file = File::read(text, path)?;
    let (last, parents) = file.steps.split_last().ok_or_else(|| file.not_found())?;
    let root = At { node: &file.root, entry: None };
    let parent = parents.iter().try_fold(root, At::inside).ok_or_else(|| file.not_found())?;
    let entry = parent.inside(last).and_then(|at| at.entry).ok_or_else(|| file.not_found())?;
    if parent.node.get(name).is_some() {
        return Err(file.not_alone("there is a key of that name already"));
    }
    let mut expected = file.root.to_value();
    let members = parents.iter().try_fold(&mut expected, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    });
    let Some(Value::Object(members)) = members else { return Err(file.not_found()) };
    let renamed = |(key, value)| if key == entry.key { (name.to_owned(), value) } else { (key, value) };
    *members = std::mem::take(members).into_iter().map(renamed).collect();
    let end = file.layout.key_end(entry).ok_or_else(|| file.not_alone(UNUSUAL))?;
    file.finish(vec![(entry.at.offset..end, render::text(name))], &expected)
}

/// Sets a field of a value, as the file is to read afterwards.
fn set(at: &mut Value, steps: &[Step], value: &Value, depth: usize) -> Option<()> {
    let Some((step, rest)) = steps.split_first() else {
        *at = value.clone();
        return Some(());
    };
    match (step, &mut *at) {
        (Step::Index(index), _) => set(at.get_mut(index)?, rest, value, depth + 1),
        (Step::Key(_), Value::Null) => {
            *at = Value::Object(Map::new());
            set(at, steps, value, depth)
        }
        (Step::Key(_), Value::String(profile)) if depth == 1 => {
            *at = Value::Object(Map::from_iter([("profile".to_owned(), std::mem::take(profile).into())]));
            set(at, steps, value, depth)
        }
        (Step::Key(key), Value::Object(members)) => {
            set(members.entry(key.clone()).or_insert(Value::Null), rest, value, depth + 1)
        }
        _ => None,
    }
}

/// A part of the text, and its replacement.
type Splice = (Range<usize>, String);

/// A file, and the path of the field that is to be changed in it.
struct File<'t> {
    layout: Layout<'t>,
    root: Node,
    path: &'t str,
    steps: Vec<Step>,
}

impl<'t> File<'t> {
    fn read(text: &'t str, path: &'t str) -> Result<Self, EditError> {
        let steps = steps::parse(path).ok_or_else(|| EditError::BadPath(path.to_owned()))?;
        match yaml::read(text.as_bytes()) {
            (Some(root), problems) if problems.is_empty() => {
                Ok(Self { layout: Layout::new(text), root, path, steps })
            }
            (_, problems) => Err(not_readable(problems)),
        }
    }

    fn not_found(&self) -> EditError {
        EditError::NotFound(self.path.to_owned())
    }

    fn not_alone(&self, reason: &'static str) -> EditError {
        EditError::NotAlone { path: self.path.to_owned(), reason }
    }

    fn set(&self, value: &Value) -> Result<Vec<Splice>, EditError> {
        let mut at = At { node: &self.root, entry: None };
        for (depth, step) in self.steps.iter().enumerate() {
            match (at.inside(step), step) {
                (Some(inside), _) => at = inside,
                (None, Step::Key(key)) => {
                    let value = nested(&self.steps[depth + 1..], value);
                    return self.add(at, key, &value, depth);
                }
                (None, Step::Index(_)) => return Err(self.not_found()),
            }
        }
        self.replace(at, value)
    }

    /// Replaces a value.
    fn replace(&self, at: At<'_>, value: &Value) -> Result<Vec<Splice>, EditError> {
        let range = self.layout.value(at.node, at.entry).ok_or_else(|| self.not_alone(UNUSUAL))?;
        let has_own_lines = !self.is_in_flow(range.start) && self.layout.ends_line(range.end);
        let indent = at.entry.map(column).filter(|_| has_own_lines);
        let before = if self.layout.needs_space(range.start) { " " } else { "" };
        Ok(vec![(range, format!("{before}{}", self.layout.lines(&render::value(value, indent))))])
    }

    /// Adds a key to the value at `at`.
    fn add(&self, at: At<'_>, key: &str, value: &Value, depth: usize) -> Result<Vec<Splice>, EditError> {
        let unusual = || self.not_alone(UNUSUAL);
        let is_flow = self.is_in_flow(at.node.start.offset);
        let members = match &at.node.kind {
            Kind::Map(entries) if self.layout.is_flow(at.node) => {
                let entry = render::entry(key, value, None);
                return Ok(vec![match entries.last() {
                    Some(last) => {
                        let end = self.layout.entry_end(last).ok_or_else(unusual)?;
                        (end..end, format!(", {entry}"))
                    }
                    None => (at.node.start.offset..at.node.end.offset, format!("{{ {entry} }}")),
                }]);
            }
            Kind::Map(entries) => {
                let last = entries.last().ok_or_else(unusual)?;
                let end = self.layout.entry_end(last).ok_or_else(unusual)?;
                let indent = column(&entries[0]);
                return Ok(vec![self.layout.line_after(
                    end,
                    indent,
                    &render::entry(key, value, Some(indent)),
                )]);
            }
            Kind::Scalar(_, Value::Null) => Vec::new(),
            Kind::Scalar(_, profile @ Value::String(_)) if depth == 1 => vec![("profile", profile)],
            _ => return Err(self.not_found()),
        };
        let range = self.layout.value(at.node, at.entry).ok_or_else(unusual)?;
        let members = members.into_iter().chain([(key, value)]);
        let Some(entry) = at.entry.filter(|_| !is_flow) else {
            let members: Vec<_> = members.map(|(key, value)| render::entry(key, value, None)).collect();
            return Ok(vec![(range, format!("{{ {} }}", members.join(", ")))]);
        };
        let indent = column(entry) + 2;
        let lines: Vec<_> = members.map(|(key, value)| render::entry(key, value, Some(indent))).collect();
        let glue = format!("\n{}", " ".repeat(indent));
        let added = self.layout.line_after(range.end, indent, &lines.join(&glue));
        Ok(vec![(self.layout.with_space_before(range), String::new()), added])
    }

    /// Removes the field.
    fn remove(&self) -> Option<Vec<Splice>> {
        let (last, parents) = self.steps.split_last()?;
        let root = At { node: &self.root, entry: None };
        let parent = parents.iter().try_fold(root, At::inside)?;
        let entry = parent.inside(last)?.entry?;
        let Kind::Map(entries) = &parent.node.kind else { return None };
        self.remove_entry(parent, entries, entry)
    }

    fn remove_entry(&self, parent: At<'_>, entries: &[Entry], entry: &Entry) -> Option<Vec<Splice>> {
        let number = entries.iter().position(|other| other.at == entry.at)?;
        let end = self.layout.entry_end(entry)?;
        let start = entry.at.offset;
        if self.layout.is_flow(parent.node) {
            let range = match (entries.get(number + 1), number.checked_sub(1)) {
                (Some(next), _) => start..next.at.offset,
                (None, Some(before)) => self.layout.entry_end(&entries[before])?..end,
                (None, None) => start..end,
            };
            return Some(vec![(range, String::new())]);
        }
        let lines = self.layout.whole_lines(start..end);
        match (lines, entries) {
            (Some(lines), [_, _, ..]) => Some(vec![(lines, String::new())]),
            (lines, [_]) => {
                let place = self.layout.value(parent.node, parent.entry)?.start;
                match (lines, parent.entry) {
                    (Some(lines), Some(_)) => {
                        Some(vec![(place..place, " {}".to_owned()), (lines, String::new())])
                    }
                    _ => Some(vec![(start..end, "{}".to_owned())]),
                }
            }
            // The first key of an item, after its `- `.
            (None, _) => {
                let next = entries.get(number + 1)?.at.offset;
                self.layout.is_blank(end..next).then(|| vec![(start..next, String::new())])
            }
            (_, []) => None,
        }
    }

    fn is_in_flow(&self, offset: usize) -> bool {
        self.layout.is_in_flow(&self.root, offset)
    }

    /// The changed text, when it reads as expected.
    fn finish(&self, mut splices: Vec<Splice>, expected: &Value) -> Result<String, EditError> {
        splices.sort_by_key(|(range, _)| range.start);
        let mut text = self.layout.text().to_owned();
        for (range, new) in splices.into_iter().rev() {
            text.replace_range(range, &new);
        }
        match yaml::read(text.as_bytes()) {
            (Some(root), problems) if problems.is_empty() && root.to_value() == *expected => Ok(text),
            _ => Err(self.not_alone(UNUSUAL)),
        }
    }
}

const UNUSUAL: &str = "the way it is written, other values would change too";

/// A value, and the entry of the mapping that it belongs to.
#[derive(Clone, Copy)]
struct At<'n> {
    node: &'n Node,
    entry: Option<&'n Entry>,
}

impl At<'_> {
    fn inside(self, step: &Step) -> Option<Self> {
        match step {
            Step::Key(key) => self.node.get(key).map(|entry| At { node: &entry.value, entry: Some(entry) }),
            Step::Index(index) => self.node.item(*index).map(|node| At { node, entry: None }),
        }
    }
}

/// The value inside of the mappings that are missing on the way to it.
fn nested(steps: &[Step], value: &Value) -> Value {
    steps.iter().rev().fold(value.clone(), |value, step| match step {
        Step::Key(key) => Value::Object(Map::from_iter([(key.clone(), value)])),
        // There is no list with such an item; `set` has refused it.
        Step::Index(_) => value,
    })
}

fn not_readable(problems: Vec<yaml::Problem>) -> EditError {
    let diagnostics = problems.into_iter().map(|problem| {
        Diagnostic::error(problem.code, problem.path, problem.message).at(problem.at.line, problem.at.column)
    });
    EditError::NotReadable(Diagnostics(diagnostics.collect()))
}
