//! Worker mode: an engine that takes on whatever runs of its store nobody drives.

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
use crate::error::EngineError;
use crate::leases;
use crate::panics::{self, caught_async};
use crate::selection::WorkOptions;
use crate::shared::Hold;

impl Engine {
    /// Drives whatever runs of the store go on by themselves and are driven by nobody, until the engine
    /// [shuts down](Engine::shutdown): runs that were created without being driven, and those whose driver
    /// has died or left. Any number of engines, in any number of processes and on any number of machines
    /// where the store allows it, share the runs: each is driven by one.
    ///
    /// A run that [ends its drivers' processes](workflow_core::store::Lease::deaths) before anything is recorded is left to a person after
    /// five of them: it [waits](workflow_core::status::WaitReason::Crashes) until it is
    /// [resumed](crate::RunHandle::resume). From the second on a worker begins nothing beside such a run until it has
    /// stored an event, so that others do not wait with it.
    ///
    /// Runs are driven by the engine's spawner where there is one, and in this future otherwise.
    ///
    /// Dropping the future stops the calls of the runs that it drives itself, and leaves all to be taken up
    /// again; a shutdown does so in order.
    ///
    /// # Errors
    ///
    /// [`StoreError::Closed`]. Other errors of the store are logged, and it is asked again.
    pub async fn work(&self, options: WorkOptions) -> Result<(), EngineError> {
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
            match caught_async(leases::beating(&self.shared, worker.run())).await {
                Ok(ended) => return ended,
                Err(panic) => {
                    error!(panic, "the store panicked when it was asked for runs; asking again");
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
    /// How often runs could not be driven, one after the other.
    failures: HashMap<RunId, u32>,
    /// Whether the store could not be asked for runs the last time.
    waits: bool,
    /// The run that may be what ended its drivers' processes, and what tells of its next event. Nothing is claimed
    /// beside it until then.
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
                            info!("the store can be used again");
                        }
                        self.take(holds).await;
                    }
                    Err(error @ StoreError::Closed(_)) => return Err(error.into()),
                    Err(error) if self.waits => debug!(%error, "the store cannot be asked for runs"),
                    Err(error) => {
                        warn!(%error, "the store cannot be asked for runs; asking again until it can");
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

    /// Drives runs that were claimed. Of those whose drivers died it drives one: the others are given back, before
    /// that one can end this process too.
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
            info!(%run, deaths, "the drivers of this run died before: nothing is begun beside it");
            self.drive(hold);
        }
    }

    /// Waits for the runs that are driven here: they were told to stop.
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
                // Held meanwhile, so that it is not claimed over and over again.
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
                    // A worker that was dropped does not ask how it ended.
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
            // Somebody else goes on with it.
            Err(
                error @ (EngineError::TakenOver { .. }
                | EngineError::Store(
                    StoreError::Fenced(_) | StoreError::Expired | StoreError::NotFound(_),
                )),
            ) => {
                info!(%run, %error, "the run is not driven here any more");
            }
            Err(error @ (EngineError::NotSigned { .. } | EngineError::NotSelected { .. })) => {
                warn!(%error, "the run is left to others");
                self.refused.add(run);
            }
            Err(error) => {
                warn!(%run, %error, "the run could not be driven on; it is tried again later");
                let failures = self.failures.entry(run).or_default();
                *failures = failures.saturating_add(1);
            }
        }
    }
}
