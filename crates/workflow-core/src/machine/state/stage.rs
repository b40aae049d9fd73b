//! Where a run is among its stages, the stage that is under way, and how earlier ones ended.

use std::sync::Arc;

use jiff::Timestamp;

use crate::data::Data;
use crate::event::{ChildStarted, Event};
use crate::failure::Failure;
use crate::ids::{NodePath, StageId};
use crate::machine::state::lane::LaneState;
use crate::machine::state::node::{GraphState, ItemsState, NodeState};
use crate::machine::state::question::Response;
use crate::status::StageStatus;
use crate::usage::Spent;

/// The most lanes that a stage can have.
pub(crate) const MAX_LANES: usize = 10_000;

/// The position of a run among its stages.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::machine) enum Position {
    /// Before the first stage.
    Start,
    /// Before a stage that a person is asked about, and what the person said.
    Asked { iteration: u32, stage: StageId, said: Option<Response> },
    /// In a stage.
    In(Current),
    /// A stage ended; `Some` error: it failed, and the run does not continue.
    After(StageId, Option<Arc<Failure>>),
    /// An iteration ended; what comes next, and whether `stop_when` was met.
    Between { next: Option<StageId>, done: bool },
}

/// The stage that is under way.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::machine) struct Current {
    pub stage: StageId,
    pub started_at: Timestamp,
    pub lanes: Vec<LaneState>,
    /// How many calls are running, and runs that nodes have started.
    pub running: u32,
    /// How many runs that nodes have started have not ended.
    pub children: u32,
    /// How many lanes have succeeded.
    pub succeeded: u32,
    /// How many lanes have failed for good.
    pub failed: u32,
    /// The lane that succeeded first.
    pub first: Option<u32>,
    /// How many nodes wait to be tried again.
    pub retrying: u32,
    /// Whether a node has waited for a time or for a signal.
    pub has_waits: bool,
    /// What the attempts of the stage used, those of earlier iterations too.
    pub spent: Spent,
}

/// How a stage's latest pass ended.
#[derive(Debug, Clone, PartialEq)]
pub struct StageResult {
    /// The iteration of that pass.
    pub iteration: u32,
    /// How it ended.
    pub status: StageStatus,
    /// The lanes of that pass; of an earlier one where this one was skipped.
    pub(in crate::machine) lanes: Vec<LaneState>,
    /// How the lanes make the output.
    pub(in crate::machine) output: OutputOf,
    /// When the pass began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<Arc<Failure>>,
    /// What the attempts of all its passes used.
    pub spent: Spent,
}

/// Which lanes make a stage's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::machine) enum OutputOf {
    Nothing,
    /// What it was changed to.
    Edited(Data),
    Lane(usize),
    /// Those that succeeded, and null for each other.
    AllLanes,
    /// Of a stage that failed: also those that failed.
    EveryLane,
}

impl OutputOf {
    /// The output of a stage that failed: the outputs of its lanes, if a failed lane has any.
    pub(in crate::machine) fn in_vain(lanes: &[LaneState], of: Option<u32>) -> Self {
        let has_any = |lane: &LaneState| {
            matches!(lane.whole.status, StageStatus::Failed | StageStatus::Retrying)
                && !lane.whole.output.is_null()
        };
        let only = of.map_or(0, |lane| lane as usize);
        match lanes {
            _ if of.is_some() || lanes.len() == 1 => {
                if lanes.get(only).is_some_and(has_any) {
                    Self::Lane(only)
                } else {
                    Self::Nothing
                }
            }
            lanes if lanes.iter().any(has_any) => Self::EveryLane,
            _ => Self::Nothing,
        }
    }
}

impl StageResult {
    /// The output of the latest pass that had one.
    pub fn output(&self) -> Option<Data> {
        match &self.output {
            OutputOf::Nothing => None,
            OutputOf::Edited(output) => Some(output.clone()),
            OutputOf::Lane(lane) => self.lanes.get(*lane).map(|lane| lane.whole.output.clone()),
            OutputOf::AllLanes => Some(Data::array(self.lanes.iter().map(LaneState::result))),
            OutputOf::EveryLane => Some(Data::array(self.lanes.iter().map(|lane| &lane.whole.output))),
        }
    }
}

