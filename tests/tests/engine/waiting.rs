//! Runs that wait: for persons, and for times.

use futures::future::{Either, join, select};
use serde_json::{Value, json};
use workflow_core::bundle::Bundle;
use workflow_core::definition::{self, Defaults};
use workflow_core::failure::FailureClass;
use workflow_core::plan::Plan;
use workflow_core::status::{RunStatus, StageStatus, WaitReason};
use workflow_core::store::{Control, RunStore as _};
use workflow_core::view::RunView;
use workflow_exec::{Clock as _, Limits, StartRun};

use crate::host::{Host, id};

/// A start of a workflow whose stages have these profiles.
fn start(run: &str, workflow: &str, profiles: &[(&str, &str)]) -> StartRun {
    let id_of = workflow_core::ids::WorkflowId::new("test").unwrap();
    let parsed = definition::parse(workflow.as_bytes(), Some(&id_of));
    let workflow = parsed.workflow.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
    let mut bundle = Bundle::new(definition::resolve(&workflow, &Defaults::default()).unwrap());
    for (stage, profile) in profiles {
        let parsed = definition::parse_profile(profile.as_bytes(), Some(&workflow));
        let profile = parsed.profile.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
        bundle.profiles.insert(stage.parse().unwrap(), profile);
    }
    StartRun::plan(&Plan::load(bundle).unwrap().into()).run_id(id(run))
}

/// The number and the reason of the only thing that a run waits for.
fn only_wait(view: &RunView) -> (u64, WaitReason) {
    let [wait] = view.waits.as_slice() else { panic!("{:?}", view.waits) };
    (wait.number.unwrap_or_default(), wait.reason)
}

fn output(view: &RunView, stage: &str) -> Value {
    view.context.stages[stage].output.as_ref().map(workflow_core::data::Data::value).unwrap_or_default()
}

