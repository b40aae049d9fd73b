//! Listing and reading runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::runs::Runs;
use workflow_core::status::{RunStatus, WaitReason};
use workflow_core::store::{RunFilter, RunProgress, RunRecord};
use workflow_core::view::RunView;

use crate::caller::{Caller, Scope, Target};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// How many runs a list has, unless the caller asks for another number.
const PAGE: usize = 50;
/// How many runs a list has at most.
const MOST: usize = 1_000;
/// How many runs are read at the same time.
const AT_ONCE: usize = 8;

/// Lists runs, the newest first.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListRuns {
    /// Only runs of this workflow.
    #[serde(default)]
    pub workflow: Option<WorkflowId>,
    /// Only runs with one of these statuses; all unless given.
    #[serde(default)]
    pub statuses: Vec<RunStatus>,
    /// Only runs that were created at this time or later.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub from: Option<Timestamp>,
    /// Only runs that were created before this time.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub to: Option<Timestamp>,
    /// Only runs that ended at this time or later.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub ended_from: Option<Timestamp>,
    /// Only runs that ended before this time.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub ended_to: Option<Timestamp>,
    /// Only runs that wait for one of these reasons; all unless given.
    #[serde(default)]
    pub waits: Vec<WaitReason>,
    /// Only runs with this text in their id, the id of their workflow or the value of a label.
    #[serde(default)]
    pub text: Option<String>,
    /// Only runs with all of these labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Only runs that nodes of this run started.
    #[serde(default)]
    pub parent: Option<RunId>,
    /// Whether to count all runs that are selected, not only those of the page.
    #[serde(default)]
    pub totals: bool,
    /// The `next` of the page before.
    #[serde(default)]
    pub after: Option<RunId>,
    /// How many runs to return: 50 unless given, 1,000 at most.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// A page of runs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunList {
    /// The runs, the newest first.
    pub runs: Vec<RunRecord>,
    /// What to name as `after` to get the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<RunId>,
    /// How many runs are selected on all pages together; absent unless `totals` was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl Operation for ListRuns {
    const NAME: &'static str = "workflow:runs:list";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str = "Lists runs, the newest first, by workflow, status, waits, text, time, labels and parent, with how far they are.";
    type Response = RunList;

    async fn run(self, host: &Host, _: &Caller) -> Result<RunList, ServiceError> {
        let limit = self.limit.unwrap_or(PAGE).clamp(1, MOST);
        let mut filter = RunFilter::all().statuses(self.statuses).limit(limit + 1);
        filter.workflow = self.workflow;
        filter.created_from = self.from;
        filter.created_before = self.to;
        (filter.ended_from, filter.ended_before) = (self.ended_from, self.ended_to);
        (filter.waits, filter.text) = (self.waits, self.text.filter(|text| !text.is_empty()));
        (filter.labels, filter.parent) = (self.labels, self.parent);
        filter.after = self.after;
        let mut runs = host.runs().list(&filter).await?;
        let is_last = runs.len() <= limit;
        runs.truncate(limit);
        let next = runs.last().filter(|_| !is_last).map(|run| run.run_id.clone());
        let mut runs = with_progress(host.runs(), runs).await;
        tell_who_waits(host.runs(), &mut runs).await?;
        let total = if self.totals { Some(host.runs().count(&filter).await?) } else { None };
        Ok(RunList { runs, next, total })
    }
}

/// Says of the runs that wait for another one with the same key which one that is.
async fn tell_who_waits(runs: &dyn Runs, records: &mut [RunRecord]) -> Result<(), ServiceError> {
    if records.iter().any(RunRecord::may_wait) {
        let unfinished = runs.list(&RunFilter::unfinished()).await?;
        for record in records {
            record.tell_behind(&unfinished);
        }
    }
    Ok(())
}

/// The same runs, those that are running with how far they are now: their heads are as old as their last changes of
/// status.
pub(crate) async fn with_progress(runs: &dyn Runs, records: Vec<RunRecord>) -> Vec<RunRecord> {
    let updated = records.into_iter().map(|mut record| async move {
        if record.head.status == RunStatus::Running
            // A run that was deleted since, or that cannot be read, is listed as its head is.
            && let Ok(view) = runs.view(&record.run_id).await
        {
            record.head.progress = Some(Arc::new(progress(view)));
        }
        record
    });
    stream::iter(updated).buffered(AT_ONCE).collect().await
}

fn progress(view: RunView) -> RunProgress {
    let mut progress = RunProgress::default();
    progress.iteration = view.iteration;
    progress.current_stage = view.current_stage;
    if view.context.stages.len() <= RunProgress::MOST_STAGES {
        let stages = view.context.stages.into_iter();
        progress.stages = stages.map(|(stage, view)| (stage, view.status)).collect();
    }
    (progress.spent, progress.waits) = (view.spent, view.waits);
    progress
}

/// Reads a run.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetRun {
    /// The run.
    pub run_id: RunId,
}

/// A run with its stages and data.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunDetail {
    /// The run.
    pub run: RunView,
    /// The process that drives the run, described for people; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// The run with the same key that this one waits for; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<RunId>,
}

impl Operation for GetRun {
    const NAME: &'static str = "workflow:runs:get";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str = "Reads a run: its status, stages, outputs, open questions, usage.";
    type Response = RunDetail;

    fn target(&self) -> Target<'_> {
        Target::Run(&self.run_id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<RunDetail, ServiceError> {
        let run = host.runs().view(&self.run_id).await?;
        let mut record = host.runs().get(&self.run_id).await?;
        tell_who_waits(host.runs(), std::slice::from_mut(&mut record)).await?;
        Ok(RunDetail { run, holder: record.holder, behind: record.behind })
    }
}
