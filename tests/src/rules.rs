//! The rules that the log of every run keeps, written down a second time: from the requirements,
//! with nothing of the machine in it but the words of its events.

mod budgets;
mod changes;
mod graph;
mod lane;
mod persons;
mod stages;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use workflow_core::bundle::Bundle;
use workflow_core::definition::{Exhausted, OnFailure, Stage, Workflow};
use workflow_core::event::{BudgetLimit, Event, EventBody, RunCreated};
use workflow_core::expr::Condition;
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::ids::{NodePath, RoleId, StageId};
use workflow_core::usage::{Spent, Usage};

use self::graph::Graph;
use self::lane::Lane;
use self::persons::{Ask, Said, Waiting};
use self::stages::{Strategy, strategy};

/// Checks the log of a run of `bundle`. The run need not have ended.
///
/// # Panics
///
/// At the first event that breaks a rule.
pub fn check(bundle: &Bundle, events: &[Event]) {
    let Some(EventBody::RunCreated(created)) = events.first().map(|event| &event.body) else {
        panic!("a log begins with run_created");
    };
    let mut log = Log::new(bundle, created);
    let is_fork = |event: &Event| matches!(event.body, EventBody::RunForked(_));
    log.forked = events.iter().rfind(|event| is_fork(event)).map_or(0, |event| event.seq);
    for (number, event) in (1..).zip(events) {
        assert_eq!(event.seq, number, "events are numbered without gaps");
        assert!(event.at >= log.now, "event {number} is older than the one before");
        assert_eq!(log.ended, None, "event {number} comes after the end");
        (log.now, log.seq) = (event.at, event.seq);
        let described = || format!("event {number}: {:?}", event.body);
        if let Err(broken) = log.take(&event.body) {
            panic!("{broken}: {}", described());
        }
    }
}

#[allow(clippy::struct_excessive_bools, reason = "requests and what became of them are independent")]
struct Log<'a> {
    bundle: &'a Bundle,
    workflow: &'a Workflow,
    created: &'a RunCreated,
    /// The graphs of the stages that have one.
    graphs: HashMap<StageId, Graph<'a>>,
    /// The lanes of the stage under way.
    lanes: Vec<Lane>,
    now: Timestamp,
    seq: u64,
    /// The event up to which all is taken over from another run; 0 when nothing is.
    forked: u64,
    /// Every node that was heard of.
    nodes: HashMap<NodePath, Node>,
    position: Position,
    /// The stage that has ended and after which the run goes on.
    left: Option<StageId>,
    iteration: u32,
    vars: Map<String, Value>,
    /// What conditions read about stages.
    stages: Map<String, Value>,
    /// The output of the last stage in this iteration.
    last_output: Option<Value>,
    failed_stages: Vec<StageId>,
    /// What persons are asked, by the numbers of the events.
    asks: BTreeMap<u64, Ask>,
    /// What a person said of the stage that is about to start.
    said: Said,
    /// Whether the run waits, and until when.
    waiting: Waiting,
    /// What was used, of the run and of each stage.
    spent: HashMap<Option<StageId>, Spent>,
    warned: BTreeSet<(Option<StageId>, BudgetLimit)>,
    control: u64,
    started: bool,
    pausing: bool,
    paused: bool,
    cancelling: bool,
    ended: Option<&'static str>,
}

#[allow(clippy::struct_excessive_bools, reason = "what was heard of a node, in the words of the log")]
#[derive(Debug, Default)]
struct Node {
    attempt: u32,
    queued: bool,
    running: bool,
    succeeded: bool,
    skipped: bool,
    failed: bool,
    role: Option<RoleId>,
    /// Of a `foreach` that has started.
    items: Option<Vec<Value>>,
    repairs: u32,
    /// When the attempt began whose time is not counted yet.
    since: Option<Timestamp>,
    interrupted: bool,
    /// Whether a person is asked about it.
    asked: bool,
    /// What a person said.
    agreed: bool,
    refused: bool,
    answer: Option<Value>,
    /// Failures that count against the retries.
    failures: u32,
    /// Attempts that do not count.
    free: u32,
    retry_at: Option<Timestamp>,
    output: Value,
}

