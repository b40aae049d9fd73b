//! The state of a lane: of its one node, or of its graph.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use jiff::Timestamp;

use super::budget::Live;
use super::work::{Derived, GraphWork, ItemsWork};
use crate::data::{Data, Elements};
use crate::event::LaneOutput;
use crate::failure::Failure;
use crate::ids::{NodeId, NodePath, RoleId};
use crate::status::StageStatus;
use crate::usage::Spent;

/// One lane of a stage: one provider's pass. For a lane without a graph this is the state of its one
/// node, and `graph` is absent.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneState {
    /// How the lane stands as a whole.
    pub whole: NodeState,
    /// The nodes of its graph, once it has begun.
    pub(super) graph: Option<Box<GraphState>>,
}

/// One node of a lane, or what a `foreach` node does for one item.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeState {
    /// Where it stands.
    pub status: StageStatus,
    /// The number of the last attempt; 0 before the first. Of a lane with a graph: how many attempts its
    /// nodes have made.
    pub attempt: u32,
    /// How many attempts have failed in a way that counts against the retries.
    pub failures: u32,
    /// How many attempts were followed by one that mends their output.
    pub repairs: u32,
    /// When it is tried again.
    pub retry_at: Option<Timestamp>,
    /// The provider of the last attempt.
    pub provider: Option<Arc<str>>,
    /// The role of the last attempt.
    pub role: Option<RoleId>,
    /// The output, once it has succeeded; after a failed attempt what that gave, and null where that is nothing.
    pub output: Data,
    /// The last failure.
    pub error: Option<Arc<Failure>>,
    /// The provider's session, once known.
    pub session: Option<Arc<str>>,
    /// When the first attempt started.
    pub started_at: Option<Timestamp>,
    /// When the last attempt ended.
    pub ended_at: Option<Timestamp>,
    /// What is known of its attempts once one did not succeed: mostly there is none.
    pub(super) tried: Option<Box<Tried>>,
    /// What the call that runs has said of its usage, and whether it was stopped for it.
    pub(super) live: Derived<Box<Live>>,
    /// Whether a person has agreed to it, or has answered it.
    pub(super) approved: bool,
    /// Whether the session is that of its last attempt, rather than of one before it.
    pub(super) in_session: bool,
    /// Whether the attempt that is under way, or the next, goes on in the session of one that was interrupted, also
    /// where its calls have sessions of their own.
    pub(super) resumes: bool,
    /// The items of a `foreach` node that has begun.
    pub(super) items: Option<Box<ItemsState>>,
}

/// What is known of the attempts at a node once one did not succeed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tried {
    /// When the attempt that is under way started.
    pub at: Option<Timestamp>,
    /// What the attempts that did not succeed used.
    pub spent: Spent,
    /// Whether the last failure was one in the session that it goes on in.
    pub session_failed: bool,
    /// How many attempts in a row were interrupted by the death of their driver. A result, a failure and a
    /// person's decision end the row; an interruption in order, by a shutdown, does not count.
    pub deaths: u32,
}

/// The nodes of a lane's graph.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct GraphState {
    /// Those that something has happened to.
    pub nodes: IndexMap<NodeId, NodeState, RandomState>,
    /// How many calls are running, those of items included.
    pub running: u32,
    /// How many nodes and items have failed for good.
    pub failed: u32,
    pub work: Derived<GraphWork>,
}

/// The items of a `foreach` node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ItemsState {
    pub items: Elements,
    /// For each item up to the last that has ended well, the number of the event that says so, or 0.
    pub ended: Vec<u64>,
    /// How many items have ended well.
    pub done: u32,
    /// The items that something has happened to and that have not ended well.
    pub open: BTreeMap<u32, NodeState>,
    pub work: Derived<ItemsWork>,
}

impl NodeState {
    pub(super) const UNSTARTED: Self = Self {
        status: StageStatus::Pending,
        attempt: 0,
        failures: 0,
        repairs: 0,
        retry_at: None,
        provider: None,
        role: None,
        output: Data::NULL,
        error: None,
        session: None,
        started_at: None,
        ended_at: None,
        tried: None,
        live: Derived(None),
        approved: false,
        in_session: false,
        resumes: false,
        items: None,
    };

    /// From the first attempt's start to the last one's end, in milliseconds.
    pub fn duration_ms(&self) -> Option<i64> {
        let (from, to) = self.started_at.zip(self.ended_at)?;
        i64::try_from(to.duration_since(from).as_millis()).ok()
    }

