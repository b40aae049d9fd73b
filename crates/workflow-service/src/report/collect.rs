//! Collects the facts of a report from the events of a run, page by page.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;
use workflow_core::actor::Actor;
use workflow_core::data::Data;
use workflow_core::event::{Event, EventBody, LaneOutput, RunForked};
use workflow_core::failure::Failure;
use workflow_core::ids::{NodeId, NodePath, StageId};
use workflow_core::status::{RunStatus, StageStatus, WaitReason};
use workflow_core::usage::{Spent, Usage};

use super::calls::Calls;
use super::model::{
    AfterFailure, AttemptOutcome, Excerpt, ReportControl, ReportIteration, ReportQuestion, ReportStage,
};
use super::words::{between, digest, excerpt};

/// How many questions or requests a report has at most.
const MOST: usize = 500;

/// What was found in the events so far.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub calls: Calls,
    pub stages: IndexMap<(u32, StageId), ReportStage>,
    pub iterations: BTreeMap<u32, ReportIteration>,
    pub questions: IndexMap<u64, ReportQuestion>,
    pub controls: Vec<ReportControl>,
    pub waited_ms: u64,
    pub omitted: u64,
    /// How the run was going to end before the stages of `finally`.
    pub ending: Option<RunStatus>,
    waits_since: Option<Timestamp>,
    /// What runs used that nodes have started, until the attempt ends.
    of_runs: HashMap<NodePath, Spent>,
    outputs: Outputs,
}

/// The outputs of the stage that is under way.
#[derive(Debug, Default)]
struct Outputs {
    nodes: BTreeMap<u32, IndexMap<NodeId, Excerpt>>,
    of_lanes: BTreeMap<u32, LaneOutput>,
}

impl Collected {
    /// Adds the next event.
    pub(super) fn add(&mut self, event: &Event) {
        let at = event.at;
        self.waiting(&event.body, at);
        match &event.body {
            EventBody::RunForked(forked) => self.fork(forked, at),
            EventBody::StageStarted { iteration, stage, .. } => {
                self.outputs = Outputs::default();
                self.begin(*iteration, stage, at, StageStatus::Running);
            }
            EventBody::StageSkipped { iteration, stage } => {
                self.begin(*iteration, stage, at, StageStatus::Skipped);
            }
            EventBody::LaneCompleted { lane, output_of, .. } => {
                self.outputs.of_lanes.insert(*lane, output_of.clone());
            }
            EventBody::StageCompleted { iteration, stage, output_of, .. } => {
                self.end(*iteration, stage, at, None, *output_of);
            }
            EventBody::StageFailed { iteration, stage, error, continues, output_of } => {
                self.end(*iteration, stage, at, Some((error, *continues)), *output_of);
            }
            EventBody::IterationEnded { iteration, done, .. } => {
                if let Some(ended) = self.iterations.get_mut(iteration) {
                    ended.stop_when = Some(*done);
                }
            }
            EventBody::StageAsked { iteration, stage, question } => {
                self.asked(event.seq, at, WaitReason::Approval, format!("{iteration}/{stage}"), question);
            }
            EventBody::NodeAsked { path, reason, question, .. } => {
                self.asked(event.seq, at, *reason, path.to_string(), question);
            }
            EventBody::Answered { wait, answer, by, .. } => {
                if let Some(question) = self.questions.get_mut(wait) {
                    question.answer = Some(excerpt(answer));
                    question.answered_at = Some(at);
                    question.answered_by.clone_from(by);
                }
            }
            EventBody::PauseRequested { by, .. } => self.control(at, "pause", by.as_ref()),
            EventBody::RunResumed { by, .. } => self.control(at, "resume", by.as_ref()),
            EventBody::CancelRequested { at_once, by, .. } => {
                self.control(at, if *at_once { "kill" } else { "cancel" }, by.as_ref());
            }
            EventBody::RunEnding(ending) => self.ending = Some(ending.status),
            body => self.node(body, at),
        }
    }

