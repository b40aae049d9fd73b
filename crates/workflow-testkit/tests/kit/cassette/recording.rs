//! What is recorded in a cassette, and what is not.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{FutureExt as _, ready};
use serde_json::json;
use workflow_core::data::Data;
use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallRequest, Provider as _, ProviderError, Reply};
use workflow_core::stop::{Stop, StopSource};
use workflow_core::usage::Usage;
use workflow_testkit::ManualClock;

use super::{Does, Ears, Outcome, Shelf, ask, echo, request};

fn used(tokens: u64) -> Usage {
    Usage { input_tokens: Some(tokens), output_tokens: None, cost_usd: Some(0.25) }
}

/// Sends every kind of report.
async fn say(context: &CallContext, clock: &ManualClock) {
    let kinds = [
        OutputKind::Stdout,
        OutputKind::Stderr,
        OutputKind::Text,
        OutputKind::TextDelta,
        OutputKind::Thinking,
        OutputKind::Tool,
        OutputKind::Log,
    ];
    context.alive();
    for kind in kinds {
        clock.advance(Duration::from_millis(1));
        context.output(kind, format!("é\n\"{kind:?}\""));
    }
    context.usage(used(7));
    clock.advance(Duration::from_millis(1));
    context.alive();
    context.record_session("s1").await.unwrap();
}

/// A call of each kind, and its result.
fn outcomes(clock: &ManualClock) -> Vec<Outcome> {
    let classes = [
        FailureClass::Transient,
        FailureClass::RateLimited,
        FailureClass::InvalidOutput,
        FailureClass::Permanent,
        FailureClass::Timeout,
        FailureClass::IdleTimeout,
        FailureClass::Cancelled,
        FailureClass::Expression,
        FailureClass::Stage,
        FailureClass::LoopExhausted,
        FailureClass::Rejected,
        FailureClass::Budget,
        FailureClass::Repeated,
    ];
    let failures = classes.map(|class| ProviderError {
        usage: Some(used(3)),
        output: Some(Data::new(&json!({ "half": [true] }))),
        ..ProviderError::new(class, "no\nway").with_details(json!({ "reason": "é" }))
    });
    let whole = Reply {
        usage: Some(used(9)),
        session: Some("s2".to_owned()),
        details: Some(Box::new(json!({ "turns": 2 }))),
        ..Reply::json(&json!({ "done": [true, null, 1.5] }))
    };
    let until = clock.now() + Duration::from_secs(3600);
    let over = clock.now() - Duration::from_secs(1);
    let mut outcomes = vec![
        Ok(Reply::default()),
        Ok(whole),
        Err(ProviderError::rate_limited("later", Some(until))),
        Err(ProviderError::rate_limited("now", Some(over))),
    ];
    outcomes.extend(failures.map(Err));
    outcomes
}

#[test]
fn a_replay_prints_and_returns_the_same() {
    for number in 0..outcomes(&ManualClock::new()).len() {
        let shelf = Shelf::new();
        let clock = shelf.clock.clone();
        let recorder = shelf.record(Does(|_: CallRequest, context: CallContext| {
            let clock = clock.clone();
            async move {
                say(&context, &clock).await;
                outcomes(&clock).swap_remove(number)
            }
        }));
        let recorded = ask(&recorder, request("1/work[0]/run", "go"));
        // It takes no time: a quota counts from the end of the call.
        let replay = shelf.play().pace(1.0).sleep(|_| ready(()).boxed());
        assert_eq!(ask(&replay, request("1/work[0]/run", "go")), recorded, "{number}");
        assert_eq!(replay.left(), 0);
    }
}

