//! What a store keeps of a run beside its events.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::actor::Actor;
use crate::bundle::{Bundle, BundleHash};
use crate::event::{Event, ParentRun};
use crate::failure::Failure;
use crate::ids::{RunId, StageId, WorkflowId};
use crate::priority::Priority;
use crate::slot::RunSlot;
use crate::status::{RunStatus, StageStatus, Wait};
use crate::store::pairs;
use crate::usage::Spent;

/// A run to be created.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// Its bundle; stored unless one of that hash is there already.
    pub bundle: Arc<Bundle>,
    /// The first events, the first of them `run_created`.
    pub events: Vec<Event>,
    /// Its first head.
    pub head: RunHead,
}

/// The lease of a run: only its holder may drive the run. Valid until it is released, its holder dies, or it
/// expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// Grows with every claim; fences off former holders. Does not restart for a run that is created with the
    /// id of a deleted one.
    pub epoch: u64,
    /// The epoch of the lease of this run that was given out before this one; 0 where there was none, or where the
    /// store cannot tell.
    ///
    /// A driver that has lost its lease and claims the run again learns from it whether another driver had
    /// the run in between, and may have stopped processes of the run's calls. Calls that are under way
    /// continue only if it is the epoch that the driver had. So a store whose [leases
    /// expire](super::RunStore::lease_time) must set it; other stores need not.
    pub previous: u64,
    /// How many holders of this run in a row ended without releasing it, since its last event was stored:
    /// each of them claimed it, and died before it recorded anything. A lease that was released, or that its
    /// own process claims again after it expired, does not count, and leaves the count unchanged. The next
    /// event resets it.
    ///
    /// A worker leaves a run whose drivers die again and again to a person. So a store that more than one process uses one
    /// after the other keeps this, on the disk and before it gives the lease out.
    pub deaths: u32,
    /// The run that has the [slot](RunSlot) of this one. While there is one, the holder of the lease may only end the run:
    /// other appends are refused.
    pub behind: Option<RunId>,
}

/// What lists and status displays need of a run, without reading its events.
///
/// It is stored with the events that [change it](crate::event::EventBody::changes_head), never for itself. So it is exact
/// for a run that waits or has ended, and [`progress`](Self::progress) of a run that is under way is as old as the last of
/// those events: who needs that of a running run folds its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunHead {
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The bundle.
    pub bundle: BundleHash,
    /// The status.
    pub status: RunStatus,
    /// Why it does not continue by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Box<Wait>>,
    /// When it was created.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// When it was first driven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub completed_at: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Arc<Failure>>,
    /// The labels that it was started with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The run that it was forked from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<RunId>,
    /// Who started it: who forked it where it is a fork. Absent if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<Arc<Actor>>,
    /// Who requested the pause or the cancellation that is in effect or not complete yet. Absent if that is not known, and
    /// where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<Arc<Actor>>,
    /// How far it is. Absent before its first stage, and in heads that earlier versions stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Arc<RunProgress>>,
    /// The slot that it needs, if it shares one with other runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Arc<RunSlot>>,
    /// Which of the runs that no process drives is claimed first.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// The run that started it, if it is the run of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Arc<ParentRun>>,
}

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunProgress {
    /// The iteration, from 1.
    pub iteration: u32,
    /// The stage that is under way, or that a person is asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_stage: Option<StageId>,
    /// The stages that have begun, in that order, and the status of the latest pass of each. Empty if there are more than
    /// [`MOST_STAGES`](Self::MOST_STAGES).
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "pairs")]
    #[schemars(with = "IndexMap<StageId, StageStatus>")]
    pub stages: Vec<(StageId, StageStatus)>,
    /// What all attempts used.
    #[serde(default)]
    pub spent: Spent,
    /// All open questions to people, and when it continues by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
}

impl RunProgress {
    /// The statuses of more stages are not kept: a head is read and written as a whole.
    pub const MOST_STAGES: usize = 100;
}

