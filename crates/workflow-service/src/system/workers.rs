//! The processes that drive runs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::ids::RunId;
use workflow_core::status::RunStatus;
use workflow_core::store::RunFilter;

use crate::caller::{Caller, Scope};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// How many runs are read at most.
const RUNS: usize = 10_000;
/// How many runs are named for each process at most.
const NAMED: usize = 100;

/// Lists the processes that drive runs of the store now, and counts the runs that no process drives.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workers {}

/// The processes that drive runs, as far as the newest 10,000 runs that have not ended tell.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WorkerList {
    /// The processes. One that drives no run at the moment is not known.
    pub workers: Vec<WorkerInfo>,
    /// How many runs no process drives that could be driven now: pending ones, and those that were left under way.
    pub unclaimed: usize,
    /// How many runs wait for a person or a time.
    pub waiting: usize,
}

/// A process that drives runs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WorkerInfo {
    /// The process, described for people.
    pub holder: String,
    /// How many runs it drives.
    pub runs: usize,
    /// The runs, the first 100 of them.
    pub run_ids: Vec<RunId>,
}

impl Operation for Workers {
    const NAME: &'static str = "workflow:workers";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str =
        "Lists the processes that drive runs of the store, and counts the runs that no process drives.";
    type Response = WorkerList;

    async fn run(self, host: &Host, _: &Caller) -> Result<WorkerList, ServiceError> {
        let runs = host.runs().list(&RunFilter::unfinished().limit(RUNS)).await?;
        let mut by_holder: BTreeMap<String, WorkerInfo> = BTreeMap::new();
        let (mut unclaimed, mut waiting) = (0, 0);
        for run in runs {
            match run.holder {
                Some(holder) => {
                    let worker = by_holder.entry(holder.clone()).or_insert_with(|| WorkerInfo {
                        holder,
                        runs: 0,
                        run_ids: Vec::new(),
                    });
                    worker.runs += 1;
                    if worker.run_ids.len() < NAMED {
                        worker.run_ids.push(run.run_id);
                    }
                }
                None if run.head.status == RunStatus::Paused || run.head.wait.is_some() => waiting += 1,
                None => unclaimed += 1,
            }
        }
        Ok(WorkerList { workers: by_holder.into_values().collect(), unclaimed, waiting })
    }
}
