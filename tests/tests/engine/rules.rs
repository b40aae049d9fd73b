//! The rules of docs/src/reference/rules.md: a test for each of the rules that are easy to misunderstand.

use std::sync::Arc;

use serde_json::{Value, json};
use workflow_core::bundle::Bundle;
use workflow_core::definition::{self, Defaults, Profile, Stage, Workflow};
use workflow_core::ids::StageId;
use workflow_core::plan::Plan;
use workflow_core::status::{RunStatus, StageStatus};
use workflow_core::view::RunView;
use workflow_exec::{EngineError, StartRun};

use crate::host::{Host, id};

/// The output of the stage `work`, whose graph is given.
fn of_graph(host: &Host, graph: &Value) -> RunView {
    let stage = Stage { profile: Some("graph".to_owned()), ..Stage::new("ann") };
    let name = StageId::new("work").unwrap();
    let workflow = Workflow::new("graph".parse().unwrap(), "A graph").stage(name.clone(), stage);
    let mut bundle = Bundle::new(definition::resolve(&workflow, &Defaults::default()).unwrap());
    let profile: Profile = serde_json::from_value(json!({ "graph": graph })).unwrap();
    bundle.profiles.insert(name, profile);
    let plan = Arc::new(Plan::load(bundle).unwrap());
    host.sim.block_on(host.engine.run(StartRun::plan(&plan).run_id(id("r1")))).unwrap()
}

fn output(view: &RunView, stage: &str) -> Value {
    view.context.stages[stage].output.as_ref().unwrap().value()
}

#[test]
fn an_absent_name_in_a_condition_is_unequal_to_everything() {
    for (condition, holds) in [
        ("$.vars.absent == null", false),
        ("$.vars.absent == 1", false),
        ("$.vars.absent < 1", false),
        ("$.vars.absent >= 1", false),
        ("$.vars.absent == $.vars.other", false),
        ("$.vars.absent != 1", true),
        ("$.vars.absent != null", true),
        ("$.vars.present == 1", true),
    ] {
        let host = Host::new();
        let yaml = format!(
            "workflow: {{ name: Absent, stages: [work, end] }}\n\
             work: {{ provider: ann, when: \"{condition}\" }}\nend: {{ provider: ann }}\n"
        );
        let start = host.start("r1", &yaml).var("present", 1);
        let view = host.sim.block_on(host.engine.run(start)).unwrap();
        let expected = if holds { StageStatus::Completed } else { StageStatus::Skipped };
        assert_eq!(view.context.stages["work"].status, expected, "{condition}");
    }
}

#[test]
fn a_default_is_for_absent_values_only() {
    let host = Host::new();
    let yaml = "
workflow: { name: Defaults, stages: [work] }
work: { provider: ann, prompt: \"[${vars.a:-x}][${vars.b:-x}][${vars.c:-x}][${vars.d:-x}][${vars.e:-x}]\" }
";
    let start = host.start("r1", yaml).var("b", Value::Null).var("c", "").var("d", 0).var("e", false);
    let view = host.sim.block_on(host.engine.run(start)).unwrap();
    assert_eq!(output(&view, "work"), "ann([x][null][][0][false])");
}

#[test]
fn a_tie_in_vote_is_won_by_the_value_that_comes_first() {
    for (from, winner) in [(json!(["a", "b"]), "yes"), (json!(["b", "a"]), "no")] {
        let host = Host::new();
        let view = of_graph(
            &host,
            &json!([
                { "id": "a", "type": "run", "with": { "ann": { "after": 20, "reply": "yes" } } },
                { "id": "b", "type": "run", "with": { "ann": { "reply": "no" } } },
                { "id": "vote", "type": "reduce", "from": from, "strategy": "vote" },
            ]),
        );
        assert_eq!(output(&view, "work"), winner);
    }
}

#[test]
fn a_skip_propagates_to_nodes_that_have_nothing_else_to_work_with() {
    let host = Host::new();
    of_graph(
        &host,
        &json!([
            { "id": "a", "type": "run", "prompt": "a" },
            { "id": "b", "type": "run", "prompt": "b", "when": "1 == 2" },
            { "id": "alone", "type": "run", "prompt": "alone", "inputs": ["b"] },
            { "id": "both", "type": "run", "prompt": "both", "inputs": ["a", "b"] },
        ]),
    );
    let called: Vec<_> = host.deeds.calls().iter().map(|call| call.id.path.node.to_string()).collect();
    assert_eq!(called, ["a", "both"]);
}

#[test]
fn a_skipped_stage_skips_no_other_stage() {
    let host = Host::new();
    let yaml = "
workflow: { name: Skips, stages: [plan, code] }
plan: { provider: ann, when: \"1 == 2\" }
code: { provider: bob, prompt: \"${stages.plan.output:-no plan}\" }
";
    let view = host.sim.block_on(host.engine.run(host.start("r1", yaml))).unwrap();
    assert_eq!(output(&view, "code"), "bob(no plan)");
}

#[test]
fn the_last_call_may_overrun_a_budget() {
    let host = Host::new();
    let yaml = "
workflow: { name: Budget, stages: [work, more], budget: { tokens: 100 } }
work: { provider: ann, with: { ann: { usage: { input_tokens: 900 } } } }
more: { provider: bob }
";
    let view = host.sim.block_on(host.engine.run(host.start("r1", yaml))).unwrap();
    assert_eq!(view.context.stages["work"].status, StageStatus::Completed);
    assert_eq!((view.status, view.spent.tokens), (RunStatus::Failed, Some(900)));
    assert_eq!(host.deeds.calls().len(), 1);
}

#[test]
fn a_race_ends_when_the_losers_are_gone() {
    let host = Host::new();
    let yaml = "
workflow: { name: Race, stages: [race, next] }
race:
  mode: parallel
  parallel_strategy: race
  providers: [{ provider: ann }, { provider: bob }]
  with: { ann: { after: 10 }, bob: { after: 90000, slow_to_stop: 300 } }
next: { provider: cid }
";
    let view = host.sim.block_on(host.engine.run(host.start("r1", yaml))).unwrap();
    assert_eq!(view.status, RunStatus::Completed);
    let calls = host.deeds.calls();
    let times = |provider: &str| {
        let call = calls.iter().find(|call| call.provider == provider).unwrap();
        (call.from, call.end.unwrap().0)
    };
    assert!(times("cid").0 >= times("bob").1, "{}", host.calls());
}

#[test]
fn the_same_run_id_with_an_edited_definition_is_a_conflict() {
    let host = Host::new();
    let yaml = "workflow: { name: Once, stages: [work] }\nwork: { provider: ann, prompt: one }\n";
    host.sim.block_on(async {
        host.engine.run(host.start("r1", yaml)).await.unwrap();
        host.engine.run(host.start("r1", yaml)).await.unwrap();
        let edited = host.start("r1", &yaml.replace("one", "two"));
        let error = host.engine.run(edited).await.unwrap_err();
        assert!(matches!(error, EngineError::OtherInputs(_)), "{error}");
    });
    assert_eq!(host.deeds.calls().len(), 1);
}
