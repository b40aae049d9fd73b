//! The nodes of a lane, as a tree.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use workflow_core::failure::Failure;
use workflow_core::status::{RunStatus, StageStatus};
use workflow_core::store::RunRecord;
use workflow_core::view::{ItemsView, LaneView, NodeView};
use workflow_service::workflows::PlannedNode;

use crate::failed::{failure, reason};
use crate::text::{between, count, duration, shorten, word};
use crate::words::asks;

/// How many characters of an output are shown.
const VALUE: usize = 80;
/// How many items of a node are shown, the failed ones first, then those that wait.
const ITEMS: usize = 20;

/// The runs that nodes of a run have started, by the paths of the nodes.
#[derive(Default)]
pub(super) struct Started(HashMap<String, RunRecord>);

impl Started {
    /// Of these runs, the newest first, the last one of each node.
    pub(super) fn new(runs: Vec<RunRecord>) -> Self {
        let mut started = HashMap::new();
        for run in runs {
            if let Some(parent) = run.head.parent.clone() {
                started.entry(parent.path.to_string()).or_insert(run);
            }
        }
        Self(started)
    }

    /// Those of the items of the `foreach` at a path: the number of the item, what follows it in the path, and the run.
    fn of_items<'a>(&'a self, path: &str) -> Vec<(u32, &'a str, &'a RunRecord)> {
        let below = |place: &'a str| {
            let (number, rest) = place.strip_prefix(path)?.strip_prefix('[')?.split_once(']')?;
            Some((number.parse().ok()?, rest))
        };
        let found =
            self.0.iter().filter_map(|(place, run)| below(place).map(|(number, rest)| (number, rest, run)));
        found.collect()
    }
}

/// The lane that the nodes are of.
pub(super) struct OfLane<'a> {
    /// What the paths of its nodes begin with.
    pub(super) path: String,
    pub(super) started: &'a Started,
}

/// A row for each started node of a lane: its name, status, attempts, time, and its output or error.
pub(super) fn rows(
    lane: &LaneView,
    graph: &[PlannedNode],
    place: &OfLane<'_>,
    indent: &str,
) -> Vec<[String; 5]> {
    if lane.nodes.is_empty() {
        return Vec::new();
    }
    let seen = |node: &PlannedNode| lane.nodes.iter().find(|seen| seen.id.as_str() == node.id);
    // In the order of the file; without it, in the order of their start.
    let mut nodes: Vec<_> = graph.iter().map(|node| (Some(node), seen(node))).collect();
    let is_other = |seen: &&NodeView| graph.iter().all(|node| node.id != seen.id.as_str());
    nodes.extend(lane.nodes.iter().filter(is_other).map(|seen| (None, Some(seen))));
    let mut rows = Vec::new();
    let last = nodes.len().saturating_sub(1);
    for (n, (node, seen)) in nodes.into_iter().enumerate() {
        let twig = Twig { indent, is_last: n == last, started: place.started };
        match (node, seen) {
            (node, Some(seen)) => {
                let path = format!("{}/{}", place.path, seen.id);
                twig.node(seen.id.as_str(), &path, seen, node.map(Kind::of), &mut rows);
            }
            (Some(node), None) => {
                let name = format!("{}: {}", node.id, node.about());
                rows.push(twig.row(&name, StageStatus::Pending, [(); 3].map(|()| String::new())));
            }
            (None, None) => {}
        }
    }
    rows
}

/// What a node, or a `foreach` with each item, does.
#[derive(Clone, Copy)]
enum Kind<'a> {
    Node(&'a PlannedNode),
    Item(&'a str),
}

impl<'a> Kind<'a> {
    fn of(node: &'a PlannedNode) -> Self {
        Self::Node(node)
    }

    fn name(self) -> &'a str {
        match self {
            Self::Node(node) => &node.kind,
            Self::Item(kind) => kind,
        }
    }

    fn about(self) -> String {
        match self {
            Self::Node(node) => node.about(),
            Self::Item(kind) => kind.to_owned(),
        }
    }
}

