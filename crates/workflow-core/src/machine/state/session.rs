//! The session that a call resumes.

use std::sync::Arc;

use crate::ids::NodePath;
use crate::machine::state::State;
use crate::machine::state::node::{NodeState, Session};

impl State {
    /// Whether the sessions of a node are kept from one iteration to the next: it is not an item, or in the graph of one.
    pub(super) fn keeps_sessions(&self, path: &NodePath) -> bool {
        path.items.is_empty() && (path.within.is_none() || self.is_in_loop(path))
    }

    #[cold]
    fn is_in_loop(&self, path: &NodePath) -> bool {
        let graph = self.current_lane(path.lane).and_then(|lane| lane.graph.as_ref());
        path.within.as_ref().zip(graph).is_some_and(|(within, graph)| graph.repeat(&within.node).is_some())
    }

    /// The session of a node that is not an item, nor in the graph of one.
    pub(in crate::machine) fn session(&self, path: &NodePath) -> Option<&Session> {
        let path = self.keeps_sessions(path).then_some(path)?;
        self.sessions.get(&(path.stage.clone(), path.lane, path.node.clone()))
    }
}

/// The session that a call continues: the one that was recorded last, in this iteration or in one before.
/// Items have no session from earlier iterations, because the items may differ in each iteration.
pub(in crate::machine) fn session(state: &State, path: &NodePath) -> Option<Arc<str>> {
    if state.keeps_sessions(path) {
        return Some(state.session(path)?.id.clone());
    }
    state.current_lane(path.lane)?.node(path)?.session.clone()
}

/// The node as its pass before this one left it.
pub(in crate::machine) fn last_pass<'s>(state: &'s State, path: &NodePath) -> Option<&'s NodeState> {
    if let Some(within) = &path.within
        && within.number > 0
    {
        let repeat = state.current_lane(path.lane)?.graph.as_ref()?.repeat(&within.node)?;
        return repeat.previous.get(&path.node)?.below(&path.items);
    }
    let graph = state.results.get(&path.stage)?.lanes.get(path.lane as usize)?;
    match &path.within {
        // As the last iteration of the loop left it.
        Some(_) => graph.graph.as_ref()?.nodes.get(&path.node)?.below(&path.items),
        None => graph.node(path),
    }
}