    /// Adds an event of a node.
    fn node(&mut self, body: &EventBody, at: Timestamp) {
        match body {
            EventBody::NodeCompleted { path, output, .. } => self.output(path, output),
            // A node of items fails because one of them did.
            EventBody::NodeFailed { path, error, .. } if !self.calls.has_failed_item(path) => {
                self.calls.refused(path, 0, at, error);
            }
            EventBody::ChildStarted(child) => {
                let provider = format!("workflow {}", child.workflow).into();
                self.calls.started(&child.path, child.attempt, at, &provider, None);
            }
            EventBody::ChildEnded(child) => {
                self.of_runs.insert(child.path.clone(), child.spent);
            }
            EventBody::AttemptStarted { path, attempt, provider, role } => {
                self.calls.started(path, *attempt, at, provider, role.as_ref());
            }
            EventBody::AttemptSucceeded { path, attempt, output, usage, details, ran_until, .. } => {
                self.output(path, output);
                self.calls.commit(path, details.as_deref());
                let ended = ran_until.as_deref().copied().unwrap_or(at);
                let took =
                    self.calls.ended(path, *attempt, ended, AttemptOutcome::Succeeded, usage.as_deref());
                self.used(path, took, usage.as_deref());
            }
            EventBody::AttemptFailed {
                path,
                attempt,
                error,
                retry_at,
                parked,
                repair,
                continues: _,
                usage,
                ran_until,
                output,
            } => {
                if let Some(output) = output {
                    self.output(path, output);
                }
                self.calls.commit(path, error.details.as_ref());
                let ended = ran_until.as_deref().copied().unwrap_or(at);
                let took = self.calls.ended(path, *attempt, ended, AttemptOutcome::Failed, usage.as_deref());
                if took.is_some()
                    && let Some(stage) = self.stages.get_mut(&(path.iteration, path.stage.clone()))
                {
                    stage.failed_attempts += 1;
                }
                self.used(path, took, usage.as_deref());
                let then = match (retry_at, parked, repair) {
                    (_, _, true) => Some(AfterFailure::Repair),
                    (_, true, _) => Some(AfterFailure::WaitForQuota),
                    (Some(_), ..) => Some(AfterFailure::Retry),
                    (None, ..) => None,
                };
                if took.is_some() {
                    self.calls.failed(path, error, then, retry_at.as_deref().copied());
                } else {
                    self.calls.refused(path, *attempt, at, error);
                }
            }
            EventBody::AttemptCancelled { path, attempt, usage, ran_until } => {
                let ended = ran_until.unwrap_or(at);
                let took =
                    self.calls.ended(path, *attempt, ended, AttemptOutcome::Cancelled, usage.as_deref());
                self.used(path, took, usage.as_deref());
            }
            EventBody::AttemptInterrupted { path, attempt, ran_until, .. } => {
                let ended = ran_until.as_deref().copied().unwrap_or(at);
                let took = self.calls.ended(path, *attempt, ended, AttemptOutcome::Interrupted, None);
                self.used(path, took, None);
            }
            _ => {}
        }
    }

    /// The run is a fork, which begins here: another run has made the passes before. A pass or an iteration that is under
    /// way counts from here on.
    fn fork(&mut self, forked: &RunForked, at: Timestamp) {
        for (stage, output) in &forked.outputs {
            let mut passes = self.stages.values_mut().rev();
            if let Some(pass) = passes.find(|pass| pass.stage == *stage && pass.duration_ms.is_some()) {
                (pass.status, pass.error, pass.continued) = (StageStatus::Completed, None, false);
                (pass.output, pass.replaced) = (Some(excerpt(output)), true);
            }
        }
        for pass in self.stages.values_mut() {
            if pass.duration_ms.is_some() {
                pass.inherited = true;
            } else {
                (pass.started_at, pass.spent, pass.failed_attempts) = (at, Spent::default(), 0);
            }
        }
        for iteration in self.iterations.values_mut() {
            if iteration.stop_when.is_some() {
                iteration.inherited = true;
            } else {
                (iteration.started_at, iteration.spent) = (at, Spent::default());
            }
        }
        let stages = &self.stages;
        self.calls.fork(at, |path| {
            stages.get(&(path.iteration, path.stage.clone())).is_some_and(|pass| !pass.inherited)
        });
    }

    /// Counts the time in which the run waited.
    fn waiting(&mut self, body: &EventBody, at: Timestamp) {
        match body {
            EventBody::RunWaiting { .. } | EventBody::RunPaused => {
                self.waits_since.get_or_insert(at);
            }
            EventBody::RunContinued
            | EventBody::RunResumed { .. }
            | EventBody::Answered { .. }
            | EventBody::RunEnding(_)
            | EventBody::CancelRequested { .. } => {
                self.waited_ms += self.waits_since.take().map_or(0, |since| between(since, at));
            }
            _ => {}
        }
    }

