//! What calls use, and which budgets keep calls from being made.
//!
//! Where calls are made one after the other it is known before each of them what was used. Where they may be
//! made at the same time it is not: then a budget either is used up before, or is not used up by all of them
//! together; else what the run comes to is open. So it is when it takes time, and time is limited.

use indexmap::IndexMap;
use serde_json::{Value, json};
use workflow_core::definition::{Budget, ForeachNode, Mode, Node, Profile, ReduceStrategy, RunNode, Stage};
use workflow_core::ids::{NodePath, StageId};
use workflow_core::usage::Usage;

use super::needs::Needs;
use super::{Open, Run};
use crate::reference::answers::usage;
use crate::reference::case::Case;
use crate::reference::outcome::OPEN;

/// What was used, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Used {
    pub cost_usd: f64,
    pub tokens: u64,
}

/// What was used at least, and at most.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Range {
    pub least: Used,
    pub most: Used,
}

/// What the calls of a run have used.
#[derive(Debug, Default)]
pub(super) struct Spending {
    pub run: Range,
    stages: IndexMap<StageId, Range>,
    /// By the calls of the stage that is looked at, where they are made one after the other.
    here: Option<Used>,
    /// Why it is open what the run comes to.
    open: Option<String>,
}

impl Used {
    pub(super) fn add(&mut self, other: Self) {
        self.cost_usd += other.cost_usd;
        self.tokens += other.tokens;
    }

    fn and(mut self, other: Self) -> Self {
        self.add(other);
        self
    }

    /// By the call of a node before which so many had an answer.
    pub(super) fn of_call(case: &Case, path: &NodePath, before: u32) -> Self {
        let Usage { cost_usd, input_tokens, output_tokens } = usage(case, path, before).unwrap_or_default();
        let tokens = input_tokens.unwrap_or(0) + output_tokens.unwrap_or(0);
        Self { cost_usd: cost_usd.unwrap_or(0.0), tokens }
    }

    /// Whether it is all of a budget.
    pub(super) fn uses_up(self, budget: Budget) -> bool {
        budget.cost_usd.is_some_and(|cost| self.cost_usd >= cost)
            || budget.tokens.is_some_and(|tokens| self.tokens >= tokens)
    }
}

impl Range {
    /// Whether a budget is used up; nothing where that is open.
    fn uses_up(&self, budget: Option<Budget>, here: Used) -> Option<bool> {
        let Some(budget) = budget else { return Some(false) };
        let [least, most] = [self.least, self.most].map(|used| used.and(here).uses_up(budget));
        (least == most).then_some(least)
    }
}

impl Spending {
    /// What the run has used, where that is certain.
    pub(super) fn shown(&self) -> Value {
        let Range { least, most } = self.run;
        if least == most {
            json!({ "cost_usd": least.cost_usd, "tokens": least.tokens })
        } else {
            OPEN.into()
        }
    }
}

