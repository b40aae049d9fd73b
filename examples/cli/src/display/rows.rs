//! The rows of the live view: the run, its stages and lanes, and the running nodes.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use workflow_core::bundle::Bundle;
use workflow_core::definition::{GraphNode, Profile, Workflow};
use workflow_core::failure::Failure;
use workflow_core::ids::{NodeId, NodePath, StageId};
use workflow_core::status::{RunStatus, StageStatus, WaitReason};
use workflow_core::view::{LaneView, NodeView, RunView, StageView};

use crate::commands::counts;
use crate::failed::{failure, reason};
use crate::text::{between, duration, harmless, word};
use crate::words::{asks, cost};

/// A line of the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub mark: Mark,
    pub text: String,
}

/// The symbol before a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Mark {
    None,
    Pending,
    Running,
    Good,
    Bad,
    /// Something that the run waits for.
    Asks,
}

/// The most stages, lanes of a stage, and nodes of a lane that are shown.
const MOST: usize = 8;

/// The last line that a node said, by stage, lane and node.
pub(super) type LastLines = HashMap<(StageId, usize, NodeId), String>;

/// The key of a path in [`LastLines`]: the items of a node share one line.
pub(super) fn caller(path: &NodePath) -> (StageId, usize, NodeId) {
    (path.stage.clone(), path.lane as usize, path.node.clone())
}

/// The view of a run, whose loop may have other `max_iters` than its definition.
pub(super) fn rows(
    run: &RunView,
    bundle: &Bundle,
    max_iters: Option<u32>,
    said: &LastLines,
    now: Timestamp,
) -> Vec<Row> {
    let workflow = &bundle.workflow;
    let mut rows = vec![head(run, workflow, max_iters, now)];
    let place = |id: &StageId| workflow.stages.get_index_of(id.as_str());
    let last = run.context.stages.keys().filter_map(place).max().unwrap_or(0);
    let current = run.current_stage.as_ref().and_then(place).unwrap_or(last);
    let stages = workflow.stages.len();
    let from = current.saturating_sub(MOST / 2).min(stages.saturating_sub(MOST));
    let to = stages.min(from + MOST);
    if from > 0 {
        rows.push(Row { mark: Mark::None, text: format!("  … {from} before") });
    }
    let width = workflow.stages.keys().map(|id| id.as_str().len()).max().unwrap_or(0);
    for id in workflow.stages.keys().skip(from).take(to - from) {
        let nodes = bundle.profiles.get(id).map_or(0, nodes);
        Stage { id, nodes, said, now }.rows(run.context.stages.get(id), width, &mut rows);
    }
    if to < stages {
        rows.push(Row { mark: Mark::None, text: format!("  … {} more", stages - to) });
    }
    for wait in run.waits.iter().filter(|wait| wait.reason != WaitReason::Pause).take(MOST) {
        let number = wait.number.map(|number| format!("{number} ")).unwrap_or_default();
        rows.push(Row { mark: Mark::Asks, text: harmless(&format!("{number}waits for {}", asks(wait))) });
    }
    rows
}

fn head(run: &RunView, workflow: &Workflow, max_iters: Option<u32>, now: Timestamp) -> Row {
    let mut parts = vec![harmless(&workflow.name), format!("run {}", run.run_id)];
    if let Some(repeat) = &workflow.repeat {
        parts.push(format!("iteration {} of {}", run.iteration, max_iters.unwrap_or(repeat.max_iters)));
    }
    let status = match (&run.requested, run.status) {
        (Some(requested), _) => format!("{requested} requested"),
        (None, status) => word(status),
    };
    parts.push(status);
    if run.spent.attempts > run.spent.unpriced || workflow.budget.is_some_and(|of| of.cost_usd.is_some()) {
        parts.push(cost(&run.spent));
    }
    let until = run.completed_at.unwrap_or(now);
    parts.push(duration(between(run.started_at.unwrap_or(run.created_at), until)));
    let mark = match run.status {
        RunStatus::Completed => Mark::Good,
        RunStatus::Failed | RunStatus::Cancelled => Mark::Bad,
        RunStatus::Pending | RunStatus::Paused => Mark::Pending,
        RunStatus::Running => Mark::Running,
    };
    Row { mark, text: parts.join(" · ") }
}

/// What is shown of a stage.
struct Stage<'a> {
    id: &'a StageId,
    /// How many nodes its graph has.
    nodes: usize,
    said: &'a LastLines,
    now: Timestamp,
}

