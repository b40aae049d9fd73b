//! The stages of `finally` in runs that are forked, migrated, resumed late, or whose processes die.

use futures::future::{Either, select};
use serde_json::json;
use workflow_core::event::EventBody;
use workflow_core::failure::FailureClass;
use workflow_core::ids::{StageId, WorkflowId};
use workflow_core::status::{RunStatus, StageStatus};
use workflow_core::store::RunStore as _;
use workflow_core::view::RunView;
use workflow_exec::{ControlOutcome, ControlRefusal, Engine, EngineError, Fork, ForkPoint, StartRun};
use workflow_tests::rules;
use workflow_tests::scenario::Scenario;

use crate::host::{Host, id};

/// The first stage fails, and so does the first of those that run however the run ends.
const FAILS: &str = "
workflow: { name: Fails, stages: [build, test], finally: [tidy, report] }
build: { provider: ann, prompt: Build, with: { ann: { fail: permanent } } }
test: { provider: bob, prompt: Test }
tidy: { provider: cid, prompt: Tidy, with: { cid: { fail: transient } } }
report: { provider: dot, prompt: Report }
";

fn stage(name: &str) -> StageId {
    name.parse().unwrap()
}

fn check_rules(host: &Host, run: &str) {
    let events = host.events(run);
    let EventBody::RunCreated(created) = &events[0].body else { panic!("not created") };
    let bundle = host.sim.block_on(host.store.bundle(&created.bundle)).unwrap();
    rules::check(&bundle, &events);
}

/// The providers that a run has called.
fn called(host: &Host, run: &str) -> Vec<String> {
    let calls = host.deeds.calls().into_iter().filter(|call| call.id.run == id(run));
    calls.map(|call| call.provider).collect()
}

fn statuses(view: &RunView) -> Vec<(&str, StageStatus)> {
    view.context.stages.iter().map(|(id, stage)| (id.as_str(), stage.status)).collect()
}

/// Runs `yaml`, and then a fork of it; checks both logs.
fn forked(yaml: &str, how: impl FnOnce(Fork) -> Fork) -> (Host, RunView) {
    let host = Host::new();
    let view = host.sim.block_on(async {
        let first = host.engine.run(host.start("r1", yaml)).await.unwrap();
        assert!(first.status.is_terminal());
        let fork = host.engine.fork(how(Fork::of(id("r1"))).run_id(id("r2"))).await.unwrap();
        host.engine.drive(fork.id()).await.unwrap()
    });
    check_rules(&host, "r1");
    check_rules(&host, "r2");
    (host, view)
}

#[test]
fn a_run_is_rerun_from_the_stage_that_it_failed_with() {
    let (host, view) = forked(FAILS, |fork| fork.at(ForkPoint::Failed));
    assert_eq!(called(&host, "r2"), ["ann", "cid", "dot"], "not only from the last stage that failed");
    assert_eq!(view.error.unwrap().class, FailureClass::Permanent);

    let (host, view) =
        forked(&FAILS.replace("ann: { fail: permanent }", "ann: {}"), |fork| fork.at(ForkPoint::Failed));
    assert_eq!(called(&host, "r2"), ["cid", "dot"], "no other stage failed");
    assert_eq!(view.error.unwrap().class, FailureClass::Transient);
}

#[test]
fn a_rerun_of_a_stage_that_runs_in_any_case_ends_as_the_run_did() {
    let (host, view) = forked(FAILS, |fork| fork.at(ForkPoint::Stage(stage("report"))));
    assert_eq!(called(&host, "r2"), ["dot"]);
    assert_eq!((view.status, view.error.unwrap().class), (RunStatus::Failed, FailureClass::Permanent));

    let whole = host.events("r1").len() as u64;
    let (host, view) = forked(FAILS, |fork| fork.at(ForkPoint::Event(whole)));
    assert_eq!(called(&host, "r2"), [""; 0], "all of them have run");
    assert_eq!((view.status, view.error.unwrap().class), (RunStatus::Failed, FailureClass::Permanent));
}

#[test]
fn a_run_whose_failed_stage_is_given_an_output_continues_and_runs_these_stages_again() {
    let (host, view) =
        forked(FAILS, |fork| fork.at(ForkPoint::Stage(stage("tidy"))).output(stage("build"), "built"));
    assert_eq!(called(&host, "r2"), ["bob", "cid", "dot"]);
    // Now the failure of the stage that runs in any case is the first one.
    assert_eq!(view.error.unwrap().class, FailureClass::Transient);
}

