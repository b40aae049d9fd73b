//! The state of a node, and of the items of a `foreach` node.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use jiff::Timestamp;

use crate::data::{Data, Elements};
use crate::event::{ChildStarted, LaneOutput};
use crate::failure::{Failure, ItemFailure};
use crate::ids::{NodeId, NodePath, RoleId, Within};
use crate::machine::state::derived::{Derived, GraphWork, ItemsWork, Live};
use crate::provider::GivenAnswer;
use crate::status::StageStatus;
use crate::usage::{Spent, Usage};

/// One node of a lane, or what a `foreach` node does for one item.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeState {
    /// The status of the node.
    pub status: StageStatus,
    /// The number of the last attempt; 0 before the first. Of a lane with a graph: how many attempts its
    /// nodes have made.
    pub attempt: u32,
    /// How many attempts have failed in a way that counts against the retries.
    pub failures: u32,
    /// How many attempts were followed by one that corrects their output.
    pub repairs: u32,
    /// When it is tried again; of a node that waits, until when.
    pub retry_at: Option<Timestamp>,
    /// The provider of the last attempt.
    pub provider: Option<Arc<str>>,
    /// The role of the last attempt.
    pub role: Option<RoleId>,
    /// The output, once it has succeeded; after a failed attempt that attempt's output, and null if there is
    /// none.
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
    pub(in crate::machine) tried: Option<Box<Tried>>,
    /// The usage that the running call has reported, and whether the call was stopped for it.
    pub(in crate::machine) live: Derived<Box<Live>>,
    /// Whether a person has agreed to it, or has answered it.
    pub(in crate::machine) approved: bool,
    /// Whether the session is that of its last attempt, rather than of one before it.
    pub(in crate::machine) in_session: bool,
    /// Whether the attempt that is under way, or the next, continues the session of one that was interrupted,
    /// even if its calls normally begin new sessions.
    pub(in crate::machine) resumes: bool,
    /// The items of a `foreach` node that has begun.
    pub(in crate::machine) items: Option<Box<ItemsState>>,
}

/// What is known of the attempts at a node once one did not succeed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::machine) struct Tried {
    /// When the attempt that is under way started.
    pub at: Option<Timestamp>,
    /// What the attempts that did not succeed used.
    pub spent: Spent,
    /// Whether the last failure occurred in the session that it continues.
    pub session_failed: bool,
    /// How many attempts in a row were interrupted by the death of their driver. A result, a failure and a
    /// person's decision end the row; an orderly interruption, by a shutdown, does not count.
    pub deaths: u32,
    /// What persons answered to questions of its calls.
    pub answers: Vec<GivenAnswer>,
    /// The signal that it waits for, or that it waited for.
    pub signal: Option<Arc<str>>,
    /// Whether its last failure is that a call was not allowed to start.
    pub refused: bool,
    /// Whether the lane continues although the node has failed.
    pub continues: bool,
    /// The run that its last attempt has started.
    pub child: Option<Box<ChildState>>,
    /// Of a `foreach` that continues: why items failed, by their numbers, the outermost first.
    pub items: BTreeMap<Box<[u32]>, Arc<Failure>>,
}

/// A run that a node has started.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::machine) struct ChildState {
    pub started: Arc<ChildStarted>,
    /// Whether it is known to have been created: if it does not exist, it was deleted.
    pub known: bool,
    /// Whether it has ended.
    pub ended: bool,
    /// Whether it exists, and had not ended when it was looked at.
    pub seen: Derived<()>,
}

impl ChildState {
    pub(super) fn new(started: Arc<ChildStarted>) -> Self {
        Self { started, known: false, ended: false, seen: Derived(None) }
    }
}

/// A provider's session, as a node left it last.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::machine) struct Session {
    pub id: Arc<str>,
    /// What the calls in it have used, as far as it is known.
    pub used: Option<Usage>,
}

/// The items of a `foreach` node.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::machine) struct ItemsState {
    pub items: Elements,
    /// For each item up to the last that has ended, the number of the event that says so, or 0. An item that fails has
    /// ended only if its node continues.
    pub ended: Vec<u64>,
    /// How many items have ended.
    pub done: u32,
    /// The items that have events and have not ended.
    pub open: BTreeMap<u32, NodeState>,
    /// Of an item, which has no items: the graph that is run for it.
    pub graph: Option<Box<GraphState>>,
    pub work: Derived<ItemsWork>,
}

