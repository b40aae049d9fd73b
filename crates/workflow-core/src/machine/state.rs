//! The state of a run: the fold of its events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use jiff::Timestamp;

use super::ask::{Ask, Said};
use super::lane::LaneState;
use super::work::Derived;
use crate::bundle::{Bundle, BundleHash};
use crate::data::Data;
use crate::event::{BudgetLimit, Event, EventBody, RunCreated, RunForked};
use crate::failure::Failure;
use crate::ids::{NodeId, NodePath, StageId};
use crate::plan::{Plan, StagePlan};
use crate::provider::Origin;
use crate::status::{RunStatus, StageStatus, Wait};
use crate::store::RunHead;
use crate::usage::{Spent, Usage};

/// The most lanes that a stage can have.
pub(crate) const MAX_LANES: usize = 10_000;

/// An event does not follow from the events before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {seq} ({kind}) does not follow from the events before it: {reason}")]
pub struct Broken {
    /// The event's number.
    pub seq: u64,
    /// Its kind.
    pub kind: &'static str,
    /// What is wrong.
    pub reason: &'static str,
}

/// The state of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub(super) last: u64,
    /// When the last event happened.
    pub(super) last_at: Timestamp,
    pub(super) created: Arc<RunCreated>,
    pub(super) bundle: BundleHash,
    /// The bundle that it was moved to.
    pub(super) migrated: Option<Arc<Bundle>>,
    pub(super) forked: Option<Arc<RunForked>>,
    /// Where its own files come from, in a run that was forked.
    pub(super) origin: Option<Arc<Origin>>,
    /// What the attempts used that were taken over from another run: shown, and never charged.
    pub(super) inherited: Spent,
    pub(super) status: RunStatus,
    pub(super) iteration: u32,
    pub(super) position: Position,
    /// Where the plan has the stage that was begun last.
    pub(super) place: Derived<usize>,
    pub(super) results: IndexMap<StageId, StageResult, RandomState>,
    pub(super) vars: IndexMap<String, Data>,
    pub(super) failed_stages: Vec<StageId>,
    /// What all attempts used.
    pub(super) spent: Spent,
    /// The budgets that were warned of.
    pub(super) warned: BTreeSet<(Option<StageId>, BudgetLimit)>,
    /// The session of each node of a lane that was recorded last and not given up, over all iterations. That of
    /// an item is only in its own state.
    pub(super) sessions: BTreeMap<(StageId, u32, NodeId), Session>,
    /// What persons are asked, by the numbers of the events that asked.
    pub(super) asks: BTreeMap<u64, Ask>,
    /// What the run waits for, where nothing goes on by itself.
    pub(super) waiting: Option<Box<Wait>>,
    pub(super) pausing: bool,
    pub(super) cancelling: bool,
    pub(super) controls: u64,
    pub(super) created_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) completed_at: Option<Timestamp>,
    pub(super) error: Option<Arc<Failure>>,
}

/// Where a run stands among its stages.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Position {
    /// Before the first stage.
    Start,
    /// Before a stage that a person is asked about, and what the person said.
    Asked { iteration: u32, stage: StageId, said: Option<Said> },
    /// In a stage.
    In(Current),
    /// A stage ended; `Some` error: it failed, and the run does not go on.
    After(StageId, Option<Arc<Failure>>),
    /// An iteration ended; what comes next, and whether `stop_when` was met.
    Between { next: Option<StageId>, done: bool },
}

/// The stage that is under way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Current {
    pub stage: StageId,
    pub started_at: Timestamp,
    pub lanes: Vec<LaneState>,
    /// How many lanes are running.
    pub running: u32,
    /// How many lanes have succeeded.
    pub succeeded: u32,
    /// How many lanes have failed for good.
    pub failed: u32,
    /// The lane that succeeded first.
    pub first: Option<u32>,
    /// How many nodes wait to be tried again.
    pub retrying: u32,
    /// What the attempts of the stage used, those of earlier iterations too.
    pub spent: Spent,
}

/// How a stage's latest pass ended.
#[derive(Debug, Clone, PartialEq)]
pub struct StageResult {
    /// The iteration of that pass.
    pub iteration: u32,
    /// How it ended.
    pub status: StageStatus,
    /// The lanes of that pass; of an earlier one where this one was skipped.
    pub lanes: Vec<LaneState>,
    /// How the lanes make the output.
    pub(super) output: OutputOf,
    /// When the pass began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<Arc<Failure>>,
    /// What the attempts of all its passes used.
    pub spent: Spent,
}

