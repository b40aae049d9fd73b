//! Stores that are unavailable for a while, processes that are suspended, and clocks that jump: in a world
//! whose leases are valid for thirty seconds.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::future::{Either, join, select};
use jiff::{SignedDuration, Timestamp};
use workflow_core::output::OutputKind;
use workflow_core::status::RunStatus;
use workflow_core::stop::Stop;
use workflow_core::store::{Control, MemoryStore, RunStore as _, StoreError};
use workflow_core::view::RunView;
use workflow_exec::{Clock as _, EngineError, Timer as _, WorkOptions};
use workflow_testkit::fault::WriteKind;
use workflow_tests::faulty::{Fault, Faulty};
use workflow_tests::sim::Sim;
use workflow_tests::{log, scenario};

use crate::host::{Host, id};

const LEASE: Duration = Duration::from_secs(30);

/// `ann` is done after a second, and `bob` after twenty.
const LANES: &str = "
workflow: { name: Two lanes, stages: [write] }
write:
  providers: [{ provider: ann }, { provider: bob }]
  mode: parallel
  with: { ann: { after: 1000 }, bob: { after: 20000 } }
";

/// A host whose store is unavailable from time to time.
struct World {
    host: Host,
    memory: MemoryStore,
    /// How far the clock of the store is ahead, in milliseconds.
    ahead: Arc<AtomicI64>,
}

/// Milliseconds since the world began.
fn elapsed(now: Timestamp, start: Timestamp) -> i64 {
    now.as_millisecond() - start.as_millisecond()
}

impl World {
    /// Every write fails while it is `away`, and every read of a log during `unreadable`.
    fn with(
        lease: Option<Duration>,
        away: impl Fn(i64) -> bool + Send + Sync + 'static,
        unreadable: Range<i64>,
    ) -> Self {
        let sim = Sim::new();
        let (ahead, start) = (Arc::<AtomicI64>::default(), sim.now());
        let memory = match lease {
            Some(lease) => {
                let (clock, by) = (sim.clone(), ahead.clone());
                MemoryStore::with_leases(lease, move || {
                    clock.now() + SignedDuration::from_millis(by.load(Ordering::SeqCst))
                })
            }
            None => MemoryStore::new(),
        };
        let (clock, reads, range) = (sim.clone(), sim.clone(), unreadable);
        let script = move |_| {
            if away(elapsed(clock.now(), start)) { Fault::Lose } else { Fault::None }
        };
        let store = Faulty::scripted(&memory, script);
        let store = store.unreadable(move |_| range.contains(&elapsed(reads.now(), start)));
        let host = Host::in_world(sim, |builder| builder.store(store));
        Self { host, memory, ahead }
    }

    fn leased(away: Range<i64>) -> Self {
        let range = away.clone();
        Self::with(Some(LEASE), move |at| range.contains(&at), away)
    }

    /// Sets the clock of the store forward after this many milliseconds, as after a suspension.
    async fn jump_after(&self, ms: u64) {
        self.host.sim.sleep_ms(ms).await;
        self.ahead.store(24 * 60 * 60 * 1_000, Ordering::SeqCst);
    }

    fn run(&self, yaml: &str) -> Result<RunView, EngineError> {
        self.host.sim.block_on(self.host.engine.run(self.host.start("r1", yaml)))
    }

    fn log(&self) -> String {
        log::show_events(&self.host.sim.block_on(scenario::events(&self.memory, &id("r1"))))
    }

    fn calls(&self) -> String {
        self.host.calls()
    }
}

