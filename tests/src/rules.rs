//! The rules that the log of every run keeps, written down a second time: from the requirements,
//! with nothing of the machine in it but the words of its events.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use workflow_core::definition::{Exhausted, Mode, OnFailure, ParallelStrategy, Stage, Workflow};
use workflow_core::event::{Event, EventBody, RunCreated};
use workflow_core::expr::Condition;
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::ids::{NodePath, NodePathParts, StageId};

/// Checks the log of a run of `workflow`, which is resolved. The run need not have ended.
///
/// # Panics
///
/// At the first event that breaks a rule.
pub fn check(workflow: &Workflow, events: &[Event]) {
    let Some(EventBody::RunCreated(created)) = events.first().map(|event| &event.body) else {
        panic!("a log begins with run_created");
    };
    let mut log = Log::new(workflow, created);
    for (number, event) in (1..).zip(events) {
        assert_eq!(event.seq, number, "events are numbered without gaps");
        assert!(event.at >= log.now, "event {number} is older than the one before");
        assert_eq!(log.ended, None, "event {number} comes after the end");
        log.now = event.at;
        let described = || format!("event {number}: {:?}", event.body);
        if let Err(broken) = log.take(&event.body) {
            panic!("{broken}: {}", described());
        }
    }
}

#[allow(clippy::struct_excessive_bools, reason = "requests and what became of them are independent")]
struct Log<'a> {
    workflow: &'a Workflow,
    created: &'a RunCreated,
    now: Timestamp,
    /// Every node that was heard of.
    nodes: HashMap<NodePath, Node>,
    position: Position,
    iteration: u32,
    vars: Map<String, Value>,
    /// What conditions read about stages.
    stages: Map<String, Value>,
    /// The output of the last stage in this iteration.
    last_output: Option<Value>,
    failed_stages: Vec<StageId>,
    control: u64,
    started: bool,
    pausing: bool,
    paused: bool,
    cancelling: bool,
    ended: Option<&'static str>,
}

#[derive(Debug, Default)]
struct Node {
    attempt: u32,
    running: bool,
    succeeded: bool,
    failed: bool,
    /// Failures that count against the retries.
    failures: u32,
    /// Attempts that do not count.
    free: u32,
    retry_at: Option<Timestamp>,
    output: Value,
}

#[derive(Debug, PartialEq)]
enum Position {
    /// The stage is the next to start or to be skipped.
    Before(StageId),
    In(StageId),
    AfterLast,
    AfterIteration {
        done: bool,
    },
    /// A stage failed and the run is to fail.
    Failing,
}

type Checked = Result<(), &'static str>;

fn rule(kept: bool, broken: &'static str) -> Checked {
    if kept { Ok(()) } else { Err(broken) }
}

impl<'a> Log<'a> {
    fn new(workflow: &'a Workflow, created: &'a RunCreated) -> Self {
        Self {
            workflow,
            created,
            now: Timestamp::MIN,
            nodes: HashMap::new(),
            position: Position::Before(workflow.stages.keys().next().unwrap().clone()),
            iteration: 1,
            vars: created.vars.iter().map(|(name, value)| (name.clone(), value.value())).collect(),
            stages: Map::new(),
            last_output: None,
            failed_stages: Vec::new(),
            control: 0,
            started: false,
            pausing: false,
            paused: false,
            cancelling: false,
            ended: None,
        }
    }

