//! The engine: what a host holds on to.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use foldhash::HashMap;
use futures::future::FutureExt as _;
use jiff::Timestamp;
use tracing::{Instrument as _, warn};
use uuid::Uuid;
use workflow_core::bundle::BundleHash;
use workflow_core::catalog::Catalog;
use workflow_core::definition::{self, Defaults};
use workflow_core::event::{Event, EventBody, RunCreated};
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::machine::{RunView, Secrets, State};
use workflow_core::plan::Plan;
use workflow_core::provider::Provider;
use workflow_core::status::{RunStatus, WaitReason};
use workflow_core::stop::Stop;
use workflow_core::store::{Control, Lease, NewRun, RunFilter, RunRecord, RunStore, StoreError, Watching};

use crate::active::{Active, Entered};
use crate::builder::EngineBuilder;
use crate::driver::{self, Driven};
use crate::error::EngineError;
use crate::handle::RunHandle;
use crate::heartbeat::{self, Heartbeat};
use crate::key::RunKey;
use crate::limits::Limits;
use crate::panics::{self, ask_catalog, caught};
use crate::parked::Parked;
use crate::runtime::{Spawn, Timer};
use crate::sinks::Sinks;
use crate::start::{StartRun, What};
use crate::steady::Steady;
use crate::worker::WorkOptions;

/// Reads a log in steps of so many events.
pub(crate) const PAGE: usize = 1_000;

/// Runs workflows. Cheap to clone; all clones are one engine. The example of the
/// [crate](crate) shows one at work.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub store: Arc<dyn RunStore>,
    pub catalog: Option<Arc<dyn Catalog>>,
    pub providers: HashMap<Arc<str>, Arc<dyn Provider>>,
    pub defaults: Defaults,
    pub sinks: Sinks,
    pub secrets: Arc<dyn Secrets>,
    pub limits: Arc<Limits>,
    pub clock: Arc<Steady>,
    pub timer: Arc<dyn Timer>,
    pub spawn: Option<Arc<dyn Spawn>>,
    pub stop_grace: Duration,
    pub store_patience: Duration,
    pub max_output: usize,
    pub run_key: Option<RunKey>,
    pub active: Arc<Active>,
    pub heartbeat: Heartbeat,
    pub parked: Parked,
    pub plans: Mutex<HashMap<BundleHash, Weak<Plan>>>,
    pub _watching: Watching,
}

impl Engine {
    /// An engine to be put together.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Creates a run and drives it in the caller's own future until it rests: until it has ended,
    /// or waits for somebody. Where it waits for a time, so does this, and the run is not held meanwhile. Starting with the id of a run that exists goes on with that run.
    ///
    /// Dropping the future stops the run's calls; the run can be taken up again with
    /// [`Engine::drive`].
    ///
    /// # Errors
    ///
    /// [`EngineError`]; once the run was created, [`EngineError::Store`] and
    /// [`EngineError::Broken`] leave it to be taken up again. [`EngineError::ShutDown`] after a shutdown.
    pub async fn run(&self, start: StartRun) -> Result<RunView, EngineError> {
        let (run, claimed) = self.accept(start).await?;
        match claimed {
            Some((hold, plan, state)) => {
                let view = panics::while_driving(run, self.drive_on(hold, plan, state)).await?;
                if view.wait.is_none() { Ok(view) } else { self.wait_and_drive(view).boxed().await }
            }
            // Rare, and larger than all that a run needs.
            None => self.drive(&run).boxed().await,
        }
    }

    /// Creates a run and drives it in the background, through the engine's spawner. An error that ends the driver
    /// is what [`RunHandle::wait`] returns.
    ///
    /// # Errors
    ///
    /// [`EngineError::NoSpawner`]; [`EngineError::Panicked`] for the spawner, when the run was created and is
    /// not driven; otherwise as [`Engine::create`].
    pub async fn start(&self, start: StartRun) -> Result<RunHandle, EngineError> {
        let spawn = self.shared.spawn.clone().ok_or(EngineError::NoSpawner)?;
        let (run, claimed) = self.accept(start).await?;
        if let Some((hold, plan, state)) = claimed {
            let (engine, run) = (self.clone(), run.clone());
            let driving = async move {
                let driven = panics::while_driving(run.clone(), engine.drive_on(hold, plan, state)).await;
                engine.park(&run, driven);
            };
            // The span of the run has the caller's as its parent.
            panics::spawn(&*spawn, driving.in_current_span().boxed())?;
        }
        Ok(self.handle(&run))
    }

