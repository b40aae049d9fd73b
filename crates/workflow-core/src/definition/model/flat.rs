//! The nodes of a graph in one list: its own, and after them those in the bodies of its loops, and of each `foreach` whose body
//! is a graph.

use super::graph::{GraphNode, Node, Profile, RunNode, WorkflowNode, call_of, workflow_of};
use super::path::Path;

/// The nodes of a graph, with those in bodies.
pub(crate) struct Flat<'g> {
    nodes: Vec<&'g GraphNode>,
    /// For each node in a body, the place of the node that has the body, and its number in the body.
    bodies: Vec<(usize, usize)>,
    /// How many nodes are the graph's own. They come first, at the places that they have in the graph.
    own: usize,
}

impl<'g> Flat<'g> {
    pub(crate) fn of(graph: &'g [GraphNode]) -> Self {
        let mut flat = Self { nodes: graph.iter().collect(), bodies: Vec::new(), own: graph.len() };
        for (place, node) in graph.iter().enumerate() {
            for (number, node) in node.node.body().unwrap_or_default().iter().enumerate() {
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

    /// The place of the loop, or the `foreach`, in whose body a node is.
    pub(crate) fn owner_of(&self, place: usize) -> Option<usize> {
        let (owner, _) = self.bodies.get(place.checked_sub(self.own)?)?;
        Some(*owner)
    }

    /// The place of the loop in whose body a node is.
    pub(crate) fn repeat_of(&self, place: usize) -> Option<usize> {
        self.owner_of(place).filter(|owner| self.get(*owner).is_some_and(|node| is_loop(&node.node)))
    }

    /// The place of the `foreach` in whose body a node is.
    pub(crate) fn foreach_of(&self, place: usize) -> Option<usize> {
        self.owner_of(place).filter(|owner| self.get(*owner).is_some_and(|node| !is_loop(&node.node)))
    }

    /// The places of the nodes in the body of a node.
    pub(crate) fn body(&self, owner: usize) -> impl Iterator<Item = usize> {
        let bodies = self.bodies.iter().enumerate().filter(move |(_, (of, _))| *of == owner);
        bodies.map(|(number, _)| self.own + number)
    }

    /// Whether a node at the place `from` can name the one at `to`: it is beside it, or what has `from` in its body is.
    pub(crate) fn sees(&self, from: usize, to: usize) -> bool {
        self.owner_of(to).is_none() || self.owner_of(to) == self.owner_of(from)
    }

    /// The nodes, each with its path in the file.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (String, &'g GraphNode)> + use<'g> {
        let paths: Vec<_> = (0..self.nodes.len()).map(|place| self.path(place)).collect();
        paths.into_iter().zip(self.nodes.clone())
    }

    /// The path of a node in the file.
    pub(crate) fn path(&self, place: usize) -> String {
        match place.checked_sub(self.own).and_then(|place| self.bodies.get(place)) {
            Some((owner, number)) if self.repeat_of(place).is_some() => {
                format!("graph[{owner}].graph[{number}]")
            }
            Some((owner, number)) => format!("graph[{owner}].run.graph[{number}]"),
            None => format!("graph[{place}]"),
        }
    }

    /// Calls `then` with the path of a node, where the graph is at `graph`.
    pub(crate) fn at<T>(&self, place: usize, graph: &Path<'_>, then: impl FnOnce(&Path<'_>) -> T) -> T {
        match place.checked_sub(self.own).and_then(|place| self.bodies.get(place)) {
            Some((owner, number)) if self.repeat_of(place).is_some() => {
                then(&graph.index(*owner).key("graph").index(*number))
            }
            Some((owner, number)) => then(&graph.index(*owner).key("run").key("graph").index(*number)),
            None => then(&graph.index(place)),
        }
    }
}

fn is_loop(node: &Node) -> bool {
    matches!(node, Node::Loop(_))
}

/// The calls that the nodes of a profile make, each with its path.
pub fn calls_of(profile: &Profile) -> Vec<(String, &RunNode)> {
    let flat = Flat::of(&profile.graph);
    flat.nodes().filter_map(|(path, node)| call_of(&node.node, path)).collect()
}

/// The nodes of a profile that run other workflows, each with its path.
pub fn workflows_of(profile: &Profile) -> Vec<(String, &WorkflowNode)> {
    let flat = Flat::of(&profile.graph);
    // Few nodes do: only their paths are made.
    let places = flat.iter().enumerate().filter(|(_, node)| workflow_of(&node.node, String::new()).is_some());
    places.filter_map(|(place, node)| workflow_of(&node.node, flat.path(place))).collect()
}

/// The roles that the nodes of a profile name, each with the path of its field.
pub fn roles_of(profile: &Profile) -> Vec<(String, &str)> {
    let flat = Flat::of(&profile.graph);
    let mut roles = Vec::new();
    for (place, node) in flat.iter().enumerate() {
        // Few nodes name one: only their paths are made.
        if call_of(&node.node, String::new()).is_some_and(|(_, run)| run.role.is_some())
            && let Some((path, run)) = call_of(&node.node, flat.path(place))
        {
            roles.extend(run.role.as_deref().map(|role| (format!("{path}.role"), role)));
        }
    }
    roles
}
