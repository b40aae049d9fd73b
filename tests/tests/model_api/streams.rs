//! Streamed answers, event by event, and answers without streaming.

use std::fmt::Write as _;

use insta::assert_snapshot;
use serde_json::{Value, json};
use workflow_tests::model_api::{ModelApi, Scenario};

use crate::http::{DIALECTS, fetch};

#[test]
fn a_stream_says_what_its_scenario_is_in_the_words_of_its_api() {
    for dialect in DIALECTS {
        let api = ModelApi::start().unwrap();
        let mut shown = String::new();
        for scenario in [
            Scenario::Ok,
            Scenario::Think,
            Scenario::Tool,
            Scenario::ToolFail,
            Scenario::SlowTool,
            Scenario::Loop,
            Scenario::MidFail,
            Scenario::Empty,
            Scenario::MaxTokens,
        ] {
            let response = dialect.ask(&api, scenario, &dialect.request());
            assert_eq!(response.status, 200);
            assert!(response.whole && response.head.contains("content-type: text/event-stream"));
            writeln!(shown, "=== {scenario}\n{}", response.body.trim_end()).unwrap();
        }
        let at_once = dialect.ask_at_once(&api, Scenario::Tool, &dialect.request());
        writeln!(shown, "=== tool, at once\n{}", at_once.body).unwrap();
        assert_snapshot!(format!("stream_{}", dialect.name), shown);
    }
}

#[test]
fn an_error_has_its_status_and_the_body_of_its_vendor() {
    let api = ModelApi::start().unwrap();
    let mut shown = String::new();
    for dialect in DIALECTS {
        for status in [400, 401, 403, 429, 500, 503, 529] {
            let response = dialect.ask(&api, Scenario::Status(status), &dialect.request());
            assert_eq!(response.status, status);
            assert_eq!(response.head.contains("retry-after: 1"), status == 429);
            writeln!(shown, "{:9} {status} {}", dialect.name, response.body).unwrap();
        }
    }
    assert_snapshot!(shown);
}

#[test]
fn a_model_is_listed_and_tokens_are_counted() {
    let api = ModelApi::start().unwrap();
    let json_of = |method: &str, path: &str| -> (u16, Value) {
        let response = fetch(&api, method, path, "", &Value::Null);
        (response.status, serde_json::from_str(&response.body).unwrap())
    };
    let (status, models) = json_of("GET", "/s/ok/v1/models");
    assert_eq!((status, &models["data"][0]["id"]), (200, &json!("fake-model")));
    assert_eq!(json_of("GET", "/s/e401/v1/models").0, 401);
    assert_eq!(json_of("POST", "/s/ok/v1/messages/count_tokens"), (200, json!({ "input_tokens": 10 })));
    assert_eq!(json_of("POST", "/s/ok/v1beta/models/m:countTokens"), (200, json!({ "totalTokens": 10 })));
    assert_eq!(fetch(&api, "HEAD", "/s/ok/", "", &Value::Null).status, 200);
}

#[test]
fn what_the_fake_does_not_know_is_not_found() {
    let api = ModelApi::start().unwrap();
    for (method, path, said) in [
        ("POST", "/v1/messages", "the path must begin with /s/SCENARIO"),
        ("POST", "/s/nonsense/v1/messages", "`nonsense` is not a scenario: use one of ok, think, tool"),
        ("POST", "/s/e200/v1/messages", "`e200` is not a scenario"),
        ("POST", "/s/ok/v1/telemetry", "/s/ok/v1/telemetry"),
        ("GET", "/s/ok/v1/responses", "/s/ok/v1/responses"),
    ] {
        let response = fetch(&api, method, path, "", &Value::Null);
        assert_eq!(response.status, 404);
        assert!(response.body.contains(said), "{}", response.body);
    }
}