    /// Creates a run that nobody drives yet.
    ///
    /// Dropping the future leaves either no run or one that is complete.
    ///
    /// # Errors
    ///
    /// [`EngineError::Invalid`] for the definition; [`EngineError::OtherInputs`] when there is a run
    /// of that id with other inputs; [`EngineError::Store`]; [`EngineError::ShutDown`] after a shutdown.
    pub async fn create(&self, start: StartRun) -> Result<RunHandle, EngineError> {
        let (run, claimed) = self.accept(start).await?;
        if let Some((hold, ..)) = claimed {
            hold.release().await?;
        }
        Ok(self.handle(&run))
    }

    /// Takes a run up and drives it in the caller's own future until it rests. A run that rests
    /// already is left as it is. Dropping the future stops the run's calls.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`] when a living driver has the run, here or elsewhere;
    /// [`StoreError::NotFound`]; [`EngineError::Broken`]; [`EngineError::NotReclaimed`];
    /// [`EngineError::ShutDown`] after a shutdown.
    pub async fn drive(&self, run: &RunId) -> Result<RunView, EngineError> {
        self.check_not_shut_down()?;
        let hold = self.shared.claim(run).await?;
        let view = self.take_up(hold).await?;
        if view.wait.is_none() { Ok(view) } else { self.wait_and_drive(view).boxed().await }
    }

    pub(crate) async fn take_up(&self, hold: Hold) -> Result<RunView, EngineError> {
        let run = hold.run().clone();
        let driving = async move {
            let (plan, state) = self.read(&hold).await.map_err(|error| hold.failed(error))?;
            self.drive_on(hold, plan, state).await
        };
        panics::while_driving(run, driving).await
    }

    /// Reads the run that is held, as soon as the store can be read.
    async fn read(&self, hold: &Hold) -> Result<(Arc<Plan>, Box<State>), EngineError> {
        let shared = &self.shared;
        let read = || async {
            let state =
                shared.fold_with(hold.run(), |events| shared.check_signatures(hold.run(), events)).await?;
            let plan = shared.plan_of(&state).await?;
            shared.check_bundle(hold.run(), state.bundle(), plan.bundle())?;
            if let Some(options) = &hold.selected_by {
                self.check_is_selected(options, &plan, &state).await?;
            }
            Ok::<_, EngineError>((plan, state))
        };
        let read = shared.patiently("reading the run", || read().boxed());
        heartbeat::beating(shared, read).await
    }

    /// The runs that have not ended, do not wait for anybody — those that wait for a time do not — and are
    /// driven by no living driver: after a crash, those to take up again with [`Engine::drive`].
    ///
    /// # Errors
    ///
    /// [`EngineError::Store`].
    pub async fn unfinished(&self) -> Result<Vec<RunRecord>, EngineError> {
        let mut filter = RunFilter::all();
        filter.statuses = vec![RunStatus::Pending, RunStatus::Running, RunStatus::Paused];
        let mut runs = self.shared.store.list(&filter).await?;
        let goes_on = |run: &RunRecord| {
            run.head.status != RunStatus::Paused
                || run.head.wait.as_ref().is_some_and(|wait| wait.until.is_some())
        };
        runs.retain(|run| run.holder.is_none() && goes_on(run));
        Ok(runs)
    }

    /// An id for a new run, of which the later ones sort behind the earlier ones. A host that needs to know the id
    /// before the run exists hands it to [`StartRun::run_id`].
    ///
    /// # Errors
    ///
    /// [`EngineError::BadId`]; it does not happen.
    pub fn new_run_id(&self) -> Result<RunId, EngineError> {
        run_id(new_uuid(self.shared.clock.now()))
    }

    /// A handle of a run, whether it exists or not.
    pub fn handle(&self, run: &RunId) -> RunHandle {
        RunHandle { engine: self.clone(), run: run.clone() }
    }

