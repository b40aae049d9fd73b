//! The store in memory, with a defect.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::RunId;
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_core::provider::async_trait;
use workflow_core::status::RunStatus;
use workflow_core::store::{
    ControlRecord, ControlRequest, LabelLimit, Lease, MemoryStore, NewRun, NoticeClaim, NoticeId,
    OutputFilter, OutputWindow, RunFilter, RunHead, RunRecord, RunStore, StoreError, Watcher, Watchers,
    Watching,
};
use workflow_testkit::store::Damage;
use workflow_testkit::store::runs::{id, output_of, started};

use crate::defects::Defect;
use crate::fixture::{LEASE_TIME, Shared};
use crate::noticing::{self, Notices};
use crate::queuing;
use crate::searching;
use crate::turns;

/// One process, as far as its defect allows.
pub(crate) struct Defective {
    inner: MemoryStore,
    defect: Defect,
    /// How many processes there were when it was opened.
    number: usize,
    shared: Arc<Shared>,
    own: Own,
}

/// An append that is not done yet.
type KeptBack = (Lease, u64, Arc<[Event]>);
/// The state of one process.
#[derive(Default)]
struct Own {
    watchers: Watchers,
    deleted: Mutex<HashSet<RunId>>,
    heads: Mutex<HashMap<RunId, RunHead>>,
    places: Mutex<HashMap<RunId, usize>>,
    controls_given: Mutex<HashMap<RunId, u64>>,
    beat: Mutex<Option<Timestamp>>,
    kept_back: Mutex<Vec<KeptBack>>,
    bundles_gone: Mutex<HashSet<BundleHash>>,
    writing: futures::lock::Mutex<()>,
    notices: Notices,
}