    /// What a node that failed has given: its output, or of a `foreach` that of its item that failed, or an
    /// array of those of several.
    fn output_in_vain(&self) -> Data {
        if self.status != StageStatus::Failed {
            return Data::NULL;
        }
        let Some(items) = &self.items else {
            // What a person answered is not what a call gave.
            return if self.provider.is_some() { self.output.clone() } else { Data::NULL };
        };
        let given = items.open.values().map(Self::output_in_vain).filter(|output| !output.is_null());
        match given.collect::<Vec<_>>().as_slice() {
            [] => Data::NULL,
            [output] => output.clone(),
            several => Data::array(several),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(
            self.status,
            StageStatus::Completed | StageStatus::Skipped | StageStatus::Failed | StageStatus::Cancelled
        )
    }

    /// How many attempts in a row were interrupted by the death of their driver.
    pub(super) fn deaths(&self) -> u32 {
        self.tried.as_ref().map_or(0, |tried| tried.deaths)
    }

    /// What its attempts that did not succeed have used.
    pub(super) fn spent(&self) -> Spent {
        self.tried.as_ref().map(|tried| tried.spent).unwrap_or_default()
    }

    /// The next attempt starts.
    pub(super) fn start(&mut self, at: Timestamp) {
        self.started_at = self.started_at.or(Some(at));
        self.in_session = self.resumes;
        if let Some(tried) = &mut self.tried {
            tried.at = Some(at);
        }
    }

    /// When the attempt that is under way began.
    pub(super) fn began(&self) -> Option<Timestamp> {
        self.tried.as_ref().map_or(self.started_at, |tried| tried.at)
    }

    /// The attempt that is under way ends at `at`: how long it took. None where none is under way: a person has
    /// said what became of one that was counted when it was interrupted. The first attempt began when the node did.
    pub(super) fn took(&mut self, at: Timestamp) -> Option<u64> {
        let began = match &mut self.tried {
            Some(tried) => tried.at.take(),
            None => self.started_at,
        };
        self.live = Derived(None);
        Some(u64::try_from(at.duration_since(began?).as_millis()).unwrap_or(0))
    }

    /// Completes, or skips, with the event of the number `seq`.
    pub(super) fn end(&mut self, status: StageStatus, output: Data, at: Timestamp) {
        self.status = status;
        self.output = output;
        self.ended_at = Some(at);
        self.error = None;
        self.retry_at = None;
    }

    /// Nothing more happens to it: its stage has ended.
    pub(super) fn close(&mut self) {
        self.retry_at = None;
        self.status = match self.status {
            StageStatus::Pending | StageStatus::Queued | StageStatus::Waiting if self.attempt == 0 => {
                StageStatus::Skipped
            }
            // Interrupted, and not wanted any more before it could run again.
            StageStatus::Pending | StageStatus::Queued | StageStatus::Retrying if self.error.is_none() => {
                StageStatus::Cancelled
            }
            StageStatus::Pending | StageStatus::Queued | StageStatus::Retrying => StageStatus::Failed,
            // A lane with a graph, or a `foreach`; or a question about a call that was interrupted.
            StageStatus::Running | StageStatus::Waiting => StageStatus::Cancelled,
            ended => ended,
        };
        if let Some(items) = &mut self.items {
            items.work = Derived::default();
            items.open.values_mut().for_each(Self::close);
        }
    }

    /// What it used was another run's.
    fn begin_spending(&mut self) {
        if let Some(tried) = &mut self.tried {
            (tried.spent, tried.deaths) = (Spent::default(), 0);
        }
        if let Some(items) = &mut self.items {
            items.open.values_mut().for_each(Self::begin_spending);
        }
    }

    /// The state of the item at `items` below this node; of this node for none.
    fn below(&self, items: &[u32]) -> Option<&Self> {
        items.iter().try_fold(self, |node, item| node.items.as_ref()?.open.get(item))
    }

    /// The same, to be changed.
    fn known_below(&mut self, items: &[u32]) -> Option<&mut Self> {
        items.iter().try_fold(self, |node, item| node.items.as_mut()?.open.get_mut(item))
    }

    /// The same, and an item that nothing has happened to yet is added.
    fn below_mut(&mut self, items: &[u32]) -> Result<&mut Self, &'static str> {
        items.iter().try_fold(self, |node, item| {
            let items = node.items.as_mut().ok_or("the node has no items")?;
            if *item as usize >= items.items.len() {
                return Err("the node has fewer items");
            }
            if items.has_ended(*item) {
                return Err("the item has ended already");
            }
            Ok(items.open.entry(*item).or_insert(Self::UNSTARTED))
        })
    }
}

impl ItemsState {
    pub(super) fn new(items: Elements) -> Self {
        Self { items, ended: Vec::new(), done: 0, open: BTreeMap::new(), work: Derived::default() }
    }