#[test]
fn secrets_are_nowhere_in_the_file() {
    let shelf = Shelf::new();
    let recorder = shelf
        .record(Does(|request: CallRequest, context: CallContext| async move {
            let names = ["API_KEY", "github_token", "Secret_Thing", "DB_PASSWORD"];
            let all = names.map(|name| request.env[name].clone()).join(", ") + ", the word";
            context.output(OutputKind::Text, all.clone());
            for piece in all.as_bytes().chunks(5) {
                context.output(OutputKind::TextDelta, String::from_utf8_lossy(piece));
                context.output(OutputKind::Log, "…");
            }
            context.record_session(&all).await.unwrap();
            if request.prompt.starts_with("fail") {
                return Err(ProviderError::permanent(all.clone()).with_details(json!({ all.clone(): [all] })));
            }
            Ok(Reply {
                session: Some(all.clone()),
                details: Some(Box::new(json!([all.clone()]))),
                ..Reply::json(&json!({ all.clone(): all }))
            })
        }))
        .redact(["the word"]);
    let secrets = ["key-\"1\"\n2", "token-22", "secret-333", "password-4444"];
    let asked = |prompt: &str| {
        let mut request = request("1/work[0]/run", &format!("{prompt} {}, the word", secrets.join(" ")));
        let names = ["API_KEY", "github_token", "Secret_Thing", "DB_PASSWORD"];
        request.env.extend(names.map(str::to_owned).into_iter().zip(secrets.map(str::to_owned)));
        request
            .env
            .extend([("HOME", "a place"), ("SHORT_KEY", "a")].map(|(n, v)| (n.to_owned(), v.to_owned())));
        request.options = json!({ "with": secrets, "the word": null });
        request.output_schema = Some(Arc::new(json!({ "const": secrets[1] })));
        request
    };
    for prompt in ["answer", "fail"] {
        let (_, heard) = ask(&recorder, asked(prompt));
        assert!(heard[0].contains("password-4444"), "the host hears all: {heard:?}");
    }
    let text = shelf.text();
    for secret in ["key-", "token-", "22", "secret-3", "333", "password", "4444", "the word", "a place"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    // And nothing else is missing: a request is recognised, with other secrets too.
    let replay = shelf.play();
    let (outcome, heard) = ask(&replay, asked("answer"));
    let hidden = ["[redacted]"; 5].join(", ");
    assert_eq!(outcome.unwrap().output.value(), json!({ hidden.clone(): hidden.clone() }));
    let deltas: String =
        heard.iter().filter_map(|said| said.strip_prefix("1/work[0]/run TextDelta ")).collect();
    assert_eq!(deltas, hidden);
    let mut other = request("1/work[0]/run", "fail a b c d, e");
    other.options = json!({ "with": ["", "x", "y", "z"], "w": null });
    other.output_schema = Some(Arc::new(json!({ "const": "t" })));
    let failure = ask(&replay, other).0.unwrap_err().failure;
    assert_eq!(failure.message, hidden);
}

#[test]
fn a_call_that_was_told_to_stop_says_what_it_had_said_and_waits_to_be_stopped() {
    let shelf = Shelf::new();
    let endless = Does(|_: CallRequest, context: CallContext| async move {
        context.usage(used(5));
        context.stop().wait(Stop::Gracefully).await;
        Err(ProviderError { usage: Some(used(6)), ..ProviderError::cancelled() })
    });
    let stopped = Err(ProviderError { usage: Some(used(6)), ..ProviderError::cancelled() });
    let asked = || request("1/work[0]/run", "go");
    let stop_by_usage = |provider: &dyn workflow_core::provider::Provider| {
        let stop = StopSource::new();
        let ears = Arc::new(Ears { stop: Some(stop.clone()), ..Ears::default() });
        block_on(provider.call(asked(), CallContext::new(asked().id, stop.signal(), ears)))
    };
    assert_eq!(stop_by_usage(&shelf.record(endless)), stopped);
    assert_eq!(stop_by_usage(&shelf.play()), stopped);

    let (stop, replay) = (StopSource::new(), shelf.play());
    let context = CallContext::new(asked().id, stop.signal(), Arc::new(Ears::default()));
    let mut call = replay.call(asked(), context);
    assert!((&mut call).now_or_never().is_none(), "it waits to be told to stop");
    stop.stop(Stop::AtOnce);
    assert_eq!(block_on(call), stopped);
}

#[test]
fn a_call_whose_future_is_dropped_is_not_recorded() {
    let shelf = Shelf::new();
    let recorder = shelf.record(Does(|request: CallRequest, context: CallContext| async move {
        context.output(OutputKind::Log, "begins");
        std::future::pending::<()>().await;
        echo(request, context).await
    }));
    let asked = request("1/work[0]/run", "go");
    let context = CallContext::new(asked.id.clone(), StopSource::new().signal(), Arc::new(Ears::default()));
    assert!(recorder.call(asked, context).now_or_never().is_none());
    assert_eq!(shelf.play().left(), 0);
}
