//! Which runs a list has.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::ids::{RunId, WorkflowId};
use crate::status::{RunStatus, WaitReason};
use crate::store::record::RunHead;
use crate::store::text::contains;

/// Which runs to list.
///
/// ```
/// use workflow_core::status::RunStatus;
/// use workflow_core::store::RunFilter;
///
/// let filter = RunFilter::all().status(RunStatus::Failed).label("owner", "ann").limit(20);
/// assert_eq!(filter.labels["owner"], "ann");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunFilter {
    /// Only runs of this workflow.
    pub workflow: Option<WorkflowId>,
    /// Only runs with one of these statuses; empty means any.
    pub statuses: Vec<RunStatus>,
    /// Only runs that were created at this time or later.
    pub created_from: Option<Timestamp>,
    /// Only runs that were created before this time.
    pub created_before: Option<Timestamp>,
    /// Only runs that ended at this time or later.
    pub ended_from: Option<Timestamp>,
    /// Only runs that ended before this time.
    pub ended_before: Option<Timestamp>,
    /// Only runs that wait for one of these reasons, perhaps beside others; empty means any, and none.
    pub waits: Vec<WaitReason>,
    /// Only runs with this text in their id, the id of their workflow or the value of a label. `A` to `Z` equal `a` to `z`;
    /// every other character equals only itself.
    pub text: Option<String>,
    /// Only runs with all of these labels, each with exactly this value.
    pub labels: BTreeMap<String, String>,
    /// Only runs that nodes of this run started.
    pub parent: Option<RunId>,
    /// Only runs after this one in the order of the list.
    pub after: Option<RunId>,
    /// At most this many; `None` means all.
    pub limit: Option<usize>,
}

impl RunFilter {
    /// Every run.
    pub fn all() -> Self {
        Self::default()
    }

    /// Runs that have not ended.
    pub fn unfinished() -> Self {
        Self::all().statuses([RunStatus::Pending, RunStatus::Running, RunStatus::Paused])
    }

    /// Selects only runs of this workflow.
    ///
    /// ```
    /// # use workflow_core::store::RunFilter;
    /// let filter = RunFilter::unfinished().workflow("deploy".parse()?);
    /// assert_eq!(filter.workflow.unwrap().as_str(), "deploy");
    /// # Ok::<(), workflow_core::ids::InvalidId>(())
    /// ```
    #[must_use]
    pub fn workflow(mut self, id: WorkflowId) -> Self {
        self.workflow = Some(id);
        self
    }

    /// Selects only runs with this status, or with one of the statuses that the filter has already.
    ///
    /// ```
    /// # use workflow_core::{status::RunStatus, store::RunFilter};
    /// let ended_early = RunFilter::all().status(RunStatus::Failed).status(RunStatus::Cancelled);
    /// assert_eq!(ended_early.statuses, [RunStatus::Failed, RunStatus::Cancelled]);
    /// ```
    #[must_use]
    pub fn status(self, status: RunStatus) -> Self {
        self.statuses([status])
    }

    /// Selects only runs with one of these statuses, or with one of those that the filter has already.
    ///
    /// ```
    /// # use workflow_core::{status::RunStatus, store::RunFilter};
    /// let ended_early = RunFilter::all().statuses([RunStatus::Failed, RunStatus::Cancelled]);
    /// assert_eq!(ended_early.statuses, [RunStatus::Failed, RunStatus::Cancelled]);
    /// ```
    #[must_use]
    pub fn statuses(mut self, statuses: impl IntoIterator<Item = RunStatus>) -> Self {
        self.statuses.extend(statuses);
        self
    }

    /// Selects only runs that were created at this time or later.
    ///
    /// ```
    /// # use workflow_core::store::RunFilter;
    /// let this_year = RunFilter::all().created_from("2026-01-01T00:00:00Z".parse()?);
    /// assert!(this_year.created_from.is_some());
    /// # Ok::<(), jiff::Error>(())
    /// ```
    #[must_use]
    pub fn created_from(mut self, time: Timestamp) -> Self {
        self.created_from = Some(time);
        self
    }

    /// Selects only runs that were created before this time.
    ///
    /// ```
    /// # use workflow_core::store::RunFilter;
    /// let in_january = RunFilter::all()
    ///     .created_from("2026-01-01T00:00:00Z".parse()?)
    ///     .created_before("2026-02-01T00:00:00Z".parse()?);
    /// assert!(in_january.created_before > in_january.created_from);
    /// # Ok::<(), jiff::Error>(())
    /// ```
    #[must_use]
    pub fn created_before(mut self, time: Timestamp) -> Self {
        self.created_before = Some(time);
        self
    }

