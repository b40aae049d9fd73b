//! Reading whole files, and checking what was built in Rust by the same rules.

use super::check;
use super::model::{Diagnostic, Diagnostics, Profile, Severity, Workflow};
use super::read;
use super::report::Report;
use super::yaml;
use crate::ids::{RoleId, WorkflowId};
use crate::role::Role;

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
    let profile = tree.as_ref().map(|tree| read::profile(tree, &mut report));
    if let Some(profile) = &profile {
        check::profile(profile, workflow, &mut report);
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
    let parts = match read::parts(text) {
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
    let role = read::role(tree.as_ref(), parts.body, file_id, &mut report);
    let mut body = Vec::new();
    if let Some(role) = &role {
        check::role(role, &mut report);
        // What a front matter that cannot be read declares is not known.
        let workflow = workflow.filter(|_| tree.is_some() || !parts.has_front());
        body = check::templates(role, parts.body_line, workflow, &mut report);
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
    check::role(role, &mut report);
    let body = check::templates(role, 0, None, &mut report);
    let mut diagnostics = report.finish();
    diagnostics.extend(body);
    diagnostics
}

/// Says everything that is wrong with a profile that was built in Rust, by the rules of [`parse_profile`].
pub fn validate_profile(profile: &Profile, workflow: Option<&Workflow>) -> Vec<Diagnostic> {
    let mut report = Report::new(None);
    check::profile(profile, workflow, &mut report);
    report.finish()
}

/// Says everything that is wrong with a workflow that was built in Rust, by the rules that
/// [`parse`] has for files.
pub fn validate(workflow: &Workflow) -> Vec<Diagnostic> {
    let mut report = Report::new(None);
    check::workflow(workflow, &mut report);
    report.finish()
}
