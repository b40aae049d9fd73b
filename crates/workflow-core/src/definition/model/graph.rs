//! The types of a stage profile: the graph of nodes that a stage runs.
//!
//! # What a graph does
//!
//! A node starts when every node that it needs has ended. It needs the nodes that it names in `inputs`,
//! `from` and `items`, in `${nodes.x…}` and in `$.nodes.x` of its conditions, and the branches that name
//! it as an arm. `x` is the id of a node, or the `out` of one.
//!
//! A node is *skipped* when its `when` is false, when it is an arm and no branch took it, or when it needs
//! other nodes and all of those were skipped. So an arm that a branch took runs, even if everything else that
//! it needs was skipped. The output of a skipped node is left out of `inputs` and `from`, and absent in
//! expressions. With `join: ended` a node runs also if all that it needs was skipped. With `join: any` it starts when the
//! first node that it waits for has succeeded, and is skipped if none does.
//!
//! A node that fails lets the running ones of its lane finish; nothing new starts, and the lane fails. With
//! `on_failure: continue` it only counts as ended: its output is absent, and `${nodes.x.error}` says why.
//!
//! A loop runs the graph in its body again and again; a `foreach` whose body is a graph runs it for each item. A node in the
//! body sees those beside it and what comes before the loop or the `foreach`; nothing outside sees a node in the body. Names
//! are unique in the whole profile.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::duration::Period;
use super::schema::SchemaSource;
use super::workflow::{
    Budget, Exhausted, Mode, OnFailure, OnInterrupt, OutputFormat, PromptTemplate, SessionMode,
};
use crate::ids::{NodeId, ProfileId, StageId};

/// A profile: how a stage does its work.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Profile {
    /// A name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How many nodes of a lane may be under way at a time, 1–1000; default 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub concurrency: Option<u32>,
    /// Variables that its nodes have where the run has none of that name.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub vars: IndexMap<String, Value>,
    /// Other profiles whose nodes it has beside its own; `check.lint` is the file `workflows/stages/check.lint.yml`. Their `vars` are
    /// those of this profile where it has none of that name. In a bundle all nodes are in `graph`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "IncludesForm")]
    pub include: Vec<Include>,
    /// The nodes, in any order. May be left out where it includes others.
    #[schemars(length(min = 1))]
    pub graph: Vec<GraphNode>,
}

/// A profile whose nodes another one has beside its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Include {
    /// The stage and the id of the profile, as `check.lint`.
    pub profile: String,
    /// Nodes that have to end before any of its nodes starts.
    #[serde(default, with = "names", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<NamesForm>")]
    pub after: Vec<String>,
}

impl Include {
    /// The profile that it names, if it is the name of one.
    pub(crate) fn key(&self) -> Option<(StageId, ProfileId)> {
        let (stage, profile) = self.profile.split_once('.')?;
        Some((StageId::new(stage).ok()?, ProfileId::new(profile).ok()?))
    }
}

/// One node of a graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GraphNode {
    /// The id, unique within the graph.
    pub id: NodeId,
    /// A second name for its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out: Option<NodeId>,
    /// Nodes that have to end before it starts, although it does not name their outputs. Whether they were skipped does not
    /// matter.
    #[serde(default, with = "names", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<NamesForm>")]
    pub after: Vec<String>,
    /// When it starts, where it waits for other nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<Join>,
    /// Variables to write from its output.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub set: IndexMap<String, Value>,
    /// What its failure does, or with `foreach` that of each item, or with `loop` that of each node in its body that does
    /// not say so itself; default: its lane fails, and calls are made again as the stage says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// How many more attempts each of its calls gets with `on_failure: retry`, 0–10; default: the stage's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 10))]
    pub retries: Option<u32>,
    /// The base of the exponential backoff, in seconds; default: the stage's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_backoff: Option<Period>,
    /// What it does.
    #[serde(flatten)]
    pub node: Node,
}