impl Node {
    fn has_ended(&self) -> bool {
        self.succeeded || self.skipped || self.failed
    }
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
    fn new(bundle: &'a Bundle, created: &'a RunCreated) -> Self {
        let workflow = &bundle.workflow;
        let graphs = bundle.profiles.iter().map(|(stage, profile)| (stage.clone(), Graph::new(profile)));
        Self {
            bundle,
            workflow,
            created,
            graphs: graphs.collect(),
            lanes: Vec::new(),
            now: Timestamp::MIN,
            seq: 0,
            forked: 0,
            nodes: HashMap::new(),
            position: Position::Before(workflow.stages.keys().next().unwrap().clone()),
            left: None,
            iteration: 1,
            vars: created.vars.iter().map(|(name, value)| (name.clone(), value.value())).collect(),
            stages: Map::new(),
            last_output: None,
            failed_stages: Vec::new(),
            asks: BTreeMap::new(),
            said: Said::Nothing,
            waiting: None,
            spent: HashMap::new(),
            warned: BTreeSet::new(),
            control: 0,
            started: false,
            pausing: false,
            paused: false,
            cancelling: false,
            ended: None,
        }
    }

    fn take(&mut self, body: &'a EventBody) -> Checked {
        match body {
            EventBody::RunCreated(_) => rule(self.now != Timestamp::MIN && !self.started, "created once"),
            EventBody::RunStarted => {
                rule(!self.started && self.may_go_on(), "a run starts once, and not while it is paused")?;
                self.started = true;
                Ok(())
            }
            EventBody::StageStarted { iteration, stage, lanes } => {
                rule(*lanes as usize == self.stage(stage).providers.len(), "a stage has its lanes")?;
                self.begin(*iteration, stage, true)?;
                self.lanes = std::iter::repeat_with(Lane::default).take(*lanes as usize).collect();
                Ok(())
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
                (self.pausing, self.waiting) = (true, None);
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
                (self.cancelling, self.waiting) = (true, None);
                self.control(*control)
            }
            body => self.take_of_node(body),
        }
    }

    fn take_of_node(&mut self, body: &'a EventBody) -> Checked {
        match body {
            EventBody::NodeQueued { path, .. } => {
                self.check_start(path)?;
                let node = self.nodes.entry(path.clone()).or_default();
                rule(!node.queued, "a node waits once for a place")?;
                node.queued = true;
                Ok(())
            }
            EventBody::AttemptStarted { path, attempt, role, .. } => {
                self.check_start(path)?;
                self.check_call_agreed(path)?;
                self.check_budgets(path)?;
                let now = self.now;
                let node = self.nodes.entry(path.clone()).or_default();
                rule(*attempt == node.attempt + 1, "attempts are counted from 1")?;
                rule(node.retry_at.is_none_or(|at| at <= now), "a retry waits for its time")?;
                node.attempt = *attempt;
                (node.running, node.queued) = (true, false);
                (node.retry_at, node.since, node.interrupted) = (None, Some(now), false);
                node.role.clone_from(role);
                let (made, free) = (node.attempt, node.free);
                rule(made <= 1 + self.most_retries(path) + free, "there are at most `retries` more attempts")
            }
            EventBody::SessionRecorded { path, attempt, .. } => self.ending(path, *attempt).map(|_| ()),
            EventBody::AttemptSucceeded { path, attempt, output, set, usage } => {
                let set = set.iter().flat_map(|set| set.iter());
                let set: Vec<_> = set.map(|(name, value)| (name.clone(), value.value())).collect();
                // None where they could not be told, or the result is not wanted any more.
                rule(set.is_empty() || set.len() == self.sets(path), "a node sets its variables")?;
                rule(set.is_empty() || !self.is_unwanted(path), "what is not wanted sets no variables")?;
                self.vars.extend(set);
                let node = self.ends(path, *attempt, usage.as_deref())?;
                node.output = output.value();
                (node.running, node.succeeded) = (false, true);
                if !self.graphs.contains_key(&path.stage) {
                    let lane = &mut self.lanes[path.lane as usize];
                    (lane.succeeded, lane.output) = (true, output.value());
                }
                Ok(())
            }
            EventBody::AttemptFailed { path, attempt, error, retry_at, parked, repair, usage } => {
                let refused = self.begins_and_fails(path, error, *retry_at)?;
                if !refused {
                    self.ends(path, *attempt, usage.as_deref())?;
                }
                self.fail_attempt(path, *attempt, error, *retry_at, (*parked, *repair))
            }
            EventBody::AttemptCancelled { path, attempt, usage } => {
                rule(self.is_unwanted(path), "only what is not wanted any more is cancelled")?;
                self.ends(path, *attempt, usage.as_deref())?.running = false;
                Ok(())
            }
            EventBody::AttemptInterrupted { path, attempt } => {
                let node = self.ends(path, *attempt, None)?;
                (node.running, node.interrupted) = (false, true);
                node.free += 1;
                Ok(())
            }
            other => self.take_of_graph(other),
        }
    }

