//! A scenario from its start to its end, over hosts that die and stores that fail.

use std::collections::HashSet;

use futures::future::{Either, select};
use serde_json::{Value, json};
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::NodePath;
use workflow_core::machine::RunView;
use workflow_core::status::RunStatus;
use workflow_core::store::{MemoryStore, StoreError};
use workflow_exec::EngineError;

use crate::faulty::{Fault, Faulty};
use crate::rules;
use crate::scenario::{self, Scenario};
use crate::scripted::{Call, Deeds};
use crate::sim::Sim;

/// What a run came to.
pub struct Played {
    /// Its log.
    pub events: Vec<Event>,
    /// What its providers did.
    pub calls: Vec<Call>,
    /// How it stands.
    pub view: RunView,
    /// How many appends its last host made.
    pub appends: u64,
}

/// A scenario, and what its providers do where it does not say it itself.
pub struct Case {
    /// The scenario.
    pub scenario: Scenario,
    /// See [`Deeds::scripted`].
    pub script: Value,
}

impl From<Scenario> for Case {
    fn from(scenario: Scenario) -> Self {
        Self { scenario, script: Value::Null }
    }
}

impl Case {
    /// Plays the scenario over a store that meets append number `n` of the host number `h` with
    /// `script(h, n)`. When a host dies, the next goes on with the run.
    ///
    /// # Panics
    ///
    /// When the run does not end, its log breaks a [rule](rules), or a call was not recorded or outlives it.
    pub fn play(
        &self,
        seed: u64,
        script: impl Fn(u64, u64) -> Fault + Clone + Send + Sync + 'static,
    ) -> Played {
        let scenario = &self.scenario;
        scenario.rewind();
        let (sim, memory) = (Sim::seeded(seed), MemoryStore::new());
        let deeds = Deeds::scripted(&sim, self.script.clone());
        let creator = scenario.engine(&sim, &deeds, memory.clone());
        let run = sim.block_on(scenario.create(&sim, &creator));
        let mut stored = Vec::new();
        for host in 1..100 {
            let script = script.clone();
            let store = Faulty::new(&memory.reopen(), move |append| script(host, append));
            let engine = scenario.engine(&sim, &deeds, store.clone());
            let view = sim.block_on(async {
                match select(Box::pin(scenario.play(&sim, &engine, &run)), Box::pin(store.death())).await {
                    Either::Left((Ok(view), _)) => Some(view),
                    Either::Left((Err(EngineError::Store(StoreError::Io { .. })), _)) => {
                        assert!(deeds.calls().iter().all(|call| call.end.is_some()), "calls go on");
                        None
                    }
                    Either::Left((Err(error), _)) => panic!("{error}"),
                    Either::Right(_) => None,
                }
            });
            let view = view.filter(|view| view.status.is_terminal());
            sim.drop_tasks();
            let events = sim.block_on(scenario::events(&memory, &run));
            assert!(events.starts_with(&stored), "what was stored stays");
            if let Some(view) = view {
                rules::check(sim.block_on(scenario.plan(&creator)).bundle(), &events);
                let played = Played { events, calls: deeds.calls(), view, appends: store.appends() };
                played.check_calls();
                return played;
            }
            stored = events;
        }
        panic!("{}: the run does not get on", scenario.name);
    }
}

impl Played {
    /// Each call has a start of its own in the log, which is older; and nothing goes on after the end.
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
            let (at, _) = call.end.unwrap_or_else(|| panic!("{id:?} goes on"));
            let elapsed = self.events.last().unwrap().at.duration_since(self.events[0].at);
            assert!(i128::from(at) <= elapsed.as_millis(), "{id:?} outlives its run");
        }
    }

    /// What matters of a run in the end, whatever happened on the way.
    pub fn outcome(&self) -> Value {
        let view = &self.view;
        if view.status == RunStatus::Cancelled {
            // How far it came until somebody cancelled it is a matter of time.
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
