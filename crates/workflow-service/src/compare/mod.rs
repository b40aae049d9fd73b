//! Comparing two runs.

mod differ;
mod diverge;

pub use differ::Difference;
pub use diverge::{DivergedIn, Divergence};

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::bundle::BundleHash;
use workflow_core::failure::Failure;
use workflow_core::ids::{RunId, StageId, WorkflowId};
use workflow_core::status::{RunStatus, StageStatus};
use workflow_core::usage::Spent;

use crate::caller::{Caller, Scope, Target};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::{Operation, allow};
use crate::report::{Excerpt, Facts, Report, facts};
use crate::runs::GetRun;

/// Compares two runs, of the same workflow or of different ones.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompareRuns {
    /// The first run.
    pub run_id: RunId,
    /// The second run.
    pub other_run_id: RunId,
}

/// Two runs side by side. `first` is about the run of `runId`, `second` about that of `otherRunId`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Comparison {
    /// The first run.
    pub first: ComparedRun,
    /// The second run.
    pub second: ComparedRun,
    /// Whether they are of the same workflow.
    pub same_workflow: bool,
    /// Whether they follow the same definition.
    pub same_bundle: bool,
    /// What differs in the definitions that they follow, by path; the first 200 differences.
    pub definition: Vec<Difference>,
    /// The variables that they were started with and that differ.
    pub vars: Vec<Difference>,
    /// The stages of both runs, in the order of the first.
    pub stages: Vec<ComparedStage>,
    /// The first point where the runs differ; absent if they did the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divergence: Option<Divergence>,
}

/// One of two runs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ComparedRun {
    /// The run.
    pub run_id: RunId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// The hash of the definition that it follows.
    pub bundle: BundleHash,
    /// The status.
    pub status: RunStatus,
    /// Why it failed.
    pub error: Option<Arc<Failure>>,
    /// When it was created.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// From the first start to the end, with all waits, in milliseconds; absent while it has not ended.
    pub duration_ms: Option<u64>,
    /// How long it waited for people, quotas and retries with nothing else to do, in milliseconds.
    pub waited_ms: u64,
    /// The iteration, from 1.
    pub iteration: u32,
    /// What all attempts used.
    pub spent: Spent,
}

/// A stage in two runs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ComparedStage {
    /// The stage.
    pub stage: StageId,
    /// The stage in the first run; absent if it has not begun there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<StageTotal>,
    /// The stage in the second run; absent if it has not begun there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second: Option<StageTotal>,
    /// By how much it took longer in the second run, in milliseconds; absent unless it has ended in both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longer_ms: Option<i64>,
    /// By how much it cost more in the second run, in US dollars; absent unless all of it is known of both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dearer_usd: Option<f64>,
}

/// All passes of a stage in a run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StageTotal {
    /// How its last pass ended, or that it has not.
    pub status: StageStatus,
    /// How many passes there were.
    pub passes: u32,
    /// How long they took together, in milliseconds; absent while one has not ended.
    pub duration_ms: Option<u64>,
    /// What their attempts used.
    pub spent: Spent,
    /// How many of the attempts failed.
    pub failed_attempts: u32,
    /// The beginning of the output of the last pass.
    pub output: Option<Excerpt>,
    /// Why the last pass failed.
    pub error: Option<Arc<Failure>>,
}

impl Operation for CompareRuns {
    const NAME: &'static str = "workflow:runs:compare";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str = "Compares two runs: status, times, cost, stages, variables, definitions, and the first point where they differ.";
    type Response = Comparison;

    fn target(&self) -> Target<'_> {
        Target::Run(&self.run_id)
    }

    async fn run(self, host: &Host, caller: &Caller) -> Result<Comparison, ServiceError> {
        // The target of the request is the first run: the policy has to allow reading the second one, too.
        allow::<GetRun>(host, caller, Target::Run(&self.other_run_id)).await?;
        let (first, second) = (facts(host, &self.run_id).await?, facts(host, &self.other_run_id).await?);
        let definition = match (&first.bundle, &second.bundle) {
            (Some(one), Some(other)) if first.report.bundle != second.report.bundle => {
                differ::bundles(one, other)
            }
            _ => Vec::new(),
        };
        Ok(Comparison {
            same_workflow: first.report.workflow_id == second.report.workflow_id,
            same_bundle: first.report.bundle == second.report.bundle,
            definition,
            vars: differ::vars(&first.inputs, &second.inputs),
            stages: stages(&first.report, &second.report),
            divergence: diverge::first(&first.report, &second.report),
            first: run(first),
            second: run(second),
        })
    }
}

fn run(Facts { report, .. }: Facts) -> ComparedRun {
    ComparedRun {
        run_id: report.run_id,
        workflow_id: report.workflow_id,
        bundle: report.bundle,
        status: report.status,
        error: report.error,
        created_at: report.created_at,
        duration_ms: report.duration_ms,
        waited_ms: report.waited_ms,
        iteration: report.iteration,
        spent: report.spent,
    }
}

fn stages(first: &Report, second: &Report) -> Vec<ComparedStage> {
    let mut ids: Vec<&StageId> = Vec::new();
    for stage in first.stages.iter().chain(&second.stages) {
        if !ids.contains(&&stage.stage) {
            ids.push(&stage.stage);
        }
    }
    ids.into_iter()
        .map(|id| {
            let (one, other) = (total(first, id), total(second, id));
            let both = one.as_ref().zip(other.as_ref());
            let longer = both.and_then(|(one, other)| {
                let [one, other] =
                    [one.duration_ms?, other.duration_ms?].map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
                Some(other - one)
            });
            let cost = |stage: &StageTotal| stage.spent.cost_usd.filter(|_| stage.spent.unpriced == 0);
            let dearer = both.and_then(|(one, other)| Some(cost(other)? - cost(one)?));
            ComparedStage {
                stage: id.clone(),
                longer_ms: longer,
                dearer_usd: dearer,
                first: one,
                second: other,
            }
        })
        .collect()
}

/// All passes of a stage.
fn total(report: &Report, id: &StageId) -> Option<StageTotal> {
    let passes: Vec<_> = report.stages.iter().filter(|stage| stage.stage == *id).collect();
    let last = passes.last()?;
    let mut spent = Spent::default();
    for pass in &passes {
        spent.add_all(pass.spent);
    }
    Some(StageTotal {
        status: last.status,
        passes: u32::try_from(passes.len()).unwrap_or(u32::MAX),
        duration_ms: passes.iter().map(|pass| pass.duration_ms).sum(),
        spent,
        failed_attempts: passes.iter().map(|pass| pass.failed_attempts).sum(),
        output: last.output.clone(),
        error: last.error.clone(),
    })
}