/// Which lanes make a stage's output (R4.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OutputOf {
    Nothing,
    /// What it was changed to.
    Edited(Data),
    Lane(usize),
    /// Those that succeeded, and null for each other.
    AllLanes,
    /// Of a stage that failed: also those that failed.
    EveryLane,
}

impl OutputOf {
    /// What is left of a stage that failed: the outputs of its lanes, where one that failed has any.
    pub(super) fn in_vain(lanes: &[LaneState], of: Option<u32>) -> Self {
        let has_any = |lane: &LaneState| {
            matches!(lane.whole.status, StageStatus::Failed | StageStatus::Retrying)
                && !lane.whole.output.is_null()
        };
        let only = of.map_or(0, |lane| lane as usize);
        match lanes {
            _ if of.is_some() || lanes.len() == 1 => {
                if lanes.get(only).is_some_and(has_any) {
                    Self::Lane(only)
                } else {
                    Self::Nothing
                }
            }
            lanes if lanes.iter().any(has_any) => Self::EveryLane,
            _ => Self::Nothing,
        }
    }
}

impl StageResult {
    /// The output of the latest pass that had one.
    pub fn output(&self) -> Option<Data> {
        match &self.output {
            OutputOf::Nothing => None,
            OutputOf::Edited(output) => Some(output.clone()),
            OutputOf::Lane(lane) => self.lanes.get(*lane).map(|lane| lane.whole.output.clone()),
            OutputOf::AllLanes => Some(Data::array(self.lanes.iter().map(LaneState::result))),
            OutputOf::EveryLane => Some(Data::array(self.lanes.iter().map(|lane| &lane.whole.output))),
        }
    }
}

/// A provider's session, as a node left it last.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Session {
    pub id: Arc<str>,
    /// What the calls in it have used, as far as it is known.
    pub used: Option<Usage>,
}

impl State {
    /// The session of a node that is no item.
    pub(super) fn session(&self, path: &NodePath) -> Option<&Session> {
        let path = path.items.is_empty().then_some(path)?;
        self.sessions.get(&(path.stage.clone(), path.lane, path.node.clone()))
    }

    /// Folds a run's events.
    ///
    /// # Errors
    ///
    /// [`Broken`] when they are not a run's events from the first on.
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Result<Self, Broken> {
        let mut events = events.into_iter();
        let Some(first) = events.next() else {
            return Err(Broken { seq: 0, kind: "none", reason: "a run has at least one event" });
        };
        let mut state = Self::first(first)?;
        for event in events {
            state.apply(event)?;
        }
        Ok(state)
    }

    /// The state after a run's first event.
    ///
    /// # Errors
    ///
    /// [`Broken`] when it is not `run_created` with the number 1.
    pub fn first(event: &Event) -> Result<Self, Broken> {
        let EventBody::RunCreated(created) = &event.body else {
            return Err(broken(event, "the first event is run_created"));
        };
        if event.seq != 1 {
            return Err(broken(event, "the first event has the number 1"));
        }
        Ok(Self {
            last: 1,
            last_at: event.at,
            created: created.clone(),
            bundle: created.bundle.clone(),
            migrated: None,
            forked: None,
            origin: None,
            inherited: Spent::default(),
            status: RunStatus::Pending,
            iteration: 1,
            position: Position::Start,
            place: Derived(None),
            results: IndexMap::default(),
            vars: created.vars.clone(),
            failed_stages: Vec::new(),
            spent: Spent::default(),
            warned: BTreeSet::new(),
            sessions: BTreeMap::new(),
            asks: BTreeMap::new(),
            waiting: None,
            pausing: false,
            cancelling: false,
            controls: 0,
            created_at: event.at,
            started_at: None,
            completed_at: None,
            error: None,
        })
    }

    /// Takes in the next event. On an error the state is of no further use.
    ///
    /// # Errors
    ///
    /// [`Broken`] when the event does not follow from those before it.
    pub fn apply(&mut self, event: &Event) -> Result<(), Broken> {
        if event.seq != self.last + 1 {
            return Err(broken(event, "event numbers have no gaps"));
        }
        if self.status.is_terminal() {
            return Err(broken(event, "the run has ended"));
        }
        self.apply_body(event).map_err(|reason| broken(event, reason))?;
        self.last = event.seq;
        self.last_at = event.at;
        Ok(())
    }

    /// Whether the stage has ended in this iteration.
    pub(super) fn has_ended(&self, stage: &StageId) -> bool {
        self.results.get(stage).is_some_and(|result| result.iteration == self.iteration)
    }

    /// Makes room for the results of so many stages, which would otherwise be moved again and again.
    pub(super) fn expect_results(&mut self, stages: usize) {
        self.results.reserve(stages.saturating_sub(self.results.len()));
    }