/// When a node starts that waits for others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// When all of them have ended; it is skipped if all that it needs were skipped.
    #[default]
    All,
    /// When all of them have ended, also if all were skipped.
    Ended,
    /// When the first of them has succeeded, while the others continue; it is skipped if none succeeds.
    Any,
}

/// What a node does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Node {
    /// Calls a provider.
    Run(Box<RunNode>),
    /// Does one thing for each of many items.
    Foreach(ForeachNode),
    /// Runs a graph again and again.
    Loop(LoopNode),
    /// Makes one value of several.
    Reduce(ReduceNode),
    /// Decides which nodes run.
    Branch(BranchNode),
    /// Checks a value, and makes it the output of the lane.
    Export(ExportNode),
    /// Asks a person.
    Ask(AskNode),
    /// Makes a value without a call.
    Set(SetNode),
    /// Waits for a time, or for a signal.
    Wait(WaitNode),
    /// Ends the run.
    End(EndNode),
    /// Runs another workflow, as a run of its own.
    Workflow(WorkflowNode),
    /// The body of a `foreach`: a graph.
    Graph(GraphBody),
}

/// A node that calls a provider. Absent fields whose default is the stage's are taken from the stage.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RunNode {
    /// The provider; default: the lane's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The role; default: the lane's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The prompt; replaces the role's text. Default: the stage's, where the role is the lane's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The grammar of the prompt; default: a text with `${…}`, or the stage's where the prompt is the stage's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<PromptTemplate>,
    /// What follows the prompt. A text of the form of an id names a node, whose output is meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Value>,
    /// The provider's own options; default: the stage's, where the provider is the lane's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<serde_json::Map<String, Value>>,
    /// A condition; when it is false the node is skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Whether the output is read as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputFormat>,
    /// The JSON Schema that the output has to follow: the name of a file, or the schema itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<SchemaSource>,
    /// How often a wrong output goes back to the provider, 0–10; default 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 10))]
    pub repairs: Option<u32>,
    /// Skills that are handed to the provider; default: the stage's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<String>,
    /// How long one attempt may take; default: the stage's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
    /// How long nothing may be heard from the provider; default: the stage's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Period>,
    /// Environment variables of the provider's processes, beside the stage's.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(extend("additionalProperties" = { "type": ["string", "number", "boolean"] }))]
    pub env: IndexMap<String, Value>,
    /// Where the provider works; default: the stage's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Whether to continue the agent session of this node's last call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionMode>,
    /// What an interruption by a crash means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_interrupt: Option<OnInterrupt>,
    /// A question to a person before the node starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// Limits of the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

/// A node that does one thing for each of many items. Its output is the array of their outputs, in the order
/// of the items, with null for one that was skipped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ForeachNode {
    /// The items: a list, an expression for one as `${vars.files}`, or the name of a node.
    pub items: Value,
    /// One after the other, or several at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// How many items may be under way at a time in parallel mode, 1–1000; default 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub concurrency: Option<u32>,
    /// A condition; when it is false the node is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What is done for each item, which `${item}` and, in conditions, `$.item` stand for: a node without an id, or a graph.
    pub run: Box<Node>,
}

/// The body of a `foreach` that is a graph, which is run for each item. Its output is what the graph makes: the output of its
/// last node, or of its `export`. An item fails when a node of its graph fails for it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GraphBody {
    /// A condition; when it is false the item is skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The nodes, in any order. `${item}` is the item in all of them.
    #[schemars(length(min = 1))]
    pub graph: Vec<GraphNode>,
}

/// A node that runs a graph again and again, until a condition is true or there were enough iterations. Its output is what
/// the graph of its body makes in the last iteration: the output of its last node, or of its `export`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LoopNode {
    /// The most iterations, 1–100.
    #[schemars(range(min = 1, max = 100))]
    pub max_iters: u32,
    /// When the loop ends: a condition that is evaluated after each iteration and reads the nodes of the body, such as
    /// `$.nodes.check.output.ok`. Without it there are `max_iters` iterations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_when: Option<String>,
    /// What reaching `max_iters` means where `stop_when` was never true; default: the node fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_exhausted: Option<Exhausted>,
    /// A condition; when it is false the node is skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The nodes of the body, in any order. `${previous.x}` is the output of the node `x` in the iteration before, and null
    /// in the first.
    #[schemars(length(min = 1))]
    pub graph: Vec<GraphNode>,
}

