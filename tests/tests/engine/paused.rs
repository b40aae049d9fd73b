//! Engines in tests with tokio's time paused, and scripted providers in them.

use std::time::Duration;

use serde_json::json;
use workflow_core::event::EventBody;
use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::status::RunStatus;
use workflow_core::store::{MemoryStore, RunStore as _};
use workflow_core::usage::Usage;
use workflow_exec::{Clock as _, Engine, EngineBuilder, StartRun, Tokio};
use workflow_providers::DemoProvider;
use workflow_testkit::scripted::{Act, Ended, ScriptedProvider};

use crate::host::id;

const HOUR: Duration = Duration::from_secs(3_600);

fn engine(setup: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Engine {
    setup(Engine::builder().clock(Tokio).timer(Tokio).spawner(Tokio)).build().unwrap()
}

/// How many whole seconds the run took, by its log.
fn seconds(view: &workflow_core::view::RunView) -> i64 {
    let (from, to) = (view.started_at.unwrap(), view.completed_at.unwrap());
    to.duration_since(from).as_secs()
}

#[tokio::test(start_paused = true)]
async fn hours_of_a_run_take_no_time_where_tokio_is_clock_and_timer() {
    let engine = engine(|builder| builder.provider("demo", DemoProvider::new()));
    let yaml = r"
workflow: { name: Paused, stages: [plan, code, test] }
plan: { provider: demo, with: { delay: 2h, answers: [planned] } }
code:
  provider: demo
  on_failure: retry
  retries: 1
  retry_backoff: 100
  with: { attempts: [{ fail: transient }, { delay: 1h }] }
test: { provider: demo, timeout: 30m, with: { delay: 5h } }
";
    let before = tokio::time::Instant::now();
    let run = engine.run(StartRun::plan(&engine.parse(yaml, "paused").unwrap())).await.unwrap();
    assert_eq!(run.status, RunStatus::Failed);
    assert_eq!(run.error.as_ref().unwrap().class, FailureClass::Timeout);
    // Two hours, half to a whole backoff of 100 s, an hour, and the time-out.
    assert!((3 * 3_600 + 1_850..=3 * 3_600 + 1_900).contains(&seconds(&run)), "{}", seconds(&run));
    let passed = tokio::time::Instant::now() - before;
    assert_eq!(i64::try_from(passed.as_secs()).unwrap(), seconds(&run));
}

#[tokio::test(start_paused = true)]
async fn a_quota_and_a_retry_of_a_script_are_waited_for_without_waiting() {
    let agent = ScriptedProvider::new()
        .script(
            "plan",
            [Act::rate_limited("over the quota", 5 * HOUR), Act::reply(json!({ "n": 1 })).session("s1")],
        )
        .script("1/test", [Act::fail(FailureClass::Transient, "flaky").after(HOUR), Act::reply("ok")]);
    let store = MemoryStore::new();
    let engine = engine(|builder| builder.store(store.clone()).provider("agent", agent.clone()));
    let yaml = r#"
workflow: { name: Quota, stages: [plan, test] }
plan: { provider: agent, prompt: plan }
test: { provider: agent, prompt: "${stages.plan.output.n}", on_failure: retry, retry_backoff: 0 }
"#;
    let before = Tokio.now();
    let plan = engine.parse(yaml, "quota").unwrap();
    let view = engine.run(StartRun::plan(&plan).run_id(id("r1"))).await.unwrap();
    assert_eq!(view.status, RunStatus::Completed, "{:?}", view.error);
    assert_eq!(Tokio.now().duration_since(before).as_secs(), 6 * 3_600);
    agent.assert_finished();
    let calls = agent.calls();
    let ended: Vec<_> = calls.iter().map(|call| call.ended.unwrap().1).collect();
    assert_eq!(ended, [Ended::Failed, Ended::Replied, Ended::Failed, Ended::Replied]);
    let (test, ended) = (&calls[2], calls[2].ended.unwrap().0);
    assert_eq!((test.request.prompt.as_str(), ended.duration_since(test.began).as_secs()), ("1", 3_600));
    let sessions = store.events(&id("r1"), 0, 999).await.unwrap();
    assert!(sessions.iter().any(|event| matches!(&event.body, EventBody::SessionRecorded { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_script_says_fails_hangs_and_panics() {
    let used = Usage { input_tokens: Some(7), ..Usage::default() };
    let agent = ScriptedProvider::new()
        .script("talk[0]", [Act::reply("said").says("sa").outputs(HOUR, OutputKind::TextDelta, "id")])
        .script("talk[1]", [Act::panic("it is broken").reports(used)])
        .script("hang/run", [Act::hang().stops_after(HOUR)]);
    let store = MemoryStore::new();
    let engine = engine(|builder| builder.store(store.clone()).provider("agent", agent.clone()));
    let yaml = r"
workflow: { name: Trouble, stages: [talk, hang] }
talk: { mode: parallel, providers: [{ provider: agent }, { provider: agent }], on_failure: continue }
hang: { provider: agent, timeout: 10s }
";
    let start = StartRun::plan(&engine.parse(yaml, "trouble").unwrap()).run_id(id("r1"));
    let run = engine.run(start).await.unwrap();
    assert_eq!(run.status, RunStatus::Failed);
    let ended: Vec<_> = agent.calls().iter().map(|call| call.ended.unwrap().1).collect();
    // The engine's grace period is shorter than the time that the call takes to stop.
    assert_eq!(ended, [Ended::Replied, Ended::Dropped, Ended::Dropped]);
    let results = &run.context.stages["talk"].results;
    assert_eq!(results[0].output.value(), "said");
    let error = results[1].error.as_ref().unwrap();
    assert!(error.message.contains("it is broken"), "{error}");
    assert_eq!(run.spent.tokens, Some(7));
    let output = store.output(&id("r1"), 0, 99).await.unwrap();
    let said: Vec<_> = output.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(said, ["sa", "id"]);
    agent.assert_finished();
}

#[tokio::test(start_paused = true)]
async fn a_script_that_runs_out_says_what_it_had() {
    let agent = ScriptedProvider::new()
        .script("1/plan", [Act::reply("once")])
        .script("plan/review", [Act::reply("never")])
        .always("code", Act::reply("whenever"));
    let engine = engine(|builder| builder.provider("agent", agent.clone()));
    let yaml = r"
workflow: { name: Out, stages: [plan, code] }
plan: { provider: agent }
code: { provider: agent }
";
    let plan = engine.parse(yaml, "out").unwrap();
    assert_eq!(engine.run(StartRun::plan(&plan)).await.unwrap().status, RunStatus::Completed);
    let run = engine.run(StartRun::plan(&plan)).await.unwrap();
    let error = run.error.unwrap();
    assert_eq!(error.class, FailureClass::Permanent);
    let missing = "the script has no act for attempt 1 of 1/plan[0]/run (`1/plan`: 1 of 1 acts were done)";
    assert!(error.message.contains(missing), "{error}");
    let clone = agent.clone();
    let panic = std::panic::catch_unwind(move || clone.assert_finished()).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    let left =
        "the script and the calls differ:\n`plan/review`: 0 of 1 acts were done\nthe script has no act";
    assert!(message.starts_with(left), "{message}");
    let other = ScriptedProvider::new().script("test", [Act::reply("ok")]);
    let engine = self::engine(|builder| builder.provider("agent", other.clone()));
    let error = engine.run(StartRun::plan(&plan)).await.unwrap().error.unwrap();
    assert!(error.message.contains("no script is for this node; scripts: `test`"), "{error}");
    assert!(std::panic::catch_unwind(|| ScriptedProvider::new().script("a/b/c/d", [])).is_err());
}
