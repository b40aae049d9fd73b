//! A profile as its author reads it: the dependencies and the limits of each node.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;
use workflow_core::bundle::Bundle;
use workflow_core::definition::{
    ExportNode, ForeachNode, GraphNode, Join, Mode, Node, OnFailure, OutputFormat, Profile, ReduceStrategy,
    RunNode, SchemaSource, Stage,
};
use workflow_core::ids::{NodePath, RoleId};

pub(super) struct Graph<'a> {
    pub profile: &'a Profile,
    /// Its nodes, and after them those in bodies.
    pub nodes: Vec<&'a GraphNode>,
    /// For each node, the loop or the `foreach` in whose body it is.
    pub owner_of: Vec<Option<usize>>,
    names: HashMap<&'a str, usize>,
    /// For each node, the nodes that it names.
    pub needs: Vec<BTreeSet<usize>>,
    /// For each node, the branches that name it.
    pub arm_of: Vec<BTreeSet<usize>>,
    /// For each node, the nodes that it only has to wait for.
    pub after: Vec<BTreeSet<usize>>,
}

/// The requirements on a call's reply.
pub(super) struct Form {
    /// How often a wrong reply is repaired.
    pub repairs: u32,
}

impl<'a> Graph<'a> {
    pub(super) fn new(profile: &'a Profile) -> Self {
        let mut names = HashMap::new();
        let mut nodes: Vec<&GraphNode> = profile.graph.iter().collect();
        let mut owner_of = vec![None; nodes.len()];
        for (place, node) in profile.graph.iter().enumerate() {
            if let Some(body) = node.node.body() {
                nodes.extend(body);
                owner_of.resize(nodes.len(), Some(place));
            }
        }
        for (place, node) in nodes.iter().enumerate() {
            names.insert(node.id.as_str(), place);
            names.extend(node.out.as_ref().map(|out| (out.as_str(), place)));
        }
        let mut needs = vec![BTreeSet::new(); nodes.len()];
        let mut arm_of = needs.clone();
        let places = |node: &GraphNode| node.after.iter().map(|name| names[name.as_str()]).collect();
        let after = nodes.iter().copied().map(places).collect();
        for (place, node) in nodes.iter().enumerate() {
            mentions(&serde_json::to_value(&node.node).unwrap(), &names, &mut needs[place]);
            node.set.values().for_each(|value| mentions(value, &names, &mut needs[place]));
            needs[place].retain(|need| owner_of[*need] != Some(place));
            let Node::Branch(branch) = &node.node else { continue };
            for name in branch.when.iter().flat_map(|arm| &arm.then) {
                arm_of[names[name.as_str()]].insert(place);
            }
        }
        Self { profile, nodes, owner_of, names, needs, arm_of, after }
    }

    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    pub(super) fn node(&self, path: &NodePath) -> Option<&'a GraphNode> {
        let place = self.place(path.node.as_str())?;
        let repeat = self.owner_of[place].map(|repeat| &self.nodes[repeat].id);
        let is_there = repeat == path.within.as_ref().map(|within| &within.node);
        Some(self.nodes[place]).filter(|node| is_there && node.id == path.node)
    }

    /// Whether the node at a place is in the graph that is run for each item of a `foreach`.
    pub(super) fn is_in_item(&self, place: usize) -> bool {
        self.owner_of[place].is_some_and(|owner| matches!(self.nodes[owner].node, Node::Foreach(_)))
    }

    /// The item in whose graph the node at `path` is.
    pub(super) fn item_around(&self, path: &NodePath) -> Option<NodePath> {
        let place = self.place(path.node.as_str())?;
        path.owner().filter(|_| self.is_in_item(place))
    }

    /// What the failure of a node does, as it says or what has it in its body. An item that fails does not fail its
    /// `foreach` if that continues, and the nodes in its graph are not tried again.
    pub(super) fn on_failure(&self, path: &NodePath) -> Option<OnFailure> {
        let said = self.said(path, |node| node.on_failure)?;
        let own = self.node(path)?.on_failure;
        let is_of_items = own.is_none() && self.item_around(path).is_some();
        Some(if is_of_items && said == OnFailure::Continue { OnFailure::Stop } else { said })
    }

    /// What a node says of its failures, or else the loop or the `foreach` in whose body it is.
    pub(super) fn said<T>(&self, path: &NodePath, what: impl Fn(&GraphNode) -> Option<T>) -> Option<T> {
        let own = self.node(path)?;
        let repeat = || Some(self.nodes[self.owner_of[self.place(path.node.as_str())?]?]);
        what(own).or_else(|| what(repeat()?))
    }

    /// The places of the nodes in the body of a node.
    pub(super) fn body(&self, repeat: usize) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(move |place| self.owner_of[*place] == Some(repeat))
    }

    /// The node or the body of an item at `path`.
    pub(super) fn what(&self, path: &NodePath) -> Option<&'a Node> {
        let node = &self.node(path)?.node;
        path.items.iter().try_fold(node, |node, _| match node {
            Node::Foreach(foreach) => Some(&*foreach.run),
            _ => None,
        })
    }

    /// Whether variables are written while the graph runs: a condition may have been evaluated before.
    pub(super) fn writes(&self) -> bool {
        self.nodes.iter().any(|node| !node.set.is_empty())
    }

    /// The nodes that it waits for.
    pub(super) fn waits_for(&self, place: usize) -> impl Iterator<Item = usize> {
        self.needs[place].iter().chain(&self.arm_of[place]).chain(&self.after[place]).copied()
    }

    pub(super) fn join(&self, place: usize) -> Join {
        self.nodes[place].join.unwrap_or_default()
    }

    pub(super) fn is_last(&self, place: usize) -> bool {
        !self.needs.iter().chain(&self.arm_of).chain(&self.after).any(|before| before.contains(&place))
    }

    pub(super) fn exports(&self) -> impl Iterator<Item = (usize, &'a ExportNode)> {
        self.profile.graph.iter().enumerate().filter_map(|(place, node)| match &node.node {
            Node::Export(export) => Some((place, export)),
            _ => None,
        })
    }

    /// The schema of an export: its own, or the stage's if it is the only export.
    pub(super) fn schema_of(&self, export: &'a ExportNode, stage: &'a Stage) -> Option<&'a SchemaSource> {
        let of_stage = stage.output_schema.as_ref().filter(|_| self.exports().count() == 1);
        export.output_schema.as_ref().or(of_stage)
    }

    /// The requirements on the reply of the call at `path`, if there are any.
    pub(super) fn form(
        &self,
        path: &NodePath,
        role: Option<&RoleId>,
        stage: &Stage,
        bundle: &Bundle,
    ) -> Option<Form> {
        let run = call(self.what(path)?)?;
        let own = run.repairs.unwrap_or(2);
        if run.output_schema.is_some() {
            return Some(Form { repairs: own });
        }
        let place = self.place(path.node.as_str()).filter(|_| path.items.is_empty());
        let all = self.nodes.iter().enumerate().filter_map(|(place, node)| match &node.node {
            Node::Export(export) if self.owner_of[place].is_none() => {
                Some((export, self.schema_of(export, stage)))
            }
            Node::Export(export) => Some((export, export.output_schema.as_ref())),
            _ => None,
        });
        let mut exports = all.filter(|(export, schema)| {
            place.is_some() && self.place(&export.from) == place && schema.is_some()
        });
        if let Some((export, _)) = exports.next() {
            return Some(Form { repairs: export.repairs.or(stage.repairs).unwrap_or(own) });
        }
        let top = place.filter(|place| self.owner_of[*place].is_none());
        let is_output = top.is_some_and(|place| self.exports().count() == 0 && self.is_last(place));
        if is_output && stage.output_schema.is_some() {
            return Some(Form { repairs: stage.repairs.unwrap_or(own) });
        }
        let of_role = role.is_some_and(|role| bundle.roles[role].output_schema.is_some());
        (of_role || run.output == Some(OutputFormat::Json)).then_some(Form { repairs: own })
    }
}

