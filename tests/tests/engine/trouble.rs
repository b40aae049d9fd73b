//! Failures, and their effects on the run.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::join;
use workflow_core::catalog::{Catalog, CatalogEntry, CatalogError, Document, Version};
use workflow_core::event::EventBody;
use workflow_core::ids::WorkflowId;
use workflow_core::provider::Reply;
use workflow_core::status::RunStatus;
use workflow_core::store::{RunStore as _, StoreError};
use workflow_exec::{Engine, EngineError, StartRun};
use workflow_providers::FunctionProvider;
use workflow_tests::faulty::{Fault, Faulty};
use workflow_tests::scenario;

use crate::host::{Host, id};

#[test]
fn a_store_that_fails_stops_the_calls_and_the_error_is_told() {
    let yaml = "
workflow: { name: Parallel, stages: [plan] }
plan:
  mode: parallel
  providers: [{ provider: ann }, { provider: bob }]
  with: { bob: { after: 1000000 } }
";
    let host = Host::new();
    // The first append is that of the start; the second, when `ann` is done, fails permanently.
    let fails = |append| if append >= 2 { Fault::Lose } else { Fault::None };
    let engine = host.engine_over(Faulty::new(&host.store, fails));
    let error = host.sim.block_on(engine.run(host.start("r1", yaml))).unwrap_err();
    assert!(matches!(error, EngineError::Store(StoreError::Io { .. })), "{error}");
    insta::assert_snapshot!(host.calls(), @r"
    1/plan[0] #1 ann 0–10 replied
    1/plan[1] #1 bob 0–600560 stopped
    ");
    let view = host.sim.block_on(host.engine.drive(&id("r1"))).unwrap();
    assert_eq!(view.status, RunStatus::Completed);
}

#[test]
fn whoever_waits_for_a_run_is_told_what_ended_its_driver() {
    let yaml = "workflow: { name: One stage, stages: [plan] }\nplan: { provider: ann }\n";
    let host = Host::new();
    let fails = |append| if append >= 2 { Fault::Lose } else { Fault::None };
    let engine = host.engine_over(Faulty::new(&host.store, fails));
    host.sim.block_on(async {
        let run = engine.start(host.start("r1", yaml)).await.unwrap();
        for error in
            [join(run.wait(), run.wait()).await.into(), [run.wait().await, run.wait().await]].concat()
        {
            let error = error.unwrap_err();
            assert!(matches!(error, EngineError::Store(StoreError::Io { .. })), "{error}");
        }
        assert_eq!(run.status().await.unwrap(), RunStatus::Running);
        // Once another engine has continued the run, its result counts.
        host.engine.drive(&id("r1")).await.unwrap();
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Completed);
    });
}