impl RunHead {
    /// All that the run waits for: open questions to people, and when it continues by itself.
    pub fn waits(&self) -> &[Wait] {
        match (&self.progress, &self.wait) {
            (Some(progress), _) if !progress.waits.is_empty() => &progress.waits,
            (_, Some(wait)) => std::slice::from_ref(&**wait),
            (_, None) => &[],
        }
    }

    /// From when on a driver can continue the run without a person; [`Timestamp::MIN`] if at once.
    pub fn goes_on_from(&self) -> Option<Timestamp> {
        let until = self.wait.as_ref().and_then(|wait| wait.until);
        match self.status {
            RunStatus::Pending | RunStatus::Running => Some(until.unwrap_or(Timestamp::MIN)),
            RunStatus::Paused => until,
            RunStatus::Completed | RunStatus::Failed | RunStatus::Cancelled => None,
        }
    }

    /// Orders runs as they are claimed: the highest priority first; then those whose time to wait for is over, by that time;
    /// then the oldest.
    pub fn turn(&self) -> impl Ord + use<> {
        let from = self.goes_on_from();
        (Reverse(self.priority), from == Some(Timestamp::MIN), from, self.created_at)
    }

    /// Whether a driver can continue the run at the time `now` without a person.
    pub fn goes_on(&self, now: Timestamp) -> bool {
        self.goes_on_from().is_some_and(|from| from <= now)
    }
}

/// A run as a store lists it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// Its id.
    pub run_id: RunId,
    /// Its head.
    #[serde(flatten)]
    pub head: RunHead,
    /// The current holder of the lease, described for a person; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// The run that has its [slot](RunSlot), if it waits for that one to end. Stores leave it out: see
    /// [`tell_behind`](Self::tell_behind).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<RunId>,
}

impl RunRecord {
    /// Whether the run may wait for another one with its key.
    pub fn may_wait(&self) -> bool {
        self.head.slot.is_some() && self.head.status == RunStatus::Pending
    }

    /// Sets [`behind`](Self::behind), as far as a list of the [unfinished](super::RunFilter::unfinished) runs tells it: of the
    /// runs with a key the one has the slot that has started, or else the first that was created.
    pub fn tell_behind(&mut self, unfinished: &[Self]) {
        let Some(slot) = self.head.slot.as_ref().filter(|_| self.may_wait()) else { return };
        let has_key = |run: &&Self| run.head.slot.as_ref().is_some_and(|other| other.key == slot.key);
        let place = |run: &&Self| (run.head.started_at.is_none(), run.head.created_at, run.run_id.clone());
        let holder = unfinished.iter().filter(has_key).min_by_key(place);
        self.behind = holder.map(|run| &run.run_id).filter(|run| **run != self.run_id).cloned();
    }
}

impl<'de> Deserialize<'de> for RunRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Beside {
            run_id: RunId,
            #[serde(default)]
            holder: Option<String>,
            #[serde(default)]
            behind: Option<RunId>,
        }
        // Parsed twice: serde buffers flattened values, and `Data` (a `RawValue`) cannot be read from that buffer.
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let head = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        let Beside { run_id, holder, behind } = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        Ok(Self { run_id, head, holder, behind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_with_what_the_run_asks_and_why_it_failed() {
        let text = r#"{"runId":"r1","workflowId":"w","bundle":"BUNDLE","status":"paused",
            "wait":{"reason":"question","schema":{"enum":["a",1.50]}},
            "createdAt":"2026-01-02T03:04:05Z",
            "error":{"class":"repeated","message":"again","details":{"first":[1]}},"holder":"worker 1"}"#
            .replace("BUNDLE", &"0a".repeat(32));
        let record: RunRecord = serde_json::from_str(&text).unwrap();
        assert_eq!(
            record.head.wait.as_ref().unwrap().schema.as_ref().unwrap().json(),
            r#"{"enum":["a",1.50]}"#
        );
        assert_eq!(record.holder.as_deref(), Some("worker 1"));
        let written = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<RunRecord>(&written).unwrap(), record);
    }
}
