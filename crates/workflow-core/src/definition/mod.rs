//! Definitions: what a user writes.
//!
//! A definition is read from a file with [`parse`] or built in Rust with [`Workflow::new`], and
//! [resolved](resolve) before it runs. Both ways it has to keep the same rules: [`validate`].
//!
//! ```
//! use workflow_core::definition::{self, Defaults};
//!
//! let parsed = definition::parse(b"
//! workflow:
//!   id: hello
//!   name: Hello
//!   stages: [greet]
//! greet:
//!   provider: command
//!   with: { command: [echo, hello] }
//!   retrys: 2
//! ", None);
//!
//! let warnings: Vec<_> = parsed.diagnostics.iter().map(ToString::to_string).collect();
//! let expected = "9:3: warning[unknown-key]: `retrys` is not known here and is ignored; did you mean `retries`?";
//! assert_eq!(warnings, [expected]);
//! let workflow = parsed.workflow.expect("no errors");
//! let resolved = definition::resolve(&workflow, &Defaults::default())?;
//! assert_eq!(resolved.stages["greet"].retries, Some(3));
//! # Ok::<(), definition::Diagnostics>(())
//! ```

mod assignments;
mod build;
mod check;
mod check_profile;
mod coding_agents;
mod diagnostic;
mod duration;
pub mod edit;
mod expressions;
mod fields;
mod file;
mod graph;
mod library;
mod model;
mod named;
mod needs;
mod path;
mod read;
mod read_profile;
mod read_role;
mod read_schema;
mod report;
mod resolve;
mod role;
mod shell;
mod steps;
mod suggest;
mod yaml;

use report::Report;

pub(crate) use file::WorkflowFile;
pub(crate) use needs::{Names, arms, needs};
pub(crate) use read_role::BUILT_IN;

pub(crate) use assignments::AssignmentsFile;
pub use assignments::{Assignment, Assignments, ParsedAssignments, parse_assignments};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use duration::{InvalidDuration, Period};
pub use graph::{
    Arm, AskNode, BranchNode, ExportNode, ForeachNode, GraphNode, Node, Profile, ReduceNode, ReduceStrategy,
    RunNode,
};
pub use library::{Bundled, Library, SourceFile, bundle, recommended_provider, schemas};
pub use model::{
    Budget, Exhausted, Lane, LoopSpec, Mode, OnFailure, OnInterrupt, OutputFormat, ParallelStrategy,
    SessionMode, Stage, Workflow,
};
pub use read_schema::{check_schema, read_schema, read_value};
pub use resolve::{Defaults, resolve};
pub use role::{Role, Variable, VariableType};
pub use suggest::did_you_mean;

use crate::ids::{RoleId, WorkflowId};

/// What came of reading a definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The workflow, when there is no error.
    pub workflow: Option<Workflow>,
    /// Everything that is wrong or doubtful, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

impl Parsed {
    /// The workflow, or everything that is wrong with it.
    ///
    /// # Errors
    ///
    /// The diagnostics, when there is an error among them. Warnings alone are dropped.
    pub fn into_workflow(self) -> Result<Workflow, Diagnostics> {
        self.workflow.ok_or(Diagnostics(self.diagnostics))
    }

    /// The same with unknown keys as errors.
    #[must_use]
    pub fn strict(mut self) -> Self {
        for diagnostic in self.diagnostics.iter_mut().filter(|diagnostic| diagnostic.code == "unknown-key") {
            diagnostic.severity = Severity::Error;
            self.workflow = None;
        }
        self
    }
}

/// Reads the text of a workflow file and says everything that is wrong with it at once.
///
/// `file_id` is the id that the file's name gives; the file may repeat it, and has to have one
/// where there is no name. Keys that mean nothing are warnings.
///
/// The text is not trusted: more than 1 MiB, lists and mappings more than 64 deep, more than 50,000
/// values, and aliases that expand beyond these limits are errors, found in a time and with a memory
/// that these limits bound. After 200 problems no more are listed.
pub fn parse(text: &[u8], file_id: Option<&WorkflowId>) -> Parsed {
    parse_with(text, file_id, |_| Vec::new())
}

