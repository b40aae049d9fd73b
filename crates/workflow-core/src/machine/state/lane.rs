//! The state of a lane: of its one node, or of its graph.

use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use indexmap::map::raw_entry_v1::{RawEntryApiV1 as _, RawEntryMut};

use crate::data::{Data, Elements};
use crate::event::LaneOutput;
use crate::failure::Failure;
use crate::ids::{NodeId, NodePath, Within};
use crate::machine::state::derived::{Derived, GraphWork};
use crate::machine::state::node::NodeState;
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

/// The nodes of a lane's graph.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::machine) struct GraphState {
    /// The nodes that have events.
    pub nodes: IndexMap<NodeId, NodeState, RandomState>,
    /// How many calls are running, those of items included.
    pub running: u32,
    /// How many nodes and items have failed for good.
    pub failed: u32,
    /// The loops that have begun.
    pub loops: Option<Box<Loops>>,
    pub work: Derived<GraphWork>,
}

/// The loops of a graph that have begun.
pub(in crate::machine) type Loops = IndexMap<NodeId, LoopState, RandomState>;

/// A loop that has begun.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::machine) struct LoopState {
    /// The iteration that is under way, or was the last, counted from 0.
    pub number: u32,
    /// The nodes of its body that have events in this iteration. Their states are beside those of all others.
    pub nodes: Vec<NodeId>,
    /// The nodes of its body as the iteration before left them.
    pub previous: IndexMap<NodeId, NodeState, RandomState>,
}

impl GraphState {
    /// Makes room for that many nodes: their states are large, and are not moved while the map grows.
    pub(in crate::machine) fn expect_nodes(&mut self, nodes: usize) {
        self.nodes.reserve(nodes.saturating_sub(self.nodes.len()));
    }

    /// The loop with that id, if it has begun.
    pub(in crate::machine) fn repeat(&self, id: &NodeId) -> Option<&LoopState> {
        self.loops.as_ref()?.get(id)
    }

    /// Whether a path is not in the body of a loop, or in the iteration that is under way.
    #[inline]
    pub(in crate::machine) fn has(&self, path: &NodePath) -> bool {
        path.within.is_none() || self.has_within(path)
    }

    #[cold]
    fn has_within(&self, path: &NodePath) -> bool {
        path.within.as_ref().is_some_and(|within| {
            self.repeat(&within.node).is_some_and(|repeat| repeat.number == within.number)
        })
    }

    /// The iteration of the loop in whose body a node is that has events.
    pub(in crate::machine) fn within(&self, id: &NodeId) -> Option<Box<Within>> {
        let (node, repeat) = self.loops.as_ref()?.iter().find(|(_, repeat)| repeat.nodes.contains(id))?;
        Some(Box::new(Within { node: node.clone(), number: repeat.number }))
    }

    /// Something happens to a node in the body of a loop.
    fn admit(&mut self, path: &NodePath) -> Result<(), &'static str> {
        let Some(within) = &path.within else { return Ok(()) };
        let repeat = self.loops.as_mut().and_then(|loops| loops.get_mut(&within.node));
        let repeat = repeat.filter(|repeat| repeat.number == within.number);
        let repeat = repeat.ok_or("that iteration of the loop is not under way")?;
        if !repeat.nodes.contains(&path.node) {
            repeat.nodes.push(path.node.clone());
        }
        Ok(())
    }

    /// An iteration of the loop `id` begins: its nodes have no events yet.
    pub(in crate::machine) fn iterate(&mut self, id: &NodeId, number: u32) -> Result<(), &'static str> {
        let loops = self.loops.get_or_insert_default();
        if number == 0 {
            loops.insert(id.clone(), LoopState::default());
            return Ok(());
        }
        let repeat = loops.get_mut(id).filter(|repeat| repeat.number + 1 == number);
        let repeat = repeat.ok_or("an iteration of a loop follows the one before")?;
        repeat.number = number;
        repeat.previous.clear();
        for id in std::mem::take(&mut repeat.nodes) {
            if let Some(node) = self.nodes.shift_remove(&id) {
                repeat.previous.insert(id, node);
            }
        }
        Ok(())
    }
}

