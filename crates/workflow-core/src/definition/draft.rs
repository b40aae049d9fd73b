//! Drafts of definitions: one way of reading for runs, editors and services.
//!
//! A text is [read](read()) once. The resulting draft names the files that it refers to ([`Draft::wanted`],
//! [`Draft::give`]), and is then combined with them ([`Draft::resolve`]).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde_json::Value;

use super::check;
use super::edit::Ranges;
use super::inherited::inherited;
use super::model::{Diagnostic, Diagnostics, Severity, SourceRange, Workflow};
use super::read as reading;
use super::report::{Findings, Report, node_of};
use super::resolve::{CheckedBundle, Defaults, Library, Origin, assemble, include};
use super::yaml::{self, Kind, Node};
use crate::bundle::ProviderMap;
use crate::data::Data;
use crate::ids::WorkflowId;

/// A definition whose text was read, and whose rules were checked, once.
///
/// ```
/// use workflow_core::definition::{self, Defaults};
///
/// let text = "workflow: { id: demo, name: Demo, stages: [greet] }\ngreet: { provider: command, retries: 2 }\n";
/// let mut draft = definition::read(text.as_bytes(), None);
/// let retries = draft.range("greet.retries").expect("it is there");
/// assert_eq!((retries.line, &text[retries.start..retries.end]), (2, "2"));
///
/// let bundle = draft.resolve(&Defaults::default()).expect("no errors");
/// let plan = workflow_core::plan::Plan::compile(bundle)?;
/// assert_eq!(plan.workflow().id.as_str(), "demo");
/// # Ok::<(), definition::Diagnostics>(())
/// ```
#[derive(Debug, Clone)]
pub struct Draft {
    /// The text and its tree, where it was read from one.
    source: Option<(String, Node)>,
    found: Findings,
    /// How many of them are about the text by itself.
    own: usize,
    pub(super) workflow: Option<Workflow>,
    origin: Origin,
    pub(super) library: Library,
    pub(super) asks: Asks,
    /// Schemas that were requested.
    pub(super) asked: BTreeSet<String>,
    /// Schemas that were read, to be checked when everything that they refer to was read.
    pub(super) schemas: IndexMap<String, (String, Node, Value)>,
    /// The workflows that its nodes run, to be resolved before it.
    pub(super) workflows: BTreeMap<WorkflowId, Self>,
}

/// A file that a draft needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    Assignments,
    Profiles,
    Included,
    Roles,
    Schemas,
    Nothing,
}

/// Reads the text of a workflow file, and reports all its problems at once.
///
/// `file_id` is the id from the file's name; the file may repeat it, and must have one if there is no name.
/// Unknown keys are warnings.
///
/// The text is not trusted: more than 1 MiB, lists and mappings more than 64 deep, more than 50,000
/// values, and aliases that expand beyond these limits are errors, found in a time and with a memory
/// that these limits bound. After 200 problems no more are listed.
pub fn read(text: &[u8], file_id: Option<&WorkflowId>) -> Draft {
    let (tree, problems) = yaml::read(text);
    let text = std::str::from_utf8(text).unwrap_or_default();
    let mut report = Report::new(tree.as_ref().map(|tree| (text, tree)));
    for problem in problems {
        report.yaml(problem);
    }
    let workflow = tree.as_ref().and_then(|tree| reading::workflow(tree, file_id, &mut report));
    if let Some(workflow) = &workflow {
        check::workflow(workflow, &mut report);
    }
    let found = report.into_findings();
    Draft::new(tree.map(|tree| (text.to_owned(), tree)), found, workflow, Origin::Read, Library::default())
}

impl Draft {
    /// The draft of a workflow that was built in Rust, with what it refers to.
    pub fn built(workflow: Workflow, mut library: Library) -> Self {
        include(&mut library, Some(&workflow));
        let mut report = Report::new(None);
        check::workflow(&workflow, &mut report);
        let mut draft = Self::new(None, report.into_findings(), Some(workflow), Origin::Built, library);
        draft.asks = Asks::Nothing;
        draft
    }

