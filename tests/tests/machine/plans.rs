//! Random workflows.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use workflow_core::bundle::Bundle;
use workflow_core::definition::{
    self, Defaults, Exhausted, Lane, LoopSpec, Mode, Node, OnFailure, ParallelStrategy, Period, Profile,
    Role, Stage, Workflow,
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

/// The providers that lanes name: two as they are, and two by a variable, one of which is unknown.
const PROVIDERS: [&str; 8] = ["p", "p", "p", "q", "q", "${vars.p}", "${vars.p}", "${vars.unknown}"];

/// A plan, and what its run does about failures where it does not leave that to the stages.
#[derive(Clone)]
pub(crate) struct Case {
    pub plan: Arc<Plan>,
    pub on_failure: Option<OnFailure>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yaml = self.plan.workflow().to_yaml().unwrap();
        write!(f, "on_failure: {:?}\n{yaml}", self.on_failure)?;
        for (stage, profile) in &self.plan.bundle().profiles {
            write!(f, "\n{stage}: {}", serde_json::to_string_pretty(profile).unwrap())?;
        }
        Ok(())
    }
}

pub(crate) fn cases() -> impl Strategy<Value = Case> {
    let stages = prop::collection::vec(stages(), 1..=5);
    let on_failure = prop::option::weighted(0.2, on_failures());
    (stages, prop::option::of(loops()), on_failure).prop_map(|(stages, repeat, on_failure)| {
        let mut workflow = Workflow::new("random".parse().unwrap(), "Random");
        let count = stages.len();
        let mut profiles = IndexMap::new();
        for (number, (mut stage, profile)) in stages.into_iter().enumerate() {
            // Of stages that there are.
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
        let workflow = definition::resolve(&workflow, &Defaults::default()).unwrap();
        let mut bundle = Bundle { profiles, ..Bundle::new(workflow) };
        bundle.schemas.insert(SCHEMA.to_owned(), json!({ "type": "object", "required": ["done"] }));
        for (name, schema) in [("free", None), ("strict", Some(SCHEMA.to_owned()))] {
            let role = Role { output_schema: schema, ..Role::new(name.parse().unwrap(), "Do it.") };
            bundle.roles.insert(role.id.clone(), role);
        }
        Case { plan: Arc::new(Plan::compile(bundle).unwrap()), on_failure }
    })
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
    (lanes, strategy, on_failures(), 0..=3u32, when, set, profile).prop_map(
        |(lanes, strategy, on_failure, retries, when, set, (profile, has_schema))| {
            let lanes = lanes.into_iter();
            let mut stage = Stage::with_lanes(lanes.map(|(provider, weight, role)| Lane {
                weight: Some(weight),
                role: role.map(str::to_owned),
                ..Lane::new(provider)
            }));
            stage.mode = Some(if strategy.is_some() { Mode::Parallel } else { Mode::Sequential });
            stage.parallel_strategy = strategy;
            stage.on_failure = Some(on_failure);
            stage.retries = Some(retries);
            stage.retry_backoff = Some(Period::from_secs(2));
            stage.when = when.map(str::to_owned);
            stage.set.extend(set.map(|value| ("flag".to_owned(), json!(value))));
            stage.profile = profile.as_ref().map(|_| "random".to_owned());
            // In a graph it needs a place of its own.
            let exports = profile.as_ref().map_or(1, |profile| {
                profile.graph.iter().filter(|node| matches!(node.node, Node::Export(_))).count()
            });
            stage.output_schema = (has_schema && exports == 1).then(|| SCHEMA.to_owned());
            (stage, profile)
        },
    )
}