const APPROVAL: &str = "
workflow: { name: Approval, stages: [plan, ship] }
plan: { provider: ann }
ship: { provider: bob, approval: \"Ship ${stages.plan.output}?\" }
";

#[test]
fn a_stage_waits_for_a_person_and_no_process_holds_the_run_meanwhile() {
    let host = Host::new();
    host.sim.block_on(async {
        let view = host.engine.run(host.start("r1", APPROVAL)).await.unwrap();
        assert_eq!((view.status, view.current_stage.as_ref().unwrap().as_str()), (RunStatus::Paused, "ship"));
        let (number, reason) = only_wait(&view);
        assert_eq!(reason, WaitReason::Approval);
        assert_eq!(view.waits[0].question.as_deref(), Some("Ship ann()?"));
        let record = host.store.get(&id("r1")).await.unwrap();
        assert_eq!((record.holder, record.head.wait.as_ref().unwrap().reason), (None, WaitReason::Approval));
        // The head of a run that waits tells how far it is, and since when it waits.
        let progress = record.head.progress.unwrap();
        assert_eq!((&progress.waits, progress.spent), (&view.waits, view.spent));
        assert_eq!(progress.current_stage, view.current_stage);
        let stages: Vec<_> =
            progress.stages.iter().map(|(stage, status)| format!("{stage} {status}")).collect();
        assert_eq!(stages, ["plan completed", "ship waiting"]);
        let asked = host.events("r1").into_iter().find(|event| event.seq == number).unwrap().at;
        assert_eq!((view.waits[0].since, view.wait.as_ref().unwrap().since), (Some(asked), Some(asked)));
        // Driving it again changes nothing.
        assert_eq!(host.engine.drive(&id("r1")).await.unwrap(), view);

        // Another process answers, and continues the run.
        let other = host.engine_over(host.store.clone());
        let handle = other.handle(&id("r1"));
        let _ = handle.answer(number, true).await.unwrap();
        let view = handle.wait().await.unwrap();
        assert_eq!((view.status, output(&view, "ship")), (RunStatus::Completed, json!("bob()")));
    });
    insta::assert_snapshot!(host.log("r1"), @r#"
         0  run_created        test
         0  run_started
         0  stage_started      1/plan
         0  attempt_started    1/plan[0] #1 ann
        10  attempt_succeeded  1/plan[0] #1 "ann()"
        10  stage_completed    1/plan, output of lane 0
        10  stage_asked        1/ship "Ship ann()?"
        10  run_waiting        approval
        10  answered           event 7 with true
        10  stage_started      1/ship
        10  attempt_started    1/ship[0] #1 bob
        20  attempt_succeeded  1/ship[0] #1 "bob()"
        20  stage_completed    1/ship, output of lane 0
        20  run_completed
        "#);
}

#[test]
fn a_stage_that_a_person_does_not_agree_to_fails_as_its_policy_says() {
    for (policy, status) in [("stop", RunStatus::Failed), ("continue", RunStatus::Completed)] {
        let host = Host::new();
        let workflow = APPROVAL.replace("bob,", &format!("bob, on_failure: {policy},"));
        host.sim.block_on(async {
            let view = host.engine.run(host.start("r1", &workflow)).await.unwrap();
            let answer = json!({ "approved": false, "comment": "not on a Friday" });
            let handle = host.engine.handle(&id("r1"));
            let _ = handle.answer(only_wait(&view).0, answer).await.unwrap();
            let view = handle.wait().await.unwrap();
            assert_eq!(view.status, status);
            let error = view.context.stages["ship"].error.clone().unwrap();
            assert_eq!(error.class, FailureClass::Rejected);
            assert_eq!(error.message, "a person did not agree: not on a Friday");
        });
        assert!(host.deeds.calls().iter().all(|call| call.provider != "bob"));
    }
}

#[test]
fn an_interactive_run_asks_before_every_stage() {
    let host = Host::new();
    host.sim.block_on(async {
        let mut view = host.engine.run(host.start("r1", APPROVAL).interactive()).await.unwrap();
        let handle = host.engine.handle(&id("r1"));
        let mut questions = Vec::new();
        while view.status == RunStatus::Paused {
            questions.push(view.waits[0].question.clone().unwrap());
            let _ = handle.answer(only_wait(&view).0, true).await.unwrap();
            view = handle.wait().await.unwrap();
        }
        assert_eq!(view.status, RunStatus::Completed);
        assert_eq!(questions, ["Start the stage `plan`?", "Ship ann()?"]);
    });
}

const QUESTION: &str = "
graph:
  - { id: draft, type: run }
  - { id: pick, type: ask, question: \"Which, after ${nodes.draft.output}?\", choices: [a, { b: \"${vars.x}\" }], out: choice }
  - { id: say, type: ask, question: \"And why?\" }
  - { id: use, type: run, inputs: [choice, say], prompt: used }
";

#[test]
fn nodes_ask_and_what_persons_say_is_their_output() {
    let host = Host::new();
    host.sim.block_on(async {
        let workflow = "workflow: { name: Asks, stages: [work] }\nwork: { provider: ann, profile: asks }";
        let start = start("r1", workflow, &[("work", QUESTION)]).var("x", 1);
        let mut view = host.engine.run(start).await.unwrap();
        assert_eq!(view.waits.len(), 2);
        let (say, pick) = (view.waits[0].clone(), view.waits[1].clone());
        assert_eq!((say.question.unwrap(), say.schema), ("And why?".to_owned(), None));
        assert_eq!(pick.question.unwrap(), "Which, after ann()?");
        assert_eq!(pick.schema.unwrap().value(), json!({ "enum": ["a", { "b": 1 }] }));
        assert_eq!(pick.place.as_deref(), Some("1/work[0]/pick"));
        let states: Vec<_> = view.context.stages["work"].results[0].nodes.iter().map(|n| n.status).collect();
        assert_eq!(states, [StageStatus::Waiting, StageStatus::Completed, StageStatus::Waiting]);

        let handle = host.engine.handle(&id("r1"));
        // Invalid answers do not count, nor do those without a question.
        for (wait, value) in
            [(pick.number.unwrap(), json!("c")), (say.number.unwrap(), json!(1)), (99, json!("a"))]
        {
            let _ = handle.answer(wait, value).await.unwrap();
            view = handle.wait().await.unwrap();
            assert_eq!((view.status, view.waits.len()), (RunStatus::Paused, 2));
        }
        let _ = handle.answer(pick.number.unwrap(), json!({ "b": 1 })).await.unwrap();
        view = handle.wait().await.unwrap();
        assert_eq!((view.status, only_wait(&view).1), (RunStatus::Paused, WaitReason::Question));
        let _ = handle.answer(say.number.unwrap(), "because").await.unwrap();
        // Twice, and too late.
        let _ = handle.answer(say.number.unwrap(), "or not").await.unwrap();
        view = handle.wait().await.unwrap();
        assert_eq!(view.status, RunStatus::Completed);
        assert_eq!(output(&view, "work"), json!("ann(used\n\n{\"b\":1}\n\nbecause)"));
    });
    let events = host.events("r1");
    let refused = events.iter().filter(|event| event.body.kind() == "answer_refused").count();
    assert_eq!(refused, 4);
}

#[test]
fn every_item_of_a_foreach_asks_for_itself() {
    let host = Host::new();
    host.sim.block_on(async {
        let workflow = "workflow: { name: Asks, stages: [work] }\nwork: { provider: ann, profile: asks }";
        let graph = "graph:\n  - { id: each, type: foreach, items: [x, y, z], mode: parallel, run: { type: run, prompt: \"${item}\", approval: \"Do ${item}?\" } }";
        let mut view = host.engine.run(start("r1", workflow, &[("work", graph)])).await.unwrap();
        let handle = host.engine.handle(&id("r1"));
        let questions: Vec<_> = view.waits.iter().map(|wait| wait.question.clone().unwrap()).collect();
        assert_eq!(questions, ["Do x?", "Do y?", "Do z?"]);
        for wait in view.waits {
            let _ = handle.answer(wait.number.unwrap(), true).await.unwrap();
        }
        view = handle.wait().await.unwrap();
        assert_eq!((view.status, output(&view, "work")), (RunStatus::Completed, json!(["ann(x)", "ann(y)", "ann(z)"])));
    });
}

#[test]
fn a_run_that_waits_for_a_person_is_paused_and_cancelled_like_another() {
    let host = Host::new();
    host.sim.block_on(async {
        let view = host.engine.run(host.start("r1", APPROVAL)).await.unwrap();
        let (number, _) = only_wait(&view);
        let handle = host.engine.handle(&id("r1"));
        let _ = handle.pause().await.unwrap();
        let view = handle.view().await.unwrap();
        assert_eq!(view.wait.unwrap().reason, WaitReason::Pause);
        // The answer is accepted, and no call starts.
        let _ = handle.answer(number, true).await.unwrap();
        let view = handle.wait().await.unwrap();
        assert_eq!((view.status, view.waits.len()), (RunStatus::Paused, 1));
        let _ = handle.resume().await.unwrap();
        assert_eq!(handle.wait().await.unwrap().status, RunStatus::Completed);

        host.engine.run(host.start("r2", APPROVAL)).await.unwrap();
        let handle = host.engine.handle(&id("r2"));
        let _ = handle.cancel().await.unwrap();
        let view = handle.view().await.unwrap();
        assert_eq!((view.status, view.waits.len()), (RunStatus::Cancelled, 0));
    });
}

#[test]
fn a_resumption_of_a_run_that_is_not_paused_changes_nothing() {
    let host = Host::new();
    host.sim.block_on(async {
        // While it is driven, and before it is driven.
        host.engine.create(host.start("r1", APPROVAL)).await.unwrap();
        host.store.request(&id("r1"), Control::Resume.into()).await.unwrap();
        let view = host.engine.drive(&id("r1")).await.unwrap();
        assert_eq!((view.status, only_wait(&view).1), (RunStatus::Paused, WaitReason::Approval));
        // While it waits for a person, by a driver and by a mere sender.
        host.store.request(&id("r1"), Control::Resume.into()).await.unwrap();
        assert_eq!(host.engine.drive(&id("r1")).await.unwrap(), view);
        let handle = host.engine.handle(&id("r1"));
        let _ = handle.resume().await.unwrap();
        assert_eq!(handle.wait().await.unwrap(), view);
        let _ = handle.answer(only_wait(&view).0, true).await.unwrap();
        assert_eq!(handle.wait().await.unwrap().status, RunStatus::Completed);

        // While it waits for its quota.
        let running = host.engine.run(host.start("r2", QUOTA));
        let resuming = async {
            host.sim.sleep_ms(1_000).await;
            let _ = host.engine.handle(&id("r2")).resume().await.unwrap();
            host.sim.sleep_ms(1_000).await;
            assert_eq!(host.engine.handle(&id("r2")).status().await.unwrap(), RunStatus::Paused);
        };
        let (left, ()) = join(running, resuming).await;
        left.unwrap();
        assert_eq!(host.engine.handle(&id("r2")).wait().await.unwrap().status, RunStatus::Completed);
    });
}

const ASKED_AFTER: &str = "
workflow: { name: Pays, stages: [pay] }
pay: { provider: ann, on_interrupt: ask, with: { ann: { after: 100, reply: paid } } }
";

#[test]
fn the_outcome_of_an_interrupted_call_is_asked_for_and_never_assumed() {
    let answers = [
        (json!({ "outcome": "happened", "result": "paid by hand" }), "paid by hand", 1),
        (json!({ "outcome": "not_happened" }), "paid", 2),
        (json!("rerun"), "paid", 2),
    ];
    for (answer, expected, calls) in answers {
        let host = Host::new();
        host.sim.block_on(async {
            let driving = Box::pin(host.engine.run(host.start("r1", ASKED_AFTER)));
            let Either::Right(_) = select(driving, host.sim.sleep_ms(50)).await else {
                panic!("it has ended")
            };
            let view = host.engine.drive(&id("r1")).await.unwrap();
            assert_eq!((view.status, only_wait(&view).1), (RunStatus::Paused, WaitReason::UnknownOutcome));
            assert_eq!(host.deeds.calls().len(), 1, "no call runs again before a person agrees");
            let handle = host.engine.handle(&id("r1"));
            let _ = handle.answer(only_wait(&view).0, answer).await.unwrap();
            let view = handle.wait().await.unwrap();
            assert_eq!((view.status, output(&view, "pay")), (RunStatus::Completed, json!(expected)));
            assert_eq!(view.spent.attempts, calls, "an answer is not an attempt");
            assert_eq!((view.spent.unpriced, view.context.stages["pay"].spent.attempts), (calls, calls));
        });
        assert_eq!(host.deeds.calls().len() as u64, calls);
    }
}

#[test]
fn no_person_is_asked_for_the_outcome_of_a_call_whose_stage_has_failed() {
    let workflow = "
workflow: { name: Fails, stages: [work] }
work:
  mode: parallel
  providers: [{ provider: ann }, { provider: bob }]
  on_interrupt: ask
  with: { ann: { fail: permanent }, bob: { after: 100 } }
";
    let host = Host::new();
    let view = host.sim.block_on(async {
        let driving = Box::pin(host.engine.run(host.start("r1", workflow)));
        let Either::Right(_) = select(driving, host.sim.sleep_ms(50)).await else { panic!("it has ended") };
        host.engine.drive(&id("r1")).await.unwrap()
    });
    assert_eq!(view.status, RunStatus::Failed);
    assert!(!host.log("r1").contains("node_asked"), "{}", host.log("r1"));
}

const QUOTA: &str = "
workflow: { name: Quota, stages: [work] }
work:
  provider: ann
  with: { ann: [{ fail: rate_limited, until: 3600000 }, { reply: done }] }
";

#[test]
fn a_run_over_its_quota_continues_by_itself_when_it_is_due() {
    // In the caller's future, and in the background.
    let host = Host::new();
    host.sim.block_on(async {
        let running = host.engine.run(host.start("r1", QUOTA));
        let looking = async {
            host.sim.sleep_ms(1_000).await;
            let record = host.store.get(&id("r1")).await.unwrap();
            let wait = record.head.wait.unwrap();
            assert_eq!((record.holder, record.head.status), (None, RunStatus::Paused));
            assert_eq!((wait.reason, wait.until.is_some()), (WaitReason::Quota, true));
            let unfinished = host.engine.unfinished().await.unwrap();
            assert_eq!(unfinished.len(), 1, "a host that starts again finds it");
        };
        let (view, ()) = join(running, looking).await;
        assert_eq!(view.unwrap().status, RunStatus::Completed);

        for run in ["r2", "r3", "r4"] {
            host.engine.start(host.start(run, QUOTA)).await.unwrap();
        }
        host.sim.sleep_ms(3_599_000).await;
        for run in ["r2", "r3", "r4"] {
            assert_eq!(host.store.get(&id(run)).await.unwrap().holder, None);
        }
        host.sim.sleep_ms(2_000).await;
        for run in ["r2", "r3", "r4"] {
            assert_eq!(host.engine.handle(&id(run)).status().await.unwrap(), RunStatus::Completed);
        }
    });
    assert!(host.log("r2").contains("run_continued"));
}

#[test]
fn runs_that_wait_in_the_background_continue_at_their_times_whatever_they_are_called() {
    let host = Host::new();
    // Some look like ids that the engine generates.
    let called = ["r1", "0192d5b1-0000-7000-8000-00000000000A", "0192d5b1-0000-7000-8000-00000000000a"];
    let called = called
        .into_iter()
        .chain(["0192d5b1000070008000000000000009", "long-long-long-long-long-long-long-long"]);
    let called = called.map(Some).chain([None, None]);
    host.sim.block_on(async {
        let start = host.sim.now();
        let mut waiting = Vec::new();
        // The run that begins first waits longest.
        for (hours, run) in (1_i64..=7).rev().zip(called) {
            let yaml = QUOTA.replace("3600000", &(hours * 3_600_000).to_string());
            let start = StartRun::plan(&host.engine.parse(&yaml, "test").unwrap());
            let start = run.into_iter().fold(start, |start, run| start.run_id(id(run)));
            waiting.push((hours, host.engine.start(start).await.unwrap()));
        }
        for (hours, run) in waiting {
            let view = run.wait().await.unwrap();
            assert_eq!(view.status, RunStatus::Completed);
            let took = view.completed_at.unwrap().duration_since(start).as_millis();
            let ends = i128::from(hours * 3_600_000) + 20;
            assert_eq!(took, ends, "{}: neither early nor late", run.id());
        }
    });
}

#[test]
fn a_parked_run_can_be_cancelled_before_its_time() {
    let host = Host::new();
    host.sim.block_on(async {
        let running = host.engine.run(host.start("r1", QUOTA));
        let cancelling = async {
            host.sim.sleep_ms(1_000).await;
            let _ = host.engine.handle(&id("r1")).cancel().await.unwrap();
        };
        let (view, ()) = join(running, cancelling).await;
        assert_eq!(view.unwrap().status, RunStatus::Cancelled);
    });
    assert_eq!(host.deeds.calls().len(), 1);
}

#[test]
fn an_approved_call_that_cannot_be_made_fails_its_lane_while_another_waits_for_a_place() {
    let host = Host::with(|builder| builder.limits(Limits::new().limit("ann", 1)));
    let place = host.engine.limits().try_acquire("ann").unwrap();
    let workflow = "
workflow: { name: Approved, stages: [work] }
work: { profile: graph, provider: ann }
";
    let graph = "
graph:
  - { id: a, type: run }
  - { id: b, type: run, provider: \"${vars.unknown}\", approval: Really? }
";
    let view = host.sim.block_on(async {
        let running = host.engine.run(start("r1", workflow, &[("work", graph)]));
        let answering = async {
            host.sim.sleep_ms(5).await;
            let handle = host.engine.handle(&id("r1"));
            let (number, _) = only_wait(&handle.view().await.unwrap());
            let _ = handle.answer(number, true).await.unwrap();
        };
        join(running, answering).await.0.unwrap()
    });
    drop(place);
    assert_eq!(view.status, RunStatus::Failed, "{}", host.log("r1"));
    assert_eq!(host.deeds.calls().len(), 0);
}