/// The nodes of a graph: that of a lane, or of an item.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::machine) struct GraphState {
    /// The nodes that have events.
    pub nodes: IndexMap<NodeId, NodeState, RandomState>,
    /// Of a lane: how many calls are running, those of items included.
    pub running: u32,
    /// How many nodes and items have failed for good. An item whose graph has failed nodes fails by itself.
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

    /// The iteration of the loop in whose body a node is that has events.
    pub(in crate::machine) fn within(&self, id: &NodeId) -> Option<Box<Within>> {
        let (node, repeat) = self.loops.as_ref()?.iter().find(|(_, repeat)| repeat.nodes.contains(id))?;
        Some(Box::new(Within { node: node.clone(), number: repeat.number }))
    }

    /// The graph in which the nodes of an iteration, or of an item, are: this one, if the iteration of a loop is under way,
    /// or that of the item, if it has events and has not ended.
    #[cold]
    pub(in crate::machine) fn body(&self, within: &Within) -> Option<&Self> {
        match self.repeat(&within.node) {
            Some(repeat) => Some(self).filter(|_| repeat.number == within.number),
            None => self.item(within)?.items.as_ref()?.graph.as_deref(),
        }
    }

    /// The same, to be changed.
    #[cold]
    pub(super) fn body_mut(&mut self, within: &Within) -> Option<&mut Self> {
        if let Some(repeat) = self.repeat(&within.node) {
            return if repeat.number == within.number { Some(self) } else { None };
        }
        let items = self.nodes.get_mut(&within.node)?.items.as_mut()?;
        items.open.get_mut(&within.number)?.items.as_mut()?.graph.as_deref_mut()
    }

    fn item(&self, within: &Within) -> Option<&NodeState> {
        self.nodes.get(&within.node)?.items.as_ref()?.open.get(&within.number)
    }

    /// Something happens to a node in a body: the graph in which it is.
    #[cold]
    pub(super) fn admit(&mut self, path: &NodePath, within: &Within) -> Result<&mut Self, &'static str> {
        let Some(repeat) = self.loops.as_mut().and_then(|loops| loops.get_mut(&within.node)) else {
            let node = self.nodes.get_mut(&within.node).ok_or("the body has not begun")?;
            return node.graph_of_item(within.number);
        };
        if repeat.number != within.number {
            return Err("that iteration of the loop is not under way");
        }
        if !repeat.nodes.contains(&path.node) {
            repeat.nodes.push(path.node.clone());
        }
        Ok(self)
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

    /// An output that is made of outputs of its nodes.
    pub(in crate::machine) fn output_of(&self, of: &LaneOutput) -> Data {
        match of {
            LaneOutput::Node(id) => self.nodes.get(id).map(|node| node.output.clone()).unwrap_or_default(),
            LaneOutput::Nodes(ids) if ids.is_empty() => Data::NULL,
            LaneOutput::Nodes(ids) => {
                let nodes = ids.iter().filter_map(|id| Some((id.as_str(), &self.nodes.get(id)?.output)));
                Data::object(nodes)
            }
        }
    }

    /// The output of what fails because of its nodes: that of its failed node, or an object with those of several.
    pub(super) fn output_in_vain(&self) -> Data {
        let nodes = self.nodes.iter().map(|(id, node)| (id.as_str(), node.output_in_vain()));
        let given: Vec<_> = nodes.filter(|(_, output)| !output.is_null()).collect();
        match given.as_slice() {
            [] => Data::NULL,
            [(_, output)] => output.clone(),
            given => Data::object(given.iter().map(|(id, output)| (*id, output))),
        }
    }

    /// The usage of its nodes belongs to another run.
    pub(super) fn begin_spending(&mut self) {
        self.nodes.values_mut().for_each(NodeState::begin_spending);
        let loops = self.loops.iter_mut().flat_map(|loops| loops.values_mut());
        loops.flat_map(|repeat| repeat.previous.values_mut()).for_each(NodeState::begin_spending);
    }
}