impl LaneState {
    pub(in crate::machine) const UNSTARTED: Self = Self { whole: NodeState::UNSTARTED, graph: None };

    /// The node, or the item, at `path`, if it has events and is not an item that has succeeded.
    pub(in crate::machine) fn node(&self, path: &NodePath) -> Option<&NodeState> {
        match &self.graph {
            None => Some(&self.whole).filter(|_| path.items.is_empty()),
            Some(graph) if !graph.has(path) => None,
            Some(graph) => graph.nodes.get(&path.node)?.below(&path.items),
        }
    }

    /// The same, to be changed.
    pub(in crate::machine) fn known_mut(&mut self, path: &NodePath) -> Option<&mut NodeState> {
        match &mut self.graph {
            None => Some(&mut self.whole).filter(|_| path.items.is_empty()),
            Some(graph) if !graph.has(path) => None,
            Some(graph) => graph.nodes.get_mut(&path.node)?.known_below(&path.items),
        }
    }

    /// The `foreach` that the item at `path` belongs to.
    pub(in crate::machine) fn foreach(&self, path: &NodePath) -> Option<&NodeState> {
        let (_, above) = path.items.split_last()?;
        self.graph.as_ref()?.nodes.get(&path.node)?.below(above)
    }

    /// The same, to be changed.
    pub(in crate::machine) fn foreach_mut(&mut self, path: &NodePath) -> Option<&mut NodeState> {
        let (_, above) = path.items.split_last()?;
        self.graph.as_mut()?.nodes.get_mut(&path.node)?.known_below(above)
    }

    /// The items of the innermost `foreach` at `path`, and which of them it is.
    pub(in crate::machine) fn item(&self, path: &NodePath) -> Option<(&Elements, usize)> {
        let item = *path.items.last()? as usize;
        Some((&self.foreach(path)?.items.as_ref()?.items, item))
    }

    pub(in crate::machine) fn node_mut(&mut self, path: &NodePath) -> Result<&mut NodeState, &'static str> {
        match &mut self.graph {
            None if path.items.is_empty() => Ok(&mut self.whole),
            None => Err("the node has no items"),
            Some(graph) => {
                graph.admit(path)?;
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
        let Some(node) = self.graph.as_mut().and_then(|graph| graph.nodes.get_mut(&path.node)) else {
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
        match of {
            LaneOutput::Node(id) => graph.nodes.get(id).map(|node| node.output.clone()).unwrap_or_default(),
            LaneOutput::Nodes(ids) if ids.is_empty() => Data::NULL,
            LaneOutput::Nodes(ids) => {
                let nodes = ids.iter().filter_map(|id| Some((id.as_str(), &graph.nodes.get(id)?.output)));
                Data::object(nodes)
            }
        }
    }

    /// The output of a lane that succeeded; of another null.
    pub(in crate::machine) fn result(&self) -> &Data {
        const NULL: &Data = &Data::NULL;
        if self.whole.status == StageStatus::Completed { &self.whole.output } else { NULL }
    }

    /// The output of a lane that fails: that of its failed node, or an object with those of several.
    pub(in crate::machine) fn output_in_vain(&self) -> Data {
        let Some(graph) = &self.graph else { return self.whole.output.clone() };
        let nodes = graph.nodes.iter().map(|(id, node)| (id.as_str(), node.output_in_vain()));
        let given: Vec<_> = nodes.filter(|(_, output)| !output.is_null()).collect();
        match given.as_slice() {
            [] => Data::NULL,
            [(_, output)] => output.clone(),
            given => Data::object(given.iter().map(|(id, output)| (*id, output))),
        }
    }

    /// The usage of its nodes belongs to another run.
    pub(in crate::machine) fn begin_spending(&mut self) {
        self.whole.begin_spending();
        if let Some(graph) = &mut self.graph {
            graph.nodes.values_mut().for_each(NodeState::begin_spending);
            let loops = graph.loops.iter_mut().flat_map(|loops| loops.values_mut());
            loops.flat_map(|repeat| repeat.previous.values_mut()).for_each(NodeState::begin_spending);
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
