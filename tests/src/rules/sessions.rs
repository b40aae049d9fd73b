//! The sessions that calls continue: for each node the one that was recorded last, unless it was dropped.

use std::collections::HashMap;
use std::sync::Arc;

use workflow_core::bundle::Bundle;
use workflow_core::definition::SessionMode;
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::{NodePath, NodePathParts};

use super::graph::{self, Graph};

/// The sessions of a run.
#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<NodePath, Arc<str>>);

impl Sessions {
    /// Applies an event.
    pub(super) fn take(&mut self, body: &EventBody) {
        match body {
            EventBody::SessionRecorded { path, session, .. } => {
                self.0.insert(place(path), session.clone());
            }
            EventBody::SessionDropped { path, .. } => drop(self.0.remove(&place(path))),
            // The sessions of the other run are not copied.
            EventBody::RunForked(_) => self.0.clear(),
            _ => {}
        }
    }

    /// The session of a node.
    pub(super) fn of(&self, path: &NodePath) -> Option<&Arc<str>> {
        self.0.get(&place(path))
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

/// A node in all iterations; or an item in one of them, because the items differ in each iteration.
fn place(path: &NodePath) -> NodePath {
    let mut place = NodePathParts::clone(path);
    if path.items.is_empty() {
        (place.iteration, place.within) = (1, None);
    }
    place.into()
}
