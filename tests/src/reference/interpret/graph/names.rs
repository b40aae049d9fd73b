//! What the expressions of a graph's nodes see.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use workflow_core::definition::{GraphNode, Node};
use workflow_core::failure::FailureClass;

use super::super::lanes::{error, status};
use super::super::needs::find;
use super::super::{How, OPEN, mentions, text};
use super::{Graph, Within};

impl Graph<'_> {
    /// All names that a node, or the body for an item, can use.
    pub(super) fn names(&self, within: Within<'_>) -> Value {
        let mut names = self.names_of(&self.needs.all(within.place), self.needs.owner_of[within.place]);
        if let Some(item) = self.item(within) {
            names["item"] = item.clone();
        }
        names
    }

    /// The item of the innermost `foreach`.
    fn item<'i>(&'i self, within: Within<'i>) -> Option<&'i Value> {
        let around = || Some(&self.items.get(&self.needs.owner_of[within.place]?)?.1);
        within.item.or_else(around)
    }

    /// All names where these nodes, and this loop, can be named.
    pub(super) fn names_of(&self, needs: &BTreeSet<usize>, repeat: Option<usize>) -> Value {
        let mut names = self.run.names();
        names["vars"] = json!(self.vars);
        names["stage"] = json!({ "id": self.lane.id, "provider": self.lane.provider });
        names["nodes"] = json!({});
        for need in needs.iter().copied() {
            let Some(ended) = self.ended(need) else { continue };
            let mut shown = json!({ "status": status(&ended.how) });
            if let How::Completed(output) = &ended.how {
                shown["output"] = output.clone();
            }
            if ended.has_failed() {
                shown["error"] = json!({ "class": error(&ended.how) });
            }
            let node = &self.profile.graph[need];
            if matches!(node.node, Node::Foreach(_)) {
                shown["errors"] = ended.errors.iter().map(item_failure).collect();
            }
            if let Some((number, _)) = self.loops.get(&need) {
                shown["iterations"] = (number + 1).into();
            }
            for name in [Some(&node.id), node.out.as_ref()].into_iter().flatten() {
                names["nodes"][name.as_str()] = shown.clone();
            }
        }
        if let Some((_, previous)) = repeat.and_then(|repeat| self.loops.get(&repeat)) {
            names["previous"] = previous.clone();
        }
        names
    }

    /// The value of a name.
    pub(super) fn named(&self, name: &str, within: Within<'_>) -> Option<Value> {
        if name == "item" {
            return self.item(within).cloned();
        }
        self.output_of(find(&self.profile, name).unwrap())
    }

    /// A node that reads why others failed, of which that is open, leaves the outcome of the run open.
    pub(super) fn check_reads(&self, node: &GraphNode, needs: &BTreeSet<usize>) {
        for need in needs.iter().copied() {
            let Some(ended) = self.ended(need) else { continue };
            let is_open = [
                ("error", ended.how == How::Failed(None)),
                ("errors", ended.errors.iter().any(|(_, class)| class.is_none())),
            ];
            let other = &self.profile.graph[need];
            for name in [Some(&other.id), other.out.as_ref()].into_iter().flatten() {
                for (what, _) in is_open.iter().filter(|(_, is_open)| *is_open) {
                    let read = format!("nodes.{name}.{what}");
                    if mentions(&text(node), &read) {
                        self.run.is_open(format!("{read} is read"));
                    }
                }
            }
        }
    }
}

/// An item that failed, as expressions see it.
pub(super) fn item_failure((items, class): &(Vec<u32>, Option<FailureClass>)) -> Value {
    // Where several nodes of a graph fail, the order of what happens at once decides.
    let class = class.map_or_else(|| OPEN.into(), |class| json!(class));
    let mut shown = json!({ "index": items[0], "class": class });
    if items.len() > 1 {
        shown["inner"] = json!(items[1..]);
    }
    shown
}
