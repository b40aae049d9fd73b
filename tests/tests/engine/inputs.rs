//! Runs of workflows that declare their inputs.

use serde_json::{Value, json};
use workflow_core::event::EventBody;
use workflow_core::status::RunStatus;
use workflow_exec::{EngineError, Fork, ForkPoint};

use crate::host::{Host, id};

const FLOW: &str = "
workflow:
  name: Flow
  stages: [plan, tell]
  inputs:
    topic: string
    depth: { type: integer, enum: [1, 2, 3], default: 2 }
plan: { provider: ann, prompt: \"${vars.topic} at ${vars.depth}\", set: { found: \"${output}\" } }
tell: { provider: bob, prompt: \"${vars.found}\" }
";

fn created(host: &Host, run: &str) -> Value {
    let events = host.events(run);
    let EventBody::RunCreated(created) = &events[0].body else { panic!("not created") };
    serde_json::to_value(&created.vars).unwrap()
}

fn refused<T: std::fmt::Debug>(result: Result<T, EngineError>) -> String {
    match result {
        Err(EngineError::Variables(wrong)) => wrong.join("; "),
        other => format!("{other:?}"),
    }
}

#[test]
fn defaults_are_in_the_log_and_in_prompts() {
    let host = Host::new();
    let view = host.sim.block_on(host.engine.run(host.start("r1", FLOW).var("topic", "tea"))).unwrap();
    assert_eq!(view.status, RunStatus::Completed);
    assert_eq!(created(&host, "r1"), json!({ "topic": "tea", "depth": 2 }));
    assert!(host.deeds.calls()[0].prompt.contains("tea at 2"), "{}", host.calls());
}

#[test]
fn a_start_that_says_what_the_default_says_is_the_same_start() {
    let host = Host::new();
    let run = |depth: Option<i32>| {
        let start = host.start("r1", FLOW).var("topic", "tea");
        host.sim.block_on(host.engine.run(match depth {
            Some(depth) => start.var("depth", depth),
            None => start,
        }))
    };
    run(None).unwrap();
    assert_eq!(run(Some(2)).unwrap().status, RunStatus::Completed);
    assert!(matches!(run(Some(3)), Err(EngineError::OtherInputs(_))));
    assert_eq!(host.deeds.calls().len(), 2, "{}", host.calls());
}

#[test]
fn a_run_is_refused_with_all_that_is_wrong_and_is_not_created() {
    let host = Host::new();
    let start = host.start("r1", FLOW).var("depth", "deep").var("topik", "tea");
    assert_eq!(
        refused(host.sim.block_on(host.engine.create(start)).map(|_| ())),
        "the input `depth` must be a whole number; the workflow has no input `topik`; did you mean `topic`?; \
         the input `topic` is missing: it must be a text"
    );
    assert!(host.sim.block_on(host.engine.handle(&id("r1")).view()).is_err());
}

#[test]
fn a_fork_changes_declared_and_written_variables_alone() {
    let host = Host::new();
    host.sim.block_on(host.engine.run(host.start("r1", FLOW).var("topic", "tea"))).unwrap();
    let fork = |name: &str, value: Value| {
        let point = ForkPoint::Stage("tell".parse().unwrap());
        let fork = Fork::of(id("r1")).at(point).var(name, value);
        host.sim.block_on(host.engine.fork(fork)).map(|_| ())
    };
    assert_eq!(refused(fork("depth", json!(9))), "the input `depth` must be `1`, `2` or `3`");
    assert_eq!(
        refused(fork("other", json!(9))),
        "the workflow has no input `other`: write `topic` or `depth`"
    );
    fork("found", json!({ "any": "value" })).unwrap();
    fork("depth", json!(3)).unwrap();
}
