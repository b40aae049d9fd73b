//! Small workflows that show one behaviour each, with external events.
//!
//! A scenario is a workflow file whose stages use the [scripted](crate::scripted) providers. Lines that begin
//! with `#!` configure its run:
//!
//! ```yaml
//! #! var feature = "login"
//! #! limit ann 1
//! #! at 150 pause
//! ```
//!
//! The parts that the workflow refers to follow it, each after a line with its kind: `--- # profile
//! plan.team`, `--- # role critic`, or `--- # schema plan.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use futures::future::join;
use serde_json::Value;
use workflow_core::catalog::Part;
use workflow_core::data::Data;
use workflow_core::event::{Event, EventBody, RunCreated};
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::machine::State;
use workflow_core::plan::Plan;
use workflow_core::priority::Priority;
use workflow_core::status::{RunStatus, Wait, WaitReason};
use workflow_core::store::{Control, NewRun, RunStore, Signal};
use workflow_core::view::RunView;
use workflow_exec::{Clock, Engine, EngineError, Limits, RunHandle};

use crate::scripted::Deeds;
use crate::shelf::Shelf;
use crate::sim::Sim;

/// A workflow, and the configuration of its run.
#[derive(Clone)]
pub struct Scenario {
    /// The file's name, without its ending.
    pub name: String,
    /// The workflow.
    pub yaml: String,
    /// The parts that it refers to.
    parts: Vec<(Part, String)>,
    /// Workflows that it runs.
    others: Vec<(WorkflowId, String)>,
    vars: Vec<(String, Value)>,
    limits: Vec<(String, usize)>,
    /// Whether a person is asked before every stage.
    interactive: bool,
    /// The person's answer about an interrupted call.
    outcome: Value,
    /// The control requests, with their times in milliseconds since the world began.
    controls: Vec<(i64, Control)>,
    /// How many control requests were sent already.
    asked: Arc<AtomicUsize>,
    /// The plan, once it was prepared: every engine prepares the same.
    plan: Arc<OnceLock<Arc<Plan>>>,
}

/// The seed of every scenario's run.
const SEED: u64 = 7;

impl Scenario {
    /// All scenarios of this package.
    pub fn all() -> Vec<Self> {
        Self::in_folder(&folder())
    }

    /// The equivalents of the scenarios of a test kit: see `scenarios/ctk`.
    pub fn of_test_kit() -> Vec<Self> {
        Self::in_folder(&folder().join("ctk"))
    }

    fn in_folder(folder: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> =
            entries.filter(|path| path.extension().is_some_and(|it| it == "yml")).collect();
        files.sort();
        files.iter().map(|file| Self::read(file)).collect()
    }

    /// The scenario with that name.
    pub fn named(name: &str) -> Self {
        Self::read(&folder().join(format!("{name}.yml")))
    }

    fn read(file: &Path) -> Self {
        let name = file.file_stem().unwrap().to_str().unwrap();
        Self::new(name, &std::fs::read_to_string(file).unwrap())
    }

    /// Parses a scenario.
    pub fn new(name: &str, text: &str) -> Self {
        let (yaml, parts, others) = in_parts(text);
        let mut scenario = Self {
            name: name.to_owned(),
            yaml,
            parts,
            others,
            vars: Vec::new(),
            limits: Vec::new(),
            interactive: false,
            outcome: "rerun".into(),
            controls: Vec::new(),
            asked: Arc::default(),
            plan: Arc::default(),
        };
        for line in text.lines().filter_map(|line| line.strip_prefix("#! ")) {
            let words: Vec<_> = line.splitn(4, ' ').collect();
            match words[..] {
                ["var", name, "=", value] => {
                    scenario.vars.push((name.to_owned(), serde_json::from_str(value).unwrap()));
                }
                ["limit", provider, limit] => {
                    scenario.limits.push((provider.to_owned(), limit.parse().unwrap()));
                }
                ["interactive"] => scenario.interactive = true,
                ["outcome", said] => scenario.outcome = serde_json::from_str(said).unwrap(),
                ["at", ms, "signal", signal] => {
                    let signal = serde_json::from_str(signal).unwrap();
                    scenario.controls.push((ms.parse().unwrap(), Control::Signal(signal)));
                }
                ["at", ms, control] => {
                    let control = serde_json::from_value(control.into()).unwrap();
                    scenario.controls.push((ms.parse().unwrap(), control));
                }
                _ => panic!("{name}: unknown setting: #! {line}"),
            }
        }
        scenario
    }

