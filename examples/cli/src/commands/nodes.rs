//! The nodes of a lane, as a tree.

use std::time::Duration;

use serde_json::Value;
use workflow_core::status::StageStatus;
use workflow_core::view::{ItemsView, LaneView, NodeView};
use workflow_service::workflows::PlannedNode;

use crate::failed::reason;
use crate::text::{count, duration, shorten, word};

/// How many characters of an output are shown.
const VALUE: usize = 80;
/// How many items of a node are shown, the failed ones first.
const ITEMS: usize = 10;

/// A row for each started node of a lane: its name, status, attempts, time, and its output or error.
pub(super) fn rows(lane: &LaneView, graph: &[PlannedNode], indent: &str) -> Vec<[String; 5]> {
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
        let twig = Twig { indent, is_last: n == last };
        match (node, seen) {
            (node, Some(seen)) => {
                twig.node(seen.id.as_str(), seen, node.map(Kind::of), &mut rows);
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
}

impl Twig<'_> {
    fn row(&self, name: &str, status: StageStatus, [attempts, took, note]: [String; 3]) -> [String; 5] {
        let corner = if self.is_last { "└ " } else { "├ " };
        [format!("{}{corner}{name}", self.indent), word(status), attempts, took, note]
    }

    /// The indent of what is below it.
    fn below(&self) -> String {
        format!("{}{}", self.indent, if self.is_last { "  " } else { "│ " })
    }

    fn node(&self, id: &str, seen: &NodeView, node: Option<Kind<'_>>, rows: &mut Vec<[String; 5]>) {
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
        rows.push(self.row(&name, seen.status, [attempts, took, note(seen, node)]));
        if let Some(items) = &seen.items {
            let body = match node {
                Some(Kind::Node(node)) => node.each.as_deref().map(Kind::Item),
                _ => None,
            };
            self::items(items, body, &self.below(), rows);
        }
        // An item for which a graph is run.
        let last = seen.nodes.len().saturating_sub(1);
        let indent = self.below();
        for (n, inner) in seen.nodes.iter().enumerate() {
            Twig { indent: &indent, is_last: n == last }.node(inner.id.as_str(), inner, None, rows);
        }
    }
}

/// The items that have not succeeded; there may be very many.
fn items(items: &ItemsView, body: Option<Kind<'_>>, indent: &str, rows: &mut Vec<[String; 5]>) {
    let mut open: Vec<_> = items.open.iter().collect();
    open.sort_by_key(|item| item.status != StageStatus::Failed);
    let more = open.len().saturating_sub(ITEMS);
    open.truncate(ITEMS);
    let last = open.len().saturating_sub(1);
    for (n, item) in open.into_iter().enumerate() {
        let twig = Twig { indent, is_last: n == last && more == 0 };
        twig.node(&format!("[{}]", item.id), item, body, rows);
    }
    if more > 0 {
        let mut row = [(); 5].map(|()| String::new());
        row[0] = format!("{indent}└ … {more} more");
        rows.push(row);
    }
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
