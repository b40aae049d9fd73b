//! The dependencies between the nodes of a graph.

use std::collections::BTreeSet;

use serde_json::Value;
use workflow_core::definition::{GraphNode, Join, Mode, Node, Profile, RunNode};
use workflow_core::expr::{Condition, ValueTemplate};
use workflow_core::ids::is_id;

use super::{mentions, text};

/// The dependencies of each node of a graph, by its position.
pub(super) struct Needs {
    /// The nodes that it names.
    pub named: Vec<BTreeSet<usize>>,
    /// The branches that name it as an arm.
    pub branches: Vec<BTreeSet<usize>>,
    /// The nodes that it only has to wait for.
    pub after: Vec<BTreeSet<usize>>,
    /// When it starts.
    pub join: Vec<Join>,
    /// The loop or the `foreach` in whose body it is.
    pub owner_of: Vec<Option<usize>>,
}

/// A profile whose graph has the nodes in bodies too, after all others.
pub(super) fn flat(profile: &Profile) -> Profile {
    let mut flat = profile.clone();
    for node in &profile.graph {
        flat.graph.extend(node.node.body().into_iter().flatten().cloned());
    }
    flat
}

impl Needs {
    /// Of a profile as [`flat`] makes it.
    pub(super) fn of(profile: &Profile) -> Self {
        let graph = &profile.graph;
        let bodies = graph.iter().enumerate().flat_map(|(place, node)| {
            node.node.body().into_iter().flatten().map(move |node| (node.id.clone(), place))
        });
        let bodies: Vec<_> = bodies.collect();
        let owner_of = graph.iter().map(|node| Some(bodies.iter().find(|(id, _)| *id == node.id)?.1));
        let owner_of: Vec<Option<usize>> = owner_of.collect();
        let mut branches = vec![BTreeSet::new(); graph.len()];
        for (place, node) in graph.iter().enumerate() {
            let Node::Branch(branch) = &node.node else { continue };
            for name in branch.when.iter().flat_map(|arm| &arm.then) {
                branches[find(profile, name).unwrap()].insert(place);
            }
        }
        let places = |node: &GraphNode| node.after.iter().map(|name| find(profile, name).unwrap()).collect();
        let after = graph.iter().map(places).collect();
        let join = graph.iter().map(|node| node.join.unwrap_or_default()).collect();
        let mut named: Vec<_> = graph.iter().map(|node| named(profile, node)).collect();
        for (place, named) in named.iter_mut().enumerate() {
            named.retain(|need| owner_of[*need] != Some(place));
        }
        Self { named, branches, after, join, owner_of }
    }

    pub(super) fn all(&self, place: usize) -> BTreeSet<usize> {
        &self.named[place] | &self.branches[place]
    }

    /// All that must end before it starts.
    pub(super) fn order(&self, place: usize) -> BTreeSet<usize> {
        &self.all(place) | &self.after[place]
    }

    /// Whether `before` must end before `place` starts.
    pub(super) fn is_before(&self, before: usize, place: usize) -> bool {
        // A node is before what follows it, and with it all that is in its body.
        if let Some(repeat) = self.owner_of[place].filter(|repeat| self.owner_of[before] != Some(*repeat)) {
            return self.is_before(before, repeat);
        }
        if let Some(repeat) = self.owner_of[before].filter(|repeat| self.owner_of[place] != Some(*repeat)) {
            return repeat != place && self.is_before(repeat, place);
        }
        if self.starts_early(place) {
            return false;
        }
        self.order(place).into_iter().any(|need| need == before || self.is_before(before, need))
    }

    /// Whether it starts after any of several nodes.
    pub(super) fn starts_early(&self, place: usize) -> bool {
        self.join[place] == Join::Any && self.order(place).len() > 1
    }

    /// Whether no node follows it.
    pub(super) fn is_last(&self, place: usize) -> bool {
        (0..self.named.len()).all(|other| !self.order(other).contains(&place))
    }

    /// Whether a node is in the graph that is run for several items at a time.
    pub(super) fn is_in_parallel(&self, profile: &Profile, place: usize) -> bool {
        let owner = self.owner_of[place].map(|owner| &profile.graph[owner].node);
        matches!(owner, Some(Node::Foreach(foreach)) if foreach.mode == Some(Mode::Parallel))
    }

