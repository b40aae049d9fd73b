//! Starting runs, once, and in parallel.

use futures::future::join_all;
use jiff::Timestamp;
use workflow_core::definition::OnFailure;
use workflow_core::status::RunStatus;
use workflow_core::store::{RunFilter, RunStore as _, StoreError};
use workflow_exec::{Clock, EngineError, StartRun};

use crate::host::{Host, id};

const TWO_STAGES: &str = r#"
workflow: { name: Two stages, stages: [plan, code] }
plan: { provider: ann, prompt: "plan ${vars.n:-none}", set: { plan: "${output}" } }
code: { provider: bob, prompt: "${vars.plan}" }
"#;

#[test]
fn starting_twice_with_the_same_id_and_inputs_gives_the_same_run() {
    let host = Host::new();
    host.sim.block_on(async {
        let start = || host.start("r1", TWO_STAGES).var("n", 1);
        host.engine.start(start()).await.unwrap();
        host.sim.sleep_ms(5).await;
        host.engine.start(start()).await.unwrap();
        host.engine.create(start()).await.unwrap();
        assert_eq!(host.engine.handle(&id("r1")).wait().await.unwrap().status, RunStatus::Completed);
        let view = host.engine.run(start()).await.unwrap();
        assert_eq!((view.run_id, view.status), (id("r1"), RunStatus::Completed));
        assert_eq!(host.store.list(&RunFilter::all()).await.unwrap().len(), 1);
    });
    assert_eq!(host.deeds.calls().len(), 2);
}

#[test]
fn the_id_of_a_run_with_other_inputs_is_taken() {
    let host = Host::new();
    host.sim.block_on(async {
        let start = || host.start("r1", TWO_STAGES).var("n", 1);
        host.engine.create(start()).await.unwrap();
        let others = [
            start().var("n", 2),
            start().var("m", 1),
            start().on_failure(OnFailure::Continue),
            host.start("r1", &TWO_STAGES.replace("bob", "cid")).var("n", 1),
        ];
        for other in others {
            let error = host.engine.create(other).await.err().unwrap();
            assert!(matches!(&error, EngineError::OtherInputs(run) if *run == id("r1")), "{error}");
        }
        assert_eq!(host.engine.drive(&id("r1")).await.unwrap().status, RunStatus::Completed);
    });
}

#[test]
fn runs_without_an_id_get_one_each() {
    let host = Host::new();
    let plan = host.engine.parse(TWO_STAGES, "test").unwrap();
    let start = || StartRun::plan(&plan);
    let runs = host.sim.block_on(async {
        let (first, second) = (host.engine.run(start()).await, host.engine.run(start()).await);
        [first.unwrap().run_id, second.unwrap().run_id]
    });
    assert_ne!(runs[0], runs[1]);
}

#[test]
fn a_second_driver_is_told_that_the_run_is_driven_elsewhere() {
    let host = Host::new();
    let other = host.engine_over(host.store.clone());
    host.sim.block_on(async {
        let run = host.engine.start(host.start("r1", TWO_STAGES)).await.unwrap();
        host.sim.sleep_ms(5).await;
        for engine in [&host.engine, &other] {
            let error = engine.drive(run.id()).await.unwrap_err();
            assert!(matches!(error, EngineError::Store(StoreError::Held { .. })), "{error}");
            assert!(engine.unfinished().await.unwrap().is_empty(), "it needs no other process");
        }
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Completed);
    });
    assert_eq!(host.deeds.calls().len(), 2);
}

#[test]
fn concurrent_runs_do_not_interfere() {
    for seed in 0..5 {
        let host = Host::seeded(seed);
        let runs = (0..40).map(|n| host.engine.run(host.start(&format!("r{n}"), TWO_STAGES).var("n", n)));
        let views = host.sim.block_on(join_all(runs));
        for (n, view) in views.into_iter().enumerate() {
            let view = view.unwrap();
            let output = view.context.stages["code"].output.as_ref().unwrap().value();
            assert_eq!(output, format!("bob(ann(plan {n}))"));
            assert_eq!(view.status, RunStatus::Completed);
        }
    }
}

/// A clock that was never set.
struct BeforeTheEpoch;

impl Clock for BeforeTheEpoch {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(-1_000_000).unwrap()
    }
}

#[test]
fn a_run_gets_an_id_when_the_clock_shows_a_time_before_1970() {
    let host = Host::with(|builder| builder.clock(BeforeTheEpoch));
    let start = || StartRun::plan(&host.engine.parse(TWO_STAGES, "test").unwrap());
    let ids: Vec<_> = (0..2)
        .map(|_| host.sim.block_on(host.engine.run(start())).unwrap())
        .map(|view| (view.status, view.run_id))
        .collect();
    assert_eq!([ids[0].0, ids[1].0], [RunStatus::Completed; 2]);
    assert_ne!(ids[0].1, ids[1].1);
}
