//! Budgets: what a run, a stage or a node may use, over all attempts, lanes and resumes.
//!
//! A call starts only while no budget that it counts for is used up, and one that tells how much it uses is
//! stopped when it uses one up. So what is used is above a budget by no more than the calls that were under
//! way when it was crossed.

use std::fmt;
use std::time::Duration;

use serde_json::json;

use super::io::Effect;
use super::lane::NodeState;
use super::state::{Broken, State};
use super::step::Step;
use super::work::Derived;
use crate::definition::Budget;
use crate::event::{BudgetLimit, EventBody};
use crate::failure::{Failure, FailureClass};
use crate::ids::{NodePath, StageId};
use crate::plan::{CallPlan, Plan, StagePlan};
use crate::stop::Stop;
use crate::usage::{Spent, Usage};

/// The part of a budget at which it is warned of.
const WARNED_AT: f64 = 0.8;

/// What a call that runs has said of its usage.
#[derive(Debug, Clone)]
pub(super) struct Live {
    pub usage: Usage,
    /// The budget that it was stopped for.
    pub over: Option<Failure>,
}

/// A budget, and what was used of it.
struct Scope<'a> {
    whose: Whose<'a>,
    budget: Budget,
    spent: Spent,
}

#[derive(Clone, Copy)]
enum Whose<'a> {
    Run,
    Stage(&'a StageId),
    Node(&'a NodePath),
}

impl<'a> Whose<'a> {
    fn stage(self) -> Option<&'a StageId> {
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
struct Limit {
    what: BudgetLimit,
    used: f64,
    of: f64,
}

impl Scope<'_> {
    #[allow(clippy::cast_precision_loss, reason = "compared with limits that are no larger")]
    fn limits(&self) -> impl Iterator<Item = Limit> {
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

    /// That a limit is reached, as a failure.
    fn over(&self) -> Option<Failure> {
        let limit = self.limits().find(|limit| limit.used >= limit.of)?;
        Some(self.used_up(&limit))
    }

    fn used_up(&self, limit: &Limit) -> Failure {
        let name = self.whose.to_string();
        let message = format!("the budget of {name} is used up: {}", limit.in_words());
        let details = json!({ "budget": name, "limit": limit.what, "used": limit.used, "of": limit.of });
        Failure::new(FailureClass::Budget, message).with_details(details)
    }
}

impl Limit {
    fn is_nearly_reached(&self) -> bool {
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

fn of_run<'a>(plan: &Plan, state: &State) -> Option<Scope<'a>> {
    let budget = plan.workflow().budget?;
    Some(Scope { whose: Whose::Run, budget, spent: state.spent })
}

fn of_stage<'a>(state: &State, stage: &'a StagePlan) -> Option<Scope<'a>> {
    let budget = stage.budget?;
    Some(Scope { whose: Whose::Stage(&stage.id), budget, spent: state.current_spent().unwrap_or_default() })
}

fn of_node<'a>(path: &'a NodePath, call: &CallPlan, node: Option<&NodeState>) -> Option<Scope<'a>> {
    let budget = call.budget?;
    Some(Scope { whose: Whose::Node(path), budget, spent: node.map(NodeState::spent).unwrap_or_default() })
}

/// Whether a call counts for any budget: mostly it does not.
fn has_budget(plan: &Plan, stage: &StagePlan, call: &CallPlan) -> bool {
    stage.budget.is_some() || call.budget.is_some() || plan.workflow().budget.is_some()
}