    /// A variable that is read or set while it may be set, in this lane or in a parallel one.
    pub(super) fn unordered_variable(&self, profile: &Profile) -> Option<String> {
        let graph = &profile.graph;
        for (place, node) in graph.iter().enumerate() {
            for name in node.set.keys() {
                if self.is_in_parallel(profile, place) {
                    return Some(name.clone());
                }
                let is_around = |other: usize| self.owner_of[place] == Some(other);
                let reads = |other: usize| {
                    !is_around(other) && mentions(&text(&graph[other]), &format!("vars.{name}"))
                };
                let touches = |other: &usize| {
                    reads(*other) || (*other != place && graph[*other].set.contains_key(name))
                };
                let mut others = (0..graph.len()).filter(touches);
                let is_ordered = |other: usize| {
                    self.is_before(place, other)
                        || (self.is_before(other, place) && graph[other].set.contains_key(name))
                };
                if others.any(|other| !is_ordered(other)) {
                    return Some(name.clone());
                }
            }
        }
        None
    }
}

/// The node with this name: its id, or the name of its output.
pub(super) fn find(profile: &Profile, name: &str) -> Option<usize> {
    let is_called = |node: &GraphNode| {
        node.id.as_str() == name || node.out.as_ref().is_some_and(|out| out.as_str() == name)
    };
    profile.graph.iter().position(is_called)
}

/// The name of a node in the place of a value.
pub(super) fn name_of(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| is_id(text))
}

fn named(profile: &Profile, node: &GraphNode) -> BTreeSet<usize> {
    let mut names = Vec::new();
    of_node(&node.node, &mut names);
    node.set.values().for_each(|value| of_value(value, &mut names));
    names.iter().filter_map(|name| find(profile, name)).collect()
}

fn of_node(node: &Node, names: &mut Vec<String>) {
    match node {
        Node::Run(run) => of_run(run, names),
        Node::Foreach(foreach) => {
            of_input(&foreach.items, names);
            of_condition(foreach.when.as_deref(), names);
            of_node(&foreach.run, names);
        }
        Node::Loop(repeat) => {
            of_condition(repeat.when.as_deref(), names);
            of_condition(repeat.stop_when.as_deref(), names);
            for node in &repeat.graph {
                of_node(&node.node, names);
                node.set.values().for_each(|value| of_value(value, names));
            }
        }
        Node::Graph(body) => {
            of_condition(body.when.as_deref(), names);
            for node in &body.graph {
                of_node(&node.node, names);
                node.set.values().for_each(|value| of_value(value, names));
            }
        }
        Node::Reduce(reduce) => {
            names.extend(reduce.from.iter().cloned());
            of_run(&reduce.run, names);
        }
        Node::Branch(branch) => {
            branch.when.iter().for_each(|arm| of_condition(Some(&arm.condition), names));
        }
        Node::Ask(ask) => {
            of_value(&ask.question.as_str().into(), names);
            ask.choices.iter().for_each(|choice| of_value(choice, names));
            of_condition(ask.when.as_deref(), names);
        }
        Node::End(end) => {
            end.reason.iter().for_each(|reason| of_value(&reason.as_str().into(), names));
            end.output.iter().for_each(|output| of_value(output, names));
            of_condition(end.when.as_deref(), names);
        }
        Node::Wait(wait) => {
            wait.until.iter().for_each(|until| of_value(&until.as_str().into(), names));
            of_condition(wait.when.as_deref(), names);
        }
        Node::Workflow(workflow) => {
            workflow.vars.values().for_each(|value| of_value(value, names));
            of_condition(workflow.when.as_deref(), names);
        }
        Node::Set(set) => {
            of_value(&set.value, names);
            of_condition(set.when.as_deref(), names);
        }
        Node::Export(export) => {
            names.push(export.from.clone());
            of_condition(export.when.as_deref(), names);
        }
    }
}

fn of_run(run: &RunNode, names: &mut Vec<String>) {
    for text in [&run.provider, &run.prompt].into_iter().flatten() {
        of_value(&text.as_str().into(), names);
    }
    run.inputs.iter().for_each(|input| of_input(input, names));
    of_condition(run.when.as_deref(), names);
}

fn of_input(value: &Value, names: &mut Vec<String>) {
    match name_of(value) {
        Some(name) => names.push(name.to_owned()),
        None => of_value(value, names),
    }
}

fn of_value(value: &Value, names: &mut Vec<String>) {
    let template = ValueTemplate::parse(value).unwrap();
    let nodes = template.names().filter(|name| name.root() == "nodes");
    names.extend(nodes.filter_map(|name| name.segment(1).map(ToOwned::to_owned)));
}

fn of_condition(condition: Option<&str>, names: &mut Vec<String>) {
    let Some(condition) = condition.map(|text| Condition::parse(text).unwrap()) else { return };
    for mut query in condition.queries() {
        if query.next() == Some("nodes") {
            names.extend(query.next().map(ToOwned::to_owned));
        }
    }
}
