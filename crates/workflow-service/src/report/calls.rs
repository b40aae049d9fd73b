//! The calls of a run, with their attempts.

use std::collections::{HashMap, HashSet};
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

/// With more calls than this, a report leaves out those that succeeded at the first attempt.
const CALLS: usize = 500;
/// How many calls a report lists at most, and how many commits.
const MOST: usize = 1_000;
/// How many attempts of a call a report lists: the last ones.
const ATTEMPTS: usize = 20;

/// The calls so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub by_path: IndexMap<NodePath, ReportCall>,
    pub commits: Vec<ReportCommit>,
    pub branch: Option<String>,
    /// How many calls were left out.
    pub unlisted: u64,
    omitted_attempts: u64,
    omitted_commits: u64,
    /// The attempts that have not ended, also of calls that are not listed: their numbers, and when they began.
    open: HashMap<NodePath, (u32, Timestamp)>,
    /// The nodes of which a call for an item has failed.
    with_failed_item: HashSet<NodePath>,
}

impl Calls {
    /// How many calls, attempts and commits were left out.
    pub(super) fn omitted(&self) -> u64 {
        self.unlisted + self.omitted_attempts + self.omitted_commits
    }

    /// An attempt began.
    pub(super) fn started(
        &mut self,
        path: &NodePath,
        attempt: u32,
        at: Timestamp,
        provider: &Arc<str>,
        role: Option<&RoleId>,
    ) {
        self.open.insert(path.clone(), (attempt, at));
        let Some(call) = self.call(path, at, attempt == 1) else { return };
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
        let (_, since) = *self.open.get(path).filter(|(open, _)| *open == number)?;
        self.open.remove(path);
        let took = between(since, at);
        let Some(call) = self.by_path.get_mut(path) else { return Some(took) };
        if let Some(attempt) = call.attempts.last_mut() {
            (attempt.duration_ms, attempt.outcome) = (Some(took), outcome);
        }
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
            self.unlisted += 1;
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
        let is_cancelled = error.class == FailureClass::Cancelled;
        if then.is_none() && !is_cancelled {
            self.with_failed_item.extend(path.parent());
        }
        let Some(call) = self.by_path.get_mut(path) else { return };
        if is_cancelled {
            call.status = StageStatus::Cancelled;
        } else if then.is_some() {
            call.status = StageStatus::Retrying;
        }
        if let Some(attempt) = call.attempts.last_mut() {
            (attempt.error, attempt.then, attempt.retry_at) = (Some(error.clone()), then, retry_at);
        }
    }

    /// A node failed without a call. `attempts` were made of it before.
    pub(super) fn refused(&mut self, path: &NodePath, attempts: u32, at: Timestamp, error: &Arc<Failure>) {
        self.with_failed_item.extend(path.parent());
        let Some(call) = self.call(path, at, attempts == 0) else { return };
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
        self.with_failed_item.contains(node)
    }

    /// The run is a fork, which begins here: what the calls of the passes that are under way have used counts for the other
    /// run, and so does what that run has committed.
    pub(super) fn fork(&mut self, at: Timestamp, is_under_way: impl Fn(&NodePath) -> bool) {
        for call in self.by_path.values_mut().filter(|call| is_under_way(&call.path)) {
            (call.started_at, call.spent) = (at, Spent::default());
        }
        (self.branch, self.omitted_commits) = (None, 0);
        self.commits.clear();
    }

    /// Adds the commit that the details of a call tell of.
    pub(super) fn commit(&mut self, path: &NodePath, details: Option<&Value>) {
        let Some(commit) = details.and_then(|details| details.get("worktree")) else { return };
        let text = |name: &str| commit.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(id), Some(stat)) = (text("commit"), text("stat")) else { return };
        self.branch = text("branch").or(self.branch.take());
        if self.commits.len() >= MOST {
            self.omitted_commits += 1;
        } else {
            self.commits.push(ReportCommit { path: path.clone(), commit: id, stat });
        }
    }

    /// The call at that path, which is new if it `is_first`; nothing if it is left out.
    fn call(&mut self, path: &NodePath, at: Timestamp, is_first: bool) -> Option<&mut ReportCall> {
        if self.by_path.len() >= MOST && !self.by_path.contains_key(path) {
            self.unlisted += u64::from(is_first);
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
            self.omitted_attempts += 1;
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