    fn take(&mut self, body: &EventBody) -> Checked {
        match body {
            EventBody::RunCreated(_) => rule(self.now != Timestamp::MIN && !self.started, "created once"),
            EventBody::RunStarted => {
                rule(!self.started && self.may_go_on(), "a run starts once, and not while it is paused")?;
                self.started = true;
                Ok(())
            }
            EventBody::StageStarted { iteration, stage, lanes } => {
                rule(*lanes as usize == self.stage(stage).providers.len(), "a stage has its lanes")?;
                self.begin(*iteration, stage, true)
            }
            EventBody::StageSkipped { iteration, stage } => {
                self.begin(*iteration, stage, false)?;
                let known = self.stages.entry(stage.as_str()).or_insert_with(|| json!({}));
                known["status"] = json!("skipped");
                self.after(stage);
                Ok(())
            }
            EventBody::StageCompleted { stage, output_of, set, .. } => {
                self.complete(stage, *output_of)?;
                let set: Vec<_> = set.iter().flat_map(|set| set.iter()).collect();
                self.vars.extend(set.iter().map(|(name, value)| ((*name).clone(), value.value())));
                rule(set.len() == self.stage(stage).set.len(), "a completed stage sets its variables")?;
                self.after(stage);
                Ok(())
            }
            EventBody::StageFailed { stage, error, continues, .. } => {
                self.fail_stage(stage, error, *continues)
            }
            EventBody::IterationEnded { iteration, done, next } => {
                self.end_iteration(*iteration, *done, next.as_ref())
            }
            EventBody::RunCompleted { failed_stages } => {
                rule(*failed_stages == self.failed_stages, "a completed run names the stages that failed")?;
                let exhausted_completes = || {
                    let repeat = self.workflow.repeat.as_ref();
                    repeat.is_some_and(|repeat| repeat.on_exhausted == Exhausted::Complete)
                };
                let over = match self.position {
                    Position::AfterLast => self.workflow.repeat.is_none(),
                    Position::AfterIteration { done } => done || exhausted_completes(),
                    _ => false,
                };
                rule(over && !self.cancelling, "a run completes after its last stage")?;
                self.end("completed")
            }
            EventBody::RunFailed { error } => {
                let exhausted = error.class == FailureClass::LoopExhausted;
                let failed = match self.position {
                    Position::Failing => !exhausted,
                    Position::AfterIteration { done } => exhausted && !done,
                    _ => false,
                };
                rule(failed, "a run fails because a stage failed or its loop is exhausted")?;
                self.end("failed")
            }
            EventBody::RunCancelled => {
                rule(self.cancelling, "a run is cancelled because somebody asked for it")?;
                self.end("cancelled")
            }
            EventBody::PauseRequested { control } => {
                rule(!self.pausing && !self.cancelling, "a pause is asked for once")?;
                self.pausing = true;
                self.control(*control)
            }
            EventBody::RunPaused => {
                rule(self.pausing && !self.paused && !self.cancelling, "a pause follows its request")?;
                rule(self.running() == 0, "nothing runs in a paused run")?;
                self.paused = true;
                Ok(())
            }
            EventBody::RunResumed { control } => {
                rule(self.pausing && !self.cancelling, "what was paused is resumed")?;
                (self.pausing, self.paused) = (false, false);
                self.control(*control)
            }
            EventBody::CancelRequested { control, .. } => {
                self.cancelling = true;
                self.control(*control)
            }
            body => self.take_of_node(body),
        }
    }

    fn take_of_node(&mut self, body: &EventBody) -> Checked {
        match body {
            EventBody::NodeQueued { path, .. } => self.check_start(path),
            EventBody::AttemptStarted { path, attempt, .. } => {
                self.check_start(path)?;
                let now = self.now;
                let node = self.nodes.entry(path.clone()).or_default();
                rule(*attempt == node.attempt + 1, "attempts are counted from 1")?;
                rule(node.retry_at.is_none_or(|at| at <= now), "a retry waits for its time")?;
                node.attempt = *attempt;
                node.running = true;
                node.retry_at = None;
                let (made, free) = (node.attempt, node.free);
                rule(made <= 1 + self.most_retries(path) + free, "there are at most `retries` more attempts")
            }
            EventBody::SessionRecorded { path, attempt, .. } => self.ending(path, *attempt).map(|_| ()),
            EventBody::AttemptSucceeded { path, attempt, output, .. } => {
                let node = self.ending(path, *attempt)?;
                node.output = output.value();
                (node.running, node.succeeded) = (false, true);
                Ok(())
            }
            EventBody::AttemptFailed { path, attempt, error, retry_at, parked, .. } => {
                self.fail_attempt(path, *attempt, error, *retry_at, *parked)
            }
            EventBody::AttemptCancelled { path, attempt, .. } => {
                let won =
                    self.strategy(path) == Some(Strategy::Race) && self.count(|node| node.succeeded) > 0;
                rule(self.cancelling || won, "only what is not wanted any more is cancelled")?;
                self.ending(path, *attempt)?.running = false;
                Ok(())
            }
            EventBody::AttemptInterrupted { path, attempt } => {
                let node = self.ending(path, *attempt)?;
                node.running = false;
                node.free += 1;
                Ok(())
            }
            other => panic!("a kind of event without rules: {other:?}"),
        }
    }

