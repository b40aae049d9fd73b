//! Policy of single calls: when an attempt may start, and what its end means.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::io::Effect;
use super::lane::NodeState;
use super::lanes::is_closed;
use super::state::Broken;
use super::step::{Step, later};
use super::{backoff, render, reply};
use crate::data::Data;
use crate::definition::OnFailure;
use crate::event::EventBody;
use crate::failure::{Failure, FailureClass};
use crate::ids::NodePath;
use crate::plan::{CallPlan, Strategy};
use crate::provider::{ProviderError, Reply};
use crate::status::StageStatus;
use crate::stop::Stop;
use crate::usage::Usage;

impl<'a> Step<'a> {
    pub(super) fn grant(&mut self, path: NodePath, provider: Arc<str>) -> Result<(), Broken> {
        if !self.may_start(&path) {
            return Ok(());
        }
        if self.node(&path).and_then(|node| node.retry_at).is_some_and(|at| at > self.now) {
            // The clock was set back while it waited for its place.
            self.due(path);
            return Ok(());
        }
        let (Some(stage), Some(call)) = (self.stage, self.call(&path)) else { return Ok(()) };
        let role = match render::role_of(self.plan, self.state, stage, &path, call) {
            Ok(role) => role,
            Err(failure) => {
                self.refuse(path.clone(), failure)?;
                self.go_on(path.lane)?;
                return self.advance();
            }
        };
        if let Some(failure) = self.over_budget(&path, call) {
            self.refused(path.clone(), failure)?;
            self.go_on(path.lane)?;
            return self.advance();
        }
        let attempt = self.node(&path).map_or(0, |node| node.attempt) + 1;
        let body =
            EventBody::AttemptStarted { path: path.clone(), attempt, provider: provider.clone(), role };
        self.emit(body)?;
        self.decision.effects.push(Effect::Call { path, attempt, provider });
        Ok(())
    }

    pub(super) fn refuse(&mut self, path: NodePath, failure: Failure) -> Result<(), Broken> {
        if self.may_start(&path) { self.refused(path, failure) } else { Ok(()) }
    }

    /// A call that was not allowed to begin: no attempt is made.
    pub(super) fn refused(&mut self, path: NodePath, failure: Failure) -> Result<(), Broken> {
        let attempt = self.node(&path).map_or(0, |node| node.attempt);
        let body = EventBody::AttemptFailed {
            path,
            attempt,
            error: Arc::new(failure),
            retry_at: None,
            parked: false,
            repair: false,
            usage: None,
            ran_until: None,
            output: None,
        };
        self.emit(body)
    }

    pub(super) fn due(&mut self, path: NodePath) {
        if !self.may_start(&path) {
            return;
        }
        let retry_at = self.node(&path).and_then(|node| node.retry_at);
        let Some(at) = retry_at else { return };
        if at > self.now {
            self.decision.effects.push(Effect::Timer { path, at });
        } else if let Some(provider) = self.node(&path).and_then(|node| node.provider.clone()) {
            self.decision.effects.push(Effect::Acquire { path, provider });
        }
    }

    pub(super) fn finished(
        &mut self,
        path: NodePath,
        attempt: u32,
        result: Result<Reply, ProviderError>,
        took: Option<Duration>,
    ) -> Result<(), Broken> {
        let Some(node) = self.node(&path).filter(|node| node.is_running(attempt)) else { return Ok(()) };
        self.ran_until = ran_until(node, took, self.now);
        let lane = path.lane;
        match result {
            Ok(reply) => self.succeeded(path, attempt, reply)?,
            Err(error) => self.failed(path, attempt, error)?,
        }
        self.warn_of_budgets()?;
        self.go_on_after(lane)
    }

    pub(super) fn succeeded(&mut self, path: NodePath, attempt: u32, reply: Reply) -> Result<(), Broken> {
        let Reply { output, usage, session, details } = reply;
        let usage = usage.or_else(|| self.told(&path));
        if let Some(session) = session
            && self.node(&path).and_then(|node| node.session.as_deref()) != Some(&*session)
        {
            let path = path.clone();
            self.emit(EventBody::SessionRecorded { path, attempt, session: session.into() })?;
        }
        let output = match self.checked(&path, output.clone()) {
            Ok(output) => output,
            Err(failure) => {
                let error = ProviderError {
                    usage,
                    output: Some(output),
                    failure: Box::new(failure),
                    ..ProviderError::permanent("")
                };
                return self.failed(path, attempt, error);
            }
        };
        let graph = self.graph();
        // A loser writes no variables.
        let (set, error) = match graph
            .filter(|_| !self.is_unwanted())
            .map(|graph| self.node_set(graph, &path, &output))
            .transpose()
        {
            Ok(set) => (set.flatten(), None),
            Err(failure) => (None, Some(failure)),
        };
        let usage = usage.map(Box::new);
        let (node, ran_until) = (path.clone(), self.ran_until.map(Box::new));
        self.emit(EventBody::AttemptSucceeded {
            path: node,
            attempt,
            output,
            set,
            usage,
            details,
            ran_until,
        })?;
        let Some(graph) = graph else {
            self.lane_succeeded();
            return Ok(());
        };
        match error {
            Some(failure) => self.fail(path.clone(), failure)?,
            None => self.count_down(graph, &path),
        }
        self.go_on_from(&path)
    }

