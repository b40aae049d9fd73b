//! The partial output of calls that fail.

use serde_json::json;

use workflow_core::view::RunView;

use crate::host::Host;

fn run(host: &Host, yaml: &str) -> RunView {
    host.sim.block_on(host.engine.run(host.start("r1", yaml))).unwrap()
}

#[test]
fn what_a_call_gave_before_its_timeout_reaches_the_next_stage() {
    let host = Host::new();
    let view = run(
        &host,
        "workflow: { name: Late, stages: [check, fix] }\n\
         check:\n  provider: ann\n  timeout: 50ms\n  on_failure: continue\n  with: { ann: { hang: true, reply: so far } }\n\
         fix: { provider: bob, prompt: \"${stages.check.output}: ${stages.check.error.class}\" }\n",
    );
    assert_eq!(view.context.stages["fix"].output.as_ref().unwrap().value(), "bob(so far: timeout)");
}

#[test]
fn a_failed_lane_is_null_in_the_output_of_a_stage_that_completes() {
    let host = Host::new();
    let view = run(
        &host,
        "workflow: { name: Vote, stages: [vote] }\n\
         vote:\n  mode: parallel\n  parallel_strategy: majority\n  set: { all: \"${output}\" }\n  \
         providers: [{ provider: ann }, { provider: bob }, { provider: cid }]\n  \
         with: { ann: { reply: a }, bob: { fail: permanent, reply: half }, cid: { reply: c } }\n",
    );
    let vote = &view.context.stages["vote"];
    assert_eq!(vote.output.as_ref().unwrap().value(), json!(["a", null, "c"]));
    assert_eq!(view.context.vars["all"].value(), json!(["a", null, "c"]));
    assert_eq!(vote.results[1].output.value(), "half");
}