impl Current {
    pub(super) fn lane_of(&mut self, path: &NodePath) -> Result<&mut LaneState, &'static str> {
        self.lanes.get_mut(path.lane as usize).ok_or("the stage has fewer lanes")
    }

    pub(super) fn graph_of(&mut self, path: &NodePath) -> Result<&mut GraphState, &'static str> {
        self.lane_of(path)?.graph.as_deref_mut().ok_or("the lane has no graph")
    }

    /// A node that has not begun its next attempt.
    pub(super) fn node(&mut self, path: &NodePath) -> Result<&mut NodeState, &'static str> {
        let node = self.lane_of(path)?.node_mut(path)?;
        match node.status {
            StageStatus::Running => Err("the node runs already"),
            StageStatus::Completed => Err("the node has succeeded already"),
            StageStatus::Skipped => Err("the node was skipped"),
            _ => Ok(node),
        }
    }

    pub(super) fn node_of_graph(&mut self, path: &NodePath) -> Result<&mut NodeState, &'static str> {
        self.graph_of(path)?;
        self.node(path)
    }

    /// The runs that its nodes and items have started and that have not ended, each with its attempt.
    #[cold]
    pub(in crate::machine) fn children(&self) -> Vec<(NodePath, u32, Arc<ChildStarted>)> {
        let mut found = Vec::new();
        if self.children > 0 {
            let graphs = self.lanes.iter().filter_map(|lane| lane.graph.as_deref());
            graphs.flat_map(|graph| graph.nodes.values()).for_each(|node| children_below(node, &mut found));
        }
        found
    }

    /// The runs that nodes have started exist: a run waits only once it has seen them.
    #[cold]
    pub(super) fn know_children(&mut self) {
        for graph in self.lanes.iter_mut().filter_map(|lane| lane.graph.as_mut()) {
            graph.nodes.values_mut().for_each(NodeState::know_children);
        }
    }

    /// Begins an iteration of a loop, at `path` with its number.
    #[cold]
    pub(super) fn begin_iteration(&mut self, path: &NodePath, at: Timestamp) -> Result<(), &'static str> {
        let (Some(repeat), [number]) = (path.parent(), &*path.items) else {
            return Err("the items are not an array");
        };
        let graph = self.graph_of(path)?;
        if repeat.within.is_some() || (*number > 0 && graph.repeat(&repeat.node).is_none()) {
            return Err("a loop begins with its first iteration");
        }
        graph.iterate(&repeat.node, *number)?;
        let node = self.lane_of(path)?.node_mut(&repeat)?;
        if node.has_ended() || (*number == 0) != node.items.is_none() {
            return Err("the loop is not under way");
        }
        node.status = StageStatus::Running;
        node.started_at = node.started_at.or(Some(at));
        // It is under way without a call.
        node.items = Some(Box::new(ItemsState::new(Data::array([]).elements().ok_or("no items")?)));
        Ok(())
    }

    /// Ends a node that has no call of its own.
    pub(super) fn end_node(
        &mut self,
        path: &NodePath,
        status: StageStatus,
        output: &Data,
        event: &Event,
    ) -> Result<(), &'static str> {
        self.graph_of(path)?;
        let lane = self.lane_of(path)?;
        let node = lane.node_mut(path)?;
        if node.has_ended() {
            return Err("the node has ended already");
        }
        node.end(status, output.clone(), event.at);
        // Their results are in the output now.
        node.items = None;
        lane.fold_item(path, event.seq);
        Ok(())
    }

    /// The node of `path` whose `attempt` ends with this event.
    pub(super) fn running(&mut self, path: &NodePath, attempt: u32) -> Result<&mut NodeState, &'static str> {
        let lane = self.lanes.get_mut(path.lane as usize).ok_or("the stage has fewer lanes")?;
        let node = lane.node_mut(path)?;
        // A `foreach` is under way without a call.
        if node.status != StageStatus::Running || node.items.is_some() {
            return Err("the node does not run");
        }
        if node.attempt != attempt {
            return Err("another attempt of the node runs");
        }
        self.children -= u32::from(node.child().is_some());
        self.running -= 1;
        if let Some(graph) = &mut lane.graph {
            graph.running -= 1;
        }
        self.lane_of(path)?.node_mut(path)
    }
}

fn children_below(node: &NodeState, found: &mut Vec<(NodePath, u32, Arc<ChildStarted>)>) {
    if let Some(child) = node.child() {
        found.push((child.started.path.clone(), node.attempt, child.started.clone()));
    }
    if let Some(items) = &node.items {
        let graph = items.graph.iter().flat_map(|graph| graph.nodes.values());
        items.open.values().chain(graph).for_each(|node| children_below(node, found));
    }
}