    /// Whether its nodes run other workflows.
    pub fn runs_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// An engine for this scenario in a simulated world.
    pub fn engine(&self, sim: &Sim, deeds: &Deeds, store: impl RunStore + 'static) -> Engine {
        let limits = self.limits.iter();
        let limits = limits.fold(Limits::new(), |limits, (name, limit)| limits.limit(name.as_str(), *limit));
        let builder = Engine::builder().store(store).limits(limits).catalog(self.shelf());
        let builder = builder.clock(sim.clone()).timer(sim.clone()).spawner(sim.clone());
        deeds.register(builder).build().unwrap()
    }

    /// The workflow with all its parts, as an engine of this scenario prepares it.
    pub async fn plan(&self, engine: &Engine) -> Arc<Plan> {
        if let Some(plan) = self.plan.get() {
            return plan.clone();
        }
        let id = WorkflowId::new(&self.name).unwrap();
        let plan = engine.load(&id).await.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        self.plan.get_or_init(|| plan).clone()
    }

    fn shelf(&self) -> Shelf {
        Shelf::new(WorkflowId::new(&self.name).unwrap(), &self.yaml, self.parts.clone())
            .with_workflows(self.others.clone())
    }

    /// Creates the scenario's run with a fixed seed: everything about it is the same each time.
    pub async fn create(&self, sim: &Sim, engine: &Engine) -> RunId {
        let plan = self.plan(engine).await;
        let run = RunId::new(&self.name).unwrap();
        let vars = self.vars.iter().map(|(name, value)| (name.clone(), Data::new(value))).collect();
        let interactive = self.interactive;
        let created = RunCreated { run: run.clone(), vars, interactive, ..created(&plan) };
        create(sim, engine, &plan, created).await;
        run
    }

    /// Drives the run until it has ended or no more control requests follow, and sends the scenario's control
    /// requests meanwhile.
    ///
    /// # Errors
    ///
    /// The error of the engine.
    pub async fn play(&self, sim: &Sim, engine: &Engine, run: &RunId) -> Result<RunView, EngineError> {
        let start = engine.handle(run).view().await?.created_at;
        let handle = engine.handle(run);
        let asking = async {
            while let Some((at, control)) = self.controls.get(self.asked.load(Ordering::SeqCst)) {
                let elapsed = sim.now().as_millisecond() - start.as_millisecond();
                sim.sleep_ms(u64::try_from(at - elapsed).unwrap_or(0)).await;
                self.asked.fetch_add(1, Ordering::SeqCst);
                let _ = handle.control(control.clone()).await?;
            }
            Ok::<_, EngineError>(())
        };
        let (driven, asked) = join(engine.drive(run), asking).await;
        driven?;
        asked?;
        let mut view = self.answered(engine, &handle).await?;
        while view.status == RunStatus::Paused {
            let asked: Vec<_> =
                view.waits.iter().filter_map(|wait| Some((wait.number?, self.says(wait)))).collect();
            let signals: Vec<_> = view.waits.iter().filter_map(|wait| self.signals(wait)).collect();
            if asked.is_empty() && signals.is_empty() {
                break;
            }
            for signal in signals {
                let _ = handle.signal(signal).await?;
            }
            for (number, answer) in asked {
                let _ = handle.answer(number, answer).await?;
            }
            view = self.answered(engine, &handle).await?;
        }
        Ok(view)
    }

