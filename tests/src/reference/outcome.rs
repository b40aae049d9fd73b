//! Compares the expected outcome of a run with the actual one.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use workflow_core::event::EventBody;
use workflow_core::failure::Failure;
use workflow_core::ids::{NodePath, StageId};
use workflow_core::status::StageStatus;
use workflow_core::view::{LaneView, NodeView};

use super::play::{Played, interruptions};

/// Marks a value that is not defined.
pub(super) const OPEN: &str = "(open)";

/// The expected outcome of a run.
#[derive(Debug)]
pub struct Outcome {
    /// Its status, variables, stages, lanes and nodes.
    pub run: Value,
    /// The prompts of its providers.
    pub calls: Calls,
}

/// The prompts of providers, by the path of the node and in the order of its attempts.
#[derive(Debug, Default)]
pub struct Calls {
    /// The prompts that are certainly sent.
    must: BTreeMap<String, Vec<Value>>,
    /// The prompts of which a prefix is sent.
    may: BTreeMap<String, Vec<Value>>,
}

impl Calls {
    pub(super) fn add(&mut self, path: &NodePath, prompts: &[Value], certain: bool) {
        let calls = if certain { &mut self.must } else { &mut self.may };
        calls.insert(path.to_string(), prompts.to_vec());
    }

    fn difference(&self, told: &BTreeMap<String, Vec<String>>) -> Option<String> {
        for (path, prompts) in told {
            let expected = match (self.must.get(path), self.may.get(path)) {
                (Some(must), _) => must,
                (None, Some(may)) => &may[..prompts.len().min(may.len())],
                (None, None) => &[],
            };
            if expected.len() != prompts.len() || !expected.iter().zip(prompts).all(|(e, p)| fits(e, p)) {
                return Some(format!(
                    "the expected prompts of {path} are\n  {}\nand the actual ones\n  {}",
                    json!(expected),
                    json!(prompts)
                ));
            }
        }
        let missing = self.must.iter().find(|(path, _)| !told.contains_key(*path))?;
        Some(format!(
            "the provider of {} was not called; the expected prompts are {}",
            missing.0,
            json!(missing.1)
        ))
    }
}

fn fits(expected: &Value, prompt: &str) -> bool {
    match expected {
        Value::String(text) => text == prompt,
        Value::Object(members) => {
            let begin = |name: &str| members.get(name).and_then(Value::as_str);
            begin("begins with").is_some_and(|begin| prompt.starts_with(begin))
                || begin("longer than")
                    .is_some_and(|begin| prompt.starts_with(begin) && prompt.len() > begin.len())
        }
        _ => false,
    }
}

impl Outcome {
    /// The first difference between a run and its expected outcome.
    pub fn difference(&self, played: &Played) -> Option<String> {
        let actual = played.outcome();
        difference(&self.run, Some(&actual), "").or_else(|| self.calls.difference(&played.told()))
    }
}

/// The first difference between `actual` and `expected`.
fn difference(expected: &Value, actual: Option<&Value>, at: &str) -> Option<String> {
    if expected == OPEN || Some(expected) == actual {
        return None;
    }
    if let (Value::Object(expected), Some(Value::Object(actual))) = (expected, actual) {
        let more = actual.keys().find(|name| !expected.contains_key(*name));
        let found = expected
            .iter()
            .find_map(|(name, value)| difference(value, actual.get(name), &format!("{at}.{name}")));
        return found
            .or_else(|| more.map(|name| format!("{at}.{name} is not expected, and is {}", actual[name])));
    }
    if let (Value::Array(expected), Some(Value::Array(actual))) = (expected, actual)
        && expected.len() == actual.len()
    {
        let mut pairs = expected.iter().zip(actual).enumerate();
        return pairs
            .find_map(|(n, (expected, actual))| difference(expected, Some(actual), &format!("{at}[{n}]")));
    }
    let actual = actual.map_or_else(|| "absent".to_owned(), Value::to_string);
    Some(format!("{at}: expected {expected}, found {actual}"))
}

impl Played {
    /// Who won the race of a stage in an iteration: the lane that succeeded first, also if the stage failed
    /// after that because of its `set`.
    pub fn winner(&self, iteration: u32, stage: &StageId) -> Option<usize> {
        let has_graph = self
            .events
            .iter()
            .any(|event| matches!(&event.body, EventBody::LaneStarted { stage: of, .. } if of == stage));
        let lane = self.events.iter().find_map(|event| match &event.body {
            EventBody::LaneCompleted { iteration: of, stage: id, lane, .. }
                if has_graph && *of == iteration && id == stage =>
            {
                Some(*lane)
            }
            EventBody::AttemptSucceeded { path, .. }
                if !has_graph && path.iteration == iteration && path.stage == *stage =>
            {
                Some(path.lane)
            }
            _ => None,
        });
        lane.map(|lane| lane as usize)
    }

