//! The rules of how stages and iterations end.

use std::sync::Arc;

use serde_json::{Value, json};
use workflow_core::definition::{EndStatus, Mode, Node, OnFailure, ParallelStrategy, Stage};
use workflow_core::expr::Condition;
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::ids::{NodePath, StageId};
use workflow_core::status::RunStatus;

use super::budgets::Scope;
use super::lane::Lane;
use super::persons::Said;
use super::{Checked, Log, Position, rule};

impl Log<'_> {
    pub(super) fn complete(&mut self, stage: &StageId, output_of: Option<u32>) -> Checked {
        rule(self.position == Position::In(stage.clone()), "the stage that ends is the current one")?;
        rule(self.running() == 0, "a stage ends only when none of its calls is running")?;
        let spec = self.stage(stage);
        let lanes = spec.providers.len();
        let succeeded = |lane: usize| self.lanes[lane].succeeded;
        let output = match strategy(spec) {
            Strategy::Sequential => Some(lanes - 1),
            _ if lanes == 1 => Some(0),
            Strategy::Race => output_of.map(|lane| lane as usize).filter(|lane| succeeded(*lane)),
            Strategy::All | Strategy::Majority => None,
        };
        let well = match strategy(spec) {
            Strategy::Sequential | Strategy::All => (0..lanes).all(succeeded),
            Strategy::Race => output.is_some(),
            Strategy::Majority => self.majority(spec) == Some(true),
        };
        rule(well, "a stage completes when its strategy is met")?;
        rule(output_of.map(|lane| lane as usize) == output, "the strategy decides which output counts")?;
        // The output of a failed lane is not an output of a completed stage.
        let output_of = |lane: usize| {
            let lane = &self.lanes[lane];
            if lane.succeeded { lane.output.clone() } else { Value::Null }
        };
        let output = match output {
            Some(lane) => output_of(lane),
            None => (0..lanes).map(output_of).collect(),
        };
        self.stages.insert(stage.to_string(), json!({ "status": "completed", "output": output }));
        self.last_output = Some(output);
        Ok(())
    }

    pub(super) fn fail_stage(
        &mut self,
        stage: &StageId,
        error: &Failure,
        (continues, output_of): (bool, Option<u32>),
    ) -> Checked {
        let refused = self.said == Said::Disagreed;
        if refused {
            rule(self.may_go_on(), "no stage ends in a run that is going to pause or end")?;
            rule(self.position == Position::Before(stage.clone()), "a rejected stage has not begun")?;
            rule(error.class == FailureClass::Rejected, "a rejected stage fails with the class `rejected`")?;
            self.last_output = None;
            rule(output_of.is_none(), "a stage that has not begun has no output")?;
            return self.stage_has_failed(
                (stage, error, None),
                self.on_failure(self.stage(stage)) == OnFailure::Continue,
                continues,
            );
        }
        rule(self.position == Position::In(stage.clone()), "the stage that ends is the current one")?;
        rule(self.running() == 0, "a stage ends only when none of its calls is running")?;
        let spec = self.stage(stage);
        let badly = match strategy(spec) {
            Strategy::Sequential | Strategy::All => self.lanes.iter().any(|lane| lane.failed),
            Strategy::Race => self.lanes.iter().all(|lane| lane.failed),
            Strategy::Majority => self.majority(spec) == Some(false),
        };
        let repeats = error.class == FailureClass::Repeated;
        let details = error.details.clone().unwrap_or_default();
        let class = if repeats { details["second"]["class"].clone() } else { json!(error.class) };
        let unset = class == json!(FailureClass::Expression) && !spec.set.is_empty();
        rule(badly || unset, "a stage fails when its strategy cannot be met")?;
        let on_failure = self.on_failure(spec);
        let failed_before = self.workflow.repeat.is_some() && self.failed_stages.contains(stage);
        rule(!repeats || failed_before, "a repeated failure has an equal earlier one")?;
        let gives_up = self.is_used_up(&Scope::Run) || repeats;
        let follow = strategy(spec) == Strategy::Sequential && self.lanes.len() > 1;
        let failed = (0..).zip(&self.lanes).find(|(_, lane)| lane.failed).map(|(number, _)| number);
        rule(output_of == failed.filter(|_| follow), "the output of the failed sequential lane is kept")?;
        let output = self.left(output_of);
        self.stage_has_failed(
            (stage, error, output),
            on_failure == OnFailure::Continue && !gives_up,
            continues,
        )
    }

    /// The partial output of a stage that fails.
    fn left(&self, of: Option<u32>) -> Option<Value> {
        let kept = |lane: &Lane| (!lane.output.is_null() && !lane.succeeded).then(|| lane.output.clone());
        match (of, &self.lanes[..]) {
            (Some(lane), lanes) => kept(&lanes[lane as usize]),
            (None, [lane]) => kept(lane),
            (None, lanes) if lanes.iter().any(|lane| kept(lane).is_some()) => {
                Some(lanes.iter().map(|lane| lane.output.clone()).collect())
            }
            _ => None,
        }
    }

    fn stage_has_failed(
        &mut self,
        (stage, error, output): (&StageId, &Failure, Option<Value>),
        goes_on: bool,
        continues: bool,
    ) -> Checked {
        rule(continues == goes_on, "`on_failure` decides whether the run continues")?;
        if !self.failed_stages.contains(stage) {
            self.failed_stages.push(stage.clone());
        }
        let mut known = json!({ "status": "failed", "error": error });
        if let Some(output) = output {
            known["output"] = output;
        }
        self.stages.insert(stage.to_string(), known);
        if let Some(ending) = &mut self.finally {
            if !continues && ending.status == RunStatus::Completed {
                (ending.status, ending.error) = (RunStatus::Failed, Some(Arc::new(error.clone())));
                self.failed_last = Some(stage.clone());
            }
            self.after(stage);
        } else if continues {
            self.after(stage);
        } else {
            self.position = Position::Failing(stage.clone());
        }
        Ok(())
    }

    /// Whether there is a majority; `None` while a lane can still change it.
    fn majority(&self, spec: &Stage) -> Option<bool> {
        let mut balance = 0i64;
        for (lane, ended) in spec.providers.iter().zip(&self.lanes) {
            let weight = i64::from(lane.weight.unwrap());
            balance += match (ended.succeeded, ended.failed) {
                (true, _) => weight,
                (_, true) => -weight,
                _ => return None,
            };
        }
        Some(balance > 0)
    }

    pub(super) fn end_iteration(&mut self, iteration: u32, done: bool, next: Option<&StageId>) -> Checked {
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
        let known = known.filter(|(stage, _)| !self.workflow.finally.contains(stage));
        let expected = known.map(|(stage, _)| stage).or(repeat.fallback_next_stage.as_ref());
        rule(
            next == expected.filter(|_| !ends),
            "an iteration continues at the configured stage, or ends the loop",
        )?;
        self.position = match next {
            Some(stage) => Position::Before(stage.clone()),
            None => Position::AfterIteration { done },
        };
        self.left = None;
        self.passed.clear();
        self.iteration += u32::from(next.is_some());
        Ok(())
    }

    /// A stage is over and the run continues.
    /// Whether the run ends with the stage that has ended last.
    pub(super) fn look_for_end(&mut self) {
        let Some(stage) = self.left.clone().filter(|_| self.ending.is_none()) else { return };
        if !self.workflow.stages.contains_key(&stage) || self.stages[stage.as_str()]["status"] != "completed"
        {
            return;
        }
        self.ends_early(&stage);
    }

    fn ends_early(&mut self, stage: &StageId) {
        let ends = self.graphs.get(stage).into_iter().flat_map(|graph| &graph.profile.graph);
        for spec in ends {
            let Node::End(end) = &spec.node else { continue };
            let is_it = |path: &NodePath| {
                path.iteration == self.iteration && path.stage == *stage && path.node == spec.id
            };
            let mut nodes: Vec<_> = self.nodes.iter().filter(|(path, _)| is_it(path)).collect();
            nodes.sort_by_key(|(path, _)| path.lane);
            let ended = |(path, node): &(&NodePath, &super::Node)| {
                node.succeeded && self.lanes[path.lane as usize].succeeded
            };
            if let Some((_, node)) = nodes.into_iter().find(ended) {
                self.ending = Some(end.status.unwrap_or_default());
                self.own_output = node.output.get("output").cloned();
                return;
            }
        }
        let document =
            json!({ "vars": self.vars, "stages": self.stages, "nodes": {}, "iteration": self.iteration });
        let end_when = self.stage(stage).end_when.as_ref();
        if end_when.is_some_and(|when| Condition::parse(when).unwrap().eval(&document)) {
            self.ending = Some(EndStatus::Completed);
        }
    }

    pub(super) fn after(&mut self, stage: &StageId) {
        self.forget_asks();
        self.left = Some(stage.clone());
        self.passed.insert(stage.clone());
        if self.finally.is_some() {
            return self.next_of_finally();
        }
        let number = self.workflow.stages.get_index_of(stage).unwrap();
        // A stage that has ended in this iteration does not run again, wherever a newer definition has it.
        let is_next = |next: &&StageId| !self.passed.contains(*next) && !self.workflow.finally.contains(next);
        let mut to_come = self.workflow.stages.keys().skip(number + 1).filter(is_next);
        self.position = match to_come.next() {
            Some(next) => Position::Before(next.clone()),
            None => Position::AfterLast,
        };
    }
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Strategy {
    Sequential,
    All,
    Race,
    Majority,
}

pub(super) fn strategy(stage: &Stage) -> Strategy {
    match (stage.mode.unwrap(), stage.parallel_strategy.unwrap()) {
        (Mode::Sequential, _) => Strategy::Sequential,
        (Mode::Parallel, ParallelStrategy::All) => Strategy::All,
        (Mode::Parallel, ParallelStrategy::Race) => Strategy::Race,
        (Mode::Parallel, ParallelStrategy::Majority) => Strategy::Majority,
    }
}
