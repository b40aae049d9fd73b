//! Deleting several runs.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::status::RunStatus;
use workflow_core::store::RunFilter;

use super::delete::DeleteRun;
use crate::caller::{Caller, Scope};
use crate::code::Code;
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::{Operation, ask};

/// How many runs are deleted at once at most.
const MOST: usize = 1_000;
/// How many runs are pruned at once, unless the caller asks for another number.
const PRUNED: usize = 100;

/// Deletes the runs that are named.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteRuns {
    /// The runs, 1,000 at most.
    pub run_ids: Vec<RunId>,
}

/// The outcome of runs that were to be deleted.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DeletedRuns {
    /// How many were deleted.
    pub deleted: usize,
    /// Each run, in the order of the request.
    pub results: Vec<Deletion>,
}

/// The outcome of a run that was to be deleted.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Deletion {
    /// The run.
    pub run_id: RunId,
    /// Why it was not deleted; absent if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ServiceError>,
}

impl Operation for DeleteRuns {
    const NAME: &'static str = "workflow:runs:deleteMany";
    const SCOPE: Scope = Scope::Admin;
    const ABOUT: &'static str = "Deletes the runs that are named, and says of each whether it was deleted.";
    type Response = DeletedRuns;

    async fn run(self, host: &Host, caller: &Caller) -> Result<DeletedRuns, ServiceError> {
        if self.run_ids.len() > MOST {
            let given = self.run_ids.len();
            let message = format!("{given} runs cannot be deleted at once: name {MOST} at most");
            return Err(ServiceError::new(Code::TooLarge, message));
        }
        let mut results = Vec::with_capacity(self.run_ids.len());
        for run_id in self.run_ids {
            results.push(delete(host, caller, run_id).await);
        }
        let deleted = results.iter().filter(|result| result.error.is_none()).count();
        Ok(DeletedRuns { deleted, results })
    }
}

/// Deletes a run, if the policy allows the caller to delete that one.
async fn delete(host: &Host, caller: &Caller, run_id: RunId) -> Deletion {
    let request = DeleteRun { run_id: run_id.clone() };
    Deletion { run_id, error: ask(host, caller, request).await.err() }
}

/// Deletes runs that ended long ago, some at a time.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PruneRuns {
    /// Only runs that ended before this time.
    #[schemars(with = "String")]
    pub ended_before: Timestamp,
    /// Only runs with one of these statuses: `completed`, `failed`, `cancelled`; all three unless given.
    #[serde(default)]
    pub statuses: Vec<RunStatus>,
    /// Only runs of this workflow.
    #[serde(default)]
    pub workflow: Option<WorkflowId>,
    /// How many runs to delete: 100 unless given, 1,000 at most.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// What was pruned.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Pruned {
    /// How many runs were deleted.
    pub deleted: usize,
    /// How many of the selected runs are left: call again until there are none, or none is deleted.
    pub left: u64,
    /// The runs that could not be deleted.
    pub failed: Vec<Deletion>,
}

impl Operation for PruneRuns {
    const NAME: &'static str = "workflow:runs:prune";
    const SCOPE: Scope = Scope::Admin;
    const ABOUT: &'static str = "Deletes runs that ended before a time, some at a time.";
    type Response = Pruned;

    async fn run(self, host: &Host, caller: &Caller) -> Result<Pruned, ServiceError> {
        if let Some(status) = self.statuses.iter().find(|status| !status.is_terminal()) {
            let message = format!(
                "runs that are {status} have not ended and cannot be pruned: give `completed`, `failed` or `cancelled` \
                 in `statuses`"
            );
            return Err(ServiceError::invalid_request(message));
        }
        let mut filter = RunFilter::all().statuses(self.statuses).ended_before(self.ended_before);
        filter.workflow = self.workflow;
        if filter.statuses.is_empty() {
            filter.statuses = RunStatus::ALL.iter().copied().filter(|status| status.is_terminal()).collect();
        }
        filter.limit = Some(self.limit.unwrap_or(PRUNED).clamp(1, MOST));
        let (mut deleted, mut failed) = (0, Vec::new());
        for run in host.runs().list(&filter).await? {
            let deletion = delete(host, caller, run.run_id).await;
            if deletion.error.is_none() {
                deleted += 1;
            } else {
                failed.push(deletion);
            }
        }
        Ok(Pruned { deleted, left: host.runs().count(&filter).await?, failed })
    }
}
