//! What the nodes of a graph need of each other.

use foldhash::HashMap;
use foldhash::fast::RandomState;
use serde_json::Value;

use crate::definition::model::{Flat, GraphNode, Node, Profile, PromptTemplate, RunNode};
use crate::expr::{Condition, Name, Template, ValueTemplate};
use crate::ids::{NodeId, is_id};
use crate::role::names_of_prompt;

/// The names of a graph's nodes, those in bodies included: their ids, and what they call their outputs.
pub(crate) struct NodeNames(HashMap<NodeId, usize>);

impl NodeNames {
    /// Of two nodes with the same name the first counts.
    pub(crate) fn of(graph: &Flat<'_>) -> Self {
        let mut names = HashMap::with_capacity_and_hasher(graph.len(), RandomState::default());
        for (place, node) in graph.iter().enumerate() {
            for name in [Some(&node.id), node.out.as_ref()].into_iter().flatten() {
                names.entry(name.clone()).or_insert(place);
            }
        }
        Self(names)
    }

    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&NodeId, usize)> {
        self.0.iter().map(|(name, place)| (name, *place))
    }
}

/// The name of a node that a value is, where it is one: a text of the form of an id.
pub(crate) fn named(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| is_id(text))
}

/// The places of the nodes that the one at `place` needs, without the branches that name it, in order. A node with a body
/// needs what the nodes in it need of others, and these come after what it needs.
pub(crate) fn needs(graph: &Flat<'_>, place: usize, names: &NodeNames) -> Vec<usize> {
    let Some(node) = graph.get(place) else { return Vec::new() };
    let mut found = Found { names, places: Vec::new() };
    found.graph_node(node);
    if graph.owner_of(place).is_none() {
        found.places.retain(|need| graph.owner_of(*need) != Some(place));
    }
    found.places.sort_unstable();
    found.places.dedup();
    found.places
}

/// The places of the nodes that have to end before `node` starts, and are not among those that it waits for anyway.
pub(crate) fn after(node: &GraphNode, names: &NodeNames, known: &[usize]) -> Vec<usize> {
    let mut places: Vec<_> = node.after.iter().filter_map(|name| names.place(name)).collect();
    places.sort_unstable();
    places.dedup();
    places.retain(|place| !known.contains(place));
    places
}

/// For each node, the places of the branches that name it as an arm.
pub(crate) fn arms(graph: &Flat<'_>, names: &NodeNames) -> Vec<Vec<usize>> {
    let mut arm_of = vec![Vec::new(); graph.len()];
    for (place, node) in graph.iter().enumerate() {
        let Node::Branch(branch) = &node.node else { continue };
        for arm in branch.when.iter().flat_map(|arm| &arm.then).filter_map(|name| names.place(name)) {
            if !arm_of[arm].contains(&place) {
                arm_of[arm].push(place);
            }
        }
    }
    arm_of
}

/// A line between two nodes of a graph: the second starts after the first has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct GraphEdge {
    /// The place of the first node in the graph.
    pub from: usize,
    /// The place of the second.
    pub to: usize,
    /// Whether the first is a branch that names the second as an arm.
    pub is_arm: bool,
}

impl Profile {
    /// What its nodes need of each other, by their places in the graph, in the order of the second node.
    ///
    /// ```
    /// let profile = workflow_core::definition::parse_profile(
    ///     b"graph: [{ id: a, type: run, prompt: Hi }, { id: b, type: run, prompt: \"${nodes.a.output}\" }]", None);
    /// let edges = profile.profile.unwrap().edges();
    /// assert_eq!((edges[0].from, edges[0].to, edges[0].is_arm), (0, 1, false));
    /// ```
    pub fn edges(&self) -> Vec<GraphEdge> {
        let flat = Flat::of(&self.graph);
        let names = NodeNames::of(&flat);
        let arm_of = arms(&flat, &names);
        let mut edges = Vec::new();
        for (to, node) in self.graph.iter().enumerate() {
            let mut needed = needs(&flat, to, &names);
            needed.extend(after(node, &names, &needed));
            let needed =
                needed.into_iter().filter(|from| *from < self.graph.len() && !arm_of[to].contains(from));
            edges.extend(needed.map(|from| GraphEdge { from, to, is_arm: false }));
            edges.extend(arm_of[to].iter().map(|from| GraphEdge { from: *from, to, is_arm: true }));
        }
        edges
    }
}