/// A node that makes one value of several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReduceNode {
    /// The nodes whose outputs are taken. The elements of the output are, where there is one node and
    /// its output is an array.
    #[serde(with = "names")]
    #[schemars(with = "NamesForm")]
    pub from: Vec<String>,
    /// How.
    pub strategy: ReduceStrategy,
    /// Its `when`; and with `summarize` the call: the values follow its prompt, before its own `inputs`.
    #[serde(flatten)]
    pub run: Box<RunNode>,
}

/// How several values become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReduceStrategy {
    /// Arrays: one array of their elements. Anything else: one text, with an empty line between; what is
    /// not a text is written as JSON.
    Concat,
    /// Objects: one object; of members with the same name the last counts.
    Merge,
    /// The first value; null when there is none.
    First,
    /// The last value; null when there is none.
    Last,
    /// The value that occurs most often; of several such, the one that occurred first. Null when there
    /// is none.
    Vote,
    /// What a provider makes of the values.
    Summarize,
}

/// A node that decides which nodes run. Its output is the list of the nodes that the first condition
/// that is true names; empty when none is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BranchNode {
    /// The arms, looked at in order.
    #[schemars(length(min = 1))]
    pub when: Vec<Arm>,
}

/// One arm of a branch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Arm {
    /// When it is taken.
    pub condition: String,
    /// The nodes that it leads to. In the body of a `foreach`, where nothing follows, any names.
    #[serde(with = "names")]
    #[schemars(with = "NamesForm")]
    pub then: Vec<String>,
}

/// A node that checks a value, and makes it the output of the lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExportNode {
    /// The node whose output it is.
    pub from: String,
    /// The JSON Schema that the value has to follow: the name of a file, or the schema itself. Where it comes from a call that has no schema
    /// of its own, the reply has to follow it, and a wrong one goes back to the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<SchemaSource>,
    /// How often a wrong output goes back to the provider, 0–10; default 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 10))]
    pub repairs: Option<u32>,
    /// A condition; when it is false the node is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// A node that asks a person, and waits for the answer, which is its output. While nothing else of the run is in
/// progress, the run waits in the store and needs no process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AskNode {
    /// The question.
    pub question: String,
    /// The answers to choose from. Default: any text, or what `output_schema` allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
    /// The JSON Schema that the answer has to follow: the name of a file, or the schema itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<SchemaSource>,
    /// A condition; when it is false the node is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// A node that makes a value without a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SetNode {
    /// Its output: a value in which `${…}` is resolved.
    pub value: Value,
    /// A condition; when it is false the node is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// A node that waits for a time, or for a signal that is sent to the run. While nothing else of the run is in progress, the
/// run waits in the store and needs no process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WaitNode {
    /// How long it waits, counted from when the node starts.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub duration: Option<Period>,
    /// Until when it waits: a date and a time with their offset from UTC, such as `2026-12-01T08:00:00Z` or
    /// `2026-12-01T09:00:00+01:00`, or an expression for them. A time in the past ends the node at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The name of the signal that it waits for: 1 to 64 letters, digits, `-`, `_` and `.`. Its output is the data of the
    /// signal; without a signal it is null. A signal that was sent before the node starts is kept for it; each is taken by
    /// one node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// How long it waits for the signal; then it fails with `timeout`. Default: without a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
    /// A condition; when it is false the node is skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// A node that runs another workflow as a run of its own, and waits until that has ended. Its output is the run's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WorkflowNode {
    /// The id of the workflow. The key is not `id`, which is the name of the node.
    pub workflow: String,
    /// The variables that the run is given: values in which `${…}` is resolved.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub vars: IndexMap<String, Value>,
    /// A condition; when it is false the node is skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// A node that ends the run: once its stage has completed, later stages are skipped.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EndNode {
    /// How the run ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<EndStatus>,
    /// Why it ends there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The output of the run; default: what it is otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// A condition; when it is false the node is skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// How a node ends a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndStatus {
    /// It completes.
    #[default]
    Completed,
    /// It fails.
    Failed,
}

