//! A scenario from its start to its end, with hosts that die and stores that fail.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::{Either, FutureExt as _, OptionFuture, select};
use serde_json::{Value, json};
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::{NodePath, RunId};
use workflow_core::status::RunStatus;
use workflow_core::store::{MemoryStore, RunStore, StoreError};
use workflow_core::view::RunView;
use workflow_exec::{EngineError, Fork};

use crate::faulty::{Fault, Faulty};
use crate::rules;
use crate::scenario::{self, Scenario};
use crate::scripted::{Call, Deeds};
use crate::sim::Sim;

/// The result of a run.
pub struct Played {
    /// Its log.
    pub events: Vec<Event>,
    /// The calls of its providers.
    pub calls: Vec<Call>,
    /// Its final state.
    pub view: RunView,
    /// How many appends its last host made.
    pub appends: u64,
}

/// A scenario, and the behaviour of its providers if it does not define one.
pub struct Case {
    /// The scenario.
    pub scenario: Scenario,
    /// See [`Deeds::scripted`].
    pub script: Value,
    /// How its run is created.
    pub origin: Origin,
}

/// How a run is created.
pub enum Origin {
    /// It is new.
    New,
    /// It is forked from one that has ended.
    Forked(fn(Fork) -> Fork),
    /// It began with this definition, and was migrated when it first waited.
    Moved(Box<Scenario>),
}

/// Where runs are stored.
pub trait Medium {
    /// The store as a host finds it after all earlier hosts have died, or are presumed dead.
    fn open(&self) -> Arc<dyn RunStore>;
}

impl Medium for MemoryStore {
    fn open(&self) -> Arc<dyn RunStore> {
        Arc::new(self.reopen())
    }
}

impl From<Scenario> for Case {
    fn from(scenario: Scenario) -> Self {
        Self { scenario, script: Value::Null, origin: Origin::New }
    }
}

impl Case {
    /// Plays the scenario on a store that returns the fault `script(h, n)` for append number `n` of host
    /// number `h`. When a host dies, the next one continues the run.
    ///
    /// # Panics
    ///
    /// If the run does not end, its log breaks a [rule](rules), or a call was not recorded or outlives it.
    pub fn play(
        &self,
        seed: u64,
        script: impl Fn(u64, u64) -> Fault + Clone + Send + Sync + 'static,
    ) -> Played {
        self.play_in(&MemoryStore::new(), seed, script, None)
    }

    /// The same, with another storage. A host whose run may have been claimed by another one waits in vain
    /// for that one here, for `patience` milliseconds.
    ///
    /// # Panics
    ///
    /// As [`Case::play`].
    pub fn play_in(
        &self,
        medium: &dyn Medium,
        seed: u64,
        script: impl Fn(u64, u64) -> Fault + Clone + Send + Sync + 'static,
        patience: Option<u64>,
    ) -> Played {
        let scenario = &self.scenario;
        scenario.rewind();
        let sim = Sim::seeded(seed);
        let deeds = Deeds::scripted(&sim, self.script.clone());
        let run = sim.block_on(self.begin(&sim, &deeds, medium));
        sim.drop_tasks();
        let mut stored = Vec::new();
        for host in 1..100 {
            let script = script.clone();
            let inner = medium.open();
            let store = Faulty::new(&inner, move |append| script(host, append));
            let engine = scenario.engine(&sim, &deeds, store.clone());
            let view = sim.block_on(async {
                let patience = patience.filter(|_| host == 1).map(|ms| sim.sleep_ms(ms));
                let patience = OptionFuture::from(patience).then(|over| async move {
                    if over.is_none() {
                        futures::future::pending::<()>().await;
                    }
                });
                let death = select(Box::pin(store.death()), Box::pin(patience));
                match select(Box::pin(scenario.play(&sim, &engine, &run)), death).await {
                    Either::Left((Ok(view), _)) => Some(view),
                    Either::Left((Err(EngineError::Store(error)), _)) if is_known(&error) => {
                        assert!(
                            deeds.calls().iter().all(|call| call.end.is_some() || call.id.run != run),
                            "calls are still running"
                        );
                        None
                    }
                    Either::Left((Err(error), _)) => panic!("{error}"),
                    Either::Right(_) => None,
                }
            });
            let view = view.filter(|view| view.status.is_terminal());
            sim.drop_tasks();
            let events = sim.block_on(scenario::events(&inner, &run));
            assert!(events.starts_with(&stored), "what was stored stays");
            if let Some(view) = view {
                let EventBody::RunCreated(created) = &events[0].body else {
                    panic!("the log does not begin with run_created")
                };
                rules::check(&sim.block_on(inner.bundle(&created.bundle)).unwrap(), &events);
                let mut calls = deeds.calls();
                calls.retain(|call| call.id.run == run);
                let played = Played { events, calls, view, appends: store.appends() };
                played.check_calls();
                return played;
            }
            stored = events;
        }
        panic!("{}: the run makes no progress", scenario.name);
    }

    /// Creates the run, without driving it.
    async fn begin(&self, sim: &Sim, deeds: &Deeds, medium: &dyn Medium) -> RunId {
        let first = if let Origin::Moved(first) = &self.origin { first } else { &self.scenario };
        let engine = first.engine(sim, deeds, medium.open());
        let run = first.create(sim, &engine).await;
        match &self.origin {
            Origin::New => run,
            Origin::Forked(how) => {
                assert!(engine.drive(&run).await.unwrap().status.is_terminal());
                engine.fork(how(Fork::of(run))).await.unwrap().id().clone()
            }
            Origin::Moved(_) => {
                assert!(engine.drive(&run).await.unwrap().wait.is_some());
                // The catalog of this engine has the new definition.
                let engine = self.scenario.engine(sim, deeds, engine.store().clone());
                engine.migrate(&run, None).await.unwrap();
                run
            }
        }
    }
}

/// Whether it results from a fault: the outcome is unknown, or another host has claimed the run.
fn is_known(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { .. } | StoreError::Fenced(_) | StoreError::Expired)
}

impl Played {
    /// Each call has its own earlier start event in the log; no call runs after the end of the run.
    fn check_calls(&self) {
        let started: HashSet<(&NodePath, u32)> = self
            .events
            .iter()
            .filter_map(|event| match &event.body {
                EventBody::AttemptStarted { path, attempt, .. } => Some((path, *attempt)),
                _ => None,
            })
            .collect();
        let mut called = HashSet::new();
        for call in &self.calls {
            let id = (&call.id.path, call.id.attempt);
            assert!(started.contains(&id), "{id:?} was called and not recorded");
            assert!(called.insert(id), "{id:?} was called twice");
            let (at, _) = call.end.unwrap_or_else(|| panic!("{id:?} is still running"));
            let elapsed = self.events.last().unwrap().at.duration_since(self.events[0].at);
            assert!(i128::from(at) <= elapsed.as_millis(), "{id:?} outlives its run");
        }
    }

    /// The relevant parts of a run's result, independent of faults.
    pub fn outcome(&self) -> Value {
        let view = &self.view;
        if view.status == RunStatus::Cancelled {
            // How far it got before it was cancelled depends on timing.
            return json!({ "status": view.status });
        }
        let stages = view.context.stages.iter();
        let stages = stages.map(|(id, stage)| json!([id, stage.status, stage.iteration, stage.output]));
        json!({
            "status": view.status,
            "iteration": view.iteration,
            "vars": view.context.vars,
            "stages": stages.collect::<Vec<_>>(),
            "failed": view.failed_stages,
            "error": view.error.as_ref().map(|error| error.class),
        })
    }
}
