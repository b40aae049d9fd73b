//! The rules that every run's log must follow, as a second implementation: from the requirements, using only
//! the event types of the machine.

mod attempts;
mod budgets;
mod changes;
mod children;
mod finally;
mod graph;
mod items;
mod lane;
mod loops;
mod persons;
mod sessions;
mod stages;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use workflow_core::bundle::Bundle;
use workflow_core::definition::{EndStatus, OnFailure, Stage, Workflow};
use workflow_core::event::{BudgetLimit, Event, EventBody, RunCreated, RunEnding};
use workflow_core::expr::{Condition, ValueTemplate};
use workflow_core::failure::Failure;
use workflow_core::ids::{NodePath, RoleId, RunId, StageId};
use workflow_core::status::RunStatus;

use self::budgets::Spending;
use self::graph::Graph;
use self::lane::Lane;
use self::persons::{Ask, Said, Waiting};
use self::sessions::Sessions;
pub use self::sessions::{continues, resumes, session};
use self::stages::{Strategy, strategy};

/// Checks the log of a run of `bundle`. The run need not have ended.
///
/// # Panics
///
/// At the first event that breaks a rule.
pub fn check(bundle: &Bundle, events: &[Event]) {
    if let Err(broken) = keeps(bundle, events, Reading { clocks: true, expressions: true, current: true }) {
        panic!("{broken}");
    }
}

/// What is known about a log.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Times of different events can be compared: all of its drivers had the same clock.
    pub clocks: bool,
    /// Expressions name nodes as `nodes.x`, and use only the status and the output of stages.
    pub expressions: bool,
    /// This version wrote it: earlier ones counted a refused call as an attempt, and warned of budgets that
    /// were used up.
    pub current: bool,
}

/// Checks the rules that apply to the log of a run of `bundle`, given what is known about it.
///
/// # Errors
///
/// The first event that breaks a rule, and the rule.
pub fn keeps(bundle: &Bundle, events: &[Event], reading: Reading) -> Result<(), String> {
    let Some(EventBody::RunCreated(created)) = events.first().map(|event| &event.body) else {
        return Err("a log begins with run_created".to_owned());
    };
    let mut log = Log { reading, ..Log::new(bundle, created) };
    let is_fork = |event: &Event| matches!(event.body, EventBody::RunForked(_));
    log.forked = events.iter().rfind(|event| is_fork(event)).map_or(0, |event| event.seq);
    for (number, event) in (1..).zip(events) {
        let broken = |rule: &str| Err(format!("{rule}: event {number}: {:?}", event.body));
        if event.seq != number {
            return broken("events are numbered without gaps");
        }
        if reading.clocks && event.at < log.now {
            return broken("no event is older than the one before");
        }
        if log.ended.is_some() {
            return broken("no event follows the end");
        }
        (log.now, log.seq) = (event.at, event.seq);
        if let Err(rule) = log.take(&event.body) {
            return broken(rule);
        }
        log.sessions.take(&event.body);
    }
    Ok(())
}

