//! Runs that wait for a time, in no memory but for their ids.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use event_listener::Event;
use futures::future::{Either, FutureExt as _, select};
use jiff::Timestamp;
use tracing::warn;
use workflow_core::ids::RunId;
use workflow_core::machine::RunView;
use workflow_core::stop::Stop;
use workflow_core::store::StoreError;

use crate::engine::{Engine, Hold};
use crate::error::EngineError;

/// The runs that were driven in the background and wait for a time.
#[derive(Default)]
pub(crate) struct Parked {
    runs: Mutex<Waiting>,
    /// Notified when a run was added that may be the next one.
    added: Event,
}

#[derive(Default)]
struct Waiting {
    by_time: BTreeSet<(Timestamp, RunId)>,
    /// Whether somebody sees to it that they go on.
    is_watched: bool,
}

impl Parked {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that can panic runs under this lock.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the next one goes on; none, and nobody watches any more, when there is none.
    fn next(&self) -> Option<Timestamp> {
        let mut runs = self.lock();
        let next = runs.by_time.first().map(|(at, _)| *at);
        runs.is_watched = next.is_some();
        next
    }

    fn take_due(&self, now: Timestamp) -> Vec<RunId> {
        let mut runs = self.lock();
        let mut due = Vec::new();
        while let Some(first) = runs.by_time.pop_first() {
            if first.0 > now {
                runs.by_time.insert(first);
                break;
            }
            due.push(first.1);
        }
        due
    }
}

/// Until when a run waits that goes on by itself.
fn until(view: &RunView) -> Option<Timestamp> {
    view.wait.as_ref()?.until.filter(|_| !view.status.is_terminal())
}

impl Engine {
    /// Drives a run on whenever a time has come that it waits for, until it rests otherwise.
    pub(crate) async fn wait_and_drive(&self, mut view: RunView) -> Result<RunView, EngineError> {
        while let Some(until) = until(&view) {
            let run = view.run_id;
            let is_time = self.wait_until(&run, until).await?;
            match self.shared.claim(&run).await {
                Ok(lease) if is_time => view = self.take_up(self.hold(lease)).await?,
                Ok(lease) => {
                    self.shared.store.release(lease).await?;
                    return self.handle(&run).view().await;
                }
                // Somebody else goes on with it.
                Err(StoreError::Held { .. }) => return self.handle(&run).view().await,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(view)
    }

    /// Waits until the time has come, or something happened to the run meanwhile; whether it is time.
    async fn wait_until(&self, run: &RunId, until: Timestamp) -> Result<bool, EngineError> {
        let shared = &self.shared;
        loop {
            let hint = shared.active.hint.listen();
            if shared.active.stopping() > Stop::None {
                return Ok(false);
            }
            let Some(left) = left(until, shared.clock.now()) else { return Ok(true) };
            if let Either::Left(_) = select(shared.timer.sleep(left), hint).await {
                continue;
            }
            let record = shared.store.get(run).await?;
            let still_waits = record.head.wait.is_some_and(|wait| wait.until == Some(until));
            if record.holder.is_some() || !still_waits {
                return Ok(false);
            }
        }
    }

    /// Drives a run in the background; where it waits for a time, it goes on then, and until then is kept
    /// as its id alone.
    pub(crate) fn drive_in_background(&self, hold: Hold) {
        let engine = self.clone();
        let run = hold.run().clone();
        self.spawn(async move {
            let driven = engine.take_up(hold).await;
            engine.park(&run, driven);
        });
    }

    /// Keeps a run in mind that waits for a time.
    pub(crate) fn park(&self, run: &RunId, driven: Result<RunView, EngineError>) {
        let until = match driven {
            Ok(view) => until(&view),
            Err(error) => return warn!(%run, %error, "the run could not be driven on"),
        };
        let Some(until) = until else { return };
        let parked = &self.shared.parked;
        let was_watched = {
            let mut runs = parked.lock();
            runs.by_time.insert((until, run.clone()));
            std::mem::replace(&mut runs.is_watched, true)
        };
        if was_watched {
            parked.added.notify(usize::MAX);
        } else {
            let engine = self.clone();
            self.spawn(async move { engine.watch_parked().await });
        }
    }

    /// Takes up whatever is due, for as long as anything waits.
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
                select(shared.timer.sleep(left), select(added, stopped)).await;
            }
            for run in shared.parked.take_due(shared.clock.now()) {
                match shared.claim(&run).await {
                    Ok(lease) => self.drive_in_background(self.hold(lease)),
                    Err(StoreError::Held { .. } | StoreError::NotFound(_)) => {}
                    Err(error) => {
                        warn!(%run, %error, "the run could not be taken up; trying again");
                        let again = shared.clock.now().checked_add(AGAIN).unwrap_or(Timestamp::MAX);
                        shared.parked.lock().by_time.insert((again, run));
                    }
                }
            }
        }
    }

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        if let Some(spawn) = &self.shared.spawn {
            spawn.spawn(future.boxed());
        }
    }
}

/// When a run whose time had come and that could not be claimed is tried again.
const AGAIN: Duration = Duration::from_secs(5);

fn left(until: Timestamp, now: Timestamp) -> Option<Duration> {
    Duration::try_from(until.duration_since(now)).ok().filter(|left| !left.is_zero())
}
