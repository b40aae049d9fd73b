//! What a plan is made of: stages, lanes, graphs, nodes, calls and roles, with all that is known of them before a run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use foldhash::HashMap;
use indexmap::IndexMap;

use crate::bundle::{Bundle, BundleHash, Skill};
use crate::data::Data;
use crate::definition::{Budget, EndStatus, Exhausted, Join, OnFailure, ReduceStrategy, Role, Workflow};
use crate::event::LaneOutput;
use crate::expr::{Condition, Name, Template, ValueTemplate};
use crate::ids::{NodeId, NodePath, RoleId, StageId, WorkflowId};
use crate::output_schema::OutputSchema;
use crate::role::RoleTemplate;

/// A bundle, compiled: dense indices, parsed templates and conditions. Immutable; shared by every
/// run that was started with the bundle.
#[derive(Debug)]
pub struct Plan {
    pub(in crate::plan) bundle: Arc<Bundle>,
    pub(in crate::plan) hash: BundleHash,
    pub(crate) stages: Vec<StagePlan>,
    /// How many stages come before those of `finally`.
    pub(crate) body: usize,
    /// How long the stages of `finally` may take together.
    pub(crate) finally_timeout: Duration,
    pub(in crate::plan) index: HashMap<StageId, usize>,
    pub(crate) repeat: Option<LoopPlan>,
    pub(crate) min_iterations: u32,
    /// The output of a run; absent: that of the last stage that was not skipped.
    pub(crate) output: Option<ValueTemplate>,
    /// Whether a stage can end the run before the last.
    pub(crate) ends_early: bool,
    pub(crate) roles: HashMap<RoleId, RolePlan>,
    /// Roles that only an expression could name and that this workflow cannot use, each with the reason.
    pub(crate) unfit: HashMap<RoleId, String>,
    pub(crate) skills: HashMap<Arc<str>, Arc<Skill>>,
    pub(in crate::plan) secrets: Secrets,
}

#[derive(Debug)]
pub(crate) struct LoopPlan {
    pub max_iters: u32,
    pub fallback: StageId,
    pub stop_when: Condition,
    pub on_exhausted: Exhausted,
}

/// All stages are in one list, which a run goes through: what is rare and large is in boxes.
#[derive(Debug)]
pub(crate) struct StagePlan {
    pub id: StageId,
    /// Where it is among the stages of the plan.
    pub place: usize,
    pub lanes: Vec<LanePlan>,
    pub strategy: Strategy,
    pub on_failure: OnFailure,
    pub retries: u32,
    pub backoff: Duration,
    pub when: Option<Box<Condition>>,
    /// When the run ends after the stage.
    pub end_when: Option<Box<Condition>>,
    /// What a person is asked before the stage.
    pub approval: Option<Template>,
    pub budget: Option<Box<Budget>>,
    /// The profile's defaults for variables that the run does not have.
    pub vars: Option<Box<IndexMap<String, Data>>>,
    pub set: Vec<(String, ValueTemplate)>,
    pub work: Work,
}

#[derive(Debug)]
pub(crate) struct LanePlan {
    /// The provider's name where it is known before the run.
    pub literal: Option<Arc<str>>,
    pub provider: Template,
    pub role: Option<Template>,
    pub weight: u32,
    /// How it is called, if that differs from the stage.
    pub call: Option<Box<CallPlan>>,
    /// The path of its node in the first iteration, if the stage has one node: all runs share it.
    pub first: Option<NodePath>,
}

/// How the lanes of a stage make its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    Sequential,
    All,
    Race,
    Majority,
}

/// What a stage does in each of its lanes.
#[derive(Debug)]
pub(crate) enum Work {
    /// One node.
    Simple { id: NodeId, call: Box<CallPlan> },
    /// A graph of nodes.
    Graph(Box<GraphPlan>),
}

#[derive(Debug)]
pub(crate) struct GraphPlan {
    pub nodes: Vec<NodePlan>,
    /// By id and by `out`.
    pub names: HashMap<NodeId, usize>,
    pub concurrency: u32,
    /// The nodes that end the run.
    pub ends: Vec<usize>,
    /// Whether a node starts when one that it waits for has succeeded.
    pub has_any: bool,
    /// The bodies of loops and of `foreach` nodes, if there are any. The nodes in them come after all others.
    pub bodies: Option<Box<BodiesPlan>>,
}

/// The bodies in a graph.
#[derive(Debug)]
pub(crate) struct BodiesPlan {
    /// How many nodes are in no body.
    pub own: usize,
    /// For each node in a body, the place of the node that has the body.
    pub of: Vec<usize>,
}