impl Node {
    /// The nodes in the body of a loop, or of a `foreach` whose body is a graph.
    pub fn body(&self) -> Option<&[GraphNode]> {
        match self {
            Self::Loop(repeat) => Some(&repeat.graph),
            Self::Foreach(foreach) => match &*foreach.run {
                Self::Graph(body) => Some(&body.graph),
                _ => None,
            },
            _ => None,
        }
    }

    fn body_mut(&mut self) -> Option<&mut [GraphNode]> {
        match self {
            Self::Loop(repeat) => Some(&mut repeat.graph),
            Self::Foreach(foreach) => match &mut *foreach.run {
                Self::Graph(body) => Some(&mut body.graph),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Changes all nodes of a profile, also those in bodies.
pub(crate) fn each_node(profile: &mut Profile, mut change: impl FnMut(&mut Node)) {
    for node in &mut profile.graph {
        match node.node.body_mut() {
            Some(body) => body.iter_mut().for_each(|node| change(&mut node.node)),
            None => change(&mut node.node),
        }
    }
}

/// The call that a node makes, by itself or for items, with its path. Where it has a body, the nodes in it make them.
pub(crate) fn call_of(node: &Node, path: String) -> Option<(String, &RunNode)> {
    match node {
        Node::Run(run) => Some((path, run)),
        Node::Reduce(reduce) => Some((path, &reduce.run)),
        Node::Foreach(foreach) => call_of(&foreach.run, format!("{path}.run")),
        Node::Loop(_)
        | Node::Graph(_)
        | Node::Branch(_)
        | Node::Export(_)
        | Node::Ask(_)
        | Node::Set(_)
        | Node::Wait(_)
        | Node::End(_)
        | Node::Workflow(_) => None,
    }
}

/// The node that runs another workflow, by itself or for items, with its path.
pub(crate) fn workflow_of(node: &Node, path: String) -> Option<(String, &WorkflowNode)> {
    match node {
        Node::Workflow(workflow) => Some((path, workflow)),
        Node::Foreach(foreach) => workflow_of(&foreach.run, format!("{path}.run")),
        _ => None,
    }
}

/// The call that a node makes, to be changed.
pub(crate) fn call_mut(node: &mut Node) -> Option<&mut RunNode> {
    match node {
        Node::Run(run) => Some(run),
        Node::Reduce(reduce) => Some(&mut reduce.run),
        Node::Foreach(foreach) => call_mut(&mut foreach.run),
        Node::Loop(_)
        | Node::Graph(_)
        | Node::Branch(_)
        | Node::Export(_)
        | Node::Ask(_)
        | Node::Set(_)
        | Node::Wait(_)
        | Node::End(_)
        | Node::Workflow(_) => None,
    }
}

/// One name, or a list of names.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "describes a form to schemars")]
enum NamesForm {
    One(String),
    Several(Vec<String>),
}

/// One profile, or a list of them.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "describes a form to schemars")]
enum IncludesForm {
    One(IncludeForm),
    Several(Vec<IncludeForm>),
}

/// The name of a profile alone, or with what comes before it.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "describes a form to schemars")]
enum IncludeForm {
    Name(String),
    Full(Include),
}

/// A list of names of which a single one may stand alone.
mod names {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(names: &[String], serializer: S) -> Result<S::Ok, S::Error> {
        match names {
            [name] => name.serialize(serializer),
            names => names.serialize(serializer),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Names {
            One(String),
            Several(Vec<String>),
        }
        Ok(match Names::deserialize(deserializer)? {
            Names::One(name) => vec![name],
            Names::Several(names) => names,
        })
    }
}
