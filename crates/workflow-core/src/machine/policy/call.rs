//! When a call begins, and what follows from how it ended.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::data::Data;
use crate::event::EventBody;
use crate::failure::{Failure, FailureClass};
use crate::ids::NodePath;
use crate::machine::message::Effect;
use crate::machine::policy::backoff::later;
use crate::machine::policy::step::Step;
use crate::machine::request::{answer, who};
use crate::machine::state::Broken;
use crate::machine::state::node::NodeState;
use crate::provider::{ProviderError, Reply};
use crate::usage::Usage;

impl Step<'_> {
    pub(super) fn grant(&mut self, path: NodePath, provider: Arc<str>) -> Result<(), Broken> {
        let Some(call) = self.call_that_may_start(&path) else { return Ok(()) };
        let node = self.node(&path);
        let attempt = node.map_or(0, |node| node.attempt) + 1;
        if node.and_then(|node| node.retry_at).is_some_and(|at| at > self.now) {
            // The clock was set back while it waited for its place.
            self.due(path);
            return Ok(());
        }
        let Some(stage) = self.stage else { return Ok(()) };
        let role = match who::role_of(self.plan, self.state, stage, &path, call) {
            Ok(role) => role,
            Err(failure) => {
                self.refuse(&path, failure)?;
                self.go_on_from(&path)?;
                return self.go_on_after(path.lane);
            }
        };
        if let Some(failure) = self.over_budget(&path, call) {
            self.refused(&path, failure)?;
            self.go_on_from(&path)?;
            return self.go_on_after(path.lane);
        }
        let body =
            EventBody::AttemptStarted { path: path.clone(), attempt, provider: provider.clone(), role };
        self.emit(body)?;
        self.decision.effects.push(Effect::Call { path, attempt, provider });
        Ok(())
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
        // A lane that lost does not write variables.
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
            Some(failure) => self.fail(&path, failure)?,
            None => self.count_down(graph, &path),
        }
        self.go_on_from(&path)
    }

    /// The output in the form that the call requires; the output of a lane that lost is not checked.
    pub(super) fn checked(&self, path: &NodePath, output: Data) -> Result<Data, Failure> {
        let Some(call) = self.call(path).filter(|_| !self.is_unwanted()) else { return Ok(output) };
        let role = self.node(path).and_then(|node| node.role.as_ref());
        answer::output(call, answer::schema(self.plan, call, role), output)
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
        let over = self.node(&path).and_then(|node| node.live.0.as_ref()?.over.clone());
        let over = over.or_else(|| self.asks_in_vain().filter(|_| error.question.is_some()));
        if let Some(question) = error.question.filter(|_| over.is_none()) {
            return self.ask_for_call(path, attempt, *question, usage);
        }
        let mut failure = *error.failure;
        if let Some(over) = over {
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
        let continues = retry_at.is_none() && self.continues_after(&path, &failure, false);
        // An item that has ended has no session any more.
        let has_ended = continues && !path.items.is_empty();
        let dropped = if has_ended { None } else { self.session_to_drop(&path, &failure) };
        let call = self.call(&path);
        let role = self.node(&path).and_then(|node| node.role.as_ref());
        let output = error.output.map(|output| match call {
            Some(call) if call.is_json || answer::schema(self.plan, call, role).is_some() => {
                answer::partial(output)
            }
            _ => output,
        });
        let body = EventBody::AttemptFailed {
            path: path.clone(),
            attempt,
            error: Arc::new(failure),
            retry_at: retry_at.map(Box::new),
            parked,
            repair,
            continues,
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
            None if continues => self.pass(&path),
            None => self.go_on_from(&path),
        }
    }

    /// The usage that a call has reported. Few calls report any before their end.
    #[inline]
    fn told(&self, path: &NodePath) -> Option<Usage> {
        Some(self.node(path)?.live.0.as_ref()?.usage.clone())
    }
}

/// When a call of this duration ended, by the clock by which it began. `None` if that is now, which holds
/// unless the clock was set, or the machine slept, in between.
fn ran_until(node: &NodeState, took: Option<Duration>, now: Timestamp) -> Option<Timestamp> {
    let (began, took) = (node.began()?, took?);
    let passed = Duration::try_from(now.duration_since(began)).ok()?;
    (passed > took.saturating_add(Duration::from_secs(1))).then(|| later(began, took))
}