/// All nodes are in one list, as stages are.
#[derive(Debug)]
pub(crate) struct NodePlan {
    pub id: NodeId,
    pub out: Option<NodeId>,
    pub kind: NodeKind,
    pub when: Option<Box<Condition>>,
    pub set: Box<[(String, ValueTemplate)]>,
    /// The nodes that it needs.
    pub needs: Box<[usize]>,
    /// The branches that name it as an arm.
    pub arm_of: Box<[usize]>,
    /// The other nodes that it waits for, whose outputs it does not need.
    pub after: Box<[usize]>,
    /// When it starts.
    pub join: Join,
    /// The nodes that wait for it.
    pub leads_to: Box<[usize]>,
    /// `on_failure`, `retries` and `retry_backoff` of the node; `None` where the stage decides.
    pub failure: Option<Box<FailurePlan>>,
}

/// What a node says of its failures, or of those of its items. What is absent is the stage's.
#[derive(Debug)]
pub(crate) struct FailurePlan {
    pub on_failure: Option<OnFailure>,
    pub retries: Option<u32>,
    pub backoff: Option<Duration>,
}

#[derive(Debug)]
pub(crate) enum NodeKind {
    Call(Box<CallPlan>),
    Foreach(Box<ForeachPlan>),
    Loop(Box<RepeatPlan>),
    Reduce {
        from: Vec<Source>,
        strategy: ReduceStrategy,
    },
    Branch(Vec<ArmPlan>),
    Export {
        from: Source,
        schema: Option<Arc<OutputSchema>>,
    },
    Ask(Box<AskPlan>),
    Set(Box<ValueTemplate>),
    Wait(Box<WaitPlan>),
    End(Box<EndPlan>),
    Workflow(Box<ChildPlan>),
    /// The body of a `foreach` that is a graph: the places of the nodes in it.
    Body(Box<[usize]>),
}

/// A node that runs the nodes in its body again and again.
#[derive(Debug)]
pub(crate) struct RepeatPlan {
    pub max_iters: u32,
    pub stop_when: Option<Condition>,
    pub on_exhausted: Exhausted,
    /// The places of the nodes in its body.
    pub body: Vec<usize>,
    /// The nodes that `stop_when` can read: those in its body, and those that the loop needs.
    pub reads: Vec<usize>,
}

/// What a node waits for.
#[derive(Debug)]
pub(crate) enum WaitPlan {
    For(Duration),
    Until(Template),
    Signal { name: Arc<str>, timeout: Option<Duration> },
}

#[derive(Debug)]
pub(crate) struct EndPlan {
    pub status: EndStatus,
    pub reason: Option<Template>,
    pub output: Option<ValueTemplate>,
}

/// A node that runs another workflow.
#[derive(Debug)]
pub(crate) struct ChildPlan {
    pub workflow: WorkflowId,
    /// What its run is created with.
    pub bundle: Arc<Bundle>,
    pub vars: Vec<(String, ValueTemplate)>,
}

#[derive(Debug)]
pub(crate) struct AskPlan {
    pub question: Template,
    pub choices: Vec<ValueTemplate>,
    pub schema: Option<Arc<OutputSchema>>,
}

#[derive(Debug)]
pub(crate) struct ForeachPlan {
    pub items: Items,
    pub concurrency: u32,
    pub when: Option<Condition>,
    pub body: NodeKind,
}

#[derive(Debug)]
pub(crate) enum Items {
    Of(Source),
    Value(ValueTemplate),
}

#[derive(Debug)]
pub(crate) struct ArmPlan {
    pub condition: Condition,
    pub then: Vec<String>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Node(usize),
    /// The item of the innermost `foreach`.
    Item,
}

/// One call, as far as it is known before the run.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "what a definition says of a call is independent")]
pub(crate) struct CallPlan {
    /// None: the lane's.
    pub provider: Option<Template>,
    /// None: the lane's.
    pub role: Option<Template>,
    pub prompt: Option<Template>,
    /// The prompt, where it has the grammar of roles.
    pub template: Option<Box<RolePlan>>,
    pub inputs: Vec<InputPlan>,
    /// Whether the output of the lane before follows the prompt.
    pub follows: bool,
    pub with: Option<Box<ValueTemplate>>,
    pub env: Vec<(String, ValueTemplate)>,
    pub cwd: Option<Template>,
    pub skills: Vec<String>,
    /// What a person is asked before the call.
    pub approval: Option<Template>,
    /// Whether it continues the agent session of the last call.
    pub continues: bool,
    /// What the node may use.
    pub budget: Option<Box<Budget>>,
    /// Whether a person is asked for the outcome of a call that was interrupted.
    pub asks_after_interrupt: bool,
    pub timeout: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    pub is_json: bool,
    pub schema: Option<Arc<OutputSchema>>,
    pub repairs: u32,
}

