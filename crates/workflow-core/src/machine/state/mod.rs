//! The state of a run: the fold of its events.
//!
//! [`apply`] is the only way to change it. [`stage`], [`lane`] and [`node`] are its parts, [`question`] what
//! people are asked, [`derived`] what can be computed again. [`budget`], [`session`], [`running`] and
//! [`unmet`] answer questions about it; [`view`] is how hosts see it. Nothing here decides what happens, or
//! what a call receives.

pub(super) mod apply;
pub(super) mod budget;
pub(super) mod derived;
pub(super) mod lane;
pub(super) mod node;
pub(super) mod question;
pub(super) mod running;
pub(super) mod session;
mod signals;
pub(super) mod stage;
mod unmet;
pub(super) mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use jiff::Timestamp;

use crate::actor::Actor;
use crate::bundle::{Bundle, BundleHash};
use crate::data::Data;
use crate::event::{BudgetLimit, RunCreated, RunEnding, RunForked};
use crate::failure::Failure;
use crate::ids::{NodeId, RunId, StageId};
use crate::machine::state::derived::Derived;
use crate::machine::state::lane::LaneState;
use crate::machine::state::node::Session;
use crate::machine::state::question::Ask;
use crate::machine::state::signals::Signals;
use crate::machine::state::stage::{Position, StageResult};
use crate::plan::{Plan, StagePlan};
use crate::provider::Origin;
use crate::status::{RunStatus, StageStatus, Wait};
use crate::store::{RunHead, RunProgress};
use crate::usage::Spent;

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
    pub(in crate::machine) last: u64,
    /// When the last event happened.
    pub(in crate::machine) last_at: Timestamp,
    pub(in crate::machine) created: Arc<RunCreated>,
    pub(in crate::machine) bundle: BundleHash,
    /// The bundle that it was moved to.
    pub(in crate::machine) migrated: Option<Arc<Bundle>>,
    pub(in crate::machine) forked: Option<Arc<RunForked>>,
    /// Where its own files come from, in a run that was forked.
    pub(in crate::machine) origin: Option<Arc<Origin>>,
    /// The usage of attempts that were taken over from another run: shown, and never charged.
    pub(in crate::machine) inherited: Spent,
    pub(in crate::machine) status: RunStatus,
    pub(in crate::machine) iteration: u32,
    pub(in crate::machine) position: Position,
    /// Where the plan has the stage that was begun last.
    pub(in crate::machine) place: Derived<usize>,
    pub(in crate::machine) results: IndexMap<StageId, StageResult, RandomState>,
    pub(in crate::machine) vars: IndexMap<String, Data>,
    pub(in crate::machine) failed_stages: Vec<StageId>,
    /// What all attempts used.
    pub(in crate::machine) spent: Spent,
    /// The budgets that were warned of.
    pub(in crate::machine) warned: BTreeSet<(Option<StageId>, BudgetLimit)>,
    /// For each node of a lane, the session that was recorded last and not given up, over all iterations. The
    /// session of an item is only in the item's state.
    pub(in crate::machine) sessions: BTreeMap<(StageId, u32, NodeId), Session>,
    /// The open questions to people, by the numbers of the events that asked.
    pub(in crate::machine) asks: BTreeMap<u64, Ask>,
    /// The signals that were sent to it.
    pub(in crate::machine) signals: Option<Box<Signals>>,
    /// What the run waits for, if it does not continue by itself.
    pub(in crate::machine) waiting: Option<Box<Wait>>,
    /// When it last began to wait.
    pub(in crate::machine) waits_since: Option<Timestamp>,
    pub(in crate::machine) pausing: bool,
    pub(in crate::machine) cancelling: bool,
    /// How the run ends when the stages of `finally` have ended.
    pub(in crate::machine) ending: Option<Box<Ending>>,
    /// Whether it ends without the stages of `finally`.
    pub(in crate::machine) killed: bool,
    /// Who requested the pause or the cancellation.
    pub(in crate::machine) stopped_by: Option<Arc<Actor>>,
    pub(in crate::machine) controls: u64,
    pub(in crate::machine) created_at: Timestamp,
    pub(in crate::machine) started_at: Option<Timestamp>,
    pub(in crate::machine) completed_at: Option<Timestamp>,
    pub(in crate::machine) error: Option<Arc<Failure>>,
    /// The output that its definition says, once it has completed.
    pub(in crate::machine) output: Option<Data>,
    /// Why it completed before its last stage.
    pub(in crate::machine) reason: Option<Box<str>>,
}

/// How a run ends when the stages of `finally` have ended.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::machine) struct Ending {
    pub how: RunEnding,
    /// The stage of `finally` because of whose failure it fails, if none failed before.
    pub failed: Option<StageId>,
    /// How long all attempts had taken together by then, in milliseconds.
    pub before_ms: u64,
    /// How long calls of these stages had to wait until they could be made again, in milliseconds.
    pub waits_ms: u64,
    /// How many stages had a result by then.
    pub results: usize,
}

impl State {
    /// Whether the stage has ended in this iteration.
    pub(in crate::machine) fn has_ended(&self, stage: &StageId) -> bool {
        self.results.get(stage).is_some_and(|result| result.iteration == self.iteration)
    }

