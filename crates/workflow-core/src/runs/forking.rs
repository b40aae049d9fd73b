//! How a forked run begins: its first events, from the log of the old run. No store is needed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexSet;

use crate::bundle::{Bundle, BundleHash};
use crate::data::Data;
use crate::event::{Event, EventBody, RunCreated, RunForked};
use crate::ids::{NodePath, StageId};
use crate::machine::{self, State};
use crate::plan::Plan;
use crate::runs::begin::NewIdentity;
use crate::runs::{EngineError, Fork, ForkPoint, Migration};
use crate::status::RunStatus;
use crate::store::{NewRun, RunHead, StoreError};

/// A fork whose point was found in the log of the old run.
///
/// ```
/// use std::sync::Arc;
/// use workflow_core::bundle::{Bundle, BundleHash};
/// use workflow_core::event::Event;
/// use workflow_core::plan::Plan;
/// use workflow_core::runs::{EngineError, Fork, Forking, NewIdentity};
/// use workflow_core::store::NewRun;
///
/// /// Forks a run that is kept in a log of the caller's.
/// fn fork(
///     fork: Fork,
///     log: &[Event],
///     bundle: impl Fn(&BundleHash) -> Arc<Bundle>,
///     identity: NewIdentity,
/// ) -> Result<NewRun, EngineError> {
///     let forking = Forking::new(fork, log, identity)?;
///     let started = bundle(forking.started());
///     let load = |bundle: &Arc<Bundle>| Ok(Arc::new(Plan::load(bundle.clone())?));
///     let (run, _) = forking.finish(started, load, |_, _| Ok(()))?;
///     Ok(run)
/// }
/// ```
#[derive(Debug)]
pub struct Forking {
    fork: Fork,
    identity: NewIdentity,
    /// What is taken over.
    events: Vec<Event>,
    cut: usize,
    /// Of the old run.
    seed: u64,
    started: BundleHash,
    /// What the newest of the taken over events moved the run to.
    moved_to: Option<Arc<Bundle>>,
}

impl Forking {
    /// Takes over what the new run has of the old one, whose whole log is `log`.
    ///
    /// # Errors
    ///
    /// [`EngineError::NoSuchPoint`] when the old run has no such stage, node or event; [`EngineError::Broken`] for its
    /// log; [`StoreError::NotFound`] for an empty one.
    pub fn new(fork: Fork, log: &[Event], identity: NewIdentity) -> Result<Self, EngineError> {
        let Some(EventBody::RunCreated(created)) = log.first().map(|event| &event.body) else {
            return Err(StoreError::NotFound(format!("run `{}`", fork.from)).into());
        };
        // Only for the check: the fork takes over a part of them.
        State::fold(log).map_err(|source| EngineError::Broken { run: fork.from.clone(), source })?;
        let cut = cut(log, &fork)?;
        let events = taken_over(&log[..cut], &identity);
        let (seed, started) = (created.seed, created.bundle.clone());
        let mut forking = Self { fork, identity, events, cut, seed, started, moved_to: None };
        forking.moved_to = forking.later_bundles().last().cloned();
        Ok(forking)
    }

    /// The hash of the bundle that the new run begins with: [`finish`](Self::finish) needs that bundle.
    pub fn started(&self) -> &BundleHash {
        &self.started
    }

    /// The bundle that the run has at the point, where that is not the one that it was started with.
    pub fn moved_to(&self) -> Option<&Arc<Bundle>> {
        self.moved_to.as_ref()
    }

    /// What is forked, and how.
    pub fn fork(&self) -> &Fork {
        &self.fork
    }

    /// Continues with another definition than the [one of the fork](Fork::definition).
    pub fn set_definition(&mut self, plan: Arc<Plan>) {
        self.fork.definition = Some(plan);
    }

    /// The bundles that the run was moved to before the point.
    pub fn later_bundles(&self) -> impl Iterator<Item = &Arc<Bundle>> {
        self.events.iter().filter_map(|event| match &event.body {
            EventBody::RunMigrated { bundle, .. } => Some(bundle),
            _ => None,
        })
    }

