//! Small workflows that show one behaviour each, with what happens to them from outside.
//!
//! A scenario is a workflow file whose stages use the [scripted](crate::scripted) providers. Lines
//! that begin with `#!` say what it is run with:
//!
//! ```yaml
//! #! var feature = "login"
//! #! limit ann 1
//! #! at 150 pause
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join;
use serde_json::Value;
use workflow_core::data::Data;
use workflow_core::event::{Event, EventBody, RunCreated};
use workflow_core::ids::RunId;
use workflow_core::machine::{RunView, State};
use workflow_core::plan::Plan;
use workflow_core::store::{Control, NewRun, RunStore};
use workflow_exec::{Clock, Engine, EngineError, Limits};

use crate::scripted::Deeds;
use crate::sim::Sim;

/// A workflow, and what it is run with.
#[derive(Clone)]
pub struct Scenario {
    /// The file's name, without its ending.
    pub name: String,
    /// The workflow.
    pub yaml: String,
    vars: Vec<(String, Value)>,
    limits: Vec<(String, usize)>,
    /// What is asked for while it runs, and when, in milliseconds since the world began.
    controls: Vec<(i64, Control)>,
    /// How many controls were asked for already.
    asked: Arc<AtomicUsize>,
}

/// The seed of every scenario's run.
const SEED: u64 = 7;

impl Scenario {
    /// All scenarios of this package.
    pub fn all() -> Vec<Self> {
        let mut files: Vec<_> =
            std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| Self::read(file)).collect()
    }

    /// The scenario of that name.
    pub fn named(name: &str) -> Self {
        Self::read(&folder().join(format!("{name}.yml")))
    }

    fn read(file: &Path) -> Self {
        let name = file.file_stem().unwrap().to_str().unwrap();
        Self::new(name, &std::fs::read_to_string(file).unwrap())
    }

    /// A scenario from its text.
    pub fn new(name: &str, yaml: &str) -> Self {
        let mut scenario = Self {
            name: name.to_owned(),
            yaml: yaml.to_owned(),
            vars: Vec::new(),
            limits: Vec::new(),
            controls: Vec::new(),
            asked: Arc::default(),
        };
        for line in yaml.lines().filter_map(|line| line.strip_prefix("#! ")) {
            let words: Vec<_> = line.splitn(4, ' ').collect();
            match words[..] {
                ["var", name, "=", value] => {
                    scenario.vars.push((name.to_owned(), serde_json::from_str(value).unwrap()));
                }
                ["limit", provider, limit] => {
                    scenario.limits.push((provider.to_owned(), limit.parse().unwrap()));
                }
                ["at", ms, control] => {
                    let control = serde_json::from_value(control.into()).unwrap();
                    scenario.controls.push((ms.parse().unwrap(), control));
                }
                _ => panic!("{name}: not understood: #! {line}"),
            }
        }
        scenario
    }

    /// An engine for this scenario in a world.
    pub fn engine(&self, sim: &Sim, deeds: &Deeds, store: impl RunStore + 'static) -> Engine {
        let limits = self.limits.iter();
        let limits = limits.fold(Limits::new(), |limits, (name, limit)| limits.limit(name.as_str(), *limit));
        let builder = Engine::builder().store(store).limits(limits);
        let builder = builder.clock(sim.clone()).timer(sim.clone()).spawner(sim.clone());
        deeds.register(builder).build()
    }

    /// Creates the scenario's run, as a host that was given a seed would: everything about it is the
    /// same each time.
    pub async fn create(&self, sim: &Sim, engine: &Engine) -> RunId {
        let plan = engine.parse(&self.yaml, &self.name).unwrap();
        let run = RunId::new(&self.name).unwrap();
        let vars = self.vars.iter().map(|(name, value)| (name.clone(), Data::new(value))).collect();
        create(sim, engine, &plan, RunCreated { run: run.clone(), vars, ..created(&plan) }).await;
        run
    }

    /// Drives the run until it has ended or nobody will ask for anything any more, and meanwhile
    /// asks for what the scenario says.
    ///
    /// # Errors
    ///
    /// What the engine says.
    pub async fn play(&self, sim: &Sim, engine: &Engine, run: &RunId) -> Result<RunView, EngineError> {
        let start = engine.handle(run).view().await?.created_at;
        let handle = engine.handle(run);
        let asking = async {
            while let Some((at, control)) = self.controls.get(self.asked.load(Ordering::SeqCst)) {
                let elapsed = sim.now().as_millisecond() - start.as_millisecond();
                sim.sleep_ms(u64::try_from(at - elapsed).unwrap_or(0)).await;
                self.asked.fetch_add(1, Ordering::SeqCst);
                handle.control(control.clone()).await?;
            }
            Ok::<_, EngineError>(())
        };
        let (driven, asked) = join(engine.drive(run), asking).await;
        driven?;
        asked?;
        handle.wait().await
    }

    /// Forgets what was asked for, for another time.
    pub fn rewind(&self) {
        self.asked.store(0, Ordering::SeqCst);
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// What a run of `plan` is created with when nothing else is said.
fn created(plan: &Plan) -> RunCreated {
    let workflow = plan.workflow().id.clone();
    let run = RunId::new(workflow.as_str()).unwrap();
    let bundle = plan.hash().clone();
    RunCreated { run, workflow, bundle, vars: [].into(), on_failure: None, interactive: false, seed: SEED }
}

/// Stores a run that nobody drives yet.
async fn create(sim: &Sim, engine: &Engine, plan: &Plan, created: RunCreated) {
    let id = created.run.clone();
    let event = Event { seq: 1, at: sim.now(), body: EventBody::RunCreated(Arc::new(created)) };
    let head = State::first(&event).unwrap().head();
    let new = NewRun { id, bundle: plan.bundle().clone(), events: vec![event], head };
    let lease = engine.store().create(new).await.unwrap();
    engine.store().release(lease).await.unwrap();
}

/// All events of a run.
pub async fn events(store: &dyn RunStore, run: &RunId) -> Vec<Event> {
    store.events(run, 0, usize::MAX).await.unwrap()
}