    /// The output as it was asked for; a loser's is taken as it is.
    pub(super) fn checked(&self, path: &NodePath, output: Data) -> Result<Data, Failure> {
        let Some(call) = self.call(path).filter(|_| !self.is_unwanted()) else { return Ok(output) };
        let role = self.node(path).and_then(|node| node.role.as_ref());
        reply::output(call, render::schema(self.plan, call, role), output)
    }

    /// A lane has succeeded: those that lost against it are stopped.
    pub(super) fn lane_succeeded(&mut self) {
        if let Some((stage, current)) = self.current()
            && stage.strategy == Strategy::Race
            && current.succeeded == 1
        {
            self.stop_running(Stop::Gracefully);
        }
    }

    pub(super) fn failed(
        &mut self,
        path: NodePath,
        attempt: u32,
        error: ProviderError,
    ) -> Result<(), Broken> {
        let usage = error.usage.or_else(|| self.told(&path)).map(Box::new);
        if self.is_unwanted() {
            return self.emit(EventBody::AttemptCancelled {
                path,
                attempt,
                usage,
                ran_until: self.ran_until,
            });
        }
        let mut failure = *error.failure;
        if let Some(over) = self.node(&path).and_then(|node| node.live.0.as_ref()?.over.clone()) {
            failure = over;
        } else if failure.class == FailureClass::Cancelled {
            failure.class = FailureClass::Transient;
            failure.message = format!("stopped by something other than the run: {}", failure.message);
        }
        let repair = self.is_repairable(&path, &failure);
        let until = error.until.or_else(|| error.retry_after.map(|time| later(self.now, time)));
        let parked_until = until.filter(|_| failure.class == FailureClass::RateLimited);
        let retry_at = if repair { Some(self.now) } else { self.retry_at(&path, &failure, parked_until) };
        let parked = retry_at.is_some() && parked_until.is_some();
        let dropped = self.session_to_drop(&path, &failure);
        let call = self.call(&path);
        let role = self.node(&path).and_then(|node| node.role.as_ref());
        let output = error.output.map(|output| match call {
            Some(call) if call.is_json || render::schema(self.plan, call, role).is_some() => {
                reply::partial(output)
            }
            _ => output,
        });
        let body = EventBody::AttemptFailed {
            path: path.clone(),
            attempt,
            error: Arc::new(failure),
            retry_at,
            parked,
            repair,
            usage,
            ran_until: self.ran_until.map(Box::new),
            output: output.map(Box::new),
        };
        self.emit(body)?;
        if let Some(session) = dropped {
            self.emit(EventBody::SessionDropped { path: path.clone(), session })?;
        }
        match retry_at {
            Some(_) if repair => {
                self.due(path);
                Ok(())
            }
            Some(at) => {
                self.decision.effects.push(Effect::Timer { path, at });
                Ok(())
            }
            None => self.go_on(path.lane),
        }
    }

    /// What a call has told of its usage.
    fn told(&self, path: &NodePath) -> Option<Usage> {
        Some(self.node(path)?.live.0.as_ref()?.usage.clone())
    }

    /// The session that a call went on in and that has now failed in the same way twice in a row.
    fn session_to_drop(&self, path: &NodePath, failure: &Failure) -> Option<Arc<str>> {
        self.call(path).filter(|call| call.continues)?;
        let node = self.node(path)?;
        let session = render::session(self.state, path)?;
        let failed = if node.error.is_some() { node } else { render::last_pass(self.state, path)? };
        let in_session = failed.tried.as_ref().is_some_and(|tried| tried.session_failed);
        let before = failed.error.as_ref().filter(|_| in_session)?;
        (before.class == failure.class && before.message == failure.message).then_some(session)
    }

    /// Whether a wrong output goes back to the provider.
    fn is_repairable(&self, path: &NodePath, failure: &Failure) -> bool {
        let Some(call) = self.call(path) else { return false };
        let Some(node) = self.node(path) else { return false };
        failure.class == FailureClass::InvalidOutput
            && (call.is_json || render::schema(self.plan, call, node.role.as_ref()).is_some())
            && node.repairs < call.repairs
            && !self.is_closed_for(path)
    }

