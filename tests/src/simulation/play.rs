//! Plays a plot from start to end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use workflow_core::actor::Actor;
use workflow_core::data::Data;
use workflow_core::event::{Event, EventBody, RunCreated};
use workflow_core::ids::{NodePath, RunId};
use workflow_core::machine::State;
use workflow_core::output::OutputEntry;
use workflow_core::priority::Priority;
use workflow_core::status::{RunStatus, WaitReason};
use workflow_core::stop::Stop;
use workflow_core::store::{
    Control, MemoryStore, NewRun, RunRecord, RunSlot, RunStore, SlotMode, StoreError,
};
use workflow_exec::{
    Clock as _, ControlOutcome, ControlRefusal, Engine, EngineError, Limits, Timer as _, WorkOptions,
};

use super::counts::Counts;
use super::disk::{Condition, Disk};
use super::fork::{self, ForkSetup};
use super::journal::{Journal, LEASE, Told};
use super::link::{Link, Sky, Weather};
use super::person::Person;
use super::planted::{Defect, Planted, Registry};
use super::plot::{EngineSetup, Plot, RunSetup, What};
use super::process::Process;
use super::provider::{Answering, Prompts};
use super::rude::Rude;
use super::warnings::Warnings;
use super::witness::Witness;
use crate::reference::case::Case;
use crate::reference::play::PROVIDERS;
use crate::scenario;
use crate::sim::Sim;

/// A run without new events for this long, while there are no faults any more, is stuck.
const PATIENCE: Duration = Duration::from_secs(600);

/// The longest pause between two looks of a person, in milliseconds.
const LOOKS: u64 = 5_000;

/// The result of a plot.
pub struct Played {
    /// The runs as they are stored.
    pub stored: BTreeMap<RunId, (RunRecord, Vec<Event>)>,
    /// The runs as the store reported them.
    pub told: BTreeMap<RunId, Told>,
    /// The prompts of providers.
    pub prompts: HashMap<RunId, HashMap<(NodePath, u32), String>>,
    /// The calls that panicked.
    pub panicked: BTreeSet<(RunId, NodePath, u32)>,
    /// The stored output of calls.
    pub output: BTreeMap<RunId, Vec<OutputEntry>>,
    /// How many lines they output.
    pub said: BTreeMap<RunId, u64>,
    /// The violations so far.
    pub violations: Vec<String>,
    /// The counts of events.
    pub counts: Counts,
}

/// Plays a plot on a store with or without a defect.
///
/// # Panics
///
/// If a workflow cannot be run, or the engine panics.
pub fn play(plot: &Plot, defect: Option<Defect>) -> Played {
    let world = World::new(plot, defect);
    let warnings = Warnings::of(&world.journal);
    tracing::subscriber::with_default(warnings, || world.sim.clone().block_on(world.play()))
}

/// The world of a plot.
struct World<'p> {
    plot: &'p Plot,
    sim: Sim,
    store: MemoryStore,
    /// How far the store's clock is ahead, in milliseconds.
    ahead: Arc<AtomicI64>,
    disk: Disk,
    registry: Registry,
    defect: Option<Defect>,
    journal: Journal,
    cases: Arc<BTreeMap<RunId, Arc<Case>>>,
    prompts: Prompts,
    machines: Vec<Machine<'p>>,
    processes: u64,
    person: Person,
}

/// The machine of an engine, which outlives its processes.
struct Machine<'p> {
    setup: &'p EngineSetup,
    sky: Sky,
    /// The error of its clock, in milliseconds.
    off: Arc<AtomicI64>,
    host: Option<(Process, Engine)>,
    /// How many reasons to be down it has had: it starts again when the last one is over.
    downs: u64,
    /// How often its process was frozen.
    freezes: u64,
}

/// A scheduled action.
#[derive(Clone)]
enum Due<'p> {
    Create(&'p RunSetup),
    Happen(usize, What),
    Up(usize, u64),
    Thaw(usize, u64),
    /// A person looks at waiting runs.
    Look,
    /// No action: the end of a fault that the world waits for.
    Over,
}

fn id(number: u64) -> RunId {
    RunId::new(format!("r{number}")).unwrap()
}

