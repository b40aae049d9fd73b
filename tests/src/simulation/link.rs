//! The connection from an engine to its store, on which requests and responses are lost or delayed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::oneshot;
use futures::future::pending;
use jiff::Timestamp;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::store::{
    ControlRecord, ControlRequest, LabelLimit, Lease, NewRun, NoticeClaim, NoticeId, RunFilter, RunHead,
    RunRecord, RunStore, StoreError, Watcher, Watching,
};
use workflow_exec::Clock as _;

use super::disk::{Condition, Disk};
use super::fork::seeded;
use super::journal::Journal;
use super::process::Process;
use crate::reference::chance::Chance;
use crate::sim::Sim;

/// The state of a connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weather {
    /// Nothing is lost.
    Fair,
    /// Requests fail.
    Refused,
    /// Requests get no response until this state is over.
    Silence,
    /// Requests and responses are delayed by at most this many milliseconds each.
    Slow(u64),
    /// This percentage of requests fails.
    Flaky(u64),
}

/// The state of the connection between a machine and the store, and until when. Clones are the same.
#[derive(Clone)]
pub struct Sky(Arc<Mutex<(Weather, Timestamp)>>);

impl Default for Sky {
    fn default() -> Self {
        Self(Arc::new(Mutex::new((Weather::Fair, Timestamp::MAX))))
    }
}

impl Sky {
    /// Sets the state, until that time.
    pub fn set(&self, weather: Weather, until: Timestamp) {
        *self.0.lock().unwrap() = (weather, until);
    }

    fn at(&self, now: Timestamp) -> (Weather, Timestamp) {
        let (weather, until) = *self.0.lock().unwrap();
        if now < until { (weather, until) } else { (Weather::Fair, Timestamp::MAX) }
    }
}

/// The fate of a request.
enum Fate {
    Answered,
    /// It is executed, but the response is lost.
    Unanswered,
    Lost,
}

/// A process's connection to its store. Clones are the same connection.
#[derive(Clone)]
pub struct Link {
    inner: Arc<dyn RunStore>,
    sim: Sim,
    process: Process,
    sky: Sky,
    disk: Disk,
    journal: Journal,
    chance: Arc<Mutex<Chance>>,
    late_hints: u64,
    /// The leases whose holders were told of a cancel.
    owing: Arc<Mutex<HashMap<RunId, u64>>>,
}

impl Link {
    /// The connection from `process` to `inner`.
    pub fn new(
        inner: impl RunStore + 'static,
        sim: &Sim,
        process: &Process,
        (sky, disk): (&Sky, &Disk),
        journal: &Journal,
        (seed, late_hints): (u64, u64),
    ) -> Self {
        let chance = Chance::of(seed, &format!("link {}", process.number()));
        Self {
            inner: Arc::new(inner),
            sim: sim.clone(),
            process: process.clone(),
            sky: sky.clone(),
            disk: disk.clone(),
            journal: journal.clone(),
            chance: Arc::new(Mutex::new(chance)),
            late_hints,
            owing: Arc::default(),
        }
    }

    fn percent(&self, percent: u64) -> bool {
        self.chance.lock().unwrap().next() % 100 < percent
    }

    async fn takes(&self, most: u64) {
        let time = self.chance.lock().unwrap().next() % (most + 1);
        self.sim.sleep_ms(time).await;
    }

    /// A process that has died gets no response.
    async fn alive(&self) {
        if self.process.is_dead() {
            pending::<()>().await;
        }
    }

    /// Waits until requests get through.
    async fn through(&self) {
        loop {
            let now = self.sim.now();
            let (Weather::Refused | Weather::Silence, until) = self.sky.at(now) else { return };
            let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
            workflow_exec::Timer::sleep(&self.sim, left).await;
        }
    }

