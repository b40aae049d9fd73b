//! Finds the events that targets are told of.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use workflow_core::event::EventBody;
use workflow_core::ids::RunId;
use workflow_core::status::{RunStatus, WaitReason};
use workflow_core::store::{RunFilter, RunRecord, RunStore, StoreError};

use crate::notify::pick::{Picked, pick};

/// How many runs are looked at, of those that have not ended and of those that have.
const MOST_RUNS: usize = 10_000;
/// How many events are read at once.
const PAGE: usize = 256;
/// By how much the clock of a driver, which says when a run ended, may be behind.
const LATE: Duration = Duration::from_secs(600);

/// What was looked at, by run.
#[derive(Default)]
pub(super) struct Look {
    seen: HashMap<RunId, Seen>,
    /// From when on runs may have ended that were not looked at.
    ended_from: Option<Timestamp>,
}

/// What was looked at of a run.
struct Seen {
    /// The number of the last event.
    after: u64,
    /// The head that goes with it.
    head: Option<Head>,
}

/// What changes in the head of a run that is not running whenever it has a new event that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    status: RunStatus,
    wait: Option<(WaitReason, Option<Timestamp>)>,
}

impl Head {
    fn of(record: &RunRecord) -> Self {
        let wait = record.head.wait.as_ref().map(|wait| (wait.reason, wait.since));
        Self { status: record.head.status, wait }
    }

    /// Whether a run with this head has no new events until the head changes.
    fn is_idle(self) -> bool {
        match self.status {
            RunStatus::Running => false,
            // Heads of earlier versions do not say since when a run waits.
            RunStatus::Paused => self.wait.is_some_and(|(_, since)| since.is_some()),
            RunStatus::Pending | RunStatus::Completed | RunStatus::Failed | RunStatus::Cancelled => true,
        }
    }
}

impl Look {
    /// Finds what happened since the last time, and not before `now - max_age`. What was found before an error stays
    /// in `found`; the next look continues behind it.
    pub(super) async fn run(
        &mut self,
        store: &dyn RunStore,
        now: Timestamp,
        max_age: Duration,
        found: &mut Vec<Arc<Picked>>,
    ) -> Result<(), StoreError> {
        let oldest = now.checked_sub(max_age).unwrap_or(Timestamp::MIN);
        let ended_from = self.ended_from.map_or(oldest, |from| from.max(oldest));
        let mut ended = RunFilter::all().limit(MOST_RUNS);
        ended.statuses = vec![RunStatus::Completed, RunStatus::Failed, RunStatus::Cancelled];
        ended.ended_from = Some(ended_from);
        let mut records = store.list(&RunFilter::unfinished().limit(MOST_RUNS)).await?;
        let unfinished = records.len();
        records.extend(store.list(&ended).await?);
        let mut listed: HashSet<RunId> = records.iter().map(|record| record.run_id.clone()).collect();
        // Runs that ended by a clock that is far behind.
        let gone = |(run, seen): (&RunId, &Seen)| {
            let has_ended = seen.head.is_some_and(|head| head.status.is_terminal());
            (!has_ended && !listed.contains(run)).then(|| run.clone())
        };
        let mut gone: Vec<RunId> = self.seen.iter().filter_map(gone).collect();
        if unfinished >= MOST_RUNS {
            // They may only be too many for the list.
            gone.clear();
        }
        for run in gone {
            match store.get(&run).await {
                Ok(record) => {
                    listed.insert(run);
                    records.push(record);
                }
                Err(StoreError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.seen.retain(|run, _| listed.contains(run));
        // The oldest first, as far as that is known.
        for record in records.iter().rev() {
            match self.read(store, record, oldest, found).await {
                Ok(()) => {}
                Err(error @ StoreError::Io { .. }) => return Err(error),
                Err(error) => {
                    tracing::warn!(run = %record.run_id, %error, "cannot read the events of a run for notifications");
                }
            }
        }
        self.ended_from = now.checked_sub(LATE).ok();
        Ok(())
    }

    /// Reads the new events of a run.
    async fn read(
        &mut self,
        store: &dyn RunStore,
        record: &RunRecord,
        oldest: Timestamp,
        found: &mut Vec<Arc<Picked>>,
    ) -> Result<(), StoreError> {
        let run = &record.run_id;
        let head = Head::of(record);
        if self.seen.get(run).is_some_and(|seen| seen.head == Some(head) && head.is_idle()) {
            return Ok(());
        }
        let mut after = match self.seen.get(run) {
            Some(seen) => seen.after,
            None if record.head.created_at >= oldest => 0,
            None => start(store, run, oldest).await?,
        };
        let first = found.len();
        loop {
            let page = store.events(run, after, PAGE).await?;
            for event in &page {
                after = event.seq;
                if matches!(event.body, EventBody::RunForked(_)) {
                    // What comes before happened to another run.
                    found.truncate(first);
                } else if event.at >= oldest {
                    found.extend(pick(record, event).map(Arc::new));
                }
            }
            if page.len() < PAGE {
                break;
            }
        }
        self.seen.insert(run.clone(), Seen { after, head: Some(head) });
        Ok(())
    }
}

/// The number of an event that is older than `oldest`, close to the first that is not: a long log is not read from
/// its beginning.
async fn start(store: &dyn RunStore, run: &RunId, oldest: Timestamp) -> Result<u64, StoreError> {
    let is_old = async |number: u64| {
        let event = store.events(run, number - 1, 1).await?;
        Ok::<_, StoreError>(event.first().is_some_and(|event| event.at < oldest))
    };
    // `low` is old, or 0; `high` is not.
    let (mut low, mut high) = (0, PAGE as u64);
    while is_old(high).await? {
        (low, high) = (high, high.saturating_mul(2));
    }
    while high - low > PAGE as u64 {
        let middle = low + (high - low) / 2;
        if is_old(middle).await? { low = middle } else { high = middle }
    }
    Ok(low)
}