impl<'p> World<'p> {
    fn new(plot: &'p Plot, defect: Option<Defect>) -> Self {
        let sim = Sim::seeded(plot.seed);
        let ahead = Arc::new(AtomicI64::new(0));
        let (world, by) = (sim.clone(), ahead.clone());
        let clock = Arc::new(move || world.now() + SignedDuration::from_millis(by.load(Ordering::SeqCst)));
        let store = MemoryStore::with_leases(LEASE, {
            let clock = clock.clone();
            move || clock()
        });
        let cases = plot.runs.iter().map(|run| (run.id(), Arc::new(run.case.clone())));
        let machines = plot.engines.iter().map(|setup| Machine {
            setup,
            sky: Sky::default(),
            off: Arc::default(),
            host: None,
            downs: 0,
            freezes: 0,
        });
        let journal = Journal::new(clock, plot.leases_are_kept());
        Self {
            plot,
            disk: Disk::new(&sim, &journal, defect),
            sim,
            store,
            ahead,
            registry: Registry::default(),
            defect,
            journal,
            cases: Arc::new(cases.collect()),
            prompts: Prompts::default(),
            machines: machines.collect(),
            processes: 0,
            person: Person::new(plot.seed),
        }
    }

    async fn play(mut self) -> Played {
        let start = self.sim.now();
        for number in 0..self.machines.len() {
            self.start(number);
        }
        // In the order of their times, and of the plot for equal times.
        let mut dues = BTreeMap::new();
        for run in &self.plot.runs {
            dues.insert((run.at, dues.len() as u64), Due::Create(run));
        }
        for happening in self.plot.happenings.iter().filter(|it| it.engine < self.machines.len()) {
            dues.insert(
                (happening.at, dues.len() as u64),
                Due::Happen(happening.engine, happening.what.clone()),
            );
        }
        dues.insert((self.person.chance.next() % LOOKS, dues.len() as u64), Due::Look);
        let mut last = dues.len() as u64;
        while let Some(((at, _), due)) = dues.pop_first() {
            let elapsed = u64::try_from(self.sim.now().duration_since(start).as_millis()).unwrap_or(0);
            self.sim.sleep_ms(at.saturating_sub(elapsed)).await;
            if matches!(due, Due::Look) {
                self.answer().await;
                if !dues.is_empty() {
                    last += 1;
                    dues.insert((at + self.person.chance.next() % LOOKS, last), Due::Look);
                }
                continue;
            }
            if let Some((later, due)) = self.carry_out(due) {
                last += 1;
                dues.insert((at + later, last), due);
            }
        }
        self.heal();
        // Earlier requests, including the creation of runs, get through.
        self.sim.sleep(LEASE).await;
        self.until_all_have_ended().await;
        // Pending writes are completed.
        self.sim.sleep(LEASE * 2).await;
        self.end().await
    }

    /// A person looks at waiting runs, and sends control requests through some engine.
    async fn answer(&mut self) {
        if self.machines.is_empty() {
            return;
        }
        let runs: Vec<_> = self.journal.entries().runs.keys().cloned().collect();
        for run in &runs {
            let Some(case) = fork::case(&self.cases, &self.journal.entries().runs, run) else { continue };
            let Ok(record) = self.store.get(run).await else { continue };
            let waits = if record.head.status == RunStatus::Paused {
                let state = State::fold(&scenario::events(&self.store, run).await);
                state.map(|state| state.waits()).unwrap_or_default()
            } else {
                Vec::new()
            };
            for control in self.person.says(run, &case, &waits) {
                let machine = self.person.chance.below(self.machines.len());
                self.control(machine, run.clone(), control);
            }
        }
    }