    fn begin(&mut self, iteration: u32, stage: &StageId, at: Timestamp, status: StageStatus) {
        let begun = ReportStage {
            stage: stage.clone(),
            iteration,
            status,
            finally: self.ending.is_some(),
            inherited: false,
            replaced: false,
            started_at: at,
            duration_ms: (status == StageStatus::Skipped).then_some(0),
            spent: Spent::default(),
            failed_attempts: 0,
            output: None,
            error: None,
            continued: false,
        };
        self.stages.insert((iteration, stage.clone()), begun);
        self.iterations.entry(iteration).or_insert_with(|| ReportIteration {
            iteration,
            inherited: false,
            started_at: at,
            duration_ms: None,
            spent: Spent::default(),
            stop_when: None,
        });
    }

    fn end(
        &mut self,
        iteration: u32,
        stage: &StageId,
        at: Timestamp,
        error: Option<(&Arc<Failure>, bool)>,
        output_of: Option<u32>,
    ) {
        let output = self.outputs.of_stage(output_of);
        if let Some(ended) = self.stages.get_mut(&(iteration, stage.clone())) {
            ended.status = if error.is_some() { StageStatus::Failed } else { StageStatus::Completed };
            ended.duration_ms = Some(between(ended.started_at, at));
            ended.output = output;
            ended.continued = error.is_some_and(|(_, continues)| continues);
            ended.error = error.map(|(error, _)| error.clone());
        }
        if let Some(under_way) = self.iterations.get_mut(&iteration) {
            under_way.duration_ms = Some(between(under_way.started_at, at));
        }
    }

    fn output(&mut self, path: &NodePath, output: &Data) {
        // The outputs of items are in that of their node.
        if path.items.is_empty() {
            self.outputs.nodes.entry(path.lane).or_default().insert(path.node.clone(), excerpt(output));
        }
    }

    /// Adds an attempt to what its stage and its iteration used.
    fn used(&mut self, path: &NodePath, took: Option<u64>, usage: Option<&Usage>) {
        let Some(took) = took else { return };
        let mut spent = Spent::default();
        match self.of_runs.remove(path) {
            Some(of_run) => spent = of_run,
            None => spent.add(usage, took),
        }
        if let Some(stage) = self.stages.get_mut(&(path.iteration, path.stage.clone())) {
            stage.spent.add_all(spent);
        }
        if let Some(iteration) = self.iterations.get_mut(&path.iteration) {
            iteration.spent.add_all(spent);
        }
    }

    fn asked(&mut self, wait: u64, at: Timestamp, reason: WaitReason, place: String, question: &str) {
        if self.questions.len() >= MOST {
            self.omitted += 1;
            return;
        }
        let question = question.to_owned();
        let asked = ReportQuestion {
            wait,
            reason,
            place,
            question,
            asked_at: at,
            answer: None,
            answered_at: None,
            answered_by: None,
        };
        self.questions.insert(wait, asked);
    }

    fn control(&mut self, at: Timestamp, request: &str, by: Option<&Arc<Actor>>) {
        if self.controls.len() >= MOST {
            self.omitted += 1;
        } else {
            self.controls.push(ReportControl { at, request: request.to_owned(), by: by.cloned() });
        }
    }
}

impl Outputs {
    /// The output of the stage: of one lane, or of all.
    fn of_stage(&self, output_of: Option<u32>) -> Option<Excerpt> {
        let lanes = self.nodes.keys().filter(|lane| output_of.is_none_or(|only| only == **lane));
        let mut outputs: Vec<_> = lanes.filter_map(|lane| self.of_lane(*lane)).collect();
        if outputs.len() < 2 {
            return outputs.pop();
        }
        let texts: Vec<_> =
            outputs.iter().enumerate().map(|(lane, output)| format!("[{lane}] {}", output.text)).collect();
        let truncated = outputs.iter().any(|output| output.truncated);
        let digests: Vec<_> = outputs.iter().map(|output| output.digest).collect();
        Some(Excerpt { text: texts.join("\n"), truncated, digest: digest(&digests) })
    }

    fn of_lane(&self, lane: u32) -> Option<Excerpt> {
        let nodes = self.nodes.get(&lane)?;
        match self.of_lanes.get(&lane) {
            Some(LaneOutput::Node(node)) => nodes.get(node).cloned(),
            Some(LaneOutput::Nodes(ids)) => {
                let outputs = || ids.iter().filter_map(|id| Some((id, nodes.get(id)?)));
                let texts: Vec<_> = outputs().map(|(id, output)| format!("{id}: {}", output.text)).collect();
                Some(Excerpt {
                    text: texts.join("\n"),
                    truncated: outputs().any(|(_, output)| output.truncated),
                    digest: digest(&outputs().map(|(_, output)| output.digest).collect::<Vec<_>>()),
                })
            }
            // A lane without a graph has one node.
            None => nodes.values().last().cloned(),
        }
    }
}
