//! The stored form of events: what is written, what is read back, and what is refused.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::str::FromStr;
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::data::Data;
use workflow_core::definition::{Lane, OnFailure, Stage, Workflow};
use workflow_core::event::{BudgetLimit, EVENT_VERSION, Event, EventBody, LaneOutput, RunCreated, RunForked};
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::ids::StageId;
use workflow_core::status::{Wait, WaitReason};
use workflow_core::usage::Usage;

fn id<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn stage(text: &str) -> StageId {
    id(text)
}

fn event(seq: u64, body: EventBody) -> Event {
    Event { seq, at: id("2026-01-02T03:04:05Z"), body }
}

/// What stands in a log for event 4 with `rest`, its type and data.
fn line(rest: &str) -> String {
    format!(r#"{{"seq":4,"at":"2026-01-02T03:04:05Z","v":1,{rest}}}"#)
}

fn quota() -> Wait {
    let mut wait = Wait::of(WaitReason::Quota);
    wait.until = Some(id("2026-01-02T04:00:00Z"));
    wait
}

/// Every kind of event, with and without its optional fields, and how it is written.
fn kinds() -> Vec<(EventBody, &'static str)> {
    let path = || id("2/test[1]/run");
    let hash = || BundleHash::try_from("0f".repeat(32)).unwrap();
    let failure = || Failure::new(FailureClass::IdleTimeout, "silent \"for\" 5m");
    let vars = || IndexMap::from([("b".to_owned(), Data::new(&json!(1))), ("a".to_owned(), Data::NULL)]);
    vec![
        (
            EventBody::RunCreated(Arc::new(RunCreated {
                run: id("r-1"),
                workflow: id("ship"),
                bundle: hash(),
                vars: vars(),
                on_failure: Some(OnFailure::Continue),
                interactive: true,
                seed: u64::MAX,
            })),
            concat!(
                r#""type":"run_created","data":{"run":"r-1","workflow":"ship","#,
                r#""bundle":"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","#,
                r#""vars":{"b":1,"a":null},"on_failure":"continue","interactive":true,"seed":18446744073709551615}"#,
            ),
        ),
        (
            EventBody::RunCreated(Arc::new(RunCreated {
                run: id("r-1"),
                workflow: id("ship"),
                bundle: hash(),
                vars: IndexMap::new(),
                on_failure: None,
                interactive: false,
                seed: 0,
            })),
            concat!(
                r#""type":"run_created","data":{"run":"r-1","workflow":"ship","#,
                r#""bundle":"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","seed":0}"#,
            ),
        ),
        (EventBody::RunStarted, r#""type":"run_started""#),
        (
            EventBody::StageStarted { iteration: 1, stage: stage("plan"), lanes: 1 },
            r#""type":"stage_started","data":{"iteration":1,"stage":"plan"}"#,
        ),
        (
            EventBody::StageStarted { iteration: 1, stage: stage("test"), lanes: 3 },
            r#""type":"stage_started","data":{"iteration":1,"stage":"test","lanes":3}"#,
        ),
        (
            EventBody::StageSkipped { iteration: 2, stage: stage("test") },
            r#""type":"stage_skipped","data":{"iteration":2,"stage":"test"}"#,
        ),
        (
            EventBody::LaneStarted {
                iteration: 1,
                stage: stage("plan"),
                lane: 2,
                provider: "codex".into(),
                role: Some(id("tester")),
            },
            concat!(
                r#""type":"lane_started","data":{"iteration":1,"stage":"plan","lane":2,"#,
                r#""provider":"codex","role":"tester"}"#,
            ),
        ),
        (
            EventBody::NodeStarted { path: path(), items: Data::new(&json!([1, "a"])) },
            r#""type":"node_started","data":{"path":"2/test[1]/run","items":[1,"a"]}"#,
        ),
        (
            EventBody::NodeCompleted { path: path(), output: Data::new(&json!("x")), set: None },
            r#""type":"node_completed","data":{"path":"2/test[1]/run","output":"x"}"#,
        ),
        (
            EventBody::NodeCompleted { path: path(), output: Data::NULL, set: Some(Arc::new(vars())) },
            r#""type":"node_completed","data":{"path":"2/test[1]/run","output":null,"set":{"b":1,"a":null}}"#,
        ),
        (
            EventBody::NodeFailed { path: path(), error: Arc::new(failure()) },
            concat!(
                r#""type":"node_failed","data":{"path":"2/test[1]/run","#,
                r#""error":{"class":"idle_timeout","message":"silent \"for\" 5m"}}"#,
            ),
        ),
        (
            EventBody::NodeSkipped { path: path().item(7) },
            r#""type":"node_skipped","data":{"path":"2/test[1]/run[7]"}"#,
        ),
        (
            EventBody::LaneCompleted {
                iteration: 1,
                stage: stage("plan"),
                lane: 0,
                output_of: LaneOutput::Node(id("publish")),
            },
            concat!(
                r#""type":"lane_completed","data":{"iteration":1,"stage":"plan","lane":0,"#,
                r#""output_of":"publish"}"#,
            ),
        ),
        (
            EventBody::LaneCompleted {
                iteration: 1,
                stage: stage("plan"),
                lane: 0,
                output_of: LaneOutput::Nodes(vec![id("a"), id("b")]),
            },
            concat!(
                r#""type":"lane_completed","data":{"iteration":1,"stage":"plan","lane":0,"#,
                r#""output_of":["a","b"]}"#,
            ),
        ),
        (
            EventBody::LaneFailed { iteration: 1, stage: stage("plan"), lane: 1, error: Arc::new(failure()) },
            concat!(
                r#""type":"lane_failed","data":{"iteration":1,"stage":"plan","lane":1,"#,
                r#""error":{"class":"idle_timeout","message":"silent \"for\" 5m"}}"#,
            ),
        ),
        (
            EventBody::NodeQueued { path: path(), provider: "codex".into() },
            r#""type":"node_queued","data":{"path":"2/test[1]/run","provider":"codex"}"#,
        ),
        (
            EventBody::AttemptStarted {
                path: path(),
                attempt: 3,
                provider: "codex".into(),
                role: Some(id("tester")),
            },
            concat!(
                r#""type":"attempt_started","data":{"path":"2/test[1]/run","attempt":3,"#,
                r#""provider":"codex","role":"tester"}"#,
            ),
        ),
        (
            EventBody::AttemptStarted { path: path(), attempt: 1, provider: "codex".into(), role: None },
            r#""type":"attempt_started","data":{"path":"2/test[1]/run","attempt":1,"provider":"codex"}"#,
        ),
        (
            EventBody::SessionRecorded { path: path(), attempt: 1, session: "a/b c".into() },
            r#""type":"session_recorded","data":{"path":"2/test[1]/run","attempt":1,"session":"a/b c"}"#,
        ),
        (
            EventBody::AttemptSucceeded {
                path: path(),
                attempt: 1,
                output: Data::new(&json!({"done": true, "at": [1.0, null]})),
                set: None,
                usage: Some(Box::new(Usage {
                    input_tokens: Some(7),
                    output_tokens: None,
                    cost_usd: Some(0.25),
                })),
            },
            concat!(
                r#""type":"attempt_succeeded","data":{"path":"2/test[1]/run","attempt":1,"#,
                r#""output":{"done":true,"at":[1.0,null]},"usage":{"input_tokens":7,"cost_usd":0.25}}"#,
            ),
        ),
        (
            EventBody::AttemptSucceeded {
                path: path().item(3).item(0),
                attempt: 1,
                output: Data::NULL,
                set: Some(Arc::new(vars())),
                usage: None,
            },
            concat!(
                r#""type":"attempt_succeeded","data":{"path":"2/test[1]/run[3][0]","attempt":1,"#,
                r#""output":null,"set":{"b":1,"a":null}}"#,
            ),
        ),
        (
            EventBody::AttemptFailed {
                path: path(),
                attempt: 1,
                error: Arc::new(failure().with_details(json!({"exit": 7}))),
                retry_at: Some(id("2026-01-02T03:04:10.5Z")),
                parked: true,
                repair: true,
                usage: Some(Box::default()),
            },
            concat!(
                r#""type":"attempt_failed","data":{"path":"2/test[1]/run","attempt":1,"#,
                r#""error":{"class":"idle_timeout","message":"silent \"for\" 5m","details":{"exit":7}},"#,
                r#""retry_at":"2026-01-02T03:04:10.5Z","parked":true,"repair":true,"usage":{}}"#,
            ),
        ),
        (
            EventBody::AttemptFailed {
                path: path(),
                attempt: 1,
                error: Arc::new(failure()),
                retry_at: None,
                parked: false,
                repair: false,
                usage: None,
            },
            concat!(
                r#""type":"attempt_failed","data":{"path":"2/test[1]/run","attempt":1,"#,
                r#""error":{"class":"idle_timeout","message":"silent \"for\" 5m"}}"#,
            ),
        ),
        (
            EventBody::AttemptCancelled { path: path(), attempt: 2, usage: None },
            r#""type":"attempt_cancelled","data":{"path":"2/test[1]/run","attempt":2}"#,
        ),
        (
            EventBody::AttemptInterrupted { path: path(), attempt: 2 },
            r#""type":"attempt_interrupted","data":{"path":"2/test[1]/run","attempt":2}"#,
        ),
        (
            EventBody::StageCompleted {
                iteration: 1,
                stage: stage("plan"),
                output_of: Some(0),
                set: Some(Arc::new(vars())),
            },
            concat!(
                r#""type":"stage_completed","data":{"iteration":1,"stage":"plan","output_of":0,"#,
                r#""set":{"b":1,"a":null}}"#,
            ),
        ),
        (
            EventBody::StageCompleted { iteration: 1, stage: stage("plan"), output_of: None, set: None },
            r#""type":"stage_completed","data":{"iteration":1,"stage":"plan"}"#,
        ),
        (
            EventBody::StageFailed {
                iteration: 1,
                stage: stage("plan"),
                error: Arc::new(failure()),
                continues: true,
            },
            concat!(
                r#""type":"stage_failed","data":{"iteration":1,"stage":"plan","#,
                r#""error":{"class":"idle_timeout","message":"silent \"for\" 5m"},"continues":true}"#,
            ),
        ),
        (
            EventBody::IterationEnded { iteration: 1, done: false, next: Some(stage("code")) },
            r#""type":"iteration_ended","data":{"iteration":1,"done":false,"next":"code"}"#,
        ),
        (
            EventBody::IterationEnded { iteration: 5, done: true, next: None },
            r#""type":"iteration_ended","data":{"iteration":5,"done":true}"#,
        ),
        (
            EventBody::StageAsked { iteration: 1, stage: stage("ship"), question: "Ship it?".to_owned() },
            r#""type":"stage_asked","data":{"iteration":1,"stage":"ship","question":"Ship it?"}"#,
        ),
        (
            EventBody::NodeAsked {
                path: path(),
                reason: WaitReason::Question,
                question: "Which?".to_owned(),
                schema: Some(Data::new(&json!({ "enum": ["a", "b"] }))),
            },
            concat!(
                r#""type":"node_asked","data":{"path":"2/test[1]/run","reason":"question","#,
                r#""question":"Which?","schema":{"enum":["a","b"]}}"#,
            ),
        ),
        (
            EventBody::NodeAsked {
                path: path(),
                reason: WaitReason::UnknownOutcome,
                question: "Did it happen?".to_owned(),
                schema: None,
            },
            concat!(
                r#""type":"node_asked","data":{"path":"2/test[1]/run","reason":"unknown_outcome","#,
                r#""question":"Did it happen?"}"#,
            ),
        ),
        (
            EventBody::Answered { control: 1, wait: 7, answer: Data::new(&json!("a")) },
            r#""type":"answered","data":{"control":1,"wait":7,"answer":"a"}"#,
        ),
        (
            EventBody::AnswerRefused { control: 2, wait: 8, reason: "too late".to_owned() },
            r#""type":"answer_refused","data":{"control":2,"wait":8,"reason":"too late"}"#,
        ),
        (
            EventBody::RunWaiting { wait: Box::new(quota()) },
            r#""type":"run_waiting","data":{"wait":{"reason":"quota","until":"2026-01-02T04:00:00Z"}}"#,
        ),
        (EventBody::RunContinued, r#""type":"run_continued""#),
        (
            EventBody::BudgetWarning {
                stage: Some(stage("plan")),
                limit: BudgetLimit::Cost,
                used: 0.9,
                of: 1.0,
            },
            r#""type":"budget_warning","data":{"stage":"plan","limit":"cost","used":0.9,"of":1.0}"#,
        ),
        (
            EventBody::BudgetWarning { stage: None, limit: BudgetLimit::Tokens, used: 90.0, of: 100.0 },
            r#""type":"budget_warning","data":{"limit":"tokens","used":90.0,"of":100.0}"#,
        ),
        (
            EventBody::SessionDropped { path: path(), session: "s1".into() },
            r#""type":"session_dropped","data":{"path":"2/test[1]/run","session":"s1"}"#,
        ),
        (
            EventBody::RunForked(Box::new(RunForked {
                from: id("r0"),
                event: 9,
                vars: [("x".to_owned(), Data::new(&json!(1)))].into(),
                outputs: [(stage("plan"), Data::new(&json!("better")))].into(),
            })),
            concat!(
                r#""type":"run_forked","data":{"from":"r0","event":9,"#,
                r#""vars":{"x":1},"outputs":{"plan":"better"}}"#,
            ),
        ),
        migrated(),
        (EventBody::PauseRequested { control: 1 }, r#""type":"pause_requested","data":{"control":1}"#),
        (EventBody::RunPaused, r#""type":"run_paused""#),
        (EventBody::RunResumed { control: 2 }, r#""type":"run_resumed","data":{"control":2}"#),
        (
            EventBody::CancelRequested { control: 3, at_once: false },
            r#""type":"cancel_requested","data":{"control":3}"#,
        ),
        (
            EventBody::CancelRequested { control: 3, at_once: true },
            r#""type":"cancel_requested","data":{"control":3,"at_once":true}"#,
        ),
        (EventBody::RunCompleted { failed_stages: vec![] }, r#""type":"run_completed","data":{}"#),
        (
            EventBody::RunCompleted { failed_stages: vec![stage("test"), stage("code")] },
            r#""type":"run_completed","data":{"failed_stages":["test","code"]}"#,
        ),
        (
            EventBody::RunFailed { error: Arc::new(failure()) },
            concat!(
                r#""type":"run_failed","data":{"error":"#,
                r#"{"class":"idle_timeout","message":"silent \"for\" 5m"}}"#,
            ),
        ),
        (EventBody::RunCancelled, r#""type":"run_cancelled""#),
    ]
}

/// A run's new bundle is written as bundles are.
fn migrated() -> (EventBody, &'static str) {
    let mut workflow = Workflow::new(id("w"), "Workflow");
    workflow = workflow.stage(stage("plan"), Stage::with_lanes([Lane::new("ann")]));
    let bundle = Arc::new(Bundle::new(workflow));
    let hash = bundle.hash().unwrap();
    let data = json!({ "hash": hash, "bundle": bundle });
    let text = format!(r#""type":"run_migrated","data":{data}"#);
    (EventBody::RunMigrated { hash, bundle }, text.leak())
}

#[test]
fn every_kind_is_written_as_documented_and_read_back() {
    for (body, rest) in kinds() {
        let event = event(4, body);
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(text, line(rest));
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event, "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::from_value::<Event>(value).unwrap(), event, "{text}, as a value");
        assert!(text.contains(&format!(r#""type":"{}""#, event.body.kind())), "{text}");
    }
}

#[test]
fn every_kind_follows_the_schema() {
    let schema = jsonschema::validator_for(&workflow_core::schema::run_event()).unwrap();
    for (_, rest) in kinds() {
        let event: Value = serde_json::from_str(&line(rest)).unwrap();
        let wrong = schema.validate(&event).map_err(|error| error.to_string());
        assert_eq!(wrong, Ok(()), "{event}");
    }
    assert!(
        !schema.is_valid(&json!({ "seq": 1, "at": "2026-01-02T03:04:05Z", "v": 1, "type": "unheard_of" }))
    );
}

/// Outside its crate the enum cannot be matched without a wildcard; its schema lists its kinds.
#[test]
fn no_kind_is_left_out_here() {
    let schema = schemars::schema_for!(EventBody).to_value();
    let kinds_of_schema: BTreeSet<String> = schema["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| kind["properties"]["type"]["const"].as_str().unwrap().to_owned())
        .collect();
    let kinds_here: BTreeSet<String> = kinds().iter().map(|(body, _)| body.kind().to_owned()).collect();
    assert_eq!(kinds_here, kinds_of_schema);
}

#[test]
fn only_three_kinds_end_a_run() {
    let terminal: BTreeSet<_> =
        kinds().iter().filter(|(body, _)| body.is_terminal()).map(|(body, _)| body.kind()).collect();
    assert_eq!(terminal, BTreeSet::from(["run_cancelled", "run_completed", "run_failed"]));
}

#[test]
fn the_order_of_keys_and_what_is_not_known_of_an_event_do_not_matter() {
    let expected = event(4, EventBody::StageStarted { iteration: 1, stage: stage("plan"), lanes: 1 });
    for text in [
        r#"{"seq":4,"at":"2026-01-02T03:04:05Z","v":1,"data":{"iteration":1,"stage":"plan"},"type":"stage_started"}"#,
        r#"{"data":{"stage":"plan","iteration":1},"type":"stage_started","v":1,"at":"2026-01-02T03:04:05Z","seq":4}"#,
        r#"{"seq":4,"at":"2026-01-02T04:04:05+01:00","v":1,"type":"stage_started","data":{"iteration":1,"stage":"plan"}}"#,
        "{ \"seq\" : 4,\n\"at\":\"2026-01-02T03:04:05Z\",\"v\":1,\"type\":\"stage_started\",\
         \"data\":{ \"iteration\": 1,\n \"stage\": \"plan\" } }",
        // A field that a later version added.
        r#"{"seq":4,"at":"2026-01-02T03:04:05Z","v":1,"type":"stage_started","data":{"iteration":1,"stage":"plan","new":[]},"new":1}"#,
    ] {
        assert_eq!(serde_json::from_str::<Event>(text).unwrap(), expected, "{text}");
    }
    for text in [line(r#""type":"run_started","data":null"#), line(r#""data":null,"type":"run_started""#)] {
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event(4, EventBody::RunStarted), "{text}");
    }
}

#[test]
fn what_is_no_event_of_this_version_is_refused() {
    let table = [
        // Versions and types from elsewhere.
        (
            line(r#""type":"run_started""#).replace(r#""v":1"#, r#""v":2"#),
            "event 4 has format version 2; this version reads 1",
        ),
        (
            line(r#""type":"run_started""#).replace(r#""v":1"#, r#""v":0"#),
            "event 4 has format version 0; this version reads 1",
        ),
        (
            line(r#""type":"new_kind","data":{"a":1}"#).replace(r#""v":1"#, r#""v":7"#),
            "event 4 has format version 7; this version reads 1",
        ),
        (
            line(r#""type":"run_exploded","data":{}"#),
            "event 4: unknown variant `run_exploded`, expected one of `run_created`, ",
        ),
        (line(r#""type":"RunStarted""#), "event 4: unknown variant `RunStarted`, expected one of "),
        (line(r#""type":"","data":{}"#), "event 4: unknown variant ``, expected one of "),
        (
            line(r#""type":"run_started\",\"data\":\"""#),
            "event 4: unknown variant `run_started\",\"data\":\"`, expected one of ",
        ),
        // Missing and wrong fields.
        (r#"{"at":"2026-01-02T03:04:05Z","v":1,"type":"run_started"}"#.into(), "missing field `seq`"),
        (r#"{"seq":4,"v":1,"type":"run_started"}"#.into(), "missing field `at`"),
        (r#"{"seq":4,"at":"2026-01-02T03:04:05Z","type":"run_started"}"#.into(), "missing field `v`"),
        (r#"{"seq":4,"at":"2026-01-02T03:04:05Z","v":1}"#.into(), "missing field `type`"),
        (line(r#""type":"run_started","seq":5"#), "duplicate field `seq`"),
        (line(r#""type":"run_started","type":"run_paused""#), "duplicate field `type`"),
        (line(r#""type":"run_started""#).replace("2026-01-02T03", "2026-13-02T03"), "failed to parse"),
        (line(r#""type":"run_started""#).replace(":4,", ":-4,"), "invalid value: integer `-4`, expected u64"),
        (line(r#""type":"stage_started""#), "event 4: missing field `data`"),
        (line(r#""type":"stage_started","data":null"#), "event 4: missing field `data`"),
        (line(r#""type":"stage_started","data":{"iteration":1}"#), "event 4: missing field `stage`"),
        (
            line(r#""type":"stage_started","data":{"iteration":1,"stage":"../x"}"#),
            "event 4: `../x` is not a stage id: ",
        ),
        (
            line(r#""type":"stage_started","data":{"iteration":-1,"stage":"x"}"#),
            "event 4: invalid value: integer `-1`, expected u32",
        ),
        (
            line(r#""type":"attempt_cancelled","data":{"path":"test","attempt":1}"#),
            "event 4: `test` is not a node path: ",
        ),
        (
            line(r#""type":"attempt_succeeded","data":{"path":"1/a[0]/run","attempt":1}"#),
            "event 4: missing field `output`",
        ),
        (
            line(r#""type":"run_failed","data":{"error":{"class":"odd","message":"m"}}"#),
            "event 4: unknown variant `odd`, expected one of `transient`, ",
        ),
        (
            line(r#""type":"run_created","data":{"run":"r","workflow":"w","bundle":"00","seed":1}"#),
            "event 4: `00` is not a bundle hash: ",
        ),
        // No event at all.
        (String::new(), "EOF while parsing"),
        ("null".into(), "invalid type: null"),
        ("7".into(), "invalid type: integer `7`"),
        (line(r#""type":"run_started""#)[..40].into(), "EOF while parsing"),
        (line(r#""type":"run_started""#) + "}", "trailing characters"),
    ];
    for (text, message) in table {
        let error = serde_json::from_str::<Event>(&text).expect_err(&text).to_string();
        assert!(error.starts_with(message), "{text}\n{error}\n{message}");
    }
}

#[test]
fn values_are_kept_as_they_were_written() {
    let values = [
        r#"{"b":1,"a":{"z":[],"y":{}}}"#,
        "123456789012345678901234567890.000",
        "1E400",
        r#""\u0041\ud83e\udd80\/""#,
        "[ 1,  2 ]",
        "\"${vars.secret}\"",
    ];
    for value in values {
        let text = line(&format!(
            r#""type":"attempt_succeeded","data":{{"path":"1/a[0]/run","attempt":1,"output":{value}}}"#
        ));
        let event: Event = serde_json::from_str(&text).unwrap();
        let EventBody::AttemptSucceeded { output, .. } = &event.body else { panic!("{event:?}") };
        assert_eq!(output.json(), value);
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::with_cases(256)
    })]

    #[test]
    fn any_number_time_and_text_survive(
        seq in any::<u64>(),
        nanos in -62_000_000_000_000_000_000_i128..250_000_000_000_000_000_000,
        text in any::<String>(),
        key in any::<String>(),
    ) {
        let event = Event {
            seq,
            at: Timestamp::from_nanosecond(nanos).unwrap(),
            body: EventBody::StageCompleted {
                iteration: u32::MAX,
                stage: stage("a"),
                output_of: None,
                set: Some(Arc::new(IndexMap::from([(key, Data::new(&json!(text)))]))),
            },
        };
        let line = serde_json::to_string(&event).unwrap();
        prop_assert!(!line.contains('\n'), "an event is one line of a log: {}", line);
        prop_assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }

    #[test]
    fn a_damaged_line_is_refused_or_is_another_event(
        kind in 0..kinds().len(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = line(kinds()[kind].1).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(event) = serde_json::from_slice::<Event>(&bytes) {
            let again = serde_json::to_string(&event).unwrap();
            prop_assert_eq!(serde_json::from_str::<Event>(&again).unwrap(), event);
        }
        prop_assert!(serde_json::from_slice::<Event>(&bytes[..at]).is_err());
    }
}

#[test]
fn the_schema_of_an_event_tells_its_version_and_refers_to_its_kinds() {
    let schema = schemars::schema_for!(Event).to_value();
    assert_eq!(schema["properties"]["v"]["const"], EVENT_VERSION);
    assert_eq!(schema["required"], json!(["seq", "at", "v"]));
    assert_eq!(schema["allOf"], json!([{ "$ref": "#/$defs/EventBody" }]));
}