impl Defective {
    pub(crate) fn new(inner: MemoryStore, defect: Defect, number: usize, shared: Arc<Shared>) -> Self {
        let own = Own { beat: Mutex::new(Some(shared.clock.now())), ..Own::default() };
        Self { inner, defect, number, shared, own }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    /// Records the new holder of the run.
    fn lent(&self, lease: &Lease) {
        let mut leases = self.shared.leases.lock().unwrap();
        leases.insert(lease.run.clone(), (self.inner.clone(), lease.clone()));
    }

    fn newest(&self, run: &RunId) -> Option<(MemoryStore, Lease)> {
        self.shared.leases.lock().unwrap().get(run).cloned()
    }

    /// Takes a run from its holder.
    async fn free(&self, run: &RunId) {
        if let Some((process, lease)) = self.newest(run) {
            process.release(lease).await.unwrap();
        }
    }

    async fn last(&self, run: &RunId) -> u64 {
        self.inner.events(run, 0, usize::MAX).await.unwrap().len() as u64
    }

    /// Stores the data that was held back.
    async fn flush(&self) {
        let kept = std::mem::take(&mut *self.own.kept_back.lock().unwrap());
        for (lease, expected, events) in kept {
            let _ = self.inner.append(&lease, expected, &events, None).await;
        }
    }

    /// Appends with an expired lease.
    async fn append_unfenced(
        &self,
        lease: &Lease,
        expected: u64,
        events: &Arc<[Event]>,
        head: Option<&RunHead>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        let run = &lease.run;
        match self.inner.append(lease, expected, events, head).await {
            Err(StoreError::Fenced(_)) => {}
            answer => return answer,
        }
        let holder = self.inner.get(run).await?.holder;
        let another = holder.is_some() && !self.has(Defect::FencesOnlyAfterTakeover);
        let (process, good) = match self.newest(run) {
            Some((process, good)) if another => (process, good),
            _ if holder.is_none() && !self.has(Defect::LeaseIsGoodAnywhere) => {
                (self.inner.clone(), self.inner.claim(run).await?)
            }
            _ => return Err(StoreError::Fenced(run.clone())),
        };
        let answer = process.append(&good, expected, events, head).await;
        if holder.is_none() {
            process.release(good).await?;
        }
        answer
    }

    fn damage_in(&self, run: &RunId, events: &[Event]) -> Option<(u64, Damage)> {
        let damaged = self.shared.damaged.lock().unwrap();
        damaged.get(run).copied().filter(|(number, _)| events.iter().any(|event| event.seq == *number))
    }
}

/// Pending once.
async fn a_moment() {
    let mut passed = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut passed, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn cut(event: &Event) -> Event {
    match &event.body {
        EventBody::AttemptSucceeded { output, .. } if output.json().len() > 1 << 20 => {
            output_of(event.seq, &json!(null))
        }
        _ => event.clone(),
    }
}

#[async_trait]
impl RunStore for Defective {
    async fn create(&self, run: NewRun) -> Result<Lease, StoreError> {
        if self.has(Defect::OverwritesOnCreate) {
            self.free(&run.id).await;
            let _ = self.inner.delete(&run.id).await;
        }
        let mut run = queuing::new_run(self.defect, run);
        if self.has(Defect::NoNumberCheck) {
            run.events.iter_mut().zip(1..).for_each(|(event, number)| event.seq = number);
        }
        let lease = self.inner.create(run).await?;
        self.lent(&lease);
        if self.has(Defect::NewRunIsFree) {
            self.inner.release(lease.clone()).await?;
        }
        Ok(lease)
    }

    async fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &Arc<[Event]>,
        head: Option<&RunHead>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        self.flush().await;
        let run = &lease.run;
        match self.defect {
            Defect::NoConflictCheck => {
                let last = self.last(run).await;
                let moved: Arc<[_]> = events
                    .iter()
                    .zip(last + 1..)
                    .map(|(event, seq)| Event { seq, ..event.clone() })
                    .collect();
                self.inner.append(lease, last, &moved, head).await
            }
            Defect::NoNumberCheck => {
                let numbered = events.iter().zip(expected + 1..);
                let numbered: Arc<[_]> =
                    numbered.map(|(event, seq)| Event { seq, ..event.clone() }).collect();
                self.inner.append(lease, expected, &numbered, head).await
            }
            Defect::NotAtomic => {
                let mut controls = Vec::new();
                for (event, expected) in events.iter().zip(expected..) {
                    let event = [event.clone()].into();
                    controls.extend(self.inner.append(lease, expected, &event, head).await?);
                }
                controls.extend(
                    self.inner.append(lease, expected + events.len() as u64, &Arc::default(), head).await?,
                );
                Ok(controls)
            }
            Defect::HeadFollowsEveryAppend => {
                let mut now = self.inner.get(run).await?.head;
                now.status = RunStatus::Running;
                self.inner.append(lease, expected, events, head.or(Some(&now))).await
            }
            Defect::CutsLargePayloads => {
                let events: Arc<[_]> = events.iter().map(cut).collect();
                self.inner.append(lease, expected, &events, head).await
            }
            Defect::NoEpochCheck | Defect::FencesOnlyAfterTakeover | Defect::LeaseIsGoodAnywhere => {
                self.append_unfenced(lease, expected, events, head).await
            }
            Defect::LeaseOutlivesARun => match self.inner.append(lease, expected, events, head).await {
                Err(StoreError::Fenced(_)) if self.inner.get(run).await.is_ok() => {
                    let (process, good) = self.newest(run).unwrap();
                    process.append(&good, expected, events, head).await
                }
                answer => answer,
            },
            Defect::LocksAcrossAnAwait => {
                let _writing = self.own.writing.lock().await;
                a_moment().await;
                self.inner.append(lease, expected, events, head).await
            }
            Defect::BlocksItsThread => {
                futures::executor::block_on(self.inner.append(lease, expected, events, head))
            }
            Defect::DeliversControlsTwice => {
                self.inner.append(lease, expected, events, head).await?;
                self.inner.controls(run, 0).await
            }
            Defect::ForgetsControlsNotObeyed => {
                let mut controls = self.inner.append(lease, expected, events, head).await?;
                let mut given = self.own.controls_given.lock().unwrap();
                let given = given.entry(run.clone()).or_default();
                controls.retain(|control| control.number > *given);
                *given = controls.last().map_or(*given, |control| control.number);
                Ok(controls)
            }
            Defect::LosesTheLastAppend if head.is_none() => {
                self.inner.append(lease, expected, &[].into(), None).await?;
                self.own.kept_back.lock().unwrap().push((lease.clone(), expected, Arc::clone(events)));
                Ok(Vec::new())
            }
            _ => self.inner.append(lease, expected, events, head).await,
        }
    }

    async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
        match self.defect {
            Defect::DropsLateOutputSilently => match self.inner.append_output(lease, entries).await {
                Err(StoreError::Conflict { .. }) => Ok(()),
                answer => answer,
            },
            Defect::HidesWhatWasDropped => {
                let mut entries = entries.to_vec();
                entries.retain(|entry| entry.kind != OutputKind::Dropped);
                self.inner.append_output(lease, &entries).await
            }
            Defect::OutputIsAnEvent => {
                self.inner.append_output(lease, entries).await?;
                let last = self.last(&lease.run).await;
                self.inner.append(lease, last, &[started(last + 1)].into(), None).await.map(drop)
            }
            _ => self.inner.append_output(lease, entries).await,
        }
    }

