//! The rules of attempts: when a provider is called, and the results.

use std::sync::Arc;

use jiff::Timestamp;
use workflow_core::data::Data;
use workflow_core::definition::OnFailure;
use workflow_core::event::EventBody;
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::ids::NodePath;
use workflow_core::usage::Usage;

use super::budgets::Scope;
use super::{Checked, Log, Node, graph, rule};

/// After this many deaths in a row during attempts of a node, a person decides.
pub(super) const MOST_DEATHS: u32 = 5;

impl<'a> Log<'a> {
    pub(super) fn take_of_node(&mut self, body: &'a EventBody) -> Checked {
        match body {
            EventBody::NodeQueued { path, .. } => {
                self.check_start(path)?;
                let node = self.nodes.entry(path.clone()).or_default();
                rule(!node.queued, "a node waits once for a slot")?;
                node.queued = true;
                Ok(())
            }
            EventBody::AttemptStarted { path, attempt, role, .. } => {
                self.check_start(path)?;
                self.check_call_agreed(path)?;
                self.check_budgets(path)?;
                let (now, clocks) = (self.now, self.reading.clocks);
                let node = self.nodes.entry(path.clone()).or_default();
                rule(*attempt == node.attempt + 1, "attempts are counted from 1")?;
                rule(!clocks || node.retry_at.is_none_or(|at| at <= now), "a retry waits for its time")?;
                node.attempt = *attempt;
                (node.running, node.queued) = (true, false);
                (node.retry_at, node.since, node.interrupted) = (None, Some(now), false);
                node.role.clone_from(role);
                rule(
                    node.deaths < MOST_DEATHS,
                    "after too many deaths in a row a node runs only if a person agrees",
                )?;
                let (made, free) = (node.attempt, node.free);
                rule(made <= 1 + self.most_retries(path) + free, "there are at most `retries` more attempts")
            }
            EventBody::SessionRecorded { path, attempt, .. } => self.ending(path, *attempt).map(|_| ()),
            EventBody::AttemptSucceeded { path, attempt, output, set, usage, ran_until, .. } => {
                let set = set.iter().flat_map(|set| set.iter());
                let set: Vec<_> = set.map(|(name, value)| (name.clone(), value.value())).collect();
                // None if they could not be resolved, or the result is not wanted any more.
                rule(set.is_empty() || set.len() == self.sets(path), "a node sets its variables")?;
                rule(set.is_empty() || !self.is_unwanted(path), "an unwanted result sets no variables")?;
                self.vars.extend(set);
                let node = self.ends(path, *attempt, usage.as_deref(), ran_until.as_deref().copied())?;
                node.output = output.value();
                (node.running, node.succeeded) = (false, true);
                if !self.graphs.contains_key(&path.stage) {
                    let lane = &mut self.lanes[path.lane as usize];
                    (lane.succeeded, lane.output) = (true, output.value());
                }
                Ok(())
            }
            EventBody::AttemptFailed {
                path,
                attempt,
                error,
                retry_at,
                parked,
                repair,
                continues,
                usage,
                ran_until,
                output,
            } => {
                let refused = self.begins_and_fails(path, *attempt, error, retry_at.as_deref().copied())?;
                if !refused {
                    let given = output.as_deref().map(Data::value).unwrap_or_default();
                    self.ends(path, *attempt, usage.as_deref(), ran_until.as_deref().copied())?.output =
                        given;
                }
                rule(!refused || output.is_none(), "a refused call has no output")?;
                self.fail_attempt(path, *attempt, error, retry_at.as_deref().copied(), (*parked, *repair))?;
                self.check_passes(path, error, *continues, refused)?;
                if !self.graphs.contains_key(&path.stage) {
                    self.lanes[path.lane as usize].output = self.nodes[path].output.clone();
                }
                Ok(())
            }
            EventBody::AttemptCancelled { path, attempt, usage, ran_until } => {
                rule(self.is_unwanted(path), "only an unwanted attempt is cancelled")?;
                self.ends(path, *attempt, usage.as_deref(), *ran_until)?.running = false;
                Ok(())
            }
            EventBody::AttemptInterrupted { path, attempt, usage, ran_until, retry_at } => {
                let died = ran_until.is_some();
                let asks = self.asks_after_interrupt(path);
                let closed = self.is_closed_for(path);
                let (now, clocks) = (self.now, self.reading.clocks);
                let node = self.ends(path, *attempt, usage.as_deref(), ran_until.as_deref().copied())?;
                (node.running, node.interrupted) = (false, true);
                (node.free, node.deaths) = (node.free + 1, node.deaths + u32::from(died));
                node.retry_at = *retry_at;
                let again = died && (2..MOST_DEATHS).contains(&node.deaths) && !asks && !closed;
                rule(again == retry_at.is_some(), "after repeated deaths a node waits before it runs again")?;
                rule(!clocks || retry_at.is_none_or(|at| at >= now), "a retry is scheduled for the future")
            }
            other => self.take_of_graph(other),
        }
    }

