//! The wire forms of calls: what a backend keeps in its histories, and hands to its workers.
//!
//! A history that a former version wrote has to be read by this one. So a change here may add members, and may not
//! change or remove any.

#![allow(clippy::unwrap_used, reason = "the lint's exemption covers test functions, not what they call")]

use std::fmt::Debug;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use workflow_core::data::Data;
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::machine::{ChildOutcome, Secrets, UnresolvedCall};
use workflow_core::provider::{ProviderError, Question, Reply};
use workflow_core::status::RunStatus;
use workflow_core::usage::{Spent, Usage};

/// A call that has everything.
const CALL: &str = concat!(
    r#"{"id":{"run":"r1","seed":18446744073709551615,"path":"2/ship[1]/each[3]","attempt":4},"provider":"curl","#,
    "\"prompt\":\"ship \u{27e6}\\\"5eed:0\u{27e7} and {\\\"a\\\":\\\"\u{27e6}\\\\\\\"5eed:1\u{27e7}\\\"}\",",
    r#""options":{"command":["curl","-H","x"],"amount":1e400},"env":{"TOKEN":"t"},"cwd":"/work","#,
    r#""session":"s-1","session_usage":{"input_tokens":3},"output_schema":{"type":"object"},"#,
    r##""skills":[["git",{"text":"# Git","folder":"/skills/git"}]],"##,
    r#""workspace":{"isolated_from":{"runs":[["r0",7]],"worktree":{"commit":"abc"},"spec":{"base":"main"}}},"#,
    r#""timeout":{"secs":60,"nanos":0},"over_budget":{"class":"budget","message":"the time is spent"},"#,
    r#""idle_timeout":{"secs":5,"nanos":250},"answers":[{"question":"May it?","answer":"yes"}],"#,
    r#""marks":{"nonce":"5eed","secrets":[{"name":"token"},{"name":"other","default":"no \"value\""}],"#,
    r#""command":{"words":[true,true,false],"dynamic":true,"stdin":false}},"#,
    r#""secrets":[{"name":"other","used":false},{"name":"token","used":true}]}"#,
);