    /// Starts a new process with an engine in worker mode.
    fn start(&mut self, number: usize) {
        self.processes += 1;
        let machine = &self.machines[number];
        let process = Process::new(&self.sim, self.processes, &machine.off);
        let store = self.store.another_process();
        let chances = (self.plot.seed, process.number());
        let planted = Planted::beside(store, self.defect, &self.registry, &self.disk, chances);
        let witness = Witness::new(planted, &self.journal, process.number(), &self.disk);
        let chances = (self.plot.seed, self.plot.late_hints);
        let link =
            Link::new(witness, &self.sim, &process, (&machine.sky, &self.disk), &self.journal, chances);
        let provider = Answering {
            sim: self.sim.clone(),
            process: process.clone(),
            cases: self.cases.clone(),
            journal: self.journal.clone(),
            prompts: self.prompts.clone(),
            is_near: !self.plot.seed.is_multiple_of(4),
        };
        let places = machine.setup.places;
        let limited = PROVIDERS.iter().filter(|_| places > 0);
        let limits = limited.fold(Limits::new(), |limits, name| limits.limit(*name, places));
        let builder = Engine::builder().store(link).limits(limits).stop_grace(Duration::from_secs(2));
        let builder = builder.clock(process.clone()).timer(process.clone()).spawner(process.clone());
        let builder = builder.sink(Rude::new(&self.journal, self.plot.seed.wrapping_add(process.number())));
        let builder =
            PROVIDERS.iter().fold(builder, |builder, name| builder.provider(*name, provider.clone()));
        let engine = builder.build().unwrap();
        let mut options = WorkOptions::default();
        options.runs = machine.setup.runs;
        options.longest_pause = Duration::from_secs(20);
        let (worker, journal, number_of_it) = (engine.clone(), self.journal.clone(), process.number());
        process.go(async move {
            if let Err(error) = worker.work(options).await {
                journal.entries().violated(format!("the worker of process {number_of_it} gave up: {error}"));
            }
        });
        self.machines[number].host = Some((process, engine));
    }

    fn stop(&mut self, number: usize) -> u64 {
        let machine = &mut self.machines[number];
        if let Some((process, _)) = machine.host.take() {
            process.kill();
        }
        machine.downs += 1;
        machine.downs
    }

    /// Executes an action, and returns a later one that follows from it.
    fn carry_out(&mut self, due: Due<'p>) -> Option<(u64, Due<'p>)> {
        match due {
            Due::Create(run) => self.create(run),
            Due::Happen(number, what) => return self.happen(number, what),
            Due::Up(number, down) if self.machines[number].downs == down => {
                self.stop(number);
                self.start(number);
            }
            Due::Thaw(number, freeze) if self.machines[number].freezes == freeze => {
                self.freeze(number, false);
            }
            Due::Up(..) | Due::Thaw(..) | Due::Look | Due::Over => {}
        }
        None
    }

    fn happen(&mut self, number: usize, what: What) -> Option<(u64, Due<'p>)> {
        let mut journal = self.journal.entries();
        let counts = &mut journal.counts;
        match what {
            What::Crash { .. } => counts.crashes += 1,
            What::Shutdown { .. } => counts.shutdowns += 1,
            What::Freeze { .. } => counts.freezes += 1,
            What::Refused { .. } | What::Silence { .. } => counts.partitions += 1,
            What::Clock { .. } | What::StoreClock { .. } => counts.clocks += 1,
            What::Slow { .. }
            | What::Flaky { .. }
            | What::Full { .. }
            | What::Locked { .. }
            | What::Control { .. }
            | What::Fork(_) => {}
        }
        drop(journal);
        match what {
            What::Crash { down } => return Some((down, Due::Up(number, self.stop(number)))),
            What::Shutdown { down } => {
                let machine = &mut self.machines[number];
                let (process, engine) = machine.host.clone()?;
                process.go(async move { engine.shutdown(Stop::Gracefully).await });
                machine.downs += 1;
                return Some((down, Due::Up(number, machine.downs)));
            }
            What::Freeze { lasts } => {
                self.machines[number].freezes += 1;
                self.freeze(number, true);
                return Some((lasts, Due::Thaw(number, self.machines[number].freezes)));
            }
            What::Refused { lasts } => return Some(self.weather(number, Weather::Refused, lasts)),
            What::Silence { lasts } => return Some(self.weather(number, Weather::Silence, lasts)),
            What::Slow { most, lasts } => return Some(self.weather(number, Weather::Slow(most), lasts)),
            What::Flaky { percent, lasts } => {
                return Some(self.weather(number, Weather::Flaky(percent), lasts));
            }
            What::Clock { by } => drop(self.machines[number].off.fetch_add(by, Ordering::SeqCst)),
            What::Full { lasts } => return Some(self.unwritable(Condition::Full, lasts)),
            What::Locked { lasts } => return Some(self.unwritable(Condition::Locked, lasts)),
            What::StoreClock { by } => self.set_store_clock(by),
            What::Control { run, control } => self.control(number, id(run), control),
            What::Fork(fork) => self.fork(number, &fork),
        }
        None
    }

