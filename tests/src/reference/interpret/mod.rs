//! The expected outcome of a run.
//!
//! # Undefined outcomes
//!
//! The interpreter does not know the timing of events. If the outcome depends on it, that part is left open:
//!
//! - Who wins a race of several lanes that would succeed: taken from the engine's log. How far the others got
//!   is open.
//! - With `all`, after a lane has failed permanently no new node starts in the others: how far they got is
//!   open. If several would fail, which of them did is open as well.
//! - In a graph, the same for the nodes that neither precede nor follow the failed one, and in a parallel
//!   `foreach` for the items beside the failed one. The failure class of several failures depends on how many
//!   failed. An open part may have called providers at most as often as it would have alone.
//! - A variable that is set in an open part, or by parallel lanes to different values, is open until it is
//!   set again.
//! - Which of several parallel calls uses up a budget: see `spending`.
//!
//! A workflow that reads something open has no outcome to compare: [`Open`]. The same holds for one that
//! reads a variable while it is set.

mod call;
mod child;
mod graph;
mod lanes;
mod needs;
mod spending;
mod values;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Value, json};
use workflow_core::definition::{
    Budget, EndStatus, Exhausted, Node, OnFailure, Profile, SchemaSource, Stage, Workflow,
};
use workflow_core::expr::{Condition, Name, Scope, ValueTemplate};
use workflow_core::failure::FailureClass;
use workflow_core::ids::{NodePath, StageId};
use workflow_core::output_schema::OutputSchema;

use self::spending::{Spending, Used};
use super::answers::agrees;
use super::case::Case;
use super::outcome::{Calls, OPEN, Outcome};

/// The case reads something undefined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open(pub String);

/// Returns who won the race of a stage in an iteration.
pub type Winner<'a> = &'a dyn Fn(u32, &StageId) -> Option<usize>;

/// The expected outcome of the run of a case.
///
/// # Errors
///
/// [`Open`] if it is not defined.
pub fn interpret(case: &Case, winner: Winner<'_>) -> Result<Outcome, Open> {
    interpret_run(case, "run", winner, case.deaths.is_empty())
}

/// The same for a run with that id, whose calls take an unknown time.
///
/// # Errors
///
/// [`Open`] if it is not defined.
pub fn interpret_as(case: &Case, id: &str, winner: Winner<'_>) -> Result<Outcome, Open> {
    interpret_run(case, id, winner, false)
}

fn interpret_run(case: &Case, id: &str, winner: Winner<'_>, is_timed: bool) -> Result<Outcome, Open> {
    let mut run = Run {
        case,
        id,
        workflow: &case.bundle.workflow,
        winner,
        is_timed,
        vars: first_vars(case),
        open_vars: BTreeSet::new(),
        stages: IndexMap::new(),
        failed: Vec::new(),
        iteration: 1,
        own_output: None,
        is_ending: false,
        calls: Calls::default(),
        schemas: RefCell::default(),
        spending: RefCell::default(),
    };
    let mut error = run.run()?;
    let mut output = run.output(&mut error)?;
    run.finally(&mut error)?;
    output = output.filter(|_| error.is_null());
    Ok(run.outcome(&error, output))
}

/// The variables at the start: what the run is given, and the defaults of what it is not given.
fn first_vars(case: &Case) -> IndexMap<String, Value> {
    let mut vars = case.vars.clone();
    for (name, input) in case.bundle.workflow.inputs.iter().flatten() {
        if let (None, Some(default)) = (vars.get(name), &input.default) {
            vars.insert(name.clone(), default.clone());
        }
    }
    vars
}

/// How something ended.
#[derive(Debug, Clone, PartialEq)]
enum How {
    Completed(Value),
    Skipped,
    /// With the class; `None` if it is open.
    Failed(Option<FailureClass>),
}

/// How a node, an item or a lane without a graph ended.
#[derive(Debug, Clone)]
struct Ended {
    how: How,
    /// How many attempts it made.
    attempts: u32,
    /// How many of them, and of its items', were given a slot at a provider.
    started: u32,
    /// Whether one of its attempts failed, so that it fails if there is no time for another.
    rough: bool,
    calls: Vec<Called>,
    /// Its partial output if it failed; null for none, [`OPEN`] if it is open.
    left: Value,
    /// Whether it failed because no call of its stage may start any more.
    at_limit: bool,
    /// Of a `foreach`: the items that failed although it continues, with the class of each.
    errors: Vec<(Vec<u32>, Option<FailureClass>)>,
}