    fn fails(&self) -> Fate {
        let mut journal = self.journal.entries();
        if self.percent(30) {
            journal.counts.unanswered += 1;
            Fate::Unanswered
        } else {
            journal.counts.lost += 1;
            Fate::Lost
        }
    }

    async fn there(&self) -> Fate {
        match self.sky.at(self.sim.now()).0 {
            Weather::Refused => self.fails(),
            Weather::Flaky(percent) if self.percent(percent) => self.fails(),
            Weather::Silence => {
                self.journal.entries().counts.delayed += 1;
                self.through().await;
                if self.percent(50) { Fate::Answered } else { self.fails() }
            }
            Weather::Slow(most) => {
                self.journal.entries().counts.delayed += 1;
                self.takes(most).await;
                Fate::Answered
            }
            Weather::Fair | Weather::Flaky(_) => Fate::Answered,
        }
    }

    async fn back(&self) {
        if let Weather::Slow(most) = self.sky.at(self.sim.now()).0 {
            self.takes(most).await;
        }
        self.alive().await;
    }

    /// Sends a request to the store. A request that is not polled is not sent.
    async fn ask<T>(&self, asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.alive().await;
        let fate = self.there().await;
        self.alive().await;
        if matches!(fate, Fate::Lost) {
            return Err(no_answer());
        }
        let answer = asked.await;
        self.back().await;
        if matches!(fate, Fate::Unanswered) { Err(no_answer()) } else { answer }
    }

    /// Requests leases from the store. If the response is lost, they are released.
    async fn borrow(
        &self,
        asked: impl Future<Output = Result<Vec<Lease>, StoreError>>,
    ) -> Result<Vec<Lease>, StoreError> {
        let mut loan = Loan { link: self, leases: Vec::new() };
        let asked = async {
            loan.leases = asked.await?;
            Ok(())
        };
        self.ask(asked).await?;
        Ok(std::mem::take(&mut loan.leases))
    }

    async fn borrow_one(
        &self,
        asked: impl Future<Output = Result<Lease, StoreError>>,
    ) -> Result<Lease, StoreError> {
        let leases = self.borrow(async { Ok(vec![asked.await?]) }).await?;
        leases.into_iter().next().ok_or_else(no_answer)
    }

    /// Releases a lease as soon as that is possible, whether or not the caller waits.
    fn give_back(&self, lease: Lease) -> oneshot::Receiver<Result<(), StoreError>> {
        let (done, answer) = oneshot::channel();
        let link = self.clone();
        self.process.go(async move {
            link.through().await;
            link.disk.is_fine().await;
            // The caller may have dropped its future.
            let _ = done.send(link.inner.release(lease).await);
        });
        answer
    }

    /// Checks that a holder that was told of a cancel applies it with its next write.
    fn check_obedience(&self, lease: &Lease, events: &[Event]) {
        let owed = self.owing.lock().unwrap().remove(&lease.run) == Some(lease.epoch);
        let obeys = |event: &Event| {
            let is_obeyed = matches!(event.body, EventBody::CancelRequested { .. } | EventBody::RunEnding(_));
            is_obeyed || event.body.is_terminal()
        };
        if owed && !events.iter().any(obeys) {
            let what = format!("the driver of run {} was told of a cancel but continued", lease.run);
            self.journal.entries().violated(what);
        }
    }
}

/// Leases on their way to the caller.
struct Loan<'l> {
    link: &'l Link,
    leases: Vec<Lease>,
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        for lease in std::mem::take(&mut self.leases) {
            drop(self.link.give_back(lease));
        }
    }
}

fn no_answer() -> StoreError {
    let source = Arc::new(std::io::Error::other("no answer"));
    StoreError::Io { place: "the way to the store".to_owned(), source }
}

#[async_trait]
impl RunStore for Link {
    async fn create(&self, run: NewRun) -> Result<Lease, StoreError> {
        self.borrow_one(self.inner.create(seeded(run))).await
    }

