//! What each event changes in the state of a run.

use std::iter;
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;

use super::ask::{Ask, Said};
use super::lane::{GraphState, ItemsState, LaneState, NodeState, Tried};
use super::render;
use super::state::{Current, MAX_LANES, OutputOf, Position, Session, StageResult, State};
use crate::data::Data;
use crate::event::{Event, EventBody, RunForked};
use crate::failure::Failure;
use crate::ids::{NodePath, StageId};
use crate::provider::Origin;
use crate::status::{RunStatus, StageStatus, WaitReason};
use crate::usage::{Spent, Usage};

impl State {
    pub(super) fn apply_body(&mut self, event: &Event) -> Result<(), &'static str> {
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
            EventBody::NodeStarted { path, items } => {
                let elements = items.elements().ok_or("the items are no array")?;
                let node = self.current(path)?.node_of_graph(path)?;
                node.status = StageStatus::Running;
                node.started_at = Some(event.at);
                node.items = Some(Box::new(ItemsState::new(elements)));
            }
            EventBody::NodeCompleted { path, output, set } => {
                self.current(path)?.end_node(path, StageStatus::Completed, output, event)?;
                self.set(set.as_deref());
            }
            EventBody::NodeSkipped { path } => {
                self.current(path)?.end_node(path, StageStatus::Skipped, &Data::NULL, event)?;
            }
            EventBody::NodeFailed { path, error } => {
                let current = self.current(path)?;
                // Also one that has succeeded, and whose `set` could not be resolved.
                let node = current.lane_of(path)?.node_mut(path)?;
                node.status = StageStatus::Failed;
                node.error = Some(error.clone());
                node.ended_at = Some(event.at);
                current.graph_of(path)?.failed += 1;
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
                usage,
                ran_until,
                output,
            } => {
                let ended = ran_until.as_deref().copied().unwrap_or(event.at);
                if self.current(path)?.lane_of(path)?.node_mut(path)?.status == StageStatus::Running {
                    let in_session = render::session(self, path).is_some();
                    let tried = self.spend_in_vain(path, usage.as_deref(), ended)?;
                    (tried.session_failed, tried.deaths) = (in_session, 0);
                }
                let current = self.current(path)?;
                if current.lane_of(path)?.node_mut(path)?.status == StageStatus::Running {
                    current.running(path, *attempt)?.output = output.as_deref().cloned().unwrap_or_default();
                }
                let node = current.lane_of(path)?.node_mut(path)?;
                (node.in_session, node.resumes) = (false, false);
                node.attempt = *attempt;
                node.error = Some(error.clone());
                node.retry_at = *retry_at;
                node.ended_at = Some(ended);
                node.failures += u32::from(!parked && !repair);
                node.repairs += u32::from(*repair);
                let now = if retry_at.is_some() { StageStatus::Retrying } else { StageStatus::Failed };
                let was = std::mem::replace(&mut node.status, now);
                current.retrying += u32::from(retry_at.is_some());
                current.retrying -= u32::from(was == StageStatus::Retrying);
                if retry_at.is_none() {
                    match &mut current.lane_of(path)?.graph {
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
            EventBody::AttemptInterrupted { path, attempt, ran_until, retry_at } => {
                let tried = self.spend_in_vain(path, None, ran_until.unwrap_or(event.at))?;
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
                self.end_stage(stage, StageStatus::Completed, *output_of, None, event.at)?;
                self.set(set.as_deref());
                self.position = Position::After(stage.clone(), None);
            }
            EventBody::StageFailed { iteration, stage, error, continues, output_of } => {
                if matches!(&self.position, Position::Asked { stage: asked, .. } if asked == stage) {
                    // A person did not agree, and nothing of it began.
                    self.begin_stage(*iteration, stage, 0, event.at);
                }
                self.end_stage(stage, StageStatus::Failed, *output_of, Some(error), event.at)?;
                if !self.failed_stages.contains(stage) {
                    self.failed_stages.push(stage.clone());
                }
                let ends = (!continues).then(|| error.clone());
                self.position = Position::After(stage.clone(), ends);
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
                self.asks.insert(event.seq, Ask::of_stage(*iteration, stage, question));
            }
            EventBody::NodeAsked { path, reason, question, schema } => {
                self.current(path)?.node(path)?.status = StageStatus::Waiting;
                self.asks.insert(event.seq, Ask::of_node(path, *reason, question, schema.as_ref()));
            }
            EventBody::Answered { control, wait, answer } => {
                self.controls = *control;
                let ask = self.asks.remove(wait).ok_or("nobody asked")?;
                self.answered(&ask, answer)?;
                self.go_on();
            }
            EventBody::AnswerRefused { control, .. } => self.controls = *control,
            EventBody::RunWaiting { wait } => {
                if wait.reason != WaitReason::Retry {
                    self.status = RunStatus::Paused;
                }
                self.waiting = Some(wait.clone());
            }
            EventBody::RunContinued => self.go_on(),
            EventBody::PauseRequested { control } => {
                self.controls = *control;
                self.pausing = true;
                self.go_on();
            }
            EventBody::RunPaused => self.status = RunStatus::Paused,
            EventBody::RunResumed { control } => {
                self.controls = *control;
                self.pausing = false;
                self.waiting = None;
                self.status = RunStatus::Running;
            }
            EventBody::CancelRequested { control, .. } => {
                self.controls = *control;
                self.cancelling = true;
                self.go_on();
            }
            EventBody::RunCompleted { .. } => self.end(RunStatus::Completed, None, event.at)?,
            EventBody::RunFailed { error } => self.end(RunStatus::Failed, Some(error), event.at)?,
            EventBody::RunCancelled => {
                if let Position::In(current) = &self.position {
                    let stage = current.stage.clone();
                    self.end_stage(&stage, StageStatus::Cancelled, None, None, event.at)?;
                    self.position = Position::After(stage, None);
                }
                self.asks.clear();
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

    fn begin_stage(&mut self, iteration: u32, stage: &StageId, lanes: usize, at: Timestamp) {
        self.iteration = iteration;
        // A stage comes once in an iteration, so that in the first it has used nothing.
        let before = if iteration > 1 { self.results.get(stage) } else { None };
        let spent = before.map(|result| result.spent).unwrap_or_default();
        self.position = Position::In(Current {
            stage: stage.clone(),
            started_at: at,
            lanes: iter::repeat_with(|| LaneState::UNSTARTED).take(lanes).collect(),
            running: 0,
            succeeded: 0,
            failed: 0,
            first: None,
            retrying: 0,
            spent,
        });
    }

    /// Makes a run of its own of what another one had come to.
    fn fork(&mut self, forked: &RunForked, at: Timestamp) -> Result<(), &'static str> {
        self.set(Some(&forked.vars));
        for (stage, output) in &forked.outputs {
            let result = self.results.get_mut(stage).ok_or("a stage has no output to be changed")?;
            result.status = StageStatus::Completed;
            result.error = None;
            result.output = OutputOf::Edited(output.clone());
            // It has not failed any more, so the run goes on after it.
            if let Position::After(ended, error) = &mut self.position
                && ended == stage
            {
                *error = None;
            }
        }
        self.forked = Some(Arc::new(forked.clone()));
        if let Some(seed) = forked.seed {
            let before = self.origin.iter().flat_map(|origin| origin.runs.iter().cloned());
            let runs = [(forked.from.clone(), seed)].into_iter().chain(before).collect();
            self.origin = Some(Arc::new(Origin { runs, worktree: forked.worktree.clone() }));
        }
        // A fork of a fork takes over what that one took over.
        self.inherited.add_all(std::mem::take(&mut self.spent));
        self.results.values_mut().for_each(|result| result.spent = Spent::default());
        self.warned.clear();
        if let Position::In(current) = &mut self.position {
            current.spent = Spent::default();
            current.lanes.iter_mut().for_each(LaneState::begin_spending);
        }
        self.status = RunStatus::Pending;
        (self.created_at, self.started_at) = (at, None);
        Ok(())
    }

    fn set_session(&mut self, path: &NodePath, session: Option<&Arc<str>>) -> Result<(), &'static str> {
        let node = self.current(path)?.lane_of(path)?.node_mut(path)?;
        node.session = session.cloned();
        node.in_session = session.is_some();
        node.resumes &= session.is_some();
        if let Some(tried) = &mut node.tried {
            tried.session_failed &= session.is_some();
        }
        if path.items.is_empty() {
            let node = (path.stage.clone(), path.lane, path.node.clone());
            match session {
                // What was used stays: a session that was forked off has used what the former has.
                Some(id) => {
                    let used = self.sessions.remove(&node).and_then(|before| before.used);
                    self.sessions.insert(node, Session { id: id.clone(), used });
                }
                None => drop(self.sessions.remove(&node)),
            }
        }
        Ok(())
    }

    /// Adds the attempt at `path` that ends at `at`, and tells how long it took, where it was not added before.
    fn spend(
        &mut self,
        path: &NodePath,
        usage: Option<&Usage>,
        at: Timestamp,
    ) -> Result<Option<u64>, &'static str> {
        let current = self.current(path)?;
        let took = current.lane_of(path)?.node_mut(path)?.took(at);
        if let Some(took) = took {
            current.spent.add(usage, took);
            self.spent.add(usage, took);
        }
        if let Some(usage) = usage.filter(|_| path.items.is_empty()) {
            let node = (path.stage.clone(), path.lane, path.node.clone());
            if let Some(session) = self.sessions.get_mut(&node) {
                session.used.get_or_insert_default().add(usage);
            }
        }
        Ok(took)
    }

    /// The same for an attempt that did not succeed, so that another may follow.
    fn spend_in_vain(
        &mut self,
        path: &NodePath,
        usage: Option<&Usage>,
        at: Timestamp,
    ) -> Result<&mut Tried, &'static str> {
        let took = self.spend(path, usage, at)?;
        let tried = self.current(path)?.lane_of(path)?.node_mut(path)?.tried.get_or_insert_default();
        if let Some(took) = took {
            tried.spent.add(usage, took);
        }
        Ok(tried)
    }

