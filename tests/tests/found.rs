//! Workflows for which the engine once had another result than the reference interpreter.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]

use indexmap::IndexMap;
use serde_json::{Value, json};
use workflow_core::bundle::Bundle;
use workflow_core::definition::{self, Defaults};
use workflow_tests::reference::case::Case;
use workflow_tests::reference::interpret::interpret;
use workflow_tests::reference::play::play;

/// A case in which all calls succeed.
fn case(stage: &str, profile: &str) -> Case {
    let workflow = format!("workflow: {{ name: Found, stages: [s] }}\ns: {stage}");
    let workflow = definition::parse(workflow.as_bytes(), Some(&"found".parse().unwrap()));
    let workflow = definition::resolve(&workflow.into_workflow().unwrap(), &Defaults::default()).unwrap();
    let profile = definition::parse_profile(profile.as_bytes(), Some(&workflow));
    let profile = profile.profile.unwrap_or_else(|| panic!("{:?}", profile.diagnostics));
    let profiles = IndexMap::from([("s".parse().unwrap(), profile)]);
    Case {
        seed: 1,
        trouble: 0,
        bundle: Bundle { profiles, ..Bundle::new(workflow) }.into(),
        vars: IndexMap::new(),
        on_failure: None,
        interactive: false,
        tells: false,
        pauses: Vec::new(),
        deaths: Vec::new(),
    }
}

/// The actual outcome, which equals the expected one.
fn outcome(case: &Case) -> Value {
    let played = play(case, &case.plan().unwrap());
    let expected = interpret(case, &|iteration, stage| played.winner(iteration, stage)).unwrap();
    assert_eq!(expected.difference(&played), None, "{case}");
    played.outcome()
}

#[test]
fn a_lane_that_ends_with_a_foreach_is_followed_by_the_next() {
    let outcome = outcome(&case(
        "{ providers: [{ provider: ann }, { provider: bob }], profile: items }",
        "graph: [{ id: each, type: foreach, items: [1, 2], run: { type: run, when: \"$.item == 0\" } }]",
    ));
    let lanes = &outcome["stages"]["s"]["lanes"];
    assert_eq!([&lanes[0]["status"], &lanes[1]["status"]], [&json!("completed"), &json!("completed")]);
}

#[test]
fn an_arm_that_is_taken_runs_although_what_else_it_needs_was_skipped() {
    let outcome = outcome(&case(
        "{ provider: ann, profile: arms }",
        "
graph:
  - { id: draft, type: run, when: \"false\" }
  - { id: route, type: branch, when: [{ condition: \"true\", then: publish }] }
  - { id: publish, type: run, prompt: Publish, inputs: [draft] }
  - { id: after, type: run, inputs: [draft] }
",
    ));
    let nodes = &outcome["stages"]["s"]["lanes"][0]["nodes"];
    let status = |node: &str| nodes[node]["status"].clone();
    assert_eq!(
        ["draft", "publish", "after"].map(status),
        ["skipped", "completed", "skipped"].map(|s| json!(s))
    );
}