#[test]
fn a_control_that_came_with_a_lost_answer_is_obeyed() {
    let yaml = "
workflow: { name: Two stages, stages: [plan, code] }
plan: { provider: ann, with: { ann: { after: 100 } } }
code: { provider: bob, with: { bob: { after: 60000 } } }
";
    let host = Host::new();
    let script = |append| if append == 2 { Fault::LoseAnswer } else { Fault::None };
    let engine = host.engine_over(Faulty::new(&host.store, script).unwatched());
    let view = host.sim.block_on(async {
        let pausing = async {
            host.sim.sleep_ms(50).await;
            let _ = engine.handle(&id("r1")).pause().await.unwrap();
        };
        join(engine.run(host.start("r1", yaml)), pausing).await.0.unwrap()
    });
    assert_eq!(view.status, RunStatus::Paused);
    insta::assert_snapshot!(host.log("r1"), @r#"
        0  run_created        test
        0  run_started
        0  stage_started      1/plan
        0  attempt_started    1/plan[0] #1 ann
      100  attempt_succeeded  1/plan[0] #1 "ann()"
      100  stage_completed    1/plan, output of lane 0
      100  stage_started      1/code
      100  attempt_started    1/code[0] #1 bob
      150  pause_requested
    60150  attempt_succeeded  1/code[0] #1 "bob()"
    60150  stage_completed    1/code, output of lane 0
    60150  run_paused
    "#);
}

#[test]
fn a_run_that_is_over_its_quota_waits_for_its_time_whoever_drives_it() {
    let yaml = "
workflow: { name: Over quota, stages: [plan] }
plan: { provider: ann, with: { ann: [{ fail: rate_limited, until: 60000 }, { reply: ok }] } }
";
    let host = Host::new();
    host.sim.block_on(async {
        host.engine.start(host.start("r1", yaml)).await.unwrap();
        host.sim.sleep_ms(30_000).await;
        host.sim.drop_tasks();
        let view = host.engine.drive(&id("r1")).await.unwrap();
        assert_eq!(view.status, RunStatus::Completed);
    });
    insta::assert_snapshot!(host.log("r1"), @r#"
        0  run_created        test
        0  run_started
        0  stage_started      1/plan
        0  attempt_started    1/plan[0] #1 ann
       10  attempt_failed     1/plan[0] #1 rate_limited: ann had trouble, parked, again at 60010
       10  run_waiting        quota, until 60010
    60010  run_continued
    60010  attempt_started    1/plan[0] #2 ann
    60020  attempt_succeeded  1/plan[0] #2 "ok"
    60020  stage_completed    1/plan, output of lane 0
    60020  run_completed
    "#);
}

#[test]
fn an_output_that_is_too_large_is_a_failure() {
    let yaml = "
workflow: { name: Large output, stages: [plan] }
plan:
  provider: ann
  on_failure: retry
  with: { ann: [{ reply: 12345678901234567890 }, { reply: short }] }
";
    let host = Host::with(|builder| builder.max_output(10));
    host.sim.block_on(host.engine.run(host.start("r1", yaml))).unwrap();
    let log = host.log("r1");
    assert_eq!(
        log.matches("invalid_output: the output has 20 bytes; at most 10 are kept").count(),
        1,
        "{log}"
    );
    assert!(log.contains("#2 \"short\""), "{log}");
}

#[test]
fn a_session_is_stored_before_the_call_continues() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let host = Host::new();
    let (store, told) = (host.store.clone(), seen.clone());
    let agent = FunctionProvider::new(move |_, context| {
        let (store, told) = (store.clone(), told.clone());
        async move {
            context.record_session("s-1").await.unwrap();
            let events = scenario::events(&store, &id("r1")).await;
            told.lock().unwrap().push(events.last().unwrap().body.clone());
            Ok(Reply { session: Some("s-2".to_owned()), ..Reply::default() })
        }
    });
    let setup = Engine::builder().store(host.store.clone()).provider("agent", agent);
    let engine = setup.clock(host.sim.clone()).timer(host.sim.clone()).build().unwrap();
    let yaml = "workflow: { name: Session, stages: [plan] }\nplan: { provider: agent }\n";
    let plan = engine.parse(yaml, "test").unwrap();
    host.sim.block_on(engine.run(StartRun::plan(&plan).run_id(id("r1")))).unwrap();
    let stored = &seen.lock().unwrap()[0];
    assert!(
        matches!(stored, EventBody::SessionRecorded { session, .. } if &**session == "s-1"),
        "{stored:?}"
    );
    insta::assert_snapshot!(host.log("r1"), @r"
    0  run_created        test
    0  run_started
    0  stage_started      1/plan
    0  attempt_started    1/plan[0] #1 agent
    0  session_recorded   1/plan[0] #1 s-1
    0  session_recorded   1/plan[0] #1 s-2
    0  attempt_succeeded  1/plan[0] #1 null
    0  stage_completed    1/plan, output of lane 0
    0  run_completed
    ");
}

#[test]
fn a_provider_that_is_not_registered_is_found_before_anything_starts() {
    let host = Host::new();
    let yaml = "workflow: { name: Unknown provider, stages: [plan] }\nplan: { provider: anne }\n";
    let error = host.engine.parse(yaml, "test").unwrap_err();
    insta::assert_snapshot!(error, @r"
    2:19: error[unknown-provider]: no provider is registered as `anne`; did you mean `ann`? (registered: ann, bob, cid, command, demo, dot)
    ");
}

/// A catalog with one workflow.
#[derive(Default)]
struct Folder(Mutex<Option<String>>);

#[async_trait]
impl Catalog for Folder {
    async fn list(&self) -> Result<Vec<CatalogEntry>, CatalogError> {
        Ok(Vec::new())
    }

    async fn get(&self, id: &WorkflowId) -> Result<Document, CatalogError> {
        let text = self
            .0
            .lock()
            .unwrap()
            .clone()
            .ok_or_else(|| CatalogError::NotFound(format!("workflow `{id}`")))?;
        Ok(Document { id: id.clone(), origin: "memory".to_owned(), text, version: Version("1".to_owned()) })
    }

    async fn create(&self, id: &WorkflowId, text: &str) -> Result<Document, CatalogError> {
        *self.0.lock().unwrap() = Some(text.to_owned());
        self.get(id).await
    }

    async fn update(&self, id: &WorkflowId, text: &str, _: &Version) -> Result<Document, CatalogError> {
        self.create(id, text).await
    }

    async fn delete(&self, _: &WorkflowId) -> Result<(), CatalogError> {
        *self.0.lock().unwrap() = None;
        Ok(())
    }
}

#[test]
fn a_workflow_in_use_is_not_deleted_and_its_runs_keep_what_they_started_with() {
    let folder = Arc::new(Folder::default());
    let host = Host::with(|builder| builder.catalog(folder.clone()));
    let ship = WorkflowId::new("ship").unwrap();
    let yaml = "workflow: { name: Ship it, stages: [plan, code] }\nplan: { provider: ann }\ncode: { provider: bob }\n";
    let view = host.sim.block_on(async {
        folder.create(&ship, yaml).await.unwrap();
        for run in ["r1", "r2"] {
            let start = StartRun::workflow(ship.clone()).run_id(id(run));
            host.engine.create(start).await.unwrap();
        }
        let _ = host.engine.handle(&id("r2")).pause().await.unwrap();
        let error = host.engine.delete_workflow(&ship).await.unwrap_err();
        insta::assert_snapshot!(error, @r"workflow `ship` is in use by run `r2`, run `r1`");

        folder.create(&ship, &yaml.replace("bob", "cid")).await.unwrap();
        let view = host.engine.drive(&id("r1")).await.unwrap();
        let _ = host.engine.handle(&id("r2")).cancel().await.unwrap();
        host.engine.delete_workflow(&ship).await.unwrap();
        assert!(matches!(folder.get(&ship).await, Err(CatalogError::NotFound(_))));
        // Deleted from the catalog, and still there for its runs.
        assert_eq!(host.store.get(&id("r1")).await.unwrap().head.workflow_id, ship);
        view
    });
    let provider = view.context.stages["code"].results[0].provider.clone();
    assert_eq!(provider.as_deref(), Some("bob"));
}