    fn freeze(&self, number: usize, frozen: bool) {
        if let Some((process, _)) = &self.machines[number].host {
            process.freeze(frozen);
        }
    }

    fn weather(&self, number: usize, weather: Weather, lasts: u64) -> (u64, Due<'p>) {
        self.machines[number].sky.set(weather, self.sim.now() + Duration::from_millis(lasts));
        (lasts, Due::Over)
    }

    fn unwritable(&self, condition: Condition, lasts: u64) -> (u64, Due<'p>) {
        self.disk.set(condition, self.sim.now() + Duration::from_millis(lasts));
        (lasts, Due::Over)
    }

    fn set_store_clock(&self, by: i64) {
        if by < 0 {
            // Leases that have expired by now are lost; a store that is asked later could not tell.
            let runs: Vec<_> = self.journal.entries().runs.keys().cloned().collect();
            for run in runs {
                let _ = self.store.get(&run).now_or_never();
            }
            self.journal.entries().clock_goes_back();
        }
        self.ahead.fetch_add(by, Ordering::SeqCst);
    }

    /// A host sends a control request to a run, until it is delivered.
    fn control(&self, number: usize, run: RunId, control: Control) {
        let Some((process, engine)) = self.machines[number].host.clone() else { return };
        let (sim, journal) = (self.sim.clone(), self.journal.clone());
        let wait = if let Control::Answer(answer) = &control { Some(answer.wait) } else { None };
        let is_silent = self.defect == Some(Defect::HidesRefusals);
        // Some hosts know who asks, and others do not.
        let request = if number.is_multiple_of(2) {
            control.by(Actor::new(format!("host-{number}")).via("simulation"))
        } else {
            control.into()
        };
        process.go(async move {
            loop {
                let outcome = engine.handle(&run).control(request.clone()).await;
                let refusal = outcome.as_ref().ok().and_then(ControlOutcome::refusal);
                let hidden = is_silent && refusal == Some(ControlRefusal::AlreadyAnswered);
                if let Some(wait) = wait.filter(|_| hidden || matches!(outcome, Ok(ControlOutcome::Done(_))))
                {
                    journal.entries().told_taken(&run, wait);
                }
                match outcome {
                    Err(EngineError::Store(StoreError::Io { .. })) => sim.sleep_ms(500).await,
                    // If the run ends meanwhile, the request is recorded as refused.
                    Ok(outcome) if outcome.refusal() == Some(ControlRefusal::Ended) => {
                        let _ = engine.store().request(&run, request).await;
                        return;
                    }
                    _ => return,
                }
            }
        });
    }

    /// A host forks a run, until it gets the response that it did.
    fn fork(&self, number: usize, fork: &ForkSetup) {
        let Some((process, engine)) = self.machines[number].host.clone() else { return };
        let Some(fork) = fork.of(&self.journal.entries().runs) else { return };
        let (sim, journal) = (self.sim.clone(), self.journal.clone());
        process.go(async move {
            loop {
                match engine.fork(fork.clone()).await {
                    // The second result follows if the first response was lost.
                    Ok(_) | Err(EngineError::OtherInputs(_) | EngineError::ShutDown) => return,
                    // The new output lacks a part that later stages have read.
                    Err(EngineError::NoSuchPoint { what, .. }) if what.contains("does not fit") => return,
                    Err(EngineError::Store(StoreError::Io { .. })) => sim.sleep_ms(500).await,
                    Err(error) => return journal.entries().violated(format!("{fork:?}: {error}")),
                }
            }
        });
    }

    /// A host creates a run, and drives it if requested; if the host is down, another one does.
    fn create(&self, run: &RunSetup) {
        let machine = self.machines.get(run.engine).filter(|machine| machine.host.is_some());
        let machine = machine.or_else(|| self.machines.iter().find(|machine| machine.host.is_some()));
        let Some((process, engine)) = machine.and_then(|machine| machine.host.clone()) else { return };
        let (new, sim, driven) = (new_run(run, process.now()), self.sim.clone(), run.driven);
        process.go(async move {
            let id = new.id.clone();
            let lease = loop {
                match engine.store().create(new.clone()).await {
                    Ok(lease) => break Some(lease),
                    Err(StoreError::Io { .. }) => sim.sleep_ms(500).await,
                    Err(_) => break None,
                }
            };
            if let Some(lease) = lease {
                // If that fails the store releases it later.
                let _ = engine.store().release(lease).await;
            }
            if driven {
                // Whatever interrupts it, workers continue the run.
                let _ = engine.drive(&id).await;
            }
        });
    }

