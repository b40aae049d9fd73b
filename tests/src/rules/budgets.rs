//! The rules of budgets and of sessions.
//!
//! A budget is used up when the usage reaches it. Only calls that were in progress at that moment may exceed
//! it: the last call, if calls are sequential.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use workflow_core::definition::Budget;
use workflow_core::event::{BudgetLimit, EventBody};
use workflow_core::ids::{NodePath, StageId};
use workflow_core::usage::{Spent, Usage};

use super::{Checked, Log, graph, rule};

/// The owner of a budget.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    Run,
    Stage(StageId),
    Node(NodePath),
    /// The stages of `finally` together.
    Finally,
}

/// The usage, and which limits were reached.
#[derive(Debug, Default)]
pub(super) struct Spending {
    spent: HashMap<Scope, Spent>,
    /// By the budget and the limit.
    crossed: HashMap<(Scope, &'static str), Crossed>,
}

/// How a limit was reached.
#[derive(Debug)]
struct Crossed {
    /// The calls that were in progress then, with the usage of each.
    by: BTreeMap<NodePath, (u32, f64)>,
}

const LIMITS: [(&str, BudgetLimit); 3] =
    [("cost", BudgetLimit::Cost), ("tokens", BudgetLimit::Tokens), ("time", BudgetLimit::Time)];

impl<'a> Log<'a> {
    pub(super) fn take_of_budgets(&mut self, body: &'a EventBody) -> Checked {
        match body {
            EventBody::BudgetWarning { stage, limit, .. } => {
                let scope = stage.clone().map_or(Scope::Run, Scope::Stage);
                let budget = self.budget(&scope).ok_or("a warning belongs to a budget")?;
                let (used, of) = used(*limit, budget, self.spending.of(&scope));
                rule(
                    of.is_some_and(|of| used >= of * 0.8 && (used < of || !self.reading.current)),
                    "a warning is given when a budget is nearly used up",
                )?;
                rule(self.warned.insert((stage.clone(), *limit)), "a warning is given once per budget")
            }
            EventBody::SessionDropped { path, session } => {
                let node = self.nodes.get(path);
                rule(node.is_some_and(|node| !node.running), "a session is dropped between calls")?;
                let last = self.sessions.of(path);
                rule(last == Some(session), "the dropped session is the one that was recorded last")
            }
            other => self.take_of_children(other),
        }
    }

    fn budget(&self, scope: &Scope) -> Option<Budget> {
        match scope {
            Scope::Run => {
                let own = self.workflow.budget;
                let budget = match (self.created.budget.as_deref(), own) {
                    (Some(given), Some(own)) => Some(smaller(*given, own)),
                    (given, own) => given.copied().or(own),
                };
                budget.filter(|_| self.finally.is_none())
            }
            Scope::Stage(stage) => self.stage(stage).budget,
            Scope::Node(path) => self.what(path).and_then(graph::call)?.budget,
            Scope::Finally => {
                self.finally.as_ref()?;
                Some(Budget { time: Some(self.limit_of_finally()), ..Budget::default() })
            }
        }
    }

    /// A call starts only while none of its budgets is used up.
    pub(super) fn check_budgets(&self, path: &NodePath) -> Checked {
        let is_used_up = scopes(path).iter().any(|scope| self.is_used_up(scope));
        rule(!is_used_up, "no provider is called when a budget is used up")
    }

    /// A call that is refused for a budget has a budget that is used up.
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

    /// Adds the usage of an attempt that ends.
    pub(super) fn spend(
        &mut self,
        path: &NodePath,
        attempt: u32,
        ran: Option<(Timestamp, Timestamp)>,
        usage: Option<&Usage>,
    ) -> Checked {
        // What a run used that a node has started counted when that ended.
        if self.nodes.get(path).is_some_and(|node| node.child.is_some()) {
            return Ok(());
        }
        // An answer about an interrupted call is not an attempt.
        let Some((from, until)) = ran else { return Ok(()) };
        let took = until.as_millisecond() - from.as_millisecond();
        // A clock may have been set back.
        let took = u64::try_from(took).unwrap_or(0);
        let mut spent = Spent::default();
        spent.add(usage, took);
        self.spend_all(path, attempt, spent)
    }

    /// Adds what an attempt used that ends.
    pub(super) fn spend_all(&mut self, path: &NodePath, attempt: u32, spent: Spent) -> Checked {
        scopes(path).into_iter().try_for_each(|scope| {
            let before = self.spending.of(&scope);
            let mut after = before;
            after.add_all(spent);
            if let Some(budget) = self.budget(&scope) {
                let under_way = self.under_way(&scope);
                self.spending.cross(&scope, budget, (path, attempt), (before, after), &under_way)?;
            }
            self.spending.spent.insert(scope, after);
            Ok(())
        })
    }

    /// The calls in progress that count towards a budget, including the one that ends now.
    fn under_way(&self, scope: &Scope) -> Vec<(NodePath, u32)> {
        let counts = |path: &NodePath| match scope {
            Scope::Run | Scope::Finally => true,
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

    pub(super) fn begins(&mut self, scope: &Scope) {
        self.spent.remove(scope);
    }

    /// The time until a call of a stage of `finally` is made again counts as its time.
    pub(super) fn wait(&mut self, from: Timestamp, until: Timestamp) {
        let wait = until.as_millisecond() - from.as_millisecond();
        let spent = self.spent.entry(Scope::Finally).or_default();
        spent.time_ms += u64::try_from(wait).unwrap_or(0);
    }

    /// The usage until now belongs to another run, or to other budgets.
    pub(super) fn begins_anew(&mut self) {
        *self = Self::default();
    }

    /// The budgets change from now on.
    pub(super) fn has_other_budgets(&mut self) {
        self.crossed.clear();
    }

    /// Checks that the usage exceeds each limit only by the calls that were in progress when it was reached.
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
            let (_, share) =
                by.ok_or("usage above a limit belongs to a call that was in progress when it was reached")?;
            *share += is - was;
            let theirs: f64 = crossed.by.values().map(|(_, share)| share).sum();
            // Sums of fractions of a second are not exact.
            rule(is - of <= theirs + 1e-6, "a budget is exceeded only by calls that were in progress")?;
        }
        Ok(())
    }
}

/// The smaller limits: its own, and what the run had left that has started it.
fn smaller(given: Budget, own: Budget) -> Budget {
    Budget {
        cost_usd: [given.cost_usd, own.cost_usd].into_iter().flatten().reduce(f64::min),
        tokens: given.tokens.into_iter().chain(own.tokens).min(),
        time: given.time.into_iter().chain(own.time).min(),
    }
}

/// The budgets that a call counts towards.
fn scopes(path: &NodePath) -> [Scope; 4] {
    [Scope::Run, Scope::Stage(path.stage.clone()), Scope::Node(path.clone()), Scope::Finally]
}

#[allow(clippy::cast_precision_loss, reason = "what a test uses is little")]
fn used(limit: BudgetLimit, budget: Budget, spent: Spent) -> (f64, Option<f64>) {
    match limit {
        BudgetLimit::Cost => (spent.cost_usd.unwrap_or(0.0), budget.cost_usd),
        BudgetLimit::Tokens => (spent.tokens.unwrap_or(0) as f64, budget.tokens.map(|tokens| tokens as f64)),
        BudgetLimit::Time => (spent.time_ms as f64 / 1000.0, budget.time.map(|time| time.0.as_secs_f64())),
    }
}