impl NodeState {
    pub(in crate::machine) const UNSTARTED: Self = Self {
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

    /// Whether it failed because a call was not allowed to start: its own, or one of its items.
    pub(in crate::machine) fn was_refused(&self) -> bool {
        let of_items = self.items.as_ref().is_some_and(|items| {
            items.open.values().any(Self::was_refused)
                || items.graph.as_ref().is_some_and(|graph| graph.nodes.values().any(Self::was_refused))
        });
        of_items || (self.fails_lane() && self.tried.as_ref().is_some_and(|tried| tried.refused))
    }

    /// From the first attempt's start to the last one's end, in milliseconds.
    pub fn duration_ms(&self) -> Option<i64> {
        let (from, to) = self.started_at.zip(self.ended_at)?;
        i64::try_from(to.duration_since(from).as_millis()).ok()
    }

    /// The output of a node that failed: its own, or for a `foreach` that of its failed item, or an array of
    /// those of several.
    pub(super) fn output_in_vain(&self) -> Data {
        if !self.fails_lane() {
            return Data::NULL;
        }
        let Some(items) = &self.items else {
            // A person's answer is not the output of a call.
            return if self.provider.is_some() { self.output.clone() } else { Data::NULL };
        };
        if let Some(graph) = &items.graph {
            return graph.output_in_vain();
        }
        let given = items.open.values().map(Self::output_in_vain).filter(|output| !output.is_null());
        match given.collect::<Vec<_>>().as_slice() {
            [] => Data::NULL,
            [output] => output.clone(),
            several => Data::array(several),
        }
    }

    pub(in crate::machine) fn has_ended(&self) -> bool {
        matches!(
            self.status,
            StageStatus::Completed | StageStatus::Skipped | StageStatus::Failed | StageStatus::Cancelled
        )
    }

    /// Whether its lane fails because of it.
    pub(in crate::machine) fn fails_lane(&self) -> bool {
        self.status == StageStatus::Failed && !self.tried.as_ref().is_some_and(|tried| tried.continues)
    }

    /// Why items of it failed, if it continued.
    pub(in crate::machine) fn failed_items(&self) -> impl Iterator<Item = ItemFailure> {
        let items = self.tried.iter().flat_map(|tried| &tried.items);
        items.map(|(items, failure)| ItemFailure::new(items, failure))
    }

    pub(in crate::machine) fn is_running(&self, attempt: u32) -> bool {
        self.status == StageStatus::Running && self.attempt == attempt && self.items.is_none()
    }

    /// How many attempts in a row were interrupted by the death of their driver.
    pub(in crate::machine) fn deaths(&self) -> u32 {
        self.tried.as_ref().map_or(0, |tried| tried.deaths)
    }

    /// The run that its last attempt has started.
    pub(in crate::machine) fn last_child(&self) -> Option<&ChildState> {
        self.tried.as_ref()?.child.as_deref()
    }

    /// The run that it has started and waits for.
    pub(in crate::machine) fn child(&self) -> Option<&ChildState> {
        let child = self.tried.as_ref()?.child.as_deref();
        child.filter(|_| self.status == StageStatus::Running)
    }

    /// The same, to be changed.
    pub(in crate::machine) fn child_mut(&mut self) -> Option<&mut ChildState> {
        let child = self.tried.as_mut()?.child.as_deref_mut();
        child.filter(|_| self.status == StageStatus::Running)
    }

    /// The runs that it and what is below it have started exist.
    pub(super) fn know_children(&mut self) {
        if let Some(child) = self.child_mut() {
            child.known = true;
        }
        if let Some(items) = &mut self.items {
            let graph = items.graph.iter_mut().flat_map(|graph| graph.nodes.values_mut());
            items.open.values_mut().chain(graph).for_each(Self::know_children);
        }
    }

    /// What persons answered to questions of its calls.
    pub(in crate::machine) fn answers(&self) -> &[GivenAnswer] {
        self.tried.as_ref().map_or(&[], |tried| &tried.answers)
    }

    /// The signal that it waits for.
    pub(in crate::machine) fn waits_for(&self) -> Option<&Arc<str>> {
        let signal = self.tried.as_ref().and_then(|tried| tried.signal.as_ref());
        signal.filter(|_| self.status == StageStatus::Waiting)
    }

    /// What its attempts that did not succeed have used.
    pub(in crate::machine) fn spent(&self) -> Spent {
        self.tried.as_ref().map(|tried| tried.spent).unwrap_or_default()
    }

    /// The next attempt starts.
    pub(in crate::machine) fn start(&mut self, at: Timestamp) {
        self.started_at = self.started_at.or(Some(at));
        self.in_session = self.resumes;
        if let Some(tried) = &mut self.tried {
            tried.at = Some(at);
        }
    }

    /// When the attempt that is under way began.
    pub(in crate::machine) fn began(&self) -> Option<Timestamp> {
        self.tried.as_ref().map_or(self.started_at, |tried| tried.at)
    }

    /// The attempt that is under way ends at `at`: how long it took. None if no attempt is under way: a
    /// person has told the outcome of one that was counted when it was interrupted. The first attempt began
    /// when the node did.
    pub(in crate::machine) fn took(&mut self, at: Timestamp) -> Option<u64> {
        let began = match &mut self.tried {
            Some(tried) => tried.at.take(),
            None => self.started_at,
        };
        self.live = Derived(None);
        Some(u64::try_from(at.duration_since(began?).as_millis()).unwrap_or(0))
    }

    /// Completes, or skips, with the event of the number `seq`.
    pub(in crate::machine) fn end(&mut self, status: StageStatus, output: Data, at: Timestamp) {
        self.status = status;
        self.output = output;
        self.ended_at = Some(at);
        self.error = None;
        self.retry_at = None;
    }

    /// Nothing more happens to it: its stage has ended.
    pub(in crate::machine) fn close(&mut self) {
        self.retry_at = None;
        self.status = match self.status {
            // A node that waited for a time has begun.
            StageStatus::Waiting if self.started_at.is_some() => StageStatus::Cancelled,
            StageStatus::Pending | StageStatus::Queued | StageStatus::Waiting if self.attempt == 0 => {
                StageStatus::Skipped
            }
            // It was interrupted, and no longer needed before it could run again.
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
            items.graph.iter_mut().flat_map(|graph| graph.nodes.values_mut()).for_each(Self::close);
        }
    }

    /// What it used was another run's.
    pub(super) fn begin_spending(&mut self) {
        if let Some(tried) = &mut self.tried {
            (tried.spent, tried.deaths) = (Spent::default(), 0);
        }
        if let Some(items) = &mut self.items {
            items.open.values_mut().for_each(Self::begin_spending);
            items.graph.iter_mut().for_each(|graph| graph.begin_spending());
        }
    }

    /// The state of the item at `items` below this node; of this node for none.
    pub(in crate::machine) fn below(&self, items: &[u32]) -> Option<&Self> {
        items.iter().try_fold(self, |node, item| node.items.as_ref()?.open.get(item))
    }

    /// The same, to be changed.
    pub(super) fn known_below(&mut self, items: &[u32]) -> Option<&mut Self> {
        items.iter().try_fold(self, |node, item| node.items.as_mut()?.open.get_mut(item))
    }

    /// The graph of an item, which begins if nothing has happened to it yet.
    fn graph_of_item(&mut self, item: u32) -> Result<&mut GraphState, &'static str> {
        let item = self.below_mut(&[item])?;
        if item.has_ended() {
            return Err("the item has ended already");
        }
        item.status = StageStatus::Running;
        let none = || Data::array([]).elements().map(|none| Box::new(ItemsState::new(none)));
        let items = match item.items.take() {
            Some(items) => items,
            None => none().ok_or("no items")?,
        };
        Ok(item.items.insert(items).graph.get_or_insert_default())
    }

