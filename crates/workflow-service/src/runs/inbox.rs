//! What waits for a person, over all runs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::status::{RunStatus, WaitReason};
use workflow_core::store::{RunFilter, RunRecord};

use super::list::with_progress;
use crate::caller::{Caller, Scope};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// How many waits are returned, unless the caller asks for another number.
const PAGE: usize = 100;
/// How many waits are returned at most.
const MOST: usize = 1_000;
/// How many runs are read at most.
const RUNS: usize = 10_000;

/// Lists what waits for a person, over all runs, the oldest first.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inbox {
    /// Only runs of this workflow.
    #[serde(default)]
    pub workflow: Option<WorkflowId>,
    /// Only runs with all of these labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// How many waits to return: 100 unless given, 1,000 at most.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// What waits for a person.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InboxList {
    /// The waits, the oldest first.
    pub items: Vec<InboxItem>,
    /// How many there are. Of a store with more than 10,000 runs that have not ended only those are counted that the
    /// newest 10,000 of them have.
    pub total: usize,
}

/// A wait for a person.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InboxItem {
    /// The run.
    pub run_id: RunId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// The labels of the run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Why it waits: `approval`, `question`, `unknown_outcome`; `crashes` ends when the run is resumed.
    pub reason: WaitReason,
    /// Since when it waits; absent for runs of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// What `workflow:runs:answer` names as `wait`; absent where no answer is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<u64>,
    /// What waits: a stage as `1/plan`, or a node as `1/plan[0]/ask`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What the person is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The JSON Schema of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<workflow_core::data::Data>,
}

impl Operation for Inbox {
    const NAME: &'static str = "workflow:runs:inbox";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str = "Lists what waits for a person, over all runs, the oldest first.";
    type Response = InboxList;

    async fn run(self, host: &Host, _: &Caller) -> Result<InboxList, ServiceError> {
        let mut filter = RunFilter::all().limit(RUNS);
        (filter.workflow, filter.labels) = (self.workflow, self.labels);
        // The head of a running run does not have questions that were asked since its last change of status.
        let running = filter.clone().status(RunStatus::Running);
        let running = with_progress(host.runs(), host.runs().list(&running).await?).await;
        filter.statuses = vec![RunStatus::Pending, RunStatus::Paused];
        filter.waits = WaitReason::ALL.iter().copied().filter(|reason| reason.is_for_a_person()).collect();
        let idle = host.runs().list(&filter).await?;
        let mut items: Vec<_> = running.iter().chain(&idle).flat_map(items).collect();
        items.sort_by(|a, b| (a.since, &a.run_id, a.wait).cmp(&(b.since, &b.run_id, b.wait)));
        // A run that has begun to wait between the two lists is on both.
        items.dedup_by(|a, b| a.run_id == b.run_id && a.wait == b.wait && a.reason == b.reason);
        let total = items.len();
        items.truncate(self.limit.unwrap_or(PAGE).clamp(1, MOST));
        Ok(InboxList { items, total })
    }
}

fn items(run: &RunRecord) -> impl Iterator<Item = InboxItem> {
    let waits = run.head.waits().iter().filter(|wait| wait.reason.is_for_a_person());
    waits.map(|wait| InboxItem {
        run_id: run.run_id.clone(),
        workflow_id: run.head.workflow_id.clone(),
        labels: run.head.labels.clone(),
        reason: wait.reason,
        since: wait.since,
        wait: wait.number,
        place: wait.place.clone(),
        question: wait.question.clone(),
        schema: wait.schema.clone(),
    })
}
