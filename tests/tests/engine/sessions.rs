//! Sessions that calls continue.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::{Either, select};
use serde_json::json;
use workflow_core::catalog::Part;
use workflow_core::ids::WorkflowId;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply};
use workflow_core::status::RunStatus;
use workflow_core::store::RunStore as _;
use workflow_core::usage::Usage;
use workflow_exec::StartRun;
use workflow_tests::shelf::Shelf;

use crate::host::{Host, id};

const SESSIONS: &str = "
workflow:
  name: Sessions
  stages: [work, check]
  loop: { max_iters: 3, stop_when: \"$.done == true\" }
work: { provider: talker, session: continue, on_failure: retry, retries: 4, retry_backoff: 1 }
check: { provider: ann, with: { ann@3: { reply: { done: true } }, ann: { reply: { done: false } } } }
";

/// Answers in a session, and fails as often as configured.
struct Talker {
    fails: Vec<&'static str>,
    sessions: Arc<Mutex<Vec<Option<String>>>>,
}

#[async_trait]
impl Provider for Talker {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let number = {
            let mut sessions = self.sessions.lock().unwrap();
            sessions.push(request.session.clone());
            sessions.len()
        };
        let session = request.session.unwrap_or_else(|| format!("s{number}"));
        let fails = self.fails.get(number - 1).filter(|message| !message.is_empty());
        if let Some(message) = fails.and_then(|message| message.strip_prefix("early ")) {
            return Err(ProviderError::transient(message));
        }
        context
            .record_session(&session)
            .await
            .map_err(|error| ProviderError::transient(error.to_string()))?;
        match fails {
            Some(message) if message.starts_with("quota") => {
                let until = context.now() + std::time::Duration::from_secs(3600);
                Err(ProviderError::rate_limited(*message, Some(until)))
            }
            Some(message) if message.starts_with("says ") => Ok(Reply::text(&message["says ".len()..])),
            Some(message) => Err(ProviderError::transient(*message)),
            None => Ok(Reply::text("said")),
        }
    }
}

