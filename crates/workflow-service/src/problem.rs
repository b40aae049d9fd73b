//! An error or a warning of a definition, with the changes that correct it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::definition::{Correction, Diagnostic, DiagnosticLine, Draft, Severity, SourceRange};

/// An error or a warning of a definition.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
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
        let SourceRange { line, column, end_line, end_column, .. } = correction.range;
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

/// As that of a [`Diagnostic`].
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.line().fmt(f)
    }
}

impl Problem {
    /// Whether it stops the definition from being used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// One line for a person: `ship.workflow.yml:3:5: error[unknown-key]: …`. `own` is the file of the workflow, which is
    /// named where the problem names no other file.
    pub fn in_line(&self, own: &str) -> String {
        let line = self.line();
        DiagnosticLine { file: line.file.or(Some(own)), ..line }.to_string()
    }

    fn line(&self) -> DiagnosticLine<'_> {
        DiagnosticLine {
            file: self.file.as_deref(),
            line: self.line,
            column: self.column,
            path: &self.path,
            severity: self.severity,
            code: &self.code,
            message: &self.message,
        }
    }

    /// The problem with its end and its fixes in the text of a draft.
    pub(crate) fn in_text(found: Diagnostic, draft: &Draft) -> Self {
        let fixes = draft.corrections(&found).into_iter().map(Fix::from).collect();
        let end = draft.end(&found);
        let problem = Self { fixes, ..Self::from(found) };
        match end {
            Some((end_line, end_column)) => Self { end_line, end_column, ..problem },
            None => problem,
        }
    }
}