    /// Ends all faults.
    fn heal(&mut self) {
        for number in 0..self.machines.len() {
            self.disk.set(Condition::Fine, Timestamp::MAX);
            self.machines[number].sky.set(Weather::Fair, Timestamp::MAX);
            self.freeze(number, false);
            if self.machines[number].host.is_none() {
                self.start(number);
            }
        }
    }

    /// Waits until every run has ended, and resumes those that are paused.
    async fn until_all_have_ended(&mut self) {
        let mut last = self.sim.now();
        loop {
            self.sim.sleep_ms(1_000).await;
            let ahead = SignedDuration::from_millis(self.ahead.load(Ordering::SeqCst));
            let mut open = Vec::new();
            for (run, told) in &self.journal.entries().runs {
                if told.events.last().is_some_and(|event| event.body.is_terminal()) {
                    continue;
                }
                last = last.max(told.last - ahead);
                open.push(run.clone());
            }
            if open.is_empty() || self.machines.is_empty() {
                return;
            }
            if self.sim.now().duration_since(last).unsigned_abs() > PATIENCE {
                return self.stuck(&open).await;
            }
            self.answer().await;
            for run in open {
                let wait = self.store.get(&run).await.ok().and_then(|run| run.head.wait);
                if wait.is_some_and(|wait| wait.reason == WaitReason::Pause) {
                    self.control(0, run, Control::Resume);
                }
            }
        }
    }

    async fn stuck(&self, open: &[RunId]) {
        for run in open {
            let record = self.store.get(run).await;
            let events = scenario::events(&self.store, run).await;
            let newest = events.iter().rev().take(4).rev().map(|event| format!("\n  {:?}", event.body));
            let what = match record {
                Ok(record) => format!("{:?}, held by {:?}", record.head.status, record.holder),
                Err(error) => error.to_string(),
            };
            let newest: String = newest.collect();
            self.journal.entries().violated(format!("run {run} is stuck: {what}; its last events:{newest}"));
        }
    }

    /// Ends the world, and collects the result.
    async fn end(mut self) -> Played {
        for machine in &mut self.machines {
            if let Some((process, _)) = machine.host.take() {
                process.kill();
            }
        }
        self.sim.drop_tasks();
        let panicked = std::mem::take(&mut self.journal.entries().panicked);
        let said = std::mem::take(&mut self.journal.entries().said);
        let (told, violations, counts) = self.journal.close();
        let (mut stored, mut output) = (BTreeMap::new(), BTreeMap::new());
        for run in told.keys() {
            output.insert(run.clone(), self.store.output(run, 0, usize::MAX).await.unwrap());
            let record = self.store.get(run).await.unwrap();
            stored.insert(run.clone(), (record, scenario::events(&self.store, run).await));
        }
        let prompts = std::mem::take(&mut *self.prompts.lock().unwrap());
        Played { stored, told, prompts, panicked, output, said, violations, counts }
    }
}

/// A new run with a fixed seed: everything about it is the same each time.
fn new_run(setup: &RunSetup, now: Timestamp) -> NewRun {
    let plan = setup.case.plan().unwrap();
    let id = setup.id();
    let vars = setup.case.vars.iter().map(|(name, value)| (name.clone(), Data::new(value))).collect();
    let created = RunCreated {
        run: id.clone(),
        vars: plan.start_variables(vars),
        labels: BTreeMap::new(),
        on_failure: setup.case.on_failure,
        interactive: setup.case.interactive,
        max_iters: None,
        isolated: false,
        slot: setup.key.map(|key| Arc::new(RunSlot { key: format!("key-{key}"), mode: SlotMode::Queue })),
        priority: Priority::NORMAL,
        parent: None,
        budget: None,
        seed: setup.case.seed,
        by: None,
        signature: None,
        ..scenario::created(&plan)
    };
    let event = Event { seq: 1, at: now, body: EventBody::RunCreated(Arc::new(created)) };
    let head = State::first(&event).unwrap().head();
    NewRun { id, bundle: plan.bundle().clone(), events: vec![event], head }
}
