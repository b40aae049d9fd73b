//! Budgets: what a run, a stage or a node may use, over all attempts, lanes and resumes, and what is left of it.

use std::fmt;
use std::time::Duration;

use serde_json::json;

use crate::definition::{Budget, Period};
use crate::event::BudgetLimit;
use crate::failure::{Failure, FailureClass};
use crate::ids::{NodePath, StageId};
use crate::machine::state::State;
use crate::machine::state::node::NodeState;
use crate::plan::{CallPlan, Plan, StagePlan};
use crate::usage::Spent;

/// The fraction of a budget at which a warning is recorded.
const WARNED_AT: f64 = 0.8;

/// A budget, and what was used of it.
pub(in crate::machine) struct Scope<'a> {
    pub whose: Whose<'a>,
    budget: Budget,
    pub spent: Spent,
}

#[derive(Clone, Copy)]
pub(in crate::machine) enum Whose<'a> {
    Run,
    Stage(&'a StageId),
    Node(&'a NodePath),
}

impl<'a> Whose<'a> {
    pub(in crate::machine) fn stage(self) -> Option<&'a StageId> {
        if let Self::Stage(stage) = self { Some(stage) } else { None }
    }
}

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run => f.write_str("the run"),
            Self::Stage(stage) => write!(f, "the stage `{stage}`"),
            Self::Node(path) => write!(f, "the node `{path}`"),
        }
    }
}

/// One limit of a budget: how much was used, and how much may be.
pub(in crate::machine) struct Limit {
    pub what: BudgetLimit,
    pub used: f64,
    pub of: f64,
}

impl Scope<'_> {
    #[allow(clippy::cast_precision_loss, reason = "compared with limits that are not larger")]
    pub(in crate::machine) fn limits(&self) -> impl Iterator<Item = Limit> {
        let Budget { cost_usd, tokens, time } = self.budget;
        let spent = self.spent;
        let limits = [
            cost_usd.map(|of| Limit { what: BudgetLimit::Cost, used: spent.cost_usd.unwrap_or(0.0), of }),
            tokens.map(|of| Limit {
                what: BudgetLimit::Tokens,
                used: spent.tokens.unwrap_or(0) as f64,
                of: of as f64,
            }),
            time.map(|of| Limit {
                what: BudgetLimit::Time,
                used: spent.time_ms as f64 / 1000.0,
                of: of.0.as_secs_f64(),
            }),
        ];
        limits.into_iter().flatten()
    }

    /// The failure of a call for which a limit is reached.
    pub(in crate::machine) fn over(&self) -> Option<Failure> {
        let limit = self.limits().find(|limit| limit.used >= limit.of)?;
        Some(self.used_up(&limit))
    }

    fn left(&self) -> Budget {
        let Budget { cost_usd, tokens, time } = self.budget;
        let spent = Duration::from_millis(self.spent.time_ms);
        Budget {
            cost_usd: cost_usd.map(|of| (of - self.spent.cost_usd.unwrap_or(0.0)).max(0.0)),
            tokens: tokens.map(|of| of.saturating_sub(self.spent.tokens.unwrap_or(0))),
            time: time.map(|of| Period(of.0.saturating_sub(spent))),
        }
    }

    fn used_up(&self, limit: &Limit) -> Failure {
        let name = self.whose.to_string();
        let message = format!("the budget of {name} is used up: {}", limit.in_words());
        let details = json!({ "budget": name, "limit": limit.what, "used": limit.used, "of": limit.of });
        Failure::new(FailureClass::Budget, message).with_details(details)
    }
}

impl Limit {
    pub(in crate::machine) fn is_nearly_reached(&self) -> bool {
        self.used >= self.of * WARNED_AT && self.used < self.of
    }

    fn in_words(&self) -> String {
        let Self { what, used, of } = self;
        match what {
            BudgetLimit::Cost => format!("${used:.4} of ${of}"),
            BudgetLimit::Tokens => format!("{used} of {of} tokens"),
            BudgetLimit::Time => format!("{} of {of} seconds", (used * 1000.0).round() / 1000.0),
        }
    }
}

pub(in crate::machine) fn of_run<'a>(plan: &Plan, state: &State) -> Option<Scope<'a>> {
    let budget = match &state.created.budget {
        None => plan.workflow().budget?,
        Some(given) => least(**given, plan.workflow().budget.unwrap_or_default()),
    };
    // The stages of `finally` run also if it is used up.
    if state.ending.is_some() {
        return None;
    }
    Some(Scope { whose: Whose::Run, budget, spent: state.spent })
}

