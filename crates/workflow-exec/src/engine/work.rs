//! Worker mode: an engine that claims the runs of its store that no process drives.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use event_listener::EventListener;
use futures::channel::oneshot;
use futures::future::{BoxFuture, Either, FutureExt as _, pending, select};
use futures::stream::{FuturesUnordered, StreamExt as _};
use tracing::{debug, error, info, warn};
use workflow_core::ids::RunId;
use workflow_core::stop::Stop;
use workflow_core::store::StoreError;

use crate::engine::acquire::Refused;
use crate::engine::{Engine, deaths};
use crate::heartbeat::Counted;
use crate::leases;
use crate::panics::{self, caught_async};
use crate::selection::WorkOptions;
use crate::shared::Hold;
use workflow_core::runs::EngineError;

impl Engine {
    /// Drives the runs of the store that can continue and have no driver, until the engine [shuts
    /// down](Engine::shutdown): runs that were created without being driven, and those whose driver has died
    /// or stopped. Any number of engines, in any number of processes and on any number of machines where the
    /// store allows it, share the runs: each is driven by one.
    ///
    /// A run that [crashes its drivers' processes](workflow_core::store::Lease::deaths) before anything is
    /// recorded is left to a person after five crashes: it
    /// [waits](workflow_core::status::WaitReason::Crashes) until it is [resumed](crate::RunHandle::resume).
    /// From the second crash on, a worker starts no other run beside such a run until it has stored an event,
    /// so that a crash does not affect others.
    ///
    /// Runs are driven by the engine's spawner if there is one, and in this future otherwise.
    ///
    /// Dropping the future stops the calls of the runs that it drives itself, and leaves all runs to be
    /// resumed; a shutdown does this gracefully.
    ///
    /// # Errors
    ///
    /// [`StoreError::Closed`]. Other errors of the store are logged, and it is asked again.
    pub async fn work(&self, options: WorkOptions) -> Result<(), EngineError> {
        let _counted = Counted::in_(&self.shared.workers);
        let mut worker = Worker {
            engine: self,
            options: Arc::new(options),
            refused: Refused::default(),
            driven: FuturesUnordered::new(),
            failures: HashMap::new(),
            waits: false,
            suspect: None,
            is_careful: false,
        };
        loop {
            // The leases of runs that could not be driven are held without a driver.
            let ran = {
                let working = pin!(worker.run());
                caught_async(leases::beating(&self.shared, working)).await
            };
            match ran {
                Ok(ended) => return ended,
                Err(panic) => {
                    error!(panic, "the store panicked while claiming runs; trying again");
                    self.shared.timer.sleep(worker.options.poll).await;
                }
            }
        }
    }
}

struct Worker<'e> {
    engine: &'e Engine,
    options: Arc<WorkOptions>,
    /// Runs that are left to others.
    refused: Refused,
    driven: FuturesUnordered<BoxFuture<'e, (RunId, Result<(), EngineError>)>>,
    /// For each run that could not be driven, how often in a row.
    failures: HashMap<RunId, u32>,
    /// Whether the last claim of runs failed.
    waits: bool,
    /// The run that may have crashed its drivers' processes, and a listener for its next event. No other run
    /// is claimed until then.
    suspect: Option<(RunId, EventListener)>,
    /// Whether there are more of them.
    is_careful: bool,
}