    fn new(
        source: Option<(String, Node)>,
        found: Findings,
        workflow: Option<Workflow>,
        origin: Origin,
        library: Library,
    ) -> Self {
        let own = found.len();
        Self {
            source,
            found,
            own,
            workflow,
            origin,
            library,
            asks: Asks::Assignments,
            asked: BTreeSet::new(),
            schemas: IndexMap::new(),
            workflows: BTreeMap::new(),
        }
    }

    /// The workflow, as far as it could be read: also one with errors.
    pub fn workflow(&self) -> Option<&Workflow> {
        self.workflow.as_ref()
    }

    /// The same with its defaults at each stage.
    pub fn full_workflow(&self) -> Option<Cow<'_, Workflow>> {
        self.workflow().map(Workflow::with_defaults)
    }

    /// What it refers to, as far as it was [given](Draft::give).
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// The position of the value at a path such as `plan.providers[1].role`; if it does not exist, that of
    /// the longest part of the path that does. None for a workflow that was built in Rust, and for a text
    /// that is not YAML.
    pub fn range(&self, path: &str) -> Option<SourceRange> {
        let (text, tree) = self.source.as_ref()?;
        let (_, node) = node_of(tree, path);
        Some(Ranges::of(text).value(node))
    }

    /// The text that it was read from.
    pub(super) fn text(&self) -> Option<&str> {
        self.source.as_ref().map(|(text, _)| text.as_str())
    }

    pub(super) fn source(&self) -> Option<(&str, &Node)> {
        self.source.as_ref().map(|(text, tree)| (text.as_str(), tree))
    }

    /// The file as it is written: its keys and values, also those with errors. None for a workflow that was built
    /// in Rust, and for a text that is not YAML.
    pub fn file(&self) -> Option<Data> {
        self.source.as_ref().map(|(_, tree)| Data::new(&tree.to_value()))
    }

    /// The range of each value of the [file](Draft::file), by its path: a value is in the text before those that it
    /// contains are.
    pub fn ranges(&self) -> Vec<(String, SourceRange)> {
        self.source.as_ref().map(|(text, tree)| Ranges::of(text).all(tree)).unwrap_or_default()
    }

    /// Whether the workflow says `isDefault: true`, which hosts show.
    pub fn is_default(&self) -> bool {
        self.has_flag("isDefault")
    }

    /// Whether the workflow says `protected: true`, so that catalogs do not change it.
    pub fn is_protected(&self) -> bool {
        self.has_flag("protected")
    }

    fn has_flag(&self, name: &str) -> bool {
        let header = self.source.as_ref().and_then(|(_, tree)| tree.get("workflow"));
        let flag = header.and_then(|header| header.value.get(name));
        flag.is_some_and(|flag| matches!(flag.value.kind, Kind::Scalar(_, Value::Bool(true))))
    }

    /// Adds diagnostics of the host about the workflow: for instance, that a provider is not registered. Each
    /// diagnostic gets the line and column of the field that its path names. One is left out where an error
    /// of the text is in the same value or in a part of it: it may be about the same thing.
    pub fn report(&mut self, mut diagnostics: Vec<Diagnostic>) {
        let source = self.source.as_ref().map(|(text, tree)| (text.as_str(), tree));
        if let Some((_, tree)) = source {
            at_defaults(&mut diagnostics, tree);
        }
        let mut report = Report::resume(source, std::mem::take(&mut self.found));
        report.by_path(diagnostics, self.own);
        self.found = report.into_findings();
    }

    /// Fills in what the workflow leaves out, from the assignments first and then from `defaults`, and puts
    /// it together with the profiles, roles, schemas and skills that it uses. Errors and warnings about that
    /// are reported. The result has a bundle if there are no errors.
    ///
    /// A stage without a role gets the role with the stage's name, if there is one.
    pub fn resolve(&mut self, defaults: &Defaults) -> Option<CheckedBundle> {
        let bundle = self.resolve_as_written(defaults)?;
        self.set_providers(bundle, &ProviderMap::default())
    }

    /// The same with the names of providers as they are written, for [`set_providers`](Draft::set_providers).
    pub fn resolve_as_written(&mut self, defaults: &Defaults) -> Option<CheckedBundle> {
        self.assemble(defaults, |_| true)
    }

    /// Puts in what names of providers stand for in the home, for a run in which `map` replaces some of them. What is
    /// wrong with that is reported.
    pub fn set_providers(&mut self, bundle: CheckedBundle, map: &ProviderMap) -> Option<CheckedBundle> {
        match bundle.with_settings(map, &self.library.providers) {
            Ok((bundle, warnings)) => {
                self.report(warnings);
                Some(bundle)
            }
            Err(Diagnostics(problems)) => {
                self.report(problems);
                None
            }
        }
    }

    /// Resolves the draft before anything was looked up: missing files are not reported.
    pub fn check_alone(&mut self, defaults: &Defaults) {
        self.assemble(defaults, |problem| !problem.code.starts_with("missing-"));
    }

    fn assemble(
        &mut self,
        defaults: &Defaults,
        counts: impl Fn(&Diagnostic) -> bool,
    ) -> Option<CheckedBundle> {
        let is_wrong = self.found.has_errors();
        let (bundle, mut problems) = assemble(self.workflow.as_ref()?, defaults, &self.library, self.origin);
        let is_wrong = is_wrong || problems.iter().any(Diagnostic::is_error);
        problems.retain(counts);
        self.report(problems);
        (!is_wrong).then(|| CheckedBundle::of_checked_parts(bundle))
    }

    /// All errors and warnings, in the order of the text.
    pub fn finish(self) -> Vec<Diagnostic> {
        self.found.finish()
    }

    /// The workflow, if there is no error, and all errors and warnings.
    pub fn into_parsed(self) -> Parsed {
        let diagnostics = self.found.finish();
        let workflow = self.workflow.filter(|_| !diagnostics.iter().any(Diagnostic::is_error));
        Parsed { workflow, diagnostics }
    }
}