pub(in crate::machine) fn of_stage<'a>(state: &State, stage: &'a StagePlan) -> Option<Scope<'a>> {
    let budget = **stage.budget.as_ref()?;
    Some(Scope { whose: Whose::Stage(&stage.id), budget, spent: state.current_spent().unwrap_or_default() })
}

pub(in crate::machine) fn of_node<'a>(
    path: &'a NodePath,
    call: &CallPlan,
    node: Option<&NodeState>,
) -> Option<Scope<'a>> {
    let budget = **call.budget.as_ref()?;
    Some(Scope { whose: Whose::Node(path), budget, spent: node.map(NodeState::spent).unwrap_or_default() })
}

/// Whether a call counts for any budget: mostly it does not.
pub(in crate::machine) fn has_budget(plan: &Plan, state: &State, stage: &StagePlan, call: &CallPlan) -> bool {
    stage.budget.is_some()
        || call.budget.is_some()
        || plan.workflow().budget.is_some()
        || state.created.budget.is_some()
}

/// The smaller limits of two budgets.
fn least(one: Budget, other: Budget) -> Budget {
    fn smaller<T: PartialOrd>(one: Option<T>, other: Option<T>) -> Option<T> {
        match (one, other) {
            (Some(one), Some(other)) => Some(if other < one { other } else { one }),
            (one, other) => one.or(other),
        }
    }
    Budget {
        cost_usd: smaller(one.cost_usd, other.cost_usd),
        tokens: smaller(one.tokens, other.tokens),
        time: smaller(one.time, other.time),
    }
}

/// The failure of what would be charged to the run and a stage of it, where one of their budgets is used up.
pub(in crate::machine) fn over(plan: &Plan, state: &State, stage: &StagePlan) -> Option<Failure> {
    [of_run(plan, state), of_stage(state, stage)].into_iter().flatten().find_map(|scope| scope.over())
}

/// What is left of the budgets of the run and of a stage of it.
pub(in crate::machine) fn left(plan: &Plan, state: &State, stage: &StagePlan) -> Option<Budget> {
    let scopes = [of_run(plan, state), of_stage(state, stage)].into_iter().flatten();
    scopes.map(|scope| scope.left()).reduce(least)
}

/// How long an attempt may take by the budgets that it counts for, and the failure that it ends with when it takes
/// longer.
pub(in crate::machine) fn time_left(
    plan: &Plan,
    state: &State,
    stage: &StagePlan,
    path: &NodePath,
    call: &CallPlan,
) -> Option<(Duration, Failure)> {
    if !has_budget(plan, state, stage, call) {
        return None;
    }
    time_left_of(plan, state, stage, path, call)
}

/// Not inlined, as most calls have no budget: what is inlined uses stack in every call.
#[inline(never)]
fn time_left_of(
    plan: &Plan,
    state: &State,
    stage: &StagePlan,
    path: &NodePath,
    call: &CallPlan,
) -> Option<(Duration, Failure)> {
    let node = state.current_lane(path.lane).and_then(|lane| lane.node(path));
    let scopes = [of_run(plan, state), of_stage(state, stage), of_node(path, call, node)];
    let left = scopes.into_iter().flatten().filter_map(|scope| {
        let time = scope.budget.time?.0;
        Some((time.saturating_sub(Duration::from_millis(scope.spent.time_ms)), time, scope))
    });
    let by_budget = left.min_by_key(|(left, ..)| *left).map(|(left, time, scope)| {
        let of = time.as_secs_f64();
        (left, scope.used_up(&Limit { what: BudgetLimit::Time, used: of, of }))
    });
    match time_of_finally(plan, state) {
        Some(left) if by_budget.as_ref().is_none_or(|(of_budget, _)| left < *of_budget) => {
            Some((left, too_late(plan)))
        }
        _ => by_budget,
    }
}

/// How much time the stages of `finally` have left, once they have begun. It is counted as that of budgets, and with it
/// the time that calls wait until they are made again.
pub(in crate::machine) fn time_of_finally(plan: &Plan, state: &State) -> Option<Duration> {
    let ending = state.ending.as_ref()?;
    let used = state.spent.time_ms.saturating_sub(ending.before_ms).saturating_add(ending.waits_ms);
    Some(plan.finally_timeout.saturating_sub(Duration::from_millis(used)))
}

/// The failure of a call for which the time limit of `finally` is reached.
pub(in crate::machine) fn too_late(plan: &Plan) -> Failure {
    let seconds = plan.finally_timeout.as_secs_f64();
    let message = format!("the stages of `finally` took longer than {seconds} seconds (`finally_timeout`)");
    Failure::new(FailureClass::Timeout, message)
}
