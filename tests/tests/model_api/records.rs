//! What is recorded of requests, and what is not.

use serde_json::{Value, json};
use workflow_tests::model_api::{ModelApi, Recorded, Scenario};

use crate::http::{DIALECTS, fetch};

#[test]
fn requests_are_kept_with_what_they_say() {
    for dialect in DIALECTS {
        let api = ModelApi::start().unwrap();
        fetch(&api, "GET", "/s/ok/v1/models", "", &Value::Null);
        let mut body = dialect.request();
        (dialect.add_result)(&mut body);
        (dialect.add_prompt)(&mut body);
        dialect.ask(&api, Scenario::Ok, &body);
        assert_eq!(api.requests().len(), 2);
        let [asked] = &api.asked()[..] else { panic!("{:?}", api.asked()) };
        assert!(asked.mentions("Continue.") && asked.mentions("And again.") && !asked.mentions("Stop."));
        assert!(asked.has_key());
    }
}

#[test]
fn no_key_is_kept_wherever_it_stands() {
    let api = ModelApi::start().unwrap();
    for name in ["authorization", "x-api-key", "x-goog-api-key", "cookie", "x-access-token"] {
        let headers = format!("{name}: Bearer secret-key\r\naccept: application/json\r\n");
        fetch(&api, "POST", "/s/ok/v1/messages", &headers, &json!({}));
    }
    fetch(&api, "POST", "/s/ok/v1beta/models/m:generateContent?key=secret-key&alt=sse", "", &json!({}));
    let kept = api.requests();
    assert_eq!(kept.len(), 6);
    assert!(kept.iter().all(Recorded::has_key));
    assert_eq!(kept[0].headers["accept"], "application/json");
    assert_eq!(kept[5].path, "/s/ok/v1beta/models/m:generateContent?key=<set>&alt=sse");
    assert!(!serde_json::to_string(&kept).unwrap().contains("secret-key"));
}

#[test]
fn a_request_of_several_megabytes_is_read_whole() {
    let api = ModelApi::start().unwrap();
    let long = "x".repeat(3 << 20);
    let body = json!({ "messages": [{ "role": "user", "content": long }] });
    assert_eq!(fetch(&api, "POST", "/s/ok/v1/messages", "", &body).status, 200);
    assert!(api.asked()[0].mentions(&long));
}