/// The same, with what a host has to say of the workflow: for instance, that it has no such provider.
/// What `check` returns gets the line and column of the field that its path names. It is also asked
/// about a workflow with errors, as far as that could be read.
pub fn parse_with(
    text: &[u8],
    file_id: Option<&WorkflowId>,
    check: impl FnOnce(&Workflow) -> Vec<Diagnostic>,
) -> Parsed {
    let (tree, problems) = yaml::read(text);
    let mut report =
        Report::new(tree.as_ref().map(|tree| (std::str::from_utf8(text).unwrap_or_default(), tree)));
    for problem in problems {
        report.yaml(problem);
    }
    let workflow = tree.as_ref().and_then(|tree| read::workflow(tree, file_id, &mut report));
    if let Some(workflow) = &workflow {
        check::workflow(workflow, &mut report);
        report.by_path(check(workflow));
    }
    let diagnostics = report.finish();
    let workflow = workflow.filter(|_| !diagnostics.iter().any(Diagnostic::is_error));
    Parsed { workflow, diagnostics }
}

/// What came of reading a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedProfile {
    /// The profile, when there is no error.
    pub profile: Option<Profile>,
    /// Everything that is wrong or doubtful, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the text of a profile file and says everything that is wrong with it at once, by the rules and
/// within the limits of [`parse`]. What it says of stages is checked where the workflow is given.
pub fn parse_profile(text: &[u8], workflow: Option<&Workflow>) -> ParsedProfile {
    let (tree, problems) = yaml::read(text);
    let mut report =
        Report::new(tree.as_ref().map(|tree| (std::str::from_utf8(text).unwrap_or_default(), tree)));
    for problem in problems {
        report.yaml(problem);
    }
    let profile = tree.as_ref().map(|tree| read_profile::profile(tree, &mut report));
    if let Some(profile) = &profile {
        check_profile::profile(profile, workflow, &mut report);
    }
    let diagnostics = report.finish();
    let profile = profile.filter(|_| !diagnostics.iter().any(Diagnostic::is_error));
    ParsedProfile { profile, diagnostics }
}

/// What came of reading a role.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedRole {
    /// The role, when there is no error.
    pub role: Option<Role>,
    /// The schema file that it names, also when there are errors.
    pub output_schema: Option<String>,
    /// Everything that is wrong or doubtful, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the text of a role file, front matter between lines of `---` and then the template, and says
/// everything that is wrong with it at once, within the limits of [`parse`].
///
/// A text without front matter is a template and nothing else. `file_id` is the id that the file's name
/// gives.
///
/// A template can name the stages of the workflow that the role is used in, so whether all its names are
/// known is told by [`parse_role_with`] alone.
pub fn parse_role(text: &[u8], file_id: Option<&RoleId>) -> ParsedRole {
    role_of(text, file_id, None)
}

/// The same for a role as `workflow` uses it: a name that its templates do not know there is an error.
pub fn parse_role_with(text: &[u8], file_id: Option<&RoleId>, workflow: &Workflow) -> ParsedRole {
    role_of(text, file_id, Some(workflow))
}

