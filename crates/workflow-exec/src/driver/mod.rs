//! The driver of one run: collect what happened, decide, store, act.

mod bounds;
mod call;
mod collect;
mod lease;
mod output;
mod spans;
mod store;
mod underway;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use foldhash::HashSet;
use futures::future::{BoxFuture, FutureExt as _, select};
use jiff::Timestamp;
use tracing::{Instrument as _, Span, debug};
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::ids::NodePath;
use workflow_core::machine::{self, Broken, Decision, Effect, Input, State};
use workflow_core::plan::Plan;
use workflow_core::provider::{CallId, ProviderError};
use workflow_core::stop::Stop;
use workflow_core::store::{ControlRecord, Lease, StoreError};

use self::call::{Admission, Call, Ended, Patience};
use self::lease::{Log, Watch};
use self::output::{CallIo, RunIo};
use self::underway::{Arrival, Underway};
use crate::active::{Entered, SessionNote, UsageNote};
use crate::engine::{Hold, Shared};
use crate::error::EngineError;
use crate::heartbeat;
use crate::redact::Remembering;

/// At most so much of what has come goes into one decision.
const BATCH: usize = 256;

/// How a driver left its run.
pub(crate) enum Driven {
    /// It rests.
    Rested(Box<State>),
    /// It is held still, and goes on from what is in its log: calls were stopped for fear of another driver, or there
    /// was one.
    Again,
}

/// Why a driver does not go on.
enum Ending {
    Failed(EngineError),
    /// Others have written to the log.
    Changed,
}

impl From<EngineError> for Ending {
    fn from(error: EngineError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for Ending {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// Drives a run that is held until it rests: until it has ended, waits for somebody, or the engine shuts down.
///
/// Dropping the future stops the calls, as dropping their futures does, and leaves the run to be
/// taken up again.
pub(crate) fn drive<'e>(
    engine: &'e Shared,
    hold: &'e Hold,
    plan: Arc<Plan>,
    state: Box<State>,
) -> impl Future<Output = Result<Driven, EngineError>> + Send + 'e {
    let span = spans::run(hold.run(), &state.created().workflow);
    let entered = hold.entered();
    let io =
        RunIo::new(engine.clock.clone(), engine.timer.clone(), entered.inbox.clone(), state.last_event());
    let mut driver = Driver {
        engine,
        entered,
        hold,
        lease: hold.lease(),
        plan,
        state,
        io: Arc::new(io),
        decision: Decision::new(),
        effects: Vec::new(),
        underway: Underway::default(),
        watch: Watch::new(engine, &entered.inbox),
        waiting: HashSet::default(),
        controls: Vec::new(),
        last_control: 0,
        last_output: 0,
        flushing: None,
        has_last_words: false,
        run_span: span.clone(),
        stage: Span::none(),
        decided: Duration::ZERO,
    };
    if let Some((iteration, stage)) = driver.state.stage_and_iteration() {
        driver.stage = spans::stage(&span, iteration, stage);
    }
    // A block and not an `async fn`: that would keep a second place for each argument.
    async move {
        if heartbeat::beating(engine, driver.run_and_leave()).await? {
            Ok(Driven::Again)
        } else {
            Ok(Driven::Rested(driver.state))
        }
    }
    .instrument(span)
}

struct Driver<'e> {
    engine: &'e Shared,
    entered: &'e Entered,
    hold: &'e Hold,
    lease: Lease,
    plan: Arc<Plan>,
    state: Box<State>,
    io: Arc<RunIo>,
    decision: Decision,
    /// Effects of the decision that are carried out once its events are stored; those that call a
    /// provider with what the call begins with.
    effects: Vec<(Effect, Option<Admission<'e>>)>,
    underway: Underway<'e>,
    watch: Watch<'e>,
    /// Nodes that wait for a place, so that each waits once.
    waiting: HashSet<NodePath>,
    /// Controls that were read and have not been decided on.
    controls: Vec<ControlRecord>,
    last_control: u64,
    /// The number of the last output entry of former drivers.
    last_output: u64,
    flushing: Option<BoxFuture<'e, ()>>,
    /// A call has ended since the last append: its output is stored before its end is.
    has_last_words: bool,
    run_span: Span,
    stage: Span,
    /// When the last decision was made, by the clock that is not set.
    decided: Duration,
}

impl<'e> Driver<'e> {
    /// Tells whether the run is to be driven on from its log.
    async fn run_and_leave(&mut self) -> Result<bool, EngineError> {
        let driven = self.run().await;
        self.leave(driven.is_ok()).await;
        match driven {
            Ok(()) => Ok(self.watch.halted),
            Err(Ending::Changed) => Ok(true),
            Err(Ending::Failed(error)) => Err(error),
        }
    }