fn is_written_as<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, text: &str) {
    assert_eq!(serde_json::to_string(value).unwrap(), text);
    assert_eq!(serde_json::from_str::<T>(text).unwrap(), *value, "{text}");
    let as_value: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    if !as_value.is_null() {
        assert_eq!(serde_json::from_value::<T>(as_value).unwrap(), *value, "{text}, as a value");
    }
    // A member that a later version adds is ignored by this one.
    let later = text.replacen('{', r#"{"added_later":[1],"#, 1).replace(",}", "}");
    assert_eq!(serde_json::from_str::<T>(&later).unwrap(), *value, "{later}");
}

struct Vault;

impl Secrets for Vault {
    fn secret(&self, name: &str) -> Option<String> {
        (name == "token").then(|| "s3cr3t".to_owned())
    }
}

#[test]
fn a_call_is_written_as_it_was_committed() {
    let call: UnresolvedCall = serde_json::from_str(CALL).unwrap();
    is_written_as(&call, CALL);
    let shared = r#"{"id":{"run":"r1","seed":1,"path":"1/a[0]/run","attempt":1},"provider":"p","prompt":""}"#;
    is_written_as(&serde_json::from_str::<UnresolvedCall>(shared).unwrap(), shared);
    for workspace in [r#""isolated""#, r#"{"at":"/w"}"#, r#"{"isolated_from":{"runs":[]}}"#] {
        let text = shared.replace("\"\"}", &format!("\"\",\"workspace\":{workspace}}}"));
        is_written_as(&serde_json::from_str::<UnresolvedCall>(&text).unwrap(), &text);
    }
}

#[test]
fn a_committed_call_is_resolved() {
    let call: UnresolvedCall = serde_json::from_str(CALL).unwrap();
    assert_eq!(call.timeout(), Some(Duration::from_secs(60)));
    let resolved = call.resolve(&Vault).unwrap();
    assert_eq!(resolved.request.prompt, r#"ship s3cr3t and {"a":"no \"value\""}"#);
    assert_eq!(
        Data::new(&resolved.request.options).json(),
        r#"{"command":["curl","-H","x"],"amount":1e400}"#
    );
    assert_eq!(resolved.request.id.seed, u64::MAX);
    assert_eq!(resolved.answers[0].answer, "yes".into());
}

#[test]
fn what_calls_result_in_is_written_as_it_was_committed() {
    let usage = Usage { input_tokens: Some(1), output_tokens: None, cost_usd: Some(0.5) };
    let reply = Reply {
        output: Data::parse(r#"{"n":1e400}"#).unwrap(),
        usage: Some(usage.clone()),
        session: Some("s-1".into()),
        details: Some(Box::new(json!({ "turns": 2 }))),
    };
    is_written_as(
        &reply,
        r#"{"output":{"n":1e400},"usage":{"input_tokens":1,"cost_usd":0.5},"session":"s-1","details":{"turns":2}}"#,
    );
    is_written_as(&Reply::default(), r#"{"output":null}"#);
    assert_eq!(serde_json::from_str::<Reply>("{}").unwrap(), Reply::default());
    let error = ProviderError {
        until: Some("2026-01-02T03:04:05Z".parse().unwrap()),
        retry_after: Some(Duration::from_millis(1_500)),
        usage: Some(usage),
        output: Some("so far".into()),
        question: Some(Box::new(Question { text: "May it?".into(), schema: Some(Data::new(&json!({}))) })),
        ..ProviderError::rate_limited("429", None).with_details(json!({ "code": 429 }))
    };
    is_written_as(
        &error,
        concat!(
            r#"{"failure":{"class":"rate_limited","message":"429","details":{"code":429}},"until":"2026-01-02T03:04:05Z","#,
            r#""retry_after":{"secs":1,"nanos":500000000},"usage":{"input_tokens":1,"cost_usd":0.5},"#,
            r#""output":"so far","question":{"text":"May it?","schema":{}}}"#
        ),
    );
    is_written_as(&ProviderError::permanent("no"), r#"{"failure":{"class":"permanent","message":"no"}}"#);
    let outcome = ChildOutcome {
        run: "r2".parse().unwrap(),
        status: Some(RunStatus::Failed),
        spent: Spent::default(),
        result: Err(Failure::new(FailureClass::Permanent, "no")),
    };
    is_written_as(
        &outcome,
        concat!(
            r#"{"run":"r2","status":"failed","spent":{"attempts":0,"costUsd":null,"unpriced":0,"tokens":null,"#,
            r#""uncounted":0,"timeMs":0},"result":{"Err":{"class":"permanent","message":"no"}}}"#
        ),
    );
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,20}", any::<String>()]
}

fn usage() -> impl Strategy<Value = Option<Usage>> {
    let tokens = any::<Option<u64>>;
    let cost = prop::option::of(0u32..1_000_000).prop_map(|cost| cost.map(|cost| f64::from(cost) / 1024.0));
    prop::option::of((tokens(), tokens(), cost).prop_map(|(input_tokens, output_tokens, cost_usd)| Usage {
        input_tokens,
        output_tokens,
        cost_usd,
    }))
}

fn output() -> impl Strategy<Value = Data> {
    let number =
        prop_oneof![any::<i64>().prop_map(|n| n.to_string()), Just("1e400".into()), Just("0.10".into())];
    (text(), number)
        .prop_map(|(text, n)| Data::parse(&format!("{{\"n\":{n},\"t\":{}}}", json!(text))).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::with_cases(256)
    })]

    #[test]
    fn any_result_survives(
        output in output(), usage in usage(), session in prop::option::of(text()), message in text(),
        seconds in prop::option::of(any::<u64>()), partial in any::<bool>(),
    ) {
        let reply = Reply { output: output.clone(), usage: usage.clone(), session, details: None };
        let result: Result<Reply, ProviderError> = Ok(reply);
        let text = serde_json::to_string(&result).unwrap();
        prop_assert_eq!(serde_json::from_str::<Result<Reply, ProviderError>>(&text).unwrap(), result);
        let error = ProviderError {
            usage,
            retry_after: seconds.map(Duration::from_secs),
            output: partial.then_some(output),
            ..ProviderError::asks(message, &["a", "b"])
        };
        let result: Result<Reply, ProviderError> = Err(error);
        let text = serde_json::to_string(&result).unwrap();
        prop_assert_eq!(serde_json::from_str::<Result<Reply, ProviderError>>(&text).unwrap(), result);
    }
}
