//! Forks: new runs that continue from a point of an old one. A rerun is one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexSet;
use workflow_core::bundle::{Bundle, ProviderMap};
use workflow_core::data::Data;
use workflow_core::event::{Event, EventBody, RunCreated, RunForked};
use workflow_core::ids::{NodePath, RunId, StageId};
use workflow_core::machine::{self, State};
use workflow_core::plan::Plan;
use workflow_core::runs::{EngineError, Fork, ForkPoint};
use workflow_core::status::RunStatus;
use workflow_core::store::{NewRun, RunHead, StoreError};

use crate::engine::Engine;
use crate::engine::handle::RunHandle;
use crate::engine::identity::identity;
use crate::engine::migrate::obstacles;
use crate::engine::slot::replaces;
use crate::log::PAGE;

impl Engine {
    /// Creates a new run that continues from a point of an old one, which is not changed and may still be
    /// under way. The new run is not driven yet.
    ///
    /// Attempts that were under way at that point count as not begun, and agents begin new sessions. The
    /// usage of the old run until then is shown, but not charged to the new one.
    ///
    /// Dropping the future leaves either no run or one that is complete.
    ///
    /// # Errors
    ///
    /// [`EngineError::NoSuchPoint`] when the old run has no such stage, node or event;
    /// [`EngineError::CannotMigrate`] when the run cannot continue with the other definition from there;
    /// [`EngineError::OtherInputs`] when a run with the chosen id exists; [`StoreError::NotFound`] and others
    /// of the store; [`EngineError::ShutDown`] after a shutdown.
    pub async fn fork(&self, fork: Fork) -> Result<RunHandle, EngineError> {
        self.check_not_shut_down()?;
        let events = self.log(&fork.from).await?;
        self.shared.check_signatures(&fork.from, &events)?;
        // Only for the check: the fork takes over a part of them.
        State::fold(&events).map_err(|source| EngineError::Broken { run: fork.from.clone(), source })?;
        let cut = cut(&events, &fork)?;
        let (id, seed) = identity(fork.run_id.clone(), self.shared.clock.now())?;
        let mut events_of_fork = taken_over(&events[..cut], &id, seed);
        let (mut started, old_seed) = match events.first().map(|event| &event.body) {
            Some(EventBody::RunCreated(created)) => (created.bundle.clone(), created.seed),
            _ => return Err(StoreError::NotFound(format!("run `{}`", fork.from)).into()),
        };
        let mut bundle = self.shared.store.bundle(&started).await?;
        self.shared.check_bundle(&fork.from, &started, &bundle)?;
        let mut replaced = None;
        if !fork.providers.is_empty() {
            let plan = self.replace_providers(&mut events_of_fork, &bundle, &fork.providers).await?;
            (started, bundle) = (plan.hash().clone(), plan.bundle().clone());
            replaced = Some(plan);
        }
        let mut events = events_of_fork;
        let mut body = RunForked {
            from: fork.from.clone(),
            event: cut as u64,
            vars: fork.vars,
            outputs: fork.outputs,
            seed: Some(old_seed),
            worktree: last_worktree(&events),
            by: fork.by.clone(),
            signature: None,
        };
        let now = self.shared.clock.now();
        let broken = |source| EngineError::Broken { run: id.clone(), source };
        let before = State::fold(&events).map_err(broken)?;
        let forked = |body: &RunForked| {
            let seq = before.last_event() + 1;
            let event = Event { seq, at: now, body: EventBody::RunForked(Box::new(body.clone())) };
            let mut state = before.clone();
            state.apply(&event).map(|()| (event, state))
        };
        let (mut event, mut state) = forked(&body).map_err(broken)?;
        if !body.outputs.is_empty() || !body.vars.is_empty() {
            let plan = match &fork.definition {
                Some(plan) => plan.clone(),
                None => match replaced.filter(|_| state.migrated().is_none()) {
                    Some(plan) => plan,
                    None => self.shared.plan_of(&state).await?,
                },
            };
            let wrong = plan.check_edited(&body.vars);
            if !wrong.is_empty() {
                return Err(EngineError::Variables(wrong));
            }
            let vars = body.vars.iter().map(|(name, value)| (format!("the variable `{name}`"), value));
            let outputs =
                body.outputs.iter().map(|(stage, value)| (format!("the output of `{stage}`"), value));
            self.shared.secret_in(&plan, vars.chain(outputs))?;
            // The variables that the stage has written are those of its former output.
            for (stage, output) in &body.outputs {
                let set = machine::set_of_edited(&plan, &state, stage, output).map_err(|failure| {
                    let what = format!("the new output of `{stage}` does not fit: {failure}");
                    EngineError::NoSuchPoint { run: fork.from.clone(), what }
                })?;
                for (name, value) in set {
                    body.vars.entry(name).or_insert(value);
                }
            }
            (event, state) = forked(&body).map_err(broken)?;
        }
        events.push(event);
        if let Some(plan) = fork.definition {
            let old = self.shared.plan_of(&state).await?;
            // Providers that replace others continue to do so.
            let replaced = old.bundle().replaced();
            let plan = if plan.bundle().replaced() == replaced {
                plan
            } else {
                self.plan_with(plan.bundle(), &replaced, &self.provider_settings().await?)?
            };
            if plan.hash() != state.bundle() {
                let obstacles = obstacles(&state, old.bundle(), &plan);
                if !obstacles.is_empty() {
                    return Err(EngineError::CannotMigrate { run: fork.from, obstacles });
                }
                let (hash, bundle) = (plan.hash().clone(), plan.bundle().clone());
                let body = EventBody::RunMigrated { hash, bundle, signature: None, by: fork.by };
                let event = Event { seq: state.last_event() + 1, at: now, body };
                state.apply(&event).map_err(broken)?;
                events.push(event);
            }
        }
        // The bundle that a run begins with is kept beside it; one that it was moved to is in its event.
        let head = RunHead { bundle: started, ..state.head() };
        self.shared.sign(&id, &mut events);
        let shown = (!self.shared.sinks.is_empty()).then(|| events.clone());
        let new = NewRun { id: id.clone(), bundle, events, head };
        self.shared.settle().await?;
        match self.shared.create(new).await {
            Ok(hold) => {
                if let Some(shown) = shown {
                    self.shared.sinks.events(&id, &shown);
                }
                if let Some(hold) = hold {
                    let behind = hold.behind().filter(|_| replaces(&state)).cloned();
                    hold.release().await?;
                    if let Some(behind) = behind {
                        self.cancel_others(&behind, &state).await;
                    }
                }
            }
            Err(StoreError::Exists(_)) => return Err(EngineError::OtherInputs(id)),
            Err(error) => return Err(error.into()),
        }
        Ok(self.handle(&id))
    }

