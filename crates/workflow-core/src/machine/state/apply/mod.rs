//! What each event changes in the state of a run.
//!
//! [`stage`]: how stages begin and end. [`attempt`]: what an attempt used, its session, and answers to what a node
//! asked. [`fork`]: a run of its own, made of what another one had reached.

mod attempt;
mod fork;
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use indexmap::IndexMap;

use crate::data::Data;
use crate::event::{Event, EventBody};
use crate::ids::{NodePath, StageId};
use crate::machine::state::derived::Derived;
use crate::machine::state::lane::LaneState;
use crate::machine::state::node::{ChildState, ItemsState};
use crate::machine::state::question::Ask;
use crate::machine::state::stage::{Current, MAX_LANES, Position};
use crate::machine::state::{Broken, State, session};
use crate::status::{RunStatus, StageStatus, WaitReason};
use crate::usage::Spent;

impl State {
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
            signals: None,
            waiting: None,
            waits_since: None,
            pausing: false,
            cancelling: false,
            ending: None,
            killed: false,
            stopped_by: None,
            controls: 0,
            created_at: event.at,
            started_at: None,
            completed_at: None,
            error: None,
            output: None,
            reason: None,
        })
    }

    /// Applies the next event. After an error the state must not be used any more.
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

    pub(in crate::machine) fn apply_body(&mut self, event: &Event) -> Result<(), &'static str> {
        match &event.body {
            EventBody::RunCreated(_) => return Err("the run was created already"),
            EventBody::RunForked(forked) => self.fork(forked, event.at)?,
            EventBody::RunMigrated { hash, bundle, .. } => {
                self.bundle = hash.clone();
                self.migrated = Some(bundle.clone());
            }
            EventBody::RunStarted => {
                self.status = RunStatus::Running;
                self.started_at = Some(event.at);
            }
            EventBody::StageStarted { iteration, stage, lanes } => {
                let lanes = usize::try_from(*lanes).unwrap_or(usize::MAX);
                if lanes > MAX_LANES {
                    return Err("a stage has at most 10,000 lanes");
                }
                self.begin_stage(*iteration, stage, lanes, event.at);
            }
            EventBody::StageSkipped { iteration, stage } => self.skip_stage(*iteration, stage),
            EventBody::LaneStarted { iteration, stage, lane, provider, role } => {
                let lane = self.lane(*iteration, stage, *lane)?;
                if lane.whole.status != StageStatus::Pending {
                    return Err("the lane has begun already");
                }
                lane.whole.status = StageStatus::Running;
                lane.whole.provider = Some(provider.clone());
                lane.whole.role.clone_from(role);
                lane.whole.started_at = Some(event.at);
                lane.graph = Some(Box::default());
            }
            EventBody::NodeQueued { path, .. } => {
                let current = self.current(path)?;
                let node = current.node(path)?;
                let was = std::mem::replace(&mut node.status, StageStatus::Queued);
                current.retrying -= u32::from(was == StageStatus::Retrying);
            }
            EventBody::NodeWaiting { path, until, signal } => {
                let current = self.current(path)?;
                current.graph_of(path)?;
                let node = current.node(path)?;
                node.status = StageStatus::Waiting;
                node.started_at = Some(event.at);
                node.retry_at = *until;
                if let Some(signal) = signal {
                    node.tried.get_or_insert_default().signal = Some(signal.clone());
                }
                current.has_waits = true;
            }
            EventBody::ChildStarted(started) => {
                let current = self.current(&started.path)?;
                current.graph_of(&started.path)?;
                let node = current.node(&started.path)?;
                let was = std::mem::replace(&mut node.status, StageStatus::Running);
                node.attempt = started.attempt;
                node.retry_at = None;
                node.tried.get_or_insert_default().child = Some(Box::new(ChildState::new(started.clone())));
                node.start(event.at);
                current.retrying -= u32::from(was == StageStatus::Retrying);
                current.running += 1;
                current.children += 1;
                let lane = current.lane_of(&started.path)?;
                lane.graph.as_mut().ok_or("the lane has no graph")?.running += 1;
                lane.whole.attempt += 1;
            }
            EventBody::ChildEnded(ended) => {
                let current = self.current(&ended.path)?;
                let node = current.lane_of(&ended.path)?.known_mut(&ended.path);
                let node = node.filter(|node| node.is_running(ended.attempt));
                let child = node.and_then(|node| node.child_mut()).ok_or("the node has started no run")?;
                if child.started.run != ended.run || std::mem::replace(&mut child.ended, true) {
                    return Err("the node has started another run");
                }
                current.spent.add_all(ended.spent);
                self.spent.add_all(ended.spent);
            }
            EventBody::SignalReceived { control, signal, .. } => {
                self.controls = *control;
                self.signals.get_or_insert_default().receive(signal);
            }
            EventBody::NodeStarted { path, items } if items.is_null() => {
                self.current(path)?.begin_iteration(path, event.at)?;
            }
            EventBody::NodeStarted { path, items } => {
                let elements = items.elements().ok_or("the items are not an array")?;
                let node = self.current(path)?.node_of_graph(path)?;
                node.status = StageStatus::Running;
                node.started_at = Some(event.at);
                node.items = Some(Box::new(ItemsState::new(elements)));
            }
            EventBody::NodeCompleted { path, output, set } => {
                if self.take_signal(path)? == Some(false) {
                    return Err("the signal that the node waits for was not sent");
                }
                self.current(path)?.end_node(path, StageStatus::Completed, output, event)?;
                self.set(set.as_deref());
            }
            EventBody::NodeSkipped { path } => {
                self.current(path)?.end_node(path, StageStatus::Skipped, &Data::NULL, event)?;
            }
            EventBody::NodeFailed { path, error, continues } => {
                // It has taken the signal, but its `set` could not be resolved; or none was sent in time.
                self.take_signal(path)?;
                let current = self.current(path)?;
                // Also one that has succeeded, and whose `set` could not be resolved.
                let node = current.lane_of(path)?.node_mut(path)?;
                node.status = StageStatus::Failed;
                node.error = Some(error.clone());
                node.ended_at = Some(event.at);
                let has_graph = node.items.as_ref().is_some_and(|items| items.graph.is_some());
                if has_graph && *continues {
                    let retrying = node.retrying_below();
                    current.retrying -= retrying;
                }
                if *continues {
                    current.lane_of(path)?.continue_after(path, event.seq, error);
                } else {
                    current.lane_of(path)?.graph_at_mut(path).ok_or("the lane has no graph")?.failed += 1;
                }
                if has_graph {
                    self.forget_asks_in(path);
                }
            }
            EventBody::AttemptStarted { path, attempt, provider, role } => {
                let current = self.current(path)?;
                let node = current.node(path)?;
                let was = std::mem::replace(&mut node.status, StageStatus::Running);
                node.attempt = *attempt;
                node.retry_at = None;
                node.provider = Some(provider.clone());
                node.role.clone_from(role);
                node.start(event.at);
                current.retrying -= u32::from(was == StageStatus::Retrying);
                current.running += 1;
                let lane = current.lane_of(path)?;
                if let Some(graph) = &mut lane.graph {
                    graph.running += 1;
                    lane.whole.attempt += 1;
                }
            }
            EventBody::SessionDropped { path, .. } => self.set_session(path, None)?,
            EventBody::SessionRecorded { path, session, .. } => self.set_session(path, Some(session))?,
            EventBody::AttemptSucceeded { path, attempt, output, set, usage, ran_until, .. } => {
                let ended = ran_until.as_deref().copied().unwrap_or(event.at);
                self.spend(path, usage.as_deref(), ended)?;
                let current = self.current(path)?;
                let node = current.running(path, *attempt)?;
                node.end(StageStatus::Completed, output.clone(), ended);
                let lane = current.lane_of(path)?;
                if lane.graph.is_some() {
                    lane.fold_item(path, event.seq);
                } else {
                    current.succeeded += 1;
                    current.first = current.first.or(Some(path.lane));
                }
                self.set(set.as_deref());
            }
            EventBody::AttemptFailed {
                path,
                attempt,
                error,
                retry_at,
                parked,
                repair,
                continues,
                usage,
                ran_until,
                output,
            } => {
                if let (Some(at), Some(ending)) = (retry_at, &mut self.ending) {
                    let wait = Duration::try_from(at.duration_since(event.at)).unwrap_or_default();
                    let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                    ending.waits_ms = ending.waits_ms.saturating_add(wait);
                }
                let ended = ran_until.as_deref().copied().unwrap_or(event.at);
                if self.current(path)?.lane_of(path)?.node_mut(path)?.status == StageStatus::Running {
                    let in_session = session::session(self, path).is_some();
                    let tried = self.spend_in_vain(path, usage.as_deref(), ended)?;
                    (tried.session_failed, tried.deaths, tried.refused) = (in_session, 0, false);
                    let output = output.as_deref().cloned().unwrap_or_default();
                    self.current(path)?.running(path, *attempt)?.output = output;
                } else {
                    let node = self.current(path)?.lane_of(path)?.node_mut(path)?;
                    node.tried.get_or_insert_default().refused = true;
                }
                let current = self.current(path)?;
                let node = current.lane_of(path)?.node_mut(path)?;
                (node.in_session, node.resumes) = (false, false);
                node.attempt = *attempt;
                node.error = Some(error.clone());
                node.retry_at = retry_at.as_deref().copied();
                node.ended_at = Some(ended);
                node.failures += u32::from(!parked && !repair);
                node.repairs += u32::from(*repair);
                let now = if retry_at.is_some() { StageStatus::Retrying } else { StageStatus::Failed };
                let was = std::mem::replace(&mut node.status, now);
                current.retrying += u32::from(retry_at.is_some());
                current.retrying -= u32::from(was == StageStatus::Retrying);
                if *continues {
                    current.lane_of(path)?.continue_after(path, event.seq, error);
                } else if retry_at.is_none() {
                    match current.lane_of(path)?.graph_at_mut(path) {
                        Some(graph) => graph.failed += 1,
                        None => current.failed += 1,
                    }
                }
            }
            EventBody::AttemptCancelled { path, attempt, usage, ran_until } => {
                self.spend_in_vain(path, usage.as_deref(), ran_until.unwrap_or(event.at))?;
                let node = self.current(path)?.running(path, *attempt)?;
                node.status = StageStatus::Cancelled;
                node.ended_at = Some(event.at);
            }
            EventBody::AttemptInterrupted { path, attempt, usage, ran_until, retry_at } => {
                let until = ran_until.as_deref().copied().unwrap_or(event.at);
                let tried = self.spend_in_vain(path, usage.as_deref(), until)?;
                tried.deaths += u32::from(ran_until.is_some());
                let current = self.current(path)?;
                let node = current.running(path, *attempt)?;
                node.resumes = node.in_session;
                node.retry_at = *retry_at;
                node.status = if retry_at.is_some() { StageStatus::Retrying } else { StageStatus::Pending };
                current.retrying += u32::from(retry_at.is_some());
            }
            EventBody::LaneCompleted { iteration, stage, lane, output_of } => {
                let number = *lane;
                let lane = self.lane(*iteration, stage, number)?;
                if lane.whole.status != StageStatus::Running {
                    return Err("the lane is not under way");
                }
                let output = lane.output_of(output_of);
                lane.whole.end(StageStatus::Completed, output, event.at);
                self.forget_asks_of(number);
                if let Position::In(current) = &mut self.position {
                    current.succeeded += 1;
                    current.first = current.first.or(Some(number));
                }
            }
            EventBody::LaneFailed { iteration, stage, lane, error } => {
                let number = *lane;
                let lane = self.lane(*iteration, stage, number)?;
                if !matches!(lane.whole.status, StageStatus::Pending | StageStatus::Running) {
                    return Err("the lane has ended already");
                }
                lane.whole.output = lane.output_in_vain();
                lane.whole.status = StageStatus::Failed;
                lane.whole.error = Some(error.clone());
                lane.whole.ended_at = Some(event.at);
                self.forget_asks_of(number);
                if let Position::In(current) = &mut self.position {
                    current.failed += 1;
                }
            }
            EventBody::StageCompleted { stage, set, output_of, .. } => {
                self.end_stage(stage, StageStatus::Completed, *output_of, None, None, event.at)?;
                self.set(set.as_deref());
            }
            EventBody::StageFailed { iteration, stage, error, continues, output_of } => {
                if matches!(&self.position, Position::Asked { stage: asked, .. } if asked == stage) {
                    // A person did not agree, and nothing of it began.
                    self.begin_stage(*iteration, stage, 0, event.at);
                }
                let mut ends = (!continues).then(|| error.clone());
                if let Some(ending) = &mut self.ending {
                    // Of several failures the first ends the run.
                    if let Some(error) = ends.take().filter(|_| ending.how.status == RunStatus::Completed) {
                        (ending.how.status, ending.how.error) = (RunStatus::Failed, Some(error));
                        ending.failed = Some(stage.clone());
                    }
                }
                self.end_stage(stage, StageStatus::Failed, *output_of, Some(error), ends, event.at)?;
                if !self.failed_stages.contains(stage) {
                    self.failed_stages.push(stage.clone());
                }
            }
            EventBody::IterationEnded { next, done, .. } => {
                self.position = Position::Between { next: next.clone(), done: *done };
            }
            EventBody::BudgetWarning { stage, limit, .. } => {
                self.warned.insert((stage.clone(), *limit));
            }
            EventBody::StageAsked { iteration, stage, question } => {
                if matches!(self.position, Position::In(_)) {
                    return Err("another stage is under way");
                }
                self.position = Position::Asked { iteration: *iteration, stage: stage.clone(), said: None };
                self.asks.insert(event.seq, Ask::of_stage(*iteration, stage, question, event.at));
            }
            EventBody::NodeAsked { path, reason, question, schema } => {
                self.current(path)?.node(path)?.status = StageStatus::Waiting;
                self.asks.insert(event.seq, Ask::of_node(path, *reason, question, schema.as_ref(), event.at));
            }
            EventBody::Answered { control, wait, answer, .. } => {
                self.controls = *control;
                let ask = self.asks.remove(wait).ok_or("the question was not asked")?;
                self.answered(&ask, answer)?;
                self.go_on();
            }
            EventBody::AnswerRefused { control, .. } => self.controls = *control,
            EventBody::RunWaiting { wait } => {
                self.status = wait.reason.status();
                // A run waits only once its driver has seen them. That it crashes again and again is told without a driver.
                if wait.reason != WaitReason::Crashes
                    && let Position::In(current) = &mut self.position
                    && current.children > 0
                {
                    current.know_children();
                }
                self.waiting = Some(wait.clone());
                self.waits_since = Some(event.at);
            }
            EventBody::RunContinued => self.go_on(),
            EventBody::PauseRequested { control, by } => {
                self.controls = *control;
                self.stopped_by.clone_from(by);
                self.pausing = true;
                self.go_on();
            }
            EventBody::RunPaused => {
                self.status = RunStatus::Paused;
                self.waits_since = Some(event.at);
            }
            EventBody::RunResumed { control, .. } => {
                self.controls = *control;
                self.stopped_by = None;
                self.pausing = false;
                self.waiting = None;
                self.status = RunStatus::Running;
            }
            EventBody::CancelRequested { control, by, at_once } => {
                self.controls = *control;
                self.stopped_by.clone_from(by);
                self.cancelling = true;
                self.killed |= at_once;
                self.go_on();
            }
            EventBody::RunEnding(ending) => self.begin_ending(ending, event.at)?,
            EventBody::RunCompleted { output, reason, .. } => {
                self.end(RunStatus::Completed, None, event.at)?;
                self.output.clone_from(output);
                self.reason.clone_from(reason);
            }
            EventBody::RunFailed { error } => {
                if self.ending.is_some() && self.cancelling {
                    self.cancel_stage(event.at)?;
                }
                self.end(RunStatus::Failed, Some(error), event.at)?;
            }
            EventBody::RunCancelled => {
                self.cancel_stage(event.at)?;
                self.end(RunStatus::Cancelled, None, event.at)?;
            }
        }
        Ok(())
    }

    fn current(&mut self, path: &NodePath) -> Result<&mut Current, &'static str> {
        match &mut self.position {
            Position::In(current) if current.stage == path.stage && self.iteration == path.iteration => {
                Ok(current)
            }
            _ => Err("its stage is not under way"),
        }
    }

    fn lane(&mut self, iteration: u32, stage: &StageId, lane: u32) -> Result<&mut LaneState, &'static str> {
        match &mut self.position {
            Position::In(current) if current.stage == *stage && self.iteration == iteration => {
                current.lanes.get_mut(lane as usize).ok_or("the stage has fewer lanes")
            }
            _ => Err("its stage is not under way"),
        }
    }

    /// The requests of the nodes of a lane that has ended are no longer needed.
    fn forget_asks_of(&mut self, lane: u32) {
        self.asks.retain(|_, ask| ask.path.as_ref().is_none_or(|path| path.lane != lane));
    }

    /// The requests of the nodes in the graph of an item that has failed are no longer needed.
    #[cold]
    fn forget_asks_in(&mut self, item: &NodePath) {
        let is_in = |path: &NodePath| path.lane == item.lane && path.owner().as_ref() == Some(item);
        self.asks.retain(|_, ask| !ask.path.as_ref().is_some_and(is_in));
    }

    /// A node ends: if it waits for a signal, it takes the oldest one. Returns whether there was one.
    fn take_signal(&mut self, path: &NodePath) -> Result<Option<bool>, &'static str> {
        let node = self.current(path)?.lane_of(path)?.known_mut(path);
        let Some(name) = node.and_then(|node| node.waits_for().cloned()) else { return Ok(None) };
        let taken = self.signals.as_mut().and_then(|signals| signals.take(&name));
        Ok(Some(taken.is_some()))
    }

    /// It no longer waits.
    fn go_on(&mut self) {
        if self.waiting.take().is_some() {
            self.status = RunStatus::Running;
        }
    }

    fn set(&mut self, set: Option<&IndexMap<String, Data>>) {
        for (name, value) in set.into_iter().flatten() {
            self.vars.insert(name.clone(), value.clone());
        }
    }
}

fn broken(event: &Event, reason: &'static str) -> Broken {
    Broken { seq: event.seq, kind: event.body.kind(), reason }
}