#[allow(clippy::struct_excessive_bools, reason = "requests and their outcomes are independent")]
struct Log<'a> {
    bundle: &'a Bundle,
    workflow: &'a Workflow,
    created: &'a RunCreated,
    /// The graphs of the stages that have one.
    graphs: HashMap<StageId, Graph<'a>>,
    /// The lanes of the current stage.
    lanes: Vec<Lane>,
    now: Timestamp,
    reading: Reading,
    seq: u64,
    /// The event up to which all was copied from another run; 0 for none.
    forked: u64,
    /// Every node that has events.
    nodes: HashMap<NodePath, Node>,
    position: Position,
    /// The stage that has ended and after which the run continues.
    left: Option<StageId>,
    /// The stages that have ended in this iteration.
    passed: BTreeSet<StageId>,
    iteration: u32,
    vars: Map<String, Value>,
    /// The stages as conditions read them.
    stages: Map<String, Value>,
    /// The output of the last stage in this iteration.
    last_output: Option<Value>,
    failed_stages: Vec<StageId>,
    /// How the run ends, once a stage has ended it early.
    ending: Option<EndStatus>,
    /// The output that the node says that ended it.
    own_output: Option<Value>,
    /// The open questions, by the numbers of their events.
    asks: BTreeMap<u64, Ask>,
    /// The signals that no node has taken, and the ids of all.
    signals: Vec<(Box<str>, Value)>,
    signal_ids: BTreeSet<Box<str>>,
    /// A person's answer about the next stage.
    said: Said,
    /// Whether the run waits, and until when.
    waiting: Waiting,
    spending: Spending,
    sessions: Sessions,
    warned: BTreeSet<(Option<StageId>, BudgetLimit)>,
    control: u64,
    started: bool,
    pausing: bool,
    paused: bool,
    /// It was left to a person after crashes, and not resumed.
    crashed: bool,
    cancelling: bool,
    /// It ends without the stages of `finally`.
    killed: bool,
    /// How it ends after the stages of `finally`, once these can run.
    finally: Option<RunEnding>,
    /// The stage of `finally` because of whose failure it fails.
    failed_last: Option<StageId>,
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
    /// Whether its lane continues although it has failed.
    passed: bool,
    /// Whether its failure is that its call was refused.
    unmade: bool,
    error: Option<Arc<Failure>>,
    role: Option<RoleId>,
    /// Of a `foreach` that has started.
    items: Option<Vec<Value>>,
    /// Of a loop: how many iterations have begun.
    iterations: u32,
    repairs: u32,
    /// When the attempt began whose time is not counted yet.
    since: Option<Timestamp>,
    interrupted: bool,
    /// How many attempts in a row were interrupted by a death of their driver.
    deaths: u32,
    /// Whether a person is asked about it.
    asked: bool,
    /// Whether a person agreed.
    agreed: bool,
    refused: bool,
    answer: Option<Value>,
    /// Failures that count as retries.
    failures: u32,
    /// Attempts that do not count.
    free: u32,
    /// When it is tried again; until when it waits.
    retry_at: Option<Timestamp>,
    /// Whether it waits for a time or a signal.
    waits: bool,
    /// The signal that it waits for.
    signal: Option<Arc<str>>,
    /// The run that its last attempt has started, and whether that has ended.
    child: Option<(RunId, bool)>,
    output: Value,
}

impl Node {
    fn has_ended(&self) -> bool {
        self.succeeded || self.skipped || self.failed
    }