#[test]
fn a_failed_stage_that_runs_in_any_case_is_given_an_output() {
    let only_tidy_fails = FAILS.replace("ann: { fail: permanent }", "ann: {}");
    let (host, view) = forked(&only_tidy_fails, |fork| {
        fork.at(ForkPoint::Stage(stage("report"))).output(stage("tidy"), "by hand")
    });
    assert_eq!(called(&host, "r2"), ["dot"]);
    assert_eq!((view.status, view.error), (RunStatus::Completed, None));
    assert_eq!(view.output.unwrap().value(), json!("bob(Test)"));

    let (_, view) =
        forked(FAILS, |fork| fork.at(ForkPoint::Stage(stage("report"))).output(stage("tidy"), "by hand"));
    assert_eq!(view.error.unwrap().class, FailureClass::Permanent, "the first failure stays");
}

#[test]
fn what_ran_after_a_cancellation_is_taken_over() {
    let text = "
workflow: { name: Cancelled, stages: [build], finally: [tidy, report] }
build: { provider: ann, prompt: Build, with: { ann: { hang: true } } }
tidy: { provider: cid, prompt: Tidy, with: { cid: { fail: permanent } } }
report: { provider: dot, prompt: Report }
";
    let host = Host::new();
    let view = host.sim.block_on(async {
        let handle = host.engine.start(host.start("r1", text)).await.unwrap();
        host.sim.sleep_ms(100).await;
        let _ = handle.cancel().await.unwrap();
        let view = handle.wait().await.unwrap();
        assert_eq!((view.status, view.error), (RunStatus::Cancelled, None));
        let at = ForkPoint::Stage(stage("report"));
        host.engine.fork(Fork::of(id("r1")).at(at).run_id(id("r2"))).await.unwrap();
        host.engine.drive(&id("r2")).await.unwrap()
    });
    assert_eq!(view.status, RunStatus::Cancelled);
    assert_eq!(
        statuses(&view),
        [
            ("build", StageStatus::Cancelled),
            ("tidy", StageStatus::Failed),
            ("report", StageStatus::Completed)
        ]
    );
    assert_eq!(called(&host, "r2"), ["dot"]);
    check_rules(&host, "r1");
    check_rules(&host, "r2");
}

/// Drives the run until the provider is called, and lets the process die then.
async fn die_in(host: &Host, provider: &str) {
    let before = host.deeds.calls().len();
    let begun = Box::pin(async {
        while !host.deeds.calls()[before..].iter().any(|call| call.provider == provider) {
            host.sim.sleep_ms(10).await;
        }
    });
    match select(Box::pin(host.engine.drive(&id("r1"))), begun).await {
        Either::Left((view, _)) => panic!("it ended: {view:?}"),
        Either::Right(_) => host.sim.drop_tasks(),
    }
}

#[test]
fn time_without_a_process_does_not_count() {
    let text = "
workflow: { name: Late, stages: [build], finally: [tidy], finally_timeout: 1m }
build: { provider: ann, prompt: Build }
tidy: { provider: cid, prompt: Tidy, with: { cid: { after: 30000 } } }
";
    let host = Host::new();
    let view = host.sim.block_on(async {
        host.engine.create(host.start("r1", text)).await.unwrap();
        die_in(&host, "cid").await;
        host.sim.sleep_ms(3_600_000).await;
        host.engine.drive(&id("r1")).await.unwrap()
    });
    assert_eq!(view.status, RunStatus::Completed, "{:?}", view.error);
    assert_eq!(called(&host, "r1"), ["ann", "cid", "cid"]);
    check_rules(&host, "r1");
}

#[test]
fn time_between_the_attempts_of_a_call_counts() {
    let run = |on_failure: &str| {
        let text = format!(
            "
workflow: {{ name: Late, stages: [build], finally: [tidy, report], finally_timeout: 14500ms }}
build: {{ provider: ann, prompt: Build }}
tidy: {{ provider: cid, prompt: Tidy, {on_failure} }}
report: {{ provider: dot, prompt: Report }}
"
        );
        let host = Host::new();
        let view = host.sim.block_on(host.engine.run(host.start("r1", &text))).unwrap();
        check_rules(&host, "r1");
        let took = host.events("r1").last().unwrap().at.duration_since(host.events("r1")[0].at);
        assert!(took.as_secs() < 15, "{took}");
        (called(&host, "r1"), view.error.map(|error| error.class))
    };
    let retry = "on_failure: retry, retries: 9, retry_backoff: 2, with: { cid: { fail: transient } }";
    let (calls, error) = run(retry);
    // The delays are one to two, two to four and four to eight seconds; after the fourth, 15 seconds are over.
    assert_eq!(calls, ["ann", "cid", "cid", "cid", "cid", "dot"]);
    assert_eq!(error, Some(FailureClass::Transient));
    let (calls, error) = run("with: { cid: { fail: rate_limited, until: 60000 } }");
    assert_eq!((calls.len(), error), (3, Some(FailureClass::RateLimited)));
}

