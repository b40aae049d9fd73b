//! Nodes that run another workflow: when its run is started, and what follows from how it ended.
//!
//! The run of such a node is an attempt at it, and counts as running. So what is said of attempts holds here: retries,
//! failures that continue, and that nothing ends before it has ended. It differs in that no process drives it for this
//! run: it is neither interrupted nor reclaimed, and this run can be paused, or wait, meanwhile.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::event::{ChildEnded, ChildStarted, EventBody, child_id};
use crate::ids::{NodePath, RunId};
use crate::machine::message::{ChildOutcome, Effect};
use crate::machine::policy::backoff::later;
use crate::machine::policy::step::Step;
use crate::machine::request::evaluate;
use crate::machine::request::scope::RunScope;
use crate::machine::state::node::NodeState;
use crate::machine::state::{Broken, budget};
use crate::plan::{ChildPlan, NodeKind};
use crate::provider::{ProviderError, Reply};
use crate::status::StageStatus;
use crate::stop::Stop;

/// A run stays in memory for this long after it has started another one, in case that ends soon.
const LINGER: Duration = Duration::from_secs(1);
/// A run that waits for another one looks at it after as long as that has run already, and after this long at the earliest …
const FIRST_LOOK: Duration = Duration::from_secs(60);
/// … and this long at the latest. Usually it is notified before.
const LAST_LOOK: Duration = Duration::from_secs(3600);

/// Until when a run waits for another one that was started then, unless it is notified before. `None` while it stays in
/// memory.
pub(super) fn look_at(started: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let passed = Duration::try_from(now.duration_since(started)).unwrap_or_default();
    (passed >= LINGER).then(|| later(now, passed.clamp(FIRST_LOOK, LAST_LOOK)))
}

impl<'a> Step<'a> {
    /// Begins a node that runs another workflow, or resumes it.
    pub(super) fn begin_child(&mut self, path: NodePath, child: &ChildPlan) -> Result<(), Broken> {
        let node = self.node(&path);
        match node.map_or(StageStatus::Pending, |node| node.status) {
            StageStatus::Pending => self.start_child(path, child),
            StageStatus::Retrying => match node.and_then(|node| node.retry_at) {
                Some(at) if at > self.now => {
                    self.decision.effects.push(Effect::Timer { path, at });
                    Ok(())
                }
                _ => self.start_child(path, child),
            },
            // It is looked at when the run is loaded.
            _ => Ok(()),
        }
    }

    fn start_child(&mut self, path: NodePath, child: &ChildPlan) -> Result<(), Broken> {
        let Some(stage) = self.stage else { return Ok(()) };
        if let Some(failure) = budget::over(self.plan, self.state, stage) {
            return self.refused(&path, failure);
        }
        let vars = match evaluate::vars(child, &RunScope::node(self.state, stage, &path)) {
            Ok(vars) => vars,
            Err(failure) => return self.fail(&path, failure),
        };
        let attempt = self.node(&path).map_or(0, |node| node.attempt) + 1;
        let created = &self.state.created;
        let created_ms = self.state.created_at.as_millisecond();
        let Some(run) = child_id(&created.run, created.seed, created_ms, &path, attempt) else {
            return Err(self.broken("no id for a run"));
        };
        let workflow = child.workflow.clone();
        let started = ChildStarted { path: path.clone(), attempt, run, workflow, vars };
        self.emit(EventBody::ChildStarted(Arc::new(started)))?;
        self.decision.effects.push(Effect::Child { path, attempt, how: Stop::None });
        Ok(())
    }

    /// Another attempt is due.
    pub(super) fn try_again(&mut self, path: &NodePath, child: &ChildPlan) -> Result<(), Broken> {
        if !self.has_status(path, StageStatus::Retrying) {
            return Ok(());
        }
        self.begin_child(path.clone(), child)?;
        self.go_on_from(path)?;
        self.go_on_after(path.lane)
    }

    /// The run that a node started exists, and has not ended.
    pub(super) fn child_seen(&mut self, path: &NodePath, attempt: u32) -> Result<(), Broken> {
        let now = self.now;
        let node = self.node_mut(path).filter(|node| node.is_running(attempt));
        let Some(node) = node else { return Ok(()) };
        let Some(began) = node.began() else { return Ok(()) };
        let Some(child) = node.child_mut() else { return Ok(()) };
        child.seen.0 = Some(());
        let (path, stays) = (path.clone(), later(began, LINGER));
        if stays > now {
            self.decision.effects.push(Effect::Timer { path, at: stays });
            return Ok(());
        }
        self.advance()
    }

    /// The run that a node started has ended.
    pub(super) fn child_ended(
        &mut self,
        path: NodePath,
        attempt: u32,
        outcome: ChildOutcome,
    ) -> Result<(), Broken> {
        let ChildOutcome { run, status, spent, result } = outcome;
        let is_it = |node: &NodeState| {
            node.is_running(attempt) && node.child().is_some_and(|child| child.started.run == run)
        };
        if !self.node(&path).is_some_and(is_it) {
            return Ok(());
        }
        let lane = path.lane;
        let rested = self.state.waiting.is_some();
        if rested {
            self.emit(EventBody::RunContinued)?;
        }
        let ended = ChildEnded { path: path.clone(), attempt, run, status, spent };
        self.emit(EventBody::ChildEnded(Box::new(ended)))?;
        match result {
            Ok(output) => self.succeeded(path, attempt, Reply { output, ..Reply::default() })?,
            Err(failure) => {
                let error = ProviderError { failure: Box::new(failure), ..ProviderError::permanent("") };
                self.failed(path, attempt, error)?;
            }
        }
        self.warn_of_budgets()?;
        if rested {
            // What else was under way when it was loaded was not resumed.
            self.start_over();
            self.open()?;
            return self.advance();
        }
        self.go_on_after(lane)
    }

    /// The driver of a run that this one started says that it has ended.
    pub(super) fn look_at_child(&mut self, run: &RunId) {
        let found = self.children().into_iter().find(|(_, _, child)| child.run == *run);
        if let Some((path, attempt, _)) = found {
            self.decision.effects.push(Effect::Child { path, attempt, how: Stop::None });
        }
    }

    /// Looks at all runs that were started and have not ended, or has them stopped.
    pub(super) fn look_at_children(&mut self, how: Stop) {
        for (path, attempt, _) in self.children() {
            let is_it =
                |effect: &&mut Effect| matches!(effect, Effect::Child { path: of, .. } if *of == path);
            match self.decision.effects.iter_mut().find(is_it) {
                Some(Effect::Child { how: known, .. }) => *known = how.max(*known),
                _ => self.decision.effects.push(Effect::Child { path, attempt, how }),
            }
        }
    }

    /// How runs that this one started are to be stopped, if they are.
    pub(super) fn stops_children(&self) -> Stop {
        match (self.state.killed && self.state.cancelling, self.is_unwanted()) {
            (true, _) => Stop::AtOnce,
            (false, true) => Stop::Gracefully,
            (false, false) => Stop::None,
        }
    }

    /// The runs that were started and have not ended: the node, its attempt, and how it was started.
    pub(super) fn children(&self) -> Vec<(NodePath, u32, Arc<ChildStarted>)> {
        match self.current() {
            Some((_, current)) => current.children(),
            None => Vec::new(),
        }
    }

    /// The plan of the node at `path`, if it runs another workflow.
    pub(super) fn child_plan(&self, path: &NodePath) -> Option<&'a ChildPlan> {
        match self.graph()?.kind(&path.node, path.items.len())? {
            NodeKind::Workflow(child) => Some(child),
            _ => None,
        }
    }
}
