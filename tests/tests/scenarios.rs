//! What each feature of a workflow does, as the log of one small run.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use workflow_store::MemoryStore;
use workflow_tests::scenario::{self, Scenario};
use workflow_tests::scripted::Deeds;
use workflow_tests::sim::Sim;
use workflow_tests::{log, rules};

fn log_of(name: &str) -> String {
    let scenario = Scenario::named(name);
    let (sim, store) = (Sim::new(), MemoryStore::new());
    let deeds = Deeds::new(&sim);
    let engine = scenario.engine(&sim, &deeds, store.clone());
    sim.block_on(async {
        let run = scenario.create(&sim, &engine).await;
        let view = scenario.play(&sim, &engine, &run).await.unwrap();
        let events = scenario::events(&store, &run).await;
        rules::check(engine.parse(&scenario.yaml, name).unwrap().workflow(), &events);
        log::show(&events, &view, &deeds.calls())
    })
}

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                let log = log_of(stringify!($name));
                insta::assert_snapshot!(log);
            }
        )*

        #[test]
        fn every_scenario_is_played() {
            let files: BTreeSet<_> = Scenario::all().into_iter().map(|scenario| scenario.name).collect();
            let played = BTreeSet::from([$(stringify!($name).to_owned()),*]);
            assert_eq!(files, played);
        }
    };
}

scenarios! {
    all
    all_with_a_failure
    cancel
    continues
    exhausted
    exhausted_completes
    idle_timeout
    kill
    loop_with_fallback
    majority
    majority_lost
    min_iterations
    pause_and_resume
    pause_during_a_retry
    queue
    race
    race_lost
    rate_limit
    recommended_stage
    retry
    retry_in_vain
    sequential
    sequential_failure
    set
    skipped_by_when
    stop
    timeout
}
