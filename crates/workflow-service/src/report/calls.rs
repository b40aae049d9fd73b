//! The calls of a run, with their attempts.

use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::Value;
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::ids::{NodePath, RoleId};
use workflow_core::status::StageStatus;
use workflow_core::usage::{Spent, Usage};

use super::model::{AfterFailure, AttemptOutcome, ReportAttempt, ReportCall, ReportCommit};
use super::words::between;

/// How many calls a report has; more only if they failed.
const CALLS: usize = 500;
/// How many calls a report has at most, and how many commits.
const MOST: usize = 1_000;
/// How many attempts of a call a report has.
const ATTEMPTS: usize = 20;

/// The calls so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub by_path: IndexMap<NodePath, ReportCall>,
    pub commits: Vec<ReportCommit>,
    pub branch: Option<String>,
    pub omitted: u64,
}

impl Calls {
    /// An attempt began.
    pub(super) fn started(
        &mut self,
        path: &NodePath,
        attempt: u32,
        at: Timestamp,
        provider: &Arc<str>,
        role: Option<&RoleId>,
    ) {
        let Some(call) = self.call(path, at) else { return };
        call.provider = Some(provider.clone());
        call.role = role.cloned();
        call.status = StageStatus::Running;
        call.duration_ms = None;
        self.push(path, attempt_at(Some(attempt), at));
    }

    /// An attempt ended: how long it took, or nothing if there was no such attempt.
    pub(super) fn ended(
        &mut self,
        path: &NodePath,
        number: u32,
        at: Timestamp,
        outcome: AttemptOutcome,
        usage: Option<&Usage>,
    ) -> Option<u64> {
        let call = self.by_path.get_mut(path)?;
        let attempt = call.attempts.last_mut()?;
        if attempt.attempt != Some(number) || attempt.outcome != AttemptOutcome::Running {
            return None;
        }
        let took = between(attempt.started_at, at);
        attempt.duration_ms = Some(took);
        attempt.outcome = outcome;
        call.duration_ms = Some(between(call.started_at, at));
        call.spent.add(usage, took);
        call.status = match outcome {
            AttemptOutcome::Succeeded => StageStatus::Completed,
            AttemptOutcome::Failed => StageStatus::Failed,
            AttemptOutcome::Cancelled => StageStatus::Cancelled,
            AttemptOutcome::Running | AttemptOutcome::Interrupted => StageStatus::Running,
        };
        if outcome == AttemptOutcome::Succeeded && call.attempts.len() == 1 && self.by_path.len() > CALLS {
            self.by_path.shift_remove(path);
            self.omitted += 1;
        }
        Some(took)
    }

    /// Why the last attempt failed, and what was done about it.
    pub(super) fn failed(
        &mut self,
        path: &NodePath,
        error: &Arc<Failure>,
        then: Option<AfterFailure>,
        retry_at: Option<Timestamp>,
    ) {
        let Some(call) = self.by_path.get_mut(path) else { return };
        if error.class == FailureClass::Cancelled {
            call.status = StageStatus::Cancelled;
        } else if then.is_some() {
            call.status = StageStatus::Retrying;
        }
        if let Some(attempt) = call.attempts.last_mut() {
            (attempt.error, attempt.then, attempt.retry_at) = (Some(error.clone()), then, retry_at);
        }
    }

    /// A node failed without a call.
    pub(super) fn refused(&mut self, path: &NodePath, at: Timestamp, error: &Arc<Failure>) {
        let Some(call) = self.call(path, at) else { return };
        call.status = StageStatus::Failed;
        let refused = ReportAttempt {
            duration_ms: Some(0),
            outcome: AttemptOutcome::Failed,
            error: Some(error.clone()),
            ..attempt_at(None, at)
        };
        call.duration_ms = Some(between(call.started_at, at));
        self.push(path, refused);
    }

    /// Whether a call for an item of the node has failed.
    pub(super) fn has_failed_item(&self, node: &NodePath) -> bool {
        self.by_path.values().any(|call| {
            call.status == StageStatus::Failed
                && call.path.parent().as_ref().is_some_and(|parent| parent == node)
        })
    }

    /// Adds the commit that the details of a call tell of.
    pub(super) fn commit(&mut self, path: &NodePath, details: Option<&Value>) {
        let Some(commit) = details.and_then(|details| details.get("worktree")) else { return };
        let text = |name: &str| commit.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(id), Some(stat)) = (text("commit"), text("stat")) else { return };
        self.branch = text("branch").or(self.branch.take());
        if self.commits.len() >= MOST {
            self.omitted += 1;
        } else {
            self.commits.push(ReportCommit { path: path.clone(), commit: id, stat });
        }
    }

    fn call(&mut self, path: &NodePath, at: Timestamp) -> Option<&mut ReportCall> {
        if self.by_path.len() >= MOST && !self.by_path.contains_key(path) {
            self.omitted += 1;
            return None;
        }
        Some(self.by_path.entry(path.clone()).or_insert_with(|| ReportCall {
            path: path.clone(),
            provider: None,
            role: None,
            status: StageStatus::Running,
            started_at: at,
            duration_ms: None,
            spent: Spent::default(),
            attempts: Vec::new(),
        }))
    }

    fn push(&mut self, path: &NodePath, attempt: ReportAttempt) {
        let Some(call) = self.by_path.get_mut(path) else { return };
        if call.attempts.len() >= ATTEMPTS {
            call.attempts.remove(0);
            self.omitted += 1;
        }
        call.attempts.push(attempt);
    }
}

fn attempt_at(attempt: Option<u32>, started_at: Timestamp) -> ReportAttempt {
    ReportAttempt {
        attempt,
        started_at,
        duration_ms: None,
        outcome: AttemptOutcome::Running,
        error: None,
        then: None,
        retry_at: None,
    }
}