    /// Whether its lane fails because of it.
    fn fails_lane(&self) -> bool {
        self.failed && !self.passed
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
    /// The stage failed and the run is going to fail.
    Failing(StageId),
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
            reading: Reading { clocks: true, expressions: true, current: true },
            seq: 0,
            forked: 0,
            nodes: HashMap::new(),
            position: Position::Before(workflow.stages.keys().next().unwrap().clone()),
            left: None,
            passed: BTreeSet::new(),
            iteration: 1,
            vars: created.vars.iter().map(|(name, value)| (name.clone(), value.value())).collect(),
            stages: Map::new(),
            last_output: None,
            failed_stages: Vec::new(),
            ending: None,
            own_output: None,
            asks: BTreeMap::new(),
            signals: Vec::new(),
            signal_ids: BTreeSet::new(),
            said: Said::Nothing,
            waiting: None,
            spending: Spending::default(),
            sessions: Sessions::default(),
            warned: BTreeSet::new(),
            control: 0,
            started: false,
            pausing: false,
            paused: false,
            crashed: false,
            cancelling: false,
            killed: false,
            finally: None,
            failed_last: None,
            ended: None,
        }
    }

    fn take(&mut self, body: &'a EventBody) -> Checked {
        let is_next = matches!(
            body,
            EventBody::StageStarted { .. }
                | EventBody::StageSkipped { .. }
                | EventBody::StageAsked { .. }
                | EventBody::IterationEnded { .. }
                | EventBody::RunEnding(_)
                | EventBody::RunCompleted { .. }
                | EventBody::RunFailed { .. }
        );
        if is_next && self.reading.expressions && self.finally.is_none() {
            self.look_for_end();
        }
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
            EventBody::StageFailed { stage, error, continues, output_of, .. } => {
                self.fail_stage(stage, error, (*continues, *output_of))
            }
            EventBody::IterationEnded { iteration, done, next } => {
                self.end_iteration(*iteration, *done, next.as_ref())
            }
            EventBody::RunCompleted { failed_stages, output, reason } => {
                rule(**failed_stages == *self.failed_stages, "a completed run names the stages that failed")?;
                if !self.reading.expressions {
                    self.ending = reason.as_ref().map(|_| EndStatus::Completed);
                }
                if self.finally.is_some() {
                    self.check_end(RunStatus::Completed)?;
                } else {
                    rule(self.ends_without_finally(), "the stages of `finally` run before the end")?;
                    self.check_completed(output.as_ref(), reason.as_deref())?;
                }
                self.end("completed")
            }
            EventBody::RunEnding(ending) => self.begin_finally(ending),
            EventBody::RunFailed { error } => {
                if self.finally.is_some() {
                    self.check_end(RunStatus::Failed)?;
                } else {
                    rule(self.ends_without_finally(), "the stages of `finally` run before the end")?;
                    self.check_failed(error)?;
                }
                self.end("failed")
            }
            EventBody::RunCancelled => {
                if self.finally.is_some() {
                    self.check_end(RunStatus::Cancelled)?;
                } else {
                    rule(self.ends_without_finally(), "the stages of `finally` run before the end")?;
                    rule(self.cancelling, "a run is cancelled only after a cancel request")?;
                }
                self.end("cancelled")
            }
            EventBody::PauseRequested { control, .. } => {
                rule(!self.pausing && !self.cancelling, "a pause is requested once")?;
                (self.pausing, self.waiting) = (true, None);
                self.control(*control)
            }
            EventBody::RunPaused => {
                rule(self.pausing && !self.paused && !self.cancelling, "a pause follows its request")?;
                rule(self.calls_running() == 0, "nothing runs in a paused run")?;
                self.paused = true;
                Ok(())
            }
            EventBody::RunResumed { control, .. } => {
                let crashed = std::mem::take(&mut self.crashed);
                rule((self.pausing || crashed) && !self.cancelling, "only a paused run is resumed")?;
                if crashed {
                    self.waiting = None;
                }
                (self.pausing, self.paused) = (false, false);
                self.control(*control)
            }
            EventBody::CancelRequested { control, at_once, .. } => {
                let is_ending = self.finally.is_some() && self.started && !self.crashed;
                rule(*at_once || !is_ending, "only a kill stops the stages of `finally`")?;
                (self.cancelling, self.waiting) = (true, None);
                self.killed |= at_once;
                self.control(*control)
            }
            body => self.take_of_node(body),
        }
    }

    fn control(&mut self, number: u64) -> Checked {
        if self.seq < self.forked {
            return rule(number == 0, "a control request of another run is not one of this run");
        }
        rule(number > self.control, "control requests are applied once, and in order")?;
        self.control = number;
        Ok(())
    }

    /// A rule about the value of an expression.
    fn told(&self, kept: bool, broken: &'static str) -> Checked {
        rule(kept || !self.reading.expressions, broken)
    }

    /// Whether the node at `path` may begin: an answer is applied even if the run is going to pause.
    fn may_continue_at(&self, path: &NodePath) -> bool {
        let said = |node: &Node| node.refused || node.answer.is_some();
        self.may_go_on() || (!self.cancelling && self.nodes.get(path).is_some_and(said))
    }

    fn may_go_on(&self) -> bool {
        !self.pausing && !self.cancelling && !self.is_waiting()
    }

    fn begin(&mut self, iteration: u32, stage: &StageId, runs: bool) -> Checked {
        self.check_begins(iteration, stage, runs)?;
        let agreed = self.said == Said::Agreed;
        rule(
            !runs || (self.is_asked_of(stage) && self.finally.is_none()) == agreed,
            "a stage that needs approval starts after a person agreed",
        )?;
        self.position = Position::In(stage.clone());
        self.left = None;
        self.last_output = None;
        Ok(())
    }

    /// A stage may begin, or be skipped.
    fn check_begins(&self, iteration: u32, stage: &StageId, runs: bool) -> Checked {
        rule(self.started && self.may_go_on(), "no stage starts in a run that is going to pause or end")?;
        rule(self.position == Position::Before(stage.clone()), "stages run in their order")?;
        rule(self.iteration == iteration, "a stage belongs to its iteration")?;
        let document =
            json!({ "vars": self.vars, "stages": self.stages, "nodes": {}, "iteration": iteration });
        let when = self.stage(stage).when.as_ref();
        let wanted = when.is_none_or(|when| Condition::parse(when).unwrap().eval(&document));
        let wanted = wanted && (self.ending.is_none() || self.finally.is_some());
        self.told(wanted == runs, "a stage is skipped when its `when` is false, and only then")
    }

    /// A node may be queued or started.
    fn check_start(&self, path: &NodePath) -> Checked {
        rule(self.may_continue_at(path), "no node starts in a run that is going to pause or end")?;
        self.check_agreed(path)?;
        rule(self.position == Position::In(path.stage.clone()), "a node runs while its stage does")?;
        rule(path.iteration == self.iteration, "a node runs in its iteration")?;
        let node = self.nodes.get(path);
        rule(node.is_none_or(|node| !node.succeeded), "a succeeded node never runs again")?;
        rule(node.is_none_or(|node| !node.failed), "a failed node never runs again")?;
        rule(node.is_none_or(|node| !node.skipped), "a skipped node never runs")?;
        rule(node.is_none_or(|node| !node.running), "a node runs once at a time")?;
        self.check_lane(path.lane)?;
        if self.graphs.contains_key(&path.stage) {
            self.check_in_lane(path)?;
            return self.check_wanted(path);
        }
        rule(path.node.as_str() == "run" && path.items.is_empty(), "a stage without a graph has one node")
    }

    /// Whether results at `path` no longer count.
    fn is_unwanted(&self, path: &NodePath) -> bool {
        let races = strategy(self.stage(&path.stage)) == Strategy::Race;
        self.cancelling || (races && self.lanes.iter().any(|lane| lane.succeeded))
    }

    fn end(&mut self, how: &'static str) -> Checked {
        self.ended = Some(how);
        rule(self.running() == 0, "a run ends only when none of its calls is running")
    }

    /// The output that the definition says; an error where an expression of it cannot be resolved.
    fn output(&self) -> Option<Result<Value, &'static str>> {
        let output = self.workflow.output.as_ref()?;
        let names = json!({
            "vars": self.vars, "stages": self.stages, "iteration": self.iteration,
            "run": { "id": self.created.run, "workflow": self.created.workflow },
        });
        let output = ValueTemplate::parse(output).unwrap().render(&names);
        Some(output.map_err(|_| "a run with an output that cannot be resolved fails"))
    }

    fn stage(&self, id: &StageId) -> &'a Stage {
        &self.workflow.stages[id]
    }

    fn on_failure(&self, stage: &Stage) -> OnFailure {
        self.created.on_failure.or(stage.on_failure).unwrap()
    }

    fn most_retries(&self, path: &NodePath) -> u32 {
        let stage = self.stage(&path.stage);
        let graph = self.graphs.get(&path.stage);
        let own = graph.and_then(|graph| graph.on_failure(path));
        let on_failure = own.unwrap_or_else(|| self.on_failure(stage));
        let retries = graph.and_then(|graph| graph.said(path, |node| node.retries)).or(stage.retries);
        if on_failure == OnFailure::Retry { retries.unwrap() } else { 0 }
    }

    /// The calls that run, without runs that nodes have started.
    fn calls_running(&self) -> usize {
        self.nodes.values().filter(|node| node.running && node.child.is_none()).count()
    }

    fn running(&self) -> usize {
        self.nodes.values().filter(|node| node.running).count()
    }
}
