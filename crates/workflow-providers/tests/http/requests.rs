//! What is sent.

use serde_json::{Value, json};

use crate::service::{Service, json as answer};
use crate::{call, call_with, provider};

#[test]
fn options_become_a_request() {
    let service = Service::always(answer("1"));
    for (options, line, header, body) in [
        (json!({}), "GET /x HTTP/1.1", ("accept", Some("application/json, */*;q=0.5")), ""),
        (json!({}), "GET /x HTTP/1.1", ("idempotency-key", None), ""),
        (
            json!({ "query": { "q": "a&b=ü /", "n": 1.5, "tag": ["x", "y"], "none": null } }),
            "GET /x?q=a%26b%3D%C3%BC%20%2F&n=1.5&tag=x&tag=y HTTP/1.1",
            ("content-type", None),
            "",
        ),
        (
            json!({ "method": "POST", "body": { "a": [1, "ü"] } }),
            "POST /x HTTP/1.1",
            ("content-type", Some("application/json")),
            "{\"a\":[1,\"ü\"]}",
        ),
        (
            json!({ "method": "PUT", "body": "a: 1", "headers": { "Content-Type": "text/yaml" } }),
            "PUT /x HTTP/1.1",
            ("content-type", Some("text/yaml")),
            "a: 1",
        ),
        (
            json!({ "method": "POST" }),
            "POST /x HTTP/1.1",
            ("content-type", Some("text/plain; charset=utf-8")),
            "the prompt",
        ),
        (
            json!({ "method": "DELETE", "headers": { "X-Number": 7 } }),
            "DELETE /x HTTP/1.1",
            ("x-number", Some("7")),
            "",
        ),
        (
            json!({ "method": "DELETE" }),
            "DELETE /x HTTP/1.1",
            ("idempotency-key", Some("first/1/work[0]/run")),
            "",
        ),
        (
            json!({ "method": "PATCH", "headers": { "Idempotency-Key": "mine" } }),
            "PATCH /x HTTP/1.1",
            ("idempotency-key", Some("mine")),
            "the prompt",
        ),
    ] {
        let mut options = options;
        options["url"] = service.url("/x#part").into();
        call_with(&provider(), "the prompt", options.clone()).0.unwrap();
        let asked = service.asked().pop().unwrap();
        assert_eq!((&*asked.line, asked.header(header.0), &*asked.body), (line, header.1, body), "{options}");
        assert_eq!(asked.header("host"), Some(&*format!("127.0.0.1:{}", service.port)));
    }
}

#[test]
fn numbers_stay_as_they_are_written_in_both_directions() {
    use workflow_core::data::Data;
    let numbers = r#"{"n":[23000000000000000001,1e400,-0.0,0.10]}"#;
    let service = Service::always(answer(numbers));
    let body: Value = Data::parse(numbers).unwrap().exact_value();
    let reply = call(json!({ "method": "POST", "url": service.url("/"), "body": body })).unwrap();
    assert_eq!(reply.output.json(), numbers);
    assert_eq!(service.asked()[0].body, numbers);
}

#[test]
fn each_attempt_has_the_same_key() {
    use futures::executor::block_on;
    use workflow_core::provider::Provider as _;
    let service = Service::always(answer("1"));
    for attempt in 1..=3 {
        let options = json!({ "method": "POST", "url": service.url("/") });
        let mut request = crate::common::request("first", "", options);
        request.id.attempt = attempt;
        let (context, _, _stop) = crate::common::context(&request);
        block_on(provider().call(request, context)).unwrap();
    }
    let keys: Vec<_> =
        service.asked().iter().map(|asked| asked.header("idempotency-key").map(str::to_owned)).collect();
    assert_eq!(keys, vec![Some("first/1/work[0]/run".to_owned()); 3]);
}
