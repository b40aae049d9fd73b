//! Listing and reading workflows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::catalog::Document;
use workflow_core::ids::WorkflowId;

use crate::caller::{Caller, Scope, Target};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// Lists the workflows of the catalog.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListWorkflows {
    /// Only workflows whose id, name or description contains this text, in any case.
    #[serde(default)]
    pub search: Option<String>,
}

/// The workflows of the catalog.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WorkflowList {
    /// The workflows, by id.
    pub workflows: Vec<WorkflowSummary>,
}

/// A workflow in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WorkflowSummary {
    /// The id.
    pub id: WorkflowId,
    /// The name for people; absent when the definition cannot be read.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The stages, in order.
    pub stages: Vec<String>,
    /// The first thing that is wrong with it.
    pub problem: Option<String>,
}

impl Operation for ListWorkflows {
    const NAME: &'static str = "workflow:list";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str = "Lists the workflows of the catalog, also those that cannot be read.";
    type Response = WorkflowList;

    async fn run(self, host: &Host, _: &Caller) -> Result<WorkflowList, ServiceError> {
        let search = self.search.map(|search| search.to_lowercase()).unwrap_or_default();
        let entries = host.catalog()?.list().await?;
        let summary = |entry: workflow_core::catalog::CatalogEntry| WorkflowSummary {
            id: entry.id,
            name: entry.name,
            description: entry.description,
            stages: entry.stages,
            problem: entry.problem,
        };
        let is_found = |workflow: &WorkflowSummary| {
            [Some(workflow.id.as_str()), workflow.name.as_deref(), workflow.description.as_deref()]
                .into_iter()
                .flatten()
                .any(|text| text.to_lowercase().contains(&search))
        };
        Ok(WorkflowList { workflows: entries.into_iter().map(summary).filter(is_found).collect() })
    }
}

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
}

impl From<Document> for WorkflowText {
    fn from(document: Document) -> Self {
        let Document { id, origin, text, version } = document;
        Self { id, origin, text, version: version.0 }
    }
}

impl Operation for GetWorkflow {
    const NAME: &'static str = "workflow:get";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str = "Reads a workflow: its text and the version that an update names.";
    type Response = WorkflowText;

    fn target(&self) -> Target<'_> {
        Target::Workflow(&self.id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<WorkflowText, ServiceError> {
        Ok(host.catalog()?.get(&self.id).await?.into())
    }
}
