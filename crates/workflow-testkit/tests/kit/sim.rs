//! The simulated world, and several processes in it.

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use workflow_core::status::RunStatus;
use workflow_core::store::{MemoryStore, RunStore, StoreError};
use workflow_exec::{Clock, Spawn, Timer};
use workflow_testkit::sim::Sim;
use workflow_testkit::store::runs::{at, create_free, events, id, numbers, succeeded};

/// Three processes claim runs, append an event a second, and renew; one of them sleeps too long.
fn play(seed: u64) -> Vec<String> {
    let sim = Sim::seeded(seed);
    let clock = sim.clone();
    let store = MemoryStore::with_leases(Duration::from_secs(10), move || clock.now());
    for n in 0..6 {
        create_free(&store, &format!("r{n}"), RunStatus::Pending);
    }
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    for process in 0..3 {
        let (sim, log, store) = (sim.clone(), Arc::clone(&log), store.another_process());
        sim.clone().spawn(Box::pin(async move {
            let say = |what: String| log.lock().unwrap().push(format!("{process} {what}"));
            let mut held = Vec::new();
            for round in 0..40 {
                let nap = if process == 0 && round == 5 { 30 } else { 1 };
                sim.sleep(Duration::from_secs(nap)).await;
                if let Err(error) = store.renew().await {
                    assert!(matches!(error, StoreError::Expired));
                    say("has lost all".to_owned());
                }
                let new = store.claim_next(1, at(0)).await.unwrap();
                for lease in &new {
                    say(format!("has {}", lease.run));
                }
                held.extend(new);
                let mut kept = Vec::new();
                for lease in held {
                    let last = store.events(&lease.run, 0, 999).await.unwrap().len() as u64;
                    match store.append(&lease, last, &[succeeded(last + 1)].into(), None).await {
                        Ok(_) => kept.push(lease),
                        Err(error) => {
                            assert!(matches!(error, StoreError::Fenced(_)), "{error}");
                            say(format!("is fenced off {}", lease.run));
                        }
                    }
                }
                held = kept;
            }
        }));
    }
    sim.block_on(sim.sleep(Duration::from_secs(200)));
    for n in 0..6 {
        let all = numbers(&events(&store, &id(&format!("r{n}"))));
        assert_eq!(all, (1..=all.len() as u64).collect::<Vec<_>>());
        assert!(all.len() > 10);
    }
    let log = log.lock().unwrap().clone();
    assert!(log.contains(&"0 has lost all".to_owned()));
    assert!(log.iter().any(|line| line.starts_with("0 is fenced off")));
    log
}

#[test]
fn processes_take_over_from_one_that_slept_too_long() {
    let logs: Vec<_> = (0..8).map(play).collect();
    assert!(logs.iter().any(|log| *log != logs[0]), "the seed decides who goes first");
}

#[test]
fn the_same_seed_is_the_same_world() {
    assert_eq!(play(3), play(3));
}

/// The message with which a stuck world fails its test.
fn stuck(sim: &Sim, future: impl Future) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| drop(sim.block_on(future)))).unwrap_err();
    panic.downcast_ref::<String>().unwrap().clone()
}

/// Sleeps forever, an hour at a time, with another timer set all the while.
async fn hours(sim: Sim) {
    let _other = sim.sleep(Duration::from_secs(30 * 24 * 3_600));
    loop {
        sim.sleep(Duration::from_secs(3_600)).await;
    }
}

#[test]
fn a_world_that_is_stuck_fails_the_test_and_does_not_end_the_process() {
    let sim = Sim::new();
    sim.spawn(Box::pin(hours(sim.clone())));
    let message = stuck(&sim, hours(sim.clone()));
    assert!(message.contains("not ready after 86400s"), "{message}");
    assert!(message.contains("tasks: 1; timers: 2026-01-03T04:04:05Z, "), "{message}");
    let message = stuck(&Sim::new(), pending::<()>());
    assert!(message.contains("nothing is ready, and no timer is set; tasks: 0; timers: none"), "{message}");
}

#[test]
fn the_limits_of_a_world_can_be_set() {
    let week = Duration::from_secs(7 * 24 * 3_600);
    let sim = Sim::new().with_time_limit(week);
    sim.block_on(sim.sleep(week));
    let message = stuck(&sim, sim.sleep_ms(1));
    assert!(message.contains("not ready after 604800s"), "{message}");
    // Busy forever, while no time passes.
    let sim = Sim::new().with_poll_limit(1_000);
    let message = stuck(&sim, async {
        loop {
            sim.sleep(Duration::ZERO).await;
        }
    });
    assert!(message.contains("1000 polls and no time has passed"), "{message}");
}
