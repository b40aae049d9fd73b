//! The usage of calls, and which budgets prevent calls.
//!
//! If calls are sequential, the usage before each of them is known. If they may be parallel it is not: then a
//! budget is either used up before, or not used up by all of them together; otherwise the outcome of the run
//! is open. It is also open if time is limited and the duration of calls is unknown: in the simulation, and
//! with hosts that die.

use std::time::Duration;

use indexmap::IndexMap;
use serde_json::{Value, json};
use workflow_core::definition::{Budget, ForeachNode, Mode, Node, Profile, ReduceStrategy, RunNode, Stage};
use workflow_core::ids::{NodePath, StageId};
use workflow_core::usage::Usage;

use super::needs::{self, Needs};
use super::{Open, Run};
use crate::reference::answers::{delay, usage};
use crate::reference::case::Case;
use crate::reference::outcome::OPEN;

/// The usage, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Used {
    pub cost_usd: f64,
    pub tokens: u64,
    pub time: Duration,
}

/// The minimum and the maximum usage.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Range {
    pub least: Used,
    pub most: Used,
}

/// The usage of a run's calls.
#[derive(Debug, Default)]
pub(super) struct Spending {
    pub run: Range,
    stages: IndexMap<StageId, Range>,
    /// The usage of the calls of the current stage, if they are sequential.
    here: Option<Used>,
    /// Why the outcome of the run is open.
    open: Option<String>,
}

impl Used {
    pub(super) fn add(&mut self, other: Self) {
        self.cost_usd += other.cost_usd;
        self.tokens += other.tokens;
        self.time += other.time;
    }

    fn and(mut self, other: Self) -> Self {
        self.add(other);
        self
    }

    /// The usage of the call of a node after `before` earlier answers.
    fn of_call(case: &Case, path: &NodePath, before: u32) -> Self {
        let Usage { cost_usd, input_tokens, output_tokens } = usage(case, path, before).unwrap_or_default();
        let tokens = input_tokens.unwrap_or(0) + output_tokens.unwrap_or(0);
        let time = Duration::from_millis(delay(case, path, before + 1));
        Self { cost_usd: cost_usd.unwrap_or(0.0), tokens, time }
    }

    /// Whether it uses up a budget.
    pub(super) fn uses_up(self, budget: Budget) -> bool {
        budget.cost_usd.is_some_and(|cost| self.cost_usd >= cost)
            || budget.tokens.is_some_and(|tokens| self.tokens >= tokens)
            || budget.time.is_some_and(|time| self.time >= time.0)
    }
}

impl Range {
    /// Whether a budget is used up; `None` if that is open.
    fn uses_up(&self, budget: Option<Budget>, here: Used) -> Option<bool> {
        let Some(budget) = budget else { return Some(false) };
        let [least, most] = [self.least, self.most].map(|used| used.and(here).uses_up(budget));
        (least == most).then_some(least)
    }
}

impl Spending {
    /// The usage of the run, if that is certain.
    pub(super) fn shown(&self, is_timed: bool) -> Value {
        let Range { least, most } = self.run;
        if least == most {
            let time_ms = if is_timed { json!(least.time.as_millis()) } else { OPEN.into() };
            json!({ "cost_usd": least.cost_usd, "tokens": least.tokens, "time_ms": time_ms })
        } else {
            OPEN.into()
        }
    }
}

