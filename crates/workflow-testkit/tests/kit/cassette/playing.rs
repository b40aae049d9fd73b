//! Which call is replayed, and how fast.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{FutureExt as _, pending, ready};
use serde_json::json;
use workflow_core::failure::FailureClass;
use workflow_core::provider::{CallContext, CallRequest, Provider as _, ProviderError, Reply};
use workflow_core::stop::{Stop, StopSource};
use workflow_core::usage::Usage;

use super::{Does, Ears, Shelf, ask, request};

#[test]
fn calls_are_told_apart_by_node_and_question_and_follow_one_another() {
    let shelf = Shelf::new();
    let count = Mutex::new(0);
    let recorder = shelf.record(Does(|request: CallRequest, _| {
        *count.lock().unwrap() += 1;
        let number = *count.lock().unwrap();
        ready(Ok(Reply::text(format!("{number} {}", request.prompt))))
    }));
    for (path, prompt) in [
        ("1/a[0]/run", "x"),
        ("1/a[0]/run", "y"),
        ("2/a[0]/run", "x"),
        ("2/a[1]/run", "x"),
        ("2/b[0]/run[3]", "x"),
    ] {
        ask(&recorder, request(path, prompt)).0.unwrap();
    }
    // Another run in other iterations and attempts, in another directory, and in another order where the
    // order does not matter.
    let replay = shelf.play();
    for (path, prompt, answer) in [
        ("1/b[0]/run[3]", "x", "5 x"),
        ("1/a[0]/run", "y", "2 y"),
        ("1/a[0]/run", "x", "1 x"),
        ("1/a[1]/run", "x", "4 x"),
        ("1/a[0]/run", "x", "3 x"),
    ] {
        let mut request = request(path, prompt);
        request.id.attempt = 7;
        request.id.seed = 8;
        request.cwd = Some("elsewhere".to_owned());
        request.env.insert("HOME".to_owned(), "elsewhere".to_owned());
        assert_eq!(ask(&replay, request).0, Ok(Reply::text(answer)));
    }
    assert_eq!(replay.left(), 0);
}

#[test]
fn a_call_that_is_not_recorded_fails_for_good_and_says_what_is() {
    let shelf = Shelf::new();
    let asked = || {
        let mut request = request("1/work[0]/run", &format!("{}plan the release", "a b ".repeat(50)));
        request.options = json!({ "model": "small" });
        request.output_schema = Some(Arc::new(json!({ "type": "string" })));
        request
    };
    ask(&shelf.record(Does(super::echo)), asked()).0.unwrap();
    let change = |change: fn(&mut CallRequest)| {
        let mut request = asked();
        change(&mut request);
        request
    };
    for (request, said) in [
        (
            change(|request| request.id.path = "1/test[0]/run".parse().unwrap()),
            &["no call of `test[0]/run` is recorded", "only of: work[0]/run"][..],
        ),
        (
            change(|request| request.prompt = request.prompt.replace("release", "party")),
            &[
                "the request of `work[0]/run` differs",
                "line 2, in its prompt: `…",
                "plan the party`",
                "plan the release`",
            ],
        ),
        (
            change(|request| request.options = json!({ "model": "large" })),
            &["in its options: `", "\"large\"", "\"small\""],
        ),
        (
            change(|request| request.session = Some("s1".to_owned())),
            &["in its session: `resumed` instead of `new`"],
        ),
        (change(|request| request.output_schema = None), &["in its output schema: `null`", "\"string\""]),
        (
            change(|request| {
                request.env.insert("A_KEY".to_owned(), "hunter22".to_owned());
                request.prompt = "hunter22".to_owned();
            }),
            &["in its prompt: `[redacted]`"],
        ),
    ] {
        let replay = shelf.play();
        let failure = ask(&replay, request).0.unwrap_err().failure;
        assert_eq!(failure.class, FailureClass::Permanent);
        for part in said {
            assert!(failure.message.contains(part), "{part}: {failure}");
        }
        assert_eq!(replay.left(), 1, "it is still there for who asks for it");
    }
    let replay = shelf.play();
    ask(&replay, asked()).0.unwrap();
    let failure = ask(&replay, asked()).0.unwrap_err().failure;
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("all calls of `work[0]/run`"), "{failure}");
}

