//! Forked runs, and the check that their sources do not change.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use workflow_core::event::{Event, EventBody, RunForked};
use workflow_core::ids::{RunId, StageId};
use workflow_core::store::NewRun;
use workflow_exec::{Fork, ForkPoint};

use super::counts::Counts;
use super::journal::Told;
use crate::reference::case::Case;

/// How a run is forked from another one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ForkSetup {
    /// Its number among the forks, which its id ends with.
    pub number: u64,
    /// The index of its source among the existing runs, in the order of their ids.
    pub of: usize,
    /// Where the fork begins.
    pub place: Place,
    /// The variables of the fork.
    #[serde(default)]
    pub vars: IndexMap<String, Value>,
    /// A new output of the last stage that has ended there.
    #[serde(default)]
    pub output: Option<Value>,
}

/// Where a fork begins. Numbers are taken modulo the number of events, stages or nodes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// At the start.
    Start,
    /// After an event.
    Event(usize),
    /// Before a stage.
    Stage(usize),
    /// Before a node.
    Node(usize),
}

impl ForkSetup {
    /// The fork of one of these runs; `None` if there is no such place.
    pub fn of(&self, runs: &BTreeMap<RunId, Told>) -> Option<Fork> {
        let (run, told) = runs.iter().nth(self.of % runs.len().max(1))?;
        let events = &told.events;
        let one = |count: usize, number: usize| number.checked_rem(count);
        let point = match self.place {
            Place::Start => ForkPoint::Start,
            Place::Event(number) => ForkPoint::Event(events[one(events.len(), number)?].seq),
            Place::Stage(number) => {
                let started: Vec<_> = events.iter().filter_map(started).collect();
                ForkPoint::Stage(started[one(started.len(), number)?].clone())
            }
            Place::Node(number) => {
                let paths: Vec<_> = events.iter().filter_map(|event| event.body.path()).collect();
                ForkPoint::Node(paths[one(paths.len(), number)?].clone())
            }
        };
        let of = case_of(run);
        let id = RunId::new(format!("{of}_{}", self.number)).unwrap();
        let fork = Fork::of(run.clone()).run_id(id);
        let mut fork = self.vars.iter().fold(fork, |fork, (name, value)| fork.var(name, value.clone()));
        // Only for an event it is known which stages have ended before.
        if let (ForkPoint::Event(number), Some(output)) = (&point, &self.output)
            && let Some(stage) = events.iter().filter(|event| event.seq <= *number).rev().find_map(ended)
        {
            fork = fork.output(stage.clone(), output.clone());
        }
        Some(fork.at(point))
    }
}

/// The run whose case a run has: itself, or the first source of a chain of forks.
pub fn case_of(run: &RunId) -> RunId {
    RunId::new(run.as_str().split('_').next().unwrap()).unwrap()
}

/// The case of a run: one of these, or that of the workflow which a node of another run has started.
pub fn case(
    cases: &BTreeMap<RunId, Arc<Case>>,
    runs: &BTreeMap<RunId, Told>,
    run: &RunId,
) -> Option<Arc<Case>> {
    let origin = case_of(run);
    if let Some(case) = cases.get(&origin) {
        return Some(case.clone());
    }
    let EventBody::RunCreated(created) = &runs.get(&origin)?.events.first()?.body else { return None };
    let of_parent = case(cases, runs, &created.parent.as_ref()?.run)?;
    Some(Arc::new(Case {
        bundle: of_parent.bundle.workflows.get(&created.workflow)?.clone(),
        vars: created.vars.iter().map(|(name, value)| (name.clone(), value.value())).collect(),
        on_failure: None,
        interactive: false,
        pauses: Vec::new(),
        deaths: Vec::new(),
        ..Case::clone(&of_parent)
    }))
}

fn started(event: &Event) -> Option<&StageId> {
    match &event.body {
        EventBody::StageStarted { stage, .. } => Some(stage),
        _ => None,
    }
}

fn ended(event: &Event) -> Option<&StageId> {
    match &event.body {
        EventBody::StageCompleted { stage, .. } | EventBody::StageFailed { stage, .. } => Some(stage),
        _ => None,
    }
}