#[derive(Debug)]
pub(crate) enum InputPlan {
    /// The outputs of a reduce's sources, each a part of its own.
    All(Vec<Source>),
    Of(Source),
    Value(ValueTemplate),
}

#[derive(Debug)]
pub(crate) struct RolePlan {
    pub role: Role,
    pub template: RoleTemplate,
    /// What it reads, before the inputs of the node.
    pub inputs: Vec<RoleInput>,
    /// Of a prompt with the grammar of roles: the variables and outputs of stages that it always shows.
    pub needed: Vec<Template>,
    pub schema: Option<Arc<OutputSchema>>,
}

#[derive(Debug)]
pub(crate) enum RoleInput {
    /// A variable, a node or a stage.
    Named(String),
    Value(ValueTemplate),
}

/// The secrets by name, each with the stages whose calls need it.
pub(super) type Secrets = IndexMap<String, Vec<StageId>>;

impl Plan {
    /// The bundle it was compiled from.
    pub fn bundle(&self) -> &Arc<Bundle> {
        &self.bundle
    }

    /// The bundle's hash.
    pub fn hash(&self) -> &BundleHash {
        &self.hash
    }

    /// The definition, with defaults filled in.
    pub fn workflow(&self) -> &Workflow {
        &self.bundle.workflow
    }

    /// The names of providers that are known before the run, each once.
    pub fn providers(&self) -> Vec<Arc<str>> {
        let mut names = Vec::new();
        for stage in &self.stages {
            names.extend(stage.lanes.iter().filter_map(|lane| lane.literal.clone()));
            if let Work::Graph(graph) = &stage.work {
                let providers = graph.calls().filter_map(|call| call.provider.as_ref()?.as_literal());
                names.extend(providers.map(Arc::from));
            }
        }
        names.sort();
        names.dedup();
        names
    }

    /// Whether its calls have no other [providers](Self::providers): none is named by an expression, other than a node's
    /// by `${stage.provider}`.
    pub fn has_known_providers(&self) -> bool {
        let is_known = |call: &CallPlan| {
            let of_lane = |text: &Template| text.names().all(|name| name.as_str() == "stage.provider");
            call.provider.as_ref().is_none_or(|text| text.as_literal().is_some() || of_lane(text))
        };
        self.stages.iter().all(|stage| {
            let nodes = match &stage.work {
                Work::Graph(graph) => graph.calls().all(is_known),
                Work::Simple { call, .. } => is_known(call),
            };
            nodes && stage.lanes.iter().all(|lane| lane.literal.is_some())
        })
    }

    pub(crate) fn stage(&self, id: &StageId) -> Option<&StagePlan> {
        self.stage_named(id.as_str())
    }

    pub(crate) fn stage_named(&self, name: &str) -> Option<&StagePlan> {
        self.stages.get(*self.index.get(name)?)
    }

    /// The stages but those of `finally`.
    pub(crate) fn body(&self) -> &[StagePlan] {
        self.stages.get(..self.body).unwrap_or_default()
    }

    /// The stages that run however the others end.
    pub(crate) fn finally(&self) -> &[StagePlan] {
        self.stages.get(self.body..).unwrap_or_default()
    }
}

impl StagePlan {
    /// The profile's default for a variable.
    pub(crate) fn var(&self, name: &str) -> Option<&Data> {
        self.vars.as_ref()?.get(name)
    }

    /// Whether the run can end after it, though other stages would follow.
    pub(crate) fn ends_early(&self) -> bool {
        self.end_when.is_some() || matches!(&self.work, Work::Graph(graph) if !graph.ends.is_empty())
    }

    /// The call that the node at `path`, which is of this stage, makes.
    pub(crate) fn call(&self, path: &NodePath) -> Option<&CallPlan> {
        match &self.work {
            Work::Simple { id, call } => {
                let own = self.lanes.get(path.lane as usize).and_then(|lane| lane.call.as_ref());
                Some(&**own.unwrap_or(call)).filter(|_| path.items.is_empty() && (path.node == *id))
            }
            Work::Graph(graph) => graph.kind(&path.node, path.items.len())?.call(),
        }
    }
}

impl GraphPlan {
    /// The node at that path, or for an item the body of its `foreach`.
    pub(crate) fn kind(&self, node: &NodeId, depth: usize) -> Option<&NodeKind> {
        let mut kind = &self.nodes.get(*self.names.get(node)?)?.kind;
        for _ in 0..depth {
            let NodeKind::Foreach(foreach) = kind else { return None };
            kind = &foreach.body;
        }
        Some(kind)
    }

