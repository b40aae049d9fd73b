//! Creating, changing and deleting workflows.

use schemars::JsonSchema;
use serde::Deserialize;
use workflow_core::catalog::Version;
use workflow_core::ids::WorkflowId;

use super::get::WorkflowText;
use crate::caller::{Caller, Scope, Target};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// Adds a workflow. Never overwrites.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateWorkflow {
    /// The id of the new workflow.
    pub id: WorkflowId,
    /// Its YAML text.
    pub text: String,
}

impl Operation for CreateWorkflow {
    const NAME: &'static str = "workflow:create";
    const SCOPE: Scope = Scope::Edit;
    const ABOUT: &'static str = "Adds a workflow; never overwrites one.";
    type Response = WorkflowText;

    fn target(&self) -> Target<'_> {
        Target::Workflow(&self.id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<WorkflowText, ServiceError> {
        Ok(host.catalog()?.create(&self.id, &self.text).await?.into())
    }
}

/// Replaces the text of a workflow. Runs that have started keep the text that they were started with.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateWorkflow {
    /// The workflow.
    pub id: WorkflowId,
    /// The version that the caller read.
    pub version: String,
    /// The new YAML text.
    pub text: String,
}

impl Operation for UpdateWorkflow {
    const NAME: &'static str = "workflow:update";
    const SCOPE: Scope = Scope::Edit;
    const ABOUT: &'static str =
        "Replaces the text of a workflow that still has the version that the caller read.";
    type Response = WorkflowText;

    fn target(&self) -> Target<'_> {
        Target::Workflow(&self.id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<WorkflowText, ServiceError> {
        let version = Version(self.version);
        Ok(host.catalog()?.update(&self.id, &self.text, &version).await?.into())
    }
}

/// Deletes a workflow that no unfinished run uses.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteWorkflow {
    /// The workflow.
    pub id: WorkflowId,
}

impl Operation for DeleteWorkflow {
    const NAME: &'static str = "workflow:delete";
    const SCOPE: Scope = Scope::Edit;
    const ABOUT: &'static str = "Deletes a workflow, unless runs that have not ended use it.";
    type Response = ();

    fn target(&self) -> Target<'_> {
        Target::Workflow(&self.id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<(), ServiceError> {
        Ok(host.engine().delete_workflow(&self.id).await?)
    }
}