    /// Replaces providers in the bundles of a run, and returns the plan of the one that it was started with.
    async fn replace_providers(
        &self,
        events: &mut [Event],
        bundle: &Bundle,
        map: &ProviderMap,
    ) -> Result<Arc<Plan>, EngineError> {
        let settings = &self.provider_settings().await?;
        let newer = events.iter().filter_map(|event| match &event.body {
            EventBody::RunMigrated { bundle, .. } => Some(&**bundle),
            _ => None,
        });
        let bundles: Vec<_> = std::iter::once(bundle).chain(newer).flat_map(Bundle::all).collect();
        self.check_replaced_names(&bundles, map, settings)?;
        let started = self.plan_with(bundle, map, settings)?;
        for event in events {
            match &mut event.body {
                EventBody::RunCreated(created) => {
                    let bundle = started.hash().clone();
                    *created = Arc::new(RunCreated { bundle, ..RunCreated::clone(created) });
                }
                EventBody::RunMigrated { hash, bundle, .. } => {
                    let plan = self.plan_with(bundle, map, settings)?;
                    *hash = plan.hash().clone();
                    *bundle = plan.bundle().clone();
                }
                _ => {}
            }
        }
        Ok(started)
    }

    async fn log(&self, run: &RunId) -> Result<Vec<Event>, EngineError> {
        let mut events: Vec<Event> = Vec::new();
        loop {
            let after = events.last().map_or(0, |event| event.seq);
            let page = self.shared.store.events(run, after, PAGE).await?;
            let is_last = page.len() < PAGE;
            events.extend(page);
            if is_last {
                break;
            }
        }
        if events.is_empty() {
            return Err(StoreError::NotFound(format!("run `{run}`")).into());
        }
        Ok(events)
    }
}