impl Stage<'_> {
    fn rows(&self, stage: Option<&StageView>, width: usize, rows: &mut Vec<Row>) {
        let Some(stage) = stage else {
            rows.push(Row { mark: Mark::Pending, text: self.id.to_string() });
            return;
        };
        let took = match (stage.status, stage.started_at) {
            (StageStatus::Skipped, _) => "skipped".to_owned(),
            (_, Some(from)) => duration(between(from, stage.ended_at.unwrap_or(self.now))),
            (_, None) => String::new(),
        };
        let mut parts = vec![format!("{:width$}", self.id.as_str()), format!("{took:>6}")];
        if let [lane] = stage.results.as_slice() {
            parts.extend(self.lane(0, lane));
            rows.push(Row { mark: mark(stage.status), text: parts.join("  ") });
            self.nodes(0, lane, rows);
            return;
        }
        let ended = stage.results.iter().filter(|lane| is_over(lane.status)).count();
        if !stage.results.is_empty() {
            parts.push(format!("{ended} of {} ended", stage.results.len()));
        }
        parts.extend(stage.error.as_ref().map(|error| harmless(&reason(error))));
        rows.push(Row { mark: mark(stage.status), text: parts.join("  ") });
        if is_over(stage.status) {
            return;
        }
        // Of many lanes, the running ones are shown first.
        let mut lanes: Vec<_> = stage.results.iter().enumerate().collect();
        lanes.sort_by_key(|(_, lane)| (mark(lane.status) != Mark::Running, is_over(lane.status)));
        lanes.truncate(MOST);
        lanes.sort_by_key(|(n, _)| *n);
        for (n, lane) in lanes {
            let mut parts = vec![format!("  [{n}]")];
            parts.extend(lane.provider.as_deref().map(harmless));
            parts.extend(self.lane(n, lane));
            rows.push(Row { mark: mark(lane.status), text: parts.join("  ") });
            self.nodes(n, lane, rows);
        }
    }

    /// The state of a lane; for a lane with a graph, how many nodes have ended.
    fn lane(&self, number: usize, lane: &LaneView) -> Vec<String> {
        if lane.nodes.is_empty() {
            // The one node of a stage without a graph.
            return match NodeId::new("run") {
                Ok(node) => self.news(number, &node, &Call::from(lane)),
                Err(_) => Vec::new(),
            };
        }
        let ended = lane.nodes.iter().filter(|node| is_over(node.status)).count();
        let mut parts = vec![format!("{ended} of {} nodes ended", self.nodes.max(lane.nodes.len()))];
        let error = lane.error.as_ref().filter(|_| lane.status == StageStatus::Failed);
        parts.extend(error.map(|error| harmless(&reason(error))));
        parts
    }

    /// The running nodes of a lane, and those that failed while others still run.
    fn nodes(&self, number: usize, lane: &LaneView, rows: &mut Vec<Row>) {
        if is_over(lane.status) {
            return;
        }
        let shown =
            |node: &&NodeView| mark(node.status) == Mark::Running || node.status == StageStatus::Failed;
        for node in lane.nodes.iter().filter(shown).take(MOST) {
            let mut parts = vec![format!("    {}", node.id)];
            parts.extend(node.provider.as_deref().map(harmless));
            parts.extend(node.items.as_ref().map(counts));
            parts.extend(node.iterations.map(|made| format!("iteration {made}")));
            parts.extend(self.news(number, &node.id, &Call::from(node)));
            rows.push(Row { mark: mark(node.status), text: parts.join("  ") });
        }
    }

    /// The state of a call: the attempt, why it waits or failed, or its last line of output.
    fn news(&self, lane: usize, node: &NodeId, call: &Call<'_>) -> Vec<String> {
        let mut parts = Vec::new();
        if call.attempts > 1 {
            parts.push(format!("attempt {}", call.attempts));
        }
        match (call.status, call.error) {
            (StageStatus::Queued, _) => parts.push("queued".to_owned()),
            (StageStatus::Retrying, Some(error)) => {
                let left = call.retry_at.map_or(Duration::ZERO, |then| between(self.now, then));
                parts.push(format!("{}; retries in {}", harmless(&failure(error)), duration(left)));
            }
            (StageStatus::Failed, Some(error)) => parts.push(harmless(&reason(error))),
            _ => {
                let said = self.said.get(&(self.id.clone(), lane, node.clone()));
                parts.extend(said.map(|said| harmless(said)));
            }
        }
        parts
    }
}

/// How many nodes a graph has, those in bodies included.
fn nodes(profile: &Profile) -> usize {
    let in_body = |node: &GraphNode| node.node.body().map_or(0, <[GraphNode]>::len);
    profile.graph.iter().map(|node| 1 + in_body(node)).sum()
}

