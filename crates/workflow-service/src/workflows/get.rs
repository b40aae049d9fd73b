//! Reading a workflow.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::catalog::{Document, is_protected};
use workflow_core::data::Data;
use workflow_core::definition::{self, Draft, SourceRange};
use workflow_core::ids::WorkflowId;

use crate::caller::{Caller, Scope, Target};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// Reads the text of a workflow.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetWorkflow {
    /// The workflow.
    pub id: WorkflowId,
}

/// A workflow with its text.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WorkflowText {
    /// The id.
    pub id: WorkflowId,
    /// Where it was read from, for people.
    pub origin: String,
    /// The YAML text.
    pub text: String,
    /// Identifies this version of the text: an update names it.
    pub version: String,
    /// Whether it says `protected: true`: it is neither changed nor deleted until that is removed.
    pub protected: bool,
}

impl From<Document> for WorkflowText {
    fn from(document: Document) -> Self {
        let Document { id, origin, text, version } = document;
        let protected = is_protected(&text);
        Self { id, origin, text, version: version.0, protected }
    }
}

/// A workflow with its text and what is in it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WorkflowDetail {
    /// The id.
    pub id: WorkflowId,
    /// Where it was read from, for people.
    pub origin: String,
    /// The YAML text.
    pub text: String,
    /// Identifies this version of the text: an update names it.
    pub version: String,
    /// Whether it says `protected: true`: it is neither changed nor deleted until that is removed.
    pub protected: bool,
    /// The file as JSON, with its keys as they are written there; absent when it is not YAML.
    pub model: Option<Data>,
    /// Where each value of the model is in the text, by the path that diagnostics and edits name it by, such as
    /// `test.providers[1].role`.
    pub ranges: BTreeMap<String, Range>,
}

impl From<WorkflowDetail> for WorkflowText {
    fn from(detail: WorkflowDetail) -> Self {
        let WorkflowDetail { id, origin, text, version, protected, .. } = detail;
        Self { id, origin, text, version, protected }
    }
}

/// A part of a text, from its first character to before the one that follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Range {
    /// The first line, counted from 1.
    pub line: u32,
    /// The column there, in characters, counted from 1.
    pub column: u32,
    /// The last line, counted from 1.
    pub end_line: u32,
    /// The column after the last character, counted from 1.
    pub end_column: u32,
}

impl From<SourceRange> for Range {
    fn from(range: SourceRange) -> Self {
        let SourceRange { line, column, end_line, end_column, .. } = range;
        Self { line, column, end_line, end_column }
    }
}

/// Where each value of a text is, by its path.
pub(super) fn ranges(draft: &Draft) -> BTreeMap<String, Range> {
    draft.ranges().into_iter().map(|(path, range)| (path, range.into())).collect()
}

impl Operation for GetWorkflow {
    const NAME: &'static str = "workflow:get";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str =
        "Reads a workflow: its text, the version that an update names, and each value with its range.";
    type Response = WorkflowDetail;

    fn target(&self) -> Target<'_> {
        Target::Workflow(&self.id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<WorkflowDetail, ServiceError> {
        let WorkflowText { id, origin, text, version, protected } = host.workflow(&self.id).await?.into();
        let draft = definition::read(text.as_bytes(), Some(&id));
        Ok(WorkflowDetail {
            model: draft.file(),
            ranges: ranges(&draft),
            id,
            origin,
            text,
            version,
            protected,
        })
    }
}
