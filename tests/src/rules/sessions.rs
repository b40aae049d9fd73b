//! The sessions that calls continue: for each node the one that was recorded last, unless it was dropped.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use workflow_core::bundle::Bundle;
use workflow_core::definition::SessionMode;
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::{NodeId, NodePath, NodePathParts, StageId, Within};

use super::graph::{self, Graph};

/// The sessions of a run.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    sessions: HashMap<NodePath, Arc<str>>,
    /// The loops that have begun.
    loops: HashSet<(StageId, NodeId)>,
}

impl Sessions {
    /// Applies an event.
    pub(super) fn take(&mut self, body: &EventBody) {
        match body {
            EventBody::SessionRecorded { path, session, .. } => {
                self.sessions.insert(self.place(path), session.clone());
            }
            EventBody::SessionDropped { path, .. } => drop(self.sessions.remove(&self.place(path))),
            // The sessions of the other run are not copied.
            EventBody::RunForked(_) => self.sessions.clear(),
            EventBody::NodeStarted { path, items } if items.is_null() => {
                self.loops.insert((path.stage.clone(), path.node.clone()));
            }
            _ => {}
        }
    }

    /// The session of a node.
    pub(super) fn of(&self, path: &NodePath) -> Option<&Arc<str>> {
        self.sessions.get(&self.place(path))
    }

    /// A node in all iterations; or an item, or a node in its graph, in one of them, because the items differ in each
    /// iteration.
    fn place(&self, path: &NodePath) -> NodePath {
        let mut place = NodePathParts::clone(path);
        let is_in_loop = |within: &Within| self.loops.contains(&(path.stage.clone(), within.node.clone()));
        if path.items.is_empty() && path.within.as_deref().is_none_or(is_in_loop) {
            (place.iteration, place.within) = (1, None);
        }
        place.into()
    }
}

/// The session that the call of a node continues, if it may continue one.
pub fn session(events: &[Event], path: &NodePath, attempt: u32) -> Option<Arc<str>> {
    let mut sessions = Sessions::default();
    for Event { body, .. } in events {
        if matches!(body, EventBody::AttemptStarted { path: of, attempt: n, .. } if of == path && *n == attempt)
        {
            break;
        }
        sessions.take(body);
    }
    sessions.of(path).cloned()
}

/// Whether an attempt continues the session of the previous one, which was interrupted.
pub fn resumes(events: &[Event], path: &NodePath, attempt: u32) -> bool {
    let (mut in_session, mut resumes) = (false, false);
    for Event { body, .. } in events.iter().filter(|event| event.body.path() == Some(path)) {
        match body {
            EventBody::AttemptStarted { attempt: number, .. } if *number == attempt => break,
            EventBody::AttemptStarted { .. } => in_session = resumes,
            EventBody::SessionRecorded { .. } => in_session = true,
            EventBody::AttemptInterrupted { .. } => resumes = in_session,
            EventBody::AttemptFailed { .. } | EventBody::SessionDropped { .. } => {
                (in_session, resumes) = (false, false);
            }
            _ => {}
        }
    }
    resumes
}

/// Whether the calls at a path continue sessions.
pub fn continues(bundle: &Bundle, path: &NodePath) -> bool {
    let graph = bundle.profiles.get(&path.stage).map(Graph::new);
    let run = graph.as_ref().and_then(|graph| graph::call(graph.what(path)?));
    let own = run.and_then(|run| run.session);
    own.or(bundle.workflow.stages[&path.stage].session) == Some(SessionMode::Continue)
}