    async fn run(&mut self) -> Result<(), Ending> {
        let engine = self.engine;
        let run = self.hold.run();
        let last_output = engine.patiently("reading", || engine.store.last_output(run)).await?;
        self.io.go_on_after(last_output);
        self.last_output = last_output;
        // A driver that is about to stop makes no call and can do without one of them, but what it decides on is
        // redacted too: answers of processes that know no secrets.
        let known = engine.know_secrets(&self.plan, &self.state, &self.io.secrets);
        if self.entered.inbox.shutdown() == Stop::None {
            known?;
        }
        let heard = if self.reclaim().await? { self.last_heard().await? } else { None };
        self.read_controls().await?;
        let controls = std::mem::take(&mut self.controls);
        self.decide(Input::TakenUp { controls, heard })?;
        self.commit().await?;
        loop {
            if self.entered.inbox.is_lost() && self.regain(false).await? == Log::Changed {
                return Err(Ending::Changed);
            }
            self.watch.stop(&mut self.underway);
            let idle = self.underway.calls().is_empty() && !self.underway.has_arrivals();
            if idle && (self.state.rests() || self.watch.stopping() > Stop::None) {
                return Ok(());
            }
            self.wait().await;
            let notes = self.entered.inbox.take_sessions();
            if self.entered.inbox.take_controls() {
                self.read_controls().await?;
            }
            self.take_in(&notes)?;
            self.commit().await?;
            for note in notes {
                // Nobody waits for it any more when the call has ended meanwhile.
                let _ = note.done.send(());
            }
        }
    }

    /// Sees to it that nothing is left of the calls of a former driver. Tells whether there were any.
    ///
    /// The log may have been read while another driver had the run: by a process that was suspended between claiming
    /// the run and reading it, for example. What that driver's calls have started is not to be stopped. So the store is
    /// asked first whether the lease is good and the log is still what was read.
    async fn reclaim(&mut self) -> Result<bool, Ending> {
        let mut any = false;
        for effect in machine::pending(&self.plan, &self.state) {
            let Effect::Reclaim { path, attempt, provider } = effect else { continue };
            if !any {
                self.append().await?;
            }
            let created = self.state.created();
            let call = CallId { run: created.run.clone(), seed: created.seed, path: path.clone(), attempt };
            debug!(%path, attempt, "reclaiming an interrupted call");
            let reclaimed = match self.engine.providers.get(&provider) {
                Some(provider) => call::reclaim(&**provider, &call).await,
                None => Err(ProviderError::permanent(self.engine.unknown_provider(&provider))),
            };
            reclaimed.map_err(|error| EngineError::NotReclaimed {
                run: self.lease.run.clone(),
                path: path.to_string(),
                message: self.io.secrets.text(error.to_string()),
            })?;
            any = true;
        }
        Ok(any)
    }

    /// When a call of a former driver last said something.
    async fn last_heard(&mut self) -> Result<Option<Timestamp>, EngineError> {
        let Some(before) = self.last_output.checked_sub(1) else { return Ok(None) };
        let (engine, run) = (self.engine, self.hold.run());
        let last = engine.patiently("reading", || engine.store.output(run, before, 1)).await?;
        Ok(last.first().map(|entry| entry.at))
    }

    /// Waits until there is something to decide or to act on.
    async fn wait(&mut self) {
        poll_fn(|cx| {
            self.underway.poll(cx, BATCH);
            let mut news = self.underway.has_arrivals() || !self.controls.is_empty();
            // Who does not wait need not be woken.
            news = news || self.entered.inbox.poll_news(cx).is_ready();
            self.flush();
            if let Some(flushing) = &mut self.flushing
                && flushing.poll_unpin(cx).is_ready()
            {
                self.flushing = None;
                news = true;
            }
            if news {
                return Poll::Ready(());
            }
            self.rest();
            Poll::Pending
        })
        .await;
    }

