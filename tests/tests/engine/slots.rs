//! Runs with the same key, of which one works at a time.

use std::time::Duration;

use futures::future::{join, join_all};
use jiff::Timestamp;
use workflow_core::event::EventBody;
use workflow_core::status::RunStatus;
use workflow_core::stop::Stop;
use workflow_core::store::{MemoryStore, RunStore as _, StoreError};
use workflow_exec::{
    Clock as _, ControlOutcome, Engine, EngineError, Fork, StartRun, Timer as _, WorkOptions,
};
use workflow_tests::sim::Sim;

use crate::host::{Host, id};

const QUEUE: &str = "
workflow: { name: Deploy, stages: [build, ship], concurrency: { key: \"${vars.repo}\" } }
build: { provider: ann, with: { ann: { after: 100 } } }
ship: { provider: bob }
";

fn with_mode(mode: &str) -> String {
    QUEUE.replace("\" } }", &format!("\", mode: {mode} }} }}"))
}

fn start(host: &Host, run: &str, yaml: &str) -> StartRun {
    host.start(run, yaml).var("repo", "shop")
}

/// When a run was at work.
fn span(host: &Host, run: &str) -> (Timestamp, Timestamp) {
    let events = host.events(run);
    let started = events.iter().find(|event| event.body == EventBody::RunStarted).unwrap().at;
    (started, events.iter().find(|event| event.body.is_terminal()).unwrap().at)
}

/// Checks that the runs were at work one after the other, in this order.
fn one_after_the_other(host: &Host, runs: &[&str]) {
    let spans: Vec<_> = runs.iter().map(|run| span(host, run)).collect();
    assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{runs:?}: {spans:?}");
}

async fn status(host: &Host, run: &str) -> RunStatus {
    host.store.get(&id(run)).await.unwrap().head.status
}

#[test]
fn runs_with_a_key_work_one_after_the_other_in_all_engines_of_a_store() {
    let host = Host::new();
    let other = host.engine_over(host.store.another_process());
    host.sim.block_on(async {
        let first = host.engine.start(start(&host, "r1", QUEUE)).await.unwrap();
        let second = other.start(start(&host, "r2", QUEUE)).await.unwrap();
        let third = host.engine.run(start(&host, "r3", QUEUE));
        let elsewhere = host.engine.run(host.start("r4", QUEUE).var("repo", "other"));
        let watching = async {
            host.sim.sleep(Duration::from_millis(50)).await;
            let waiting = host.store.get(&id("r2")).await.unwrap();
            assert_eq!((waiting.head.status, waiting.holder.is_some()), (RunStatus::Pending, true));
            assert_eq!(waiting.head.slot.unwrap().key, "shop");
        };
        let ((third, elsewhere), ()) = join(join(third, elsewhere), watching).await;
        for ended in [first.wait().await, second.wait().await, third, elsewhere] {
            assert_eq!(ended.unwrap().status, RunStatus::Completed);
        }
    });
    one_after_the_other(&host, &["r1", "r2", "r3"]);
    let (first, elsewhere) = (span(&host, "r1"), span(&host, "r4"));
    assert!(elsewhere.0 < first.1, "another key does not wait");
    // No time is lost between two of them.
    assert_eq!(span(&host, "r2").0, first.1);
}

#[test]
fn a_run_is_refused_that_does_not_wait_for_the_one_with_its_key() {
    let host = Host::new();
    host.sim.block_on(async {
        let first = host.engine.start(start(&host, "r1", &with_mode("reject"))).await.unwrap();
        let refused = host.engine.run(start(&host, "r2", &with_mode("reject"))).await.unwrap_err();
        assert!(
            matches!(&refused, EngineError::Store(StoreError::Busy { key, holder })
                if key == "shop" && *holder == id("r1")),
            "{refused}"
        );
        assert_eq!(refused.to_string(), "run `r1` is in progress with the same key (`shop`)");
        assert!(host.store.get(&id("r2")).await.unwrap_err().is_not_found());
        first.wait().await.unwrap();
        let view = host.engine.run(start(&host, "r2", &with_mode("reject"))).await.unwrap();
        assert_eq!(view.status, RunStatus::Completed);
    });
}

#[test]
fn a_run_cancels_the_one_with_its_key_and_begins_when_that_has_ended() {
    let host = Host::new();
    let other = host.engine_over(host.store.another_process());
    host.sim.block_on(async {
        let first = host.engine.start(start(&host, "r1", QUEUE)).await.unwrap();
        host.sim.sleep(Duration::from_millis(20)).await;
        let view = other.run(start(&host, "r2", &with_mode("cancel"))).await.unwrap();
        assert_eq!(view.status, RunStatus::Completed);
        assert_eq!(first.wait().await.unwrap().status, RunStatus::Cancelled);

        // One that no process drives is cancelled by the engine that creates the new one.
        let idle = host.engine.create(start(&host, "r3", QUEUE)).await.unwrap();
        let _ = idle.pause().await.unwrap();
        let created = other.create(start(&host, "r4", &with_mode("cancel"))).await.unwrap();
        assert_eq!(idle.status().await.unwrap(), RunStatus::Cancelled);
        assert_eq!(other.drive(created.id()).await.unwrap().status, RunStatus::Completed);
    });
    one_after_the_other(&host, &["r1", "r2"]);
}

#[test]
fn a_run_that_cancels_others_also_cancels_those_that_came_before_it() {
    let host = Host::new();
    host.sim.block_on(async {
        let mut runs = Vec::new();
        for run in ["r1", "r2", "r3"] {
            let handle = host.engine.start(start(&host, run, &with_mode("cancel"))).await.unwrap();
            runs.push(handle);
        }
        let mut ended = Vec::new();
        for run in &runs {
            ended.push(run.wait().await.unwrap().status);
        }
        assert_eq!(ended, [RunStatus::Cancelled, RunStatus::Cancelled, RunStatus::Completed]);
    });
}

#[test]
fn a_run_that_waits_can_be_cancelled_and_others_follow() {
    let host = Host::new();
    let other = host.engine_over(host.store.another_process());
    host.sim.block_on(async {
        let first = host.engine.start(start(&host, "r1", QUEUE)).await.unwrap();
        // One that a process holds, and one that none does.
        let held = host.engine.start(start(&host, "r2", QUEUE)).await.unwrap();
        let free = other.create(start(&host, "r3", QUEUE)).await.unwrap();
        let last = other.start(start(&host, "r4", QUEUE)).await.unwrap();
        let _ = other.handle(held.id()).cancel().await.unwrap();
        assert!(matches!(free.cancel().await.unwrap(), ControlOutcome::Done(_)));
        assert_eq!(held.wait().await.unwrap().status, RunStatus::Cancelled);
        assert_eq!(status(&host, "r3").await, RunStatus::Cancelled);
        assert_eq!(status(&host, "r1").await, RunStatus::Running);
        assert_eq!(first.wait().await.unwrap().status, RunStatus::Completed);
        assert_eq!(last.wait().await.unwrap().status, RunStatus::Completed);
    });
    one_after_the_other(&host, &["r1", "r4"]);
    let kinds: Vec<_> = host.events("r2").iter().map(|event| event.body.kind()).collect();
    assert_eq!(kinds, ["run_created", "cancel_requested", "run_cancelled"]);
}

#[test]
fn a_run_that_waits_obeys_other_requests_when_it_has_its_slot() {
    let host = Host::new();
    host.sim.block_on(async {
        let first = host.engine.start(start(&host, "r1", QUEUE)).await.unwrap();
        let second = host.engine.create(start(&host, "r2", QUEUE)).await.unwrap();
        assert!(matches!(second.pause().await.unwrap(), ControlOutcome::Recorded { number: 1 }));
        assert_eq!(second.status().await.unwrap(), RunStatus::Pending);
        first.wait().await.unwrap();
        assert_eq!(host.engine.drive(second.id()).await.unwrap().status, RunStatus::Paused);
        let third = host.engine.start(start(&host, "r3", QUEUE)).await.unwrap();
        host.sim.sleep(Duration::from_secs(60)).await;
        assert_eq!(third.status().await.unwrap(), RunStatus::Pending, "one that is paused has its slot");
        let _ = second.resume().await.unwrap();
        assert_eq!(third.wait().await.unwrap().status, RunStatus::Completed);
    });
    one_after_the_other(&host, &["r2", "r3"]);
}

#[test]
fn workers_take_only_runs_that_have_their_slot() {
    for seed in 0..20 {
        let host = Host::seeded(seed);
        let engines = [host.engine.clone(), host.engine_over(host.store.another_process())];
        let names = ["r0", "r1", "r2", "r3", "r4"];
        host.sim.block_on(async {
            for run in names {
                host.engine.create(start(&host, run, QUEUE)).await.unwrap();
            }
            let mut options = WorkOptions::default();
            // One of them chooses from a list.
            options.workflows = vec!["test".parse().unwrap()];
            let working = join(engines[0].work(WorkOptions::default()), engines[1].work(options));
            let stop = async {
                while status(&host, "r4").await != RunStatus::Completed {
                    host.sim.sleep(Duration::from_millis(5)).await;
                }
                join_all(engines.iter().map(|engine| engine.shutdown(Stop::Gracefully))).await;
            };
            let (worked, ()) = join(working, stop).await;
            worked.0.unwrap();
            worked.1.unwrap();
        });
        one_after_the_other(&host, &names);
    }
}

#[test]
fn an_engine_that_shuts_down_leaves_a_run_that_waits_to_others() {
    let host = Host::new();
    let other = host.engine_over(host.store.another_process());
    host.sim.block_on(async {
        let first = other.start(start(&host, "r1", QUEUE)).await.unwrap();
        let second = host.engine.run(start(&host, "r2", QUEUE));
        let stop = async {
            host.sim.sleep(Duration::from_millis(10)).await;
            host.engine.shutdown(Stop::Gracefully).await;
        };
        let (left, ()) = join(second, stop).await;
        assert_eq!(left.unwrap().status, RunStatus::Pending);
        assert_eq!(host.store.get(&id("r2")).await.unwrap().holder, None);
        let view = other.drive(&id("r2")).await.unwrap();
        assert_eq!(view.status, RunStatus::Completed);
        first.wait().await.unwrap();
    });
    one_after_the_other(&host, &["r1", "r2"]);
}

#[test]
fn a_fork_keeps_the_key_and_waits_like_any_other() {
    let host = Host::new();
    host.sim.block_on(async {
        let first = host.engine.start(start(&host, "r1", QUEUE)).await.unwrap();
        host.sim.sleep(Duration::from_millis(10)).await;
        let fork = host.engine.fork(Fork::of(id("r1")).run_id(id("r2"))).await.unwrap();
        assert_eq!(host.store.get(fork.id()).await.unwrap().head.slot.unwrap().key, "shop");
        assert_eq!(host.engine.drive(fork.id()).await.unwrap().status, RunStatus::Completed);
        assert_eq!(first.status().await.unwrap(), RunStatus::Completed);
    });
    one_after_the_other(&host, &["r1", "r2"]);
}

#[test]
fn a_run_without_a_key_is_not_started() {
    let host = Host::new();
    host.sim.block_on(async {
        for (given, problem) in [(None, "`vars.repo`"), (Some(" "), "is empty"), (Some("a\nb"), "control")] {
            let run = host.start("r1", QUEUE);
            let run = match given {
                Some(repo) => run.var("repo", repo),
                None => run,
            };
            let error = host.engine.create(run).await.err().unwrap();
            assert!(matches!(&error, EngineError::Variables(_)), "{error}");
            let message = error.to_string();
            assert!(message.contains("`workflow.concurrency.key`") && message.contains(problem), "{message}");
        }
    });
}

#[test]
fn a_run_that_waits_survives_the_loss_of_its_lease() {
    let sim = Sim::new();
    let clock = sim.clone();
    let memory = MemoryStore::with_leases(Duration::from_secs(10), move || clock.now());
    let first = memory.another_process();
    let host = Host::in_world(sim, |builder| builder.store(first));
    let other: Engine = host.engine_over(memory.another_process());
    host.sim.block_on(async {
        let paused = other.create(start(&host, "r1", QUEUE)).await.unwrap();
        let _ = paused.pause().await.unwrap();
        let waiting = host.engine.run(start(&host, "r2", QUEUE));
        let resume = async {
            // Longer than a lease: it is renewed meanwhile.
            host.sim.sleep(Duration::from_secs(60)).await;
            assert!(memory.get(&id("r2")).await.unwrap().holder.is_some(), "the run that waits is held");
            let _ = paused.resume().await.unwrap();
        };
        let (view, ()) = join(waiting, resume).await;
        assert_eq!(view.unwrap().status, RunStatus::Completed);
    });
}

#[test]
fn a_key_names_only_variables_that_a_run_has_from_its_start() {
    let host = Host::new();
    let yaml = "
workflow:
  name: Deploy
  stages: [ship]
  inputs: { repo: string, token: { secret: true } }
  concurrency: { key: \"${vars.rpo} ${vars.written} ${vars.token}\" }
ship: { provider: ann, set: { written: x } }
";
    let error = host.engine.parse(yaml, "test").unwrap_err().to_string();
    for problem in
        ["`rpo` is neither an input", "`written` is neither an input", "`token` is declared as a secret"]
    {
        assert!(error.contains(problem), "{error}");
    }
}
