//! A run's events fold to its state, and invalid logs are refused.

use serde_json::Value;
use workflow_core::event::Event;
use workflow_core::machine::{Broken, State};
use workflow_core::status::RunStatus;

const CREATED: &str =
    r#"run_created {"run":"r-1","workflow":"ship","bundle":"BUNDLE","vars":{"n":1},"seed":7}"#;

/// Two iterations: a retry, an interrupted attempt, a pause, a skipped stage, a stage that failed.
const LOG: &str = r#"
run_started
stage_started {"iteration":1,"stage":"plan"}
node_queued {"path":"1/plan[0]/run","provider":"codex"}
attempt_started {"path":"1/plan[0]/run","attempt":1,"provider":"codex","role":"planner"}
session_recorded {"path":"1/plan[0]/run","attempt":1,"session":"s-1"}
attempt_failed {"path":"1/plan[0]/run","attempt":1,"error":{"class":"transient","message":"busy"},"retry_at":"2026-01-02T03:04:10Z"}
pause_requested {"control":1}
run_paused
run_resumed {"control":2}
attempt_started {"path":"1/plan[0]/run","attempt":2,"provider":"codex"}
attempt_interrupted {"path":"1/plan[0]/run","attempt":2}
attempt_started {"path":"1/plan[0]/run","attempt":3,"provider":"codex"}
attempt_succeeded {"path":"1/plan[0]/run","attempt":3,"output":{"files":["a.rs"]}}
stage_completed {"iteration":1,"stage":"plan","output_of":0,"set":{"n":2,"m":"x"}}
stage_skipped {"iteration":1,"stage":"code"}
stage_started {"iteration":1,"stage":"check","lanes":2}
attempt_started {"path":"1/check[0]/run","attempt":1,"provider":"codex"}
attempt_started {"path":"1/check[1]/run","attempt":1,"provider":"gemini"}
attempt_succeeded {"path":"1/check[1]/run","attempt":1,"output":{"done":false}}
attempt_cancelled {"path":"1/check[0]/run","attempt":1}
stage_completed {"iteration":1,"stage":"check","output_of":1}
iteration_ended {"iteration":1,"done":false,"next":"plan"}
stage_started {"iteration":2,"stage":"plan"}
attempt_started {"path":"2/plan[0]/run","attempt":1,"provider":"codex"}
attempt_failed {"path":"2/plan[0]/run","attempt":1,"error":{"class":"permanent","message":"bad key"}}
stage_failed {"iteration":2,"stage":"plan","error":{"class":"permanent","message":"bad key"},"continues":true}
iteration_ended {"iteration":2,"done":true}
run_completed {"failed_stages":["plan"]}
"#;

/// Parses `type data` lines as the events of a log, numbered from 1.
fn events(script: &str) -> Vec<Event> {
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.enumerate().map(|(n, line)| event(n as u64 + 1, line)).collect()
}

