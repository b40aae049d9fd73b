//! The result of a stage from its lanes.

use indexmap::IndexMap;
use serde_json::{Value, json};
use workflow_core::definition::{Mode, ParallelStrategy, Stage};
use workflow_core::failure::FailureClass;
use workflow_core::ids::{NodePath, NodePathParts, StageId};

use super::call::{self, Call, Input};
use super::graph::Graph;
use super::{Called, Ended, How, OPEN, Open, Pass, Run, mentions, render, text};

/// How a lane ended.
pub(super) struct LaneEnd {
    pub how: How,
    pub provider: Option<String>,
    /// How many attempts it had; `None` if that is open.
    pub attempts: Option<u32>,
    /// The nodes that have events, as they are shown.
    pub nodes: IndexMap<String, Value>,
    pub calls: Vec<Called>,
    /// The variables that its nodes set, in order, and whether that is certain.
    pub set: Vec<(String, Value, bool)>,
    /// Its partial output if it failed.
    pub left: Value,
}

/// The position of a lane.
#[derive(Clone)]
pub(super) struct Lane<'a> {
    pub id: &'a StageId,
    pub stage: &'a Stage,
    pub number: usize,
    pub provider: String,
    /// The output of the previous lane, if they run sequentially.
    pub before: Option<Value>,
}

impl Lane<'_> {
    pub(super) fn path(&self, iteration: u32, node: &str) -> NodePath {
        let (stage, lane) = (self.id.clone(), u32::try_from(self.number).unwrap());
        NodePathParts { iteration, stage, lane, within: None, node: node.parse().unwrap(), items: Vec::new() }
            .into()
    }
}

impl LaneEnd {
    fn new(provider: Option<String>, ended: Ended) -> Self {
        let Ended { how, attempts, calls, left, .. } = ended;
        Self { how, provider, attempts: Some(attempts), nodes: IndexMap::new(), calls, set: Vec::new(), left }
    }

    fn output(&self) -> Value {
        match &self.how {
            How::Completed(output) => output.clone(),
            How::Skipped | How::Failed(_) => Value::Null,
        }
    }

    /// The output, or the partial one.
    fn given(&self) -> Value {
        match &self.how {
            How::Failed(_) => self.left.clone(),
            _ => self.output(),
        }
    }

    fn has_completed(&self) -> bool {
        matches!(self.how, How::Completed(_))
    }

    fn shown(&self) -> Value {
        json!({
            "provider": self.provider,
            "status": status(&self.how),
            "output": self.given(),
            "error": error(&self.how),
            "attempts": self.attempts.map_or_else(|| OPEN.into(), Value::from),
            "nodes": self.nodes,
        })
    }
}

/// A lane that did not begin.
fn unstarted() -> Value {
    json!({ "provider": null, "status": "skipped", "output": null, "error": null, "attempts": 0, "nodes": {} })
}

pub(super) fn status(how: &How) -> &'static str {
    match how {
        How::Completed(_) => "completed",
        How::Skipped => "skipped",
        How::Failed(_) => "failed",
    }
}

pub(super) fn error(how: &How) -> Value {
    match how {
        How::Failed(Some(class)) => json!(class),
        How::Failed(None) => OPEN.into(),
        How::Completed(_) | How::Skipped => Value::Null,
    }
}