/// Where a row hangs in the tree.
struct Twig<'a> {
    indent: &'a str,
    is_last: bool,
    started: &'a Started,
}

impl Twig<'_> {
    fn row(&self, name: &str, status: impl Serialize, [attempts, took, note]: [String; 3]) -> [String; 5] {
        let corner = if self.is_last { "└ " } else { "├ " };
        [format!("{}{corner}{name}", self.indent), word(status), attempts, took, note]
    }

    /// The indent of what is below it.
    fn below(&self) -> String {
        format!("{}{}", self.indent, if self.is_last { "  " } else { "│ " })
    }

    fn node(
        &self,
        id: &str,
        path: &str,
        seen: &NodeView,
        node: Option<Kind<'_>>,
        rows: &mut Vec<[String; 5]>,
    ) {
        let what = match (&seen.provider, &seen.role) {
            (Some(provider), Some(role)) => Some(format!("{provider} as {role}")),
            (Some(provider), None) => Some(provider.to_string()),
            (None, _) => node.map(Kind::about),
        };
        let name = what.map_or_else(|| id.to_owned(), |what| format!("{id}: {what}"));
        let attempts =
            if seen.attempts == 0 { String::new() } else { count(seen.attempts.into(), "attempt") };
        let took = seen.duration.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
        let took = took.map(duration).unwrap_or_default();
        let started = seen.run.as_ref().map(|run| match self.started.0.get(path) {
            Some(known) if known.run_id == **run => about_run(known, false),
            _ => format!("run {run}"),
        });
        let note = [started.unwrap_or_default(), note(seen, node)];
        let note: Vec<_> = note.into_iter().filter(|part| !part.is_empty()).collect();
        rows.push(self.row(&name, seen.status, [attempts, took, note.join(": ")]));
        let body = match node {
            Some(Kind::Node(node)) => node.each.as_deref().map(Kind::Item),
            _ => None,
        };
        self.items(path, seen, body, rows);
        // An item for which a graph is run.
        let last = seen.nodes.len().saturating_sub(1);
        let indent = self.below();
        for (n, inner) in seen.nodes.iter().enumerate() {
            let path = format!("{path}/{}", inner.id);
            let twig = Twig { indent: &indent, is_last: n == last, started: self.started };
            twig.node(inner.id.as_str(), &path, inner, None, rows);
        }
    }

    /// The items of a `foreach` that have not succeeded, and those that have started runs; there may be very many.
    fn items(&self, path: &str, seen: &NodeView, body: Option<Kind<'_>>, rows: &mut Vec<[String; 5]>) {
        let open = seen.items.iter().flat_map(|items| &items.open);
        let mut items: Vec<_> =
            open.filter_map(|item| Some((item.id.as_str().parse().ok()?, Item::Open(item)))).collect();
        let is_listed = |items: &[(u32, Item<'_>)], number| items.iter().any(|(listed, _)| *listed == number);
        for error in &seen.errors {
            if !is_listed(&items, error.index) {
                items.push((error.index, Item::Failed(Failure::new(error.class, error.message.clone()))));
            }
        }
        let listed = items.len();
        for (number, rest, run) in self.started.of_items(path) {
            match items[..listed].iter_mut().find(|(listed, _)| *listed == number) {
                Some((_, item @ Item::Failed(_))) if rest.is_empty() => *item = Item::Started(rest, run),
                Some(_) => {}
                None => items.push((number, Item::Started(rest, run))),
            }
        }
        items.sort_by(|(a, one), (b, other)| {
            (one.rank(), a, one.rest()).cmp(&(other.rank(), b, other.rest()))
        });
        let more = items.len().saturating_sub(ITEMS);
        items.truncate(ITEMS);
        let last = items.len().saturating_sub(1);
        let indent = self.below();
        for (n, (number, item)) in items.into_iter().enumerate() {
            let twig = Twig { indent: &indent, is_last: n == last && more == 0, started: self.started };
            let id = format!("[{number}]");
            let about = body.map(|body| format!(": {}", body.about())).unwrap_or_default();
            match item {
                Item::Open(item) => twig.node(&id, &format!("{path}{id}"), item, body, rows),
                Item::Failed(error) => {
                    let row = [String::new(), String::new(), failure(&error)];
                    rows.push(twig.row(&format!("{id}{about}"), StageStatus::Failed, row));
                }
                Item::Started(rest, run) => {
                    let name = if rest.is_empty() { format!("{id}{about}") } else { format!("{id}{rest}") };
                    let took = run.head.started_at.zip(run.head.completed_at);
                    let took = took.map(|(from, to)| duration(between(from, to))).unwrap_or_default();
                    rows.push(twig.row(&name, run.head.status, [String::new(), took, about_run(run, true)]));
                }
            }
        }
        if more > 0 {
            let mut row = [(); 5].map(|()| String::new());
            row[0] = format!("{indent}└ … {more} more");
            rows.push(row);
        }
    }
}

/// What a row says of an item of a `foreach`.
enum Item<'a> {
    /// It has begun and has not ended, or has failed.
    Open(&'a NodeView),
    /// It has failed, and the others continue.
    Failed(Failure),
    /// It, or a node of its graph, has started a run.
    Started(&'a str, &'a RunRecord),
}

impl Item<'_> {
    /// Items with the lowest are listed first.
    fn rank(&self) -> u8 {
        match self {
            Self::Failed(_) => 0,
            Self::Open(item) => match item.status {
                StageStatus::Failed => 0,
                StageStatus::Waiting => 1,
                _ => 2,
            },
            Self::Started(_, run) => match run.head.status {
                RunStatus::Failed | RunStatus::Cancelled => 0,
                RunStatus::Paused => 1,
                RunStatus::Pending | RunStatus::Running => 2,
                RunStatus::Completed => 3,
            },
        }
    }

    fn rest(&self) -> &str {
        if let Self::Started(rest, _) = self { rest } else { "" }
    }
}

