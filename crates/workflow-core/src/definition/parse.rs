//! Reading profiles and roles.

use super::check;
use super::model::{Diagnostic, Profile, Workflow};
use super::read as reading;
use super::report::Report;
use super::yaml;
use crate::ids::RoleId;
use crate::role::Role;

/// The result of reading a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedProfile {
    /// The profile, when there is no error.
    pub profile: Option<Profile>,
    /// All errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the text of a profile file and reports all its problems at once, by the rules and within the limits
/// of [`parse`](super::parse()). References to stages are checked only if `workflow` is given. If the profile includes others, the
/// nodes of all of them are checked together later, by the draft of a workflow that uses the profile.
pub fn parse_profile(text: &[u8], workflow: Option<&Workflow>) -> ParsedProfile {
    let (tree, problems) = yaml::read(text);
    let mut report =
        Report::new(tree.as_ref().map(|tree| (std::str::from_utf8(text).unwrap_or_default(), tree)));
    for problem in problems {
        report.yaml(problem);
    }
    let profile = tree.as_ref().map(|tree| reading::profile(tree, &mut report));
    if let Some(profile) = &profile {
        check::profile(profile, workflow, &mut report);
    }
    let diagnostics = report.finish();
    let profile = profile.filter(|_| !diagnostics.iter().any(Diagnostic::is_error));
    ParsedProfile { profile, diagnostics }
}

/// The result of reading a role.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedRole {
    /// The role, when there is no error.
    pub role: Option<Role>,
    /// The schema file that it names, also when there are errors.
    pub output_schema: Option<String>,
    /// All errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the text of a role file, front matter between lines of `---` and then the template, and reports all
/// its problems at once, within the limits of [`parse`](super::parse()).
///
/// A text without front matter is a template and nothing else. `file_id` is the id that the file's name
/// gives.
///
/// A template can name the stages of the workflow that the role is used in, so only [`parse_role_with`]
/// checks whether all its names are known.
pub fn parse_role(text: &[u8], file_id: Option<&RoleId>) -> ParsedRole {
    role_of(text, file_id, None)
}

/// Reads a role as `workflow` uses it: a name that its templates do not know there is an error.
pub fn parse_role_with(text: &[u8], file_id: Option<&RoleId>, workflow: &Workflow) -> ParsedRole {
    role_of(text, file_id, Some(workflow))
}

fn role_of(text: &[u8], file_id: Option<&RoleId>, workflow: Option<&Workflow>) -> ParsedRole {
    let parts = match reading::parts(text) {
        Ok(parts) => parts,
        Err(refused) => {
            return ParsedRole { role: None, output_schema: None, diagnostics: vec![*refused] };
        }
    };
    let (tree, problems) =
        if parts.has_front() { yaml::read(parts.front.as_bytes()) } else { (None, Vec::new()) };
    let mut report = Report::new(tree.as_ref().map(|tree| (parts.front, tree)));
    for problem in problems {
        report.yaml(problem);
    }
    let role = reading::role(tree.as_ref(), parts.body, file_id, &mut report);
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
