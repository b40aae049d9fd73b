//! Resumes runs that wait for a time when they are due.

use std::time::Duration;

use futures::future::{FutureExt as _, select};
use jiff::Timestamp;
use tracing::{Instrument as _, error, warn};
use workflow_core::ids::RunId;
use workflow_core::status::WaitReason;
use workflow_core::stop::Stop;
use workflow_core::store::StoreError;
use workflow_core::view::RunView;

use crate::engine::Engine;
use crate::panics::{self, caught_async};
use crate::shared::Hold;
use workflow_core::runs::EngineError;

/// How long to wait before claiming a due run again that could not be claimed.
const AGAIN: Duration = Duration::from_secs(5);
/// How often the clock is read while runs wait for a time: timers do not advance while a machine sleeps.
const LOOK: Duration = Duration::from_secs(60);
/// How often a waiting run is checked that another driver has claimed.
const TICK: Duration = Duration::from_millis(50);
/// How often a run is checked that another one waits for.
const CHILD_LOOK: Duration = Duration::from_secs(1);

/// Why waiting for a run ends.
enum Woken {
    /// It is due, or has a control request: it must be claimed.
    Due,
    /// It waits for something other than a time, or does not wait.
    Changed,
    /// The engine stops.
    Stopping,
}

/// Until when a run waits that resumes by itself.
fn until(view: &RunView) -> Option<Timestamp> {
    view.wait.as_ref()?.until.filter(|_| !view.status.is_terminal())
}

impl Engine {
    /// Resumes a run whenever it is due, until it is idle for another reason than waiting for a time.
    pub(crate) async fn wait_and_drive(&self, mut view: RunView) -> Result<RunView, EngineError> {
        let run = view.run_id.clone();
        while let Some(until) = until(&view) {
            if self.waits_for_a_person(&run, view.wait.as_deref()).await? {
                break;
            }
            match self.wait_until(&run, until).await? {
                Woken::Due => {
                    let shared = &self.shared;
                    match shared.patiently("claiming the run", || shared.claim(&run).boxed()).await {
                        Ok(hold) => view = self.take_up(hold).await?,
                        // The wait in the store shows whether another driver continues the run.
                        Err(EngineError::Store(StoreError::Held { .. })) => shared.timer.sleep(TICK).await,
                        Err(error) => return Err(error),
                    }
                }
                Woken::Changed => view = self.handle(&run).view().await?,
                Woken::Stopping => return self.handle(&run).view().await,
            }
        }
        Ok(view)
    }

    /// Waits until the run is due, has a control request, or has changed.
    async fn wait_until(&self, run: &RunId, until: Timestamp) -> Result<Woken, EngineError> {
        let (shared, mut seen) = (&self.shared, 0);
        loop {
            let hint = shared.active.hint.listen();
            if shared.active.stopping() > Stop::None {
                return Ok(Woken::Stopping);
            }
            let record = shared.patiently("reading the run", || shared.store.get(run)).await?;
            let wait = record.head.wait.as_deref();
            if wait.and_then(|wait| wait.until) != Some(until) || self.waits_for_a_person(run, wait).await? {
                return Ok(Woken::Changed);
            }
            if record.holder.is_some() {
                // The store does not notify this engine when the other driver is done.
                shared.timer.sleep(TICK).await;
                continue;
            }
            let controls = shared.patiently("reading controls", || shared.store.controls(run, seen));
            if let Some(last) = controls.await?.last() {
                seen = last.number;
                let state = shared.patiently("reading the run", || shared.fold(run).boxed()).await?;
                if self.is_asked(&state).await? {
                    return Ok(Woken::Due);
                }
            }
            if self.has_to_drive_child(run, wait).await? {
                return Ok(Woken::Due);
            }
            let Some(left) = left(until, shared.clock.now()) else { return Ok(Woken::Due) };
            let is_child = wait.is_some_and(|wait| wait.reason == WaitReason::Child);
            // The store does not notify this engine when that one is due.
            let look = if is_child { CHILD_LOOK } else { LOOK };
            select(shared.timer.sleep(left.min(look)), hint).await;
        }
    }

    /// Drives a run in the background. If it waits for a time, it is resumed then; until then only its id is
    /// kept.
    pub(crate) fn drive_in_background(&self, hold: Hold) {
        let engine = self.clone();
        let run = hold.run().clone();
        let driving = async move {
            let driven = engine.take_up(hold).await;
            engine.park(&run, driven);
        };
        // The run's span has the caller's as its parent.
        self.spawn(driving.in_current_span());
    }

    /// Remembers a run that waits for a time.
    pub(crate) fn park(&self, run: &RunId, driven: Result<RunView, EngineError>) {
        let until = match driven {
            Ok(view) => until(&view),
            Err(EngineError::Store(error @ StoreError::Io { .. })) => {
                warn!(%run, %error, "the store was unavailable for too long; the run will be claimed again \
                                     later");
                self.shared.clock.now().checked_add(AGAIN).ok()
            }
            Err(error) => return warn!(%run, %error, "the run could not be resumed"),
        };
        let Some(until) = until else { return };
        let parked = &self.shared.parked;
        let was_watched = {
            let mut runs = parked.lock();
            runs.by_time.insert(until, run);
            std::mem::replace(&mut runs.is_watched, true)
        };
        if was_watched {
            parked.added.notify(usize::MAX);
        } else {
            let engine = self.clone();
            let is_watched = self.spawn(async move { engine.watch_parked().await });
            parked.lock().is_watched &= is_watched;
        }
    }

    /// Resumes runs that are due, for as long as any run waits.
    async fn watch_parked(&self) {
        let shared = &self.shared;
        loop {
            let added = shared.parked.added.listen();
            let stopped = Box::pin(shared.active.stopped());
            let Some(next) = shared.parked.next() else { return };
            if shared.active.stopping() > Stop::None {
                return;
            }
            if let Some(left) = left(next, shared.clock.now()) {
                select(shared.timer.sleep(left.min(LOOK)), select(added, stopped)).await;
            }
            for run in shared.parked.take_due(shared.clock.now()) {
                match caught_async(shared.claim(&run)).await {
                    Ok(Ok(hold)) => self.drive_in_background(hold),
                    Ok(Err(StoreError::Held { .. } | StoreError::NotFound(_))) => {}
                    failed => {
                        let failed = failed.map(|claimed| claimed.map(drop));
                        warn!(%run, ?failed, "the run could not be claimed; trying again");
                        let again = shared.clock.now().checked_add(AGAIN).unwrap_or(Timestamp::MAX);
                        shared.parked.lock().by_time.insert(again, &run);
                    }
                }
            }
        }
    }

    /// Returns whether the spawner accepted the run.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> bool {
        let Some(spawn) = &self.shared.spawn else { return false };
        let spawned = panics::spawn(&**spawn, future.boxed());
        spawned.inspect_err(|error| error!(%error, "runs cannot be driven in the background")).is_ok()
    }
}

fn left(until: Timestamp, now: Timestamp) -> Option<Duration> {
    Duration::try_from(until.duration_since(now)).ok().filter(|left| !left.is_zero())
}
