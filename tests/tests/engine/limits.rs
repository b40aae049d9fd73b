//! Slots at a provider: shared by runs, engines, and the host's own work.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use workflow_core::status::RunStatus;
use workflow_exec::Limits;
use workflow_tests::sim::Sim;
use workflow_tests::simulation::process::Process;

use crate::host::{Host, id};

const ONE_CALL: &str = "
workflow: { name: One call, stages: [write] }
write: { provider: ann }
";

fn one_at_a_time() -> Host {
    Host::with(|builder| builder.limits(Limits::new().limit("ann", 1)))
}

#[test]
fn runs_share_the_places_of_a_provider_in_the_order_they_asked() {
    let host = one_at_a_time();
    host.sim.block_on(async {
        for run in ["r1", "r2", "r3"] {
            host.engine.start(host.start(run, ONE_CALL)).await.unwrap();
            host.sim.sleep_ms(1).await;
        }
        for run in ["r1", "r2", "r3"] {
            assert_eq!(host.engine.handle(&id(run)).wait().await.unwrap().status, RunStatus::Completed);
        }
    });
    insta::assert_snapshot!(host.calls(), @r"
    1/write[0] #1 ann 0–10 replied
    1/write[0] #1 ann 10–20 replied
    1/write[0] #1 ann 20–30 replied
    ");
    assert!(!host.log("r1").contains("node_queued"));
    insta::assert_snapshot!(host.log("r3"), @r#"
     0  run_created        test
     0  run_started
     0  stage_started      1/write
     0  node_queued        1/write[0] ann
    18  attempt_started    1/write[0] #1 ann
    28  attempt_succeeded  1/write[0] #1 "ann()"
    28  stage_completed    1/write, output of lane 0
    28  run_completed
    "#);
}

#[test]
fn a_run_that_is_cancelled_in_the_queue_leaves_it() {
    let host = one_at_a_time();
    host.sim.block_on(async {
        for run in ["r1", "r2", "r3"] {
            host.engine.start(host.start(run, ONE_CALL)).await.unwrap();
            host.sim.sleep_ms(1).await;
        }
        let second = host.engine.handle(&id("r2"));
        let _ = second.cancel().await.unwrap();
        assert_eq!(second.wait().await.unwrap().status, RunStatus::Cancelled);
        assert_eq!(host.engine.handle(&id("r3")).wait().await.unwrap().status, RunStatus::Completed);
    });
    insta::assert_snapshot!(host.calls(), @r"
    1/write[0] #1 ann 0–10 replied
    1/write[0] #1 ann 10–20 replied
    ");
    insta::assert_snapshot!(host.log("r2"), @r"
    0  run_created        test
    0  run_started
    0  stage_started      1/write
    0  node_queued        1/write[0] ann
    2  cancel_requested
    2  run_cancelled
    ");
}

#[test]
fn work_of_the_hosts_own_and_of_other_engines_takes_places_too() {
    let limits = Arc::new(Limits::new().limit("ann", 1));
    let host = Host::with(|builder| builder.limits(limits.clone()));
    let other = Host::with(|builder| builder.limits(limits.clone()));
    let place = host.engine.limits().try_acquire("ann").unwrap();
    assert!(other.engine.limits().try_acquire("ann").is_none());
    host.sim.block_on(async {
        let run = host.engine.start(host.start("r1", ONE_CALL)).await.unwrap();
        host.sim.sleep_ms(50).await;
        let mine = Box::pin(host.engine.limits().acquire("ann"));
        drop(place);
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Completed);
        drop(mine.await);
    });
    insta::assert_snapshot!(host.calls(), @"  1/write[0] #1 ann 50–60 replied");
}

#[test]
fn a_place_is_kept_until_the_call_has_stopped() {
    let yaml = "
workflow: { name: Slow to stop, stages: [write] }
write: { provider: ann, with: { ann: { hang: true, slow_to_stop: 500 } } }
";
    let host = one_at_a_time();
    host.sim.block_on(async {
        let first = host.engine.start(host.start("r1", yaml)).await.unwrap();
        host.sim.sleep_ms(10).await;
        let second = host.engine.start(host.start("r2", ONE_CALL)).await.unwrap();
        let _ = first.cancel().await.unwrap();
        second.wait().await.unwrap();
    });
    insta::assert_snapshot!(host.calls(), @r"
    1/write[0] #1 ann 0–510 stopped
    1/write[0] #1 ann 510–520 replied
    ");
}

#[test]
fn a_retry_is_made_although_the_clock_was_set_back_while_it_waited_for_its_place() {
    let (sim, off) = (Sim::new(), Arc::new(AtomicI64::new(0)));
    let machine = Process::new(&sim, 1, &off);
    let limits = Limits::new().limit("ann", 1);
    let host = Host::in_world(sim, |builder| builder.limits(limits).clock(machine));
    let retried = "
workflow: { name: A retry, stages: [write] }
write: { provider: ann, on_failure: retry, retry_backoff: 1s, with: { ann: [{ fail: transient }, { reply: ok }] } }
";
    let long = "
workflow: { name: A long call, stages: [write] }
write: { provider: ann, with: { ann: { after: 5000 } } }
";
    host.sim.block_on(async {
        host.engine.start(host.start("r1", retried)).await.unwrap();
        host.sim.sleep_ms(20).await;
        host.engine.start(host.start("r2", long)).await.unwrap();
        host.sim.sleep_ms(2_000).await;
        assert!(host.log("r1").contains("node_queued"), "its time is due, and its slot is taken");
        off.fetch_sub(60_000, Ordering::SeqCst);
        assert_eq!(host.engine.handle(&id("r1")).wait().await.unwrap().status, RunStatus::Completed);
    });
}