    /// Gives back the memory that decisions need: a run waits for longer than it decides.
    fn rest(&mut self) {
        self.underway.rest();
        self.decision = Decision::new();
        self.effects = Vec::new();
    }

    /// Decides on everything that has come.
    fn take_in(&mut self, notes: &[SessionNote]) -> Result<(), EngineError> {
        for note in notes {
            let (path, session) = (note.path.clone(), note.session.clone());
            self.decide(Input::Session { path, attempt: note.attempt, session })?;
        }
        for UsageNote { path, attempt, usage } in self.entered.inbox.take_usages() {
            self.decide(Input::Used { path, attempt, usage })?;
        }
        while let Some(arrival) = self.underway.take() {
            self.take_arrival(arrival)?;
        }
        for control in std::mem::take(&mut self.controls) {
            self.decide(Input::Control(control))?;
        }
        Ok(())
    }

    fn take_arrival(&mut self, arrival: Arrival<'e>) -> Result<(), EngineError> {
        match arrival {
            Arrival::Ended(Ended { path, attempt, result, began, span }) => {
                self.io.finish(&path, attempt);
                self.has_last_words = true;
                let moment = self.engine.clock.both();
                let before = self.decision.events.len();
                let input = if result.is_err() && self.watch.stopping() > Stop::None {
                    Input::Interrupted { path, attempt }
                } else {
                    let result = bounds::check(result, self.engine.max_output);
                    Input::Finished { path, attempt, result, took: Some(moment.1.saturating_sub(began)) }
                };
                self.decide_all(moment, (input, None))?;
                spans::ended(&span, self.decision.events.get(before..).unwrap_or_default());
                Ok(())
            }
            Arrival::Place(path, provider, admission) => {
                self.waiting.remove(&path);
                // A driver that is about to stop begins nothing.
                if self.watch.stopping() > Stop::None {
                    return Ok(());
                }
                let granted = (Input::Granted { path, provider }, Some(admission));
                self.decide_all(self.engine.clock.both(), granted)
            }
            Arrival::Due(path) => self.decide(Input::Due { path }),
            Arrival::Collected(path, outcome) => self.decide(Input::Collected { path, result: outcome? }),
            // Dropped as soon as it came.
            Arrival::Overdue(..) => Ok(()),
        }
    }

    fn decide(&mut self, input: Input) -> Result<(), EngineError> {
        self.decide_all(self.engine.clock.both(), (input, None))
    }