/// How long an attempt may take by the budgets that it counts for, and the failure that it ends with when it takes
/// longer.
pub(super) fn time_left(
    plan: &Plan,
    state: &State,
    stage: &StagePlan,
    path: &NodePath,
    call: &CallPlan,
) -> Option<(Duration, Failure)> {
    if !has_budget(plan, stage, call) {
        return None;
    }
    let node = state.current_lane(path.lane).and_then(|lane| lane.node(path));
    let scopes = [of_run(plan, state), of_stage(state, stage), of_node(path, call, node)];
    let left = scopes.into_iter().flatten().filter_map(|scope| {
        let time = scope.budget.time?.0;
        Some((time.saturating_sub(Duration::from_millis(scope.spent.time_ms)), time, scope))
    });
    let (left, time, scope) = left.min_by_key(|(left, ..)| *left)?;
    let of = time.as_secs_f64();
    Some((left, scope.used_up(&Limit { what: BudgetLimit::Time, used: of, of })))
}

impl Step<'_> {
    /// The budget that keeps a call from starting.
    pub(super) fn over_budget(&self, path: &NodePath, call: &CallPlan) -> Option<Failure> {
        let stage = self.stage?;
        if !has_budget(self.plan, stage, call) {
            return None;
        }
        let scopes = [
            of_run(self.plan, self.state),
            of_stage(self.state, stage),
            of_node(path, call, self.node(path)),
        ];
        scopes.into_iter().flatten().find_map(|scope| scope.over())
    }

    /// Whether nothing of the run may be called any more.
    pub(super) fn is_run_over_budget(&self) -> bool {
        of_run(self.plan, self.state).is_some_and(|scope| scope.over().is_some())
    }

    /// Warns of budgets that are nearly used up, once each. Of one that is used up a failure tells, where anything
    /// is called after that.
    pub(super) fn warn_of_budgets(&mut self) -> Result<(), Broken> {
        let Some(stage) = self.stage else { return Ok(()) };
        if stage.budget.is_none() && self.plan.workflow().budget.is_none() {
            return Ok(());
        }
        let mut warnings = Vec::new();
        for scope in [of_run(self.plan, self.state), of_stage(self.state, stage)].into_iter().flatten() {
            for limit in scope.limits().filter(Limit::is_nearly_reached) {
                let key = (scope.whose.stage().cloned(), limit.what);
                if !self.state.warned.contains(&key) {
                    warnings.push(EventBody::BudgetWarning {
                        stage: key.0,
                        limit: limit.what,
                        used: limit.used,
                        of: limit.of,
                    });
                }
            }
        }
        warnings.into_iter().try_for_each(|warning| self.emit(warning))
    }

    /// A call has told how much it has used so far; it is stopped if that is too much.
    pub(super) fn used(&mut self, path: NodePath, attempt: u32, usage: Usage) {
        if !self.is_running(&path, attempt) {
            return;
        }
        let over = self.over_with(&path, &usage);
        let Some(node) = self.node_mut(&path) else { return };
        let before = node.live.0.take().and_then(|live| live.over);
        let stops = over.is_some() && before.is_none();
        node.live = Derived(Some(Box::new(Live { usage, over: before.or(over) })));
        if stops {
            self.decision.effects.push(Effect::Stop { path, how: Stop::Gracefully });
        }
    }

    /// The budget that is used up if a call has used `usage` and others what they told.
    fn over_with(&self, path: &NodePath, usage: &Usage) -> Option<Failure> {
        let (stage, call) = (self.stage?, self.call(path)?);
        let mut live = Spent::default();
        for (running, _) in self.running() {
            let told = self.node(&running).and_then(|node| node.live.0.as_ref());
            if let Some(told) = told.filter(|_| running != *path) {
                live.add(Some(&told.usage), 0);
            }
        }
        live.add(Some(usage), 0);
        let with = |mut scope: Scope<'_>, live: Spent| {
            scope.spent.add_known(live.cost_usd, live.tokens);
            scope.over()
        };
        let mut own = Spent::default();
        own.add(Some(usage), 0);
        of_run(self.plan, self.state)
            .and_then(|scope| with(scope, live))
            .or_else(|| with(of_stage(self.state, stage)?, live))
            .or_else(|| with(of_node(path, call, self.node(path))?, own))
    }
}
