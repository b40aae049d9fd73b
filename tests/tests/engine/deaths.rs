//! A node whose process dies whenever it runs.

use futures::future::{Either, select};
use serde_json::json;
use workflow_core::event::{Event, EventBody};
use workflow_core::status::{RunStatus, WaitReason};
use workflow_core::stop::Stop;
use workflow_core::view::RunView;

use crate::host::{Host, id};

const DEADLY: &str = "
workflow: { name: Deadly, stages: [work] }
work: { provider: ann, with: { ann: { hang: true } } }
";

/// Drives the run until one more call was begun, and lets the process die then. Returns the run if it stops
/// before.
async fn die(host: &Host, run: &str) -> Option<RunView> {
    let calls = host.deeds.calls().len();
    let begun = Box::pin(async {
        while host.deeds.calls().len() == calls {
            host.sim.sleep_ms(10).await;
        }
    });
    let run = id(run);
    match select(Box::pin(host.engine.drive(&run)), begun).await {
        Either::Left((view, _)) => Some(view.unwrap()),
        Either::Right(_) => None,
    }
}

/// How many milliseconds after each interruption the node runs again, if it waits.
fn delays(events: &[Event]) -> Vec<Option<i64>> {
    let interruptions = events.iter().filter_map(|event| match &event.body {
        EventBody::AttemptInterrupted { retry_at, .. } => Some((event.at, *retry_at)),
        _ => None,
    });
    interruptions.map(|(at, again)| Some(again?.as_millisecond() - at.as_millisecond())).collect()
}

#[test]
fn a_call_that_ends_its_process_again_and_again_waits_longer_and_longer_and_then_for_a_person() {
    let host = Host::new();
    let view = host.sim.block_on(async {
        host.engine.create(host.start("r1", DEADLY)).await.unwrap();
        for _ in 0..5 {
            assert_eq!(die(&host, "r1").await, None);
        }
        host.engine.drive(&id("r1")).await.unwrap()
    });
    assert_eq!((view.status, host.deeds.calls().len()), (RunStatus::Paused, 5));
    let wait = view.wait.unwrap();
    assert_eq!(wait.reason, WaitReason::UnknownOutcome);
    insta::assert_snapshot!(wait.question.unwrap(), @"`1/work[0]/run` was interrupted 5 times in a row: each time the process that drove the run ended while the node was running (a crash, too little memory, a kill). It may or may not have done its work. Did it happen, and with what result, or should it run again?");
    let delays = delays(&host.events("r1"));
    let [None, Some(second), Some(third), Some(fourth), None] = delays[..] else { panic!("{delays:?}") };
    // Each between a half of its maximum and its maximum.
    assert!((2_500..=5_000).contains(&second), "{delays:?}");
    assert!((5_000..=10_000).contains(&third), "{delays:?}");
    assert!((10_000..=20_000).contains(&fourth), "{delays:?}");

    // A person lets it run again, which starts counting over; then its outcome is known.
    let view = host.sim.block_on(async {
        let number = wait.number.unwrap();
        let _ = host.engine.handle(&id("r1")).answer(number, "rerun").await.unwrap();
        host.sim.drop_tasks();
        for _ in 0..5 {
            assert_eq!(die(&host, "r1").await, None);
        }
        let view = host.engine.drive(&id("r1")).await.unwrap();
        let number = view.wait.unwrap().number.unwrap();
        let answer = json!({ "outcome": "happened", "result": "by hand" });
        let _ = host.engine.handle(&id("r1")).answer(number, answer).await.unwrap();
        host.engine.handle(&id("r1")).wait().await.unwrap()
    });
    assert_eq!((view.status, host.deeds.calls().len()), (RunStatus::Completed, 10));
}

#[test]
fn a_failure_between_two_deaths_ends_the_row() {
    let yaml = "
workflow: { name: Deadly, stages: [work] }
work:
  provider: ann
  on_failure: retry
  with: { ann: [{ fail: transient, after: 100 }, { hang: true }] }
";
    let host = Host::new();
    host.sim.block_on(async {
        host.engine.create(host.start("r1", yaml)).await.unwrap();
        for _ in 0..4 {
            assert_eq!(die(&host, "r1").await, None);
        }
        // The attempt that fails, and the one after it.
        let calls = host.deeds.calls().len();
        let run = id("r1");
        let driven = Box::pin(host.engine.drive(&run));
        let Either::Right(_) = select(driven, host.sim.sleep_ms(60_000)).await else {
            panic!("it has ended")
        };
        assert_eq!(host.deeds.calls().len(), calls + 2, "it ran, and was tried again after the failure");
        for _ in 0..3 {
            assert_eq!(die(&host, "r1").await, None);
        }
    });
    assert!(!host.log("r1").contains("node_asked"), "{}", host.log("r1"));
}

#[test]
fn shutdowns_in_order_do_not_count_as_deaths() {
    let host = Host::new();
    host.sim.block_on(async {
        host.engine.create(host.start("r1", DEADLY)).await.unwrap();
        for _ in 0..12 {
            let engine = host.engine_over(host.store.clone());
            let stopping = Box::pin(async {
                host.sim.sleep_ms(20).await;
                engine.shutdown(Stop::Gracefully).await;
            });
            let view = futures::future::join(engine.drive(&id("r1")), stopping).await.0.unwrap();
            assert_eq!(view.status, RunStatus::Running);
        }
    });
    assert_eq!(host.deeds.calls().len(), 12);
    let log = host.log("r1");
    assert!(!log.contains("again at") && !log.contains("node_asked"), "{log}");
}

#[test]
fn the_death_of_a_process_counts_for_each_call_that_ran_in_it_by_itself() {
    let yaml = "
workflow: { name: Two, stages: [work] }
work:
  mode: parallel
  providers: [{ provider: ann }, { provider: bob }]
  with: { ann: { hang: true }, bob: [{ hang: true }] }
";
    let host = Host::new();
    let view = host.sim.block_on(async {
        host.engine.create(host.start("r1", yaml)).await.unwrap();
        loop {
            if let Some(view) = die(&host, "r1").await {
                break view;
            }
        }
    });
    assert_eq!(view.waits.len(), 2, "{}", host.log("r1"));
    assert!(host.deeds.calls().len() <= 10, "{}", host.calls());
}