/// The prompts of the provider of a node, by attempt.
#[derive(Debug, Clone)]
struct Called {
    path: NodePath,
    prompts: Vec<Value>,
    /// The usage of all attempts.
    used: Used,
    /// Whether all of the prompts were certainly sent.
    certain: bool,
}

impl Ended {
    /// A node without a provider.
    fn alone(how: How) -> Self {
        let rough = matches!(how, How::Failed(_));
        Self {
            how,
            attempts: 0,
            started: 0,
            rough,
            calls: Vec::new(),
            left: Value::Null,
            at_limit: false,
            errors: Vec::new(),
        }
    }

    fn has_failed(&self) -> bool {
        matches!(self.how, How::Failed(_))
    }
}

/// The latest pass of a stage.
struct Pass {
    status: &'static str,
    iteration: u32,
    output: Option<Value>,
    error: Value,
    lanes: Vec<Value>,
    /// Whether it is open how its lanes ended.
    is_open: bool,
}

struct Run<'a> {
    id: &'a str,
    case: &'a Case,
    workflow: &'a Workflow,
    winner: Winner<'a>,
    /// Whether the duration of calls is known.
    is_timed: bool,
    vars: IndexMap<String, Value>,
    open_vars: BTreeSet<String>,
    stages: IndexMap<StageId, Pass>,
    failed: Vec<StageId>,
    iteration: u32,
    /// The output that the node says that ended the run.
    own_output: Option<Value>,
    /// Whether only the stages of `finally` are left.
    is_ending: bool,
    calls: Calls,
    /// Compiled schemas.
    schemas: RefCell<HashMap<String, Rc<OutputSchema>>>,
    spending: RefCell<Spending>,
}

