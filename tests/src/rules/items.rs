//! The rules of the graphs that are run for the items of a `foreach`.

use std::collections::BTreeSet;

use serde_json::Value;
use workflow_core::definition::Node;
use workflow_core::ids::NodePath;

use super::graph::{self, Graph};
use super::{Checked, Log, Node as NodeLog, rule};

impl Log<'_> {
    /// A node in the graph of an item may begin: it is the turn of the item.
    pub(super) fn check_in_item(&self, graph: &Graph<'_>, item: &NodePath) -> Checked {
        let foreach = item.parent().unwrap();
        let node = self.nodes.get(&foreach).filter(|node| !node.has_ended());
        let items = node.and_then(|node| node.items.as_ref()).ok_or("an item is one of a `foreach`")?;
        let number = item.items[0];
        rule((number as usize) < items.len(), "an item is one of the existing items")?;
        let ended = |path: &NodePath| self.nodes.get(path).is_some_and(NodeLog::has_ended);
        rule(!ended(item), "no node starts in an item that has ended")?;
        rule(!self.has_failed_in(item), "after a failure no node starts in an item")?;
        let Some(Node::Foreach(spec)) = graph.what(&foreach) else { unreachable!() };
        let limit = graph::concurrency(spec);
        let before = (0..number).map(|number| foreach.item(number));
        rule(limit > 1 || before.into_iter().all(|item| ended(&item)), "sequential items keep their order")?;
        let open = self.of_lane(item.lane).filter_map(|(path, _)| path.owner());
        let open: BTreeSet<_> = open.filter(|other| other.node == item.node && !ended(other)).collect();
        rule(open.len() < limit || open.contains(item), "the number of parallel items is limited")?;
        let wished = graph::when(&spec.run).is_none_or(|_| graph.writes() || !self.is_not_wished(item));
        self.told(wished, "an item with a reason to be skipped is skipped")
    }

    /// Whether a node has failed for its lane.
    pub(super) fn has_failed(&self, lane: u32) -> bool {
        let is_own = |path: &NodePath| self.graphs[&path.stage].item_around(path).is_none();
        self.of_lane(lane).any(|(path, node)| node.fails_lane() && is_own(path))
    }

    /// Whether a node has failed for the item in whose graph the node at `path` is.
    pub(super) fn has_item_failed(&self, path: &NodePath) -> bool {
        let graph = self.graphs.get(&path.stage);
        graph.and_then(|graph| graph.item_around(path)).is_some_and(|item| self.has_failed_in(&item))
    }

    fn has_failed_in(&self, item: &NodePath) -> bool {
        self.of_body(item).any(|(_, node)| node.fails_lane())
    }

    /// How many calls are running in the item that is at `path` or has it in its graph, or else in the lane.
    pub(super) fn running_beside(&self, path: &NodePath) -> usize {
        let is_item = matches!(self.what(path), Some(Node::Graph(_)));
        let around = self.graphs[&path.stage].item_around(path);
        match around.or_else(|| is_item.then(|| path.clone())) {
            Some(item) => self.of_body(&item).filter(|(_, node)| node.running).count(),
            None => self.running_in(path.lane),
        }
    }

    /// The graph of an item ends, with this output.
    pub(super) fn output_of_item(&self, graph: &Graph<'_>, item: &NodePath) -> Result<Value, &'static str> {
        let place = graph.place(item.node.as_str()).unwrap();
        let first = item_node(graph, item, place);
        let ended =
            |place| self.at(graph, &first, place).is_some_and(|node| node.has_ended() && !node.fails_lane());
        rule(graph.body(place).all(ended), "an item ends when the last node of its graph has ended")?;
        Ok(self.output_of_body(graph, &first, place))
    }

    /// The partial output of an item whose graph failed.
    pub(super) fn left_of_item(&self, item: &NodePath) -> Value {
        let nodes = self.of_body(item).filter(|(path, _)| path.items.is_empty());
        let left = nodes.map(|(path, _)| (path.node.to_string(), self.left_of(path)));
        let mut left: Vec<_> = left.filter(|(_, left)| !left.is_null()).collect();
        match left.len() {
            0 | 1 => left.pop().map(|(_, left)| left).unwrap_or_default(),
            _ => Value::Object(left.into_iter().collect()),
        }
    }
}

/// The path of a node in the graph of an item of the `foreach` at `place`.
fn item_node(graph: &Graph<'_>, item: &NodePath, place: usize) -> NodePath {
    let first = graph.body(place).next().unwrap();
    item.inside(&graph.nodes[first].id).unwrap()
}