/// The same for a stage without a graph.
pub(super) fn form_of_stage(stage: &Stage, role: Option<&RoleId>, bundle: &Bundle) -> Option<Form> {
    let of_role = role.is_some_and(|role| bundle.roles[role].output_schema.is_some());
    let has = of_role || stage.output_schema.is_some() || stage.output == Some(OutputFormat::Json);
    has.then_some(Form { repairs: stage.repairs.unwrap_or(2) })
}

/// The call that a node makes by itself.
pub(super) fn call(node: &Node) -> Option<&RunNode> {
    match node {
        Node::Run(run) => Some(run),
        Node::Reduce(reduce) if reduce.strategy == ReduceStrategy::Summarize => Some(&reduce.run),
        _ => None,
    }
}

pub(super) fn when(node: &Node) -> Option<&str> {
    match node {
        Node::Run(run) => run.when.as_deref(),
        Node::Reduce(reduce) => reduce.run.when.as_deref(),
        Node::Foreach(foreach) => foreach.when.as_deref(),
        Node::Loop(repeat) => repeat.when.as_deref(),
        Node::Graph(body) => body.when.as_deref(),
        Node::Export(export) => export.when.as_deref(),
        Node::Ask(ask) => ask.when.as_deref(),
        Node::Set(set) => set.when.as_deref(),
        Node::Wait(wait) => wait.when.as_deref(),
        Node::End(end) => end.when.as_deref(),
        Node::Workflow(workflow) => workflow.when.as_deref(),
        Node::Branch(_) => None,
    }
}

/// The maximum number of parallel items.
pub(super) fn concurrency(foreach: &ForeachNode) -> usize {
    match foreach.mode {
        Some(Mode::Parallel) => foreach.concurrency.unwrap_or(16) as usize,
        _ => 1,
    }
}

/// Finds the nodes that a value names: as an input, or as `nodes.x` in an expression or a condition.
fn mentions(value: &Value, names: &HashMap<&str, usize>, found: &mut BTreeSet<usize>) {
    match value {
        Value::String(text) => {
            for (at, word) in text.match_indices("nodes.") {
                let rest = &text[at + word.len()..];
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
                found.extend(names.get(&rest[..end.unwrap_or(rest.len())]));
            }
        }
        Value::Array(values) => values.iter().for_each(|value| mentions(value, names, found)),
        Value::Object(members) => {
            for (key, value) in members {
                if matches!(key.as_str(), "inputs" | "items" | "from") {
                    let alone = std::slice::from_ref(value);
                    let several = value.as_array().map_or(alone, Vec::as_slice);
                    // A list of items is a list of values.
                    let named = several.iter().filter(|_| key != "items" || !value.is_array());
                    found.extend(named.filter_map(|name| names.get(name.as_str()?)));
                }
                mentions(value, names, found);
            }
        }
        _ => {}
    }
}
