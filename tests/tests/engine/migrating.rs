//! Runs that are migrated to a newer definition.

use futures::future::{Either, join, select};
use workflow_core::event::EventBody;
use workflow_core::ids::WorkflowId;
use workflow_core::status::RunStatus;
use workflow_core::store::{MemoryStore, RunStore, StoreError};
use workflow_core::view::RunView;
use workflow_exec::{Engine, EngineError, Migration, StartRun};
use workflow_tests::faulty::{Fault, Faulty};
use workflow_tests::scenario::Scenario;
use workflow_tests::{rules, scenario};

use crate::host::{Host, id};

/// The first stage has run, and a person is asked about the second.
const OLD: &str = "
workflow: { name: Moves, stages: [plan, ship, tell] }
plan: { provider: ann, prompt: Plan }
ship: { provider: bob, prompt: \"Ship ${stages.plan.output}\", approval: Ship? }
tell: { provider: cid, prompt: Tell }
";

/// An engine over `store`, whose catalog has another definition of the workflow.
fn engine(host: &Host, store: impl RunStore + 'static, text: &str) -> Engine {
    Scenario::new("moves", text).engine(&host.sim, &host.deeds, store)
}

/// A run that waits before its second stage.
fn before_ship(host: &Host, old: &str) {
    let start = StartRun::workflow(WorkflowId::new("moves").unwrap()).run_id(id("r1"));
    let engine = engine(host, host.store.clone(), old);
    let view = host.sim.block_on(engine.run(start)).unwrap();
    assert_eq!((view.status, view.current_stage.unwrap().as_str()), (RunStatus::Paused, "ship"));
}

/// Approves all questions of the run until it has ended.
async fn to_the_end(engine: &Engine) -> RunView {
    let handle = engine.handle(&id("r1"));
    let mut view = engine.drive(&id("r1")).await.unwrap();
    while view.status == RunStatus::Paused {
        for wait in view.waits {
            let _ = handle.answer(wait.number.unwrap(), true).await.unwrap();
        }
        view = handle.wait().await.unwrap();
    }
    view
}

/// Checks the log of the run, which begins with a bundle that may not be its last.
fn check_rules(host: &Host) {
    let events = host.events("r1");
    let EventBody::RunCreated(created) = &events[0].body else { panic!("not created") };
    let bundle = host.sim.block_on(host.store.bundle(&created.bundle)).unwrap();
    rules::check(&bundle, &events);
}

fn prompts(host: &Host) -> Vec<String> {
    host.deeds.calls().iter().map(|call| format!("{}: {}", call.provider, call.prompt)).collect()
}

/// The changes of the newer definition; reading them changes nothing.
fn plan(host: &Host, text: &str) -> Migration {
    let before = host.events("r1");
    let engine = engine(host, host.store.clone(), text);
    let planned = host.sim.block_on(engine.plan_migration(&id("r1"))).unwrap();
    assert_eq!(host.events("r1"), before);
    planned
}

#[test]
fn a_run_whose_definition_is_the_same_has_nothing_to_move_to() {
    let host = Host::new();
    before_ship(&host, OLD);
    let before = host.events("r1");
    let planned = plan(&host, OLD);
    assert_eq!((&planned.diverges, &planned.obstacles), (&Vec::new(), &Vec::new()));
    assert_eq!(planned.from, planned.to);
    let engine = engine(&host, host.store.clone(), OLD);
    assert_eq!(host.sim.block_on(engine.migrate(&id("r1"), None)).unwrap(), planned);
    assert_eq!(host.events("r1"), before, "and no event says that it was moved");
}

/// `(what changed, the newer definition, the changes shown, the prompts after it)`.
fn newer() -> Vec<(&'static str, String, Vec<&'static str>, Vec<&'static str>)> {
    let tell = "tell: { provider: cid, prompt: Tell }";
    let ship = "bob: Ship ann(Plan)";
    vec![
        (
            "a prompt of a stage to come",
            OLD.replace("prompt: Tell", "prompt: Tell all"),
            vec!["tell.prompt: changed"],
            vec![ship, "cid: Tell all"],
        ),
        (
            "the provider of a stage that has run",
            OLD.replace("plan: { provider: ann", "plan: { provider: dot"),
            vec!["plan.providers: changed"],
            vec![ship, "cid: Tell"],
        ),
        (
            "a stage to come is removed",
            OLD.replace(", tell]", "]").replace(tell, ""),
            vec!["stage `tell`: removed"],
            vec![ship],
        ),
        (
            "a stage that has run is removed",
            OLD.replace("[plan, ", "[")
                .replace("plan: { provider: ann, prompt: Plan }", "")
                .replace("Ship ${stages.plan.output}", "Ship it"),
            vec!["stage `plan`: removed", "ship.prompt: changed"],
            vec!["bob: Ship it", "cid: Tell"],
        ),
        (
            "a stage to come is renamed",
            OLD.replace("tell", "report"),
            vec!["stage `tell`: removed", "stage `report`: added"],
            vec![ship, "cid: Tell"],
        ),
        (
            "stages are in another order",
            OLD.replace("[plan, ship, tell]", "[tell, plan, ship]"),
            vec!["stages: in a different order"],
            vec![ship],
        ),
        (
            "a stage that has run comes after the one that is asked about",
            OLD.replace("[plan, ship, tell]", "[ship, plan, tell]"),
            vec!["stages: in a different order"],
            vec![ship, "cid: Tell"],
        ),
        (
            "a stage is added",
            OLD.replace(", tell]", ", check, tell]") + "check: { provider: dot, prompt: Check }\n",
            vec!["stage `check`: added"],
            vec![ship, "dot: Check", "cid: Tell"],
        ),
        (
            "the stage that is asked about",
            OLD.replace("\"Ship ${stages.plan.output}\"", "Ship it"),
            vec!["ship.prompt: changed"],
            vec!["bob: Ship it", "cid: Tell"],
        ),
        (
            "a budget",
            OLD.replace("name: Moves,", "name: Moves, budget: { tokens: 9 },"),
            vec!["workflow.budget: changed"],
            vec![ship, "cid: Tell"],
        ),
    ]
}

#[test]
fn what_differs_is_named_exactly_and_the_run_continues_by_it() {
    for (what, text, diverges, calls) in newer() {
        let host = Host::new();
        before_ship(&host, OLD);
        let planned = plan(&host, &text);
        assert_eq!(planned.diverges, diverges, "{what}");
        assert!(planned.obstacles.is_empty(), "{what}: {:?}", planned.obstacles);
        assert_ne!(planned.from, planned.to, "{what}");
        host.sim.block_on(async {
            let engine = engine(&host, host.store.clone(), &text);
            assert_eq!(engine.migrate(&id("r1"), None).await.unwrap(), planned, "{what}");
            let record = host.store.get(&id("r1")).await.unwrap();
            assert_eq!((record.head.bundle, record.holder), (planned.to.clone(), None), "{what}");
            // From the log alone, by an engine that never saw the newer definition.
            let other = host.engine_over(host.store.reopen());
            assert_eq!(to_the_end(&other).await.status, RunStatus::Completed, "{what}");
        });
        let made = prompts(&host);
        assert_eq!(made[0], "ann: Plan");
        assert_eq!(made[1..], calls, "{what}: what has run is not run again");
        check_rules(&host);
    }
}

#[test]
fn a_run_is_not_moved_where_it_could_not_continue() {
    let gone = OLD.replace("ship, ", "").replace("ship:", "#");
    let cases = [(gone.as_str(), "the run is at the stage `ship`, which the newer definition does not have")];
    for (text, obstacle) in cases {
        let host = Host::new();
        before_ship(&host, OLD);
        let before = host.events("r1");
        assert_eq!(plan(&host, text).obstacles, [obstacle]);
        let engine = engine(&host, host.store.clone(), text);
        let error = host.sim.block_on(engine.migrate(&id("r1"), None)).unwrap_err();
        let EngineError::CannotMigrate { run, obstacles } = error else { panic!("{error}") };
        assert_eq!((run, obstacles), (id("r1"), vec![obstacle.to_owned()]));
        assert_eq!(host.events("r1"), before);
        // No process holds its lease.
        let old = self::engine(&host, host.store.clone(), OLD);
        assert_eq!(host.sim.block_on(to_the_end(&old)).status, RunStatus::Completed);
    }
}

#[test]
fn a_run_is_not_moved_where_a_stage_needs_what_will_never_be_there() {
    let review = "review: { provider: dot, prompt: Review, set: { verdict: \"${output}\" } }\n";
    let before = OLD.replace("[plan, ship", "[plan, review, ship") + review;
    let after = OLD.replace("[plan, ship, tell]", "[plan, ship, review, tell]") + review;
    let needs = |text: &str, stage: &str, prompt: &str| {
        text.replace(&format!("prompt: {stage} "), &format!("prompt: \"{stage} {prompt}\" "))
    };
    let output = "${stages.review.output}";
    for (text, needed) in [
        (needs(&before, "Tell", output), Some(output)),
        (needs(&before, "Tell", "${vars.verdict}"), Some("${vars.verdict}")),
        (needs(&before, "Tell", "${stages.review.output:-nothing}"), None),
        (needs(&before, "Tell", "all"), None),
        (needs(&after, "Tell", output), None),
        (needs(&after, "Tell", "${vars.verdict}"), None),
        (needs(&before, "Tell", output).replace("tell: {", "tell: { when: $.vars.no,"), None),
        (
            OLD.replace("Ship ${stages.plan", "Ship ${stages.review").replace("[plan, ", "[plan, review, ")
                + review,
            Some(output),
        ),
    ] {
        let host = Host::new();
        before_ship(&host, OLD);
        let planned = plan(&host, &text);
        let said = planned.obstacles.join("; ");
        match needed {
            Some(name) => assert!(
                said.contains(&format!("needs `{name}`, and the stage `review` comes before")),
                "{text}: {said}"
            ),
            None => assert_eq!(said, "", "{text}"),
        }
        let engine = engine(&host, host.store.clone(), &text);
        let moved = host.sim.block_on(engine.migrate(&id("r1"), None));
        assert_eq!(moved.is_err(), needed.is_some(), "{text}");
        if needed.is_none() {
            let other = host.engine_over(host.store.reopen());
            assert_eq!(host.sim.block_on(to_the_end(&other)).status, RunStatus::Completed, "{text}");
        }
    }
}

const UNDER_WAY: &str = "
workflow: { name: Moves, stages: [plan, tell] }
plan: { provider: ann, prompt: Plan, with: { ann: { after: 100 } } }
tell: { provider: cid, prompt: Tell }
";

#[test]
fn a_stage_that_is_under_way_must_stay_as_it_is_and_the_others_need_not() {
    let cases = [
        (UNDER_WAY.replace("prompt: Tell", "prompt: Tell all"), None),
        (
            UNDER_WAY.replace("prompt: Plan", "prompt: Plan well"),
            Some("the stage `plan` is under way and is different in the newer definition"),
        ),
    ];
    for (text, obstacle) in cases {
        let host = Host::new();
        let old = engine(&host, host.store.clone(), UNDER_WAY);
        let newer = engine(&host, host.store.clone(), &text);
        host.sim.block_on(async {
            let start = StartRun::workflow(WorkflowId::new("moves").unwrap()).run_id(id("r1"));
            let driving = Box::pin(old.run(start));
            let Either::Right(((), driving)) = select(driving, host.sim.sleep_ms(50)).await else {
                panic!("it has ended")
            };
            let error = newer.migrate(&id("r1"), None).await.unwrap_err();
            assert!(matches!(error, EngineError::Store(StoreError::Held { .. })), "{error}");
            drop(driving);
            match obstacle {
                Some(obstacle) => {
                    let error = newer.migrate(&id("r1"), None).await.unwrap_err();
                    assert!(error.to_string().ends_with(obstacle), "{error}");
                }
                None => {
                    newer.migrate(&id("r1"), None).await.unwrap();
                }
            }
            assert_eq!(to_the_end(&newer).await.status, RunStatus::Completed);
            let error = newer.migrate(&id("r1"), None).await.unwrap_err();
            assert!(error.to_string().ends_with("the run has ended"), "{error}");
        });
        let tell = if obstacle.is_none() { "cid: Tell all" } else { "cid: Tell" };
        assert_eq!(prompts(&host), ["ann: Plan", "ann: Plan", tell]);
        check_rules(&host);
    }
}

#[test]
fn a_run_that_is_paused_after_a_stage_continues_with_what_follows_it_in_the_newer_definition() {
    let tell = "tell: { provider: cid, prompt: Tell }";
    let added =
        UNDER_WAY.replace("[plan, tell]", "[plan, ship, tell]") + "ship: { provider: bob, prompt: Ship }";
    let first = UNDER_WAY.replace("[plan, tell]", "[tell, plan]");
    let gone = UNDER_WAY.replace("[plan, tell]", "[tell]").replace("plan: {", "# {");
    let cases = [
        (added, None, vec!["ann: Plan", "bob: Ship", "cid: Tell"]),
        (first, None, vec!["ann: Plan"]),
        (UNDER_WAY.replace(", tell]", "]").replace(tell, ""), None, vec!["ann: Plan"]),
        (
            gone,
            Some("the run is at the stage `plan`, which the newer definition does not have"),
            vec!["ann: Plan", "cid: Tell"],
        ),
    ];
    for (text, obstacle, calls) in cases {
        let host = Host::new();
        let old = engine(&host, host.store.clone(), UNDER_WAY);
        let newer = engine(&host, host.store.clone(), &text);
        host.sim.block_on(async {
            let start = StartRun::workflow(WorkflowId::new("moves").unwrap()).run_id(id("r1"));
            let pausing = async {
                host.sim.sleep_ms(50).await;
                let _ = old.handle(&id("r1")).pause().await.unwrap();
            };
            let (view, ()) = join(old.run(start), pausing).await;
            assert_eq!(view.unwrap().status, RunStatus::Paused);
            let moved = newer.migrate(&id("r1"), None).await;
            assert_eq!(moved.is_err(), obstacle.is_some(), "{moved:?}");
            if let (Err(error), Some(obstacle)) = (moved, obstacle) {
                assert!(error.to_string().ends_with(obstacle), "{error}");
            }
            let handle = old.handle(&id("r1"));
            let _ = handle.resume().await.unwrap();
            assert_eq!(handle.wait().await.unwrap().status, RunStatus::Completed);
        });
        assert_eq!(prompts(&host), calls);
        check_rules(&host);
    }
}

#[test]
fn a_moved_run_continues_after_its_host_died_at_any_append() {
    let text = OLD.replace("prompt: Tell", "prompt: Tell all");
    let mut deaths = 0;
    for append in 1.. {
        let mut died = false;
        for fault in [Fault::DieBefore, Fault::DieAfter] {
            let host = Host::new();
            before_ship(&host, OLD);
            let script = move |number| if number == append { fault } else { Fault::None };
            let store = Faulty::new(&host.store.reopen(), script);
            let dying = engine(&host, store.clone(), &text);
            host.sim.block_on(async {
                let moving = Box::pin(async {
                    dying.migrate(&id("r1"), None).await.unwrap();
                    to_the_end(&dying).await
                });
                died |= matches!(select(moving, Box::pin(store.death())).await, Either::Right(_));
            });
            host.sim.drop_tasks();
            let memory: MemoryStore = host.store.reopen();
            let moved = host.log("r1").contains("run_migrated");
            assert!(moved || (append == 1 && fault == Fault::DieBefore));
            let next = engine(&host, memory, &text);
            host.sim.block_on(async {
                let ended = next.handle(&id("r1")).status().await.unwrap().is_terminal();
                if !ended {
                    // A second time, which changes nothing if it was migrated.
                    next.migrate(&id("r1"), None).await.unwrap();
                }
                assert_eq!(to_the_end(&next).await.status, RunStatus::Completed);
            });
            assert_eq!(host.log("r1").matches("run_migrated").count(), 1);
            assert_eq!(prompts(&host).last().unwrap(), "cid: Tell all");
            check_rules(&host);
        }
        if !died {
            break;
        }
        deaths += 1;
    }
    assert!(deaths >= 4, "{deaths}");
}

#[test]
fn a_run_that_was_moved_is_moved_and_forked_like_any_other() {
    let host = Host::new();
    before_ship(&host, OLD);
    let texts = ["Tell all", "Tell none"].map(|tell| OLD.replace("prompt: Tell", &format!("prompt: {tell}")));
    host.sim.block_on(async {
        for text in &texts {
            engine(&host, host.store.clone(), text).migrate(&id("r1"), None).await.unwrap();
        }
        let last = scenario::events(&host.store, &id("r1")).await.len() as u64;
        let newer = engine(&host, host.store.clone(), &texts[1]);
        let fork = workflow_exec::Fork::of(id("r1")).at(workflow_exec::ForkPoint::Event(last));
        newer.fork(fork.run_id(id("r2"))).await.unwrap();
        assert_eq!(to_the_end(&newer).await.status, RunStatus::Completed);
        let view = newer.drive(&id("r2")).await.unwrap();
        let _ = newer.handle(&id("r2")).answer(view.waits[0].number.unwrap(), true).await.unwrap();
        assert_eq!(newer.handle(&id("r2")).wait().await.unwrap().status, RunStatus::Completed);
    });
    let told: Vec<_> = prompts(&host).into_iter().filter(|prompt| prompt.starts_with("cid")).collect();
    assert_eq!(told, ["cid: Tell none", "cid: Tell none"]);
    check_rules(&host);
}