#[test]
fn a_call_that_ends_its_process_again_and_again_fails_without_a_question() {
    let text = "
workflow: { name: Deadly, stages: [build], finally: [tidy, report] }
build: { provider: ann, prompt: Build }
tidy: { provider: cid, prompt: Tidy, with: { cid: { hang: true } } }
report: { provider: dot, prompt: Report }
";
    let host = Host::new();
    let view = host.sim.block_on(async {
        host.engine.create(host.start("r1", text)).await.unwrap();
        for _ in 0..5 {
            die_in(&host, "cid").await;
        }
        host.engine.drive(&id("r1")).await.unwrap()
    });
    assert_eq!(called(&host, "r1"), ["ann", "cid", "cid", "cid", "cid", "cid", "dot"]);
    assert_eq!((view.status, view.error.unwrap().class), (RunStatus::Failed, FailureClass::Permanent));
    check_rules(&host, "r1");
}

#[test]
fn a_pause_of_the_last_stage_is_kept_although_the_stage_fails() {
    let text = FAILS.replace("{ fail: permanent }", "{ after: 500, fail: permanent }");
    let host = Host::new();
    let view = host.sim.block_on(async {
        let handle = host.engine.start(host.start("r1", &text)).await.unwrap();
        host.sim.sleep_ms(100).await;
        let _ = handle.pause().await.unwrap();
        let view = handle.wait().await.unwrap();
        assert_eq!((view.status, called(&host, "r1").len()), (RunStatus::Paused, 1));
        assert_eq!(view.ending.unwrap().status, RunStatus::Failed);
        let _ = handle.resume().await.unwrap();
        handle.wait().await.unwrap()
    });
    assert_eq!(view.error.unwrap().class, FailureClass::Permanent);
    assert_eq!(called(&host, "r1"), ["ann", "cid", "dot"]);
    check_rules(&host, "r1");
}

/// The first stage and those that run in any case share a slot with other runs.
const SLOT: &str = "
workflow: { name: Slot, stages: [build], finally: [tidy, report], concurrency: { key: shop, mode: MODE } }
build: { provider: ann, prompt: Build, with: { ann: { after: 100 } } }
tidy: { provider: cid, prompt: Tidy, with: { cid: { after: 500 } } }
report: { provider: dot, prompt: Report }
";

/// Checks the log of a run that was cancelled before it had started.
fn check_never_started(host: &Host, run: &str) {
    check_rules(host, run);
    assert_eq!(called(host, run), [""; 0], "{run}");
    let is_ending = |body: &EventBody| matches!(body, EventBody::RunEnding(_) | EventBody::RunStarted);
    assert!(!host.events(run).iter().any(|event| is_ending(&event.body)), "{run}");
}

#[test]
fn a_cancellation_does_not_change_how_a_run_ends_whose_last_stages_run() {
    let text = SLOT.replace("MODE", "queue");
    let host = Host::new();
    host.sim.block_on(async {
        let handle = host.engine.start(host.start("r1", &text)).await.unwrap();
        host.sim.sleep_ms(200).await;
        let refused = handle.cancel().await.unwrap();
        assert_eq!(refused.refusal(), Some(ControlRefusal::Ending), "{refused:?}");
        let ControlOutcome::Refused(refused) = refused else { panic!("{refused:?}") };
        let reason = "only its stages of `finally` are left, and it ends as completed (`kill` stops them)";
        assert_eq!(refused.reason, reason);
        assert_eq!(handle.wait().await.unwrap().status, RunStatus::Completed);

        // One that ends as cancelled is cancelled already; it can be paused, and a cancellation ends the pause.
        let handle = host.engine.start(host.start("r2", &text)).await.unwrap();
        host.sim.sleep_ms(50).await;
        let _ = handle.cancel().await.unwrap();
        host.sim.sleep_ms(50).await;
        assert_eq!(handle.cancel().await.unwrap().refusal(), None);
        assert_eq!(handle.pause().await.unwrap().refusal(), None);
        assert_eq!(handle.wait().await.unwrap().status, RunStatus::Paused);
        let ControlOutcome::Done(view) = handle.cancel().await.unwrap() else { panic!("not done") };
        assert_ne!(view.status, RunStatus::Paused);
        assert_eq!(handle.wait().await.unwrap().status, RunStatus::Cancelled);

        // The request that has no effect does not make processes look at the run again and again.
        let waits = text.replace("{ after: 500 }", "[{ fail: rate_limited, until: 60000 }, {}]");
        let handle = host.engine.start(host.start("r3", &waits)).await.unwrap();
        host.sim.sleep_ms(200).await;
        assert_eq!(handle.cancel().await.unwrap().refusal(), Some(ControlRefusal::Ending));
        host.sim.sleep_ms(120_000).await;
        assert_eq!(handle.status().await.unwrap(), RunStatus::Completed);
    });
    for (run, calls) in [("r1", 3), ("r2", 3), ("r3", 4)] {
        check_rules(&host, run);
        assert_eq!(called(&host, run).len(), calls, "{run}");
    }
}