/// The files report of the last call that changed files of the run.
fn last_worktree(events: &[Event]) -> Option<Data> {
    events.iter().rev().find_map(|event| {
        let details = match &event.body {
            EventBody::AttemptSucceeded { details, .. } => details.as_deref(),
            EventBody::AttemptFailed { error, .. } => error.details.as_ref(),
            _ => None,
        };
        details?.get("worktree").map(Data::new)
    })
}

/// How many of the events the fork takes over.
fn cut(events: &[Event], fork: &Fork) -> Result<usize, EngineError> {
    let none = |what: String| Err(EngineError::NoSuchPoint { run: fork.from.clone(), what });
    let at = match &fork.at {
        ForkPoint::Start => 1,
        ForkPoint::Failed => {
            // A failure of a stage of `finally` is not the one that the run failed with, unless it is the only one.
            let ends = events.iter().position(|event| match &event.body {
                EventBody::RunEnding(ending) => ending.status != RunStatus::Completed,
                _ => false,
            });
            let failed =
                events[..ends.unwrap_or(events.len())].iter().rev().find_map(|event| match &event.body {
                    EventBody::StageFailed { stage, .. } => Some(stage.clone()),
                    _ => None,
                });
            let Some(stage) = failed else {
                return none(format!("no stage of it has failed; choose one of {}", stages(events)));
            };
            return cut(events, &fork.clone().at(ForkPoint::Stage(stage)));
        }
        ForkPoint::Stage(stage) => {
            let starts = |event: &Event| match &event.body {
                EventBody::StageStarted { stage: started, .. }
                | EventBody::StageSkipped { stage: started, .. }
                | EventBody::StageAsked { stage: started, .. } => started == stage,
                _ => false,
            };
            let Some(last) = events.iter().rposition(starts) else {
                return none(format!("it has not reached a stage `{stage}`, only {}", stages(events)));
            };
            // The question before a stage belongs to the stage.
            match last.checked_sub(1).map(|before| &events[..=before]) {
                Some(before) => {
                    before.iter().rposition(|event| !belongs_to_asking(event, stage)).map_or(1, |n| n + 1)
                }
                None => 1,
            }
        }
        ForkPoint::Node(path) => match events.iter().position(|event| is_of(event, path)) {
            Some(first) => first,
            None => {
                return none(format!("it has no events of a node `{path}`, only of {}", nodes(events)));
            }
        },
        ForkPoint::Event(number) => {
            let number = usize::try_from(*number).unwrap_or(usize::MAX);
            if number == 0 || number > events.len() {
                return none(format!("its events have the numbers 1 to {}", events.len()));
            }
            number
        }
    };
    // What comes after a stage whose output is replaced is not taken over.
    let mut cut = at;
    for stage in fork.outputs.keys() {
        let ends = |event: &Event| match &event.body {
            EventBody::StageCompleted { stage: ended, .. } | EventBody::StageFailed { stage: ended, .. } => {
                ended == stage
            }
            _ => false,
        };
        let Some(end) = events[..at].iter().rposition(ends) else {
            let ended = listed(events[..at].iter().filter_map(|event| match &event.body {
                EventBody::StageCompleted { stage, .. } | EventBody::StageFailed { stage, .. } => {
                    Some(stage.to_string())
                }
                _ => None,
            }));
            return none(format!("the stage `{stage}` has not ended there, only {ended}"));
        };
        cut = cut.min(end + 1);
    }
    let ended = events[..cut].iter().any(|event| event.body.is_terminal());
    Ok(if ended { cut - 1 } else { cut })
}

/// The stages that a run has reached.
fn stages(events: &[Event]) -> String {
    listed(events.iter().filter_map(|event| match &event.body {
        EventBody::StageStarted { stage, .. }
        | EventBody::StageSkipped { stage, .. }
        | EventBody::StageAsked { stage, .. } => Some(stage.to_string()),
        _ => None,
    }))
}

/// Whether an event is of a node, or begins the first iteration of the loop that the node is.
fn is_of(event: &Event, path: &NodePath) -> bool {
    let begins = |of: &NodePath| of.items == [0] && of.parent().as_ref() == Some(path);
    match &event.body {
        EventBody::NodeStarted { path: of, items } if items.is_null() => of == path || begins(of),
        // Of an item for which a graph is run, the first event is one of its nodes.
        body => body.path().is_some_and(|of| of == path || of.owner().as_ref() == Some(path)),
    }
}