    /// How many items there are.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.items.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn has_ended(&self, item: u32) -> bool {
        self.ended.get(item as usize).is_some_and(|seq| *seq > 0)
    }

    fn end(&mut self, item: u32, seq: u64) {
        self.open.remove(&item);
        let place = item as usize;
        if self.ended.len() <= place {
            self.ended.resize(place + 1, 0);
        }
        self.ended[place] = seq;
        self.done += 1;
    }
}

impl LaneState {
    pub(super) const UNSTARTED: Self = Self { whole: NodeState::UNSTARTED, graph: None };

    /// The node, or the item, at `path`, where something has happened to it and it is no item that has
    /// ended well.
    pub(super) fn node(&self, path: &NodePath) -> Option<&NodeState> {
        match &self.graph {
            None => Some(&self.whole).filter(|_| path.items.is_empty()),
            Some(graph) => graph.nodes.get(&path.node)?.below(&path.items),
        }
    }

    /// The same, to be changed.
    pub(super) fn known_mut(&mut self, path: &NodePath) -> Option<&mut NodeState> {
        match &mut self.graph {
            None => Some(&mut self.whole).filter(|_| path.items.is_empty()),
            Some(graph) => graph.nodes.get_mut(&path.node)?.known_below(&path.items),
        }
    }

    /// The `foreach` that the item at `path` belongs to.
    pub(super) fn foreach(&self, path: &NodePath) -> Option<&NodeState> {
        let (_, above) = path.items.split_last()?;
        self.graph.as_ref()?.nodes.get(&path.node)?.below(above)
    }

    /// The same, to be changed.
    pub(super) fn foreach_mut(&mut self, path: &NodePath) -> Option<&mut NodeState> {
        let (_, above) = path.items.split_last()?;
        self.graph.as_mut()?.nodes.get_mut(&path.node)?.known_below(above)
    }

    /// The items of the innermost `foreach` at `path`, and which of them it is.
    pub(super) fn item(&self, path: &NodePath) -> Option<(&Elements, usize)> {
        let item = *path.items.last()? as usize;
        Some((&self.foreach(path)?.items.as_ref()?.items, item))
    }

    pub(super) fn node_mut(&mut self, path: &NodePath) -> Result<&mut NodeState, &'static str> {
        match &mut self.graph {
            None if path.items.is_empty() => Ok(&mut self.whole),
            None => Err("the node has no items"),
            Some(graph) => {
                // Mostly it is there, and the id need not be cloned.
                let place = match graph.nodes.get_index_of(&path.node) {
                    Some(place) => place,
                    None => graph.nodes.insert_full(path.node.clone(), NodeState::UNSTARTED).0,
                };
                let (_, node) = graph.nodes.get_index_mut(place).ok_or("the node is not there")?;
                node.below_mut(&path.items)
            }
        }
    }

    /// An item that has ended well is kept as the number of the event alone.
    pub(super) fn fold_item(&mut self, path: &NodePath, seq: u64) {
        let foreach = self.foreach_mut(path).and_then(|node| node.items.as_mut());
        if let (Some(items), Some(item)) = (foreach, path.items.last()) {
            items.end(*item, seq);
        }
    }

    /// The lane's output, made of outputs of its nodes.
    pub(super) fn output_of(&self, of: &LaneOutput) -> Data {
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
    pub(super) fn result(&self) -> &Data {
        const NULL: &Data = &Data::NULL;
        if self.whole.status == StageStatus::Completed { &self.whole.output } else { NULL }
    }

    /// What a lane that fails has given: the output of its node that failed, or an object with those of
    /// several.
    pub(super) fn output_in_vain(&self) -> Data {
        let Some(graph) = &self.graph else { return self.whole.output.clone() };
        let nodes = graph.nodes.iter().map(|(id, node)| (id.as_str(), node.output_in_vain()));
        let given: Vec<_> = nodes.filter(|(_, output)| !output.is_null()).collect();
        match given.as_slice() {
            [] => Data::NULL,
            [(_, output)] => output.clone(),
            given => Data::object(given.iter().map(|(id, output)| (*id, output))),
        }
    }

    /// What its nodes used was another run's.
    pub(super) fn begin_spending(&mut self) {
        self.whole.begin_spending();
        if let Some(graph) = &mut self.graph {
            graph.nodes.values_mut().for_each(NodeState::begin_spending);
        }
    }

    /// Nothing more happens to it: its stage has ended.
    pub(super) fn close(&mut self) {
        self.whole.close();
        if let Some(graph) = &mut self.graph {
            graph.work = Derived::default();
            graph.nodes.values_mut().for_each(NodeState::close);
        }
    }
}