    /// The limits per provider, to take places for work of the host's own.
    pub fn limits(&self) -> &Arc<Limits> {
        &self.shared.limits
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn RunStore> {
        &self.shared.store
    }

    /// Deletes a workflow from the catalog, unless runs that have not ended use it.
    ///
    /// # Errors
    ///
    /// [`EngineError::InUse`] with the runs; [`EngineError::NoCatalog`]; [`EngineError::Catalog`].
    pub async fn delete_workflow(&self, workflow: &WorkflowId) -> Result<(), EngineError> {
        let catalog = self.shared.catalog.as_ref().ok_or_else(|| EngineError::NoCatalog(workflow.clone()))?;
        let mut filter = RunFilter::unfinished();
        filter.workflow = Some(workflow.clone());
        let runs = self.shared.store.list(&filter).await?;
        if !runs.is_empty() {
            let runs = runs.into_iter().map(|run| run.run_id).collect();
            return Err(EngineError::InUse { workflow: workflow.clone(), runs });
        }
        ask_catalog(catalog.delete(workflow)).await
    }

    /// Stops every call of every run that is driven here, and leaves the runs to be taken up again.
    /// Waits until nothing is driven here any more; a second call with [`Stop::AtOnce`] hurries.
    ///
    /// The engine starts and drives no run afterwards: [`run`](Engine::run), [`start`](Engine::start),
    /// [`create`](Engine::create), [`drive`](Engine::drive), [`fork`](Engine::fork) and
    /// [`migrate`](Engine::migrate) return [`EngineError::ShutDown`], [`RunHandle::wait`] returns, and the streams of
    /// [`RunHandle::events`] and [`RunHandle::output`] end. Runs can still be looked at, and sent control requests.
    pub async fn shutdown(&self, how: Stop) {
        self.shared.active.shut_down(how.max(Stop::Gracefully));
        loop {
            let idle = self.shared.active.idle.listen();
            if self.shared.active.is_empty() {
                return;
            }
            idle.await;
        }
    }

    pub(crate) fn check_not_shut_down(&self) -> Result<(), EngineError> {
        if self.shared.active.stopping() > Stop::None { Err(EngineError::ShutDown) } else { Ok(()) }
    }

    /// Creates the run, or finds the one that was created with the same id and inputs.
    async fn accept(
        &self,
        start: StartRun,
    ) -> Result<(RunId, Option<(Hold, Arc<Plan>, Box<State>)>), EngineError> {
        self.check_not_shut_down()?;
        let plan = match (start.what, &start.provider) {
            (What::Plan(plan), None) => plan,
            (What::Plan(plan), Some(provider)) => self.plan_with(plan.bundle(), provider)?,
            (What::Id(id), provider) => self.load_with(&id, provider.as_deref()).await?,
        };
        let wrong = plan.check_variables(&start.vars);
        if !wrong.is_empty() {
            return Err(EngineError::Variables(wrong));
        }
        self.shared.check_secrets(&plan)?;
        let vars = start.vars.iter().map(|(name, value)| (format!("the variable `{name}`"), value));
        self.shared.secret_in(&plan, vars)?;
        let chosen = start.run_id.is_some();
        let (id, seed) = identity(start.run_id, self.shared.clock.now())?;
        let created = RunCreated {
            run: id.clone(),
            workflow: plan.workflow().id.clone(),
            bundle: plan.hash().clone(),
            vars: start.vars,
            on_failure: start.on_failure,
            interactive: start.interactive,
            isolated: start.isolated,
            seed,
            signature: None,
        };
        let body = EventBody::RunCreated(Arc::new(created));
        let mut events = vec![Event { seq: 1, at: self.shared.clock.now(), body }];
        self.shared.sign(&id, &mut events);
        let event = events[0].clone();
        let state = first_state(&id, &event)?;
        let new = NewRun { id: id.clone(), bundle: plan.bundle().clone(), events, head: state.head() };
        match self.shared.create(new).await {
            Ok(hold) => {
                self.shared.sinks.events(&id, &[event]);
                Ok((id, hold.map(|hold| (hold, plan, state))))
            }
            Err(StoreError::Exists(_)) if chosen => {
                self.same_inputs(&id, &state).await?;
                Ok((id, None))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn same_inputs(&self, run: &RunId, wanted: &State) -> Result<(), EngineError> {
        let first = self.shared.store.events(run, 0, 1).await?;
        let there = match first.first().map(|event| &event.body) {
            Some(EventBody::RunCreated(there)) => there.clone(),
            _ => return Err(StoreError::NotFound(format!("run `{run}`")).into()),
        };
        let (seed, signature) = (there.seed, there.signature.clone());
        let wanted = RunCreated { seed, signature, ..RunCreated::clone(wanted.created()) };
        if *there == wanted { Ok(()) } else { Err(EngineError::OtherInputs(run.clone())) }
    }

    async fn drive_on(
        &self,
        mut hold: Hold,
        mut plan: Arc<Plan>,
        mut state: Box<State>,
    ) -> Result<RunView, EngineError> {
        loop {
            let driven = driver::drive(&self.shared, &hold, plan, state).await;
            state = match driven.map_err(|error| hold.failed(error))? {
                Driven::Rested(state) => state,
                Driven::Again => {
                    let read = self.read(&hold).boxed().await;
                    (plan, state) = read.map_err(|error| hold.failed(error))?;
                    continue;
                }
            };
            // What was driven is stored, and a lease that cannot be given back is given back by the store later.
            if let Err(error) = hold.give_back().await {
                warn!(run = %hold.run(), %error, "the run could not be released");
            }
            if hold.entered.inbox.shutdown() > Stop::None {
                break;
            }
            let claimed = self.claim_if_asked(hold.run(), &state).await;
            let Some(again) = claimed.map_err(|error| hold.failed(error))? else { break };
            // Another driver may have had the run in between.
            let selected_by = hold.selected_by.take();
            hold = again;
            hold.selected_by = selected_by;
            let read = self.read(&hold).boxed().await;
            (plan, state) = read.map_err(|error| hold.failed(error))?;
        }
        Ok((*state).into())
    }

    /// Carries out the control requests of a run that no process drives, begins nothing before that is stored, and
    /// gives the run back; a run that can continue then does so in the background, where there is a spawner.
    pub(crate) async fn carry_out(&self, mut hold: Hold) -> Result<(), EngineError> {
        loop {
            let run = hold.run().clone();
            hold.entered.inbox.shut_down(Stop::Gracefully);
            let view = self.take_up(hold).await?;
            let waits = view.status == RunStatus::Paused && view.wait.is_none_or(|wait| wait.until.is_none());
            if view.status.is_terminal() {
                return Ok(());
            }
            if !waits {
                if self.shared.spawn.is_some() && self.check_not_shut_down().is_ok() {
                    match self.shared.claim(&run).await {
                        Ok(hold) => self.drive_in_background(hold),
                        // Another process was quicker.
                        Err(StoreError::Held { .. } | StoreError::NotFound(_)) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                return Ok(());
            }
            // Whoever sent a request meanwhile relied on this.
            let state = self.shared.fold(&run).await?;
            let Some(again) = self.claim_if_asked(&run, &state).await? else { return Ok(()) };
            hold = again;
        }
    }

    /// Whoever asked for something while the run was held relied on its driver. So, after the
    /// lease was given back, the driver looks once more.
    async fn claim_if_asked(&self, run: &RunId, state: &State) -> Result<Option<Hold>, EngineError> {
        if state.status().is_terminal() {
            return Ok(None);
        }
        if !self.is_asked(state).await? {
            return Ok(None);
        }
        match self.shared.claim(run).await {
            Ok(hold) => Ok(Some(hold)),
            // Whoever holds it now has the controls too.
            Err(StoreError::Held { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether something was asked of a run that rests and that has not been taken in.
    pub(crate) async fn is_asked(&self, state: &State) -> Result<bool, EngineError> {
        let (shared, run) = (&self.shared, &state.created().run);
        let read = || shared.store.controls(run, state.last_control());
        let controls = shared.patiently("reading controls", read).await?;
        // What changes nothing is obeyed by no event, so it would be found again and again.
        let wait = state.wait();
        let is_paused = wait.as_ref().is_some_and(|wait| wait.reason == WaitReason::Pause);
        let can_resume = wait.is_some_and(|wait| wait.is_resumed());
        Ok(controls.iter().any(|record| match record.control {
            Control::Pause => !is_paused,
            Control::Resume => can_resume,
            _ => true,
        }))
    }
}

impl Shared {
    /// The plan that a run goes on with.
    pub(crate) async fn plan_of(&self, state: &State) -> Result<Arc<Plan>, EngineError> {
        match state.migrated() {
            Some(bundle) => Ok(self.remember(Arc::new(Plan::compile(bundle.clone())?))),
            None => self.plan(state.bundle()).await,
        }
    }

    /// The plan of a bundle: one that is in use, or compiled anew.
    pub(crate) async fn plan(&self, hash: &BundleHash) -> Result<Arc<Plan>, EngineError> {
        let known =
            self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(hash).and_then(Weak::upgrade);
        if let Some(plan) = known {
            return Ok(plan);
        }
        let bundle = self.store.bundle(hash).await?;
        Ok(self.remember(Arc::new(Plan::compile(bundle)?)))
    }

    pub(crate) fn remember(&self, plan: Arc<Plan>) -> Arc<Plan> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = plans.get(plan.hash()).and_then(Weak::upgrade) {
            return known;
        }
        plans.retain(|_, plan| plan.strong_count() > 0);
        plans.insert(plan.hash().clone(), Arc::downgrade(&plan));
        plan
    }

    pub(crate) fn unknown_provider(&self, name: &str) -> String {
        let mut known: Vec<_> = self.providers.keys().map(|name| &**name).collect();
        known.sort_unstable();
        let suggestion = definition::did_you_mean(name, known.iter().copied());
        let name: String = name.chars().take(80).collect();
        format!("no provider is registered as `{name}`{suggestion} (registered: {})", known.join(", "))
    }
}

pub(crate) fn first_state(run: &RunId, event: &Event) -> Result<Box<State>, EngineError> {
    State::first(event).map(Box::new).map_err(|source| EngineError::Broken { run: run.clone(), source })
}

/// The id of a new run, and its seed.
pub(crate) fn identity(chosen: Option<RunId>, now: Timestamp) -> Result<(RunId, u64), EngineError> {
    let uuid = new_uuid(now);
    let (_, random) = uuid.as_u64_pair();
    let id = match chosen {
        Some(id) => id,
        None => run_id(uuid)?,
    };
    Ok((id, random))
}

fn run_id(uuid: Uuid) -> Result<RunId, EngineError> {
    Ok(RunId::new(uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()))?)
}

/// An id that sorts by the time at which it was made. A clock that was never set may show a time before 1970, which
/// such an id cannot hold.
fn new_uuid(now: Timestamp) -> Uuid {
    if now < Timestamp::UNIX_EPOCH {
        return Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 0, 0));
    }
    Uuid::now_v7()
}

/// A run that is driven here. When it is dropped, its lease is given back, and then the run is no
/// longer registered.
pub(crate) struct Hold {
    shared: Arc<Shared>,
    run: RunId,
    /// That of the newest lease.
    epoch: AtomicU64,
    deaths: u32,
    /// Whether another driver had the run between two of the leases.
    taken: AtomicBool,
    held: bool,
    entered: Entered,
    /// What says whether it is driven, where a worker has it.
    pub(crate) selected_by: Option<Arc<WorkOptions>>,
}

impl Hold {
    /// Registers a run whose lease was just taken as driven here, unless it is.
    pub(crate) fn new(shared: &Arc<Shared>, lease: Lease) -> Option<Self> {
        let (entered, lease) = shared.active.enter(lease)?;
        let Lease { run, epoch, deaths, .. } = lease;
        let (epoch, taken) = (AtomicU64::new(epoch), AtomicBool::new(false));
        let shared = shared.clone();
        Some(Self { shared, run, epoch, deaths, taken, held: true, entered, selected_by: None })
    }

    /// How many drivers of the run have died in a row, when it was claimed.
    pub(crate) fn deaths(&self) -> u32 {
        self.deaths
    }

    pub(crate) fn lease(&self) -> Lease {
        Lease { run: self.run.clone(), epoch: self.epoch.load(Ordering::Acquire), previous: 0, deaths: 0 }
    }

    pub(crate) fn run(&self) -> &RunId {
        &self.run
    }

    pub(crate) fn entered(&self) -> &Entered {
        &self.entered
    }

    /// The run was claimed again.
    pub(crate) fn renew(&self, lease: &Lease) {
        let before = self.epoch.swap(lease.epoch, Ordering::AcqRel);
        if lease.previous != before {
            self.taken.store(true, Ordering::Release);
        }
    }

    /// Whether another driver may have had the run since this was last asked.
    pub(crate) fn was_taken(&self) -> bool {
        self.taken.swap(false, Ordering::AcqRel)
    }

    /// Records the error that ends the driver, for whoever waits for the run.
    fn failed(&self, error: impl Into<EngineError>) -> EngineError {
        let error = error.into();
        self.shared.active.driver_failed(&self.run, error.clone());
        error
    }

    /// Gives the lease back, and stays registered.
    async fn give_back(&mut self) -> Result<(), StoreError> {
        self.held = false;
        self.give_back_offered();
        self.shared.store.release(self.lease()).await
    }

    /// Gives the lease back.
    pub(crate) async fn release(mut self) -> Result<(), StoreError> {
        self.give_back().await
    }

    fn give_back_offered(&self) {
        if let Some(lease) = self.entered.inbox.end_driving() {
            // A store submits a release on the first poll, and carries it out by itself.
            let _ = self.shared.store.release(lease).now_or_never();
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let what = format!("driving run `{}`", self.run);
            let message = "the panic's text is where this program's panics are reported".to_owned();
            self.failed(EngineError::Panicked { what, message });
        }
        if self.held {
            self.give_back_offered();
            let _ = caught(|| self.shared.store.release(self.lease()).now_or_never());
        }
    }
}
