//! `show`: one run.

use jiff::Timestamp;
use workflow_core::status::{StageStatus, WaitReason};
use workflow_core::view::{LaneView, RunView, StageView};
use workflow_exec::EngineError;
use workflow_providers::Worktrees;
use workflow_service::runs::{GetRun, GetRunPlan, ListRuns, Moved, RunDetail, RunPlan};
use workflow_service::workflows::{PlannedNode, PlannedStage};

use super::nodes::{self, OfLane, Started};
use super::runs;
use crate::error::Error;
use crate::exit::Exit;
use crate::failed::{failure, last_lines, reason};
use crate::host::Host;
use crate::print;
use crate::reference::RunRef;
use crate::store_url::Place;
use crate::text::{between, count, date, duration, shorten, word};
use crate::words;

/// So many characters of a value are shown; `--json` has all of it.
const VALUE: usize = 200;
/// How many of the runs that a run has started are read.
const RUNS: usize = 1_000;
/// How many of the last lines of a failed call are shown.
const PRINTED: usize = 10;
/// How many characters of the hash of a definition are shown.
const HASH: usize = 12;

/// Shows a run: its status, waits, usage, stages, lanes, nodes, variables and errors.
pub(crate) async fn show(place: &Place, json: bool, run: &RunRef) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, run).await?;
    if let Err(error @ EngineError::NotSigned { .. }) = host.engine.check_signed(&run).await {
        print::to_stderr(&format!("warning: {error}"));
    }
    let detail = host.ask(GetRun { run_id: run.clone() }).await?;
    if json {
        print::json(&detail.run)?;
    } else {
        let plan = host.ask(GetRunPlan { run_id: run.clone() }).await?;
        let branch = if plan.isolated {
            // It has none before its first call.
            let branch = host.worktrees.branch_of(&run).await.ok().flatten();
            Some(branch.unwrap_or_else(|| Worktrees::new_branch(&run, plan.worktree.as_ref())))
        } else {
            None
        };
        let started = if plan.stages.iter().any(|stage| stage.nodes.iter().any(may_start_runs)) {
            let request = ListRuns { parent: Some(run.clone()), ..ListRuns::default() };
            Started::new(runs::all(&host, request, Some(RUNS)).await?)
        } else {
            Started::default()
        };
        print::lines(page(&detail, &plan, branch, &started))?;
    }
    Ok(Exit::DONE)
}

/// Whether a node, or one in its body, may start a run.
fn may_start_runs(node: &PlannedNode) -> bool {
    let starts = |kind: &str| matches!(kind, "workflow" | "graph" | "loop");
    starts(&node.kind) || node.each.as_deref().is_some_and(|each| starts(each) || each == "foreach")
}

fn page(detail: &RunDetail, plan: &RunPlan, branch: Option<String>, started: &Started) -> Vec<String> {
    let run = &detail.run;
    let mut lines = print::table(&facts(detail, plan, branch));
    if !run.context.stages.is_empty() {
        lines.push(String::new());
        lines.extend(print::table(&stages(run, plan, started)));
    }
    if !run.context.vars.is_empty() {
        lines.push(String::new());
        let vars = run.context.vars.iter();
        lines.extend(vars.map(|(name, value)| format!("{name} = {}", shorten(value.json(), VALUE))));
    }
    lines
}

