//! A name in `${…}` is resolved when its node starts.

use workflow_core::status::RunStatus;
use workflow_exec::StartRun;

use crate::host::Host;

fn error_of(host: &Host, start: StartRun) -> String {
    let view = host.sim.block_on(host.engine.run(start)).unwrap();
    assert_eq!(view.status, RunStatus::Failed);
    let error = view.error.unwrap();
    format!("{:?}: {}", error.class, error.message)
}

#[test]
fn a_name_that_is_not_known_fails_the_attempt_and_the_known_ones_are_listed() {
    let yaml = r#"
workflow: { name: Unknown name, stages: [plan, code] }
plan: { provider: ann }
code: { provider: ann, on_failure: retry, prompt: "${vars.feture}" }
"#;
    let host = Host::new();
    insta::assert_snapshot!(error_of(&host, host.start("r1", yaml).var("feature", "login")), @r"
    Expression: code.prompt: there is no `vars.feture`; did you mean `vars.feature`? (known: vars.feature, stages.plan.status, stages.plan.output, stages.plan.results, stage.id, iteration, run.id, run.workflow, stage.provider)
    ");
    insta::assert_snapshot!(host.log("r1"), @r#"
     0  run_created        test
     0  run_started
     0  stage_started      1/plan
     0  attempt_started    1/plan[0] #1 ann
    10  attempt_succeeded  1/plan[0] #1 "ann()"
    10  stage_completed    1/plan, output of lane 0
    10  stage_started      1/code
    10  attempt_started    1/code[0] #1 ann
    10  attempt_failed     1/code[0] #1 expression: code.prompt: there is no `vars.feture`; did you mean `vars.feature`? (known: vars.feature, stages.plan.status, stages.plan.output, stages.plan.results, stage.id, iteration, run.id, run.workflow, stage.provider)
    10  stage_failed       1/code expression: code.prompt: there is no `vars.feture`; did you mean `vars.feature`? (known: vars.feature, stages.plan.status, stages.plan.output, stages.plan.results, stage.id, iteration, run.id, run.workflow, stage.provider)
    10  run_failed         expression: code.prompt: there is no `vars.feture`; did you mean `vars.feature`? (known: vars.feature, stages.plan.status, stages.plan.output, stages.plan.results, stage.id, iteration, run.id, run.workflow, stage.provider)
    "#);
}

#[test]
fn every_field_says_which_one_could_not_be_resolved() {
    let host = Host::new();
    let fields = [
        "inputs: [\"${vars.x}\"]",
        "with: { a: [\"${vars.x}\"] }",
        "env: { A: \"${vars.x}\" }",
        "cwd: \"${vars.x}\"",
        "set: { a: \"${output.x}\" }",
    ];
    let errors: Vec<_> = (0..)
        .zip(fields)
        .map(|(n, field)| {
            let yaml =
                format!("workflow: {{ name: Unknown, stages: [plan] }}\nplan:\n  provider: ann\n  {field}\n");
            let error = error_of(&host, host.start(&format!("r{n}"), &yaml));
            error.split(" (").next().unwrap().to_owned()
        })
        .collect();
    insta::assert_snapshot!(errors.join("\n"), @r"
    Expression: plan.inputs[0]: there is no `vars.x`
    Expression: plan.with: there is no `vars.x`
    Expression: plan.env.A: there is no `vars.x`
    Expression: plan.cwd: there is no `vars.x`
    Expression: plan.set.a: there is no `output.x`
    ");
}

#[test]
fn a_variable_can_name_the_provider() {
    let yaml = r#"
workflow: { name: Provider by name, stages: [plan, code] }
plan: { provider: ann, with: { ann: { reply: bob } }, set: { who: "${output}" } }
code:
  providers: [{ provider: "${vars.who}" }, { provider: "${vars.other}" }]
  prompt: "for ${stage.provider}"
"#;
    let host = Host::new();
    let start = host.start("r1", yaml).var("other", "cid");
    let view = host.sim.block_on(host.engine.run(start)).unwrap();
    assert_eq!(view.status, RunStatus::Completed);
    insta::assert_snapshot!(host.calls(), @r#"
    1/plan[0] #1 ann 0–10 replied
    1/code[0] #1 bob 10–20 replied: "for bob"
    1/code[1] #1 cid 20–30 replied: "for cid\n\nbob(for bob)"
    "#);
}

#[test]
fn a_provider_that_is_not_registered_fails_the_stage_when_it_is_named() {
    let yaml = r#"
workflow: { name: Provider by name, stages: [plan] }
plan:
  mode: parallel
  on_failure: retry
  providers: [{ provider: ann }, { provider: "${vars.who}" }]
"#;
    let host = Host::new();
    insta::assert_snapshot!(error_of(&host, host.start("r1", yaml).var("who", "an")), @r"
    Stage: 1 of 2 providers failed: [1] ?: no provider is registered as `an`; did you mean `ann`? (registered: ann, bob, cid, command, demo, dot)
    ");
    insta::assert_snapshot!(error_of(&host, host.start("r2", yaml)), @r"
    Stage: 1 of 2 providers failed: [1] ?: plan.provider: there is no `vars.who` (known: stage.id, iteration, run.id, run.workflow)
    ");
}
