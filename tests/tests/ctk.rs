//! The scenarios of a conformance test kit, written in this format: each has the outcome that the kit says, also when
//! its host dies at any append. See `scenarios/ctk/README.md`.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use serde_json::{Value, json};
use workflow_core::data::Data;
use workflow_core::status::RunStatus;
use workflow_tests::faulty::Fault;
use workflow_tests::play::Case;
use workflow_tests::scenario::Scenario;

/// What the kit says: the output of a run that completes, or the error of one that fails.
fn outcomes() -> Vec<(&'static str, Result<Value, &'static str>)> {
    let error = json!({ "error": { "class": "permanent", "message": "ann had trouble" } });
    let configuration = json!({
        "shape": "circle",
        "size": { "width": 6, "height": 6 },
        "fill": { "red": 69, "green": 69, "blue": 69 },
    });
    vec![
        ("data_flow_input", Ok(json!({ "playerId": "6AsnRgGEB0q2O7ux9JXFAw" }))),
        ("data_flow_non_object", Ok(json!({ "ids": [1, 2] }))),
        ("data_flow_output", Ok(json!(1))),
        ("do_sequential", Ok(json!({ "colors": ["red", "green", "blue"] }))),
        ("flow_explicit", Ok(json!({ "colors": ["red", "green", "blue"] }))),
        ("flow_implicit", Ok(json!({ "colors": ["red", "green", "blue"] }))),
        ("for_each", Ok(json!({ "processed": { "colors": ["red", "green", "blue"] } }))),
        ("fork_compete", Ok(json!({ "colors": ["green"] }))),
        ("raise", Err("Compliance Error (status 400)")),
        ("set", Ok(configuration)),
        ("switch_default_explicit", Ok(json!({ "colors": ["yellow"] }))),
        ("switch_default_implicit", Ok(json!({ "color": "yellow" }))),
        ("switch_match", Ok(json!({ "colors": ["red"] }))),
        ("try_caught", Ok(error)),
        ("try_uncaught", Err("ann had trouble")),
    ]
}

#[test]
fn each_scenario_has_the_outcome_of_the_kit_also_when_its_host_dies_at_any_append() {
    let outcomes = outcomes();
    let scenarios = Scenario::of_test_kit();
    let names: Vec<_> = scenarios.iter().map(|scenario| scenario.name.clone()).collect();
    assert_eq!(names, outcomes.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (scenario, (name, expected)) in scenarios.into_iter().zip(outcomes) {
        let case = Case::from(scenario);
        let whole = case.play(4, |_, _| Fault::None);
        let died =
            (1..=whole.appends).flat_map(|at| [Fault::DieBefore, Fault::DieAfter].map(|fault| (at, fault)));
        let died = died.map(|(at, fault)| {
            case.play(4, move |host, append| if (host, append) == (1, at) { fault } else { Fault::None })
        });
        for played in [whole].into_iter().chain(died.collect::<Vec<_>>()) {
            let view = played.view;
            let outcome = match view.status {
                RunStatus::Completed => Ok(view.output.as_ref().map(Data::exact_value).unwrap_or_default()),
                status => {
                    assert_eq!(status, RunStatus::Failed, "{name}");
                    Err(view.error.unwrap().message.clone())
                }
            };
            let expected = expected.clone().map_err(str::to_owned);
            assert_eq!(outcome, expected, "{name}");
        }
    }
}