#[test]
fn an_outage_shorter_than_the_lease_costs_nothing() {
    let world = World::leased(900..15_000);
    assert_eq!(world.run(LANES).unwrap().status, RunStatus::Completed);
    insta::assert_snapshot!(world.calls(), @r"
    1/write[0] #1 ann 0–1000 replied
    1/write[1] #1 bob 0–20000 replied
    ");
    insta::assert_snapshot!(world.log(), @r#"
        0  run_created        test
        0  run_started
        0  stage_started      1/write
        0  attempt_started    1/write[0] #1 ann
        0  attempt_started    1/write[1] #1 bob
     1000  attempt_succeeded  1/write[0] #1 "ann()"
    20000  attempt_succeeded  1/write[1] #1 "bob()"
    20000  stage_completed    1/write, output of all lanes
    20000  run_completed
    "#);
}

#[test]
fn a_store_that_is_locked_for_nearly_as_long_as_a_lease_is_good_costs_nothing() {
    // From just before the first renewal.
    let world = World::leased(5_900..26_000);
    assert_eq!(world.run(LANES).unwrap().status, RunStatus::Completed);
    insta::assert_snapshot!(world.calls(), @r"
    1/write[0] #1 ann 0–1000 replied
    1/write[1] #1 bob 0–20000 replied
    ");
}

#[test]
fn after_an_outage_longer_than_the_lease_an_unclaimed_run_continues_with_what_was_done() {
    let world = World::leased(900..60_000);
    let yaml = LANES.replace("20000", "50000");
    assert_eq!(world.run(&yaml).unwrap().status, RunStatus::Completed);
    // `bob` was stopped before another process could have repeated it; `ann` was done.
    insta::assert_snapshot!(world.calls(), @r"
    1/write[0] #1 ann 0–1000 replied
    1/write[1] #1 bob 0–27600 stopped
    1/write[1] #2 bob 60150–110150 replied
    ");
    insta::assert_snapshot!(world.log(), @r#"
         0  run_created        test
         0  run_started
         0  stage_started      1/write
         0  attempt_started    1/write[0] #1 ann
         0  attempt_started    1/write[1] #1 bob
      1000  attempt_succeeded  1/write[0] #1 "ann()"
     60150  attempt_interrupted 1/write[1] #1
     60150  attempt_started    1/write[1] #2 bob
    110150  attempt_succeeded  1/write[1] #2 "bob()"
    110150  stage_completed    1/write, output of all lanes
    110150  run_completed
    "#);
}

#[test]
fn a_call_that_was_to_start_when_the_lease_was_lost_is_stopped_in_the_next_outage_too() {
    let yaml = "
workflow: { name: Two stages, stages: [plan, code] }
plan: { provider: ann, with: { ann: { after: 1000 } } }
code: { provider: bob, with: { bob: { after: 60000 } } }
";
    // The start of `code` is stored after the first outage. In the second one another process may repeat it.
    let world =
        World::with(Some(LEASE), |at| at < 84_000 && !(40_000..42_000).contains(&at) && at > 900, 0..0);
    assert_eq!(world.run(yaml).unwrap().status, RunStatus::Completed);
    insta::assert_snapshot!(world.calls(), @r"
    1/plan[0] #1 ann 0–1000 replied
    1/code[0] #1 bob 40150–68700 stopped
    1/code[0] #2 bob 84250–144250 replied
    ");
}

#[test]
fn a_call_that_was_recorded_in_an_outage_is_made_after_it_and_no_person_is_asked() {
    // The call of the first stage ends in an outage, which ends shortly before the lease does.
    let world = World::leased(1_000..28_500);
    let yaml = "
workflow: { name: Two, stages: [read, pay] }
read: { provider: ann, with: { ann: { after: 6000 } } }
pay: { provider: bob, on_interrupt: ask, with: { bob: { after: 1000 } } }
";
    assert_eq!(world.run(yaml).unwrap().status, RunStatus::Completed);
    insta::assert_snapshot!(world.calls(), @r"
    1/read[0] #1 ann 0–6000 replied
    1/pay[0] #1 bob 29150–30150 replied
    ");
    assert!(!world.log().contains("interrupted"), "{}", world.log());
}

#[test]
fn without_leases_calls_continue_for_as_long_as_the_engine_is_patient() {
    let world = World::with(None, |at| (900..400_000).contains(&at), 900..400_000);
    assert_eq!(world.run(LANES).unwrap().status, RunStatus::Completed);
    insta::assert_snapshot!(world.calls(), @r"
    1/write[0] #1 ann 0–1000 replied
    1/write[1] #1 bob 0–20000 replied
    ");
}

#[test]
fn a_run_is_read_as_soon_as_the_store_can_be_read() {
    let world = World::with(Some(LEASE), |_| false, 10..8_000);
    let engine = &world.host.engine;
    let view = world.host.sim.block_on(async {
        engine.create(world.host.start("r1", LANES)).await.unwrap();
        world.host.sim.sleep_ms(20).await;
        engine.drive(&id("r1")).await.unwrap()
    });
    assert_eq!(view.status, RunStatus::Completed);
    insta::assert_snapshot!(world.calls(), @r"
    1/write[0] #1 ann 8570–9570 replied
    1/write[1] #1 bob 8570–28570 replied
    ");
}

#[test]
fn a_run_whose_lease_expired_and_that_was_not_claimed_continues_its_calls() {
    let world = World::leased(0..0);
    let (view, ()) = world.host.sim.block_on(join(
        world.host.engine.run(world.host.start("r1", LANES)),
        // Between two renewals, and before `bob` is done.
        world.jump_after(3_000),
    ));
    assert_eq!(view.unwrap().status, RunStatus::Completed);
    insta::assert_snapshot!(world.calls(), @r"
    1/write[0] #1 ann 0–1000 replied
    1/write[1] #1 bob 0–20000 replied
    ");
}

#[test]
fn a_worker_whose_leases_expired_continues_the_calls_of_unclaimed_runs() {
    // Whichever notices it first: the heartbeat, an append, or the worker that looks for runs.
    for jump in [500, 950, 3_000, 5_990, 19_990] {
        let world = World::leased(0..0);
        let engine = &world.host.engine;
        world.host.sim.block_on(async {
            engine.create(world.host.start("r1", LANES)).await.unwrap();
            let worker = engine.work(WorkOptions::default());
            let ended = async {
                world.jump_after(jump).await;
                while !engine.handle(&id("r1")).status().await.unwrap().is_terminal() {
                    world.host.sim.sleep_ms(100).await;
                }
                engine.shutdown(Stop::Gracefully).await;
            };
            join(worker, ended).await.0.unwrap();
        });
        let calls = world.host.deeds.calls();
        assert_eq!(calls.len(), 2, "jump after {jump} ms:\n{}", world.calls());
        assert!(!world.log().contains("interrupted"), "jump after {jump} ms:\n{}", world.log());
    }
}

#[test]
fn a_run_that_was_taken_over_is_left_at_once_and_it_is_said_by_whom() {
    let world = World::leased(0..0);
    let other = world.memory.another_process();
    let (ended, ()) =
        world.host.sim.block_on(join(world.host.engine.run(world.host.start("r1", LANES)), async {
            world.jump_after(3_000).await;
            other.claim(&id("r1")).await.unwrap();
        }));
    let error = ended.unwrap_err();
    assert!(matches!(error, EngineError::TakenOver { .. }), "{error:?}");
    insta::assert_snapshot!(error, @r"run `r1` was taken over by process 2 of this store while this process was suspended or cut off from the store");
    insta::assert_snapshot!(world.calls(), @r"
    1/write[0] #1 ann 0–1000 replied
    1/write[1] #1 bob 0–6000 stopped
    ");
}

#[test]
fn a_run_that_another_process_took_and_ended_is_returned_as_it_ended() {
    let world = World::leased(0..0);
    let other = world.host.engine_over(world.memory.another_process());
    let (view, ()) = world.host.sim.block_on(join(
        world.host.engine.run(world.host.start("r1", &LANES.replace("1000", "9000"))),
        async {
            world.jump_after(100).await;
            let _ = other.handle(&id("r1")).cancel().await.unwrap();
        },
    ));
    assert_eq!(view.unwrap().status, RunStatus::Cancelled);
    insta::assert_snapshot!(world.calls(), @r"
    1/write[0] #1 ann 0–100 stopped
    1/write[1] #1 bob 0–100 stopped
    ");
    insta::assert_snapshot!(world.log(), @r"
      0  run_created        test
      0  run_started
      0  stage_started      1/write
      0  attempt_started    1/write[0] #1 ann
      0  attempt_started    1/write[1] #1 bob
    100  attempt_interrupted 1/write[0] #1
    100  attempt_interrupted 1/write[1] #1
    100  cancel_requested
    100  run_cancelled
    ");
}

#[test]
fn output_of_an_outage_is_stored_after_it() {
    let world = World::leased(2_000..12_000);
    let yaml = "
workflow: { name: Talks, stages: [talk] }
talk: { provider: ann, with: { ann: { say: 15, every: 1000 } } }
";
    world.run(yaml).unwrap();
    let entries = world.host.sim.block_on(world.memory.output(&id("r1"), 0, 100)).unwrap();
    assert_eq!(entries.len(), 15, "{entries:#?}");
    assert!(entries.iter().all(|entry| entry.kind != OutputKind::Dropped), "{entries:#?}");
    assert!(entries.iter().zip(1..).all(|(entry, number)| entry.number == number), "{entries:#?}");
}

#[test]
fn a_shutdown_does_not_wait_for_a_store_that_is_away() {
    let world = World::leased(900..25_000);
    let engine = &world.host.engine;
    let sim = &world.host.sim;
    let (ended, at) = sim.block_on(join(engine.run(world.host.start("r1", LANES)), async {
        sim.sleep_ms(5_000).await;
        let asked = sim.now();
        engine.shutdown(Stop::Gracefully).await;
        elapsed(sim.now(), asked)
    }));
    assert!(matches!(ended, Err(EngineError::Store(StoreError::Io { .. }))), "{ended:?}");
    // The last output is dropped, and not waited for.
    assert!(at < 5_000, "after {at} ms");
    insta::assert_snapshot!(world.calls(), @r"
    1/write[0] #1 ann 0–1000 replied
    1/write[1] #1 bob 0–5000 stopped
    ");
}

#[test]
fn a_worker_that_starts_while_the_store_is_away_waits_for_it() {
    let world = World::leased(10..30_000);
    let engine = &world.host.engine;
    world.host.sim.block_on(async {
        engine.create(world.host.start("r1", LANES)).await.unwrap();
        world.host.sim.sleep_ms(20).await;
        let driven = async {
            while !world.memory.get(&id("r1")).await.unwrap().head.status.is_terminal() {
                world.host.sim.sleep_ms(100).await;
            }
            engine.shutdown(Stop::Gracefully).await;
        };
        join(engine.work(WorkOptions::default()), driven).await.0.unwrap();
    });
    assert_eq!(world.host.deeds.calls().len(), 2);
}

#[test]
fn control_requests_in_an_answer_that_the_driver_did_not_wait_for_have_an_effect() {
    for seed in 0..8 {
        let sim = Sim::new();
        let clock = sim.clone();
        let memory = MemoryStore::with_leases(LEASE, move || clock.now());
        let host = Host::in_world(sim.clone(), |builder| builder.store(memory.clone()));
        // A process dies in the middle of both calls.
        let died = sim.block_on(select(
            Box::pin(host.engine.run(host.start("r1", LANES))),
            Box::pin(sim.sleep_ms(500)),
        ));
        assert!(matches!(died, Either::Right(_)));
        drop(died);
        sim.block_on(sim.sleep(LEASE));
        let (run, start) = (id("r1"), sim.now());
        let late = move |now| elapsed(now, start) < 28_000;
        // The next process asks whether its lease is valid. Before it has the answer, that lease seems to expire,
        // because no renewal reaches the store.
        let (clock, timer) = (sim.clone(), sim.clone());
        let store = Faulty::scripted(&memory.another_process(), move |write| match write.kind {
            WriteKind::Append if write.of_its_kind == 1 => Fault::Delay(LEASE * 2),
            WriteKind::Renew if late(clock.now()) => Fault::Lose,
            _ => Fault::None,
        });
        let store = store.seed(seed).timer(move |time| workflow_exec::Timer::sleep(&timer, time));
        let next = host.engine_over(store);
        let request = async |control: Control| memory.request(&run, control.into()).await.unwrap();
        let (view, _) = sim.block_on(join(
            async {
                request(Control::Cancel).await;
                next.drive(&run).await
            },
            async {
                sim.sleep_ms(25_000).await;
                request(Control::Pause).await
            },
        ));
        assert_eq!(view.unwrap().status, RunStatus::Cancelled, "seed {seed}");
    }
}
