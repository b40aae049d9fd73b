//! Where reading and checking a definition write down what they find.

use std::collections::HashSet;

use serde_json::Value;

use super::model::steps::{self, Step};
use super::model::{Diagnostic, Path, Severity};
use super::yaml::{Entry, Kind, Node, Place, Problem};

/// At most this many problems are listed.
const MOST: usize = 200;

/// The problems found in a file so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    list: Vec<Diagnostic>,
    /// Where an error is known; other problems of the same value are only its consequences.
    settled: HashSet<String>,
    more: bool,
}

/// Diagnostics, placed in the tree that the definition was read from, where there is one.
pub(crate) struct Report<'t> {
    /// The text that was read, and its tree.
    source: Option<(&'t str, &'t Node)>,
    found: Findings,
}

impl<'t> Report<'t> {
    pub(crate) fn new(source: Option<(&'t str, &'t Node)>) -> Self {
        Self::resume(source, Findings::default())
    }

    /// A report that continues with the problems found before.
    pub(crate) fn resume(source: Option<(&'t str, &'t Node)>, found: Findings) -> Self {
        Self { source, found }
    }

    /// The problems found so far, to continue the report later.
    pub(crate) fn into_findings(self) -> Findings {
        self.found
    }

    /// An error in the value at `path`.
    pub(crate) fn error(&mut self, code: &'static str, path: &Path<'_>, message: impl Into<String>) {
        if !self.is_full() && !self.is_settled(path) {
            let place = self.place(path);
            self.add(Diagnostic::error(code, path.to_string(), message), place);
        }
    }

    /// The same with what to write there instead, where that is known.
    pub(crate) fn error_with(
        &mut self,
        code: &'static str,
        path: &Path<'_>,
        message: impl Into<String>,
        replacement: Option<&str>,
    ) {
        let before = self.found.list.len();
        self.error(code, path, message);
        if let Some(found) = self.found.list.get_mut(before) {
            found.replacement = replacement.map(Into::into);
        }
    }

    /// An error in the text at `path`, so many bytes from its start.
    pub(crate) fn error_in_text(
        &mut self,
        code: &'static str,
        path: &Path<'_>,
        offset: usize,
        message: impl Into<String>,
    ) {
        if !self.is_full() && !self.is_settled(path) {
            let place = self.place_in_text(path, offset);
            self.add(Diagnostic::error(code, path.to_string(), message), place);
        }
    }

    /// An error that leaves no value at `path`: the consequences of its absence are not reported.
    /// `replacement` is what to write there.
    pub(crate) fn refuse_with(
        &mut self,
        code: &'static str,
        path: &Path<'_>,
        message: impl Into<String>,
        replacement: Option<String>,
    ) {
        let before = self.found.list.len();
        self.refuse(code, path, message);
        if let Some(found) = self.found.list.get_mut(before) {
            found.replacement = replacement.map(Into::into);
        }
    }

    /// The same without a replacement.
    pub(crate) fn refuse(&mut self, code: &'static str, path: &Path<'_>, message: impl Into<String>) {
        self.error(code, path, message);
        self.settle(path.to_string());
    }

    /// A warning about the value at `path`.
    pub(crate) fn warning(&mut self, code: &'static str, path: &Path<'_>, message: impl Into<String>) {
        if !self.is_full() {
            let place = self.place(path);
            self.add(Diagnostic::warning(code, path.to_string(), message), place);
        }
    }

    /// A warning at `offset` in the text at `path`.
    pub(crate) fn warning_in_text(
        &mut self,
        code: &'static str,
        path: &Path<'_>,
        offset: usize,
        message: impl Into<String>,
    ) {
        if !self.is_full() {
            let place = self.place_in_text(path, offset);
            self.add(Diagnostic::warning(code, path.to_string(), message), place);
        }
    }

    fn place_in_text(&self, path: &Path<'_>, offset: usize) -> Option<Place> {
        self.source.map(|(text, tree)| match find(tree, path) {
            (_, Some(node)) => node.place_of(offset, text),
            (place, None) => place,
        })
    }

    /// A warning about a key, and not its value. `near` is what it was probably meant to be.
    pub(crate) fn warning_at_key(
        &mut self,
        code: &'static str,
        path: &Path<'_>,
        key: Place,
        message: impl Into<String>,
        near: Option<&str>,
    ) {
        let warning = Diagnostic::warning(code, path.to_string(), message);
        self.add(Diagnostic { rename: near.map(Into::into), ..warning }, Some(key));
    }

    /// An error in a key, and not in its value.
    pub(crate) fn error_at_key(
        &mut self,
        code: &'static str,
        path: &Path<'_>,
        key: Place,
        message: impl Into<String>,
        near: Option<&str>,
    ) {
        let error = Diagnostic::error(code, path.to_string(), message);
        self.add(Diagnostic { rename: near.map(Into::into), ..error }, Some(key));
    }

    /// An error in the text of the file.
    pub(crate) fn yaml(&mut self, problem: Problem) {
        let Problem { code, path, at, message } = problem;
        // If a key occurs twice, the first one is used.
        if code != "duplicate-key" {
            self.settle(path.clone());
        }
        self.add(Diagnostic::error(code, path, message), Some(at));
    }

    /// Diagnostics that were made without the text: each gets the place of as much of its path as there is.
    /// One is left out where there is an error among the first `own` ones in the same value or in a part of it: it
    /// may be about the same thing.
    pub(crate) fn by_path(&mut self, diagnostics: Vec<Diagnostic>, own: usize) {
        for diagnostic in diagnostics {
            self.one_by_path(diagnostic, own);
        }
    }