    /// The calls that its nodes make.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &CallPlan> {
        self.nodes.iter().filter_map(|node| node.kind.calls())
    }

    /// The place of the loop, or the `foreach`, in whose body a node is.
    #[inline]
    pub(crate) fn owner_of(&self, place: usize) -> Option<usize> {
        let bodies = self.bodies.as_deref()?;
        bodies.of.get(place.checked_sub(bodies.own)?).copied()
    }

    /// The place of the `foreach` of that name whose body is a graph.
    pub(crate) fn foreach_with_body(&self, id: &NodeId) -> Option<usize> {
        let place = *self.names.get(id)?;
        self.body_of(place).map(|_| place)
    }

    /// The places of the nodes in the body of the `foreach` at a place.
    pub(crate) fn body_of(&self, place: usize) -> Option<&[usize]> {
        let NodeKind::Foreach(foreach) = &self.nodes.get(place)?.kind else { return None };
        if let NodeKind::Body(body) = &foreach.body { Some(body) } else { None }
    }

    /// How many nodes are in no body.
    pub(crate) fn own(&self) -> usize {
        self.bodies.as_ref().map_or(self.nodes.len(), |bodies| bodies.own)
    }

    /// Which nodes that completed make the lane's output.
    pub(crate) fn output(&self, completed: impl Fn(&NodeId) -> bool) -> LaneOutput {
        Self::output_of(&|| self.nodes.iter().take(self.own()), completed)
    }

    /// Which nodes in a body that completed make its output.
    pub(crate) fn output_of_body(&self, body: &[usize], completed: impl Fn(&NodeId) -> bool) -> LaneOutput {
        Self::output_of(&|| body.iter().filter_map(|place| self.nodes.get(*place)), completed)
    }

    fn output_of<'p, I: Iterator<Item = &'p NodePlan>>(
        nodes: &dyn Fn() -> I,
        completed: impl Fn(&NodeId) -> bool,
    ) -> LaneOutput {
        let ids = |wanted: &dyn Fn(&NodePlan) -> bool| -> Vec<NodeId> {
            let nodes = nodes().filter(|node| wanted(node) && completed(&node.id));
            nodes.map(|node| node.id.clone()).collect()
        };
        let mut ids_of_output = ids(&|node| matches!(node.kind, NodeKind::Export { .. }));
        if ids_of_output.is_empty() {
            ids_of_output = ids(&NodePlan::is_last);
        }
        match <[NodeId; 1]>::try_from(ids_of_output) {
            Ok([id]) => LaneOutput::Node(id),
            Err(ids) => LaneOutput::Nodes(ids),
        }
    }
}

impl NodePlan {
    /// The nodes that it waits for.
    pub(crate) fn waits_for(&self) -> impl Iterator<Item = usize> {
        self.needs.iter().chain(&self.arm_of).chain(&self.after).copied()
    }

    /// Whether nothing comes after it.
    pub(in crate::plan) fn is_last(&self) -> bool {
        self.leads_to.is_empty()
    }
}

impl NodeKind {
    /// The call, where the node makes one by itself.
    pub(crate) fn call(&self) -> Option<&CallPlan> {
        match self {
            Self::Call(call) => Some(call),
            _ => None,
        }
    }

    /// All calls in it, those for items included.
    pub(crate) fn calls(&self) -> Option<&CallPlan> {
        match self {
            Self::Foreach(foreach) => foreach.body.calls(),
            other => other.call(),
        }
    }
}

impl CallPlan {
    /// The names in all that is rendered for it.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Name> {
        let texts = [&self.provider, &self.role, &self.prompt, &self.cwd, &self.approval];
        let values = self.inputs.iter().filter_map(|input| match input {
            InputPlan::Value(value) => Some(value),
            InputPlan::All(_) | InputPlan::Of(_) => None,
        });
        let values = values.chain(self.with.as_deref()).chain(self.env.iter().map(|(_, value)| value));
        let texts = texts.into_iter().flatten();
        let texts = texts.chain(self.template.iter().flat_map(|template| &template.needed));
        texts.flat_map(Template::names).chain(values.flat_map(ValueTemplate::names))
    }
}

/// The names of roles that are known before the run.
pub(super) fn known_roles(stages: &[StagePlan]) -> BTreeSet<&str> {
    let mut known = BTreeSet::new();
    for stage in stages {
        known.extend(stage.lanes.iter().filter_map(|lane| lane.role.as_ref()?.as_literal()));
        if let Work::Graph(graph) = &stage.work {
            known.extend(graph.calls().filter_map(|call| call.role.as_ref()?.as_literal()));
        }
    }
    known
}