impl Run<'_> {
    /// The run's error, or null.
    fn run(&mut self) -> Result<Value, Open> {
        let is_last = |id: &&StageId| self.workflow.finally.contains(id);
        let ids: Vec<_> = self.workflow.stages.keys().filter(|id| !is_last(id)).cloned().collect();
        let least = self.workflow.stages.values().filter_map(|stage| stage.min_iterations).max().unwrap_or(0);
        let mut from = 0;
        loop {
            for id in &ids[from..] {
                if let Some(error) = self.stage(id)? {
                    return Ok(error);
                }
                if let Some(status) = self.ends_early(id)? {
                    self.skip_after(id);
                    return Ok(match status {
                        EndStatus::Completed => Value::Null,
                        EndStatus::Failed => json!(FailureClass::Permanent),
                    });
                }
            }
            let Some(repeat) = &self.workflow.repeat else { return Ok(Value::Null) };
            let last = &self.stages[ids.last().unwrap()];
            let output = last.output.as_ref().filter(|_| last.status == "completed");
            let done = output.is_some_and(|output| holds(&repeat.stop_when, output));
            if done && self.iteration >= least.min(repeat.max_iters) {
                return Ok(Value::Null);
            }
            if self.iteration == repeat.max_iters {
                return Ok(match repeat.on_exhausted {
                    Exhausted::Complete => Value::Null,
                    Exhausted::Fail => json!(FailureClass::LoopExhausted),
                });
            }
            let recommended = output.and_then(|output| output.get("recommended_next_stage")?.as_str());
            let stage = |name: &str| ids.iter().position(|id| id.as_str() == name);
            let fallback = repeat.fallback_next_stage.as_ref().and_then(|id| stage(id.as_str()));
            from = recommended.and_then(stage).or(fallback).unwrap_or(0);
            self.iteration += 1;
        }
    }

    /// Runs the stages that run however the run ends, and fails because of them if it has not failed before.
    fn finally(&mut self, error: &mut Value) -> Result<(), Open> {
        self.is_ending = true;
        for id in &self.workflow.finally {
            let failed = self.stage(id)?;
            if let Some(failed) = failed.filter(|_| error.is_null()) {
                *error = failed;
            }
        }
        Ok(())
    }

    /// How the run ends with a stage that has just ended, if it does.
    fn ends_early(&mut self, id: &StageId) -> Result<Option<EndStatus>, Open> {
        let (case, workflow) = (self.case, self.workflow);
        let pass = &self.stages[id];
        if pass.status != "completed" {
            return Ok(None);
        }
        let mut ended = None;
        for node in case.bundle.profiles.get(id).into_iter().flat_map(|profile| &profile.graph) {
            let Node::End(end) = &node.node else { continue };
            for lane in &pass.lanes {
                let shown = &lane["nodes"][node.id.as_str()];
                if lane == OPEN || shown == OPEN {
                    return Err(Open(format!("whether {id}.{} was reached", node.id)));
                }
                if ended.is_none() && lane["status"] == "completed" && shown["status"] == "completed" {
                    ended = Some((end.status.unwrap_or_default(), shown["output"].get("output").cloned()));
                }
            }
        }
        if let Some((status, output)) = ended {
            self.own_output = output;
            return Ok(Some(status));
        }
        let Some(end_when) = &workflow.stages[id].end_when else { return Ok(None) };
        self.check_reads(end_when)?;
        Ok(holds(end_when, &self.names()).then_some(EndStatus::Completed))
    }

    /// Skips the stages after one.
    fn skip_after(&mut self, id: &StageId) {
        let iteration = self.iteration;
        for later in self.workflow.stages.keys().skip_while(|other| *other != id).skip(1) {
            if self.workflow.finally.contains(later) {
                continue;
            }
            let pass = self.stages.entry(later.clone()).or_insert(Pass {
                status: "skipped",
                iteration,
                output: None,
                error: Value::Null,
                lanes: Vec::new(),
                is_open: false,
            });
            (pass.status, pass.iteration) = ("skipped", iteration);
        }
    }

    /// The output of a run that has completed. If it cannot be resolved, the run has failed.
    fn output(&self, error: &mut Value) -> Result<Option<Value>, Open> {
        if !error.is_null() {
            return Ok(None);
        }
        if let Some(own) = &self.own_output {
            return Ok(Some(own.clone()));
        }
        let Some(output) = &self.workflow.output else {
            let last = self.stages.values().rev().find(|pass| pass.status != "skipped");
            return Ok(last.and_then(|pass| pass.output.clone()));
        };
        self.check_reads(&text(output))?;
        let output = render(output, &self.names());
        if output.is_none() {
            *error = json!(FailureClass::Expression);
        }
        Ok(output)
    }

    /// Runs a stage; returns its error if that ends the run.
    fn stage(&mut self, id: &StageId) -> Result<Option<Value>, Open> {
        let stage = &self.workflow.stages[id];
        self.check_reads(&text(&(stage, self.case.bundle.profiles.get(id))))?;
        if let Some(when) = &stage.when
            && !holds(when, &self.names())
        {
            let iteration = self.iteration;
            let before = self.stages.entry(id.clone()).or_insert(Pass {
                status: "skipped",
                iteration,
                output: None,
                error: Value::Null,
                lanes: Vec::new(),
                is_open: false,
            });
            (before.status, before.iteration) = ("skipped", iteration);
            return Ok(None);
        }
        let place = format!("{}/{id}", self.iteration);
        let is_asked = !self.is_ending && (stage.approval.is_some() || self.case.interactive);
        let is_rejected = is_asked && !agrees(self.case, &place);
        let mut pass = if is_rejected { self.rejected() } else { self.lanes(id, stage)? };
        if let Some(output) = pass.output.as_ref().filter(|_| pass.status == "completed") {
            self.check_reads(&text(&stage.set))?;
            let mut names = self.names();
            names["stage"] = json!({ "id": id });
            names["output"] = output.clone();
            if let Some(set) = set(&stage.set, &names) {
                for (name, value) in set {
                    self.open_vars.remove(&name);
                    self.vars.insert(name, value);
                }
            } else {
                (pass.status, pass.output) = ("failed", left(&pass.lanes));
                pass.error = json!(FailureClass::Expression);
            }
        }
        let error = pass.error.clone();
        let has_failed = pass.status == "failed";
        self.stages.insert(id.clone(), pass);
        if has_failed && !self.failed.contains(id) {
            self.failed.push(id.clone());
        }
        if !has_failed {
            return Ok(None);
        }
        // No provider could be called any more.
        let gives_up = !is_rejected && self.is_used_up()?;
        Ok(Some(error).filter(|_| gives_up || self.on_failure(stage) != OnFailure::Continue))
    }

    /// The budget of the run, which the stages of `finally` do not have to keep.
    fn run_budget(&self) -> Option<Budget> {
        self.workflow.budget.filter(|_| !self.is_ending)
    }

    fn on_failure(&self, stage: &Stage) -> OnFailure {
        self.case.on_failure.or(stage.on_failure).unwrap_or_default()
    }

    fn profile(&self, id: &StageId) -> Option<&Profile> {
        self.case.bundle.profiles.get(id)
    }

    fn schema(&self, source: &SchemaSource) -> Rc<OutputSchema> {
        let compile = || Rc::new(source.compile(&self.case.bundle.schemas).unwrap());
        self.schemas.borrow_mut().entry(text(source)).or_insert_with(compile).clone()
    }

    /// The names that every expression and condition of the run can use.
    fn names(&self) -> Value {
        let mut stages = json!({});
        for (id, pass) in &self.stages {
            stages[id.as_str()] = json!({ "status": pass.status, "results": pass.lanes });
            if let Some(output) = &pass.output {
                stages[id.as_str()]["output"] = output.clone();
            }
            if !pass.error.is_null() {
                stages[id.as_str()]["error"] = json!({ "class": pass.error });
            }
        }
        json!({
            "vars": self.vars,
            "stages": stages,
            "iteration": self.iteration,
            "run": { "id": self.id, "workflow": self.workflow.id },
        })
    }

    /// Checks that everything that a text can name is defined.
    fn check_reads(&self, text: &str) -> Result<(), Open> {
        if let Some(var) = self.open_vars.iter().find(|var| mentions(text, &format!("vars.{var}"))) {
            return Err(Open(format!("vars.{var} is read")));
        }
        let open =
            self.stages.iter().filter(|(_, pass)| pass.output.as_ref().is_some_and(|output| output == OPEN));
        let mut outputs = open.map(|(id, _)| format!("stages.{id}.output"));
        if let Some(output) = outputs.find(|output| mentions(text, output)) {
            return Err(Open(format!("{output} is read")));
        }
        let open = self.stages.iter().filter(|(_, pass)| pass.is_open);
        let mut results = open.map(|(id, _)| format!("stages.{id}.results"));
        match results.find(|results| mentions(text, results)) {
            Some(results) => Err(Open(format!("{results} are read"))),
            None => Ok(()),
        }
    }

    fn outcome(self, error: &Value, output: Option<Value>) -> Outcome {
        let mut vars = json!(self.vars);
        for name in &self.open_vars {
            vars[name] = OPEN.into();
        }
        let stages: IndexMap<_, _> = self.stages.iter().map(|(id, pass)| (id, pass.shown())).collect();
        let mut run = json!({
            "status": if error.is_null() { "completed" } else { "failed" },
            "iteration": self.iteration,
            "error": error,
            "failed_stages": self.failed,
            "vars": vars,
            "stages": stages,
            "spent": self.spending.borrow().shown(self.is_timed),
        });
        if let Some(output) = output {
            run["output"] = output;
        }
        Outcome { run, calls: self.calls }
    }
}