    /// Replaces each bundle of the run: the one that it was started with, and those that it was moved to. Returns the
    /// new one for the first. For [`Fork::providers`].
    ///
    /// # Errors
    ///
    /// Those of `replace`.
    pub fn replace_bundles(
        &mut self,
        started: &Bundle,
        mut replace: impl FnMut(&Bundle) -> Result<Arc<Plan>, EngineError>,
    ) -> Result<Arc<Bundle>, EngineError> {
        let first = replace(started)?;
        for event in &mut self.events {
            match &mut event.body {
                EventBody::RunCreated(created) => {
                    let bundle = first.hash().clone();
                    *created = Arc::new(RunCreated { bundle, ..RunCreated::clone(created) });
                }
                EventBody::RunMigrated { hash, bundle, .. } => {
                    let plan = replace(bundle)?;
                    *hash = plan.hash().clone();
                    *bundle = plan.bundle().clone();
                    self.moved_to = Some(bundle.clone());
                }
                _ => {}
            }
        }
        self.started = first.hash().clone();
        Ok(first.bundle().clone())
    }

    /// The new run as it begins, and its state. Its events are not signed.
    ///
    /// `started` is the bundle with the hash [`started`](Self::started). `load` compiles a bundle of the old run. `check` is given
    /// the values that are edited, as variables and as outputs of stages, with their plan: it refuses those that must not be stored.
    ///
    /// # Errors
    ///
    /// [`EngineError::Variables`] and [`EngineError::NoSuchPoint`] for values that do not fit;
    /// [`EngineError::CannotMigrate`] when the run cannot continue with the other definition from there; those of `load` and
    /// `check`.
    pub fn finish(
        mut self,
        started: Arc<Bundle>,
        load: impl Fn(&Arc<Bundle>) -> Result<Arc<Plan>, EngineError>,
        check: impl FnOnce(&Plan, &Fork) -> Result<(), EngineError>,
    ) -> Result<(NewRun, Box<State>), EngineError> {
        let NewIdentity { id, at, .. } = self.identity.clone();
        let broken = |source| EngineError::Broken { run: id.clone(), source };
        let before = State::fold(&self.events).map_err(broken)?;
        let current = self.moved_to.as_ref().unwrap_or(&started);
        let mut body = RunForked {
            from: self.fork.from.clone(),
            event: self.cut as u64,
            vars: self.fork.vars.clone(),
            outputs: self.fork.outputs.clone(),
            seed: Some(self.seed),
            worktree: last_worktree(&self.events),
            by: self.fork.by.clone(),
            signature: None,
        };
        let forked = |body: &RunForked| {
            let seq = before.last_event() + 1;
            let event = Event { seq, at, body: EventBody::RunForked(Box::new(body.clone())) };
            let mut state = before.clone();
            state.apply(&event).map(|()| (event, state))
        };
        let (mut event, mut state) = forked(&body).map_err(broken)?;
        if !body.outputs.is_empty() || !body.vars.is_empty() {
            let plan = match &self.fork.definition {
                Some(plan) => plan.clone(),
                None => load(current)?,
            };
            let wrong = plan.check_edited(&body.vars);
            if !wrong.is_empty() {
                return Err(EngineError::Variables(wrong));
            }
            check(&plan, &self.fork)?;
            // The variables that the stage has written are those of its former output.
            for (stage, output) in &body.outputs {
                let set = machine::set_of_edited(&plan, &state, stage, output).map_err(|failure| {
                    let what = format!("the new output of `{stage}` does not fit: {failure}");
                    EngineError::NoSuchPoint { run: self.fork.from.clone(), what }
                })?;
                for (name, value) in set {
                    body.vars.entry(name).or_insert(value);
                }
            }
            (event, state) = forked(&body).map_err(broken)?;
        }
        self.events.push(event);
        if let Some(plan) = &self.fork.definition
            && plan.hash() != state.bundle()
        {
            let moved = Migration::of(&state, current, plan).event(&state, plan, at, self.fork.by.clone());
            let moved = moved.map_err(|error| match error {
                // It is the old run that the caller knows.
                EngineError::CannotMigrate { obstacles, .. } => {
                    EngineError::CannotMigrate { run: self.fork.from.clone(), obstacles }
                }
                other => other,
            })?;
            if let Some(event) = moved {
                state.apply(&event).map_err(broken)?;
                self.events.push(event);
            }
        }
        // The bundle that a run begins with is kept beside it; one that it was moved to is in its event.
        let head = RunHead { bundle: self.started, ..state.head() };
        Ok((NewRun { id, bundle: started, events: self.events, head }, Box::new(state)))
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
fn taken_over(events: &[Event], identity: &NewIdentity) -> Vec<Event> {
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
                let (run, seed) = (identity.id.clone(), identity.seed);
                let signature = None;
                *created = Arc::new(RunCreated {
                    run,
                    parent,
                    budget,
                    seed,
                    signature,
                    ..RunCreated::clone(created)
                });
            }
            // It was signed as an event of the old run.
            EventBody::RunMigrated { signature, .. } => *signature = None,
            EventBody::RunForked(forked) => forked.signature = None,
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