    /// An attempt ends, and its usage counts.
    fn ends(
        &mut self,
        path: &NodePath,
        attempt: u32,
        usage: Option<&Usage>,
        ran_until: Option<Timestamp>,
    ) -> Result<&mut Node, &'static str> {
        let node = self.ending(path, attempt)?;
        let has_ended = node.child.as_ref().is_none_or(|(_, has_ended)| *has_ended);
        let since = node.since.take();
        rule(has_ended, "an attempt that has started a run ends after that")?;
        let until = ran_until.unwrap_or(self.now);
        rule(until <= self.now, "no attempt ran longer than until its end")?;
        let clocks = self.reading.clocks;
        rule(!clocks || since.is_none_or(|since| since <= until), "no attempt ended before it started")?;
        self.spend(path, attempt, since.map(|since| (since, until)), usage)?;
        self.ending(path, attempt)
    }

    /// After a failure for good a lane continues if the node says so, unless a call was refused because of the budget of
    /// the stage or of the run.
    pub(super) fn check_passes(
        &mut self,
        path: &NodePath,
        error: &Arc<Failure>,
        continues: bool,
        refused: bool,
    ) -> Checked {
        let own = self.graphs.get(&path.stage).and_then(|graph| graph.on_failure(path));
        let says = own == Some(OnFailure::Continue);
        let budgets = [Scope::Run, Scope::Stage(path.stage.clone())];
        let is_over = budgets.iter().any(|scope| self.is_used_up(scope));
        let is_of_budget = error.class == FailureClass::Budget;
        let node = self.nodes.get_mut(path).ok_or("a node that fails is known")?;
        (node.passed, node.error, node.unmade) = (continues, Some(error.clone()), refused);
        let may = says && node.failed;
        // Versions before looked at the budget for calls that were made as well.
        let is_right = if is_of_budget && !refused && !self.reading.current {
            may || !continues
        } else {
            continues == (may && !(is_of_budget && refused && is_over))
        };
        rule(is_right, "a lane continues after a failure if the node says so")
    }

    /// Whether no new node may start at `path`.
    fn is_closed_for(&self, path: &NodePath) -> bool {
        self.check_lane(path.lane).is_err() || self.has_failed(path.lane) || self.has_item_failed(path)
    }

    fn ending(&mut self, path: &NodePath, attempt: u32) -> Result<&mut Node, &'static str> {
        let node = self.nodes.get_mut(path).filter(|node| node.running && node.attempt == attempt);
        node.ok_or("an attempt that ends has started, and has not ended before")
    }

    /// Handles a refused call, for which no attempt was made.
    fn begins_and_fails(
        &mut self,
        path: &NodePath,
        attempt: u32,
        error: &Failure,
        retry_at: Option<Timestamp>,
    ) -> Result<bool, &'static str> {
        let node = self.nodes.get(path);
        if node.is_some_and(|node| node.running) {
            return Ok(false);
        }
        let refused = node.is_some_and(|node| node.refused);
        rule(
            refused == (error.class == FailureClass::Rejected),
            "a rejected node fails with the class `rejected`",
        )?;
        self.check_start(path)?;
        if error.class == FailureClass::Budget {
            self.check_refused_by_budget(path)?;
        }
        let is_too_late = self.is_used_up(&Scope::Finally) && error.class == FailureClass::Timeout;
        let is_final = !error.class.is_retryable() || is_too_late;
        rule(is_final && retry_at.is_none(), "a refused call is not retried")?;
        let current = self.reading.current;
        let node = self.nodes.entry(path.clone()).or_default();
        let made = attempt == node.attempt || (!current && attempt == node.attempt + 1);
        rule(made, "a refused call is not an attempt")?;
        (node.attempt, node.running) = (attempt, true);
        Ok(true)
    }

    fn fail_attempt(
        &mut self,
        path: &NodePath,
        attempt: u32,
        error: &Failure,
        retry_at: Option<Timestamp>,
        (parked, repair): (bool, bool),
    ) -> Checked {
        let now = self.now;
        let closed = self.is_closed_for(path);
        let role = self.nodes.get(path).and_then(|node| node.role.as_ref());
        let stage = self.stage(&path.stage);
        let form = match self.graphs.get(&path.stage) {
            Some(graph) => graph.form(path, role, stage, self.bundle),
            None => graph::form_of_stage(stage, role, self.bundle),
        };
        let most = self.most_retries(path);
        if let (Some(at), Some(_)) = (retry_at, &self.finally) {
            self.spending.wait(now, at);
        }
        let node = self.ending(path, attempt)?;
        node.running = false;
        node.deaths = 0;
        node.retry_at = retry_at;
        node.failed = retry_at.is_none();
        let mended = error.class == FailureClass::InvalidOutput
            && !closed
            && form.is_some_and(|form| node.repairs < form.repairs);
        rule(repair == mended, "a wrong output is repaired, a limited number of times")?;
        if repair {
            node.free += 1;
            node.repairs += 1;
            return rule(retry_at == Some(now), "a repair starts at once");
        }
        if parked {
            node.free += 1;
            return rule(
                error.class == FailureClass::RateLimited && retry_at.is_some(),
                "a parked attempt is over its quota, and has a time to continue",
            );
        }
        node.failures += 1;
        let retries = error.class.is_retryable() && node.failures <= most && !closed;
        if retry_at.is_none() && !self.graphs.contains_key(&path.stage) {
            self.lanes[path.lane as usize].failed = true;
        }
        // A stage of `finally` leaves out what would be too late.
        let is_told = retries == retry_at.is_some() || (retries && self.finally.is_some());
        rule(is_told, "a retryable failure is retried, up to `retries` times")
    }
}
