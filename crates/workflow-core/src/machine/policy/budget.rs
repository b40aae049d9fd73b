//! Budgets: what a run, a stage or a node may use, over all attempts, lanes and resumes.
//!
//! A call starts only while no budget that it counts for is used up, and a call that reports its usage is
//! stopped when it uses one up. So a budget is exceeded by no more than the calls that were under way when it
//! was reached.

use crate::event::EventBody;
use crate::failure::Failure;
use crate::ids::NodePath;
use crate::machine::message::Effect;
use crate::machine::policy::step::Step;
use crate::machine::state::Broken;
use crate::machine::state::budget::{self, Limit, Scope};
use crate::machine::state::derived::{Derived, Live};
use crate::plan::CallPlan;
use crate::stop::Stop;
use crate::usage::{Spent, Usage};

impl Step<'_> {
    /// The budget that keeps a call from starting.
    pub(super) fn over_budget(&self, path: &NodePath, call: &CallPlan) -> Option<Failure> {
        let stage = self.stage?;
        if !budget::has_budget(self.plan, self.state, stage, call) {
            return None;
        }
        if let Some(failure) = self.too_late() {
            return Some(failure);
        }
        let scopes = [
            budget::of_run(self.plan, self.state),
            budget::of_stage(self.state, stage),
            budget::of_node(path, call, self.node(path)),
        ];
        scopes.into_iter().flatten().find_map(|scope| scope.over())
    }

    /// Whether no further call of the run may start.
    pub(super) fn is_run_over_budget(&self) -> bool {
        budget::of_run(self.plan, self.state).is_some_and(|scope| scope.over().is_some())
    }

    /// Whether no further call of the stage may start.
    pub(super) fn is_stage_over_budget(&self) -> bool {
        let of_stage = self.stage.and_then(|stage| budget::of_stage(self.state, stage));
        of_stage.is_some_and(|scope| scope.over().is_some()) || self.is_run_over_budget()
    }

    /// Warns of budgets that are nearly used up, once each. A budget that is used up is reported by the
    /// failure of the next call.
    pub(super) fn warn_of_budgets(&mut self) -> Result<(), Broken> {
        let Some(stage) = self.stage else { return Ok(()) };
        let of_run = self.plan.workflow().budget.is_some() || self.state.created.budget.is_some();
        if stage.budget.is_none() && !of_run {
            return Ok(());
        }
        let mut warnings = Vec::new();
        for scope in
            [budget::of_run(self.plan, self.state), budget::of_stage(self.state, stage)].into_iter().flatten()
        {
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

    /// Handles a call's report of its usage so far: the call is stopped if that is too much.
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

    /// The budget that is used up by `usage` of a call and the reported usage of the others.
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
        budget::of_run(self.plan, self.state)
            .and_then(|scope| with(scope, live))
            .or_else(|| with(budget::of_stage(self.state, stage)?, live))
            .or_else(|| with(budget::of_node(path, call, self.node(path))?, own))
    }
}
