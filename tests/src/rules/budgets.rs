//! The rules of budgets and of sessions.
//!
//! A budget is used up when as much was used as it has. What is used above that was used by calls that were
//! under way when the line was crossed: by the one that crossed it, where calls are made one at a time.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use workflow_core::definition::Budget;
use workflow_core::event::{BudgetLimit, EventBody};
use workflow_core::ids::{NodePath, StageId};
use workflow_core::usage::{Spent, Usage};

use super::{Checked, Log, graph, rule};

/// Whose budget it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    Run,
    Stage(StageId),
    Node(NodePath),
}

/// What was used, and which limits were crossed.
#[derive(Debug, Default)]
pub(super) struct Spending {
    spent: HashMap<Scope, Spent>,
    /// By the budget and the limit.
    crossed: HashMap<(Scope, &'static str), Crossed>,
}

/// How a limit was crossed.
#[derive(Debug)]
struct Crossed {
    /// The calls that were under way then, with what each of them has used.
    by: BTreeMap<NodePath, (u32, f64)>,
}

const LIMITS: [(&str, BudgetLimit); 3] =
    [("cost", BudgetLimit::Cost), ("tokens", BudgetLimit::Tokens), ("time", BudgetLimit::Time)];

impl<'a> Log<'a> {
    pub(super) fn take_of_budgets(&mut self, body: &'a EventBody) -> Checked {
        match body {
            EventBody::BudgetWarning { stage, limit, .. } => {
                let scope = stage.clone().map_or(Scope::Run, Scope::Stage);
                let budget = self.budget(&scope).ok_or("a budget is warned of where there is one")?;
                let (used, of) = used(*limit, budget, self.spending.of(&scope));
                rule(
                    of.is_some_and(|of| used >= of * 0.8 && (used < of || !self.reading.current)),
                    "a budget is warned of when it is nearly used up",
                )?;
                rule(self.warned.insert((stage.clone(), *limit)), "a budget is warned of once")
            }
            EventBody::SessionDropped { path, session } => {
                let node = self.nodes.get(path);
                rule(node.is_some_and(|node| !node.running), "a session is given up between calls")?;
                let last = self.sessions.of(path);
                rule(last == Some(session), "the session that is given up is the one that was recorded last")
            }
            other => self.take_of_changes(other),
        }
    }

    fn budget(&self, scope: &Scope) -> Option<Budget> {
        match scope {
            Scope::Run => self.workflow.budget,
            Scope::Stage(stage) => self.stage(stage).budget,
            Scope::Node(path) => self.what(path).and_then(graph::call)?.budget,
        }
    }

    /// A call starts only while nothing that it counts for is used up.
    pub(super) fn check_budgets(&self, path: &NodePath) -> Checked {
        let is_used_up = scopes(path).iter().any(|scope| self.is_used_up(scope));
        rule(!is_used_up, "nothing is called when a budget is used up")
    }

    /// What is not called because of a budget is not called because one is used up.
    pub(super) fn check_refused_by_budget(&self, path: &NodePath) -> Checked {
        let is_used_up = scopes(path).iter().any(|scope| self.is_used_up(scope));
        rule(is_used_up, "a call is refused for a budget that is used up")
    }

    /// Whether a budget is used up.
    pub(super) fn is_used_up(&self, scope: &Scope) -> bool {
        let Some(budget) = self.budget(scope) else { return false };
        let spent = self.spending.of(scope);
        LIMITS.iter().any(|(_, limit)| {
            let (used, of) = used(*limit, budget, spent);
            of.is_some_and(|of| used >= of)
        })
    }

    /// An attempt that ends has used something.
    pub(super) fn spend(
        &mut self,
        path: &NodePath,
        attempt: u32,
        ran: Option<(Timestamp, Timestamp)>,
        usage: Option<&Usage>,
    ) -> Checked {
        // What a person says of a call that was interrupted is no attempt.
        let Some((from, until)) = ran else { return Ok(()) };
        let took = until.as_millisecond() - from.as_millisecond();
        // A clock may have been set back.
        let took = u64::try_from(took).unwrap_or(0);
        scopes(path).into_iter().try_for_each(|scope| {
            let before = self.spending.of(&scope);
            let mut after = before;
            after.add(usage, took);
            if let Some(budget) = self.budget(&scope) {
                let under_way = self.under_way(&scope);
                self.spending.cross(&scope, budget, (path, attempt), (before, after), &under_way)?;
            }
            self.spending.spent.insert(scope, after);
            Ok(())
        })
    }

    /// The calls that go on and count for a budget, the one that ends now among them.
    fn under_way(&self, scope: &Scope) -> Vec<(NodePath, u32)> {
        let counts = |path: &NodePath| match scope {
            Scope::Run => true,
            Scope::Stage(stage) => path.stage == *stage,
            Scope::Node(node) => path == node,
        };
        let running = self.nodes.iter().filter(|(path, node)| node.running && counts(path));
        running.map(|(path, node)| (path.clone(), node.attempt)).collect()
    }
}

impl Spending {
    fn of(&self, scope: &Scope) -> Spent {
        self.spent.get(scope).copied().unwrap_or_default()
    }

    /// What was used until now is of another run, or of other budgets.
    pub(super) fn begins_anew(&mut self) {
        *self = Self::default();
    }

    /// The budgets are others from now on.
    pub(super) fn has_other_budgets(&mut self) {
        self.crossed.clear();
    }

    /// Sees to it that of each limit no more is used than it has, but by the calls that were under way when it
    /// was crossed.
    fn cross(
        &mut self,
        scope: &Scope,
        budget: Budget,
        (path, attempt): (&NodePath, u32),
        (before, after): (Spent, Spent),
        under_way: &[(NodePath, u32)],
    ) -> Checked {
        for (name, limit) in LIMITS {
            let ((was, _), (is, of)) = (used(limit, budget, before), used(limit, budget, after));
            let Some(of) = of.filter(|of| is >= *of && is > was) else { continue };
            let crossed = self.crossed.entry((scope.clone(), name)).or_insert_with(|| Crossed {
                by: under_way.iter().map(|(path, attempt)| (path.clone(), (*attempt, 0.0))).collect(),
            });
            let by = crossed.by.get_mut(path).filter(|(counted, _)| *counted == attempt);
            let (_, share) = by.ok_or("what is used after the line was crossed was under way then")?;
            *share += is - was;
            let theirs: f64 = crossed.by.values().map(|(_, share)| share).sum();
            // Sums of parts of a second are not exact.
            rule(is - of <= theirs + 1e-6, "a budget is exceeded by no more than what was under way")?;
        }
        Ok(())
    }
}

/// The budgets that a call counts for.
fn scopes(path: &NodePath) -> [Scope; 3] {
    [Scope::Run, Scope::Stage(path.stage.clone()), Scope::Node(path.clone())]
}

#[allow(clippy::cast_precision_loss, reason = "what a test uses is little")]
fn used(limit: BudgetLimit, budget: Budget, spent: Spent) -> (f64, Option<f64>) {
    match limit {
        BudgetLimit::Cost => (spent.cost_usd.unwrap_or(0.0), budget.cost_usd),
        BudgetLimit::Tokens => (spent.tokens.unwrap_or(0) as f64, budget.tokens.map(|tokens| tokens as f64)),
        BudgetLimit::Time => (spent.time_ms as f64 / 1000.0, budget.time.map(|time| time.0.as_secs_f64())),
    }
}