/// A call of a lane or of a node.
struct Call<'a> {
    status: StageStatus,
    attempts: u32,
    error: Option<&'a Failure>,
    retry_at: Option<Timestamp>,
}

impl<'a> From<&'a LaneView> for Call<'a> {
    fn from(lane: &'a LaneView) -> Self {
        let LaneView { status, attempts, error, retry_at, .. } = lane;
        Self { status: *status, attempts: *attempts, error: error.as_deref(), retry_at: *retry_at }
    }
}

impl<'a> From<&'a NodeView> for Call<'a> {
    fn from(node: &'a NodeView) -> Self {
        let NodeView { status, attempts, error, retry_at, .. } = node;
        Self { status: *status, attempts: *attempts, error: error.as_deref(), retry_at: *retry_at }
    }
}

fn mark(status: StageStatus) -> Mark {
    match status {
        StageStatus::Pending | StageStatus::Skipped => Mark::Pending,
        StageStatus::Queued | StageStatus::Running | StageStatus::Retrying | StageStatus::Waiting => {
            Mark::Running
        }
        StageStatus::Completed => Mark::Good,
        StageStatus::Failed | StageStatus::Cancelled => Mark::Bad,
    }
}

fn is_over(status: StageStatus) -> bool {
    matches!(
        status,
        StageStatus::Completed | StageStatus::Failed | StageStatus::Skipped | StageStatus::Cancelled
    )
}

#[cfg(test)]
mod tests {
    use workflow_core::definition::parse_profile;
    use workflow_core::event::Event;
    use workflow_core::machine::State;

    use super::*;

    /// The view of a run of so many stages, after these events.
    fn view(stages: usize, events: &[&str]) -> String {
        view_of_graph(stages, "", events)
    }