impl Run<'_> {
    /// Whether a call of a stage may be made, according to the budgets of its stage and the run.
    pub(super) fn may_call(&self, path: &NodePath) -> bool {
        let mut spending = self.spending.borrow_mut();
        let here = spending.here.unwrap_or_default();
        let of_stage = spending.stages.get(&path.stage).copied().unwrap_or_default();
        let scopes = [
            spending.run.uses_up(self.run_budget(), here),
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

    /// Makes the call of a node after `before` earlier answers, with that usage. Returns the usage of the
    /// call, and whether its time limit ends it.
    pub(super) fn call(&self, path: &NodePath, own: Option<Budget>, used: Used, before: u32) -> (Used, bool) {
        let mut spending = self.spending.borrow_mut();
        let of_stage = spending.stages.get(&path.stage).copied().unwrap_or_default();
        let mut scopes = vec![(Range::exactly(used), own)];
        if let Some(here) = spending.here {
            scopes.push((spending.run.and(here), self.run_budget()));
            scopes.push((of_stage.and(here), self.workflow.stages[&path.stage].budget));
        }
        scopes.retain(|(_, budget)| budget.is_some());
        let mut uses = Used::of_call(self.case, path, before);
        let left = |used: Used, budget: Option<Budget>| Some(budget?.time?.0.saturating_sub(used.time));
        let mut lefts = scopes
            .iter()
            .flat_map(|(range, budget)| [range.least, range.most].map(|used| left(used, *budget)));
        let least = lefts.clone().flatten().min();
        if lefts.any(|left| left == Some(uses.time))
            || scopes.iter().any(|(range, budget)| left(range.least, *budget) != left(range.most, *budget))
        {
            spending.open = Some(format!("whether {path} is in time is open"));
        }
        let is_late = least.is_some_and(|least| uses.time > least);
        if is_late {
            // It does not report its usage.
            uses = Used { time: least.unwrap_or_default(), ..Used::default() };
        }
        let crosses = scopes.iter().any(|(range, budget)| range.uses_up(*budget, uses) != Some(false));
        if self.case.tells && crosses {
            spending.open = Some(format!("whether {path} is stopped for what it has used is open"));
        }
        if let Some(here) = &mut spending.here {
            here.add(uses);
        }
        (uses, is_late)
    }

    /// The outcome of the run depends on something that is not known.
    pub(super) fn is_open(&self, why: String) {
        self.spending.borrow_mut().open.get_or_insert(why);
    }

    /// Starts to count the calls of a stage.
    pub(super) fn begin_spending(&self, id: &StageId) -> Result<(), Open> {
        let stage = &self.workflow.stages[id];
        let budgets = [self.run_budget(), stage.budget].into_iter();
        let timed = budgets.flatten().any(|budget| budget.time.is_some());
        let timed_node = self.profile(id).is_some_and(|profile| {
            calls(profile).iter().any(|call| call.budget.is_some_and(|budget| budget.time.is_some()))
        });
        if (timed || timed_node) && !self.is_timed {
            return Err(Open("time is limited".to_owned()));
        }
        self.spending.borrow_mut().here = is_in_order(stage, self.profile(id)).then(Used::default);
        Ok(())
    }

    /// Ends a stage whose calls had that usage, certain or not.
    pub(super) fn end_spending(
        &self,
        id: &StageId,
        calls: impl Iterator<Item = (Used, bool)>,
    ) -> Result<(), Open> {
        let mut used = Range::default();
        for (call, is_certain) in calls {
            used.most.add(call);
            if is_certain {
                used.least.add(call);
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
            [(of_run, spending.run, self.run_budget()), (before, after, self.workflow.stages[id].budget)];
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
        let used_up = self.spending.borrow().run.uses_up(self.run_budget(), Used::default());
        used_up.ok_or_else(|| Open("whether the budget of the run is used up is open".to_owned()))
    }
}

impl Range {
    fn exactly(used: Used) -> Self {
        Self { least: used, most: used }
    }

    fn and(self, used: Used) -> Self {
        Self { least: self.least.and(used), most: self.most.and(used) }
    }

    fn add(&mut self, other: Self) {
        self.least.add(other.least);
        self.most.add(other.most);
    }
}

/// Whether the calls of a stage can only be sequential.
fn is_in_order(stage: &Stage, profile: Option<&Profile>) -> bool {
    if stage.mode == Some(Mode::Parallel) && stage.providers.len() > 1 {
        return false;
    }
    let Some(profile) = profile else { return true };
    let profile = &needs::flat(profile);
    let needs = Needs::of(profile);
    let calls = |place: &usize| starts(&profile.graph[*place].node);
    let callers: Vec<_> = (0..profile.graph.len()).filter(calls).collect();
    let is_after = |one: usize, other: usize| needs.is_before(one, other) || needs.is_before(other, one);
    let in_order =
        callers.iter().all(|one| callers.iter().all(|other| one == other || is_after(*one, *other)));
    let is_beside =
        |place: usize| is_parallel(&profile.graph[place].node) || needs.is_in_parallel(profile, place);
    in_order && !callers.iter().any(|place| is_beside(*place))
}

fn is_parallel(node: &Node) -> bool {
    match node {
        Node::Foreach(ForeachNode { mode, run, .. }) => *mode == Some(Mode::Parallel) || is_parallel(run),
        _ => false,
    }
}

fn calls(profile: &Profile) -> Vec<RunNode> {
    needs::flat(profile).graph.iter().filter_map(|node| call(&node.node).cloned()).collect()
}

/// Whether a node calls a provider or runs a workflow, for itself or for its items.
fn starts(node: &Node) -> bool {
    match node {
        Node::Foreach(foreach) => starts(&foreach.run),
        Node::Workflow(_) => true,
        node => call(node).is_some(),
    }
}

/// The call that a node makes for itself or for its items.
fn call(node: &Node) -> Option<&RunNode> {
    match node {
        Node::Run(run) => Some(run),
        Node::Reduce(reduce) if reduce.strategy == ReduceStrategy::Summarize => Some(&reduce.run),
        Node::Foreach(foreach) => call(&foreach.run),
        _ => None,
    }
}