    fn one_by_path(&mut self, diagnostic: Diagnostic, own: usize) {
        if diagnostic.file.is_some() {
            // It is in another file, and has its place there.
            if !self.is_full() {
                self.found.list.push(diagnostic);
            }
            return;
        }
        let path = &diagnostic.path;
        let is_known =
            self.found.list.iter().take(own).any(|known| known.is_error() && is_inside(&known.path, path));
        if is_known || self.found.settled.iter().any(|settled| is_inside(path, settled)) {
            return;
        }
        let place = self.source.map(|(_, tree)| place_of(tree, &diagnostic.path));
        self.add(diagnostic, place);
    }

    /// Whether nothing more is listed, so that the search for more problems can stop.
    pub(crate) fn is_full(&mut self) -> bool {
        self.found.more |= self.found.list.len() == MOST;
        self.found.more
    }

    fn add(&mut self, diagnostic: Diagnostic, place: Option<Place>) {
        if !self.is_full() {
            let Place { line, column, .. } = place.unwrap_or(Place { line: 0, column: 0, offset: 0 });
            self.found.list.push(diagnostic.at(line, column));
        }
    }

    /// Marks the value at `path` as wrong, so that nothing more is reported about it.
    pub(crate) fn settle(&mut self, path: String) {
        self.found.settled.insert(path);
    }

    fn is_settled(&self, path: &Path<'_>) -> bool {
        let mut at = Some(path);
        while let (Some(path), false) = (at, self.found.settled.is_empty()) {
            if self.found.settled.contains(&path.to_string()) {
                return true;
            }
            at = path.parent();
        }
        false
    }

    /// The place of the value at `path`, or of the key of what it is missing from.
    fn place(&self, path: &Path<'_>) -> Option<Place> {
        self.source.map(|(_, tree)| find(tree, path).0)
    }

    /// All problems, in the order of the text.
    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        self.found.finish()
    }
}

impl Findings {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.list.iter().any(Diagnostic::is_error)
    }

    /// All of them, in the order of the text.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        // Problems of other files come last.
        self.list.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        if self.more {
            let message = format!("only the first {MOST} problems are listed: correct these first");
            self.list
                .push(Diagnostic { severity: Severity::Error, ..Diagnostic::error("too-many", "", message) });
        }
        self.list
    }
}

/// The place of the value at a path, or of as much of the path as there is.
pub(crate) fn place_of(tree: &Node, path: &str) -> Place {
    node_of(tree, path).0
}

/// The same with the value there.
pub(crate) fn node_of<'t>(tree: &'t Node, path: &str) -> (Place, &'t Node) {
    let steps = steps::parse(path).unwrap_or_default();
    let mut at = (tree.start, tree);
    for (depth, step) in steps.iter().enumerate() {
        let inside = match step {
            Step::Key(key) => of_key(at.1, key),
            Step::Index(index) => of_item(at.1, *index),
        };
        at = match (inside, step) {
            (Some(inside), _) => inside,
            (None, Step::Key(key)) if depth == 0 => return listed(tree, key).unwrap_or(at),
            (None, _) => break,
        };
    }
    at
}

/// The key at the end of a path, where it is there.
pub(crate) fn key_of<'t>(tree: &'t Node, path: &str) -> Option<&'t Entry> {
    let steps = steps::parse(path)?;
    let (last, parents) = steps.split_last()?;
    let parent = parents.iter().try_fold(tree, |node, step| match step {
        Step::Key(key) => node.get(key).map(|entry| &entry.value),
        Step::Index(index) => node.item(*index),
    })?;
    match last {
        Step::Key(key) => parent.get(key),
        Step::Index(_) => None,
    }
}

/// The value at `path`, with its place; or only the place of the key of what it is missing from.
fn find<'t>(tree: &'t Node, path: &Path<'_>) -> (Place, Option<&'t Node>) {
    let Some(parent) = path.parent() else { return (tree.start, Some(tree)) };
    let (place, node) = find(tree, parent);
    let inside = node.and_then(|node| match path {
        Path::Root => None,
        Path::Key(_, key) => of_key(node, key),
        Path::Index(_, index) => of_item(node, *index),
    });
    inside.map_or((place, None), |(place, node)| (place, Some(node)))
}

/// The value of a key: a text has its own place, everything else that of the key.
fn of_key<'t>(node: &'t Node, key: &str) -> Option<(Place, &'t Node)> {
    let Entry { at, value, .. } = node.get(key)?;
    let is_text = matches!(value.kind, Kind::Scalar(..)) && !value.is_null();
    Some((if is_text { value.start } else { *at }, value))
}

/// Where the list of stages names a stage, for one that has no key of its own.
fn listed<'t>(tree: &'t Node, stage: &str) -> Option<(Place, &'t Node)> {
    let Kind::List(stages) = &tree.get("workflow")?.value.get("stages")?.value.kind else { return None };
    let is_it = |item: &&Node| matches!(&item.kind, Kind::Scalar(_, Value::String(name)) if name == stage);
    stages.iter().find(is_it).map(|item| (item.start, item))
}

fn of_item(node: &Node, index: usize) -> Option<(Place, &Node)> {
    node.item(index).map(|item| (item.start, item))
}

/// Whether `path` is that of a value, or of a part of it.
fn is_inside(path: &str, value: &str) -> bool {
    path.strip_prefix(value).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