/// The last fork event in a log, and its position.
pub fn forked(events: &[Event]) -> Option<(usize, &RunForked)> {
    events.iter().enumerate().rev().find_map(|(place, event)| match &event.body {
        EventBody::RunForked(forked) => Some((place, &**forked)),
        _ => None,
    })
}

/// The new run with a seed derived from its id, so that the same plot results in the same logs.
pub fn seeded(mut new: NewRun) -> NewRun {
    let is_fork = forked(&new.events).is_some();
    if let Some(EventBody::RunCreated(created)) = new.events.first_mut().map(|event| &mut event.body)
        && is_fork
    {
        let created = std::sync::Arc::make_mut(created);
        created.seed =
            created.run.as_str().bytes().fold(7, |seed, byte| seed * 31 % 1_000_003 + u64::from(byte));
    }
    new
}

/// A log as text, one event per line.
pub fn written(events: &[Event]) -> String {
    events.iter().fold(String::new(), |text, event| text + &serde_json::to_string(event).unwrap() + "\n")
}

/// Checks that a fork copied the events of its source up to the fork point, and nothing else; and that the
/// source, whose log was `was` when the fork was created, has not changed since.
///
/// # Errors
///
/// The first violation.
pub fn judge(events: &[Event], source: &[Event], was: &str, counts: &mut Counts) -> Result<(), String> {
    let Some((place, forked)) = forked(events) else { return Err("it is not a fork".to_owned()) };
    if !written(source).starts_with(was) {
        return Err(format!("the log of {} has changed since it was forked", forked.from));
    }
    let at = usize::try_from(forked.event).unwrap();
    let (Some(before), Some(taken)) = (source.get(..at), events.get(1..place)) else {
        return Err(format!("{} has no event {at}", forked.from));
    };
    let mut left = taken.iter().peekable();
    for event in before.iter().skip(1) {
        let is_taken =
            left.next_if(|taken| taken.at == event.at && is_same(&taken.body, &event.body)).is_some();
        let is_result = matches!(
            event.body,
            EventBody::AttemptSucceeded { .. }
                | EventBody::NodeCompleted { .. }
                | EventBody::StageCompleted { .. }
                | EventBody::IterationEnded { .. }
                | EventBody::Answered { .. }
                | EventBody::SignalReceived { .. }
        );
        if is_result && !is_taken {
            return Err(format!("an event was not copied: {:?}", event.body));
        }
    }
    if let Some(event) = left.next() {
        return Err(format!("a copied event is not in the source: {:?}", event.body));
    }
    counts.forks += 1;
    counts.forks_of_forks += u64::from(forked.from != case_of(&forked.from));
    counts.edited_vars += u64::from(!forked.vars.is_empty());
    counts.edited_outputs += u64::from(!forked.outputs.is_empty());
    counts.forked_under_way +=
        u64::from(!source[..was.lines().count()].last().is_some_and(|e| e.body.is_terminal()));
    Ok(())
}

/// Whether an event of a fork equals that of its source. Control requests are numbered again.
fn is_same(taken: &EventBody, event: &EventBody) -> bool {
    match (taken, event) {
        (EventBody::Answered { control: 0, answer, .. }, EventBody::Answered { answer: source, .. }) => {
            answer == source
        }
        (
            EventBody::SignalReceived { control: 0, signal, .. },
            EventBody::SignalReceived { signal: source, .. },
        ) => signal == source,
        _ => taken == event,
    }
}

/// The case of a fork from the start, with its own variables; `None` if it continues from another place.
pub fn begun_anew(case: &Case, events: &[Event]) -> Option<Case> {
    let (1, RunForked { outputs, .. }) = forked(events)? else { return None };
    let EventBody::RunCreated(created) = &events[0].body else { return None };
    let EventBody::RunForked(forked) = &events[1].body else { return None };
    let vars = created.vars.iter().chain(&forked.vars);
    let vars = vars.map(|(name, value)| (name.clone(), value.value())).collect();
    Some(Case { vars, ..case.clone() }).filter(|_| outputs.is_empty())
}