    async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.flush().await;
        let other = id("r0");
        let run = if self.has(Defect::MixesRuns) && *run == id("r7") { &other } else { run };
        let mut events = match self.inner.events(run, after, limit).await {
            Err(StoreError::NotFound(_)) if self.has(Defect::FindsWhatIsNotThere) => Vec::new(),
            events => events?,
        };
        match self.defect {
            Defect::ReadsOneTooMany => {
                events = self.inner.events(run, after, limit.saturating_add(1)).await?;
            }
            Defect::ReadsWithAGap if events.len() > 6 => drop(events.remove(4)),
            _ => {}
        }
        match self.damage_in(run, &events) {
            Some((number, Damage::Garbage)) if self.has(Defect::SkipsDamage) => {
                events.retain(|event| event.seq != number);
            }
            Some((number, damage)) => {
                let named = damage == Damage::UnknownEvent && !self.has(Defect::HidesWhatItDoesNotKnow);
                let what = if named { Damage::UNKNOWN_EVENT } else { "it" };
                let (place, message) =
                    (format!("run `{run}`, event {number}"), format!("{what} is not known"));
                return Err(StoreError::Corrupt { place, message });
            }
            None => {}
        }
        Ok(events)
    }

    async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError> {
        match self.defect {
            Defect::ReadsTooMuchOutput => self.inner.output(run, after, usize::MAX).await,
            Defect::LosesOutputOnReopen if self.number > 1 => Ok(Vec::new()),
            _ => self.inner.output(run, after, limit).await,
        }
    }

    async fn output_window(&self, run: &RunId, filter: &OutputFilter) -> Result<OutputWindow, StoreError> {
        searching::window(self.defect, &self.inner, run, filter).await
    }

    async fn last_output(&self, run: &RunId) -> Result<u64, StoreError> {
        self.inner.last_output(run).await
    }

    async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError> {
        let mut record = self.inner.get(run).await?;
        if self.has(Defect::ReadsWhatItReadBefore) {
            record.head = self.own.heads.lock().unwrap().entry(run.clone()).or_insert(record.head).clone();
        }
        Ok(record)
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
        let mut filter = filter.clone();
        let deleted = self.own.deleted.lock().unwrap().clone();
        match self.defect {
            Defect::IgnoresStatuses => filter.statuses.clear(),
            Defect::IncludesTheUpperBound => {
                filter.created_before = filter.created_before.map(|at| at + SignedDuration::from_nanos(1));
            }
            Defect::IgnoresLabels => filter.labels.clear(),
            Defect::IgnoresWaits => filter.waits.clear(),
            Defect::IgnoresParents => filter.parent = None,
            Defect::IncludesTheUpperBoundOfEnds => {
                filter.ended_before = filter.ended_before.map(|at| at + SignedDuration::from_nanos(1));
            }
            Defect::LooksForTextAnywhere | Defect::FoldsTheCaseOfAllLettersOfRuns => {
                return searching::runs(self.defect, &self.inner, filter).await;
            }
            Defect::WantsOneLabelOnly => drop(filter.labels.pop_last()),
            Defect::CutsThePageBeforeTheLabels => {
                let labels = std::mem::take(&mut filter.labels);
                let page = self.inner.list(&filter).await?.into_iter();
                let has = |record: &RunRecord, name, value| record.head.labels.get(name) == Some(value);
                return Ok(page
                    .filter(|run| labels.iter().all(|(name, value)| has(run, name, value)))
                    .collect());
            }
            Defect::TakesLabelsForPatterns | Defect::LooksForLabelsAnywhere => {
                let wanted: Vec<_> = std::mem::take(&mut filter.labels).into_iter().collect();
                let limit = filter.limit.take().unwrap_or(usize::MAX);
                let mut records = self.inner.list(&filter).await?;
                records.retain(|record| {
                    wanted.iter().all(|(name, value)| match self.defect {
                        Defect::LooksForLabelsAnywhere => {
                            let head = serde_json::to_string(&record.head).unwrap();
                            head.contains(&format!("\"{name}\":\"{value}\""))
                        }
                        _ => record.head.labels.get(name).is_some_and(|label| value == "%" || label == value),
                    })
                });
                records.truncate(limit);
                return Ok(records);
            }
            Defect::PagesByPosition => {
                let after = filter.after.take();
                let all = self.inner.list(&RunFilter::all()).await?;
                let Some(after) = after else {
                    let places = all.into_iter().map(|record| record.run_id).zip(0..);
                    self.own.places.lock().unwrap().extend(places);
                    return self.inner.list(&filter).await;
                };
                let place = self.own.places.lock().unwrap().get(&after).copied();
                let place = place.ok_or_else(|| StoreError::NotFound(after.to_string()))?;
                let rest = all.into_iter().skip(place + 1);
                return Ok(rest.take(filter.limit.unwrap_or(usize::MAX)).collect());
            }
            _ => {}
        }
        let mut records = self.inner.list(&filter).await?;
        records.retain(|record| !deleted.contains(&record.run_id));
        match self.defect {
            Defect::ListsTheOldestFirst => records.reverse(),
            Defect::StopsListingAtDamage => {
                let damaged = self.shared.damaged.lock().unwrap();
                let end = records.iter().position(|record| damaged.contains_key(&record.run_id));
                records.truncate(end.unwrap_or(usize::MAX));
            }
            Defect::HidesHolders => records.iter_mut().for_each(|record| record.holder = None),
            _ => {}
        }
        Ok(records)
    }

    async fn count(&self, filter: &RunFilter) -> Result<u64, StoreError> {
        match self.defect {
            Defect::CountsThePage => Ok(self.inner.list(filter).await?.len() as u64),
            Defect::CountsEveryRun => self.inner.count(&RunFilter::all()).await,
            _ => self.inner.count(filter).await,
        }
    }

    async fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
        self.flush().await;
        if self.has(Defect::ClaimsWhatIsHeld) {
            self.free(run).await;
        }
        let mut lease = self.inner.claim(run).await?;
        if self.has(Defect::HidesFormerLeases) {
            lease.previous = 0;
        }
        if self.has(Defect::HidesDeaths) {
            lease.deaths = 0;
        }
        self.lent(&lease);
        if self.has(Defect::KeepsLeasesOfDroppedFutures) {
            a_moment().await;
        }
        Ok(lease)
    }

    async fn claim_next(&self, most: usize, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        let also = match self.defect {
            Defect::GivesPausedRuns => &[RunStatus::Paused][..],
            Defect::GivesEndedRuns => &[RunStatus::Completed, RunStatus::Failed, RunStatus::Cancelled],
            _ => &[],
        };
        let most = if self.has(Defect::GivesMoreThanAsked) { usize::MAX } else { most };
        let mut leases = turns::given(self.defect, &self.inner, most, now).await?;
        for record in self.inner.list(&RunFilter::all()).await? {
            if also.contains(&record.head.status) && record.holder.is_none() {
                leases.push(self.inner.claim(&record.run_id).await?);
            }
        }
        leases = queuing::given(self.defect, &self.inner, leases).await?;
        for lease in &leases {
            self.lent(lease);
        }
        if self.has(Defect::GivesOneRunToTwo) && leases.len() < most {
            let others: Vec<Lease> = {
                let given = self.shared.leases.lock().unwrap();
                given.values().map(|(_, lease)| lease.clone()).collect()
            };
            let twice = others.into_iter().find(|lease| !leases.contains(lease));
            leases.extend(twice);
        }
        Ok(leases)
    }

    async fn claim_within(
        &self,
        most: usize,
        now: Timestamp,
        limit: &LabelLimit,
    ) -> Result<Vec<Lease>, StoreError> {
        let given = self.shared.leases.lock().unwrap().len();
        let leases = turns::within(self.defect, &self.inner, given, (most, now), limit).await?;
        for lease in &leases {
            self.lent(lease);
        }
        Ok(leases)
    }

    fn lease_time(&self) -> Option<Duration> {
        Some(LEASE_TIME)
    }

    async fn renew(&self) -> Result<(), StoreError> {
        match self.defect {
            Defect::RenewsNothing => Ok(()),
            Defect::RenewalReleases => {
                let leases: Vec<_> = self.shared.leases.lock().unwrap().values().cloned().collect();
                for (process, lease) in leases {
                    process.release(lease).await?;
                }
                Ok(())
            }
            Defect::RenewsWhatRanOut => match self.inner.renew().await {
                Err(StoreError::Expired) => Ok(()),
                answer => answer,
            },
            Defect::RenewsEverybody => {
                let processes = self.shared.processes.lock().unwrap().clone();
                for process in processes {
                    process.renew().await?;
                }
                Ok(())
            }
            Defect::RenewsOneRun => {
                let leases: Vec<_> = self.shared.leases.lock().unwrap().values().cloned().collect();
                for (process, lease) in leases.into_iter().filter(|(_, lease)| lease.run != id("r1")) {
                    process.release(lease).await?;
                }
                self.inner.renew().await
            }
            Defect::BeatsSinceItWasOpened => {
                let now = self.shared.clock.now();
                let late =
                    self.own.beat.lock().unwrap().replace(now).is_none_or(|beat| now > beat + LEASE_TIME);
                if late { Err(StoreError::Expired) } else { self.inner.renew().await }
            }
            _ => self.inner.renew().await,
        }
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.flush().await;
        if self.has(Defect::ReleasesLate) {
            a_moment().await;
        }
        self.inner.release(lease).await
    }

    async fn request(&self, run: &RunId, request: ControlRequest) -> Result<u64, StoreError> {
        if self.has(Defect::RefusesControlsOfIdleRuns) && self.inner.get(run).await?.holder.is_none() {
            return Err(StoreError::NotFound(format!("the holder of {run}")));
        }
        let by = request.by.filter(|_| !self.has(Defect::ForgetsWhoSentAControl));
        let number = self.inner.request(run, ControlRequest { by, ..request }).await?;
        self.own.watchers.call(Some(run));
        Ok(number)
    }

    async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
        self.inner.controls(run, after).await
    }

    async fn delete(&self, run: &RunId) -> Result<(), StoreError> {
        match self.defect {
            Defect::DeletesNothing => self.inner.get(run).await.map(drop),
            Defect::DeletesForItselfAlone => {
                self.own.deleted.lock().unwrap().insert(run.clone());
                Ok(())
            }
            Defect::BundleGoesWithARun => {
                let bundle = self.inner.get(run).await?.head.bundle;
                self.own.bundles_gone.lock().unwrap().insert(bundle);
                self.inner.delete(run).await
            }
            _ => {
                self.inner.delete(run).await?;
                self.shared.damaged.lock().unwrap().remove(run);
                Ok(())
            }
        }
    }

    async fn prune(&self, ended_before: Timestamp, most: usize) -> Result<usize, StoreError> {
        if self.has(Defect::PrunesWhatIsHeld) {
            for run in self.inner.list(&RunFilter::all()).await? {
                if run.head.status.is_terminal() {
                    self.free(&run.run_id).await;
                }
            }
        }
        turns::prune(self.defect, &self.inner, ended_before, most).await
    }

    async fn claim_notice(
        &self,
        notice: &NoticeId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<NoticeClaim, StoreError> {
        noticing::claim(self.defect, &self.inner, &self.own.notices, notice, now, until).await
    }

    async fn settle_notice(
        &self,
        notice: &NoticeId,
        attempt: u32,
        retry_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        noticing::settle(self.defect, &self.inner, &self.own.notices, notice, attempt, retry_at).await
    }

    async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
        if self.own.bundles_gone.lock().unwrap().contains(hash) {
            return Err(StoreError::NotFound(format!("bundle `{hash}`")));
        }
        self.inner.bundle(hash).await
    }

    fn watch(&self, watcher: Watcher) -> Watching {
        match self.defect {
            Defect::CallsNoWatcher => Watching::new(()),
            Defect::CallsItsOwnWatchersOnly => self.own.watchers.add(watcher),
            _ => self.inner.watch(watcher),
        }
    }
}