    /// The actual outcome, in the form of [`Outcome::run`].
    pub fn outcome(&self) -> Value {
        let view = &self.view;
        let mut stages = Map::new();
        for (id, stage) in &view.context.stages {
            let lanes = stage.results.iter().enumerate();
            // A skipped stage keeps the lanes of its previous pass.
            let begun = self.events.iter().rev().find_map(|event| match &event.body {
                EventBody::StageStarted { iteration, stage, .. } if stage == id => Some(*iteration),
                _ => None,
            });
            let begun = begun.unwrap_or(stage.iteration);
            let lanes = lanes.map(|(n, lane)| self.lane(lane, begun, id, n));
            let mut shown = json!({
                "status": stage.status,
                "iteration": stage.iteration,
                "error": class(stage.error.as_deref()),
                "lanes": lanes.collect::<Vec<_>>(),
            });
            if let Some(output) = &stage.output {
                shown["output"] = output.value();
            }
            stages.insert(id.to_string(), shown);
        }
        let mut outcome = json!({
            "status": view.status,
            "iteration": view.iteration,
            "error": class(view.error.as_deref()),
            "failed_stages": view.failed_stages,
            "vars": view.context.vars,
            "stages": stages,
            "spent": {
                "cost_usd": view.spent.cost_usd.unwrap_or(0.0),
                "tokens": view.spent.tokens.unwrap_or(0),
                "time_ms": view.spent.time_ms,
            },
        });
        if let Some(output) = &view.output {
            outcome["output"] = output.value();
        }
        outcome
    }

    fn lane(&self, lane: &LaneView, iteration: u32, stage: &StageId, number: usize) -> Value {
        // Attempts that were interrupted by a death do not count.
        let cut_off = |node: Option<&NodeView>| -> u32 {
            let mut paths: Vec<_> = self
                .events
                .iter()
                .filter_map(|event| match &event.body {
                    EventBody::AttemptInterrupted { path, .. } => Some(path),
                    _ => None,
                })
                .collect();
            paths.sort_by_key(ToString::to_string);
            paths.dedup();
            let mut here = paths
                .into_iter()
                .filter(|path| {
                    path.iteration == iteration && path.stage == *stage && path.lane as usize == number
                })
                .collect::<Vec<_>>();
            // Only the last iteration of a loop is shown.
            let is_last = |path: &NodePath| {
                self.events.iter().all(|event| match (&event.body, &path.within) {
                    (EventBody::NodeStarted { path: of, items }, Some(within)) => {
                        let is_its = items.is_null()
                            && (of.iteration, &of.stage, of.lane) == (path.iteration, &path.stage, path.lane)
                            && of.node == within.node;
                        !is_its || of.items.iter().all(|number| *number <= within.number)
                    }
                    _ => true,
                })
            };
            here.retain(|path| {
                node.is_none_or(|node| path.node == node.id && path.items.is_empty() && is_last(path))
            });
            here.into_iter().map(|path| interruptions(&self.events, path)).sum()
        };
        let mut nodes = Map::new();
        for node in &lane.nodes {
            let mut shown = json!({
                "status": node.status,
                "error": class(node.error.as_deref()),
                "attempts": node.attempts - cut_off(Some(node)),
            });
            if node.status == StageStatus::Completed {
                shown["output"] = node.output.value();
            }
            if !node.errors.is_empty() {
                let errors = node.errors.iter().map(|failed| {
                    let mut shown = json!({ "index": failed.index, "class": failed.class });
                    if !failed.inner.is_empty() {
                        shown["inner"] = json!(failed.inner);
                    }
                    shown
                });
                shown["errors"] = errors.collect();
            }
            nodes.insert(node.id.to_string(), shown);
        }
        json!({
            "provider": lane.provider,
            "status": lane.status,
            "output": lane.output,
            "error": class(lane.error.as_deref()),
            "attempts": lane.attempts - cut_off(None),
            "nodes": nodes,
        })
    }

    /// The prompts of the attempts that were not interrupted by a death.
    fn told(&self) -> BTreeMap<String, Vec<String>> {
        let mut told: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for event in &self.events {
            let EventBody::AttemptStarted { path, attempt, .. } = &event.body else { continue };
            let is_cut_off = self.events.iter().any(|event| {
                matches!(&event.body, EventBody::AttemptInterrupted { path: of, attempt: number, .. } if of == path && number == attempt)
            });
            if let Some(prompt) = self.prompts.get(&(path.clone(), *attempt)).filter(|_| !is_cut_off) {
                told.entry(path.to_string()).or_default().push(prompt.clone());
            }
        }
        told
    }
}

fn class(failure: Option<&Failure>) -> Value {
    json!(failure.map(|failure| failure.class))
}