    /// The same with a graph for the first stage.
    fn view_of_graph(stages: usize, graph: &str, events: &[&str]) -> String {
        let workflow =
            (1..=stages).fold(Workflow::new("long".parse().unwrap(), "A long one"), |workflow, n| {
                workflow.stage(format!("s{n}").parse().unwrap(), workflow_core::definition::Stage::default())
            });
        let mut plan = Bundle::new(workflow);
        let profile = parse_profile(graph.as_bytes(), None).profile;
        plan.profiles.extend(profile.map(|profile| ("s1".parse().unwrap(), profile)));
        let bundle = "0".repeat(64);
        let created =
            format!(r#""run_created","data":{{"run":"r","workflow":"long","bundle":"{bundle}","seed":1}}"#);
        let log = std::iter::once(created.as_str()).chain(events.iter().copied()).zip(1..);
        let log: Vec<Event> = log
            .map(|(event, seq)| {
                let text =
                    format!(r#"{{"seq":{seq},"at":"2026-01-02T03:04:{seq:02}Z","v":1,"type":{event}}}"#);
                serde_json::from_str(&text).unwrap()
            })
            .collect();
        let now = "2026-01-02T03:05:00Z".parse().unwrap();
        let rows = rows(&State::fold(&log).unwrap().view(), &plan, None, &LastLines::new(), now);
        let lines: Vec<_> = rows.iter().map(|row| format!("{:?} {}", row.mark, row.text)).collect();
        lines.join("\n")
    }

    #[test]
    fn iterations_are_counted_to_the_limit_of_the_run() {
        let mut workflow = Workflow::new("long".parse().unwrap(), "A long one");
        workflow.repeat = serde_json::from_str(r#"{ "max_iters": 2, "stop_when": "$.done" }"#).unwrap();
        let hash = "0".repeat(64);
        let created = format!(
            r#"{{"seq":1,"at":"2026-01-02T03:04:05Z","v":1,"type":"run_created","data":{{"run":"r","workflow":"long","bundle":"{hash}","max_iters":7,"seed":1}}}}"#
        );
        let state = State::first(&serde_json::from_str(&created).unwrap()).unwrap();
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        let most = state.created().max_iters;
        let rows = rows(&state.view(), &Bundle::new(workflow), most, &LastLines::new(), now);
        assert_eq!(rows[0].text, "A long one · run r · iteration 1 of 7 · pending · 0ms");
    }

    #[test]
    fn of_many_stages_those_around_the_current_one_are_shown() {
        let skip = |n: usize| format!(r#""stage_skipped","data":{{"iteration":1,"stage":"s{n}"}}"#);
        let skipped: Vec<_> = (1..=10).map(skip).collect();
        let mut events = vec![r#""run_started""#];
        events.extend(skipped.iter().map(String::as_str));
        insta::assert_snapshot!(view(20, &events), @r"
        Running A long one · run r · running · 58s
        None   … 5 before
        Pending s6   skipped
        Pending s7   skipped
        Pending s8   skipped
        Pending s9   skipped
        Pending s10  skipped
        Pending s11
        Pending s12
        Pending s13
        None   … 7 more
        ");
        insta::assert_snapshot!(view(9, &[]), @r"
        Pending A long one · run r · pending · 59s
        Pending s1
        Pending s2
        Pending s3
        Pending s4
        Pending s5
        Pending s6
        Pending s7
        Pending s8
        None   … 1 more
        ");
    }

    #[test]
    fn of_many_lanes_the_running_ones_are_shown() {
        let events = [
            r#""run_started""#,
            r#""stage_started","data":{"iteration":1,"stage":"s1","lanes":10}"#,
            r#""attempt_started","data":{"path":"1/s1[0]/run","attempt":1,"provider":"one"}"#,
            r#""attempt_started","data":{"path":"1/s1[9]/run","attempt":1,"provider":"one"}"#,
            r#""attempt_succeeded","data":{"path":"1/s1[0]/run","attempt":1,"output":"x"}"#,
        ];
        insta::assert_snapshot!(view(1, &events), @r"
        Running A long one · run r · running · 58s
        Running s1     57s  1 of 10 ended
        Pending   [1]
        Pending   [2]
        Pending   [3]
        Pending   [4]
        Pending   [5]
        Pending   [6]
        Pending   [7]
        Running   [9]  one
        ");
    }

    #[test]
    fn of_a_graph_the_running_nodes_are_shown_and_of_many_items_their_number() {
        let graph = "graph: [{ id: one, type: run }, { id: all, type: foreach, items: [], run: { type: run } }, \
                     { id: last, type: reduce, from: [one, all], strategy: last }]";
        let events = [
            r#""run_started""#,
            r#""stage_started","data":{"iteration":1,"stage":"s1"}"#,
            r#""lane_started","data":{"iteration":1,"stage":"s1","lane":0,"provider":"demo"}"#,
            r#""attempt_started","data":{"path":"1/s1[0]/one","attempt":1,"provider":"demo"}"#,
            r#""node_started","data":{"path":"1/s1[0]/all","items":[1,2,3,4]}"#,
            r#""attempt_started","data":{"path":"1/s1[0]/all[0]","attempt":1,"provider":"demo"}"#,
            r#""attempt_started","data":{"path":"1/s1[0]/all[1]","attempt":1,"provider":"demo"}"#,
            r#""attempt_started","data":{"path":"1/s1[0]/all[2]","attempt":1,"provider":"demo"}"#,
            r#""attempt_succeeded","data":{"path":"1/s1[0]/all[0]","attempt":1,"output":"x"}"#,
            r#""attempt_failed","data":{"path":"1/s1[0]/all[1]","attempt":1,"error":{"class":"permanent","message":"no"}}"#,
            r#""attempt_succeeded","data":{"path":"1/s1[0]/one","attempt":1,"output":"x"}"#,
        ];
        insta::assert_snapshot!(view_of_graph(1, graph, &events), @"
        Running A long one · run r · running · 58s
        Running s1     57s  1 of 3 nodes ended
        Running     all  1 of 4 done, 1 failed, 1 open
        ");
    }

    #[test]
    fn the_waits_of_a_run_are_shown_below_its_stages_and_its_known_cost_above() {
        let events = [
            r#""run_started""#,
            r#""stage_started","data":{"iteration":1,"stage":"s1"}"#,
            r#""attempt_started","data":{"path":"1/s1[0]/run","attempt":1,"provider":"demo"}"#,
            r#""attempt_succeeded","data":{"path":"1/s1[0]/run","attempt":1,"output":"x","usage":{"cost_usd":0.5}}"#,
            r#""stage_completed","data":{"iteration":1,"stage":"s1","output_of":0}"#,
            r#""stage_asked","data":{"iteration":1,"stage":"s2","question":"Continue?"}"#,
            r#""run_waiting","data":{"wait":{"reason":"approval","number":7,"place":"1/s2","question":"Continue?"}}"#,
        ];
        insta::assert_snapshot!(view(2, &events), @"
        Pending A long one · run r · paused · $0.5000 · 58s
        Good s1    3.0s
        Pending s2
        Asks 7 waits for approval of 1/s2: Continue?
        ");
    }
}