fn event(seq: u64, line: &str) -> Event {
    let (kind, data) = line.split_once(' ').unwrap_or((line, "null"));
    let data = data.replace("BUNDLE", &"0f".repeat(32));
    let at = format!("2026-01-02T03:04:{:02}Z", seq % 60);
    serde_json::from_str(&format!(r#"{{"seq":{seq},"at":"{at}","v":1,"type":"{kind}","data":{data}}}"#))
        .unwrap()
}

fn log() -> Vec<Event> {
    events(&format!("{CREATED}\n{LOG}"))
}

/// The message that says why `events` are refused.
fn broken(events: &[Event]) -> String {
    State::fold(events).unwrap_err().to_string()
}

#[test]
fn a_log_folds_to_the_state_of_its_run() {
    let state = State::fold(&log()).unwrap();
    assert_eq!((state.last_event(), state.last_control(), state.status()), (29, 2, RunStatus::Completed));
    let head = state.head();
    assert_eq!(head.created_at, log()[0].at);
    assert_eq!(head.started_at, Some(log()[1].at));
    assert_eq!(head.completed_at, Some(log()[28].at));
    assert_eq!((&head.wait, &head.error), (&None, &None));
    let (progress, view) = (head.progress.unwrap(), state.view());
    assert_eq!((progress.iteration, progress.spent), (2, view.spent));
    assert_eq!((&progress.current_stage, progress.waits.len()), (&None, 0));
    let stages = view.context.stages.into_iter().map(|(stage, view)| (stage, view.status));
    assert_eq!(progress.stages, stages.collect::<Vec<_>>());
    assert_eq!(State::first(&log()[0]).unwrap().head().progress, None);

    let view: Value = serde_json::to_value(state.view()).unwrap();
    assert_eq!(view["iteration"], 2);
    assert_eq!(view["failedStages"], serde_json::json!(["plan"]));
    assert_eq!(view["context"]["vars"], serde_json::json!({"n": 2, "m": "x"}));
    assert_eq!(view["context"]["stages"]["check"]["output"], serde_json::json!({"done": false}));
    assert_eq!(view["context"]["stages"]["code"]["status"], "skipped");
    assert_eq!(view["context"]["stages"]["plan"]["status"], "failed");
}

#[test]
fn progress_has_the_statuses_of_up_to_a_hundred_stages() {
    // With so many stages that ended, and one that is new or has ended before.
    for (ended, current, listed) in [
        (99, Some("new"), 100),
        (100, None, 100),
        (100, Some("s7"), 100),
        (100, Some("new"), 0),
        (101, None, 0),
    ] {
        let skipped = (0..ended).map(|n| format!(r#"stage_skipped {{"iteration":1,"stage":"s{n}"}}"#));
        let mut script: Vec<_> =
            [CREATED.to_owned(), "run_started".to_owned()].into_iter().chain(skipped).collect();
        if let Some(stage) = current {
            script.push(r#"iteration_ended {"iteration":1,"done":false,"next":"s7"}"#.to_owned());
            script.push(format!(r#"stage_started {{"iteration":2,"stage":"{stage}"}}"#));
        }
        let progress = State::fold(&events(&script.join("\n"))).unwrap().progress().unwrap();
        assert_eq!(progress.stages.len(), listed, "{ended} {current:?}");
        assert_eq!(progress.current_stage.map(|stage| stage.to_string()).as_deref(), current);
    }
}

#[test]
fn folding_is_applying_one_event_after_the_other() {
    let events = log();
    let mut state = State::first(&events[0]).unwrap();
    for (n, event) in events.iter().enumerate().skip(1) {
        assert_eq!(state, State::fold(&events[..n]).unwrap(), "after event {n}");
        assert_eq!(u64::try_from(n), Ok(state.last_event()));
        state.apply(event).unwrap();
    }
    assert_eq!(state, State::fold(&events).unwrap());
}

#[test]
fn a_log_with_a_missing_doubled_or_swapped_event_is_refused_by_number() {
    const GAP: &str = "does not follow from the events before it: event numbers have no gaps";
    let events = log();
    for n in 1..events.len() {
        if n + 1 < events.len() {
            let mut missing = events.clone();
            missing.remove(n);
            let (seq, kind) = (events[n + 1].seq, events[n + 1].body.kind());
            assert_eq!(broken(&missing), format!("event {seq} ({kind}) {GAP}"));

            let mut swapped = events.clone();
            swapped.swap(n, n + 1);
            assert_eq!(broken(&swapped), format!("event {seq} ({kind}) {GAP}"));
        }
        let mut doubled = events.clone();
        doubled.insert(n, events[n].clone());
        let (seq, kind) = (events[n].seq, events[n].body.kind());
        assert_eq!(broken(&doubled), format!("event {seq} ({kind}) {GAP}"));
    }
}

#[test]
fn a_log_begins_with_its_run_being_created() {
    let events = log();
    assert_eq!(
        State::fold([]).unwrap_err(),
        Broken { seq: 0, kind: "none", reason: "a run has at least one event" }
    );
    assert_eq!(
        broken(&events[1..]),
        "event 2 (run_started) does not follow from the events before it: the first event is run_created"
    );
    assert_eq!(
        broken(&[event(2, CREATED)]),
        "event 2 (run_created) does not follow from the events before it: the first event has the number 1"
    );
}

#[test]
fn an_event_that_does_not_follow_is_refused() {
    const PLAN: &str = "stage_started {\"iteration\":1,\"stage\":\"plan\"}\n";
    const STARTED: &str = "attempt_started {\"path\":\"1/plan[0]/run\",\"attempt\":1,\"provider\":\"p\"}\n";
    const SUCCEEDED: &str = "attempt_succeeded {\"path\":\"1/plan[0]/run\",\"attempt\":1,\"output\":null}\n";
    let table = [
        (String::new(), CREATED, "the run was created already"),
        (String::new(), STARTED, "its stage is not under way"),
        (String::new(), r#"stage_completed {"iteration":1,"stage":"plan"}"#, "no stage is under way"),
        (PLAN.into(), &STARTED.replace("1/plan", "2/plan"), "its stage is not under way"),
        (PLAN.into(), &STARTED.replace("/plan", "/code"), "its stage is not under way"),
        (PLAN.into(), &STARTED.replace("[0]", "[1]"), "the stage has fewer lanes"),
        (
            String::new(),
            &PLAN.replace("\"plan\"", "\"plan\",\"lanes\":4000000000"),
            "a stage has at most 10,000 lanes",
        ),
        (PLAN.into(), SUCCEEDED, "the node does not run"),
        (PLAN.into(), r#"stage_completed {"iteration":1,"stage":"code"}"#, "another stage is under way"),
        (format!("{PLAN}{STARTED}"), STARTED, "the node runs already"),
        (format!("{PLAN}{STARTED}"), &SUCCEEDED.replace(":1,", ":2,"), "another attempt of the node runs"),
        (
            format!("{PLAN}{STARTED}"),
            r#"stage_completed {"iteration":1,"stage":"plan"}"#,
            "the stage has running nodes",
        ),
        (PLAN.into(), "run_completed {}", "a stage is under way"),
        (format!("{PLAN}{STARTED}"), "run_cancelled", "the stage has running nodes"),
        (format!("{PLAN}{STARTED}{SUCCEEDED}"), STARTED, "the node has succeeded already"),
        (format!("{PLAN}{STARTED}{SUCCEEDED}"), SUCCEEDED, "the node does not run"),
        ("run_completed {}".into(), "run_started", "the run has ended"),
        ("run_cancelled".into(), "run_cancelled", "the run has ended"),
        (
            r#"run_failed {"error":{"class":"stage","message":"m"}}"#.into(),
            r#"run_resumed {"control":9}"#,
            "the run has ended",
        ),
    ];
    for (before, last, reason) in table {
        let script = format!("{CREATED}\n{before}");
        let mut events = events(&script);
        State::fold(&events).unwrap_or_else(|error| panic!("{script}: {error}"));
        events.push(event(events.len() as u64 + 1, last.trim()));
        let error = State::fold(&events).expect_err(&script);
        assert_eq!(error.reason, reason, "{script}\n{last}");
        assert_eq!((error.seq, error.kind), (events.len() as u64, events.last().unwrap().body.kind()));
    }
}