/// Moves what is said of values that stages have from the workflow's defaults to where these are written, once.
fn at_defaults(diagnostics: &mut Vec<Diagnostic>, tree: &Node) {
    let mut told = BTreeSet::new();
    diagnostics.retain_mut(|diagnostic| {
        let here = diagnostic.file.is_none().then(|| inherited(tree, &diagnostic.path)).flatten();
        let Some(path) = here else { return true };
        diagnostic.path = path;
        told.insert((diagnostic.path.clone(), diagnostic.message.clone()))
    });
}

/// The result of reading a definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The workflow, when there is no error.
    pub workflow: Option<Workflow>,
    /// All errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

impl Parsed {
    /// The workflow, or all its errors.
    ///
    /// # Errors
    ///
    /// The diagnostics, when there is an error among them. Warnings alone are dropped.
    pub fn into_workflow(self) -> Result<Workflow, Diagnostics> {
        self.workflow.ok_or(Diagnostics(self.diagnostics))
    }

    /// The workflow, or all its errors, with unknown keys as errors.
    #[must_use]
    pub fn strict(mut self) -> Self {
        for diagnostic in self.diagnostics.iter_mut().filter(|diagnostic| diagnostic.code == "unknown-key") {
            diagnostic.severity = Severity::Error;
            self.workflow = None;
        }
        self
    }
}

/// Reads the text of a workflow file and reports all its problems at once.
///
/// Like [`read`](read()), for a workflow that refers to nothing, and with the same limits.
pub fn parse(text: &[u8], file_id: Option<&WorkflowId>) -> Parsed {
    read(text, file_id).into_parsed()
}
