//! Properties of every run, for any plan and any events.

#![cfg(test)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot continue has failed"
)]

mod calls;
mod graphs;
mod lost;
mod plans;
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use serde::Serialize;
use serde_json::{Value, json};
use workflow_core::event::Event;
use workflow_core::store::order::control_of;
use workflow_tests::rules;

use self::plans::cases;
use self::world::World;

fn config() -> ProptestConfig {
    // The same cases each time; PROPTEST_CASES sets the number.
    ProptestConfig { failure_persistence: None, rng_seed: RngSeed::Fixed(5), ..ProptestConfig::default() }
}

fn choices() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(any::<u16>(), 0..400)
}

/// JSON values without the members that say who did something.
fn without_names<T: Serialize>(values: &[T]) -> Vec<Value> {
    let strip = |value: &T| {
        let mut value = json!(value);
        let members = if value.get("data").is_some() { value.get_mut("data") } else { Some(&mut value) };
        if let Some(Value::Object(members)) = members {
            members.retain(|name, _| !["by", "startedBy", "stoppedBy"].contains(&name.as_str()));
        }
        value
    };
    values.iter().map(strip).collect()
}

proptest! {
    #![proptest_config(config())]

    /// The world checks at each step that the live state is the fold of the log, that late inputs change
    /// nothing, and that a run that cannot continue has ended or is paused.
    #[test]
    fn every_run_ends_and_its_log_keeps_the_rules(
        case in cases(), seed: u64, choices in choices(),
    ) {
        let mut world = World::new(&case, seed, choices);
        world.play();
        rules::check(case.plan.bundle(), &world.log);
    }

    #[test]
    fn the_same_seed_and_inputs_give_the_same_log(
        case in cases(), seed: u64, choices in choices(),
    ) {
        let [mut first, mut second] = [(); 2].map(|()| World::new(&case, seed, choices.clone()));
        first.play();
        second.play();
        prop_assert_eq!(first.log, second.log);
    }

    /// The events are the same but for the names, and so is the state that they fold to.
    #[test]
    fn who_sends_control_requests_changes_nothing_else(
        case in cases(), seed: u64, choices in choices(),
    ) {
        let mut nameless = World::new(&case, seed, choices.clone());
        let mut named = World::named(&case, seed, choices);
        nameless.play();
        named.play();
        let obeyed = |event: &&Event| control_of(&event.body).is_some();
        for event in named.log.iter().filter(obeyed) {
            let by = json!(event)["data"]["by"]["id"].as_str().map(str::to_owned);
            prop_assert_eq!(by, control_of(&event.body).map(|number| format!("person {number}")));
        }
        prop_assert_eq!(without_names(&named.log), without_names(&nameless.log));
        prop_assert_eq!(json!(named.state.started_by()), json!({ "id": "starter" }));
        let [named, nameless] = [named, nameless].map(|world| {
            let state = world.state;
            without_names(&[json!(state.head()), json!(state.view())])
        });
        prop_assert_eq!(named, nameless);
    }

    /// Also if a store kept only a part of an append.
    #[test]
    fn a_run_continues_from_every_prefix_of_its_log(
        case in cases(), seed: u64, choices in choices(), cut: prop::sample::Index, more in choices(),
    ) {
        let mut world = World::new(&case, seed, choices);
        world.play();
        let prefix = world.log[..=cut.index(world.log.len())].to_vec();
        let mut world = World::recovered(&case.plan, prefix, more);
        world.play();
        rules::check(case.plan.bundle(), &world.log);
    }
}

/// The random runs cover all kinds of events.
#[test]
fn random_runs_come_by_every_kind_of_event() {
    let kinds = RefCell::new(BTreeMap::<_, u32>::new());
    let mut runner = TestRunner::new(config());
    let played = runner.run(&(cases(), any::<u64>(), choices()), |(case, seed, choices)| {
        let mut world = World::new(&case, seed, choices);
        world.play();
        for event in &world.log {
            *kinds.borrow_mut().entry(event.body.kind()).or_default() += 1;
        }
        Ok(())
    });
    played.unwrap();
    let kinds = kinds.into_inner();
    // A session is dropped only after several failures in a row.
    let enough = |kind: &str| if kind == "session_dropped" { 1 } else { 10 };
    let rare: Vec<_> = kinds.iter().filter(|(kind, count)| **count < enough(kind)).collect();
    assert!(kinds.len() == 36 && rare.is_empty(), "{kinds:#?}");
}