    /// Lets the machine decide, and answers its questions for places on the way.
    fn decide_all(
        &mut self,
        (now, decided): (Timestamp, Duration),
        first: (Input, Option<Admission<'e>>),
    ) -> Result<(), EngineError> {
        self.decided = decided;
        let mut next = Some(first);
        let mut later = VecDeque::new();
        while let Some((input, mut admission)) = next.take().or_else(|| later.pop_front()) {
            machine::decide(&self.plan, &mut self.state, input, now, &mut self.decision)
                .map_err(|source| self.broken(source))?;
            let mut effects = std::mem::take(&mut self.decision.effects);
            for effect in effects.drain(..) {
                match effect {
                    Effect::Acquire { path, provider } => match self.answer(path, provider) {
                        // Nearly always the only one, for which a queue would be made in vain.
                        answer if next.is_none() && later.is_empty() => next = answer,
                        answer => later.extend(answer),
                    },
                    Effect::Call { .. } => self.effects.push((effect, admission.take())),
                    effect => self.effects.push((effect, None)),
                }
            }
            self.decision.effects = effects;
            // A place that the machine did not want is given back here.
        }
        Ok(())
    }

    fn answer(&mut self, path: NodePath, name: Arc<str>) -> Option<(Input, Option<Admission<'e>>)> {
        if self.watch.stopping() > Stop::None || self.waiting.contains(&path) {
            return None;
        }
        let engine = self.engine;
        let Some(provider) = engine.providers.get(&name) else {
            let failure = Failure::new(FailureClass::Permanent, engine.unknown_provider(&name));
            return Some((Input::Refused { path, failure }, None));
        };
        if let Some(place) = engine.limits.try_acquire(&name) {
            return Some((Input::Granted { path, provider: name }, Some(Admission { provider, place })));
        }
        let turn = engine.limits.acquire(&name);
        self.waiting.insert(path.clone());
        let (node, queued) = (path.clone(), name.clone());
        let granted = turn.map(move |place| Arrival::Place(node, queued, Admission { provider, place }));
        self.underway.expect(granted);
        Some((Input::Queued { path, provider: name }, None))
    }

    /// Stores what was decided, shows it, and acts on it.
    async fn commit(&mut self) -> Result<(), Ending> {
        if !self.decision.events.is_empty() {
            if std::mem::take(&mut self.has_last_words) {
                self.store_last_words().await;
            }
            self.append().await?;
            self.io.stored(self.state.last_event());
            self.engine.sinks.events(&self.lease.run, &self.decision.events);
            for event in &self.decision.events {
                spans::stored(&self.run_span, &mut self.stage, event);
            }
            self.entered.inbox.changed.notify(usize::MAX);
            self.decision.clear();
        }
        let mut effects = std::mem::take(&mut self.effects);
        for (effect, admission) in effects.drain(..) {
            self.carry_out(effect, admission);
        }
        self.effects = effects;
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect, admission: Option<Admission<'e>>) {
        match effect {
            Effect::Call { path, attempt, provider } => self.call(path, attempt, &provider, admission),
            Effect::Stop { path, how } => self.stop(&path, how),
            Effect::Timer { path, at } => {
                let left = at.duration_since(self.engine.clock.now());
                let sleep = self.engine.timer.sleep(Duration::try_from(left).unwrap_or_default());
                self.underway.expect(sleep.map(move |()| Arrival::Due(path)));
            }
            Effect::Collect { path, ended } => {
                let (engine, run) = (self.engine, self.hold.run());
                self.underway.expect(async move {
                    let outputs = collect::outputs(engine, run, &ended).await;
                    Arrival::Collected(path, outputs)
                });
            }
            // Reclaimed before the run was taken up; places are answered while deciding.
            Effect::Reclaim { .. } | Effect::Acquire { .. } => {}
        }
    }

    fn call(&mut self, path: NodePath, attempt: u32, name: &str, admission: Option<Admission<'e>>) {
        // The machine calls for nothing but what was granted.
        let Some(admission) = admission else { return };
        let (secrets, known) = (&*self.engine.secrets, &self.io.secrets);
        let secrets = Remembering { secrets, known, problem: OnceLock::new() };
        let mut call = machine::request(&self.plan, &self.state, &path, attempt, name, &secrets);
        if let Ok(ready) = &mut call
            && let Err(failure) = call::fit(&mut ready.request, admission.provider)
        {
            call = Err(failure);
        }
        let call = match call {
            Ok(call) => call,
            Err(mut failure) => {
                if let Some(problem) = secrets.problem.get() {
                    failure = Failure::new(FailureClass::Permanent, problem);
                }
                if let Some(redactor) = known.redactor() {
                    redactor.failure(&mut failure);
                }
                let error = ProviderError { failure: Box::new(failure), ..ProviderError::permanent("") };
                let (began, span) = (self.decided, spans::node(&self.stage, &path, attempt, name));
                let ended = Ended { path, attempt, result: Err(error), began, span };
                self.underway.arrive(Arrival::Ended(ended));
                return;
            }
        };
        let machine::Call { request, timeout, over_budget, idle_timeout } = call;
        let patience = Patience { timeout, over_budget, idle_timeout, timer: &*self.engine.timer };
        let span = spans::node(&self.stage, &path, attempt, name);
        let grace = call::needs_grace(admission.provider).then_some(self.engine.stop_grace);
        let io = Arc::new(CallIo::new(self.io.clone(), attempt, grace));
        let call = Call::begin(request, admission, io.clone(), patience, (self.decided, span));
        self.underway.call(path, io, call);
    }

    fn stop(&mut self, path: &NodePath, how: Stop) {
        self.underway.stop(path, how, Duration::MAX, &*self.engine.timer);
    }

    /// Ends what goes on: on the way out, whether the run rests or could not be driven on.
    async fn leave(&mut self, well: bool) {
        if !well {
            let (grace, timer) = (self.watch.grace(), &*self.engine.timer);
            self.underway.stop_all(self.watch.stopping().max(Stop::Gracefully), grace, timer);
            select(Box::pin(self.underway.end()), timer.sleep(grace)).await;
        }
        self.flush_last().await;
    }

    fn broken(&self, source: Broken) -> EngineError {
        EngineError::Broken { run: self.lease.run.clone(), source }
    }
}
