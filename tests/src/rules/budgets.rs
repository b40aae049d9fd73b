//! The rules of budgets and of sessions.

use jiff::Timestamp;
use workflow_core::definition::Budget;
use workflow_core::event::{BudgetLimit, EventBody};
use workflow_core::ids::{NodePath, StageId};
use workflow_core::usage::{Spent, Usage};

use super::{Checked, Log, rule};

impl<'a> Log<'a> {
    pub(super) fn take_of_budgets(&mut self, body: &'a EventBody) -> Checked {
        match body {
            EventBody::BudgetWarning { stage, limit, .. } => {
                let budget = self.budget(stage.as_ref()).ok_or("a budget is warned of where there is one")?;
                let spent = self.spent.get(stage).copied().unwrap_or_default();
                let (used, of) = used(*limit, budget, spent);
                rule(
                    of.is_some_and(|of| used >= of * 0.8),
                    "a budget is warned of when it is nearly used up",
                )?;
                rule(self.warned.insert((stage.clone(), *limit)), "a budget is warned of once")
            }
            EventBody::SessionDropped { path, .. } => rule(
                self.nodes.get(path).is_some_and(|node| !node.running),
                "a session is given up between calls",
            ),
            other => self.take_of_changes(other),
        }
    }

    fn budget(&self, stage: Option<&StageId>) -> Option<Budget> {
        match stage {
            Some(stage) => self.stage(stage).budget,
            None => self.workflow.budget,
        }
    }

    /// A call starts only while nothing that it counts for is used up.
    pub(super) fn check_budgets(&self, path: &NodePath) -> Checked {
        for scope in [None, Some(path.stage.clone())] {
            rule(!self.is_used_up(scope.as_ref()), "nothing is called when a budget is used up")?;
        }
        Ok(())
    }

    /// Whether the budget of a stage, or of the run, is used up.
    pub(super) fn is_used_up(&self, stage: Option<&StageId>) -> bool {
        let Some(budget) = self.budget(stage) else { return false };
        let spent = self.spent.get(&stage.cloned()).copied().unwrap_or_default();
        let limits = [BudgetLimit::Cost, BudgetLimit::Tokens, BudgetLimit::Time];
        limits.into_iter().any(|limit| {
            let (used, of) = used(limit, budget, spent);
            of.is_some_and(|of| used >= of)
        })
    }

    pub(super) fn spend(
        &mut self,
        path: &NodePath,
        ran: Option<(Timestamp, Timestamp)>,
        usage: Option<&Usage>,
    ) {
        // What a person says of a call that was interrupted is no attempt.
        let Some((from, until)) = ran else { return };
        let took = until.as_millisecond() - from.as_millisecond();
        // A clock may have been set back.
        let took = u64::try_from(took).unwrap_or(0);
        for scope in [None, Some(path.stage.clone())] {
            self.spent.entry(scope).or_default().add(usage, took);
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "what a test uses is little")]
fn used(limit: BudgetLimit, budget: Budget, spent: Spent) -> (f64, Option<f64>) {
    match limit {
        BudgetLimit::Cost => (spent.cost_usd, budget.cost_usd),
        BudgetLimit::Tokens => (spent.tokens as f64, budget.tokens.map(|tokens| tokens as f64)),
        BudgetLimit::Time => (spent.time_ms as f64 / 1000.0, budget.time.map(|time| time.0.as_secs_f64())),
    }
}
