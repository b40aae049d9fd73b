//! Random workflows.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use workflow_core::bundle::Bundle;
use workflow_core::definition::{
    self, Budget, Defaults, Exhausted, Lane, LoopSpec, Mode, Node, OnFailure, OnInterrupt, ParallelStrategy,
    Period, Profile, Role, SessionMode, Stage, Workflow,
};
use workflow_core::ids::StageId;
use workflow_core::plan::Plan;

use crate::graphs::{SCHEMA, profiles};

const CONDITIONS: [&str; 8] = [
    "$.vars.flag == true",
    "$.vars.flag != true",
    "$.iteration > 1",
    "$.iteration == 1",
    "$.iteration != 2",
    "$.stages.s0.status == 'completed'",
    "$.stages.s1.output.flag",
    "$.stages.s0.output[0].done == true || $.stages.s2.status == 'skipped'",
];

/// The providers of lanes: two literal ones, and two from a variable, one of which is unknown.
const PROVIDERS: [&str; 8] = ["p", "p", "p", "q", "q", "${vars.p}", "${vars.p}", "${vars.unknown}"];

/// A plan, and how its run handles failures if it does not leave that to the stages.
#[derive(Clone)]
pub(crate) struct Case {
    pub plan: Arc<Plan>,
    pub on_failure: Option<OnFailure>,
    /// Whether a person is asked before every stage.
    pub interactive: bool,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yaml = self.plan.workflow().to_yaml().unwrap();
        write!(f, "on_failure: {:?}, interactive: {}\n{yaml}", self.on_failure, self.interactive)?;
        for (stage, profile) in &self.plan.bundle().profiles {
            write!(f, "\n{stage}: {}", serde_json::to_string_pretty(profile).unwrap())?;
        }
        Ok(())
    }
}

pub(crate) fn cases() -> impl Strategy<Value = Case> {
    let stages = prop::collection::vec(stages(), 1..=5);
    let on_failure = prop::option::weighted(0.2, on_failures());
    let of_run = (on_failure, prop::bool::weighted(0.05), budgets());
    (stages, prop::option::of(loops()), of_run).prop_map(
        |(stages, repeat, (on_failure, interactive, budget))| {
            let mut workflow = Workflow::new("random".parse().unwrap(), "Random");
            let count = stages.len();
            let mut profiles = IndexMap::new();
            for (number, (mut stage, profile)) in stages.into_iter().enumerate() {
                // Of existing stages.
                stage.when = stage.when.map(|when| {
                    (0..3).fold(when, |when, n| {
                        when.replace(&format!("stages.s{n}."), &format!("stages.s{}.", n % count))
                    })
                });
                workflow = workflow.stage(id(number), stage);
                profiles.extend(profile.map(|profile| (id(number), profile)));
            }
            if let Some((mut repeat, fallback, least)) = repeat {
                repeat.fallback_next_stage = fallback.map(|number| id(number % count));
                workflow.stages[0].min_iterations = Some(least.min(repeat.max_iters));
                workflow = workflow.repeat(repeat);
            }
            workflow.budget = budget;
            let workflow = definition::resolve(&workflow, &Defaults::default()).unwrap();
            let mut bundle = Bundle { profiles, ..Bundle::new(workflow) };
            bundle.schemas.insert(SCHEMA.to_owned(), json!({ "type": "object", "required": ["done"] }));
            for (name, schema) in [("free", None), ("strict", Some(SCHEMA.to_owned()))] {
                let role = Role { output_schema: schema, ..Role::new(name.parse().unwrap(), "Do it.") };
                bundle.roles.insert(role.id.clone(), role);
            }
            Case { plan: Arc::new(Plan::load(bundle).unwrap()), on_failure, interactive }
        },
    )
}

fn id(number: usize) -> StageId {
    StageId::new(format!("s{number}")).unwrap()
}

fn on_failures() -> impl Strategy<Value = OnFailure> {
    select(vec![OnFailure::Stop, OnFailure::Continue, OnFailure::Retry])
}

fn loops() -> impl Strategy<Value = (LoopSpec, Option<usize>, u32)> {
    let on_exhausted = select(vec![Exhausted::Fail, Exhausted::Complete]);
    (1..=4u32, on_exhausted, prop::option::of(0..5usize), 0..=4u32).prop_map(
        |(max_iters, on_exhausted, fallback, least)| {
            let repeat = LoopSpec { on_exhausted, ..LoopSpec::new(max_iters, "$.done == true") };
            (repeat, fallback, least)
        },
    )
}

fn budgets() -> impl Strategy<Value = Option<Budget>> {
    let budget = (select(vec![None, Some(1.0), Some(2.5)]), select(vec![None, Some(100), Some(400)]));
    let time = select(vec![None, None, Some(Period::from_secs(1))]);
    let budget = (budget, time).prop_map(|((cost_usd, tokens), time)| {
        let mut budget = Budget::default();
        (budget.cost_usd, budget.tokens, budget.time) = (cost_usd, tokens, time);
        budget
    });
    prop::option::weighted(0.25, budget)
}

fn stages() -> impl Strategy<Value = (Stage, Option<Profile>)> {
    let role = prop::option::weighted(0.2, select(vec!["free", "strict", "${vars.unknown}"]));
    let lanes = prop::collection::vec((select(&PROVIDERS[..]), 1..=3u32, role), 1..=4);
    let strategy = select(vec![
        None,
        Some(ParallelStrategy::All),
        Some(ParallelStrategy::Race),
        Some(ParallelStrategy::Majority),
    ]);
    let when = prop::option::weighted(0.25, select(&CONDITIONS[..]));
    let set = prop::option::weighted(0.3, select(vec!["${output.flag:-false}", "${output.flag}"]));
    let profile = (prop::option::weighted(0.6, profiles()), prop::bool::weighted(0.2));
    let persons =
        (prop::bool::weighted(0.1), prop::bool::weighted(0.15), prop::bool::weighted(0.4), budgets());
    (lanes, strategy, on_failures(), 0..=3u32, when, set, profile, persons).prop_map(
        |(lanes, strategy, on_failure, retries, when, set, (profile, has_schema), persons)| {
            let (approval, asks, continues, budget) = persons;
            let lanes = lanes.into_iter();
            let mut stage = Stage::with_lanes(lanes.map(|(provider, weight, role)| Lane {
                weight: Some(weight),
                role: role.map(str::to_owned),
                ..Lane::new(provider)
            }));
            stage.mode = Some(if strategy.is_some() { Mode::Parallel } else { Mode::Sequential });
            stage.parallel_strategy = strategy;
            stage.on_failure = Some(on_failure);
            stage.approval = approval.then(|| "Shall it?".to_owned());
            stage.on_interrupt = asks.then_some(OnInterrupt::Ask);
            if continues {
                // A session is dropped after several failures.
                stage.session = Some(SessionMode::Continue);
                stage.on_failure = Some(OnFailure::Retry);
            }
            stage.budget = budget;
            stage.retries = Some(retries);
            stage.retry_backoff = Some(Period::from_secs(2));
            stage.when = when.map(str::to_owned);
            stage.set.extend(set.map(|value| ("flag".to_owned(), json!(value))));
            stage.profile = profile.as_ref().map(|_| "random".to_owned());
            // A graph needs one for each export.
            let exports = profile.as_ref().map_or(1, |profile| {
                profile.graph.iter().filter(|node| matches!(node.node, Node::Export(_))).count()
            });
            stage.output_schema = (has_schema && exports == 1).then(|| SCHEMA.into());
            (stage, profile)
        },
    )
}
