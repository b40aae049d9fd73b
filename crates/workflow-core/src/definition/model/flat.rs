//! The nodes of a graph in one list: its own, and after them those in the bodies of its loops.

use super::graph::{GraphNode, Node, Profile, RunNode, call_of};
use super::path::Path;

/// The nodes of a graph, with those in the bodies of its loops.
pub(crate) struct Flat<'g> {
    nodes: Vec<&'g GraphNode>,
    /// For each node in a body, the place of its loop, and its number in the body.
    bodies: Vec<(usize, usize)>,
    /// How many nodes are the graph's own. They come first, at the places that they have in the graph.
    own: usize,
}

impl<'g> Flat<'g> {
    pub(crate) fn of(graph: &'g [GraphNode]) -> Self {
        let mut flat = Self { nodes: graph.iter().collect(), bodies: Vec::new(), own: graph.len() };
        for (place, node) in graph.iter().enumerate() {
            let Node::Loop(repeat) = &node.node else { continue };
            for (number, node) in repeat.graph.iter().enumerate() {
                flat.nodes.push(node);
                flat.bodies.push((place, number));
            }
        }
        flat
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// How many nodes are in no body.
    pub(crate) fn own(&self) -> usize {
        self.own
    }

    pub(crate) fn get(&self, place: usize) -> Option<&'g GraphNode> {
        self.nodes.get(place).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'g GraphNode> {
        self.nodes.iter().copied()
    }

    /// The place of the loop in whose body a node is.
    pub(crate) fn loop_of(&self, place: usize) -> Option<usize> {
        let (repeat, _) = self.bodies.get(place.checked_sub(self.own)?)?;
        Some(*repeat)
    }

    /// The places of the nodes in the body of a loop.
    pub(crate) fn body(&self, repeat: usize) -> impl Iterator<Item = usize> {
        let bodies = self.bodies.iter().enumerate().filter(move |(_, (of, _))| *of == repeat);
        bodies.map(|(number, _)| self.own + number)
    }

    /// Whether a node at the place `from` can name the one at `to`: it is beside it, or the loop of `from` is.
    pub(crate) fn sees(&self, from: usize, to: usize) -> bool {
        self.loop_of(to).is_none() || self.loop_of(to) == self.loop_of(from)
    }

    /// The nodes, each with its path in the file.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (String, &'g GraphNode)> + use<'g> {
        let path = |place: usize| match place.checked_sub(self.own).and_then(|place| self.bodies.get(place)) {
            Some((repeat, number)) => format!("graph[{repeat}].graph[{number}]"),
            None => format!("graph[{place}]"),
        };
        let paths: Vec<_> = (0..self.nodes.len()).map(path).collect();
        paths.into_iter().zip(self.nodes.clone())
    }

    /// Calls `then` with the path of a node, where the graph is at `graph`.
    pub(crate) fn at<T>(&self, place: usize, graph: &Path<'_>, then: impl FnOnce(&Path<'_>) -> T) -> T {
        match place.checked_sub(self.own).and_then(|place| self.bodies.get(place)) {
            Some((repeat, number)) => then(&graph.index(*repeat).key("graph").index(*number)),
            None => then(&graph.index(place)),
        }
    }
}

/// The calls that the nodes of a profile make, each with its path.
pub fn calls_of(profile: &Profile) -> Vec<(String, &RunNode)> {
    let flat = Flat::of(&profile.graph);
    flat.nodes().filter_map(|(path, node)| call_of(&node.node, path)).collect()
}

/// The roles that the nodes of a profile name, each with the path of its field.
pub fn roles_of(profile: &Profile) -> Vec<(String, &str)> {
    let calls = calls_of(profile).into_iter();
    calls.filter_map(|(path, run)| Some((format!("{path}.role"), run.role.as_deref()?))).collect()
}