fn facts(detail: &RunDetail, plan: &RunPlan, branch: Option<String>) -> Vec<[String; 2]> {
    let (run, holder) = (&detail.run, detail.holder.as_deref());
    let mut facts = vec![["run", run.run_id.as_str()].map(str::to_owned)];
    let mut fact = |name: &str, value: String| facts.push([name.to_owned(), value]);
    fact("workflow", run.workflow_id.to_string());
    for (n, (name, value)) in run.labels.iter().enumerate() {
        fact(if n == 0 { "labels" } else { "" }, format!("{name}={}", shorten(value, VALUE)));
    }
    if !run.priority.is_normal() {
        fact("priority", run.priority.to_string());
    }
    let requested = run.requested.as_ref().map(|what| format!(", {what} requested")).unwrap_or_default();
    fact("status", format!("{}{requested}{}", word(run.status), words::by(run.stopped_by.as_ref())));
    for wait in run.waits.iter().filter(|wait| wait.reason != WaitReason::Pause) {
        let since = wait.since.map(|since| format!(" (since {})", date(since))).unwrap_or_default();
        fact("waits for", format!("{}{since}", words::asks(wait)));
    }
    if let Some(ending) = &run.ending {
        fact("then", word(ending.status));
    }
    if let Some(error) = run.error.as_ref().or(run.ending.as_ref().and_then(|ending| ending.error.as_ref())) {
        fact("error", failure(error));
        for (n, line) in last_lines(error, PRINTED).into_iter().enumerate() {
            fact(if n == 0 { "it printed" } else { "" }, line);
        }
    }
    if let Some(behind) = &detail.behind {
        fact("waits for", format!("run {behind}, which has the same key, to end"));
    }
    if let Some(holder) = holder {
        fact("driven by", holder.to_owned());
    }
    if !run.failed_stages.is_empty() {
        let stages: Vec<_> = run.failed_stages.iter().map(AsRef::as_ref).collect();
        fact("failed stages", stages.join(", "));
    }
    if let Some(branch) = branch {
        fact("branch", branch);
    }
    fact("iteration", run.iteration.to_string());
    fact("created", format!("{}{}", date(run.created_at), words::by(run.started_by.as_ref())));
    if let Some(started) = run.started_at {
        let until = run.completed_at.or_else(|| holder.map(|_| Timestamp::now()));
        let took = until.map(|until| format!(", {}", duration(between(started, until)))).unwrap_or_default();
        fact("started", format!("{}{took}", date(started)));
    }
    if run.spent.attempts > 0 {
        fact("used", words::used(&run.spent));
    }
    if let Some(budget) = &plan.budget {
        fact("budget", words::budget(budget, &run.spent));
    }
    for PlannedStage { id, budget, .. } in &plan.stages {
        let spent = run.context.stages.get(id).map(|stage| stage.spent).unwrap_or_default();
        if let Some(budget) = budget {
            fact(&format!("budget of {id}"), words::budget(budget, &spent));
        }
    }
    if let Some(forked) = &run.forked {
        fact("forked from", words::forked(forked));
    }
    if run.inherited.attempts > 0 {
        fact("used there", words::used(&run.inherited));
    }
    for Moved { at, bundle, .. } in &plan.moved {
        fact("moved", format!("{} to the definition {}", date(*at), shorten(&bundle.to_string(), HASH)));
    }
    facts
}

fn stages(run: &RunView, plan: &RunPlan, started: &Started) -> Vec<[String; 5]> {
    let mut rows = vec![["STAGE", "STATUS", "ATTEMPTS", "TOOK", ""].map(str::to_owned)];
    for (id, stage) in &run.context.stages {
        let planned = plan.stages.iter().find(|planned| planned.id == *id);
        let graph = planned.map_or(&[][..], |planned| &planned.nodes);
        rows.push(stage_row(id.as_str(), stage, planned.is_some_and(|planned| planned.finally)));
        if stage.status != StageStatus::Skipped {
            for (n, lane) in stage.results.iter().enumerate() {
                rows.push(lane_row(n, lane));
                let place = OfLane { path: format!("{}/{id}[{n}]", stage.iteration), started };
                rows.extend(nodes::rows(lane, graph, &place, "      "));
            }
        }
    }
    rows
}

fn stage_row(id: &str, stage: &StageView, in_any_case: bool) -> [String; 5] {
    let took = stage.started_at.zip(stage.ended_at).map(|(from, to)| duration(between(from, to)));
    let note = match &stage.error {
        Some(error) => failure(error),
        None if in_any_case => "runs in any case".to_owned(),
        None => count_iteration(stage.iteration),
    };
    [id.to_owned(), word(stage.status), String::new(), took.unwrap_or_default(), note]
}

fn count_iteration(iteration: u32) -> String {
    if iteration > 1 { format!("iteration {iteration}") } else { String::new() }
}

fn lane_row(number: usize, lane: &LaneView) -> [String; 5] {
    let took = lane.duration.and_then(|millis| u64::try_from(millis).ok());
    let took = took.map(|millis| duration(std::time::Duration::from_millis(millis)));
    let note = match &lane.error {
        Some(error) if lane.status != StageStatus::Completed => reason(error),
        _ if lane.output.is_null() => String::new(),
        _ => shorten(lane.output.json(), VALUE),
    };
    let attempts = if lane.attempts == 0 { String::new() } else { count(lane.attempts.into(), "attempt") };
    let name = format!("  [{number}] {}", lane.provider.as_deref().unwrap_or(""));
    [name, word(lane.status), attempts, took.unwrap_or_default(), note]
}