struct Found<'n> {
    names: &'n NodeNames,
    places: Vec<usize>,
}

impl Found<'_> {
    fn graph_node(&mut self, node: &GraphNode) {
        self.node(&node.node);
        node.set.values().for_each(|value| self.value(value));
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Run(run) => self.run(run),
            Node::Foreach(foreach) => {
                self.value_or_name(&foreach.items);
                self.condition(foreach.when.as_deref());
                self.node(&foreach.run);
            }
            Node::Loop(repeat) => {
                self.condition(repeat.when.as_deref());
                self.condition(repeat.stop_when.as_deref());
                repeat.graph.iter().for_each(|node| self.graph_node(node));
            }
            Node::Graph(body) => {
                self.condition(body.when.as_deref());
                body.graph.iter().for_each(|node| self.graph_node(node));
            }
            Node::Reduce(reduce) => {
                reduce.from.iter().for_each(|name| self.name(name));
                self.run(&reduce.run);
            }
            Node::Branch(branch) => {
                branch.when.iter().for_each(|arm| self.condition(Some(&arm.condition)));
            }
            Node::Export(export) => {
                self.name(&export.from);
                self.condition(export.when.as_deref());
            }
            Node::Ask(ask) => {
                self.text(&ask.question);
                ask.choices.iter().for_each(|choice| self.value(choice));
                self.condition(ask.when.as_deref());
            }
            Node::End(end) => {
                end.reason.iter().for_each(|reason| self.text(reason));
                end.output.iter().for_each(|output| self.value(output));
                self.condition(end.when.as_deref());
            }
            Node::Wait(wait) => {
                wait.until.iter().for_each(|until| self.text(until));
                self.condition(wait.when.as_deref());
            }
            Node::Workflow(workflow) => {
                workflow.vars.values().for_each(|value| self.value(value));
                self.condition(workflow.when.as_deref());
            }
            Node::Set(set) => {
                self.value(&set.value);
                self.condition(set.when.as_deref());
            }
        }
    }

    fn run(&mut self, run: &RunNode) {
        for text in [&run.provider, &run.role, &run.cwd, &run.approval].into_iter().flatten() {
            self.text(text);
        }
        match &run.prompt {
            Some(prompt) if run.template == Some(PromptTemplate::Handlebars) => {
                for names in names_of_prompt(prompt) {
                    if let [root, name, ..] = &names[..]
                        && root == "nodes"
                    {
                        self.name(name);
                    }
                }
            }
            prompt => prompt.iter().for_each(|prompt| self.text(prompt)),
        }
        run.inputs.iter().for_each(|input| self.value_or_name(input));
        run.with.iter().flatten().for_each(|(_, value)| self.value(value));
        run.env.values().for_each(|value| self.value(value));
        self.condition(run.when.as_deref());
    }

    fn value_or_name(&mut self, value: &Value) {
        match named(value) {
            Some(name) => self.name(name),
            None => self.value(value),
        }
    }

    fn name(&mut self, name: &str) {
        self.places.extend(self.names.place(name));
    }

    // Texts that cannot be parsed are reported elsewhere, and need no node.

    fn text(&mut self, text: &str) {
        if let Ok(template) = Template::parse(text) {
            template.names().for_each(|name| self.expression(name));
        }
    }

    fn value(&mut self, value: &Value) {
        if let Ok(template) = ValueTemplate::parse(value) {
            template.names().for_each(|name| self.expression(name));
        }
    }

    fn expression(&mut self, name: &Name) {
        if name.root() == "nodes"
            && let Some(name) = name.segment(1)
        {
            self.name(name);
        }
    }

    fn condition(&mut self, text: Option<&str>) {
        let Some(Ok(condition)) = text.map(Condition::parse) else { return };
        for mut names in condition.queries() {
            if names.next() == Some("nodes")
                && let Some(name) = names.next()
            {
                self.name(name);
            }
        }
    }
}
