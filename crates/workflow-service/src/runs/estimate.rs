//! How long a workflow takes and what it costs, by its earlier runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::ids::WorkflowId;
use workflow_core::status::RunStatus;
use workflow_core::store::{RunFilter, RunRecord};

use crate::caller::{Caller, Scope, Target};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// How many of the newest completed runs are looked at.
const RUNS: usize = 50;

/// Estimates how long a run of a workflow takes and what it costs, by the newest 50 runs that completed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EstimateRun {
    /// The workflow.
    pub id: WorkflowId,
}

/// What earlier runs took.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Estimate {
    /// The workflow.
    pub id: WorkflowId,
    /// How many runs the durations are of. Forks are not among them: they did a part of the work only.
    pub runs: usize,
    /// From the first start to the end, with all waits, in milliseconds; absent when there are no runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<Spread>,
    /// How many of the runs have a known cost. The others are unknown, not free.
    pub priced: usize,
    /// US dollars, of the runs whose cost is known; absent when it is known of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<Spread>,
}

/// How values are spread: each of these is one of the values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Spread {
    /// A tenth of the values are not greater.
    pub p10: f64,
    /// Half of the values are not greater.
    pub median: f64,
    /// Nine tenths of the values are not greater.
    pub p90: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        // The nearest rank.
        let at = |tenths: usize| values[((tenths * values.len()).div_ceil(10)).saturating_sub(1).min(last)];
        Some(Self { p10: at(1), median: at(5), p90: at(9) })
    }
}

impl Operation for EstimateRun {
    const NAME: &'static str = "workflow:estimate";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str =
        "Estimates how long a run of a workflow takes and what it costs, by earlier runs.";
    type Response = Estimate;

    fn target(&self) -> Target<'_> {
        Target::Workflow(&self.id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<Estimate, ServiceError> {
        let filter = RunFilter::all().workflow(self.id.clone()).status(RunStatus::Completed).limit(RUNS);
        let runs = host.runs().list(&filter).await?;
        if runs.is_empty() && host.catalog().is_ok() {
            // Runs can be of workflows that are in no catalog, or no longer.
            host.workflow(&self.id).await?;
        }
        Ok(estimate(self.id, &runs))
    }
}

fn estimate(id: WorkflowId, runs: &[RunRecord]) -> Estimate {
    let heads = || runs.iter().map(|run| &run.head).filter(|head| head.forked_from.is_none());
    let durations: Vec<_> = heads()
        .filter_map(|head| {
            let took = head.completed_at?.duration_since(head.started_at.unwrap_or(head.created_at));
            // The clock may have been set back.
            Some((took.as_secs_f64() * 1e3).round().max(0.0))
        })
        .collect();
    let costs: Vec<_> = heads()
        .filter_map(|head| {
            let spent = &head.progress.as_ref()?.spent;
            spent.cost_usd.filter(|_| spent.unpriced == 0)
        })
        .collect();
    Estimate {
        id,
        runs: durations.len(),
        priced: costs.len(),
        duration_ms: Spread::of(durations),
        cost_usd: Spread::of(costs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: u32, more: &str) -> RunRecord {
        let text = format!(
            r#"{{"runId":"r{id}","workflowId":"w","bundle":"{}","status":"completed",
            "createdAt":"2026-01-01T00:00:00Z","startedAt":"2026-01-02T00:00:00Z",
            "completedAt":"2026-01-02T00:00:{id:02}.5Z"{more}}}"#,
            "0a".repeat(32)
        );
        serde_json::from_str(&text).unwrap()
    }

    fn cost(dollars: Option<f64>, unpriced: u32) -> String {
        let cost = serde_json::to_string(&dollars).unwrap();
        format!(
            r#","progress":{{"iteration":1,"spent":{{"attempts":2,"costUsd":{cost},"unpriced":{unpriced},
            "tokens":null,"uncounted":2,"timeMs":5}}}}"#
        )
    }

    #[test]
    fn an_estimate_has_the_median_and_the_spread_of_the_runs_that_did_all_the_work() {
        let mut runs: Vec<_> = (1..=10).map(|n| run(n, &cost(Some(f64::from(n)), 0))).collect();
        runs.push(run(59, r#","forkedFrom":"r1""#));
        let estimate = estimate("w".parse().unwrap(), &runs);
        assert_eq!(estimate.runs, 10);
        assert_eq!(estimate.duration_ms, Some(Spread { p10: 1500.0, median: 5500.0, p90: 9500.0 }));
        assert_eq!(estimate.cost_usd, Some(Spread { p10: 1.0, median: 5.0, p90: 9.0 }));
    }

    #[test]
    fn a_cost_that_is_not_known_is_not_zero() {
        let runs =
            [run(1, ""), run(2, &cost(None, 2)), run(3, &cost(Some(0.5), 1)), run(4, &cost(Some(2.0), 0))];
        let all = estimate("w".parse().unwrap(), &runs);
        assert_eq!((all.runs, all.priced), (4, 1));
        assert_eq!(all.cost_usd, Some(Spread { p10: 2.0, median: 2.0, p90: 2.0 }));
        let unknown = estimate("w".parse().unwrap(), &runs[..3]);
        assert_eq!((unknown.priced, unknown.cost_usd), (0, None));
        let none = estimate("w".parse().unwrap(), &[]);
        assert_eq!((none.runs, none.duration_ms, none.cost_usd), (0, None, None));
    }
}
