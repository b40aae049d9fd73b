//! The items of a `foreach` node, and how their outputs are combined.

use std::sync::Arc;

use serde_json::{Value, json};
use workflow_core::bundle::Bundle;
use workflow_core::definition::{self, Defaults, Profile, Stage, Workflow};
use workflow_core::failure::FailureClass;
use workflow_core::ids::StageId;
use workflow_core::plan::Plan;
use workflow_core::status::RunStatus;
use workflow_core::store::StoreError;
use workflow_exec::{EngineError, StartRun};
use workflow_tests::faulty::{Fault, Faulty};

use crate::host::{Host, id};

/// A plan with one stage that has that graph; its provider answers according to `with`.
fn plan(graph: &Value) -> Arc<Plan> {
    plan_in(Stage::new("ann"), graph)
}

/// The same, of a stage that says more.
fn plan_in(stage: Stage, graph: &Value) -> Arc<Plan> {
    let stage = Stage { profile: Some("graph".to_owned()), ..stage };
    let name = StageId::new("stage").unwrap();
    let workflow = Workflow::new("graph".parse().unwrap(), "A graph").stage(name.clone(), stage);
    let mut bundle = Bundle::new(definition::resolve(&workflow, &Defaults::default()).unwrap());
    let profile: Profile = serde_json::from_value(json!({ "graph": graph })).unwrap();
    bundle.profiles.insert(name, profile);
    Arc::new(Plan::load(bundle).unwrap())
}

/// A run with this many items, each of which becomes a text of two letters: four bytes of JSON.
fn items(count: usize) -> StartRun {
    let run = json!({ "type": "run", "with": { "ann": { "reply": "ab" } } });
    let each =
        json!({ "id": "each", "type": "foreach", "items": "${vars.items}", "mode": "parallel", "run": run });
    StartRun::plan(&plan(&json!([each]))).run_id(id("run")).var("items", vec![0; count])
}

#[test]
fn outputs_of_items_that_cannot_be_read_for_a_moment_are_read_again() {
    let host = Host::new();
    let store = Faulty::new(&host.store, |_| Fault::None).unreadable(|read| read <= 3);
    let view = host.sim.block_on(host.engine_over(store).run(items(3))).unwrap();
    assert_eq!(view.context.stages["stage"].output.as_ref().unwrap().value(), json!(["ab", "ab", "ab"]));
}

#[test]
fn a_run_whose_outputs_of_items_cannot_be_read_says_so_and_is_resumed_without_another_call() {
    let host = Host::new();
    let store = Faulty::new(&host.store, |_| Fault::None).unreadable(|_| true);
    let error = host.sim.block_on(host.engine_over(store).run(items(3))).unwrap_err();
    assert!(matches!(error, EngineError::Store(StoreError::Io { .. })), "{error}");
    assert_eq!(host.deeds.calls().len(), 3);
    let view = host.sim.block_on(host.engine.drive(&id("run"))).unwrap();
    assert_eq!(view.context.stages["stage"].output.as_ref().unwrap().value(), json!(["ab", "ab", "ab"]));
    assert_eq!(host.deeds.calls().len(), 3, "what was recorded is not asked for again");
}

#[test]
fn outputs_of_items_have_a_bound_together() {
    // Eight times the maximum size of one output, with a comma for each.
    for (count, status) in [(16, RunStatus::Completed), (17, RunStatus::Failed)] {
        let host = Host::with(|builder| builder.max_output(10));
        let view = host.sim.block_on(host.engine.run(items(count))).unwrap();
        assert_eq!(view.status, status, "{count}");
        if status == RunStatus::Failed {
            let message = &view.error.unwrap().message;
            assert!(
                message.contains("the outputs of the items have more than 80 bytes together"),
                "{message}"
            );
            assert!(host.log("run").contains("node_failed"));
        }
    }
}

#[test]
fn a_condition_knows_what_a_filter_in_it_looks_at() {
    let reply = |value: bool| json!({ "ann": { "reply": value } });
    for (value, status) in [(true, "completed"), (false, "skipped")] {
        let graph = json!([
            { "id": "last", "type": "run", "when": "$.vars.flags[?@ == $.nodes.first.output]", "with": reply(true) },
            { "id": "first", "type": "run", "with": reply(value) },
        ]);
        let start = StartRun::plan(&plan(&graph)).run_id(id("run")).var("flags", vec![true]);
        let host = Host::new();
        let view = host.sim.block_on(host.engine.run(start)).unwrap();
        let nodes = &view.context.stages["stage"].results[0].nodes;
        let last = nodes.iter().find(|node| node.id.as_str() == "last").unwrap();
        assert_eq!(json!(last.status), status);
    }
}

#[test]
fn the_last_call_of_a_budget_fails_its_item_and_a_refused_one_fails_the_lane() {
    let call = json!({ "id": "a", "type": "run", "with": { "ann": { "after": 4000 } } });
    let mut alone = call.clone();
    alone.as_object_mut().unwrap().shift_remove("id");
    for body in [alone, json!({ "type": "graph", "graph": [call] })] {
        // The third call would take two seconds too long.
        for (items, status) in [(3, RunStatus::Completed), (4, RunStatus::Failed)] {
            let each = json!({
                "id": "each",
                "type": "foreach",
                "items": "${vars.items}",
                "on_failure": "continue",
                "run": body,
            });
            let stage: Stage =
                serde_json::from_value(json!({ "provider": "ann", "budget": { "time": "10s" } })).unwrap();
            let start = StartRun::plan(&plan_in(stage, &json!([each]))).run_id(id("run"));
            let host = Host::new();
            let view = host.sim.block_on(host.engine.run(start.var("items", vec![0; items]))).unwrap();
            assert_eq!((view.status, host.deeds.calls().len()), (status, 3), "{items} items of {body}");
            if status == RunStatus::Completed {
                let output = view.context.stages["stage"].output.as_ref().unwrap().value();
                assert_eq!(output[2], Value::Null, "{output}");
            } else {
                assert_eq!(view.error.unwrap().class, FailureClass::Budget);
            }
        }
    }
}