    /// Makes room for the results of so many stages, which would otherwise be moved again and again.
    pub(in crate::machine) fn expect_results(&mut self, stages: usize) {
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

    /// The hash of the bundle that the run continues with.
    pub fn bundle(&self) -> &BundleHash {
        &self.bundle
    }

    /// Who started the run, or forked it where it is a fork.
    pub fn started_by(&self) -> Option<&Arc<Actor>> {
        match &self.forked {
            Some(forked) => forked.by.as_ref(),
            None => self.created.by.as_ref(),
        }
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
    pub(in crate::machine) fn stage_under_way<'a>(&self, plan: &'a Plan) -> Option<&'a StagePlan> {
        let Position::In(current) = &self.position else { return None };
        let likely = self.place.0.and_then(|place| plan.stages.get(place));
        likely.filter(|stage| stage.id == current.stage).or_else(|| plan.stage(&current.stage))
    }

    /// Whether `stage` is under way.
    pub fn is_within(&self, stage: &StageId) -> bool {
        matches!(&self.position, Position::In(current) if current.stage == *stage)
    }

    /// The stages that define the run's position: the one that is under way, that a person is asked about, or
    /// that ended last, or else the next one. The run continues from or to them without looking for them.
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

    /// The status that the run will have after the stages of `finally`, while only these are left. A cancellation does not
    /// change it any more.
    pub fn ends_as(&self) -> Option<RunStatus> {
        let ending = self.ending.as_ref().filter(|_| self.started_at.is_some() && !self.status.is_terminal());
        ending.map(|ending| ending.how.status)
    }

    /// Why the run does not continue by itself.
    pub fn wait(&self) -> Option<Box<Wait>> {
        let mut wait = match &self.waiting {
            Some(wait) => wait.clone(),
            None if self.status == RunStatus::Paused => Box::new(Wait::paused()),
            None => return None,
        };
        let asked = wait.number.and_then(|number| self.asks.get(&number)).map(|ask| ask.since);
        wait.since = asked.or(self.waits_since);
        Some(wait)
    }

    /// All open questions to people, and when the run resumes by itself, if it does.
    pub fn waits(&self) -> Vec<Wait> {
        let mut waits = Vec::new();
        if !self.asks.is_empty() {
            waits.extend(self.asks.iter().map(|(number, ask)| ask.wait(*number)));
        }
        if let Some(by_itself) = self.wait().filter(|wait| wait.number.is_none()) {
            waits.push(*by_itself);
        }
        waits
    }

    /// Whether a resume has an effect: the run is paused or about to be, or was given up after crashes.
    pub(in crate::machine) fn can_be_resumed(&self) -> bool {
        self.pausing || self.waiting.as_ref().is_some_and(|wait| wait.is_resumed())
    }

    /// Whether the run is idle: it has ended, or [waits](Self::wait) for a person or a time.
    pub fn rests(&self) -> bool {
        self.status.is_terminal() || self.status == RunStatus::Paused || self.waiting.is_some()
    }

    /// The runs that its nodes have started and wait for.
    pub fn children(&self) -> Vec<RunId> {
        let Position::In(current) = &self.position else { return Vec::new() };
        current.children().into_iter().map(|(_, _, child)| child.run.clone()).collect()
    }

    /// Whether it was driven before.
    pub fn has_started(&self) -> bool {
        self.started_at.is_some()
    }

    /// The number of the last control that was handled.
    pub fn last_control(&self) -> u64 {
        self.controls
    }

    /// The usage of the stage that is under way, in all iterations.
    pub(in crate::machine) fn current_spent(&self) -> Option<Spent> {
        match &self.position {
            Position::In(current) => Some(current.spent),
            _ => None,
        }
    }

    /// A lane of the stage that is under way.
    pub(in crate::machine) fn current_lane(&self, lane: u32) -> Option<&LaneState> {
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
            labels: self.created.labels.clone(),
            forked_from: self.forked.as_ref().map(|forked| forked.from.clone()),
            started_by: self.started_by().cloned(),
            stopped_by: self.stopped_by.clone(),
            progress: self.progress().map(Arc::new),
            slot: self.created.slot.clone(),
            priority: self.created.priority,
            parent: self.created.parent.clone(),
        }
    }

    /// How far the run is; `None` before its first stage.
    pub fn progress(&self) -> Option<RunProgress> {
        let current = match &self.position {
            Position::In(current) => Some((&current.stage, StageStatus::Running)),
            Position::Asked { stage, .. } => Some((stage, StageStatus::Waiting)),
            Position::Start if self.results.is_empty() => return None,
            _ => None,
        };
        let mut progress = RunProgress {
            iteration: self.iteration,
            current_stage: current.map(|(stage, _)| stage.clone()),
            spent: self.spent,
            waits: self.waits(),
            ..RunProgress::default()
        };
        let is_new = current.is_some_and(|(stage, _)| !self.results.contains_key(stage));
        let begun = self.results.len() + usize::from(is_new);
        if begun <= RunProgress::MOST_STAGES {
            let stages = &mut progress.stages;
            stages.reserve_exact(begun);
            stages.extend(self.results.iter().map(|(stage, result)| (stage.clone(), result.status)));
            if let Some((stage, status)) = current {
                match self.results.get_index_of(stage) {
                    Some(earlier) => stages[earlier].1 = status,
                    None => stages.push((stage.clone(), status)),
                }
            }
        }
        Some(progress)
    }
}