    fn control(&mut self, number: u64) -> Checked {
        if self.seq < self.forked {
            return rule(number == 0, "what another run was told is not a control of this one");
        }
        rule(number > self.control, "a control is obeyed once, and in order")?;
        self.control = number;
        Ok(())
    }

    /// Whether something may begin: what a person said is taken in also while the run is to pause.
    fn may_go_on_at(&self, path: &NodePath) -> bool {
        let said = |node: &Node| node.refused || node.answer.is_some();
        self.may_go_on() || (!self.cancelling && self.nodes.get(path).is_some_and(said))
    }

    fn may_go_on(&self) -> bool {
        !self.pausing && !self.cancelling && !self.is_waiting()
    }

    fn begin(&mut self, iteration: u32, stage: &StageId, runs: bool) -> Checked {
        self.check_begins(iteration, stage, runs)?;
        let agreed = self.said == Said::Agreed;
        rule(!runs || self.is_asked_of(stage) == agreed, "a stage starts when a person has said so")?;
        self.position = Position::In(stage.clone());
        self.left = None;
        self.last_output = None;
        Ok(())
    }

    /// A stage may begin, or be skipped.
    fn check_begins(&self, iteration: u32, stage: &StageId, runs: bool) -> Checked {
        rule(self.started && self.may_go_on(), "no stage starts in a run that is to pause or end")?;
        rule(self.position == Position::Before(stage.clone()), "stages run in their order")?;
        rule(self.iteration == iteration, "a stage belongs to its iteration")?;
        let document =
            json!({ "vars": self.vars, "stages": self.stages, "nodes": {}, "iteration": iteration });
        let when = self.stage(stage).when.as_ref();
        let wanted = when.is_none_or(|when| Condition::parse(when).unwrap().eval(&document));
        rule(wanted == runs, "a stage is skipped when its `when` is false, and only then")
    }

    /// A node may be queued or started.
    fn check_start(&self, path: &NodePath) -> Checked {
        rule(self.may_go_on_at(path), "nothing starts in a run that is to pause or end")?;
        self.check_agreed(path)?;
        rule(self.position == Position::In(path.stage.clone()), "a node runs while its stage does")?;
        rule(path.iteration == self.iteration, "a node runs in its iteration")?;
        let node = self.nodes.get(path);
        rule(node.is_none_or(|node| !node.succeeded), "a recorded success never runs again")?;
        rule(node.is_none_or(|node| !node.failed), "what has failed for good never runs again")?;
        rule(node.is_none_or(|node| !node.skipped), "what was skipped never runs")?;
        rule(node.is_none_or(|node| !node.running), "a node runs once at a time")?;
        self.check_lane(path.lane)?;
        if self.graphs.contains_key(&path.stage) {
            self.check_in_lane(path)?;
            return self.check_wanted(path);
        }
        rule(path.node.as_str() == "run" && path.items.is_empty(), "a stage without a graph has one node")
    }

