//! The outcome of a run when the engine drives it.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::{Either, join, select};
use workflow_core::data::Data;
use workflow_core::event::{Event, EventBody, RunCreated};
use workflow_core::ids::{NodePath, RunId};
use workflow_core::plan::Plan;
use workflow_core::priority::Priority;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply};
use workflow_core::status::{RunStatus, WaitReason};
use workflow_core::stop::Stop;
use workflow_core::store::{Control, MemoryStore, RunStore};
use workflow_core::view::RunView;
use workflow_exec::{Clock, Engine, EngineError};

use super::answers::{self, answer, usage};
use super::case::Case;
use super::chance::Chance;
use crate::faulty::{Fault, Faulty};
use crate::scenario;
use crate::sim::Sim;

/// A run that has ended, and the prompts of its providers.
pub struct Played {
    /// The log.
    pub events: Vec<Event>,
    /// The run.
    pub view: RunView,
    /// The prompt of each attempt that called a provider.
    pub prompts: HashMap<(NodePath, u32), String>,
}

/// The names of the registered providers.
pub(crate) const PROVIDERS: [&str; 3] = ["ann", "bob", "cid"];

/// More hosts than ever die.
const HOSTS: usize = 100;

/// Runs a case to its end.
///
/// # Panics
///
/// If the run makes no progress.
pub fn play(case: &Case, plan: &Plan) -> Played {
    let (sim, memory) = (Sim::seeded(case.seed), MemoryStore::new());
    let provider = Answering {
        case: Arc::new(case.clone()),
        sim: sim.clone(),
        memory: memory.clone(),
        prompts: Arc::default(),
    };
    let run = RunId::new("run").unwrap();
    let vars = case.vars.iter().map(|(name, value)| (name.clone(), Data::new(value))).collect();
    let created = RunCreated {
        run: run.clone(),
        vars: plan.start_variables(vars),
        labels: BTreeMap::new(),
        on_failure: case.on_failure,
        interactive: case.interactive,
        max_iters: None,
        isolated: false,
        slot: None,
        priority: Priority::NORMAL,
        parent: None,
        budget: None,
        seed: case.seed,
        by: None,
        signature: None,
        ..scenario::created(plan)
    };
    let asked = AtomicUsize::new(0);
    sim.block_on(scenario::create(&sim, &provider.engine(memory.clone()), plan, created));
    for host in 0..HOSTS {
        let death = case.deaths.get(host).copied();
        let store = Faulty::new(&memory.reopen(), move |append| match death {
            Some(death) if append == death / 2 + 1 => {
                if death % 2 == 0 {
                    Fault::DieBefore
                } else {
                    Fault::DieAfter
                }
            }
            _ => Fault::None,
        });
        let engine = provider.engine(store.clone());
        let view = sim.block_on(async {
            match select(Box::pin(drive(case, &sim, &engine, &run, &asked)), Box::pin(store.death())).await {
                Either::Left((view, _)) => Some(view.unwrap()),
                Either::Right(_) => None,
            }
        });
        sim.drop_tasks();
        if let Some(view) = view.filter(|view| view.status.is_terminal()) {
            let events = sim.block_on(scenario::events(&memory, &run));
            let prompts = std::mem::take(&mut *provider.prompts.lock().unwrap());
            return Played { events, view, prompts };
        }
    }
    panic!("the run makes no progress");
}

/// Drives the run until it stops, and pauses and resumes it meanwhile.
async fn drive(
    case: &Case,
    sim: &Sim,
    engine: &Engine,
    run: &RunId,
    asked: &AtomicUsize,
) -> Result<RunView, EngineError> {
    let handle = engine.handle(run);
    let start = handle.view().await?.created_at;
    if Chance::of(case.seed, "early signals").percent(20) {
        let early = answers::signal(answers::SIGNALS[0]).id("early").unwrap();
        for _ in 0..2 {
            engine.store().request(run, Control::Signal(early.clone().into()).into()).await?;
        }
    }
    let asking = async {
        loop {
            let number = asked.load(Ordering::SeqCst);
            let Some(at) = case.pauses.get(number) else { return Ok::<_, EngineError>(()) };
            let elapsed = sim.now().as_millisecond() - start.as_millisecond();
            sim.sleep_ms(at.saturating_sub(u64::try_from(elapsed).unwrap())).await;
            let _ = handle
                .control(if number.is_multiple_of(2) { Control::Pause } else { Control::Resume })
                .await?;
            asked.store(number + 1, Ordering::SeqCst);
        }
    };
    let (driven, asked) = join(engine.drive(run), asking).await;
    driven?;
    asked?;
    let mut view = handle.wait().await?;
    while view.status == RunStatus::Paused {
        if view.wait.is_some_and(|wait| wait.reason == WaitReason::Pause) {
            let _ = handle.control(Control::Resume).await?;
        }
        for wait in view.waits.iter().filter(|wait| wait.number.is_some()) {
            let _ = handle.answer(wait.number.unwrap(), answers::person(case, wait)).await?;
        }
        for signal in view.waits.iter().filter_map(answers::signal_for) {
            let _ = handle.signal(signal).await?;
        }
        view = handle.wait().await?;
    }
    Ok(view)
}

/// A provider with the answers of the case.
#[derive(Clone)]
struct Answering {
    case: Arc<Case>,
    sim: Sim,
    memory: MemoryStore,
    prompts: Arc<Mutex<HashMap<(NodePath, u32), String>>>,
}

impl Answering {
    fn engine(&self, store: impl RunStore + 'static) -> Engine {
        let sim = &self.sim;
        let builder = Engine::builder().store(store);
        let builder = builder.clock(sim.clone()).timer(sim.clone()).spawner(sim.clone());
        PROVIDERS.iter().fold(builder, |builder, name| builder.provider(*name, self.clone())).build().unwrap()
    }

    /// How many earlier attempts had an answer that was stored. An answer that was lost with a host is given
    /// again.
    async fn before(&self, request: &CallRequest) -> u32 {
        if self.case.deaths.is_empty() {
            return request.id.attempt - 1;
        }
        let events = scenario::events(&self.memory, &request.id.run).await;
        request.id.attempt - 1 - interruptions(&events, &request.id.path)
    }
}

/// How many attempts of the node at `path` were interrupted by a death.
pub(crate) fn interruptions(events: &[Event], path: &NodePath) -> u32 {
    let is_one =
        |event: &&Event| matches!(&event.body, EventBody::AttemptInterrupted { path: of, .. } if of == path);
    u32::try_from(events.iter().filter(is_one).count()).unwrap()
}

#[async_trait]
impl Provider for Answering {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let key = (request.id.path.clone(), request.id.attempt);
        self.prompts.lock().unwrap().insert(key, request.prompt.clone());
        let (path, attempt) = (&request.id.path, request.id.attempt);
        let work = self.sim.sleep_ms(answers::delay(&self.case, path, attempt));
        if let Either::Right(_) = select(work, Box::pin(context.stop().wait(Stop::Gracefully))).await {
            return Err(ProviderError::cancelled());
        }
        let before = self.before(&request).await;
        answers::result(answer(&self.case, path, before), usage(&self.case, path, before), self.sim.now())
    }
}
