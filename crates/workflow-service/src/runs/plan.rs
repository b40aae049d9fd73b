//! The definition that a run follows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::bundle::{BundleHash, ProviderMap};
use workflow_core::definition::{Budget, LoopSpec, WorktreeSpec};
use workflow_core::ids::{RunId, WorkflowId};

use crate::caller::{Caller, Scope, Target};
use crate::error::ServiceError;
use crate::followed::{Followed, Moved};
use crate::host::Host;
use crate::operation::Operation;
use crate::planned::{PlannedStage, Replaced};

/// Reads the definition that a run follows: its stages with their lanes and nodes, also those that have not begun.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetRunPlan {
    /// The run.
    pub run_id: RunId,
}

/// The definition that a run follows, as it was when the run started or was moved to it, with what the options of the run
/// replace: `on_failure`, `max_iters`, and whether a person is asked before every stage.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunPlan {
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// Its name for people.
    pub name: String,
    /// The hash of the definition.
    pub bundle: BundleHash,
    /// The stages, in order.
    pub stages: Vec<PlannedStage>,
    /// The loop, with the `maxIters` of this run.
    #[serde(rename = "loop")]
    pub repeat: Option<LoopSpec>,
    /// What the run may use at most.
    pub budget: Option<Budget>,
    /// The providers that were replaced when the run was started or forked.
    #[serde(default, skip_serializing_if = "ProviderMap::is_empty")]
    pub providers: ProviderMap,
    /// Whether its calls work in a workspace of the run's own.
    pub isolated: bool,
    /// What the workflow says about git worktrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worktree: Option<WorktreeSpec>,
    /// When the run was moved to another definition, the last time last.
    pub moved: Vec<Moved>,
}

impl Operation for GetRunPlan {
    const NAME: &'static str = "workflow:runs:plan";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str = "Reads the definition that a run follows: its stages with lanes and nodes, also those that have not begun.";
    type Response = RunPlan;

    fn target(&self) -> Target<'_> {
        Target::Run(&self.run_id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<RunPlan, ServiceError> {
        let followed = Followed::of(host, &self.run_id).await?;
        let bundle = followed.bundle(host).await?;
        let (workflow, replaced) = (&bundle.workflow, Replaced::from(&*followed.created));
        Ok(RunPlan {
            workflow_id: workflow.id.clone(),
            name: workflow.name.clone(),
            bundle: followed.hash,
            stages: replaced.stages(&bundle),
            repeat: replaced.repeat(&bundle),
            budget: workflow.budget,
            providers: bundle.replaced(),
            isolated: followed.created.isolated,
            worktree: workflow.worktree.as_deref().cloned(),
            moved: followed.moved,
        })
    }
}
