//! What the machine keeps beside the facts, so that the cost of a step does not grow with the graph. All of
//! it can be derived from plan and facts again; events neither hold nor need it.

use std::collections::{BTreeMap, VecDeque};

use crate::failure::Failure;
use crate::usage::Usage;

/// Something that can be derived again from the rest of a state and its plan. It is never compared.
#[derive(Debug, Clone)]
pub(in crate::machine) struct Derived<T>(pub(in crate::machine) Option<T>);

impl<T> Default for Derived<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> PartialEq for Derived<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// The progress of a graph.
#[derive(Debug, Clone)]
pub(in crate::machine) struct GraphWork {
    /// For each node of the plan, how many of the nodes that it waits for have not ended.
    pub waits_for: Vec<u32>,
    /// Nodes that wait for nothing and have not been considered yet.
    pub ready: VecDeque<usize>,
    /// How many nodes have been begun and have not ended.
    pub under_way: u32,
    /// How many nodes have not ended, those in the bodies of loops not counted.
    pub left: usize,
    /// For each loop that is under way, its place and how many nodes in its body have not ended in this iteration.
    pub loops: Vec<(usize, usize)>,
}

/// The progress of a `foreach`.
#[derive(Debug, Clone, Default)]
pub(in crate::machine) struct ItemsWork {
    /// The first item that has not been considered yet.
    pub next: u32,
    /// How many items have been begun and have not ended.
    pub under_way: u32,
    /// Whether the outputs of the items have been asked for.
    pub asked: bool,
    /// Where the body is a graph: the progress of each item that has been begun and has not ended.
    pub bodies: Option<BTreeMap<u32, GraphWork>>,
}

/// The usage that a running call has reported.
#[derive(Debug, Clone)]
pub(in crate::machine) struct Live {
    pub usage: Usage,
    /// The budget that it was stopped for.
    pub over: Option<Failure>,
}
