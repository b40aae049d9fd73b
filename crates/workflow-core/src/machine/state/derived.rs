//! What the machine keeps beside the facts, so that a step costs no more in a large graph than in a
//! small one. All of it can be derived from plan and facts again; events neither hold nor need it.

use std::collections::VecDeque;

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

/// How far a lane's graph has come.
#[derive(Debug, Clone)]
pub(in crate::machine) struct GraphWork {
    /// For each node of the plan, how many of those that it waits for have not ended.
    pub waits_for: Vec<u32>,
    /// Nodes that wait for nothing and have not been looked at.
    pub ready: VecDeque<usize>,
    /// How many nodes have been begun and have not ended.
    pub under_way: u32,
    /// How many nodes have not ended.
    pub left: usize,
}

/// How far a `foreach` has come.
#[derive(Debug, Clone, Default)]
pub(in crate::machine) struct ItemsWork {
    /// The first item that has not been looked at.
    pub next: u32,
    /// How many items have been begun and have not ended.
    pub under_way: u32,
    /// Whether the outputs of the items have been asked for.
    pub asked: bool,
}

/// What a call that runs has said of its usage.
#[derive(Debug, Clone)]
pub(in crate::machine) struct Live {
    pub usage: Usage,
    /// The budget that it was stopped for.
    pub over: Option<Failure>,
}