#[test]
fn a_run_keeps_its_slot_until_these_stages_have_ended() {
    let text = SLOT.replace("MODE", "queue").replace("{ after: 100 }", "{ fail: permanent }");
    let host = Host::new();
    host.sim.block_on(async {
        let first = host.engine.start(host.start("r1", &text)).await.unwrap();
        let second = host.engine.start(host.start("r2", &text)).await.unwrap();
        let third = host.engine.start(host.start("r3", &text)).await.unwrap();
        host.sim.sleep_ms(200).await;
        assert_eq!(called(&host, "r1"), ["ann", "cid"]);
        // It has not started, so nothing of it has to be tidied up.
        let _ = third.cancel().await.unwrap();
        assert_eq!(third.wait().await.unwrap().status, RunStatus::Cancelled);
        for ended in [first.wait().await, second.wait().await] {
            assert_eq!(ended.unwrap().status, RunStatus::Failed);
        }
    });
    check_never_started(&host, "r3");
    let (first, second) = (host.events("r1"), host.events("r2"));
    let started = second.iter().find(|event| event.body == EventBody::RunStarted).unwrap().at;
    assert!(first.last().unwrap().at <= started);
    assert_eq!(called(&host, "r2"), ["ann", "cid", "dot"]);
}

#[test]
fn runs_that_replace_others_do_not_cut_these_stages_off() {
    let text = SLOT.replace("MODE", "cancel");
    let host = Host::new();
    host.sim.block_on(async {
        let first = host.engine.start(host.start("r1", &text)).await.unwrap();
        host.sim.sleep_ms(50).await;
        let second = host.engine.start(host.start("r2", &text)).await.unwrap();
        host.sim.sleep_ms(50).await;
        assert_eq!(called(&host, "r1"), ["ann", "cid"]);
        let third = host.engine.start(host.start("r3", &text)).await.unwrap();
        for (handle, status) in
            [(first, RunStatus::Cancelled), (second, RunStatus::Cancelled), (third, RunStatus::Completed)]
        {
            assert_eq!(handle.wait().await.unwrap().status, status);
        }

        // One that is paused in them ends as well.
        let paused = host.engine.start(host.start("r4", &text)).await.unwrap();
        host.sim.sleep_ms(200).await;
        let _ = paused.pause().await.unwrap();
        assert_eq!(paused.wait().await.unwrap().status, RunStatus::Paused);
        let next = host.engine.start(host.start("r5", &text)).await.unwrap();
        assert_eq!(next.wait().await.unwrap().status, RunStatus::Completed);
        assert_eq!(paused.wait().await.unwrap().status, RunStatus::Completed);
    });
    check_never_started(&host, "r2");
    for run in ["r1", "r3", "r4", "r5"] {
        check_rules(&host, run);
        assert_eq!(called(&host, run), ["ann", "cid", "dot"], "{run}");
    }
}

#[test]
fn a_fork_from_one_of_these_stages_that_waits_for_its_slot_is_cancelled() {
    let text = SLOT.replace("MODE", "queue");
    let host = Host::new();
    host.sim.block_on(async {
        host.engine.run(host.start("r1", &text)).await.unwrap();
        let other = host.engine.start(host.start("r2", &text)).await.unwrap();
        let at = ForkPoint::Stage(stage("tidy"));
        let fork = host.engine.fork(Fork::of(id("r1")).at(at).run_id(id("r3"))).await.unwrap();
        let _ = fork.cancel().await.unwrap();
        assert_eq!(fork.status().await.unwrap(), RunStatus::Cancelled);
        assert_eq!(other.wait().await.unwrap().status, RunStatus::Completed);
    });
    check_rules(&host, "r3");
    assert_eq!(called(&host, "r3"), [""; 0]);
}