    async fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &Arc<[Event]>,
        head: Option<&RunHead>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        self.check_obedience(lease, events);
        let controls = self.ask(self.inner.append(lease, expected, events, head)).await?;
        if self.journal.entries().owes_a_cancel(&lease.run, &controls) {
            self.owing.lock().unwrap().insert(lease.run.clone(), lease.epoch);
        }
        Ok(controls)
    }

    async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
        self.ask(self.inner.append_output(lease, entries)).await
    }

    async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.ask(self.inner.events(run, after, limit)).await
    }

    async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError> {
        self.ask(self.inner.output(run, after, limit)).await
    }

    async fn last_output(&self, run: &RunId) -> Result<u64, StoreError> {
        self.ask(self.inner.last_output(run)).await
    }

    async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError> {
        self.ask(self.inner.get(run)).await
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
        self.ask(self.inner.list(filter)).await
    }

    async fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
        self.borrow_one(self.inner.claim(run)).await
    }

    async fn claim_next(&self, most: usize, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        self.borrow(self.inner.claim_next(most, now)).await
    }

    async fn claim_within(
        &self,
        most: usize,
        now: Timestamp,
        limit: &LabelLimit,
    ) -> Result<Vec<Lease>, StoreError> {
        self.borrow(self.inner.claim_within(most, now, limit)).await
    }

    fn lease_time(&self) -> Option<Duration> {
        self.inner.lease_time()
    }

    async fn renew(&self) -> Result<(), StoreError> {
        self.ask(self.inner.renew()).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.alive().await;
        let (weather, _) = self.sky.at(self.sim.now());
        let (condition, _) = self.disk.now();
        if weather == Weather::Fair && condition == Condition::Fine {
            return self.inner.release(lease).await;
        }
        let given_back = self.give_back(lease);
        match weather {
            _ if condition == Condition::Full => Err(no_answer()),
            Weather::Refused => Err(no_answer()),
            Weather::Flaky(percent) if self.percent(percent) => Err(no_answer()),
            _ => given_back.await.unwrap_or_else(|_| Err(no_answer())),
        }
    }

    async fn request(&self, run: &RunId, request: ControlRequest) -> Result<u64, StoreError> {
        self.ask(self.inner.request(run, request)).await
    }

    async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
        self.ask(self.inner.controls(run, after)).await
    }

    async fn delete(&self, run: &RunId) -> Result<(), StoreError> {
        self.ask(self.inner.delete(run)).await
    }

    async fn prune(&self, ended_before: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.ask(self.inner.prune(ended_before, most)).await
    }

    async fn claim_notice(
        &self,
        notice: &NoticeId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<NoticeClaim, StoreError> {
        self.ask(self.inner.claim_notice(notice, now, until)).await
    }

    async fn settle_notice(
        &self,
        notice: &NoticeId,
        attempt: u32,
        retry_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.ask(self.inner.settle_notice(notice, attempt, retry_at)).await
    }

    async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
        self.ask(self.inner.bundle(hash)).await
    }

    fn watch(&self, watcher: Watcher) -> Watching {
        let link = self.clone();
        self.inner.watch(Arc::new(move |run| {
            if link.process.is_dead() {
                return;
            }
            let cut_off = matches!(link.sky.at(link.sim.now()).0, Weather::Refused | Weather::Silence);
            if cut_off {
                // A process that was cut off reads everything again.
                let (link, watcher) = (link.clone(), watcher.clone());
                link.process.clone().go(async move {
                    link.through().await;
                    watcher(None);
                });
            } else if link.percent(link.late_hints) {
                link.journal.entries().counts.late_hints += 1;
                let (link, watcher, run) = (link.clone(), watcher.clone(), run.cloned());
                link.process.clone().go(async move {
                    for _ in 0..2 {
                        link.takes(2_000).await;
                        watcher(run.as_ref());
                    }
                });
            } else {
                watcher(run);
            }
        }))
    }
}