    fn control(&mut self, number: u64) -> Checked {
        rule(number > self.control, "a control is obeyed once, and in order")?;
        self.control = number;
        Ok(())
    }

    fn may_go_on(&self) -> bool {
        !self.pausing && !self.cancelling
    }

    fn begin(&mut self, iteration: u32, stage: &StageId, runs: bool) -> Checked {
        rule(self.started && self.may_go_on(), "no stage starts in a run that is to pause or end")?;
        rule(self.position == Position::Before(stage.clone()), "stages run in their order")?;
        rule(self.iteration == iteration, "a stage belongs to its iteration")?;
        let document =
            json!({ "vars": self.vars, "stages": self.stages, "nodes": {}, "iteration": iteration });
        let when = self.stage(stage).when.as_ref();
        let wanted = when.is_none_or(|when| Condition::parse(when).unwrap().eval(&document));
        rule(wanted == runs, "a stage is skipped when its `when` is false, and only then")?;
        self.position = Position::In(stage.clone());
        self.last_output = None;
        Ok(())
    }

    /// A node may be queued or started.
    fn check_start(&self, path: &NodePath) -> Checked {
        rule(self.may_go_on(), "nothing starts in a run that is to pause or end")?;
        rule(self.position == Position::In(path.stage.clone()), "a node runs while its stage does")?;
        rule(path.iteration == self.iteration, "a node runs in its iteration")?;
        let node = self.nodes.get(path);
        rule(node.is_none_or(|node| !node.succeeded), "a recorded success never runs again")?;
        rule(node.is_none_or(|node| !node.failed), "what has failed for good never runs again")?;
        rule(node.is_none_or(|node| !node.running), "a node runs once at a time")?;
        let (failed, succeeded) = (self.count(|node| node.failed), self.count(|node| node.succeeded));
        match self.strategy(path) {
            Some(Strategy::Sequential) => {
                let before =
                    |lane| self.nodes.get(&NodePathParts { lane, ..NodePathParts::clone(path) }.into());
                let waits = (0..path.lane).any(|lane| before(lane).is_none_or(|node| !node.succeeded));
                rule(!waits, "a provider of a sequence waits for the one before")
            }
            Some(Strategy::All) => rule(failed == 0, "after a failure nothing new starts"),
            Some(Strategy::Race) => rule(succeeded == 0, "after a race is won nothing new starts"),
            Some(Strategy::Majority) => Ok(()),
            None => Err("a node belongs to a lane"),
        }
    }