/// The nodes that have events.
fn nodes(events: &[Event]) -> String {
    listed(events.iter().filter_map(|event| event.body.path()).map(ToString::to_string))
}

/// Lists names for a message, each once, and only the first of many.
fn listed(names: impl Iterator<Item = String>) -> String {
    const MOST: usize = 20;
    let names: IndexSet<String> = names.collect();
    let mut listed: Vec<_> = names.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    if names.len() > MOST {
        listed.push(format!("{} more", names.len() - MOST));
    }
    if listed.is_empty() { "none".to_owned() } else { listed.join(", ") }
}

/// Whether an event belongs to the question before a stage that has not begun.
fn belongs_to_asking(event: &Event, stage: &StageId) -> bool {
    match &event.body {
        EventBody::StageAsked { stage: asked, .. } => asked == stage,
        EventBody::Answered { .. } | EventBody::RunWaiting { .. } | EventBody::RunContinued => true,
        _ => false,
    }
}

/// The events of a run that a fork takes over: without requests and waits, which concern the old run alone,
/// without sessions, and without attempts that had not ended, or ended because the run was to end.
fn taken_over(events: &[Event], run: &RunId, seed: u64) -> Vec<Event> {
    let mut open: HashMap<&NodePath, usize> = HashMap::new();
    let mut ended: HashMap<&NodePath, usize> = HashMap::new();
    let mut not_begun = HashSet::new();
    let mut cancelling = false;
    for (place, event) in events.iter().enumerate() {
        match &event.body {
            EventBody::CancelRequested { .. } => cancelling = true,
            // The stages of `finally` run although it was cancelled.
            EventBody::RunEnding(_) => cancelling = false,
            EventBody::AttemptStarted { path, .. } => {
                open.insert(path, place);
            }
            EventBody::ChildStarted(child) => {
                open.insert(&child.path, place);
            }
            EventBody::ChildEnded(child) => {
                ended.insert(&child.path, place);
            }
            // The old run no longer wants it, but the fork may. A failure may be a result of the stop, which
            // also prevented a retry.
            EventBody::AttemptFailed { path, .. } | EventBody::AttemptCancelled { path, .. }
                if cancelling =>
            {
                if let Some(start) = open.remove(path) {
                    not_begun.extend([start, place]);
                    not_begun.extend(ended.remove(path));
                }
            }
            EventBody::AttemptSucceeded { path, .. }
            | EventBody::AttemptFailed { path, .. }
            | EventBody::AttemptCancelled { path, .. }
            | EventBody::AttemptInterrupted { path, .. } => {
                open.remove(path);
                ended.remove(path);
            }
            _ => {}
        }
    }
    // The end of a run that a node has started comes before that of the attempt.
    not_begun.extend(open.keys().filter_map(|path| ended.get(path)));
    not_begun.extend(open.into_values());
    let mut numbers = HashMap::new();
    let mut taken = Vec::with_capacity(events.len());
    for (place, event) in events.iter().enumerate() {
        let is_own = matches!(
            event.body,
            EventBody::PauseRequested { .. }
                | EventBody::RunPaused
                | EventBody::RunResumed { .. }
                | EventBody::CancelRequested { .. }
                | EventBody::AnswerRefused { .. }
                | EventBody::RunWaiting { .. }
                | EventBody::RunContinued
                | EventBody::SessionRecorded { .. }
                | EventBody::SessionDropped { .. }
        );
        if is_own || event.body.is_terminal() || not_begun.contains(&place) {
            continue;
        }
        let mut event = event.clone();
        numbers.insert(event.seq, taken.len() as u64 + 1);
        event.seq = taken.len() as u64 + 1;
        match &mut event.body {
            EventBody::RunCreated(created) => {
                // What it is for the run that started the other one, it is not.
                let (parent, budget) = (None, None);
                let run = run.clone();
                *created = Arc::new(RunCreated { run, seed, parent, budget, ..RunCreated::clone(created) });
            }
            EventBody::SignalReceived { control, .. } => *control = 0,
            EventBody::Answered { control, wait, .. } => {
                // The control belongs to the old run; the numbers of the fork's controls begin at 1.
                *control = 0;
                *wait = numbers.get(wait).copied().unwrap_or_default();
            }
            _ => {}
        }
        taken.push(event);
    }
    taken
}