    /// Whether a call is running, by itself or below it.
    pub(in crate::machine) fn has_running(&self) -> bool {
        let Some(items) = &self.items else { return self.status == StageStatus::Running };
        let graph = items.graph.iter().flat_map(|graph| graph.nodes.values());
        items.open.values().chain(graph).any(Self::has_running)
    }

    /// How many nodes below it wait to be tried again.
    #[cold]
    pub(in crate::machine) fn retrying_below(&self) -> u32 {
        let Some(items) = &self.items else { return 0 };
        let graph = items.graph.iter().flat_map(|graph| graph.nodes.values());
        let below = items.open.values().chain(graph);
        below.map(|node| u32::from(node.status == StageStatus::Retrying) + node.retrying_below()).sum()
    }

    /// The same, and an item that nothing has happened to yet is added.
    pub(super) fn below_mut(&mut self, items: &[u32]) -> Result<&mut Self, &'static str> {
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
    pub(in crate::machine) fn new(items: Elements) -> Self {
        let (open, work) = (BTreeMap::new(), Derived::default());
        Self { items, ended: Vec::new(), done: 0, open, graph: None, work }
    }

    /// How many items there are.
    pub(in crate::machine) fn len(&self) -> u32 {
        u32::try_from(self.items.len()).unwrap_or(u32::MAX)
    }

    pub(in crate::machine) fn has_ended(&self, item: u32) -> bool {
        self.ended.get(item as usize).is_some_and(|seq| *seq > 0)
    }

    pub(super) fn end(&mut self, item: u32, seq: u64) {
        self.open.remove(&item);
        let place = item as usize;
        if self.ended.len() <= place {
            self.ended.resize(place + 1, 0);
        }
        self.ended[place] = seq;
        self.done += 1;
    }
}