    /// Waits for the run, and answers what the runs ask that its nodes have started.
    async fn answered(&self, engine: &Engine, handle: &RunHandle) -> Result<RunView, EngineError> {
        loop {
            let view = handle.wait().await?;
            let mut next = view.wait.as_ref().and_then(|wait| wait.run.clone());
            let Some(mut child) = next.clone() else { return Ok(view) };
            while let Some(run) = next {
                child = run;
                next = engine.handle(&child).view().await?.wait.and_then(|wait| wait.run);
            }
            let child = engine.handle(&child);
            for wait in child.view().await?.waits {
                if let Some(number) = wait.number {
                    let _ = child.answer(number, self.says(&wait)).await?;
                }
            }
        }
    }

    /// Marks all control requests as not sent, to play again.
    pub fn rewind(&self) {
        self.asked.store(0, Ordering::SeqCst);
    }

    /// The signal that a wait is for, with the data of the scenario's first one of that name.
    fn signals(&self, wait: &Wait) -> Option<Signal> {
        let name = wait.signal.as_deref()?;
        let known = self.controls.iter().find_map(|(_, control)| match control {
            Control::Signal(signal) if *signal.name == *name => Some(signal.data.value()),
            _ => None,
        });
        Some(Signal::new(name).unwrap().data(known.unwrap_or_default()))
    }

    /// The answer of the scenario's person: yes, the first choice, or `this`.
    fn says(&self, wait: &Wait) -> Value {
        let schema = wait.schema.as_ref().map(Data::value).unwrap_or_default();
        match wait.reason {
            WaitReason::Approval => true.into(),
            WaitReason::UnknownOutcome => self.outcome.clone(),
            _ => schema["enum"].get(0).cloned().unwrap_or_else(|| "this".into()),
        }
    }
}

/// The workflow, the parts that follow it, and the workflows that it runs.
#[allow(clippy::type_complexity, reason = "three lists of texts")]
fn in_parts(text: &str) -> (String, Vec<(Part, String)>, Vec<(WorkflowId, String)>) {
    let mut texts = vec![(String::new(), String::new())];
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("--- # ") {
            Some(title) => texts.push((title.trim().to_owned(), String::new())),
            None => texts.last_mut().unwrap().1.push_str(line),
        }
    }
    let mut texts = texts.into_iter();
    let (_, yaml) = texts.next().unwrap();
    let (mut parts, mut others) = (Vec::new(), Vec::new());
    for (title, text) in texts {
        match title.strip_prefix("workflow ") {
            Some(id) => others.push((id.parse().unwrap(), text)),
            None => parts.push((part(&title), text)),
        }
    }
    (yaml, parts, others)
}

fn part(title: &str) -> Part {
    match title.split_once(' ') {
        Some(("profile", name)) => {
            let (stage, profile) = name.split_once('.').unwrap();
            Part::Profile(stage.parse().unwrap(), profile.parse().unwrap())
        }
        Some(("role", name)) => Part::Role(name.parse().unwrap()),
        Some(("schema", name)) => Part::Schema(name.to_owned()),
        _ => panic!("unknown part: --- # {title}"),
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// The default `run_created` event of a run of `plan`.
pub(crate) fn created(plan: &Plan) -> RunCreated {
    let workflow = plan.workflow().id.clone();
    let run = RunId::new(workflow.as_str()).unwrap();
    let bundle = plan.hash().clone();
    RunCreated {
        run,
        workflow,
        bundle,
        vars: [].into(),
        labels: BTreeMap::new(),
        on_failure: None,
        interactive: false,
        max_iters: None,
        isolated: false,
        slot: None,
        priority: Priority::NORMAL,
        parent: None,
        budget: None,
        seed: SEED,
        by: None,
        signature: None,
    }
}

/// Stores a run that no process drives yet.
pub(crate) async fn create(sim: &Sim, engine: &Engine, plan: &Plan, created: RunCreated) {
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
