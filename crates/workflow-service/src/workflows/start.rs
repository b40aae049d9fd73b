//! Starting a run of a workflow.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::data::Data;
use workflow_core::definition::OnFailure;
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::runs::StartRun;

use crate::caller::{Caller, Scope, Target};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// Starts a run of a workflow, and returns at once.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunWorkflow {
    /// The workflow.
    pub id: WorkflowId,
    /// The values of variables.
    #[serde(default)]
    pub vars: IndexMap<String, Data>,
    /// Short texts that are stored with the run, and that lists are filtered by.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The id of the run: starting twice with the same id and inputs returns the same run.
    #[serde(default)]
    pub run_id: Option<RunId>,
    /// The provider that makes every call, whatever the definitions say.
    #[serde(default)]
    pub provider: Option<String>,
    /// What replaces `on_failure` of every stage.
    #[serde(default)]
    pub on_failure: Option<OnFailure>,
    /// Whether a person is asked before every stage.
    #[serde(default)]
    pub interactive: bool,
    /// Whether the calls work in a workspace of the run's own.
    #[serde(default)]
    pub isolated: bool,
}

/// A run that was started.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Started {
    /// The id of the run.
    pub run_id: RunId,
}

impl Operation for RunWorkflow {
    const NAME: &'static str = "workflow:run";
    const SCOPE: Scope = Scope::Run;
    const ABOUT: &'static str = "Starts a run of a workflow, and returns its id at once.";
    type Response = Started;

    fn target(&self) -> Target<'_> {
        Target::Workflow(&self.id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<Started, ServiceError> {
        let mut start = StartRun::workflow(self.id).labels(self.labels);
        start.vars = self.vars;
        start.run_id = self.run_id;
        start.provider = self.provider;
        start.on_failure = self.on_failure;
        start.interactive = self.interactive;
        start.isolated = self.isolated;
        Ok(Started { run_id: host.runs().start(start).await? })
    }
}
