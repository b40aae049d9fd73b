//! Checking the text of a workflow.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::definition::{Diagnostic, Severity};
use workflow_core::ids::WorkflowId;

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
    /// What is wrong, and what to write instead.
    pub message: String,
    /// The file, if it is not the workflow's: a profile, a role, a schema, the assignments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What an editor can offer to correct it.
    pub fixes: Vec<Fix>,
}

/// A correction of a text.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Fix {
    /// What to put in place of the value at the problem's path.
    pub replacement: String,
}

impl From<Diagnostic> for Problem {
    fn from(found: Diagnostic) -> Self {
        let Diagnostic { severity, code, path, line, column, message, file, replacement, .. } = found;
        let fixes = replacement.map(|replacement| Fix { replacement: replacement.into() });
        Self {
            severity,
            code: code.to_owned(),
            path,
            line,
            column,
            message,
            file: file.map(Into::into),
            fixes: fixes.into_iter().collect(),
        }
    }
}

impl Operation for ValidateWorkflow {
    const NAME: &'static str = "workflow:validate";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str =
        "Checks the text of a workflow, with all that it refers to, without storing it.";
    type Response = Validated;

    async fn run(self, host: &Host, _: &Caller) -> Result<Validated, ServiceError> {
        let checked = host.engine().check(self.text.as_bytes(), self.id.as_ref()).await?;
        Ok(Validated {
            valid: checked.plan.is_some(),
            diagnostics: checked.diagnostics.into_iter().map(Problem::from).collect(),
        })
    }
}
