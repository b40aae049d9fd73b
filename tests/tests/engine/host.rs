//! A host in a simulated world: an engine over a store in memory, with scripted providers.

use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::store::{MemoryStore, RunStore};
use workflow_exec::{Engine, EngineBuilder, StartRun};
use workflow_tests::scripted::Deeds;
use workflow_tests::sim::Sim;
use workflow_tests::{log, scenario};

pub(crate) struct Host {
    pub sim: Sim,
    pub deeds: Deeds,
    pub store: MemoryStore,
    pub engine: Engine,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// A host with other settings of its engine.
    pub(crate) fn with(setup: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Self {
        Self::in_world(Sim::new(), setup)
    }

    /// A host in a world whose order is drawn from `seed`.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self::in_world(Sim::seeded(seed), |builder| builder)
    }

    /// A host of that world with other settings of its engine.
    pub(crate) fn in_world(sim: Sim, setup: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Self {
        let (deeds, store) = (Deeds::new(&sim), MemoryStore::new());
        let engine = engine(&sim, &deeds, store.clone(), setup);
        Self { sim, deeds, store, engine }
    }

    /// Another engine of this world over `store`.
    pub(crate) fn engine_over(&self, store: impl RunStore + 'static) -> Engine {
        engine(&self.sim, &self.deeds, store, |builder| builder)
    }

    /// A run of `yaml` with the id `run`.
    pub(crate) fn start(&self, run: &str, yaml: &str) -> StartRun {
        StartRun::plan(&self.engine.parse(yaml, "test").unwrap()).run_id(id(run))
    }

    pub(crate) fn events(&self, run: &str) -> Vec<Event> {
        self.sim.block_on(scenario::events(&self.store, &id(run)))
    }

    /// The events of a run as text.
    pub(crate) fn log(&self, run: &str) -> String {
        log::show_events(&self.events(run))
    }

    /// The calls of all runs as text.
    pub(crate) fn calls(&self) -> String {
        log::show_calls(&self.deeds.calls())
    }
}

fn engine(
    sim: &Sim,
    deeds: &Deeds,
    store: impl RunStore + 'static,
    setup: impl FnOnce(EngineBuilder) -> EngineBuilder,
) -> Engine {
    let builder = Engine::builder().store(store).clock(sim.clone()).timer(sim.clone()).spawner(sim.clone());
    setup(deeds.register(builder)).build().unwrap()
}

pub(crate) fn id(run: &str) -> RunId {
    RunId::new(run).unwrap()
}

/// A folder with files of these names and texts.
pub(crate) fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}
