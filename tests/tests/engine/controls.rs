//! Control requests: the holder of the run applies them; without a holder, the sender does.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, ProviderError, Reply};
use workflow_core::status::RunStatus;
use workflow_core::store::StoreError;
use workflow_exec::{ControlRefusal, Engine, EngineError};
use workflow_tests::scenario;

use crate::host::{Host, id};

const TWO_STAGES: &str = "
workflow: { name: Two stages, stages: [plan, code] }
plan: { provider: ann, with: { ann: { after: 100 } } }
code: { provider: bob }
";

#[test]
fn a_run_that_no_process_drives_is_paused_and_cancelled_by_the_caller() {
    let host = Host::new();
    host.sim.block_on(async {
        let run = host.engine.create(host.start("r1", TWO_STAGES)).await.unwrap();
        let _ = run.pause().await.unwrap();
        assert_eq!(run.status().await.unwrap(), RunStatus::Paused);
        assert!(host.engine.unfinished().await.unwrap().is_empty(), "a paused run waits for a person");
        let _ = run.cancel().await.unwrap();
        assert_eq!(run.status().await.unwrap(), RunStatus::Cancelled);
    });
    insta::assert_snapshot!(host.log("r1"), @r"
    0  run_created        test
    0  pause_requested
    0  run_paused
    0  cancel_requested
    0  run_cancelled
    ");
    assert!(host.deeds.calls().is_empty());
}

#[test]
fn a_run_that_is_resumed_continues_where_there_is_a_spawner_or_when_it_is_driven() {
    let host = Host::new();
    host.sim.block_on(async {
        for run in ["r1", "r2"] {
            let _ = host.engine.create(host.start(run, TWO_STAGES)).await.unwrap().pause().await.unwrap();
        }
        let first = host.engine.handle(&id("r1"));
        let _ = first.resume().await.unwrap();
        assert_eq!(first.wait().await.unwrap().status, RunStatus::Completed);

        let builder = Engine::builder().store(host.store.clone()).clock(host.sim.clone());
        let unspawned = host.deeds.register(builder.timer(host.sim.clone())).build().unwrap();
        let second = unspawned.handle(&id("r2"));
        let _ = second.resume().await.unwrap();
        // The run has not begun: workers of this store find it as a run that can continue.
        assert_eq!(second.status().await.unwrap(), RunStatus::Running);
        assert!(host.deeds.calls().iter().all(|call| call.id.run != id("r2")));
        assert_eq!(unspawned.unfinished().await.unwrap().len(), 1);
        assert_eq!(unspawned.drive(&id("r2")).await.unwrap().status, RunStatus::Completed);
    });
}

#[test]
fn a_pause_that_is_taken_back_before_it_is_done_leaves_the_run_going() {
    let host = Host::new();
    host.sim.block_on(async {
        let run = host.engine.start(host.start("r1", TWO_STAGES)).await.unwrap();
        host.sim.sleep_ms(10).await;
        let _ = run.pause().await.unwrap();
        host.sim.sleep_ms(10).await;
        let view = run.view().await.unwrap();
        assert_eq!((view.status, view.requested.as_deref()), (RunStatus::Running, Some("pause")));
        let _ = run.resume().await.unwrap();
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Completed);
    });
    insta::assert_snapshot!(host.log("r1"), @r#"
      0  run_created        test
      0  run_started
      0  stage_started      1/plan
      0  attempt_started    1/plan[0] #1 ann
     10  pause_requested
     20  run_resumed
    100  attempt_succeeded  1/plan[0] #1 "ann()"
    100  stage_completed    1/plan, output of lane 0
    100  stage_started      1/code
    100  attempt_started    1/code[0] #1 bob
    110  attempt_succeeded  1/code[0] #1 "bob()"
    110  stage_completed    1/code, output of lane 0
    110  run_completed
    "#);
}

#[test]
fn controls_that_come_too_late_change_nothing() {
    let host = Host::new();
    host.sim.block_on(async {
        host.engine.run(host.start("r1", TWO_STAGES)).await.unwrap();
        let run = host.engine.handle(&id("r1"));
        let before = scenario::events(&host.store, run.id()).await;
        for asked in [run.pause().await, run.resume().await, run.cancel().await, run.answer(3, true).await] {
            assert_eq!(asked.unwrap().refusal(), Some(ControlRefusal::Ended));
        }
        let refused = run.resume().await.unwrap().accepted().unwrap_err();
        insta::assert_snapshot!(refused, @"run `r1` has ended (completed); a fork of it is a new run that continues from any point");
        assert_eq!(scenario::events(&host.store, run.id()).await, before);
        let error = host.engine.handle(&id("r2")).cancel().await.unwrap_err();
        assert!(matches!(error, EngineError::Store(StoreError::NotFound(_))), "{error}");
    });
}

/// Hangs, and leaves a process that must be reclaimed, which succeeds or fails.
#[derive(Clone, Default)]
struct Leaves {
    reclaimed: Arc<Mutex<Vec<CallId>>>,
    stuck: Arc<Mutex<bool>>,
}

#[async_trait]
impl Provider for Leaves {
    async fn call(&self, _: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
        std::future::pending().await
    }

    async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
        if *self.stuck.lock().unwrap() {
            return Err(ProviderError::transient("process 17 is still there"));
        }
        self.reclaimed.lock().unwrap().push(call.clone());
        Ok(())
    }
}

#[test]
fn what_a_dead_host_left_is_reclaimed_before_the_run_continues_or_ends() {
    let leaves = Leaves::default();
    let host = Host::with(|builder| builder.provider("leaves", leaves.clone()));
    let yaml = "workflow: { name: Leaves, stages: [plan] }\nplan: { provider: leaves }\n";
    host.sim.block_on(async {
        let run = host.engine.start(host.start("r1", yaml)).await.unwrap();
        host.sim.sleep_ms(10).await;
        host.sim.drop_tasks();

        *leaves.stuck.lock().unwrap() = true;
        let error = host.engine.drive(&id("r1")).await.unwrap_err();
        insta::assert_snapshot!(error, @r"
        run `r1`: processes of an earlier call of 1/plan[0]/run may still be running: process 17 is still there
        ");
        let error = run.cancel().await.unwrap_err();
        assert!(matches!(error, EngineError::NotReclaimed { .. }), "{error}");
        assert_eq!(run.status().await.unwrap(), RunStatus::Running);

        *leaves.stuck.lock().unwrap() = false;
        assert_eq!(host.engine.drive(&id("r1")).await.unwrap().status, RunStatus::Cancelled);
    });
    let reclaimed = leaves.reclaimed.lock().unwrap();
    assert_eq!(
        reclaimed.iter().map(|call| (call.path.to_string(), call.attempt)).collect::<Vec<_>>(),
        [("1/plan[0]/run".to_owned(), 1)]
    );
    insta::assert_snapshot!(host.log("r1"), @r"
     0  run_created        test
     0  run_started
     0  stage_started      1/plan
     0  attempt_started    1/plan[0] #1 leaves
    10  attempt_interrupted 1/plan[0] #1
    10  cancel_requested
    10  run_cancelled
    ");
}