/// The partial output of a stage whose lanes met its strategy but whose variables could not be set: the
/// outputs of all lanes, if one of several failed with an output.
fn left(lanes: &[Value]) -> Option<Value> {
    if lanes.len() > 1 && lanes.iter().any(|lane| lane == OPEN || lane["output"] == OPEN) {
        return Some(OPEN.into());
    }
    let gave = |lane: &Value| lane["status"] == "failed" && !lane["output"].is_null();
    (lanes.len() > 1 && lanes.iter().any(gave))
        .then(|| lanes.iter().map(|lane| lane["output"].clone()).collect())
}

impl Pass {
    fn shown(&self) -> Value {
        let mut shown = json!({
            "status": self.status,
            "iteration": self.iteration,
            "error": self.error,
            "lanes": self.lanes,
        });
        if let Some(output) = &self.output {
            shown["output"] = output.clone();
        }
        shown
    }
}

/// Whether a condition is true.
fn holds(condition: &str, document: &Value) -> bool {
    Condition::parse(condition).unwrap().eval(document)
}

/// A value with its expressions resolved; `None` if one cannot be.
fn render(value: &Value, names: &Value) -> Option<Value> {
    ValueTemplate::parse(value).unwrap().render(&Names(names)).ok()
}

/// Names, of which those of an iteration before are null where they have no value.
struct Names<'a>(&'a Value);

impl Scope for Names<'_> {
    fn lookup(&self, name: &Name) -> Option<Cow<'_, Value>> {
        let previous = |id| self.0["previous"].get(id).unwrap_or(&Value::Null);
        match (name.root(), name.segment(1)) {
            ("previous", Some(id)) if previous(id).is_null() => {
                name.default_text().is_none().then_some(Cow::Owned(Value::Null))
            }
            _ => self.0.lookup(name),
        }
    }

    fn known(&self) -> Vec<String> {
        self.0.known()
    }
}

/// The variables to set; `None` if an expression cannot be resolved.
fn set(set: &IndexMap<String, Value>, names: &Value) -> Option<Vec<(String, Value)>> {
    set.iter().map(|(name, value)| Some((name.clone(), render(value, names)?))).collect()
}

fn text(of: &impl Serialize) -> String {
    serde_json::to_string(of).unwrap()
}

/// Whether a text contains a name.
fn mentions(text: &str, name: &str) -> bool {
    let ends = |c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-';
    text.match_indices(name).any(|(at, _)| text[at + name.len()..].chars().next().is_none_or(ends))
}
