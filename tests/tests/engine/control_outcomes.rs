//! The sender of a control request learns its outcome.

use std::sync::Barrier;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::join;
use jiff::Timestamp;
use workflow_core::provider::Reply;
use workflow_core::status::RunStatus;
use workflow_core::store::{MemoryStore, RunStore};
use workflow_core::view::RunView;
use workflow_exec::{ControlOutcome, ControlRefusal, Engine, RunHandle, StartRun};
use workflow_providers::FunctionProvider;
use workflow_store::{PostgresOptions, SqliteStore};
use workflow_testkit::postgres::SharedServer;

use crate::host::{Host, id};

const ASKS: &str = "
workflow: { name: Asks, stages: [ship] }
ship: { provider: ann, approval: Ship? }
";

const LONG: &str = "
workflow: { name: Long, stages: [plan] }
plan: { provider: ann, with: { ann: { after: 10000 } } }
";

fn done(outcome: ControlOutcome) -> RunView {
    outcome.accepted().unwrap().unwrap()
}

/// Drives a run until it has a question, and returns the number of the question.
async fn until_it_asks(engine: &Engine, host: &Host, run: &str) -> (RunHandle, u64) {
    let view = engine.run(host.start(run, ASKS)).await.unwrap();
    (engine.handle(&view.run_id), view.wait.unwrap().number.unwrap())
}

#[test]
fn requests_to_a_run_that_no_process_drives_are_decided_at_once() {
    let host = Host::new();
    host.sim.block_on(async {
        let run = host.engine.create(host.start("r1", LONG)).await.unwrap();
        assert_eq!(done(run.pause().await.unwrap()).status, RunStatus::Paused);
        // A second pause changes nothing, and succeeds.
        assert_eq!(done(run.pause().await.unwrap()).status, RunStatus::Paused);
        assert_eq!(done(run.resume().await.unwrap()).status, RunStatus::Running);
        // The background driver applies the next ones.
        host.sim.sleep_ms(10).await;
        assert_eq!(done(run.pause().await.unwrap()).requested.as_deref(), Some("pause"));
        assert_eq!(done(run.resume().await.unwrap()).requested, None);
        assert_eq!(done(run.cancel().await.unwrap()).requested.as_deref(), Some("cancel"));
        assert_eq!(run.pause().await.unwrap().refusal(), Some(ControlRefusal::Cancelling));
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Cancelled);
        assert_eq!(run.cancel().await.unwrap().refusal(), Some(ControlRefusal::Ended));
    });
}

#[test]
fn answers_that_do_not_count_say_why() {
    let host = Host::new();
    host.sim.block_on(async {
        let (run, number) = until_it_asks(&host.engine, &host, "r1").await;
        let wrong = run.answer(number, "perhaps").await.unwrap().accepted().unwrap_err();
        assert_eq!(wrong.code, ControlRefusal::InvalidAnswer);
        insta::assert_snapshot!(wrong, @"write true or false, or an object with `approved` and `comment`");
        assert_eq!(run.answer(99, true).await.unwrap().refusal(), Some(ControlRefusal::NoSuchQuestion));
        assert_eq!(done(run.answer(number, true).await.unwrap()).status, RunStatus::Running);
        let late = run.answer(number, true).await.unwrap().accepted().unwrap_err();
        assert_eq!(late.code, ControlRefusal::AlreadyAnswered);
        assert_eq!(late.to_string(), format!("question {number} has been answered already"));
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Completed);
        assert_eq!(run.answer(number, true).await.unwrap().refusal(), Some(ControlRefusal::Ended));
    });
}

#[test]
fn a_request_to_a_run_that_another_process_drives_is_recorded_until_that_decides() {
    let host = Host::new();
    let other = host.engine_over(host.store.clone());
    host.sim.block_on(async {
        host.engine.start(host.start("r1", LONG)).await.unwrap();
        host.sim.sleep_ms(10).await;
        let run = other.handle(&id("r1"));
        let Ok(ControlOutcome::Recorded { number }) = run.pause().await else { panic!("decided elsewhere") };
        let view = done(run.settled(number, Duration::from_secs(3)).await.unwrap());
        assert_eq!((view.status, view.requested.as_deref()), (RunStatus::Running, Some("pause")));
        // The outcome is known later too, and to other processes.
        done(host.engine.handle(&id("r1")).settled(number, Duration::ZERO).await.unwrap());
    });
}

