//! The stages of a definition with their lanes and nodes, as programs show them.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use workflow_core::bundle::Bundle;
use workflow_core::definition::{
    Budget, GraphNode, Join, Lane, LoopSpec, Mode, Node, OnFailure, Profile, ReduceStrategy,
};
use workflow_core::event::RunCreated;
use workflow_core::ids::StageId;
use workflow_core::runs::StartRun;

/// A stage of a definition.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PlannedStage {
    /// The id.
    pub id: StageId,
    /// The profile.
    pub profile: String,
    /// Whether its lanes work one after the other or at the same time.
    pub mode: Mode,
    /// One for each provider.
    pub lanes: Vec<PlannedLane>,
    /// The nodes of each lane.
    pub nodes: Vec<PlannedNode>,
    /// What a failure does.
    pub on_failure: OnFailure,
    /// Whether a person is asked before it starts.
    pub asks: bool,
    /// Whether it is a stage of `finally`, which runs however the others end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub finally: bool,
    /// The condition on which it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What it may use at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

/// A lane of a stage.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PlannedLane {
    /// The provider; it may contain `${…}`.
    pub provider: String,
    /// The role, if it has one.
    pub role: Option<String>,
    /// What its vote weighs.
    pub weight: u32,
}

/// A node of a stage.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PlannedNode {
    /// The id.
    pub id: String,
    /// The type: `run`, `foreach`, `loop`, `reduce`, `branch`, `export`, `ask`, `set`, `end`.
    #[serde(rename = "type")]
    pub kind: String,
    /// How a `reduce` makes one value of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<ReduceStrategy>,
    /// The type of what a `foreach` does with each item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub each: Option<String>,
    /// When it starts, where that is not as for `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub join: Option<Join>,
}

impl PlannedNode {
    /// A node of a type.
    fn new(id: &str, kind: &str) -> Self {
        Self { id: id.to_owned(), kind: kind.to_owned(), strategy: None, each: None, join: None }
    }

    fn of(node: &GraphNode) -> Self {
        let join = node.join.filter(|join| *join != Join::All);
        let planned = Self { join, ..Self::new(node.id.as_str(), type_of(&node.node)) };
        match &node.node {
            Node::Reduce(reduce) => Self { strategy: Some(reduce.strategy), ..planned },
            Node::Foreach(foreach) => Self { each: Some(type_of(&foreach.run).to_owned()), ..planned },
            _ => planned,
        }
    }

    /// What the node does, in a few words: `run`, `reduce, vote`, `run, join any`.
    pub fn about(&self) -> String {
        let mut about = self.kind.clone();
        if let Some(Value::String(strategy)) = self.strategy.and_then(|it| serde_json::to_value(it).ok()) {
            about = format!("{about}, {strategy}");
        }
        if let Some(Value::String(join)) = self.join.and_then(|join| serde_json::to_value(join).ok()) {
            about = format!("{about}, join {join}");
        }
        about
    }
}

fn type_of(node: &Node) -> &'static str {
    match node {
        Node::Run(_) => "run",
        Node::Foreach(_) => "foreach",
        Node::Loop(_) => "loop",
        Node::Graph(_) => "graph",
        Node::Reduce(_) => "reduce",
        Node::Branch(_) => "branch",
        Node::Export(_) => "export",
        Node::Ask(_) => "ask",
        Node::Set(_) => "set",
        Node::Wait(_) => "wait",
        Node::Workflow(_) => "workflow",
        Node::End(_) => "end",
    }
}

/// The nodes of a profile; without one there is a single call.
pub(crate) fn planned_nodes(profile: Option<&Profile>) -> Vec<PlannedNode> {
    match profile {
        Some(profile) => profile.graph.iter().map(PlannedNode::of).collect(),
        None => vec![PlannedNode::new("run", "run")],
    }
}

/// What the options of a run replace in its definition.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Replaced {
    on_failure: Option<OnFailure>,
    max_iters: Option<u32>,
    interactive: bool,
}

impl From<&StartRun> for Replaced {
    fn from(start: &StartRun) -> Self {
        let StartRun { on_failure, max_iters, interactive, .. } = *start;
        Self { on_failure, max_iters, interactive }
    }
}

impl From<&RunCreated> for Replaced {
    fn from(created: &RunCreated) -> Self {
        let RunCreated { on_failure, max_iters, interactive, .. } = *created;
        Self { on_failure, max_iters, interactive }
    }
}

impl Replaced {
    /// The stages of a resolved definition, in order, as the run executes them.
    pub(crate) fn stages(self, bundle: &Bundle) -> Vec<PlannedStage> {
        let workflow = &bundle.workflow;
        let stages = workflow.stages.iter().map(|(id, stage)| (id, stage, workflow.finally.contains(id)));
        let planned = stages.map(|(id, stage, finally)| PlannedStage {
            id: id.clone(),
            profile: stage.profile.clone().unwrap_or_default(),
            mode: stage.mode.unwrap_or_default(),
            lanes: stage.providers.iter().map(lane).collect(),
            nodes: planned_nodes(bundle.profiles.get(id)),
            on_failure: self.on_failure.or(stage.on_failure).unwrap_or_default(),
            asks: (self.interactive && !finally) || stage.approval.is_some(),
            finally,
            when: stage.when.clone(),
            budget: stage.budget,
        });
        planned.collect()
    }

    /// The loop of a definition, with the number of iterations that the run may make.
    pub(crate) fn repeat(self, bundle: &Bundle) -> Option<LoopSpec> {
        let mut repeat = bundle.workflow.repeat.clone()?;
        repeat.max_iters = self.max_iters.unwrap_or(repeat.max_iters);
        Some(repeat)
    }
}

fn lane(lane: &Lane) -> PlannedLane {
    let Lane { provider, role, weight, .. } = lane;
    PlannedLane { provider: provider.clone(), role: role.clone(), weight: weight.unwrap_or(1) }
}
