//! Whether a call is made again, when, and in which session.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::definition::OnFailure;
use crate::failure::{Failure, FailureClass};
use crate::ids::NodePath;
use crate::machine::policy::backoff::{self, later};
use crate::machine::policy::step::Step;
use crate::machine::request::answer;
use crate::machine::state::{budget, session};
use crate::plan::FailurePlan;

impl<'a> Step<'a> {
    /// What the node at `path` says of its failures itself.
    fn own_failure(&self, path: &NodePath) -> Option<&'a FailurePlan> {
        let graph = self.graph()?;
        graph.nodes.get(*graph.names.get(&path.node)?)?.failure.as_deref()
    }

    /// Whether the lane continues although the node, or the item, at `path` fails for good: by a failure of its own, or
    /// because a call was refused. If that was because of the stage's budget, or the run's, no further call could start.
    pub(super) fn continues_after(&self, path: &NodePath, failure: &Failure, refused: bool) -> bool {
        let own = self.own_failure(path);
        own.is_some_and(|own| own.on_failure == Some(OnFailure::Continue))
            && !(refused && failure.class == FailureClass::Budget && self.is_stage_over_budget())
    }

    /// Whether a wrong output goes back to the provider.
    pub(super) fn is_repairable(&self, path: &NodePath, failure: &Failure) -> bool {
        let Some(call) = self.call(path) else { return false };
        let Some(node) = self.node(path) else { return false };
        failure.class == FailureClass::InvalidOutput
            && (call.is_json || answer::schema(self.plan, call, node.role.as_ref()).is_some())
            && node.repairs < call.repairs
            && !self.is_closed_for(path)
    }

    /// The session that a call continued and that has now failed in the same way twice in a row. A quota is not the
    /// fault of a session.
    pub(super) fn session_to_drop(&self, path: &NodePath, failure: &Failure) -> Option<Arc<str>> {
        self.call(path).filter(|call| call.continues && failure.class != FailureClass::RateLimited)?;
        let node = self.node(path)?;
        let session = session::session(self.state, path)?;
        let failed = if node.error.is_some() { node } else { session::last_pass(self.state, path)? };
        let in_session = failed.tried.as_ref().is_some_and(|tried| tried.session_failed);
        let before = failed.error.as_ref().filter(|_| in_session)?;
        (before.class == failure.class && before.message == failure.message).then_some(session)
    }

    pub(super) fn retry_at(
        &self,
        path: &NodePath,
        failure: &Failure,
        parked: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let (stage, _) = self.current()?;
        if self.is_closed_for(path) {
            return None;
        }
        if let Some(until) = parked {
            // A quota whose refill time is in the past is tried again after a short delay.
            let at = until.max(later(self.now, Duration::from_secs(1)));
            return self.in_time(at);
        }
        let failures = self.node(path).map_or(0, |node| node.failures) + 1;
        let own = self.own_failure(path);
        let on_failure = own.and_then(|own| own.on_failure).unwrap_or_else(|| self.on_failure(stage));
        let most = own.and_then(|own| own.retries).unwrap_or(stage.retries);
        let retries = on_failure == OnFailure::Retry && failure.class.is_retryable();
        if !retries || failures > most {
            return None;
        }
        let base = own.and_then(|own| own.backoff).unwrap_or(stage.backoff);
        let delay = backoff::delay(base, failures, self.state.created.seed, path);
        self.in_time(later(self.now, delay))
    }

    /// The time, unless the stages of `finally` have to have ended by then.
    fn in_time(&self, at: Timestamp) -> Option<Timestamp> {
        let left = budget::time_of_finally(self.plan, self.state);
        let wait = || Duration::try_from(at.duration_since(self.now)).unwrap_or_default();
        left.is_none_or(|left| wait() < left).then_some(at)
    }

    /// When to call a node again whose driver died this many times in a row: at once after the first time,
    /// which may have any cause, and with growing delays after that, since the call may be what crashes the
    /// process.
    pub(super) fn again_after_death(&self, path: &NodePath, deaths: u32) -> Option<Timestamp> {
        let again = deaths.checked_sub(1).filter(|again| *again > 0)?;
        let stage = self.stage.filter(|_| !self.is_closed_for(path))?;
        let own = self.own_failure(path).and_then(|own| own.backoff);
        let base = own.unwrap_or(stage.backoff);
        let delay = backoff::delay(base, again, self.state.created.seed, path);
        Some(later(self.now, delay))
    }
}
