//! Ways to stop driving, and calls that do not stop.

use std::time::Duration;

use futures::TryStreamExt as _;
use futures::future::{Either, join, join_all, join3, select};
use workflow_core::provider::{CallContext, ProviderError};
use workflow_core::status::RunStatus;
use workflow_core::stop::Stop;
use workflow_core::store::MemoryStore;
use workflow_core::usage::Usage;
use workflow_exec::{EngineError, Fork, Timer as _, WorkOptions};
use workflow_providers::FunctionProvider;
use workflow_tests::faulty::{Fault, Faulty};
use workflow_tests::sim::Sim;

use crate::host::{Host, id};

const PARALLEL: &str = "
workflow: { name: Parallel, stages: [plan, code] }
plan:
  mode: parallel
  providers: [{ provider: ann }, { provider: bob }]
  with: { ann: { after: 10 }, bob: { after: 100, slow_to_stop: 20 } }
code: { provider: cid }
";

const DEAF: &str = "
workflow: { name: Deaf, stages: [plan] }
plan: { provider: ann, with: { ann: { hang: true, deaf: true } } }
";

#[test]
fn a_run_whose_drive_is_dropped_can_be_resumed() {
    let host = Host::new();
    host.sim.block_on(async {
        let driving = Box::pin(host.engine.run(host.start("r1", PARALLEL)));
        let Either::Right(_) = select(driving, host.sim.sleep_ms(50)).await else { panic!("it has ended") };
        let unfinished = host.engine.unfinished().await.unwrap();
        assert_eq!(unfinished.into_iter().map(|run| run.run_id).collect::<Vec<_>>(), [id("r1")]);
        assert_eq!(host.engine.drive(&id("r1")).await.unwrap().status, RunStatus::Completed);
    });
    insta::assert_snapshot!(host.log("r1"), @r#"
      0  run_created        test
      0  run_started
      0  stage_started      1/plan
      0  attempt_started    1/plan[0] #1 ann
      0  attempt_started    1/plan[1] #1 bob
     10  attempt_succeeded  1/plan[0] #1 "ann()"
     50  attempt_interrupted 1/plan[1] #1
     50  attempt_started    1/plan[1] #2 bob
    150  attempt_succeeded  1/plan[1] #2 "bob()"
    150  stage_completed    1/plan, output of all lanes
    150  stage_started      1/code
    150  attempt_started    1/code[0] #1 cid
    160  attempt_succeeded  1/code[0] #1 "cid()"
    160  stage_completed    1/code, output of lane 0
    160  run_completed
    "#);
    insta::assert_snapshot!(host.calls(), @r"
    1/plan[0] #1 ann 0–10 replied
    1/plan[1] #1 bob 0–50 dropped
    1/plan[1] #2 bob 50–150 replied
    1/code[0] #1 cid 150–160 replied
    ");
}

#[test]
fn a_run_that_is_dropped_before_it_was_ever_polled_can_be_resumed() {
    let host = Host::new();
    host.sim.block_on(async {
        let run = host.engine.start(host.start("r1", PARALLEL)).await.unwrap();
        host.sim.drop_tasks();
        assert_eq!(run.status().await.unwrap(), RunStatus::Pending);
        assert_eq!(host.engine.drive(&id("r1")).await.unwrap().status, RunStatus::Completed);
    });
}

#[test]
fn a_call_whose_start_is_stored_during_a_shutdown_is_not_made() {
    let (sim, memory) = (Sim::new(), MemoryStore::new());
    let clock = sim.clone();
    let store =
        Faulty::new(&memory, |_| Fault::Delay(Duration::from_secs(5))).timer(move |time| clock.sleep(time));
    let host = Host::in_world(sim, |builder| builder.store(store));
    host.sim.block_on(async {
        let run = host.engine.start(host.start("r1", PARALLEL)).await.unwrap();
        host.sim.sleep_ms(2_000).await;
        host.engine.shutdown(Stop::Gracefully).await;
        assert_eq!(run.status().await.unwrap(), RunStatus::Running);
    });
    insta::assert_snapshot!(host.calls(), @"");
}

#[test]
fn a_shutdown_stops_the_calls_and_leaves_the_runs_to_be_resumed() {
    let host = Host::new();
    let other = host.engine_over(host.store.clone());
    host.sim.block_on(async {
        let run = host.engine.start(host.start("r1", PARALLEL)).await.unwrap();
        host.sim.sleep_ms(50).await;
        host.engine.shutdown(Stop::Gracefully).await;
        assert!(host.deeds.calls().iter().all(|call| call.end.is_some()), "calls are still running");
        assert_eq!(run.status().await.unwrap(), RunStatus::Running);

        let unfinished = other.unfinished().await.unwrap();
        assert_eq!(unfinished.len(), 1);
        // The time of the second attempt in the snapshot below.
        host.sim.sleep_ms(110).await;
        assert_eq!(other.drive(run.id()).await.unwrap().status, RunStatus::Completed);
    });
    insta::assert_snapshot!(host.log("r1"), @r#"
      0  run_created        test
      0  run_started
      0  stage_started      1/plan
      0  attempt_started    1/plan[0] #1 ann
      0  attempt_started    1/plan[1] #1 bob
     10  attempt_succeeded  1/plan[0] #1 "ann()"
     70  attempt_interrupted 1/plan[1] #1
    180  attempt_started    1/plan[1] #2 bob
    280  attempt_succeeded  1/plan[1] #2 "bob()"
    280  stage_completed    1/plan, output of all lanes
    280  stage_started      1/code
    280  attempt_started    1/code[0] #1 cid
    290  attempt_succeeded  1/code[0] #1 "cid()"
    290  stage_completed    1/code, output of lane 0
    290  run_completed
    "#);
}

#[test]
fn an_engine_that_drains_lets_calls_end_and_makes_no_other() {
    let host = Host::new();
    let other = host.engine_over(host.store.clone());
    host.sim.block_on(async {
        let run = host.engine.start(host.start("r1", PARALLEL)).await.unwrap();
        let more = host.engine.create(host.start("r2", PARALLEL)).await.unwrap();
        host.sim.sleep_ms(50).await;
        host.engine.drain().await;
        assert!(host.engine.is_shut_down());
        let refused = host.engine.drive(more.id()).await;
        assert!(matches!(refused, Err(EngineError::ShutDown)), "{refused:?}");
        assert_eq!(run.status().await.unwrap(), RunStatus::Running);
        assert_eq!(other.drive(run.id()).await.unwrap().status, RunStatus::Completed);
    });
    insta::assert_snapshot!(host.log("r1"), @r#"
      0  run_created        test
      0  run_started
      0  stage_started      1/plan
      0  attempt_started    1/plan[0] #1 ann
      0  attempt_started    1/plan[1] #1 bob
     10  attempt_succeeded  1/plan[0] #1 "ann()"
    100  attempt_succeeded  1/plan[1] #1 "bob()"
    100  stage_completed    1/plan, output of all lanes
    100  stage_started      1/code
    100  attempt_started    1/code[0] #1 cid
    110  attempt_succeeded  1/code[0] #1 "cid()"
    110  stage_completed    1/code, output of lane 0
    110  run_completed
    "#);
    insta::assert_snapshot!(host.calls(), @r"
    1/plan[0] #1 ann 0–10 replied
    1/plan[1] #1 bob 0–100 replied
    1/code[0] #1 cid 100–110 replied
    ");
}

#[test]
fn an_engine_that_drains_for_too_long_can_be_shut_down() {
    let host = Host::new();
    host.sim.block_on(async {
        let run = host.engine.start(host.start("r1", PARALLEL)).await.unwrap();
        host.sim.sleep_ms(5).await;
        let Either::Right(_) = select(Box::pin(host.engine.drain()), host.sim.sleep_ms(50)).await else {
            panic!("a call is still under way")
        };
        host.engine.shutdown(Stop::Gracefully).await;
        assert_eq!(run.status().await.unwrap(), RunStatus::Running);
    });
    insta::assert_snapshot!(host.calls(), @r"
    1/plan[0] #1 ann 0–10 replied
    1/plan[1] #1 bob 0–75 stopped
    ");
}

#[test]
fn an_engine_that_was_shut_down_starts_and_drives_nothing() {
    let host = Host::new();
    let other = host.engine_over(host.store.clone());
    host.sim.block_on(async {
        other.create(host.start("r1", PARALLEL)).await.unwrap();
        let engine = &host.engine;
        engine.shutdown(Stop::Gracefully).await;
        let refused = [
            engine.run(host.start("r2", PARALLEL)).await.err(),
            engine.start(host.start("r2", PARALLEL)).await.err(),
            engine.create(host.start("r2", PARALLEL)).await.err(),
            engine.drive(&id("r1")).await.err(),
            engine.fork(Fork::of(id("r1"))).await.err(),
            engine.migrate(&id("r1"), None).await.err(),
        ];
        for error in refused {
            assert!(matches!(error, Some(EngineError::ShutDown)), "{error:?}");
        }
        engine.work(WorkOptions::default()).await.unwrap();

        // It still answers queries about runs, and has begun nothing for them.
        let run = engine.handle(&id("r1"));
        assert_eq!(run.view().await.unwrap().status, RunStatus::Pending);
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Pending);
        assert_eq!(other.unfinished().await.unwrap().len(), 1);
        assert!(host.deeds.calls().is_empty());
        assert_eq!(other.drive(&id("r1")).await.unwrap().status, RunStatus::Completed);
    });
}

#[test]
fn following_a_run_ends_when_the_engine_is_shut_down() {
    let asks = "
workflow: { name: Asks, stages: [plan] }
plan: { provider: ann, approval: Go? }
";
    let host = Host::new();
    let other = host.engine_over(host.store.clone());
    host.sim.block_on(async {
        host.engine.start(host.start("here", PARALLEL)).await.unwrap();
        other.start(host.start("elsewhere", PARALLEL)).await.unwrap();
        host.engine.start(host.start("asks", asks)).await.unwrap();
        let runs = ["here", "elsewhere", "asks"].map(|run| host.engine.handle(&id(run)));
        let events = join_all(runs.iter().map(|run| run.events(0).try_collect::<Vec<_>>()));
        let output = join_all(runs.iter().map(|run| run.output(0).try_collect::<Vec<_>>()));
        let shutdown = async {
            host.sim.sleep_ms(50).await;
            host.engine.shutdown(Stop::Gracefully).await;
        };
        let ((), events, output) = join3(shutdown, events, output).await;
        assert!(output.iter().all(Result::is_ok));
        // Events of the shutdown itself are shown before the end.
        let last = events.into_iter().map(|events| events.unwrap().last().unwrap().body.kind());
        assert_eq!(last.collect::<Vec<_>>(), ["attempt_interrupted", "attempt_succeeded", "run_waiting"]);
        // The run of the other engine continues.
        assert_eq!(other.handle(&id("elsewhere")).wait().await.unwrap().status, RunStatus::Completed);
    });
}

#[test]
fn a_second_shutdown_hurries() {
    let yaml = "
workflow: { name: Slow to stop, stages: [plan] }
plan: { provider: ann, with: { ann: { hang: true, slow_to_stop: 20000 } } }
";
    let host = Host::new();
    host.sim.block_on(async {
        host.engine.start(host.start("r1", yaml)).await.unwrap();
        host.sim.sleep_ms(50).await;
        let hurry = async {
            host.sim.sleep_ms(100).await;
            host.engine.shutdown(Stop::AtOnce).await;
        };
        join(host.engine.shutdown(Stop::Gracefully), hurry).await;
    });
    insta::assert_snapshot!(host.calls(), @"  1/plan[0] #1 ann 0–150 stopped");
}

#[test]
fn a_call_that_ignores_its_stop_signal_is_dropped_after_the_grace_period() {
    let host = Host::new();
    host.sim.block_on(async {
        let run = host.engine.start(host.start("r1", DEAF)).await.unwrap();
        host.sim.sleep_ms(50).await;
        let _ = run.cancel().await.unwrap();
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Cancelled);

        host.engine.start(host.start("r2", DEAF)).await.unwrap();
        host.sim.sleep_ms(50).await;
        host.engine.shutdown(Stop::Gracefully).await;
    });
    insta::assert_snapshot!(host.log("r1"), @r"
        0  run_created        test
        0  run_started
        0  stage_started      1/plan
        0  attempt_started    1/plan[0] #1 ann
       50  cancel_requested
    30050  attempt_cancelled  1/plan[0] #1
    30050  run_cancelled
    ");
    insta::assert_snapshot!(host.calls(), @r"
    1/plan[0] #1 ann 0–30050 dropped
    1/plan[0] #1 ann 30050–60100 dropped
    ");
}

#[test]
fn a_call_that_ignores_its_time_out_is_dropped_after_the_grace_period() {
    let yaml = DEAF.replace("ann, with", "ann, idle_timeout: 1s, with");
    let host = Host::with(|builder| builder.stop_grace(std::time::Duration::from_secs(3)));
    host.sim.block_on(host.engine.run(host.start("r1", &yaml))).unwrap();
    insta::assert_snapshot!(host.log("r1"), @r"
       0  run_created        test
       0  run_started
       0  stage_started      1/plan
       0  attempt_started    1/plan[0] #1 ann
    4000  attempt_failed     1/plan[0] #1 idle_timeout: no activity for 1s; it did not stop in time and was dropped
    4000  stage_failed       1/plan idle_timeout: no activity for 1s; it did not stop in time and was dropped
    4000  run_failed         idle_timeout: no activity for 1s; it did not stop in time and was dropped
    ");
    insta::assert_snapshot!(host.calls(), @"  1/plan[0] #1 ann 0–4000 dropped");
}

/// A closure that never ends and ignores its stop signal.
fn deaf() -> FunctionProvider {
    FunctionProvider::new(|_, _| std::future::pending())
}

const CLOSURE: &str = "
workflow: { name: Closure, stages: [plan] }
plan: { provider: closure }
";

#[test]
fn a_closure_that_ignores_its_stop_signal_is_dropped_at_once() {
    let host = Host::with(|builder| builder.provider("closure", deaf()));
    host.sim.block_on(async {
        let run = host.engine.start(host.start("r1", CLOSURE)).await.unwrap();
        host.sim.sleep_ms(50).await;
        let _ = run.cancel().await.unwrap();
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Cancelled);

        let yaml = CLOSURE.replace("closure }", "closure, timeout: 2s }");
        host.engine.run(host.start("r2", &yaml)).await.unwrap();

        host.engine.start(host.start("r3", CLOSURE)).await.unwrap();
        host.sim.sleep_ms(50).await;
        host.engine.shutdown(Stop::Gracefully).await;
    });
    insta::assert_snapshot!(host.log("r1"), @r"
     0  run_created        test
     0  run_started
     0  stage_started      1/plan
     0  attempt_started    1/plan[0] #1 closure
    50  cancel_requested
    50  attempt_cancelled  1/plan[0] #1
    50  run_cancelled
    ");
    insta::assert_snapshot!(host.log("r2"), @r"
       0  run_created        test
       0  run_started
       0  stage_started      1/plan
       0  attempt_started    1/plan[0] #1 closure
    2000  attempt_failed     1/plan[0] #1 timeout: no result after 2s
    2000  stage_failed       1/plan timeout: no result after 2s
    2000  run_failed         timeout: no result after 2s
    ");
    insta::assert_snapshot!(host.log("r3"), @r"
     0  run_created        test
     0  run_started
     0  stage_started      1/plan
     0  attempt_started    1/plan[0] #1 closure
    50  attempt_interrupted 1/plan[0] #1
    ");
}

#[test]
fn a_closure_that_watches_its_stop_signal_is_heard_before_it_is_dropped() {
    let watches = FunctionProvider::new(|_, context: CallContext| async move {
        context.stop().wait(Stop::Gracefully).await;
        Err(ProviderError {
            usage: Some(Usage { cost_usd: Some(2.0), ..Usage::default() }),
            ..ProviderError::cancelled()
        })
    });
    let host = Host::with(|builder| builder.provider("closure", watches));
    host.sim.block_on(async {
        let run = host.engine.start(host.start("r1", CLOSURE)).await.unwrap();
        host.sim.sleep_ms(50).await;
        let _ = run.cancel().await.unwrap();
        let view = run.wait().await.unwrap();
        assert!((view.spent.cost_usd.unwrap() - 2.0).abs() < 1e-9, "{:?}", view.spent);
    });
}

#[test]
fn a_closure_that_asks_for_a_grace_period_has_it() {
    let host = Host::with(|builder| {
        builder.provider("closure", deaf().with_grace()).stop_grace(std::time::Duration::from_secs(3))
    });
    host.sim.block_on(async {
        let run = host.engine.start(host.start("r1", CLOSURE)).await.unwrap();
        host.sim.sleep_ms(50).await;
        let _ = run.cancel().await.unwrap();
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Cancelled);
    });
    assert!(host.log("r1").contains("3050  attempt_cancelled"), "{}", host.log("r1"));
}