    /// What the nodes of a lane that has ended asked for is not wanted any more.
    fn forget_asks_of(&mut self, lane: u32) {
        self.asks.retain(|_, ask| ask.path.as_ref().is_none_or(|path| path.lane != lane));
    }

    /// It no longer waits.
    fn go_on(&mut self) {
        if self.waiting.take().is_some() {
            self.status = RunStatus::Running;
        }
    }

    fn answered(&mut self, ask: &Ask, answer: &Data) -> Result<(), &'static str> {
        let said = Said::read(ask.reason, answer).map_err(|_| "it is no answer to that")?;
        let Some(path) = &ask.path else {
            let Position::Asked { said: place, .. } = &mut self.position else {
                return Err("no stage is asked about");
            };
            *place = Some(said);
            return Ok(());
        };
        let current = self.current(path)?;
        let node = current.lane_of(path)?.node_mut(path)?;
        if node.status != StageStatus::Waiting {
            return Err("the node waits for no answer");
        }
        match said {
            Said::Agreed => node.approved = true,
            Said::Value(value) => {
                node.approved = true;
                node.output = value;
            }
            Said::Happened(_) => {
                node.status = StageStatus::Running;
                current.running += 1;
                if let Some(graph) = &mut current.lane_of(path)?.graph {
                    graph.running += 1;
                }
                return Ok(());
            }
            Said::RunsAgain { .. } => node.tried.iter_mut().for_each(|tried| tried.deaths = 0),
            Said::Disagreed(_) => {}
        }
        node.status = StageStatus::Pending;
        Ok(())
    }

    fn set(&mut self, set: Option<&IndexMap<String, Data>>) {
        for (name, value) in set.into_iter().flatten() {
            self.vars.insert(name.clone(), value.clone());
        }
    }

    fn skip_stage(&mut self, iteration: u32, stage: &StageId) {
        self.iteration = iteration;
        let result = self.results.entry(stage.clone()).or_insert(StageResult {
            iteration,
            status: StageStatus::Skipped,
            lanes: Vec::new(),
            output: OutputOf::Nothing,
            started_at: None,
            ended_at: None,
            error: None,
            spent: Spent::default(),
        });
        result.iteration = iteration;
        result.status = StageStatus::Skipped;
        self.position = Position::After(stage.clone(), None);
    }

    fn end_stage(
        &mut self,
        stage: &StageId,
        status: StageStatus,
        output_of: Option<u32>,
        error: Option<&Arc<Failure>>,
        at: Timestamp,
    ) -> Result<(), &'static str> {
        let Position::In(current) = std::mem::replace(&mut self.position, Position::Start) else {
            return Err("no stage is under way");
        };
        if current.stage != *stage {
            return Err("another stage is under way");
        }
        if current.running > 0 {
            return Err("the stage has running nodes");
        }
        // What its nodes asked for is not wanted any more.
        self.asks.clear();
        let mut lanes = current.lanes;
        lanes.iter_mut().for_each(LaneState::close);
        let output = match (status, output_of) {
            (StageStatus::Completed, Some(lane)) => OutputOf::Lane(lane as usize),
            (StageStatus::Completed, None) => OutputOf::AllLanes,
            (StageStatus::Failed, of) => OutputOf::in_vain(&lanes, of),
            _ => OutputOf::Nothing,
        };
        let result = StageResult {
            iteration: self.iteration,
            status,
            lanes,
            output,
            started_at: Some(current.started_at),
            ended_at: Some(at),
            error: error.cloned(),
            spent: current.spent,
        };
        self.results.insert(stage.clone(), result);
        Ok(())
    }

    fn end(
        &mut self,
        status: RunStatus,
        error: Option<&Arc<Failure>>,
        at: Timestamp,
    ) -> Result<(), &'static str> {
        if matches!(self.position, Position::In(_)) {
            return Err("a stage is under way");
        }
        self.status = status;
        self.error = error.cloned();
        self.completed_at = Some(at);
        Ok(())
    }
}

