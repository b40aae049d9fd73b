//! The same through the engine: how a workflow handles an agent's answers and failures.

use std::thread;

use futures::executor::block_on;
use serde_json::{Value, json};
use workflow_core::catalog::Part;
use workflow_core::failure::FailureClass;
use workflow_core::ids::RunId;
use workflow_core::status::RunStatus;
use workflow_core::view::RunView;
use workflow_exec::{ControlOutcome, Engine, StartRun};
use workflow_tests::model_api::{Scenario, TEXT};
use workflow_tests::shelf::Shelf;

use crate::cli::Cli;
use crate::rig::Rig;

for_every_cli! {
    a_stage_has_the_answer_as_its_output,
    a_schema_is_followed,
    an_answer_that_follows_no_schema_is_invalid_after_its_repairs,
    a_loop_continues_its_session_and_counts_usage_once,
    a_failing_service_is_asked_again_by_the_run,
    a_silent_service_runs_into_the_idle_timeout,
    a_cancelled_run_leaves_no_process_of_its_tool,
}

const SCHEMA: &str = r#"{
  "type": "object",
  "properties": { "name": { "type": "string" }, "count": { "type": "integer" } },
  "required": ["name", "count"],
  "additionalProperties": false
}"#;

/// An engine with one agent, and a workflow of one stage for it.
struct Host {
    rig: Rig,
    engine: Engine,
}

impl Host {
    /// `workflow` and `stage` are more fields of those, in YAML's flow style.
    fn new(cli: Cli, scenario: Scenario, workflow: &str, stage: &str) -> Self {
        let rig = Rig::new();
        let yaml = format!(
            "workflow: {{ name: Agents, stages: [work]{workflow} }}\n\
             work: {{ provider: agent, prompt: Continue., with: {}{stage} }}\n",
            cli.options()
        );
        let parts = vec![(Part::Schema("answer.json".into()), SCHEMA.to_owned())];
        let engine = Engine::builder()
            .catalog(Shelf::new("agents".parse().unwrap(), &yaml, parts))
            .provider("agent", rig.provider(cli, scenario))
            .build()
            .unwrap();
        Self { rig, engine }
    }

    fn run(&self) -> RunView {
        let start = StartRun::workflow("agents".parse().unwrap()).run_id(RunId::new("run").unwrap());
        let view = block_on(self.engine.run(start)).unwrap();
        assert_eq!(self.rig.processes(), [""; 0]);
        view
    }
}

/// The usage of one answer of the fake.
fn tokens(cli: Cli) -> u64 {
    // Gemini counts its thoughts in addition to its answer.
    if cli == Cli::Gemini { 28 } else { 26 }
}

fn output(view: &RunView) -> Value {
    view.context.stages["work"].output.as_ref().unwrap().value().clone()
}

fn class(view: &RunView) -> FailureClass {
    assert_eq!(view.status, RunStatus::Failed);
    view.context.stages["work"].error.as_ref().unwrap().class
}

fn a_stage_has_the_answer_as_its_output(cli: Cli) {
    let view = Host::new(cli, Scenario::Tool, "", "").run();
    assert_eq!((view.status, output(&view)), (RunStatus::Completed, TEXT.into()));
    assert_eq!((view.spent.tokens, view.spent.uncounted), (Some(2 * tokens(cli)), 0));
    // Only Claude Code reports its cost; that of the others is unknown, which differs from zero.
    assert_eq!(view.spent.unpriced, u64::from(cli != Cli::ClaudeCode));
}

fn a_schema_is_followed(cli: Cli) {
    let view = Host::new(cli, Scenario::Json, "", ", output_schema: answer.json").run();
    assert_eq!(view.status, RunStatus::Completed, "{:?}", view.error);
    assert_eq!(output(&view), json!({ "name": "fake", "count": 2 }));
}

fn an_answer_that_follows_no_schema_is_invalid_after_its_repairs(cli: Cli) {
    let host = Host::new(cli, Scenario::BadJson, "", ", output_schema: answer.json, repairs: 1");
    let view = host.run();
    assert_eq!(class(&view), FailureClass::InvalidOutput, "{:?}", view.error);
    assert_eq!(view.spent.attempts, 2);
}

fn a_loop_continues_its_session_and_counts_usage_once(cli: Cli) {
    let again = ", loop: { max_iters: 3, stop_when: \"$.done == true\", on_exhausted: complete }";
    let host = Host::new(cli, Scenario::Ok, again, ", session: continue");
    let view = host.run();
    assert_eq!(view.status, RunStatus::Completed, "{:?}", view.error);
    assert_eq!((view.spent.attempts, view.spent.tokens), (3, Some(3 * tokens(cli))));
    let asked = host.rig.api.asked();
    let answers = |body: &Value| body.to_string().matches(TEXT).count();
    let most = asked.iter().map(|asked| answers(&asked.body)).max();
    assert!(most >= Some(2), "the history is sent: {most:?}");
}

fn a_failing_service_is_asked_again_by_the_run(cli: Cli) {
    let retry = ", on_failure: retry, retries: 1, retry_backoff: 0.01";
    let host = Host::new(cli, Scenario::Status(503), "", retry);
    let view = host.run();
    assert_eq!(class(&view), FailureClass::Transient, "{:?}", view.error);
    assert_eq!(view.spent.attempts, 2);
}

fn a_silent_service_runs_into_the_idle_timeout(cli: Cli) {
    let host = Host::new(cli, Scenario::Hang, "", ", idle_timeout: 12");
    assert_eq!(class(&host.run()), FailureClass::IdleTimeout);
    assert!(!host.rig.api.asked().is_empty(), "it is the service that was silent");
}

fn a_cancelled_run_leaves_no_process_of_its_tool(cli: Cli) {
    let host = Host::new(cli, Scenario::SlowTool, "", "");
    let view = thread::scope(|scope| {
        let run = scope.spawn(|| host.run());
        host.rig.wait_for_the_tool();
        let outcome = block_on(host.engine.handle(&RunId::new("run").unwrap()).cancel()).unwrap();
        assert!(!matches!(outcome, ControlOutcome::Refused(_)), "{outcome:?}");
        run.join().unwrap()
    });
    assert_eq!(view.status, RunStatus::Cancelled);
}