/// A run that waits before its second stage.
const OLD: &str = "
workflow: { name: Moves, stages: [plan, ship], finally: [tidy] }
plan: { provider: ann, prompt: Plan }
ship: { provider: bob, prompt: Ship, approval: Ship? }
tidy: { provider: cid, prompt: Tidy, with: { cid: { after: 500 } } }
";

fn engine(host: &Host, text: &str) -> Engine {
    Scenario::new("moves", text).engine(&host.sim, &host.deeds, host.store.clone())
}

/// Starts the run, and pauses it in `ship` or, with an answer, in `tidy`.
fn paused(host: &Host, in_tidy: bool) {
    let engine = engine(host, OLD);
    host.sim.block_on(async {
        let start = StartRun::workflow(WorkflowId::new("moves").unwrap()).run_id(id("r1"));
        let view = engine.run(start).await.unwrap();
        if in_tidy {
            let handle = engine.handle(&id("r1"));
            let _ = handle.answer(view.waits[0].number.unwrap(), true).await.unwrap();
            host.sim.sleep_ms(200).await;
            let _ = handle.pause().await.unwrap();
            assert_eq!(handle.wait().await.unwrap().status, RunStatus::Paused);
        }
    });
}

/// Moves the run to `text`, and drives it to its end. Returns the changes, and the providers that it then calls.
fn moved(in_tidy: bool, text: &str) -> Result<(Vec<String>, Vec<String>), Vec<String>> {
    let host = Host::new();
    paused(&host, in_tidy);
    let before = called(&host, "r1").len();
    let engine = engine(&host, text);
    let migration = match host.sim.block_on(engine.migrate(&id("r1"), None)) {
        Ok(migration) => migration,
        Err(EngineError::CannotMigrate { obstacles, .. }) => return Err(obstacles),
        Err(error) => panic!("{error}"),
    };
    let view = host.sim.block_on(async {
        let view = engine.drive(&id("r1")).await.unwrap();
        assert_eq!(view.status, RunStatus::Paused);
        let handle = engine.handle(&id("r1"));
        let _ = match view.waits[0].number {
            Some(number) => handle.answer(number, true).await.unwrap(),
            None => handle.resume().await.unwrap(),
        };
        handle.wait().await.unwrap()
    });
    assert_eq!(view.status, RunStatus::Completed, "{:?}", view.error);
    check_rules(&host, "r1");
    Ok((migration.diverges, called(&host, "r1")[before..].to_vec()))
}

#[test]
fn a_run_is_moved_to_a_definition_with_other_stages_that_run_in_any_case() {
    let more = OLD.replace("[tidy]", "[tidy, report]") + "report: { provider: dot, prompt: Report }\n";
    let less = OLD
        .replace(", finally: [tidy]", "")
        .lines()
        .filter(|line| !line.starts_with("tidy"))
        .fold(String::new(), |text, line| text + line + "\n");
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    for (in_tidy, text, changes, calls) in [
        (
            false,
            &more,
            words(&["stage `report`: added", "workflow.finally: changed"]),
            words(&["bob", "cid", "dot"]),
        ),
        (true, &more, words(&["stage `report`: added", "workflow.finally: changed"]), words(&["dot"])),
        (false, &less, words(&["stage `tidy`: removed", "workflow.finally: changed"]), words(&["bob"])),
        (
            false,
            &OLD.replace("finally: [tidy]", "finally: [tidy], finally_timeout: 1h"),
            words(&["workflow.finally_timeout: changed"]),
            words(&["bob", "cid"]),
        ),
    ] {
        assert_eq!(moved(in_tidy, text), Ok((changes, calls)), "{in_tidy} {text}");
    }
}

#[test]
fn a_run_is_not_moved_where_its_stage_has_another_place() {
    let first = OLD.replace("[plan, ship], finally: [tidy]", "[plan, tidy], finally: [ship]");
    let first = first.replace(", approval: Ship?", "");
    for (in_tidy, name) in [(false, "ship"), (true, "tidy")] {
        let told =
            format!("the run is at the stage `{name}`, which only one of the definitions has in `finally`");
        assert_eq!(moved(in_tidy, &first).unwrap_err(), [told]);
    }
}