    /// Whether nothing new starts where `path` is, because of what failed or was won.
    pub(super) fn is_closed_for(&self, path: &NodePath) -> bool {
        self.current().is_none_or(|(stage, current)| {
            is_closed(stage.strategy, current)
                || current
                    .lanes
                    .get(path.lane as usize)
                    .is_none_or(|lane| lane.graph.as_ref().is_some_and(|graph| graph.failed > 0))
        })
    }

    fn retry_at(&self, path: &NodePath, failure: &Failure, parked: Option<Timestamp>) -> Option<Timestamp> {
        let (stage, _) = self.current()?;
        if self.is_closed_for(path) {
            return None;
        }
        if let Some(until) = parked {
            // A quota that was refilled in the past is asked for again after a moment.
            return Some(until.max(later(self.now, Duration::from_secs(1))));
        }
        let failures = self.node(path).map_or(0, |node| node.failures) + 1;
        let retries = self.on_failure(stage) == OnFailure::Retry && failure.class.is_retryable();
        if !retries || failures > stage.retries {
            return None;
        }
        let delay = backoff::delay(stage.backoff, failures, self.state.created.seed, path);
        Some(later(self.now, delay))
    }

    /// When a node is called again whose driver died so often in a row: at once after the first time, which may
    /// be anything, and later and later when it may be the call that ends the process.
    pub(super) fn again_after_death(&self, path: &NodePath, deaths: u32) -> Option<Timestamp> {
        let again = deaths.checked_sub(1).filter(|again| *again > 0)?;
        let stage = self.stage.filter(|_| !self.is_closed_for(path))?;
        let delay = backoff::delay(stage.backoff, again, self.state.created.seed, path);
        Some(later(self.now, delay))
    }

    /// The call of the node at `path`, where its stage is under way.
    pub(super) fn call(&self, path: &NodePath) -> Option<&'a CallPlan> {
        self.stage.filter(|stage| stage.id == path.stage)?.call(path)
    }

    /// The node, or the item, at `path`, where something has happened to it.
    pub(super) fn node(&self, path: &NodePath) -> Option<&NodeState> {
        self.state.current_lane(path.lane).filter(|_| self.is_here(path))?.node(path)
    }

    pub(super) fn has_status(&self, path: &NodePath, status: StageStatus) -> bool {
        self.node(path).is_some_and(|node| node.status == status)
    }

    pub(super) fn is_running(&self, path: &NodePath, attempt: u32) -> bool {
        self.node(path).is_some_and(|node| node.is_running(attempt))
    }

    /// Whether the node belongs to the stage under way, has not begun its next attempt, and nothing
    /// keeps it from it.
    pub(super) fn may_start(&self, path: &NodePath) -> bool {
        if self.state.pausing || self.state.cancelling || self.state.rests() {
            return false;
        }
        if !self.is_here(path) || self.is_closed_for(path) || self.call(path).is_none() {
            return false;
        }
        let waits = |node: &NodeState| {
            matches!(node.status, StageStatus::Pending | StageStatus::Queued | StageStatus::Retrying)
        };
        self.node(path).map_or_else(|| self.is_begun(path), waits)
    }

    /// Whether a node of a graph to which nothing has happened yet has its turn.
    fn is_begun(&self, path: &NodePath) -> bool {
        let Some(graph) = self.state.current_lane(path.lane).and_then(|lane| lane.graph.as_ref()) else {
            return false;
        };
        if let Some(number) = path.items.last().copied() {
            let foreach = self.state.current_lane(path.lane).and_then(|lane| lane.foreach(path));
            foreach.and_then(|node| node.items.as_ref()).is_some_and(|items| {
                let next = items.work.0.as_ref().map_or(0, |work| work.next);
                number < next && !items.has_ended(number)
            })
        } else {
            let place = self.graph().and_then(|graph| graph.names.get(&path.node).copied());
            let work = graph.work.0.as_ref().zip(place);
            work.is_some_and(|(work, place)| work.waits_for.get(place) == Some(&0))
        }
    }
}

impl NodeState {
    fn is_running(&self, attempt: u32) -> bool {
        self.status == StageStatus::Running && self.attempt == attempt && self.items.is_none()
    }
}

/// When a call ended that took so long, by the clock by which it began: none where that is now, as it is unless the
/// clock was set, or the machine slept, in between.
fn ran_until(node: &NodeState, took: Option<Duration>, now: Timestamp) -> Option<Timestamp> {
    let (began, took) = (node.began()?, took?);
    let passed = Duration::try_from(now.duration_since(began)).ok()?;
    (passed > took.saturating_add(Duration::from_secs(1))).then(|| later(began, took))
}