impl Current {
    fn lane_of(&mut self, path: &NodePath) -> Result<&mut LaneState, &'static str> {
        self.lanes.get_mut(path.lane as usize).ok_or("the stage has fewer lanes")
    }

    fn graph_of(&mut self, path: &NodePath) -> Result<&mut GraphState, &'static str> {
        self.lane_of(path)?.graph.as_deref_mut().ok_or("the lane has no graph")
    }

    /// A node that has not begun its next attempt.
    fn node(&mut self, path: &NodePath) -> Result<&mut NodeState, &'static str> {
        let node = self.lane_of(path)?.node_mut(path)?;
        match node.status {
            StageStatus::Running => Err("the node runs already"),
            StageStatus::Completed => Err("the node has succeeded already"),
            StageStatus::Skipped => Err("the node was skipped"),
            _ => Ok(node),
        }
    }

    fn node_of_graph(&mut self, path: &NodePath) -> Result<&mut NodeState, &'static str> {
        self.graph_of(path)?;
        self.node(path)
    }

    /// Ends a node that has no call of its own.
    fn end_node(
        &mut self,
        path: &NodePath,
        status: StageStatus,
        output: &Data,
        event: &Event,
    ) -> Result<(), &'static str> {
        self.graph_of(path)?;
        let lane = self.lane_of(path)?;
        let node = lane.node_mut(path)?;
        if node.has_ended() {
            return Err("the node has ended already");
        }
        node.end(status, output.clone(), event.at);
        // Their results are in the output now.
        node.items = None;
        lane.fold_item(path, event.seq);
        Ok(())
    }

    /// The node of `path` whose `attempt` ends with this event.
    fn running(&mut self, path: &NodePath, attempt: u32) -> Result<&mut NodeState, &'static str> {
        let lane = self.lanes.get_mut(path.lane as usize).ok_or("the stage has fewer lanes")?;
        let node = lane.node_mut(path)?;
        // A `foreach` is under way without a call.
        if node.status != StageStatus::Running || node.items.is_some() {
            return Err("the node does not run");
        }
        if node.attempt != attempt {
            return Err("another attempt of the node runs");
        }
        self.running -= 1;
        if let Some(graph) = &mut lane.graph {
            graph.running -= 1;
        }
        self.lane_of(path)?.node_mut(path)
    }
}