#[test]
fn a_request_that_the_driver_does_not_decide_on_stays_recorded() {
    let host = Host::new();
    let other = host.engine_over(host.store.clone());
    host.sim.block_on(async {
        let run = other.create(host.start("r1", LONG)).await.unwrap();
        let lease = host.store.claim(&id("r1")).await.unwrap();
        let Ok(ControlOutcome::Recorded { number }) = run.cancel().await else {
            panic!("no process decides")
        };
        let outcome = run.settled(number, Duration::from_secs(3)).await.unwrap();
        assert_eq!(outcome, ControlOutcome::Recorded { number });
        // Its driver ended without reading it: the waiting sender applies it.
        let leave = async {
            host.sim.sleep_ms(500).await;
            host.store.release(lease).await.unwrap();
        };
        let (outcome, ()) = join(run.settled(number, Duration::from_secs(3)), leave).await;
        assert_eq!(done(outcome.unwrap()).status, RunStatus::Cancelled);
    });
}

/// Two processes answer one question at the same time, and differently.
fn one_of_two_answers_is_taken(stores: [Box<dyn RunStore>; 2]) {
    let echo = || FunctionProvider::from_fn(|_| Ok(Reply::text("shipped")));
    let engines = stores.map(|store| Engine::builder().store(store).provider("ann", echo()).build().unwrap());
    let plan = engines[0].parse(ASKS, "asks").unwrap();
    let number = block_on(async {
        let view = engines[0].run(StartRun::plan(&plan).run_id(id("r1"))).await.unwrap();
        view.wait.unwrap().number.unwrap()
    });
    let barrier = Barrier::new(2);
    let say = |engine: &Engine, answer: bool| {
        let run = engine.handle(&id("r1"));
        barrier.wait();
        block_on(async {
            match run.answer(number, answer).await.unwrap() {
                ControlOutcome::Recorded { number } => {
                    run.settled(number, Duration::from_secs(60)).await.unwrap()
                }
                outcome => outcome,
            }
        })
    };
    let (yes, no) = std::thread::scope(|scope| {
        let yes = scope.spawn(|| say(&engines[0], true));
        let no = scope.spawn(|| say(&engines[1], false));
        (yes.join().unwrap(), no.join().unwrap())
    });
    let expected = match [yes.refusal(), no.refusal()] {
        [None, Some(ControlRefusal::AlreadyAnswered | ControlRefusal::Ended)] => RunStatus::Completed,
        [Some(ControlRefusal::AlreadyAnswered | ControlRefusal::Ended), None] => RunStatus::Failed,
        _ => panic!("{yes:?} {no:?}"),
    };
    assert_eq!(block_on(engines[0].drive(&id("r1"))).unwrap().status, expected);
}

#[test]
fn of_two_answers_at_once_one_is_taken_in_memory() {
    for _ in 0..20 {
        let store = MemoryStore::with_leases(Duration::from_secs(60), Timestamp::now);
        one_of_two_answers_is_taken([Box::new(store.another_process()), Box::new(store.another_process())]);
    }
}

#[test]
fn of_two_answers_at_once_one_is_taken_over_sqlite() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("runs.db");
    let open = || Box::new(SqliteStore::open(&path).unwrap()) as Box<dyn RunStore>;
    one_of_two_answers_is_taken([open(), open()]);
}

#[test]
fn of_two_answers_at_once_one_is_taken_over_postgresql() {
    let server = SharedServer::join().unwrap();
    let url = std::env::var("WORKFLOW_TEST_POSTGRES_URL").unwrap_or_else(|_| server.url());
    let schema = format!("outcomes_{}", std::process::id());
    let open = || Box::new(PostgresOptions::new(&url).schema(&schema).open().unwrap()) as Box<dyn RunStore>;
    one_of_two_answers_is_taken([open(), open()]);
}