impl Worker<'_> {
    async fn run(&mut self) -> Result<(), EngineError> {
        let shared = &self.engine.shared;
        loop {
            // Before the store is asked, so that no hint is missed.
            let hint = shared.active.hint.listen();
            if shared.active.stopping() > Stop::None {
                return self.finish().await;
            }
            let room = self.room();
            if room > 0 {
                match self.engine.acquire(&self.options, &mut self.refused, room).await {
                    Ok(holds) => {
                        if std::mem::take(&mut self.waits) {
                            info!("the store is available again");
                        }
                        self.take(holds).await;
                    }
                    Err(error @ StoreError::Closed(_)) => return Err(error.into()),
                    Err(error) if self.waits => debug!(%error, "runs cannot be claimed from the store"),
                    Err(error) => {
                        warn!(%error, "runs cannot be claimed from the store; retrying until it is \
                                       available");
                        self.waits = true;
                    }
                }
            }
            let poll = shared.timer.sleep(self.options.poll);
            let Self { driven, suspect, .. } = self;
            let further = pin!(async {
                match suspect {
                    Some((_, stored)) => stored.await,
                    None => pending().await,
                }
            });
            let news = select(select(hint, poll), further);
            let (ended, news) = if driven.is_empty() {
                (None, Some(news.await))
            } else {
                match select(driven.next(), news).await {
                    Either::Left((ended, _)) => (ended, None),
                    Either::Right((news, _)) => (None, Some(news)),
                }
            };
            if let Some(Either::Right(_)) = news {
                self.suspect = None;
            }
            if let Some((run, result)) = ended {
                self.ended(run, result);
            }
        }
    }

    /// How many runs are claimed now.
    fn room(&self) -> usize {
        let room = self.options.runs.saturating_sub(self.driven.len());
        if self.suspect.is_some() {
            0
        } else if self.is_careful {
            room.min(1)
        } else {
            room
        }
    }

    /// Drives runs that were claimed. Of the runs whose drivers died it drives only one, and first releases
    /// the others, in case that one crashes this process too.
    async fn take(&mut self, holds: Vec<Hold>) {
        let is_suspect = |hold: &Hold| (deaths::SUSPECT..deaths::MOST).contains(&hold.deaths());
        let (mut suspects, others): (Vec<_>, Vec<_>) = holds.into_iter().partition(is_suspect);
        self.is_careful = !suspects.is_empty();
        suspects.sort_by_key(Hold::deaths);
        let last = suspects.pop();
        for hold in suspects {
            let run = hold.run().clone();
            if let Err(error) = hold.release().await {
                warn!(%run, %error, "the run could not be given back");
            }
        }
        for hold in others {
            self.drive(hold);
        }
        if let Some(hold) = last {
            let (run, deaths) = (hold.run(), hold.deaths());
            info!(%run, deaths, "earlier drivers of this run died: no other run is started until it stores \
                                 an event");
            self.drive(hold);
        }
    }

    /// Waits for the runs that are driven here, which were told to stop.
    async fn finish(&mut self) -> Result<(), EngineError> {
        while let Some((run, result)) = self.driven.next().await {
            self.ended(run, result);
        }
        Ok(())
    }

    fn drive(&mut self, mut hold: Hold) {
        let engine = self.engine.clone();
        let run = hold.run().clone();
        let pause = self.pause(&run);
        let deaths = hold.deaths();
        hold.selected_by = self.options.is_selective().then(|| self.options.clone());
        if (deaths::SUSPECT..deaths::MOST).contains(&deaths) {
            self.suspect = Some((run.clone(), hold.entered().inbox.changed.listen()));
        }
        let driven = async move {
            if let Some(pause) = pause {
                // The lease is held meanwhile, so that the run is not claimed over and over again.
                let stop = engine.shared.active.stopped();
                select(engine.shared.timer.sleep(pause), Box::pin(stop)).await;
                if engine.shared.active.stopping() > Stop::None {
                    return Ok(hold.release().await?);
                }
            }
            if deaths >= deaths::MOST {
                return engine.hold_back(hold, deaths).await;
            }
            engine.take_up(hold).await.map(drop)
        };
        let driven: BoxFuture<'_, _> = match &self.engine.shared.spawn {
            None => driven.boxed(),
            Some(spawn) => {
                let (done, ended) = oneshot::channel();
                let driving = async move {
                    // The worker's receiver is gone if the worker was dropped.
                    let _ = done.send(driven.await);
                };
                let spawned = panics::spawn(&**spawn, driving.boxed());
                let dropped = EngineError::Dropped(run.clone());
                async move {
                    spawned?;
                    ended.await.unwrap_or(Err(dropped))
                }
                .boxed()
            }
        };
        self.driven.push(driven.map(|result| (run, result)).boxed());
    }

    fn pause(&self, run: &RunId) -> Option<Duration> {
        let failures = *self.failures.get(run)?;
        let pause = self.options.poll.saturating_mul(2u32.saturating_pow(failures - 1));
        Some(pause.min(self.options.longest_pause))
    }

    fn ended(&mut self, run: RunId, result: Result<(), EngineError>) {
        if self.suspect.as_ref().is_some_and(|(suspect, _)| *suspect == run) {
            self.suspect = None;
        }
        match result {
            Ok(()) => {
                self.failures.remove(&run);
            }
            // Another driver continues it.
            Err(
                error @ (EngineError::TakenOver { .. }
                | EngineError::Store(
                    StoreError::Fenced(_) | StoreError::Expired | StoreError::NotFound(_),
                )),
            ) => {
                info!(%run, %error, "the run is no longer driven here");
            }
            Err(error @ (EngineError::NotSigned { .. } | EngineError::NotSelected { .. })) => {
                warn!(%error, "the run is left to others");
                self.refused.add(run);
            }
            Err(error) => {
                warn!(%run, %error, "the run could not be driven; trying again later");
                let failures = self.failures.entry(run).or_default();
                *failures = failures.saturating_add(1);
            }
        }
    }
}