/// The run that a node has started: its id, what it waits for, and why it failed unless the row of the node says so.
fn about_run(run: &RunRecord, with_error: bool) -> String {
    let head = &run.head;
    let wait = head
        .wait
        .as_ref()
        .filter(|_| !head.status.is_terminal())
        .map(|wait| format!("waits for {}", asks(wait)));
    let error = head.error.as_ref().filter(|_| with_error).map(|error| reason(error));
    let said = wait.or(error).map(|said| format!(": {}", shorten(&said, VALUE))).unwrap_or_default();
    format!("run {}{said}", run.run_id)
}

fn note(seen: &NodeView, node: Option<Kind<'_>>) -> String {
    let counts = seen.items.as_ref().map(counts);
    let error = seen.error.as_ref().filter(|_| seen.status != StageStatus::Completed);
    let error = error.map(|error| reason(error));
    // The errors of items have rows of their own.
    let has_failed = |items: &ItemsView| items.open.iter().any(|item| item.status == StageStatus::Failed);
    let error = error.filter(|_| !seen.items.as_ref().is_some_and(has_failed));
    if counts.is_some() || error.is_some() {
        let parts: Vec<_> = counts.into_iter().chain(error).collect();
        return parts.join(": ");
    }
    match (node.map(Kind::name), seen.output.is_null()) {
        (_, true) => String::new(),
        (Some("foreach"), _) => {
            let items = seen.output.value().as_array().map_or(0, Vec::len);
            count(items as u64, "item")
        }
        (Some("branch"), _) => took(&seen.output.value()),
        _ => shorten(seen.output.json(), VALUE),
    }
}

/// How many items of a node are done, failed or open.
pub(crate) fn counts(items: &ItemsView) -> String {
    let failed = items.open.iter().filter(|item| item.status == StageStatus::Failed).count();
    let mut parts = vec![format!("{} of {} done", items.done, items.total)];
    for (number, what) in [(failed, "failed"), (items.open.len() - failed, "open")] {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    }
    parts.join(", ")
}

/// The nodes that a branch chose.
fn took(names: &Value) -> String {
    let names: Vec<_> = names.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if names.is_empty() { "no arm".to_owned() } else { format!("→ {}", names.join(", ")) }
}
