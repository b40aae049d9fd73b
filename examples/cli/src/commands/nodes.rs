//! The nodes of a lane, as a tree.

use std::time::Duration;

use serde_json::Value;
use workflow_core::definition::{GraphNode, Node, Profile};
use workflow_core::status::StageStatus;
use workflow_core::view::{ItemsView, LaneView, NodeView};

use crate::failed::reason;
use crate::text::{count, duration, shorten, word};

/// How many characters of an output are shown.
const VALUE: usize = 80;
/// How many items of a node are shown, the failed ones first.
const ITEMS: usize = 10;

/// A row for each started node of a lane: its name, status, attempts, time, and its output or error.
pub(super) fn rows(lane: &LaneView, profile: Option<&Profile>, indent: &str) -> Vec<[String; 5]> {
    if lane.nodes.is_empty() {
        return Vec::new();
    }
    let graph = profile.map_or(&[][..], |profile| &profile.graph);
    let seen = |node: &GraphNode| lane.nodes.iter().find(|seen| seen.id == node.id);
    // In the order of the file; without it, in the order of their start.
    let mut nodes: Vec<_> = graph.iter().map(|node| (Some(node), seen(node))).collect();
    let is_other = |seen: &&NodeView| graph.iter().all(|node| node.id != seen.id);
    nodes.extend(lane.nodes.iter().filter(is_other).map(|seen| (None, Some(seen))));
    let mut rows = Vec::new();
    let last = nodes.len().saturating_sub(1);
    for (n, (node, seen)) in nodes.into_iter().enumerate() {
        let twig = Twig { indent, is_last: n == last };
        match (node, seen) {
            (node, Some(seen)) => {
                twig.node(seen.id.as_str(), seen, node.map(|node| &node.node), &mut rows);
            }
            (Some(node), None) => {
                let name = format!("{}: {}", node.id, kind(&node.node));
                rows.push(twig.row(&name, StageStatus::Pending, [(); 3].map(|()| String::new())));
            }
            (None, None) => {}
        }
    }
    rows
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

    fn node(&self, id: &str, seen: &NodeView, node: Option<&Node>, rows: &mut Vec<[String; 5]>) {
        let what = match (&seen.provider, &seen.role) {
            (Some(provider), Some(role)) => Some(format!("{provider} as {role}")),
            (Some(provider), None) => Some(provider.to_string()),
            (None, _) => node.map(kind),
        };
        let name = what.map_or_else(|| id.to_owned(), |what| format!("{id}: {what}"));
        let attempts =
            if seen.attempts == 0 { String::new() } else { count(seen.attempts.into(), "attempt") };
        let took = seen.duration.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
        let took = took.map(duration).unwrap_or_default();
        rows.push(self.row(&name, seen.status, [attempts, took, note(seen, node)]));
        if let Some(items) = &seen.items {
            let body = match node {
                Some(Node::Foreach(foreach)) => Some(&*foreach.run),
                _ => None,
            };
            let indent = format!("{}{}", self.indent, if self.is_last { "  " } else { "│ " });
            self::items(items, body, &indent, rows);
        }
    }
}

/// The items that have not succeeded; there may be very many.
fn items(items: &ItemsView, body: Option<&Node>, indent: &str, rows: &mut Vec<[String; 5]>) {
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

fn note(seen: &NodeView, node: Option<&Node>) -> String {
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
    match (node, seen.output.is_null()) {
        (_, true) => String::new(),
        (Some(Node::Foreach(_)), _) => {
            let items = seen.output.value().as_array().map_or(0, Vec::len);
            count(items as u64, "item")
        }
        (Some(Node::Branch(_)), _) => took(&seen.output.value()),
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

/// What a node does, in a few words.
pub(super) fn kind(node: &Node) -> String {
    match node {
        Node::Reduce(reduce) => format!("reduce, {}", word(reduce.strategy)),
        node => type_of(node).to_owned(),
    }
}

/// The type of a node.
pub(super) fn type_of(node: &Node) -> &'static str {
    match node {
        Node::Run(_) => "run",
        Node::Foreach(_) => "foreach",
        Node::Reduce(_) => "reduce",
        Node::Branch(_) => "branch",
        Node::Export(_) => "export",
        Node::Ask(_) => "ask",
    }
}