fn role_of(text: &[u8], file_id: Option<&RoleId>, workflow: Option<&Workflow>) -> ParsedRole {
    let parts = match read_role::parts(text) {
        Ok(parts) => parts,
        Err(refused) => {
            return ParsedRole { role: None, output_schema: None, diagnostics: vec![refused] };
        }
    };
    let (tree, problems) =
        if parts.has_front() { yaml::read(parts.front.as_bytes()) } else { (None, Vec::new()) };
    let mut report = Report::new(tree.as_ref().map(|tree| (parts.front, tree)));
    for problem in problems {
        report.yaml(problem);
    }
    let role = read_role::role(tree.as_ref(), parts.body, file_id, &mut report);
    let mut body = Vec::new();
    if let Some(role) = &role {
        read_role::check(role, &mut report);
        // What a front matter that cannot be read declares is not known.
        let workflow = workflow.filter(|_| tree.is_some() || !parts.has_front());
        body = read_role::templates(role, parts.body_line, workflow, &mut report);
    }
    let mut diagnostics = report.finish();
    for found in diagnostics.iter_mut().filter(|found| found.line == 0 && found.code != "too-many") {
        // What is missing from a front matter that is not there.
        (found.line, found.column) = (1, 1);
    }
    diagnostics.extend(body);
    let output_schema = role.as_ref().and_then(|role| role.output_schema.clone());
    let role = role.filter(|_| !diagnostics.iter().any(Diagnostic::is_error));
    ParsedRole { role, output_schema, diagnostics }
}

/// Says everything that is wrong with a role that was built in Rust, by the rules of [`parse_role`].
pub fn validate_role(role: &Role) -> Vec<Diagnostic> {
    let mut report = Report::new(None);
    read_role::check(role, &mut report);
    let body = read_role::templates(role, 0, None, &mut report);
    let mut diagnostics = report.finish();
    diagnostics.extend(body);
    diagnostics
}

/// Says everything that is wrong with a profile that was built in Rust, by the rules of [`parse_profile`].
pub fn validate_profile(profile: &Profile, workflow: Option<&Workflow>) -> Vec<Diagnostic> {
    let mut report = Report::new(None);
    check_profile::profile(profile, workflow, &mut report);
    report.finish()
}

/// Says everything that is wrong with a workflow that was built in Rust, by the rules that
/// [`parse`] has for files.
pub fn validate(workflow: &Workflow) -> Vec<Diagnostic> {
    let mut report = Report::new(None);
    check::workflow(workflow, &mut report);
    report.finish()
}

/// The calls that the nodes of a profile make, each with its path.
pub fn calls_of(profile: &Profile) -> Vec<(String, &RunNode)> {
    let graph = profile.graph.iter().enumerate();
    graph.filter_map(|(n, node)| call_of(&node.node, format!("graph[{n}]"))).collect()
}

/// The roles that the nodes of a profile name, each with the path of its field.
pub fn roles_of(profile: &Profile) -> Vec<(String, &str)> {
    let calls = calls_of(profile).into_iter();
    calls.filter_map(|(path, run)| Some((format!("{path}.role"), run.role.as_deref()?))).collect()
}

/// The call that a node makes, by itself or for items, with its path.
pub(crate) fn call_of(node: &Node, path: String) -> Option<(String, &RunNode)> {
    match node {
        Node::Run(run) => Some((path, run)),
        Node::Reduce(reduce) => Some((path, &reduce.run)),
        Node::Foreach(foreach) => call_of(&foreach.run, format!("{path}.run")),
        Node::Branch(_) | Node::Export(_) | Node::Ask(_) => None,
    }
}

/// The same, to be changed.
pub(crate) fn call_mut(node: &mut Node) -> Option<&mut RunNode> {
    match node {
        Node::Run(run) => Some(run),
        Node::Reduce(reduce) => Some(&mut reduce.run),
        Node::Foreach(foreach) => call_mut(&mut foreach.run),
        Node::Branch(_) | Node::Export(_) | Node::Ask(_) => None,
    }
}

impl Workflow {
    /// The workflow as the text of a file. When it is [valid](validate), [`parse`] reads it back to an
    /// equal workflow.
    ///
    /// # Errors
    ///
    /// [`NotWritable`] when the text would be more than [`parse`] reads.
    pub fn to_yaml(&self) -> Result<String, NotWritable> {
        yaml::write(self).map_err(NotWritable)
    }
}

/// A workflow cannot be written as YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the workflow cannot be written as YAML: {0}")]
pub struct NotWritable(String);
