//! The effect of each feature of a workflow, as the log of one small run.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use workflow_core::bundle::Bundle;
use workflow_core::event::{Event, EventBody};
use workflow_core::store::MemoryStore;
use workflow_core::view::RunView;
use workflow_tests::scenario::{self, Scenario};
use workflow_tests::scripted::{Call, Deeds};
use workflow_tests::sim::Sim;
use workflow_tests::{log, rules};

/// Plays a scenario in its own world: its events, its final state, and its calls.
fn play(scenario: &Scenario, sim: &Sim) -> (Vec<Event>, RunView, Vec<Call>) {
    scenario.rewind();
    let (deeds, store) = (Deeds::new(sim), MemoryStore::new());
    let engine = scenario.engine(sim, &deeds, store.clone());
    sim.block_on(async {
        let run = scenario.create(sim, &engine).await;
        let view = scenario.play(sim, &engine, &run).await.unwrap();
        let events = scenario::events(&store, &run).await;
        let plan = scenario.plan(&engine).await;
        rules::check(plan.bundle(), &events);
        check_children(&store, plan.bundle(), &events).await;
        (events, view, deeds.calls())
    })
}

/// Checks the logs of the runs that nodes have started: each is linked to its node, and has ended.
fn check_children<'a>(store: &'a MemoryStore, bundle: &'a Bundle, events: &'a [Event]) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        let parent = match &events[0].body {
            EventBody::RunCreated(created) => &created.run,
            other => panic!("a log begins with {other:?}"),
        };
        for event in events {
            let EventBody::ChildStarted(child) = &event.body else { continue };
            let log = scenario::events(store, &child.run).await;
            if log.is_empty() {
                continue;
            }
            let EventBody::RunCreated(created) = &log[0].body else { panic!("a run begins so") };
            let link = created.parent.as_deref().unwrap();
            assert_eq!((&link.run, &link.path, link.attempt), (parent, &child.path, child.attempt));
            let of_child = &bundle.workflows[&child.workflow];
            rules::check(of_child, &log);
            assert!(log.last().unwrap().body.is_terminal(), "{} has ended", child.run);
            check_children(store, of_child, &log).await;
        }
    })
}

fn log_of(name: &str) -> String {
    let (events, view, calls) = play(&Scenario::named(name), &Sim::new());
    log::show(&events, &view, &calls)
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
    after
    all
    all_with_a_failure
    branch
    branch_arms_of_two
    branch_takes_none
    cancel
    child
    child_budget
    child_cancel
    child_continues
    child_each
    child_fails
    child_fails_beside
    child_kill
    child_loop
    child_nested
    child_pause
    child_retries
    child_waits
    committee
    continues
    end_node
    end_node_fails
    end_when
    exhausted
    exhausted_completes
    export_beyond_repair
    export_repaired
    export_violated
    exports
    failed_in_the_queue
    failed_last_stage
    failed_output
    finally_after_cancel
    finally_after_failure
    finally_after_success
    finally_budget
    finally_fails
    finally_kill
    finally_loop
    finally_timeout
    foreach_bodies
    foreach_cancel
    foreach_continues
    foreach_continues_nested
    foreach_empty
    foreach_graph
    foreach_graph_fails
    foreach_graph_parallel
    foreach_graph_pause_and_resume
    foreach_graph_retries
    foreach_graph_waits
    foreach_nested
    foreach_over_a_node
    foreach_over_no_list
    foreach_parallel
    foreach_pause_and_resume
    foreach_queue
    foreach_retries_items
    foreach_sequential
    foreach_with_a_failure
    foreach_with_a_retry
    foreach_with_skipped_items
    graph_cancel
    graph_chain
    graph_concurrency
    graph_concurrency_and_pause
    graph_continues
    graph_diamond
    graph_failure
    graph_in_a_loop
    graph_pause_and_resume
    graph_queue
    graph_rate_limit
    graph_retry
    graph_timeout
    graph_unknown_provider
    idle_timeout
    join_any
    join_any_of_none
    join_any_pause
    kill
    lanes_all
    lanes_all_with_a_failure
    lanes_majority
    lanes_race
    lanes_race_set
    lanes_sequential
    lanes_sequential_without_calls
    lanes_unknown_role
    loop_cancel
    loop_concurrency
    loop_continues
    loop_exhausted
    loop_exhausted_completes
    loop_fails
    loop_fix
    loop_in_finally
    loop_in_finally_timeout
    loop_pause_and_resume
    loop_repeats
    loop_waits
    loop_with_fallback
    majority
    majority_lost
    min_iterations
    node_continues
    node_refused_continues
    node_retries
    node_set
    node_set_fails
    node_when
    out_names
    output
    output_fails
    pause_and_resume
    pause_during_a_retry
    prompt_template
    queue
    race
    race_lost
    rate_limit
    recommended_stage
    reduce
    reduce_fails
    reduce_summarize
    repair
    repair_and_retry
    repair_in_a_stage
    retry
    retry_in_vain
    sequential
    sequential_failure
    set
    set_node
    set_node_fails
    signal
    signal_cancel
    signal_each
    signal_last
    signal_pause
    signal_set_fails
    signal_timeout
    skipped_by_when
    stop
    timeout
    wait_cancel
    wait_each
    wait_fails
    wait_fails_beside
    wait_for
    wait_long
    wait_pause
}

#[test]
fn the_order_of_what_happens_at_once_changes_no_outcome() {
    for scenario in Scenario::all() {
        let (_, expected, _) = play(&scenario, &Sim::new());
        for seed in 0..20 {
            let (events, view, _) = play(&scenario, &Sim::seeded(seed));
            assert_eq!((view.status, view.failed_stages), (expected.status, expected.failed_stages.clone()));
            for (id, stage) in &expected.context.stages {
                assert_eq!(view.context.stages[id].output, stage.output, "{}: {id}", scenario.name);
            }
            let (again, ..) = play(&scenario, &Sim::seeded(seed));
            assert_eq!(events, again, "{}: the same seed gives the same log", scenario.name);
        }
    }
}
