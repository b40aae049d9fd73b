//! The state of a lane: of its one node, or of its graph.

use std::sync::Arc;

use indexmap::map::raw_entry_v1::{RawEntryApiV1 as _, RawEntryMut};

use crate::data::{Data, Elements};
use crate::event::LaneOutput;
use crate::failure::Failure;
use crate::ids::{NodePath, Within};
use crate::machine::state::derived::Derived;
use crate::machine::state::node::{GraphState, NodeState};
use crate::status::StageStatus;

/// One lane of a stage: one provider's pass. For a lane without a graph this is the state of its one
/// node, and `graph` is absent.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneState {
    /// The status of the lane as a whole.
    pub whole: NodeState,
    /// The nodes of its graph, once it has begun.
    pub(in crate::machine) graph: Option<Box<GraphState>>,
}

impl LaneState {
    pub(in crate::machine) const UNSTARTED: Self = Self { whole: NodeState::UNSTARTED, graph: None };

    /// The graph in which the node at `path` is: its own, or that of an item.
    #[inline]
    pub(in crate::machine) fn graph_at(&self, path: &NodePath) -> Option<&GraphState> {
        let graph = self.graph.as_deref()?;
        match &path.within {
            None => Some(graph),
            Some(within) => graph.body(within),
        }
    }

    /// The same, to be changed.
    #[inline]
    pub(in crate::machine) fn graph_at_mut(&mut self, path: &NodePath) -> Option<&mut GraphState> {
        let graph = self.graph.as_deref_mut()?;
        match &path.within {
            None => Some(graph),
            Some(within) => graph.body_mut(within),
        }
    }

    /// The node, or the item, at `path`, if it has events and is not an item that has succeeded.
    pub(in crate::machine) fn node(&self, path: &NodePath) -> Option<&NodeState> {
        match &self.graph {
            None => Some(&self.whole).filter(|_| path.items.is_empty()),
            Some(_) => self.graph_at(path)?.nodes.get(&path.node)?.below(&path.items),
        }
    }

    /// The same, to be changed.
    pub(in crate::machine) fn known_mut(&mut self, path: &NodePath) -> Option<&mut NodeState> {
        match &mut self.graph {
            None => Some(&mut self.whole).filter(|_| path.items.is_empty()),
            Some(_) => self.graph_at_mut(path)?.nodes.get_mut(&path.node)?.known_below(&path.items),
        }
    }

    /// The `foreach` that the item at `path` belongs to.
    pub(in crate::machine) fn foreach(&self, path: &NodePath) -> Option<&NodeState> {
        let (_, above) = path.items.split_last()?;
        self.graph_at(path)?.nodes.get(&path.node)?.below(above)
    }

    /// The same, to be changed.
    pub(in crate::machine) fn foreach_mut(&mut self, path: &NodePath) -> Option<&mut NodeState> {
        let (_, above) = path.items.split_last()?;
        self.graph_at_mut(path)?.nodes.get_mut(&path.node)?.known_below(above)
    }

    /// The items of the innermost `foreach` at `path`, and which of them it is.
    pub(in crate::machine) fn item(&self, path: &NodePath) -> Option<(&Elements, usize)> {
        let Some(item) = path.items.last() else { return self.item_of_body(path.within.as_deref()?) };
        Some((&self.foreach(path)?.items.as_ref()?.items, *item as usize))
    }

    /// The item in whose graph a node is.
    #[cold]
    fn item_of_body(&self, within: &Within) -> Option<(&Elements, usize)> {
        let graph = self.graph.as_ref().filter(|graph| graph.repeat(&within.node).is_none())?;
        Some((&graph.nodes.get(&within.node)?.items.as_ref()?.items, within.number as usize))
    }

    pub(in crate::machine) fn node_mut(&mut self, path: &NodePath) -> Result<&mut NodeState, &'static str> {
        match &mut self.graph {
            None if path.items.is_empty() => Ok(&mut self.whole),
            None => Err("the node has no items"),
            Some(graph) => {
                let graph = match &path.within {
                    None => &mut **graph,
                    Some(within) => graph.admit(path, within)?,
                };
                // Usually it exists, and the id need not be cloned. It is hashed once.
                let node = match graph.nodes.raw_entry_mut_v1().from_key(&path.node) {
                    RawEntryMut::Occupied(node) => node.into_mut(),
                    RawEntryMut::Vacant(none) => none.insert(path.node.clone(), NodeState::UNSTARTED).1,
                };
                node.below_mut(&path.items)
            }
        }
    }

    /// A node, or an item, has failed with the event of the number `seq`, and the lane continues.
    pub(in crate::machine) fn continue_after(&mut self, path: &NodePath, seq: u64, error: &Arc<Failure>) {
        let Some(node) = self.graph_at_mut(path).and_then(|graph| graph.nodes.get_mut(&path.node)) else {
            return;
        };
        let tried = node.tried.get_or_insert_default();
        if path.items.is_empty() {
            tried.continues = true;
        } else {
            tried.items.insert(path.items.as_slice().into(), error.clone());
            self.fold_item(path, seq);
        }
    }

    /// Of an item that has ended, only the number of the event is kept.
    pub(in crate::machine) fn fold_item(&mut self, path: &NodePath, seq: u64) {
        let foreach = self.foreach_mut(path).and_then(|node| node.items.as_mut());
        if let (Some(items), Some(item)) = (foreach, path.items.last()) {
            items.end(*item, seq);
        }
    }

    /// The lane's output, made of outputs of its nodes.
    pub(in crate::machine) fn output_of(&self, of: &LaneOutput) -> Data {
        let Some(graph) = &self.graph else { return Data::NULL };
        graph.output_of(of)
    }

    /// The output of a lane that succeeded; of another null.
    pub(in crate::machine) fn result(&self) -> &Data {
        const NULL: &Data = &Data::NULL;
        if self.whole.status == StageStatus::Completed { &self.whole.output } else { NULL }
    }

    /// The output of a lane that fails: that of its failed node, or an object with those of several.
    pub(in crate::machine) fn output_in_vain(&self) -> Data {
        let Some(graph) = &self.graph else { return self.whole.output.clone() };
        graph.output_in_vain()
    }

    /// The usage of its nodes belongs to another run.
    pub(in crate::machine) fn begin_spending(&mut self) {
        self.whole.begin_spending();
        if let Some(graph) = &mut self.graph {
            graph.begin_spending();
        }
    }

    /// Nothing more happens to it: its stage has ended.
    pub(in crate::machine) fn close(&mut self) {
        self.whole.close();
        if let Some(graph) = &mut self.graph {
            graph.work = Derived::default();
            graph.nodes.values_mut().for_each(NodeState::close);
        }
    }
}