    fn ending(&mut self, path: &NodePath, attempt: u32) -> Result<&mut Node, &'static str> {
        let node = self.nodes.get_mut(path).filter(|node| node.running && node.attempt == attempt);
        node.ok_or("what ends was started, and has not ended before")
    }

    fn fail_attempt(
        &mut self,
        path: &NodePath,
        attempt: u32,
        error: &Failure,
        retry_at: Option<Timestamp>,
        parked: bool,
    ) -> Checked {
        if !self.nodes.get(path).is_some_and(|node| node.running) {
            // It could not be started at all.
            self.check_start(path)?;
            rule(!error.class.is_retryable() && retry_at.is_none(), "what was refused is not tried again")?;
            self.nodes.entry(path.clone()).or_default().attempt += 1;
            self.nodes.entry(path.clone()).or_default().running = true;
        }
        let most = self.most_retries(path);
        let (failed, won) = (self.count(|node| node.failed), self.count(|node| node.succeeded));
        let closed = match self.strategy(path) {
            Some(Strategy::All) => failed > 0,
            Some(Strategy::Race) => won > 0,
            _ => false,
        };
        let node = self.ending(path, attempt)?;
        node.running = false;
        node.retry_at = retry_at;
        node.failed = retry_at.is_none();
        if parked {
            node.free += 1;
            return rule(
                error.class == FailureClass::RateLimited && retry_at.is_some(),
                "what is parked is over its quota, and knows until when",
            );
        }
        node.failures += 1;
        let retries = error.class.is_retryable() && node.failures <= most && !closed;
        rule(retries == retry_at.is_some(), "what may help is tried again, up to `retries` times")
    }

    fn complete(&mut self, stage: &StageId, output_of: Option<u32>) -> Checked {
        rule(self.position == Position::In(stage.clone()), "the stage that ends is the one under way")?;
        rule(self.running() == 0, "a stage ends when nothing of it runs any more")?;
        let spec = self.stage(stage);
        let lanes = spec.providers.len();
        let succeeded = |lane| self.lane(stage, lane).is_some_and(|node| node.succeeded);
        let output = match strategy(spec) {
            Strategy::Sequential => Some(lanes - 1),
            _ if lanes == 1 => Some(0),
            Strategy::Race => output_of.map(|lane| lane as usize).filter(|lane| succeeded(*lane)),
            Strategy::All | Strategy::Majority => None,
        };
        let well = match strategy(spec) {
            Strategy::Sequential | Strategy::All => (0..lanes).all(succeeded),
            Strategy::Race => output.is_some(),
            Strategy::Majority => self.majority(stage, spec) == Some(true),
        };
        rule(well, "a stage completes when its strategy is met")?;
        rule(output_of.map(|lane| lane as usize) == output, "the strategy says whose output counts")?;
        let output_of = |lane| self.lane(stage, lane).map(|node| node.output.clone()).unwrap_or_default();
        let output = match output {
            Some(lane) => output_of(lane),
            None => (0..lanes).map(output_of).collect(),
        };
        self.stages.insert(stage.to_string(), json!({ "status": "completed", "output": output }));
        self.last_output = Some(output);
        Ok(())
    }

    fn fail_stage(&mut self, stage: &StageId, error: &Failure, continues: bool) -> Checked {
        rule(self.position == Position::In(stage.clone()), "the stage that ends is the one under way")?;
        rule(self.running() == 0, "a stage ends when nothing of it runs any more")?;
        let spec = self.stage(stage);
        let lanes = spec.providers.len();
        let badly = match strategy(spec) {
            Strategy::Sequential | Strategy::All => self.count(|node| node.failed) > 0,
            Strategy::Race => self.count(|node| node.failed) == lanes,
            Strategy::Majority => self.majority(stage, spec) == Some(false),
        };
        let unset = error.class == FailureClass::Expression && !spec.set.is_empty();
        rule(badly || unset, "a stage fails when its strategy cannot be met")?;
        let on_failure = self.on_failure(spec);
        rule(continues == (on_failure == OnFailure::Continue), "`on_failure` says whether the run goes on")?;
        if !self.failed_stages.contains(stage) {
            self.failed_stages.push(stage.clone());
        }
        self.stages.insert(stage.to_string(), json!({ "status": "failed" }));
        if continues {
            self.after(stage);
        } else {
            self.position = Position::Failing;
        }
        Ok(())
    }

    /// Whether there is a majority; nothing while a lane can still change it.
    fn majority(&self, stage: &StageId, spec: &Stage) -> Option<bool> {
        let mut balance = 0i64;
        for (number, lane) in spec.providers.iter().enumerate() {
            let node = self.lane(stage, number).filter(|node| node.succeeded || node.failed)?;
            let weight = i64::from(lane.weight.unwrap());
            balance += if node.succeeded { weight } else { -weight };
        }
        Some(balance > 0)
    }

    fn end_iteration(&mut self, iteration: u32, done: bool, next: Option<&StageId>) -> Checked {
        rule(self.position == Position::AfterLast, "an iteration ends after its last stage")?;
        rule(iteration == self.iteration, "iterations are counted")?;
        let repeat = self.workflow.repeat.as_ref().ok_or("only a loop has iterations")?;
        let output = self.last_output.as_ref();
        let stop_when = Condition::parse(&repeat.stop_when).unwrap();
        let met = output.is_some_and(|output| stop_when.eval(output));
        rule(done == met, "`stop_when` reads the output of the last stage of the iteration")?;
        let least = self.workflow.stages.values().filter_map(|stage| stage.min_iterations).max();
        let ends = iteration >= repeat.max_iters || (met && iteration >= least.unwrap_or(0));
        let recommended = output.and_then(|output| output["recommended_next_stage"].as_str());
        let known = recommended.and_then(|name| self.workflow.stages.get_key_value(name));
        let expected = known.map(|(stage, _)| stage).or(repeat.fallback_next_stage.as_ref());
        rule(
            next == expected.filter(|_| !ends),
            "an iteration goes on where it is told to, or ends the loop",
        )?;
        self.position = match next {
            Some(stage) => Position::Before(stage.clone()),
            None => Position::AfterIteration { done },
        };
        self.iteration += u32::from(next.is_some());
        Ok(())
    }

    fn end(&mut self, how: &'static str) -> Checked {
        self.ended = Some(how);
        rule(self.running() == 0, "a run ends when nothing of it runs any more")
    }

    /// A stage is over and the run goes on.
    fn after(&mut self, stage: &StageId) {
        let number = self.workflow.stages.get_index_of(stage).unwrap();
        self.position = match self.workflow.stages.get_index(number + 1) {
            Some((next, _)) => Position::Before(next.clone()),
            None => Position::AfterLast,
        };
    }

    fn stage(&self, id: &StageId) -> &'a Stage {
        &self.workflow.stages[id]
    }

    fn on_failure(&self, stage: &Stage) -> OnFailure {
        self.created.on_failure.or(stage.on_failure).unwrap()
    }

    fn most_retries(&self, path: &NodePath) -> u32 {
        let stage = self.stage(&path.stage);
        if self.on_failure(stage) == OnFailure::Retry { stage.retries.unwrap() } else { 0 }
    }

    fn strategy(&self, path: &NodePath) -> Option<Strategy> {
        let stage = self.workflow.stages.get(&path.stage)?;
        ((path.lane as usize) < stage.providers.len()).then(|| strategy(stage))
    }

    fn lane(&self, stage: &StageId, lane: usize) -> Option<&Node> {
        let lane = u32::try_from(lane).unwrap();
        let node = "run".parse().unwrap();
        self.nodes.get(
            &NodePathParts { iteration: self.iteration, stage: stage.clone(), lane, node, items: Vec::new() }
                .into(),
        )
    }

    fn running(&self) -> usize {
        self.nodes.values().filter(|node| node.running).count()
    }

    /// How many nodes of the stage under way are like that.
    fn count(&self, like: impl Fn(&Node) -> bool) -> usize {
        let Position::In(stage) = &self.position else { return 0 };
        let here = |path: &NodePath| path.iteration == self.iteration && path.stage == *stage;
        self.nodes.iter().filter(|(path, node)| here(path) && like(node)).count()
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Strategy {
    Sequential,
    All,
    Race,
    Majority,
}

fn strategy(stage: &Stage) -> Strategy {
    match (stage.mode.unwrap(), stage.parallel_strategy.unwrap()) {
        (Mode::Sequential, _) => Strategy::Sequential,
        (Mode::Parallel, ParallelStrategy::All) => Strategy::All,
        (Mode::Parallel, ParallelStrategy::Race) => Strategy::Race,
        (Mode::Parallel, ParallelStrategy::Majority) => Strategy::Majority,
    }
}