#[test]
fn any_prompt_is_taken_where_that_is_asked_for_and_nothing_else() {
    let shelf = Shelf::new();
    ask(&shelf.record(Does(super::echo)), request("1/work[0]/run", "on Monday")).0.unwrap();
    let replay = shelf.play().any_prompt();
    let mut other = request("1/work[0]/run", "on Tuesday");
    other.options = json!({ "model": "large" });
    let failure = ask(&replay, other).0.unwrap_err().failure;
    assert!(failure.message.contains("its options"), "{failure}");
    let (outcome, _) = ask(&replay, request("1/work[0]/run", "on Tuesday"));
    assert_eq!(outcome, Ok(Reply::text("on Monday")));
}

/// Outputs after 100 and after 300 milliseconds, and is refused for an hour because of a quota after 1000.
const SLOW: &str = r#"{"node":"work[0]/run","asked":{"prompt":"go"},"said":[{"at":100,"usage":{"input_tokens":1}},{"at":300,"alive":{}}],"took":1000,"result":{"error":{"class":"rate_limited","message":"later","retry_after":3600000}}}"#;

#[test]
fn recorded_times_are_shrunk() {
    for (pace, slept, quota) in [
        (0.0, vec![], 0),
        (0.01, vec![1, 2, 7], 36_000),
        (1.0, vec![100, 200, 700], 3_600_000),
        (-1.0, vec![], 0),
        (f64::NAN, vec![], 0),
    ] {
        let shelf = Shelf::new();
        shelf.write(&[SLOW]);
        let times = Arc::new(Mutex::new(Vec::new()));
        let (noted, clock) = (times.clone(), shelf.clock.clone());
        let replay = shelf.play().pace(pace).sleep(move |time| {
            noted.lock().unwrap().push(time.as_millis());
            clock.advance(time);
            ready(()).boxed()
        });
        let error = ask(&replay, request("1/work[0]/run", "go")).0.unwrap_err();
        assert_eq!(*times.lock().unwrap(), slept);
        assert_eq!(error.until, Some(shelf.clock.now() + Duration::from_millis(quota)), "{pace}");
    }
}

#[test]
fn a_replay_that_is_stopped_in_the_middle_ends_as_cancelled_with_what_it_used() {
    for how in [Stop::Gracefully, Stop::AtOnce] {
        let shelf = Shelf::new();
        shelf.write(&[SLOW]);
        // The second moment never arrives.
        let replay = shelf.play().pace(1.0).sleep(|time| match time.as_millis() {
            100 => ready(()).boxed(),
            _ => pending().boxed(),
        });
        let (asked, stop, ears) =
            (request("1/work[0]/run", "go"), StopSource::new(), Arc::new(Ears::default()));
        let context = CallContext::new(asked.id.clone(), stop.signal(), ears.clone());
        let mut call = replay.call(asked, context);
        assert!((&mut call).now_or_never().is_none());
        assert_eq!(ears.heard.lock().unwrap().len(), 1);
        stop.stop(how);
        let usage = Some(Usage { input_tokens: Some(1), ..Usage::default() });
        assert_eq!(block_on(call), Err(ProviderError { usage, ..ProviderError::cancelled() }));
    }
}

#[test]
fn waiting_needs_no_timer_of_the_host() {
    let shelf = Shelf::new();
    shelf.write(&[SLOW]);
    let (outcome, heard) = ask(&shelf.play().pace(0.001), request("1/work[0]/run", "go"));
    assert_eq!(outcome.unwrap_err().failure.class, FailureClass::RateLimited);
    assert_eq!(heard.len(), 2);
}
