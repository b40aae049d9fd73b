//! The stages of a run as rows: iteration › stage › lane › node › item.

use std::time::Duration;

use jiff::Timestamp;
use workflow_core::failure::Failure;
use workflow_core::status::StageStatus;
use workflow_core::view::{LaneView, NodeView, RunView, StageView};

use crate::commands::counts;
use crate::failed::{failure, reason};
use crate::top::look::Look;
use crate::top::message::{Detail, Planned};

/// A row of the timeline.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// How deep it is in the tree.
    pub depth: u16,
    pub look: Look,
    pub name: String,
    pub attempts: u32,
    /// How long it took, once it has ended.
    pub took: Option<Duration>,
    /// Since when it is under way.
    pub since: Option<Timestamp>,
    pub note: String,
    /// The iteration whose stages it shows or hides.
    pub folds: Option<u32>,
}

impl Row {
    fn new(depth: u16, look: Look, name: impl Into<String>) -> Self {
        let (name, note) = (name.into(), String::new());
        Self { depth, look, name, attempts: 0, took: None, since: None, note, folds: None }
    }
}

/// The rows of a run. An iteration that has ended hides its stages, unless it is the last or among `unfolded`.
pub(crate) fn rows(detail: &Detail, unfolded: &[u32]) -> Vec<Row> {
    let Detail { view, plan, holder, .. } = detail;
    let driven = holder.is_some();
    let mut rows = Vec::new();
    if plan.max_iters.is_none() {
        stages(view, plan, view.iteration, driven, 0, &mut rows);
        return rows;
    }
    for ended in &detail.ended {
        let mut row = Row::new(0, Look::Completed, format!("iteration {}", ended.number));
        row.note.clone_from(&ended.note);
        row.folds = (ended.number < view.iteration).then_some(ended.number);
        rows.push(row);
        if unfolded.contains(&ended.number) || ended.number == view.iteration {
            rows.extend(ended.rows.iter().map(|row| Row { depth: row.depth + 1, ..row.clone() }));
        }
    }
    // The last iteration of a run that has ended is among them.
    if detail.ended.iter().all(|ended| ended.number < view.iteration) {
        let look = Look::of_run(detail.status, view.wait.as_deref(), driven);
        rows.push(Row::new(0, look, format!("iteration {}", view.iteration)));
        stages(view, plan, view.iteration, driven, 1, &mut rows);
    }
    rows
}

/// The row to look at first: what failed, waits or runs.
pub(crate) fn focus(rows: &[Row]) -> usize {
    let deepest = |wanted: &dyn Fn(Look) -> bool| rows.iter().rposition(|row| wanted(row.look));
    let waits = deepest(&|look| look == Look::Waiting);
    let failed = || deepest(&|look| look == Look::Failed);
    waits.or_else(failed).or_else(|| deepest(&Look::is_open)).unwrap_or(0)
}

/// The stages of one iteration, also those that have not begun.
pub(crate) fn stages(
    view: &RunView,
    plan: &Planned,
    iteration: u32,
    driven: bool,
    depth: u16,
    rows: &mut Vec<Row>,
) {
    let planned = plan.stages.iter().map(|(id, _)| id);
    // A definition that the run followed earlier may have had others.
    let others = view.context.stages.keys().filter(|id| plan.stages.iter().all(|(known, _)| known != *id));
    for id in planned.chain(others) {
        let asks = view.waits.iter().any(|wait| wait.place.as_deref() == Some(&format!("{iteration}/{id}")));
        if let Some(stage) = view.context.stages.get(id).filter(|stage| stage.iteration == iteration && !asks)
        {
            let nodes = plan.nodes.get(id).map_or(&[][..], Vec::as_slice);
            Tree { driven, nodes }.stage(id.as_str(), stage, depth, rows);
        } else {
            let look = if asks { Look::Waiting } else { Look::Pending };
            rows.push(Row::new(depth, look, id.as_str()));
        }
    }
}

struct Tree<'a> {
    driven: bool,
    /// The nodes of the graph, in the order of the file.
    nodes: &'a [String],
}

impl Tree<'_> {
    fn stage(&self, id: &str, stage: &StageView, depth: u16, rows: &mut Vec<Row>) {
        let mut row = Row::new(depth, Look::of_stage(stage.status, self.driven), id);
        row.since = stage.started_at;
        row.took = stage.started_at.zip(stage.ended_at).map(|(from, to)| crate::text::between(from, to));
        if stage.status == StageStatus::Skipped {
            rows.push(row);
            return;
        }
        if let [lane] = stage.results.as_slice() {
            self.fill(&mut row, lane);
            rows.push(row);
            self.lane(lane, depth + 1, rows);
            return;
        }
        row.note = stage.error.as_ref().map(|error| failure(error)).unwrap_or_default();
        rows.push(row);
        for (n, lane) in stage.results.iter().enumerate() {
            let mut row = Row::new(depth + 1, Look::of_stage(lane.status, self.driven), format!("[{n}]"));
            self.fill(&mut row, lane);
            row.took = millis(lane.duration);
            rows.push(row);
            self.lane(lane, depth + 2, rows);
        }
    }

    /// What a lane adds to the row of its stage, or to its own.
    fn fill(&self, row: &mut Row, lane: &LaneView) {
        let look = Look::of_stage(lane.status, self.driven);
        if row.look.is_open() && look.is_open() {
            row.look = look;
        }
        row.attempts = lane.attempts;
        row.note = note(lane.status, lane.error.as_deref());
        if row.note.is_empty() {
            row.note = who(lane.provider.as_deref(), lane.role.as_ref().map(AsRef::as_ref));
        }
    }

    fn lane(&self, lane: &LaneView, depth: u16, rows: &mut Vec<Row>) {
        let place = |node: &NodeView| self.nodes.iter().position(|id| id == node.id.as_str());
        let mut nodes: Vec<_> = lane.nodes.iter().collect();
        nodes.sort_by_key(|node| place(node).unwrap_or(usize::MAX));
        for node in nodes {
            self.node(node, node.id.to_string(), depth, rows);
        }
    }

    fn node(&self, node: &NodeView, name: String, depth: u16, rows: &mut Vec<Row>) {
        let mut row = Row::new(depth, Look::of_stage(node.status, self.driven), name);
        (row.attempts, row.took) = (node.attempts, millis(node.duration));
        let error = note(node.status, node.error.as_deref());
        let who = who(node.provider.as_deref(), node.role.as_ref().map(AsRef::as_ref));
        let parts = [node.items.as_ref().map(counts).unwrap_or_default(), error, who];
        row.note = parts.into_iter().find(|part| !part.is_empty()).unwrap_or_default();
        rows.push(row);
        for item in node.items.iter().flat_map(|items| &items.open) {
            self.node(item, format!("[{}]", item.id), depth + 1, rows);
        }
        for inner in &node.nodes {
            self.node(inner, inner.id.to_string(), depth + 1, rows);
        }
    }
}

fn note(status: StageStatus, error: Option<&Failure>) -> String {
    match error {
        Some(error) if status == StageStatus::Failed => reason(error),
        Some(error) if status == StageStatus::Retrying => failure(error),
        _ => String::new(),
    }
}

fn who(provider: Option<&str>, role: Option<&str>) -> String {
    match (provider, role) {
        (Some(provider), Some(role)) => format!("{provider} as {role}"),
        (Some(provider), None) => provider.to_owned(),
        (None, _) => String::new(),
    }
}

fn millis(duration: Option<i64>) -> Option<Duration> {
    duration.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis)
}