    /// The number of the last event.
    pub fn last_event(&self) -> u64 {
        self.last
    }

    /// What the run was created with.
    pub fn created(&self) -> &Arc<RunCreated> {
        &self.created
    }

    /// The hash of the bundle that it goes on with.
    pub fn bundle(&self) -> &BundleHash {
        &self.bundle
    }

    /// The bundle that it was moved to, if it was moved; otherwise the store has it.
    pub fn migrated(&self) -> Option<&Arc<Bundle>> {
        self.migrated.as_ref()
    }

    /// The stage that is under way, or that a person is asked about.
    pub fn current_stage(&self) -> Option<&StageId> {
        match &self.position {
            Position::In(current) => Some(&current.stage),
            Position::Asked { stage, .. } => Some(stage),
            _ => None,
        }
    }

    /// The iteration, and the stage that is under way in it.
    pub fn stage_and_iteration(&self) -> Option<(u32, &StageId)> {
        let Position::In(current) = &self.position else { return None };
        Some((self.iteration, &current.stage))
    }

    /// Whether `stage` is under way, or has been in any iteration, so that calls of it may have been made.
    pub fn has_entered(&self, stage: &StageId) -> bool {
        self.is_within(stage)
            || self.results.get(stage).is_some_and(|result| result.status != StageStatus::Skipped)
    }

    /// The plan of the stage that is under way.
    pub(super) fn stage_under_way<'a>(&self, plan: &'a Plan) -> Option<&'a StagePlan> {
        let Position::In(current) = &self.position else { return None };
        let likely = self.place.0.and_then(|place| plan.stages.get(place));
        likely.filter(|stage| stage.id == current.stage).or_else(|| plan.stage(&current.stage))
    }

    /// Whether `stage` is under way.
    pub fn is_within(&self, stage: &StageId) -> bool {
        matches!(&self.position, Position::In(current) if current.stage == *stage)
    }

    /// The stages that the way on depends on: those that it may go on from or to without looking.
    pub fn anchors(&self) -> Vec<&StageId> {
        match &self.position {
            Position::Start => Vec::new(),
            Position::Asked { stage, .. } | Position::After(stage, _) => vec![stage],
            Position::In(current) => vec![&current.stage],
            Position::Between { next, .. } => next.iter().collect(),
        }
    }

    /// The run's status.
    pub fn status(&self) -> RunStatus {
        self.status
    }

    /// Why the run does not go on by itself.
    pub fn wait(&self) -> Option<Wait> {
        match &self.waiting {
            Some(wait) => Some(Wait::clone(wait)),
            None => (self.status == RunStatus::Paused).then(Wait::paused),
        }
    }

    /// Everything that persons are asked, and when the run goes on by itself if it does.
    pub fn waits(&self) -> Vec<Wait> {
        let asked = self.asks.iter().map(|(number, ask)| ask.wait(*number));
        let by_itself = self.wait().filter(|wait| wait.number.is_none());
        asked.chain(by_itself).collect()
    }

    /// Whether a resume changes something: it is paused or about to be, or was given up after crashes.
    pub(super) fn can_be_resumed(&self) -> bool {
        self.pausing || self.waiting.as_ref().is_some_and(|wait| wait.is_resumed())
    }

    /// Whether nothing happens until somebody says something, or for a while: the run has ended, or
    /// [waits](Self::wait).
    pub fn rests(&self) -> bool {
        self.status.is_terminal() || self.status == RunStatus::Paused || self.waiting.is_some()
    }

    /// The number of the last control that was taken in.
    pub fn last_control(&self) -> u64 {
        self.controls
    }

    /// What the stage that is under way has used, in all iterations.
    pub(super) fn current_spent(&self) -> Option<Spent> {
        match &self.position {
            Position::In(current) => Some(current.spent),
            _ => None,
        }
    }

    /// A lane of the stage that is under way.
    pub(super) fn current_lane(&self, lane: u32) -> Option<&LaneState> {
        match &self.position {
            Position::In(current) => current.lanes.get(lane as usize),
            _ => None,
        }
    }

    /// What a store keeps for lists.
    pub fn head(&self) -> RunHead {
        RunHead {
            workflow_id: self.created.workflow.clone(),
            bundle: self.bundle.clone(),
            status: self.status,
            wait: self.wait(),
            created_at: self.created_at,
            started_at: self.started_at,
            completed_at: self.completed_at,
            error: self.error.clone(),
        }
    }
}

fn broken(event: &Event, reason: &'static str) -> Broken {
    Broken { seq: event.seq, kind: event.body.kind(), reason }
}