impl Run<'_> {
    /// Whether a call of a stage may be made, as far as its stage and the run are concerned.
    pub(super) fn may_call(&self, path: &NodePath) -> bool {
        let mut spending = self.spending.borrow_mut();
        let here = spending.here.unwrap_or_default();
        let of_stage = spending.stages.get(&path.stage).copied().unwrap_or_default();
        let scopes = [
            spending.run.uses_up(self.workflow.budget, here),
            of_stage.uses_up(self.workflow.stages[&path.stage].budget, here),
        ];
        if scopes.contains(&Some(true)) {
            return false;
        }
        if scopes.contains(&None) {
            spending.open.get_or_insert_with(|| format!("how much was used before {path} is open"));
        }
        true
    }

    /// A call was made. Whether one is stopped that tells of using a budget up, is a matter of time.
    pub(super) fn has_used(&self, path: &NodePath, used: Used) {
        let mut spending = self.spending.borrow_mut();
        let Some(here) = &mut spending.here else { return };
        here.add(used);
        let here = *here;
        let budgets = [
            (spending.run, self.workflow.budget),
            (
                spending.stages.get(&path.stage).copied().unwrap_or_default(),
                self.workflow.stages[&path.stage].budget,
            ),
        ];
        let crosses = budgets.iter().any(|(range, budget)| range.uses_up(*budget, here) != Some(false));
        if self.case.tells && crosses {
            spending.open = Some(format!("whether {path} is stopped for what it has used is open"));
        }
    }

    /// The same of a budget of the node itself.
    pub(super) fn has_used_up(&self, path: &NodePath, budget: Option<Budget>, used: Used) -> bool {
        let is_used_up = budget.is_some_and(|budget| used.uses_up(budget));
        if self.case.tells && is_used_up {
            self.spending.borrow_mut().open =
                Some(format!("whether {path} is stopped for what it has used is open"));
        }
        is_used_up
    }

    /// The calls of a stage are looked at.
    pub(super) fn begin_spending(&self, id: &StageId) -> Result<(), Open> {
        let stage = &self.workflow.stages[id];
        let budgets = [self.workflow.budget, stage.budget].into_iter();
        let timed = budgets.flatten().any(|budget| budget.time.is_some());
        let timed_node = self.profile(id).is_some_and(|profile| {
            calls(profile).any(|call| call.budget.is_some_and(|budget| budget.time.is_some()))
        });
        if timed || timed_node {
            return Err(Open("time is limited".to_owned()));
        }
        self.spending.borrow_mut().here = is_in_order(stage, self.profile(id)).then(Used::default);
        Ok(())
    }

    /// The stage has ended, after these calls: with how often each was made, and whether that is certain.
    pub(super) fn end_spending<'c>(
        &self,
        id: &StageId,
        calls: impl Iterator<Item = (&'c NodePath, usize, bool)>,
    ) -> Result<(), Open> {
        let mut used = Range::default();
        for (path, times, is_certain) in calls {
            for before in 0..u32::try_from(times).unwrap() {
                let call = Used::of_call(self.case, path, before);
                used.most.add(call);
                if is_certain {
                    used.least.add(call);
                }
            }
        }
        let mut spending = self.spending.borrow_mut();
        if let Some(why) = spending.open.take() {
            return Err(Open(why));
        }
        let in_order = spending.here.take().is_some();
        let of_stage = spending.stages.entry(id.clone()).or_default();
        let before = *of_stage;
        of_stage.add(used);
        let after = *of_stage;
        let of_run = spending.run;
        spending.run.add(used);
        let scopes =
            [(of_run, spending.run, self.workflow.budget), (before, after, self.workflow.stages[id].budget)];
        for (before, after, budget) in scopes {
            let Some(budget) = budget.filter(|_| !in_order) else { continue };
            if after.most.uses_up(budget) && !before.least.uses_up(budget) {
                return Err(Open("a budget is used up by calls at the same time".to_owned()));
            }
        }
        Ok(())
    }

    /// Whether the budget of the run is used up.
    pub(super) fn is_used_up(&self) -> Result<bool, Open> {
        let used_up = self.spending.borrow().run.uses_up(self.workflow.budget, Used::default());
        used_up.ok_or_else(|| Open("whether the budget of the run is used up is open".to_owned()))
    }
}

impl Range {
    fn add(&mut self, other: Self) {
        self.least.add(other.least);
        self.most.add(other.most);
    }
}

/// Whether the calls of a stage can only be made one after the other.
fn is_in_order(stage: &Stage, profile: Option<&Profile>) -> bool {
    if stage.mode == Some(Mode::Parallel) && stage.providers.len() > 1 {
        return false;
    }
    let Some(profile) = profile else { return true };
    let needs = Needs::of(profile);
    let calls = |place: &usize| call(&profile.graph[*place].node).is_some();
    let callers: Vec<_> = (0..profile.graph.len()).filter(calls).collect();
    let is_after = |one: usize, other: usize| needs.is_before(one, other) || needs.is_before(other, one);
    let in_order =
        callers.iter().all(|one| callers.iter().all(|other| one == other || is_after(*one, *other)));
    in_order && callers.iter().all(|place| !is_parallel(&profile.graph[*place].node))
}

fn is_parallel(node: &Node) -> bool {
    match node {
        Node::Foreach(ForeachNode { mode, run, .. }) => *mode == Some(Mode::Parallel) || is_parallel(run),
        _ => false,
    }
}

fn calls(profile: &Profile) -> impl Iterator<Item = &RunNode> {
    profile.graph.iter().filter_map(|node| call(&node.node))
}

/// The call that a node makes, or that is made for its items.
fn call(node: &Node) -> Option<&RunNode> {
    match node {
        Node::Run(run) => Some(run),
        Node::Reduce(reduce) if reduce.strategy == ReduceStrategy::Summarize => Some(&reduce.run),
        Node::Foreach(foreach) => call(&foreach.run),
        _ => None,
    }
}