    /// Whether results no longer count where `path` is.
    fn is_unwanted(&self, path: &NodePath) -> bool {
        let races = strategy(self.stage(&path.stage)) == Strategy::Race;
        self.cancelling || (races && self.lanes.iter().any(|lane| lane.succeeded))
    }

    /// An attempt ends, and what it used counts.
    fn ends(
        &mut self,
        path: &NodePath,
        attempt: u32,
        usage: Option<&Usage>,
    ) -> Result<&mut Node, &'static str> {
        let since = self.ending(path, attempt)?.since.take();
        self.spend(path, since, usage);
        self.ending(path, attempt)
    }

    fn ending(&mut self, path: &NodePath, attempt: u32) -> Result<&mut Node, &'static str> {
        let node = self.nodes.get_mut(path).filter(|node| node.running && node.attempt == attempt);
        node.ok_or("what ends was started, and has not ended before")
    }

    /// Takes in that an attempt could not be started at all, where that is so.
    fn begins_and_fails(
        &mut self,
        path: &NodePath,
        error: &Failure,
        retry_at: Option<Timestamp>,
    ) -> Result<bool, &'static str> {
        let node = self.nodes.get(path);
        if node.is_some_and(|node| node.running) {
            return Ok(false);
        }
        let refused = node.is_some_and(|node| node.refused);
        rule(refused == (error.class == FailureClass::Rejected), "what a person is against fails so")?;
        self.check_start(path)?;
        rule(!error.class.is_retryable() && retry_at.is_none(), "what was refused is not tried again")?;
        let node = self.nodes.entry(path.clone()).or_default();
        node.attempt += 1;
        node.running = true;
        Ok(true)
    }

    fn fail_attempt(
        &mut self,
        path: &NodePath,
        attempt: u32,
        error: &Failure,
        retry_at: Option<Timestamp>,
        (parked, repair): (bool, bool),
    ) -> Checked {
        let now = self.now;
        let closed =
            self.check_lane(path.lane).is_err() || self.of_lane(path.lane).any(|(_, node)| node.failed);
        let role = self.nodes.get(path).and_then(|node| node.role.as_ref());
        let stage = self.stage(&path.stage);
        let form = match self.graphs.get(&path.stage) {
            Some(graph) => graph.form(path, role, stage, self.bundle),
            None => graph::form_of_stage(stage, role, self.bundle),
        };
        let most = self.most_retries(path);
        let node = self.ending(path, attempt)?;
        node.running = false;
        node.retry_at = retry_at;
        node.failed = retry_at.is_none();
        let mended = error.class == FailureClass::InvalidOutput
            && !closed
            && form.is_some_and(|form| node.repairs < form.repairs);
        rule(repair == mended, "a wrong output goes back to its provider, a bounded number of times")?;
        if repair {
            node.free += 1;
            node.repairs += 1;
            return rule(retry_at == Some(now), "what goes back goes back at once");
        }
        if parked {
            node.free += 1;
            return rule(
                error.class == FailureClass::RateLimited && retry_at.is_some(),
                "what is parked is over its quota, and knows until when",
            );
        }
        node.failures += 1;
        let retries = error.class.is_retryable() && node.failures <= most && !closed;
        if retry_at.is_none() && !self.graphs.contains_key(&path.stage) {
            self.lanes[path.lane as usize].failed = true;
        }
        rule(retries == retry_at.is_some(), "what may help is tried again, up to `retries` times")
    }

    fn end(&mut self, how: &'static str) -> Checked {
        self.ended = Some(how);
        rule(self.running() == 0, "a run ends when nothing of it runs any more")
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

    fn running(&self) -> usize {
        self.nodes.values().filter(|node| node.running).count()
    }
}
