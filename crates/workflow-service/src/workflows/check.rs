//! Checking the text of a workflow.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::definition::{self, Correction, Diagnostic, Draft, Severity};
use workflow_core::ids::WorkflowId;

use super::get::Range;
use crate::caller::{Caller, Scope};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// Checks the text of a workflow, with everything that it refers to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValidateWorkflow {
    /// The id that the file's name would give, if there is one.
    #[serde(default)]
    pub id: Option<WorkflowId>,
    /// The YAML text.
    pub text: String,
}

/// The result of a check.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Validated {
    /// Whether the workflow can be run: there are no errors.
    pub valid: bool,
    /// All errors and warnings, in the order of the text.
    pub diagnostics: Vec<Problem>,
}

/// An error or a warning of a definition.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Problem {
    /// Whether it stops the definition from being used.
    pub severity: Severity,
    /// The kind of problem; the book has an entry for each.
    pub code: String,
    /// The field, for instance `test.providers[1].role`; empty for the file as a whole.
    pub path: String,
    /// The line, counted from 1; 0 without a place in a text.
    pub line: u32,
    /// The column in characters, counted from 1.
    pub column: u32,
    /// The line of the end of what is wrong; that of its start where no more is known.
    pub end_line: u32,
    /// The column after its last character.
    pub end_column: u32,
    /// What is wrong, and what to write instead.
    pub message: String,
    /// The file, if it is not the workflow's: a profile, a role, a schema, the assignments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Changes of the text, each of which corrects it: an editor can offer them as quick fixes.
    pub fixes: Vec<Fix>,
}

/// A change of a text that corrects a problem.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Fix {
    /// What it does, for people: `Replace with "retries"`.
    pub title: String,
    /// The first line of the part of the text that is replaced, counted from 1.
    pub line: u32,
    /// The column there, in characters, counted from 1.
    pub column: u32,
    /// The last line of the part.
    pub end_line: u32,
    /// The column after its last character.
    pub end_column: u32,
    /// What takes its place.
    pub new_text: String,
}

impl From<Correction> for Fix {
    fn from(correction: Correction) -> Self {
        let Range { line, column, end_line, end_column } = correction.range.into();
        Self { title: correction.title, line, column, end_line, end_column, new_text: correction.new_text }
    }
}

impl From<Diagnostic> for Problem {
    fn from(found: Diagnostic) -> Self {
        let Diagnostic { severity, code, path, line, column, message, file, .. } = found;
        Self {
            severity,
            code: code.to_owned(),
            path,
            line,
            column,
            end_line: line,
            end_column: column,
            message,
            file: file.map(Into::into),
            fixes: Vec::new(),
        }
    }
}

impl Problem {
    /// The problem with its end and its fixes in the text of a draft.
    fn in_text(found: Diagnostic, draft: &Draft) -> Self {
        let fixes = draft.corrections(&found).into_iter().map(Fix::from).collect();
        let end = draft.end(&found);
        let problem = Self { fixes, ..Self::from(found) };
        match end {
            Some((end_line, end_column)) => Self { end_line, end_column, ..problem },
            None => problem,
        }
    }
}

/// Everything that is wrong with a text, with ends and fixes.
pub(crate) fn problems(found: Vec<Diagnostic>, draft: &Draft) -> Vec<Problem> {
    found.into_iter().map(|found| Problem::in_text(found, draft)).collect()
}

/// Refuses a text with errors, which are in the details.
pub(crate) fn refuse_errors(text: &str, id: &WorkflowId) -> Result<(), ServiceError> {
    let draft = definition::read(text.as_bytes(), Some(id));
    let errors: Vec<_> = draft.clone().finish().into_iter().filter(Diagnostic::is_error).collect();
    if errors.is_empty() { Ok(()) } else { Err(ServiceError::invalid_text(&problems(errors, &draft))) }
}

impl Operation for ValidateWorkflow {
    const NAME: &'static str = "workflow:validate";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str =
        "Checks the text of a workflow, with all that it refers to, without storing it; with quick fixes.";
    type Response = Validated;

    async fn run(self, host: &Host, _: &Caller) -> Result<Validated, ServiceError> {
        let draft = definition::read(self.text.as_bytes(), self.id.as_ref());
        let mut looked_up = draft.clone();
        host.engine().look_up(&mut looked_up).await?;
        let checked = host.engine().finish(looked_up, None);
        Ok(Validated { valid: checked.plan.is_some(), diagnostics: problems(checked.diagnostics, &draft) })
    }
}