impl Run<'_> {
    /// The result of a stage if a person rejects it.
    pub(super) fn rejected(&self) -> Pass {
        Pass {
            status: "failed",
            iteration: self.iteration,
            output: None,
            error: json!(FailureClass::Rejected),
            lanes: Vec::new(),
            is_open: false,
        }
    }

    /// The result of a stage from its lanes; its `set` is applied later.
    pub(super) fn lanes(&mut self, id: &StageId, stage: &Stage) -> Result<Pass, Open> {
        self.begin_spending(id)?;
        let mut ends = Vec::new();
        let is_parallel = stage.mode == Some(Mode::Parallel);
        let mut before = None;
        for number in 0..stage.providers.len() {
            let end = self.lane(id, stage, number, before.take())?;
            if !is_parallel {
                // The next lane reads the variables that this one set.
                self.set_by_nodes(std::slice::from_ref(&end), |_| true, &[])?;
                before = Some(end.output());
            }
            let is_last = !is_parallel && !end.has_completed();
            ends.push(end);
            if is_last {
                break;
            }
        }
        let of = ends.len();
        let completed = |n: &usize| ends[*n].has_completed();
        let strategy = stage.parallel_strategy.unwrap_or_default();
        let winner = (0..of).find(|n| completed(n) && (self.winner)(self.iteration, id) == Some(*n));
        let winner = winner.or_else(|| (0..of).find(completed));
        let failed: Vec<_> = (0..of).filter(|n| !completed(n)).collect();
        // Which of the lanes certainly end as they would alone.
        let certain: Box<dyn Fn(usize) -> bool> = match (strategy, winner) {
            (ParallelStrategy::Race, Some(winner)) if is_parallel => {
                Box::new(move |n| n == winner || of == 1)
            }
            (ParallelStrategy::All, _) if is_parallel && !failed.is_empty() => {
                let only = (failed.len() == 1).then_some(failed[0]);
                Box::new(move |n| Some(n) == only)
            }
            _ => Box::new(|_| true),
        };
        if is_parallel {
            let profile = self.profile(id).map(text).unwrap_or_default();
            self.set_by_nodes(&ends, &certain, &[&profile])?;
        }
        let outputs: Value =
            if of == 1 { ends[0].output() } else { ends.iter().map(LaneEnd::output).collect() };
        let output = match strategy {
            _ if !is_parallel => failed.is_empty().then(|| ends[of - 1].output()),
            ParallelStrategy::All => failed.is_empty().then_some(outputs),
            ParallelStrategy::Race => winner.map(|winner| ends[winner].output()),
            ParallelStrategy::Majority => {
                let weight = |n: &usize| stage.providers[*n].weight.unwrap_or(1);
                let all: u32 = (0..of).map(|n| weight(&n)).sum();
                let for_it: u32 = (0..of).filter(completed).map(|n| weight(&n)).sum();
                (2 * for_it > all).then_some(outputs)
            }
        };
        let error = match (&output, stage.providers.len()) {
            (Some(_), _) => Value::Null,
            (None, 1) => error(&ends[0].how),
            (None, _) => json!(FailureClass::Stage),
        };
        let shown = |n: usize| match ends.get(n) {
            Some(end) if certain(n) => end.shown(),
            Some(_) => OPEN.into(),
            None => unstarted(),
        };
        let lanes = (0..stage.providers.len()).map(shown).collect();
        let is_open = (0..of).any(|n| !certain(n) || ends[n].attempts.is_none());
        let calls = ends.iter().enumerate().flat_map(|(n, end)| end.calls.iter().map(move |call| (n, call)));
        self.end_spending(id, calls.map(|(n, call)| (call.used, call.certain && certain(n))))?;
        for (n, end) in ends.iter().enumerate() {
            // What a node runs has prompts of its own.
            for call in end.calls.iter().filter(|call| !call.prompts.is_empty()) {
                self.calls.add(&call.path, &call.prompts, call.certain && certain(n));
            }
        }
        let status = if output.is_some() { "completed" } else { "failed" };
        let output = output.or_else(|| {
            let left = |n: usize| if certain(n) { ends[n].given() } else { OPEN.into() };
            let all: Vec<_> = if is_parallel { (0..of).map(left).collect() } else { vec![left(of - 1)] };
            if all.iter().any(|left| left == OPEN) {
                return Some(OPEN.into());
            }
            let has_any = failed.iter().any(|n| !left(*n).is_null());
            has_any.then(|| if let [only] = &all[..] { only.clone() } else { all.into() })
        });
        Ok(Pass { status, iteration: self.iteration, output, error, lanes, is_open })
    }

    fn lane(
        &self,
        id: &StageId,
        stage: &Stage,
        number: usize,
        before: Option<Value>,
    ) -> Result<LaneEnd, Open> {
        let profile = self.profile(id);
        let mut names = self.names();
        names["stage"] = json!({ "id": id });
        let Some(provider) = render(&stage.providers[number].provider.as_str().into(), &names) else {
            let ended = call::unresolved(false);
            let attempts = if profile.is_some() { 0 } else { ended.attempts };
            return Ok(LaneEnd { attempts: Some(attempts), ..LaneEnd::new(None, ended) });
        };
        let provider = provider.as_str().unwrap().to_owned();
        let lane = Lane { id, stage, number, provider: provider.clone(), before };
        if let Some(profile) = profile {
            return Ok(Graph::new(self, lane, profile)?.run());
        }
        names["stage"]["provider"] = provider.clone().into();
        let inputs = stage.inputs.iter().map(Input::ToResolve).collect();
        let path = lane.path(self.iteration, "run");
        let prompt = stage.prompt.as_deref().map(|prompt| (prompt, stage.template));
        let ended = match call::prompt(prompt, inputs, lane.before.clone(), &names) {
            Some(prompt) => Call::of_stage(self, stage).attempt(self, &path, &prompt),
            None => call::without_prompt(self, &path),
        };
        // If a budget was used up, no provider was called.
        let provider = Some(provider).filter(|_| ended.started > 0);
        Ok(LaneEnd::new(provider, ended))
    }

    /// Sets the variables that the nodes of parallel lanes set, or leaves them open.
    fn set_by_nodes(
        &mut self,
        lanes: &[LaneEnd],
        certain: impl Fn(usize) -> bool,
        readers: &[&str],
    ) -> Result<(), Open> {
        let mut sets: IndexMap<&str, Vec<(&Value, bool)>> = IndexMap::new();
        for (n, lane) in lanes.iter().enumerate() {
            // The last certain value of a lane counts, together with uncertain ones.
            for (name, value, is_certain) in &lane.set {
                let is_certain = *is_certain && certain(n);
                let all = sets.entry(name).or_default();
                if lanes.len() == 1 && is_certain {
                    all.clear();
                }
                all.push((value, is_certain));
            }
        }
        for (name, all) in sets {
            let before = self.vars.get(name).filter(|_| !self.open_vars.contains(name));
            let first = all[0].0;
            let are_alike = all.iter().all(|(value, _)| *value == first);
            // A lane in which the node was skipped may read what another lane set.
            let is_everywhere = all.len() >= lanes.len();
            if !(are_alike && is_everywhere)
                && readers.iter().any(|text| mentions(text, &format!("vars.{name}")))
            {
                return Err(Open(format!("vars.{name} is read in lanes that set it differently")));
            }
            if are_alike && (before == Some(first) || all.iter().any(|(_, is_certain)| *is_certain)) {
                self.vars.insert(name.to_owned(), first.clone());
                self.open_vars.remove(name);
            } else {
                self.vars.entry(name.to_owned()).or_default();
                self.open_vars.insert(name.to_owned());
            }
        }
        Ok(())
    }
}