fn talker(fails: &[&'static str]) -> (Talker, Arc<Mutex<Vec<Option<String>>>>) {
    let sessions = Arc::default();
    (Talker { fails: fails.to_vec(), sessions: Arc::clone(&sessions) }, sessions)
}

/// The sessions in which the calls of a run began.
fn sessions(fails: &[&'static str]) -> (Vec<Option<String>>, Host) {
    let (talker, sessions) = talker(fails);
    let host = Host::with(|builder| builder.provider("talker", talker));
    host.sim.block_on(async {
        let view = host.engine.run(host.start("r1", SESSIONS)).await.unwrap();
        assert_eq!(view.status, RunStatus::Completed);
    });
    let sessions = sessions.lock().unwrap().clone();
    (sessions, host)
}

#[test]
fn a_stage_continues_in_its_session_across_retries_and_iterations() {
    let (found, _) = sessions(&["busy", "", "", "", ""]);
    let s1 = Some("s1".to_owned());
    assert_eq!(found, [None, s1.clone(), s1.clone(), s1]);
}

#[test]
fn a_session_that_fails_twice_in_the_same_way_is_given_up_visibly() {
    let (found, host) = sessions(&["", "gone", "other", "gone", "gone"]);
    let s1 = Some("s1".to_owned());
    let s6 = Some("s6".to_owned());
    assert_eq!(found, [None, s1.clone(), s1.clone(), s1.clone(), s1, None, s6]);
    assert!(host.log("r1").contains("session_dropped"));
}

#[test]
fn a_quota_gives_no_session_up_however_often_it_is_used_up() {
    for fails in
        [&["", "quota", "quota", "quota"][..], &["quota", "quota", "quota"], &["", "gone", "quota", "gone"]]
    {
        let (found, host) = sessions(fails);
        let s1 = || Some("s1".to_owned());
        assert_eq!(found[0], None);
        assert!(found[1..].iter().all(|session| *session == s1()), "{fails:?}: {found:?}");
        assert_eq!(found.len(), 3 + fails.iter().filter(|message| !message.is_empty()).count());
        assert!(!host.log("r1").contains("session_dropped"), "{fails:?}");
    }
}

#[test]
fn a_session_is_given_up_for_failures_of_its_own_alone() {
    let cases: [(&[&str], &[&str]); 3] = [
        // The session after a dropped one.
        (&["", "gone", "gone", "gone", "", ""], &["", "s1", "s1", "", "s4", "s4"]),
        (&["", "gone", "gone", "gone", "gone", ""], &["", "s1", "s1", "", "s4", "", "s6"]),
        // The call had failed in the same way before there was a session.
        (&["early gone", "gone", "", ""], &["", "", "s2", "s2", "s2"]),
    ];
    for (fails, expected) in cases {
        let found: Vec<_> = sessions(fails).0.into_iter().map(Option::unwrap_or_default).collect();
        assert_eq!(found, expected, "{fails:?}");
    }
}

#[test]
fn an_item_that_is_passed_over_has_no_session_to_give_up() {
    let workflow = "workflow: { name: Items, stages: [work] }
work: { provider: talker, session: continue, profile: each }";
    let run = "{ type: run, output: json }";
    let graph =
        format!("graph: [{{ id: each, type: foreach, items: [a, b], on_failure: continue, run: {run} }}]");
    let profile = Part::Profile("work".parse().unwrap(), "each".parse().unwrap());
    let items = Shelf::new(WorkflowId::new("items").unwrap(), workflow, vec![(profile, graph)]);
    // The output of the first item is repaired twice, and ends as it began.
    let (talker, sessions) = talker(&["says tru", "says ?", "says ?", "says 1"]);
    let host = Host::with(|builder| builder.provider("talker", talker).catalog(items));
    let view = host.sim.block_on(host.engine.run(StartRun::workflow(WorkflowId::new("items").unwrap())));
    let view = view.unwrap();
    assert_eq!(view.status, RunStatus::Completed);
    let s1 = Some("s1".to_owned());
    assert_eq!(*sessions.lock().unwrap(), [None, s1.clone(), s1, None]);
    assert!(!host.log(view.run_id.as_str()).contains("session_dropped"));
}

/// Reports its session, and dies with its host unless it resumes one.
struct Hangs(Arc<Mutex<Vec<Option<String>>>>);
#[async_trait]
impl Provider for Hangs {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        self.0.lock().unwrap().push(request.session.clone());
        if request.session.is_some() {
            return Ok(Reply::text("resumed"));
        }
        let _ = context.record_session("s1").await;
        futures::future::pending().await
    }
}

#[test]
fn a_session_survives_the_death_of_the_host() {
    let sessions: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let hangs = Hangs(Arc::clone(&sessions));
    let host = Host::with(|builder| builder.provider("hangs", hangs));
    let yaml = "workflow: { name: Crash, stages: [one] }\none: { provider: hangs, session: continue }";
    host.sim.block_on(async {
        let driving = Box::pin(host.engine.run(host.start("r1", yaml)));
        let Either::Right(_) = select(driving, host.sim.sleep_ms(50)).await else { panic!("it has ended") };
        let view = host.engine.drive(&id("r1")).await.unwrap();
        assert_eq!(view.status, RunStatus::Completed);
    });
    assert_eq!(*sessions.lock().unwrap(), [None, Some("s1".to_owned())]);
}

#[test]
fn after_an_interruption_a_node_resumes_its_session_also_where_its_calls_have_new_ones() {
    let sessions: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let hangs = Hangs(Arc::clone(&sessions));
    let host = Host::with(|builder| builder.provider("hangs", hangs));
    let yaml = "
workflow: { name: Crash, stages: [one, check], loop: { max_iters: 2, stop_when: \"$.done\" } }
one: { provider: hangs }
check: { provider: ann, with: { ann@2: { reply: { done: true } }, ann: { reply: { done: false } } } }";
    let run = id("r1");
    host.sim.block_on(async {
        // Each pass of the stage has its own session, which a death does not end.
        for _ in 0..2 {
            let driving: futures::future::BoxFuture<'_, _> = match host.store.get(&run).await {
                Ok(_) => Box::pin(host.engine.drive(&run)),
                Err(_) => Box::pin(host.engine.run(host.start("r1", yaml))),
            };
            let Either::Right(_) = select(driving, host.sim.sleep_ms(100)).await else {
                panic!("it has ended")
            };
        }
        let view = host.engine.drive(&id("r1")).await.unwrap();
        assert_eq!(view.status, RunStatus::Completed);
    });
    let s1 = Some("s1".to_owned());
    assert_eq!(*sessions.lock().unwrap(), [None, s1.clone(), None, s1]);
}

#[test]
fn a_retry_after_a_failure_begins_a_new_session_where_that_is_written() {
    let sessions = Arc::default();
    let talker = Talker { fails: vec!["busy", ""], sessions: Arc::clone(&sessions) };
    let host = Host::with(|builder| builder.provider("talker", talker));
    let yaml = "
workflow: { name: Retry, stages: [one] }
one: { provider: talker, on_failure: retry, retry_backoff: 1 }";
    host.sim.block_on(host.engine.run(host.start("r1", yaml))).unwrap();
    assert_eq!(*sessions.lock().unwrap(), [None, None]);
}

#[test]
fn a_person_who_wants_a_new_session_after_an_interruption_says_so() {
    let answers = [
        (json!("rerun"), Some("s1")),
        (json!({ "outcome": "not_happened" }), Some("s1")),
        (json!({ "outcome": "rerun", "session": "continue" }), Some("s1")),
        (json!({ "outcome": "rerun", "session": "new" }), None),
    ];
    for (mode, (answer, expected)) in
        ["new", "continue"].into_iter().flat_map(|mode| answers.iter().map(move |answer| (mode, answer)))
    {
        let sessions: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
        let hangs = Hangs(Arc::clone(&sessions));
        let host = Host::with(|builder| builder.provider("hangs", hangs));
        let yaml = format!(
            "workflow: {{ name: Crash, stages: [one] }}\none: {{ provider: hangs, on_interrupt: ask, session: {mode} }}"
        );
        host.sim.block_on(async {
            let driving = Box::pin(host.engine.run(host.start("r1", &yaml)));
            let Either::Right(_) = select(driving, host.sim.sleep_ms(50)).await else {
                panic!("it has ended")
            };
            let view = host.engine.drive(&id("r1")).await.unwrap();
            let asked = view.waits[0].number.unwrap();
            let handle = host.engine.handle(&id("r1"));
            let wrong = json!({ "outcome": "rerun", "session": "other" });
            let _ = handle.answer(asked, wrong).await.unwrap();
            let _ = handle.answer(asked, answer.clone()).await.unwrap();
            let _ = select(Box::pin(handle.wait()), host.sim.sleep_ms(50)).await;
        });
        let expected = expected.map(str::to_owned);
        assert_eq!(*sessions.lock().unwrap(), [None, expected.clone()], "{mode} {answer} {}", host.log("r1"));
        assert_eq!(host.log("r1").contains("session_dropped"), expected.is_none());
        assert_eq!(host.log("r1").matches("answer_refused").count(), 1, "{}", host.log("r1"));
    }
}

/// Reports its session only when it begins one.
struct Terse(Arc<Mutex<Vec<Option<String>>>>);

#[async_trait]
impl Provider for Terse {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        self.0.lock().unwrap().push(request.session.clone());
        if request.session.is_none() {
            let named = context.record_session("s1").await;
            named.map_err(|error| ProviderError::transient(error.to_string()))?;
        }
        Ok(Reply::text("said"))
    }
}

#[test]
fn a_session_that_an_agent_names_only_once_is_continued_in_every_iteration() {
    let sessions = Arc::default();
    let terse = Terse(Arc::clone(&sessions));
    let host = Host::with(|builder| builder.provider("talker", terse));
    host.sim.block_on(host.engine.run(host.start("r1", SESSIONS))).unwrap();
    let s1 = Some("s1".to_owned());
    assert_eq!(*sessions.lock().unwrap(), [None, s1.clone(), s1]);
}

/// Records the usage that each call is told, as an agent that counts per session needs it.
struct Meter(Arc<Mutex<Vec<Option<u64>>>>);

#[async_trait]
impl Provider for Meter {
    async fn call(&self, request: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
        let used = request.session_usage.and_then(|usage| usage.input_tokens);
        let number = {
            let mut told = self.0.lock().unwrap();
            told.push(used);
            told.len()
        };
        let usage = Some(Usage { input_tokens: Some(10), ..Usage::default() });
        match number {
            2 => Err(ProviderError { usage, ..ProviderError::transient("busy") }),
            _ => Ok(Reply { usage, session: Some(format!("s{number}")), ..Reply::text("said") }),
        }
    }
}

#[test]
fn a_call_is_told_what_its_session_has_used_before_failures_and_forks_included() {
    let told = Arc::default();
    let meter = Meter(Arc::clone(&told));
    let host = Host::with(|builder| builder.provider("talker", meter));
    host.sim.block_on(host.engine.run(host.start("r1", SESSIONS))).unwrap();
    assert_eq!(*told.lock().unwrap(), [None, Some(10), Some(20), Some(30)]);
}
