//! Every kind of event and its line in a log.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::str::FromStr;
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::json;
use workflow_core::actor::Actor;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::data::Data;
use workflow_core::definition::{Lane, OnFailure, Stage, Workflow};
use workflow_core::event::{
    AnswerRefusal, BudgetLimit, Event, EventBody, LaneOutput, RunCreated, RunEnding, RunForked,
};
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::ids::StageId;
use workflow_core::priority::Priority;
use workflow_core::status::{RunStatus, Wait, WaitReason};
use workflow_core::store::Signal;
use workflow_core::usage::Usage;

use crate::children;

pub(crate) fn id<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(crate) fn stage(text: &str) -> StageId {
    id(text)
}

pub(crate) fn event(seq: u64, body: EventBody) -> Event {
    Event { seq, at: id("2026-01-02T03:04:05Z"), body }
}

/// The line of event 4 with `rest`, its type and data.
pub(crate) fn line(rest: &str) -> String {
    format!(r#"{{"seq":4,"at":"2026-01-02T03:04:05Z","v":1,{rest}}}"#)
}

pub(crate) fn quota() -> Wait {
    let mut wait = Wait::of(WaitReason::Quota);
    wait.until = Some(id("2026-01-02T04:00:00Z"));
    wait
}

fn ana() -> Arc<Actor> {
    Arc::new(Actor::new("u-1").name("Ana").via("http"))
}

/// Every kind of event, with and without its optional fields, and its stored form.
pub(crate) fn kinds() -> Vec<(EventBody, &'static str)> {
    let mut kinds = own_kinds();
    kinds.extend(children::kinds());
    kinds
}

fn own_kinds() -> Vec<(EventBody, &'static str)> {
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
                labels: BTreeMap::from([("owner".to_owned(), "ann".to_owned())]),
                on_failure: Some(OnFailure::Continue),
                interactive: true,
                max_iters: Some(7),
                isolated: true,
                slot: None,
                priority: Priority::HIGH,
                parent: None,
                budget: None,
                seed: u64::MAX,
                by: Some(ana()),
                signature: Some("5e1f".into()),
            })),
            concat!(
                r#""type":"run_created","data":{"run":"r-1","workflow":"ship","#,
                r#""bundle":"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","#,
                r#""vars":{"b":1,"a":null},"labels":{"owner":"ann"},"on_failure":"continue","max_iters":7,"interactive":true,"#,
                r#""isolated":true,"priority":5,"seed":18446744073709551615,"by":{"id":"u-1","name":"Ana","via":"http"},"#,
                r#""signature":"5e1f"}"#,
            ),
        ),
        (
            EventBody::RunCreated(Arc::new(RunCreated {
                run: id("r-1"),
                workflow: id("ship"),
                bundle: hash(),
                vars: IndexMap::new(),
                labels: BTreeMap::new(),
                on_failure: None,
                interactive: false,
                max_iters: None,
                isolated: false,
                slot: None,
                priority: Priority::NORMAL,
                parent: None,
                budget: None,
                seed: 0,
                by: None,
                signature: None,
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
            EventBody::NodeFailed { path: path(), error: Arc::new(failure()), continues: true },
            concat!(
                r#""type":"node_failed","data":{"path":"2/test[1]/run","#,
                r#""error":{"class":"idle_timeout","message":"silent \"for\" 5m"},"continues":true}"#,
            ),
        ),
        (
            EventBody::NodeFailed { path: path(), error: Arc::new(failure()), continues: false },
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
                details: Some(Box::new(json!({"turns": 2}))),
                ran_until: Some(Timestamp::UNIX_EPOCH.into()),
            },
            concat!(
                r#""type":"attempt_succeeded","data":{"path":"2/test[1]/run","attempt":1,"#,
                r#""output":{"done":true,"at":[1.0,null]},"usage":{"input_tokens":7,"cost_usd":0.25},"#,
                r#""details":{"turns":2},"ran_until":"1970-01-01T00:00:00Z"}"#,
            ),
        ),
        (
            EventBody::AttemptSucceeded {
                path: path().item(3).item(0),
                attempt: 1,
                output: Data::NULL,
                set: Some(Arc::new(vars())),
                usage: None,
                details: None,
                ran_until: None,
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
                retry_at: Some(Box::new(id("2026-01-02T03:04:10.5Z"))),
                parked: true,
                repair: true,
                continues: true,
                usage: Some(Box::default()),
                ran_until: Some(Timestamp::UNIX_EPOCH.into()),
                output: Some(Box::new(Data::new(&json!("ok\n3 failed")))),
            },
            concat!(
                r#""type":"attempt_failed","data":{"path":"2/test[1]/run","attempt":1,"#,
                r#""error":{"class":"idle_timeout","message":"silent \"for\" 5m","details":{"exit":7}},"#,
                r#""retry_at":"2026-01-02T03:04:10.5Z","parked":true,"repair":true,"continues":true,"usage":{},"#,
                r#""ran_until":"1970-01-01T00:00:00Z","output":"ok\n3 failed"}"#,
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
                continues: false,
                usage: None,
                ran_until: None,
                output: None,
            },
            concat!(
                r#""type":"attempt_failed","data":{"path":"2/test[1]/run","attempt":1,"#,
                r#""error":{"class":"idle_timeout","message":"silent \"for\" 5m"}}"#,
            ),
        ),
        (
            EventBody::AttemptCancelled { path: path(), attempt: 2, usage: None, ran_until: None },
            r#""type":"attempt_cancelled","data":{"path":"2/test[1]/run","attempt":2}"#,
        ),
        (
            EventBody::AttemptInterrupted {
                path: path(),
                attempt: 2,
                usage: None,
                ran_until: Some(Timestamp::UNIX_EPOCH.into()),
                retry_at: None,
            },
            concat!(
                r#""type":"attempt_interrupted","data":{"path":"2/test[1]/run","attempt":2,"#,
                r#""ran_until":"1970-01-01T00:00:00Z"}"#,
            ),
        ),
        (
            EventBody::AttemptInterrupted {
                path: path(),
                attempt: 2,
                usage: None,
                ran_until: None,
                retry_at: None,
            },
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
                output_of: Some(1),
            },
            concat!(
                r#""type":"stage_failed","data":{"iteration":1,"stage":"plan","#,
                r#""error":{"class":"idle_timeout","message":"silent \"for\" 5m"},"continues":true,"output_of":1}"#,
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
            EventBody::StageAsked { iteration: 1, stage: stage("ship"), question: "Ship it?".into() },
            r#""type":"stage_asked","data":{"iteration":1,"stage":"ship","question":"Ship it?"}"#,
        ),
        (
            EventBody::NodeAsked {
                path: path(),
                reason: WaitReason::Question,
                question: "Which?".into(),
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
                question: "Did it happen?".into(),
                schema: None,
            },
            concat!(
                r#""type":"node_asked","data":{"path":"2/test[1]/run","reason":"unknown_outcome","#,
                r#""question":"Did it happen?"}"#,
            ),
        ),
        (
            EventBody::NodeWaiting {
                path: path(),
                until: Some("2026-12-01T08:00:00Z".parse().unwrap()),
                signal: None,
            },
            r#""type":"node_waiting","data":{"path":"2/test[1]/run","until":"2026-12-01T08:00:00Z"}"#,
        ),
        (
            EventBody::NodeWaiting { path: path(), until: None, signal: Some("deploy.done".into()) },
            r#""type":"node_waiting","data":{"path":"2/test[1]/run","signal":"deploy.done"}"#,
        ),
        (
            EventBody::SignalReceived {
                control: 3,
                signal: Box::new(Signal::new("deploy.done").unwrap().data(json!([1])).id("e-1").unwrap()),
                by: Some(ana()),
            },
            concat!(
                r#""type":"signal_received","data":{"control":3,"#,
                r#""signal":{"name":"deploy.done","data":[1],"id":"e-1"},"by":{"id":"u-1","name":"Ana","via":"http"}}"#,
            ),
        ),
        (
            EventBody::Answered { control: 1, wait: 7, answer: Data::new(&json!("a")), by: None },
            r#""type":"answered","data":{"control":1,"wait":7,"answer":"a"}"#,
        ),
        (
            EventBody::Answered { control: 1, wait: 7, answer: Data::new(&json!("a")), by: Some(ana()) },
            concat!(
                r#""type":"answered","data":{"control":1,"wait":7,"answer":"a","#,
                r#""by":{"id":"u-1","name":"Ana","via":"http"}}"#,
            ),
        ),
        (
            EventBody::AnswerRefused {
                control: 2,
                wait: 8,
                reason: "too late".to_owned(),
                code: None,
                by: None,
            },
            r#""type":"answer_refused","data":{"control":2,"wait":8,"reason":"too late"}"#,
        ),
        (
            EventBody::AnswerRefused {
                control: 2,
                wait: 8,
                reason: "must be a number".to_owned(),
                code: Some(AnswerRefusal::InvalidAnswer),
                by: Some(ana()),
            },
            concat!(
                r#""type":"answer_refused","data":{"control":2,"wait":8,"#,
                r#""reason":"must be a number","code":"invalid_answer","by":{"id":"u-1","name":"Ana","via":"http"}}"#,
            ),
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
                seed: Some(7),
                worktree: Some(Data::new(&json!({ "commit": "c0" }))),
                by: Some(ana()),
                signature: Some("5e1f".into()),
            })),
            concat!(
                r#""type":"run_forked","data":{"from":"r0","event":9,"#,
                r#""vars":{"x":1},"outputs":{"plan":"better"},"seed":7,"worktree":{"commit":"c0"},"#,
                r#""by":{"id":"u-1","name":"Ana","via":"http"},"signature":"5e1f"}"#,
            ),
        ),
        migrated(None),
        migrated(Some(ana())),
        (
            EventBody::PauseRequested { control: 1, by: None },
            r#""type":"pause_requested","data":{"control":1}"#,
        ),
        (
            EventBody::PauseRequested { control: 1, by: Some(ana()) },
            r#""type":"pause_requested","data":{"control":1,"by":{"id":"u-1","name":"Ana","via":"http"}}"#,
        ),
        (EventBody::RunPaused, r#""type":"run_paused""#),
        (
            EventBody::RunResumed { control: 2, by: Some(Actor::new("u-2").into()) },
            r#""type":"run_resumed","data":{"control":2,"by":{"id":"u-2"}}"#,
        ),
        (EventBody::RunResumed { control: 2, by: None }, r#""type":"run_resumed","data":{"control":2}"#),
        (
            EventBody::CancelRequested { control: 3, at_once: false, by: None },
            r#""type":"cancel_requested","data":{"control":3}"#,
        ),
        (
            EventBody::CancelRequested { control: 3, at_once: true, by: None },
            r#""type":"cancel_requested","data":{"control":3,"at_once":true}"#,
        ),
        (
            EventBody::CancelRequested { control: 3, at_once: true, by: Some(ana()) },
            r#""type":"cancel_requested","data":{"control":3,"at_once":true,"by":{"id":"u-1","name":"Ana","via":"http"}}"#,
        ),
        (
            EventBody::RunCompleted { failed_stages: [].into(), output: None, reason: None },
            r#""type":"run_completed","data":{}"#,
        ),
        (
            EventBody::RunCompleted {
                failed_stages: [].into(),
                output: Some(Data::new(&json!({ "a": 1 }))),
                reason: Some("done".into()),
            },
            r#""type":"run_completed","data":{"output":{"a":1},"reason":"done"}"#,
        ),
        (
            EventBody::RunCompleted {
                failed_stages: [stage("test"), stage("code")].into(),
                output: None,
                reason: None,
            },
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
        (
            EventBody::RunEnding(Box::new(RunEnding::new(RunStatus::Cancelled))),
            r#""type":"run_ending","data":{"status":"cancelled"}"#,
        ),
    ]
}

/// The new bundle of a migrated run is stored like other bundles.
fn migrated(by: Option<Arc<Actor>>) -> (EventBody, &'static str) {
    let mut workflow = Workflow::new(id("w"), "Workflow");
    workflow = workflow.stage(stage("plan"), Stage::with_lanes([Lane::new("ann")]));
    let bundle = Arc::new(Bundle::new(workflow));
    let hash = bundle.hash().unwrap();
    let mut data = json!({ "hash": hash, "bundle": bundle });
    if let Some(by) = &by {
        data["by"] = json!(by);
    }
    let text = format!(r#""type":"run_migrated","data":{data}"#);
    (EventBody::RunMigrated { hash, bundle, signature: None, by }, text.leak())
}