    /// Selects only runs that ended at this time or later.
    ///
    /// ```
    /// # use workflow_core::store::RunFilter;
    /// let ended_this_year = RunFilter::all().ended_from("2026-01-01T00:00:00Z".parse()?);
    /// assert!(ended_this_year.ended_from.is_some());
    /// # Ok::<(), jiff::Error>(())
    /// ```
    #[must_use]
    pub fn ended_from(mut self, time: Timestamp) -> Self {
        self.ended_from = Some(time);
        self
    }

    /// Selects only runs that ended before this time.
    ///
    /// ```
    /// # use workflow_core::store::RunFilter;
    /// let old = RunFilter::all().ended_before("2026-01-01T00:00:00Z".parse()?);
    /// assert!(old.ended_before.is_some());
    /// # Ok::<(), jiff::Error>(())
    /// ```
    #[must_use]
    pub fn ended_before(mut self, time: Timestamp) -> Self {
        self.ended_before = Some(time);
        self
    }

    /// Selects only runs that wait for this reason, or for one of those that the filter has already.
    ///
    /// ```
    /// # use workflow_core::{status::WaitReason, store::RunFilter};
    /// let inbox = RunFilter::all().waiting_for(WaitReason::Approval).waiting_for(WaitReason::Question);
    /// assert_eq!(inbox.waits, [WaitReason::Approval, WaitReason::Question]);
    /// ```
    #[must_use]
    pub fn waiting_for(mut self, reason: WaitReason) -> Self {
        self.waits.push(reason);
        self
    }

    /// Selects only runs with this text in their id, the id of their workflow or the value of a label; the case of ASCII
    /// letters does not matter.
    ///
    /// ```
    /// # use workflow_core::store::RunFilter;
    /// assert_eq!(RunFilter::all().text("release").text.as_deref(), Some("release"));
    /// ```
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Selects only runs that have this label with exactly this value. With several labels a run must have all of them.
    ///
    /// ```
    /// # use workflow_core::store::RunFilter;
    /// let filter = RunFilter::all().label("tenant", "acme").label("ticket", "OPS-7");
    /// assert_eq!(filter.labels.len(), 2);
    /// ```
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// Selects only runs that nodes of this run started.
    ///
    /// ```
    /// # use workflow_core::store::RunFilter;
    /// let filter = RunFilter::unfinished().parent("rollout-7".parse()?);
    /// assert_eq!(filter.parent.unwrap().as_str(), "rollout-7");
    /// # Ok::<(), workflow_core::ids::InvalidId>(())
    /// ```
    #[must_use]
    pub fn parent(mut self, run: RunId) -> Self {
        self.parent = Some(run);
        self
    }

    /// Begins after this run in the order of the list: with the last run of a page the filter selects the next page.
    ///
    /// ```
    /// # use workflow_core::store::RunFilter;
    /// let first_page = RunFilter::all().limit(50);
    /// let next_page = first_page.clone().after("the-last-run-of-the-first".parse()?);
    /// assert_eq!(next_page.limit, first_page.limit);
    /// # Ok::<(), workflow_core::ids::InvalidId>(())
    /// ```
    #[must_use]
    pub fn after(mut self, run: RunId) -> Self {
        self.after = Some(run);
        self
    }

    /// Selects at most this many runs, the newest.
    ///
    /// ```
    /// # use workflow_core::store::RunFilter;
    /// assert_eq!(RunFilter::all().limit(50).limit, Some(50));
    /// ```
    #[must_use]
    pub fn limit(mut self, most: usize) -> Self {
        self.limit = Some(most);
        self
    }

    /// Whether the filter selects a run with this id and head; `after` and `limit` do not matter.
    pub fn matches(&self, run: &RunId, head: &RunHead) -> bool {
        let ended = head.completed_at.filter(|_| head.status.is_terminal());
        self.workflow.as_ref().is_none_or(|workflow| *workflow == head.workflow_id)
            && (self.statuses.is_empty() || self.statuses.contains(&head.status))
            && self.created_from.is_none_or(|from| head.created_at >= from)
            && self.created_before.is_none_or(|before| head.created_at < before)
            && self.ended_from.is_none_or(|from| ended.is_some_and(|ended| ended >= from))
            && self.ended_before.is_none_or(|before| ended.is_some_and(|ended| ended < before))
            && (self.waits.is_empty() || head.waits().iter().any(|wait| self.waits.contains(&wait.reason)))
            && self
                .parent
                .as_ref()
                .is_none_or(|run| head.parent.as_ref().is_some_and(|parent| parent.run == *run))
            && self.labels.iter().all(|(name, value)| head.labels.get(name) == Some(value))
            && self.text.as_ref().is_none_or(|text| {
                contains(run.as_str(), text)
                    || contains(head.workflow_id.as_str(), text)
                    || head.labels.values().any(|value| contains(value, text))
            })
    }
}
