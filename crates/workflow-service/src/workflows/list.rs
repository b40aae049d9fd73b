//! Listing workflows.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::catalog::CatalogEntry;
use workflow_core::definition::LoopSpec;
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::status::RunStatus;
use workflow_core::store::{RunFilter, RunRecord};

use crate::caller::{Caller, Scope};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;
use crate::problem::Problem;

/// How many of the newest runs are read to find the last run of each workflow.
const NEWEST: usize = 200;
/// For how many workflows without a run among those their own runs are looked up.
const OLDER: usize = 100;
/// How many unfinished runs are listed at most, of all workflows together.
const ACTIVE: usize = 1_000;

/// Why a workflow that is protected cannot be changed.
const PROTECTED: &str = "it is protected: remove `protected: true` from it first";

/// Lists the workflows of the catalog.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListWorkflows {
    /// Only workflows whose id, name or description contains this text, in any case.
    #[serde(default)]
    pub search: Option<String>,
    /// The order; by id unless given.
    #[serde(default)]
    pub sort: WorkflowOrder,
}

/// The order of a list of workflows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum WorkflowOrder {
    /// By id.
    #[default]
    Id,
    /// By name, in any case; those without one last.
    Name,
    /// By the time of the last run, the newest first; those without one last.
    LastRun,
}

/// The workflows of the catalog.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WorkflowList {
    /// The workflows, in the order that was asked for.
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
    /// The loop: `maxIters`, `fallbackNextStage`, `stopWhen`, `onExhausted`.
    #[serde(rename = "loop")]
    pub repeat: Option<LoopSpec>,
    /// Whether the file says `isDefault: true`.
    pub is_default: bool,
    /// Whether the file says `protected: true`: it is neither changed nor deleted until that is removed.
    pub protected: bool,
    /// Why it can be neither changed nor deleted, for people: it is protected, or its folder cannot be written.
    /// Absent if it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<String>,
    /// The newest run. It may be absent in a catalog of hundreds of workflows that have not run for long.
    pub last_run: Option<LastRun>,
    /// The runs that have not ended, the newest first.
    pub active_runs: Vec<RunId>,
    /// The first error.
    pub problem: Option<String>,
    /// All errors and warnings of the file; `workflow:validate` also finds those of what it refers to.
    pub problems: Vec<Problem>,
}

/// The newest run of a workflow.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LastRun {
    /// The id.
    pub run_id: RunId,
    /// The status.
    pub status: RunStatus,
    /// When it was created.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
}

impl From<RunRecord> for LastRun {
    fn from(run: RunRecord) -> Self {
        Self { run_id: run.run_id, status: run.head.status, created_at: run.head.created_at }
    }
}

impl From<CatalogEntry> for WorkflowSummary {
    fn from(entry: CatalogEntry) -> Self {
        Self {
            id: entry.id,
            name: entry.name,
            description: entry.description,
            stages: entry.stages,
            repeat: entry.repeat,
            is_default: entry.is_default,
            protected: entry.is_protected,
            read_only: if entry.is_protected { Some(PROTECTED.to_owned()) } else { entry.read_only },
            last_run: None,
            active_runs: Vec::new(),
            problem: entry.problem,
            problems: entry.diagnostics.into_iter().map(Problem::from).collect(),
        }
    }
}

impl Operation for ListWorkflows {
    const NAME: &'static str = "workflow:list";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str =
        "Lists the workflows of the catalog with their last runs, also those that cannot be read.";
    type Response = WorkflowList;

    async fn run(self, host: &Host, _: &Caller) -> Result<WorkflowList, ServiceError> {
        let search = self.search.map(|search| search.to_lowercase()).unwrap_or_default();
        let is_found = |workflow: &WorkflowSummary| {
            [Some(workflow.id.as_str()), workflow.name.as_deref(), workflow.description.as_deref()]
                .into_iter()
                .flatten()
                .any(|text| text.to_lowercase().contains(&search))
        };
        let entries = host.catalog()?.list().await?;
        let mut workflows: Vec<_> = entries.into_iter().map(WorkflowSummary::from).filter(is_found).collect();
        if !workflows.is_empty() {
            add_runs(host, &mut workflows).await?;
        }
        match self.sort {
            WorkflowOrder::Id => {}
            WorkflowOrder::Name => workflows.sort_by_cached_key(|workflow| {
                (workflow.name.is_none(), workflow.name.as_ref().map(|name| name.to_lowercase()))
            }),
            WorkflowOrder::LastRun => workflows.sort_by_key(|workflow| {
                std::cmp::Reverse(workflow.last_run.as_ref().map(|run| run.created_at))
            }),
        }
        Ok(WorkflowList { workflows })
    }
}

/// Adds what the store knows of their runs.
async fn add_runs(host: &Host, workflows: &mut [WorkflowSummary]) -> Result<(), ServiceError> {
    let runs = host.runs();
    let mut active = BTreeMap::<_, Vec<_>>::new();
    for run in runs.list(&RunFilter::unfinished().limit(ACTIVE)).await? {
        active.entry(run.head.workflow_id).or_default().push(run.run_id);
    }
    let newest = runs.list(&RunFilter::all().limit(NEWEST)).await?;
    let are_all = newest.len() < NEWEST;
    let mut last = HashMap::new();
    for run in newest {
        last.entry(run.head.workflow_id.clone()).or_insert(run);
    }
    let mut older = OLDER;
    for workflow in workflows {
        workflow.active_runs = active.remove(&workflow.id).unwrap_or_default();
        let mut found = last.remove(&workflow.id);
        if found.is_none() && !are_all && older > 0 {
            older -= 1;
            found = runs.list(&RunFilter::all().workflow(workflow.id.clone()).limit(1)).await?.pop();
        }
        workflow.last_run = found.map(LastRun::from);
    }
    Ok(())
}
