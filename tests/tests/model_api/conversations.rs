//! How an answer depends on the tools, their results, and schemas of the request.

use serde_json::{Value, json};
use workflow_tests::model_api::{COMMAND, ModelApi, Scenario, TEXT};

use crate::http::{DIALECTS, Dialect};

/// The content of a response, as one text without the quotes of JSON within JSON.
fn said(dialect: Dialect, scenario: Scenario, body: &Value) -> String {
    let api = ModelApi::start().unwrap();
    dialect.ask_at_once(&api, scenario, body).body.replace('\\', "")
}

#[test]
fn a_tool_is_called_until_its_result_is_there_and_again_for_the_next_prompt() {
    for dialect in DIALECTS {
        let mut body = dialect.request();
        let mut answers = vec![said(dialect, Scenario::Tool, &body)];
        (dialect.add_result)(&mut body);
        answers.push(said(dialect, Scenario::Tool, &body));
        (dialect.add_prompt)(&mut body);
        answers.push(said(dialect, Scenario::Tool, &body));
        let calls: Vec<_> = answers.iter().map(|answer| answer.contains(COMMAND)).collect();
        assert_eq!(calls, [true, false, true], "{}", dialect.name);
        assert!(answers[1].contains(TEXT));
    }
}

#[test]
fn a_looping_model_calls_whatever_the_result_is() {
    for dialect in DIALECTS {
        let mut body = dialect.request();
        (dialect.add_result)(&mut body);
        assert!(said(dialect, Scenario::Loop, &body).contains("echo loop"), "{}", dialect.name);
    }
}

#[test]
fn where_no_shell_is_offered_none_is_called() {
    for dialect in DIALECTS {
        let mut body = dialect.request();
        body["tools"] = json!([]);
        let said = said(dialect, Scenario::Tool, &body);
        assert!(said.contains(TEXT) && !said.contains(COMMAND), "{}: {said}", dialect.name);
    }
}

#[test]
fn json_fits_the_schema_that_is_asked_for() {
    let cases = [
        (
            json!({ "type": "object", "properties": { "done": { "type": "boolean" } }, "required": ["done"] }),
            json!({ "done": true }),
        ),
        (
            json!({ "type": "object", "properties": { "n": { "type": "integer", "minimum": 0 } }, "required": ["n"] }),
            json!({ "n": 0 }),
        ),
        (
            json!({ "type": "object", "properties": { "x": { "enum": ["a", "b"] }, "y": {} }, "required": ["x"] }),
            json!({ "x": "a" }),
        ),
        (
            json!({ "type": "object", "properties": {}, "examples": [{ "v": 1 }, { "v": 2 }] }),
            json!({ "v": 2 }),
        ),
        (
            json!({
                "type": "object",
                "properties": { "l": { "type": "array", "minItems": 1, "items": { "type": "string" } } },
                "required": ["l"],
            }),
            json!({ "l": ["fake"] }),
        ),
    ];
    for dialect in DIALECTS {
        for (schema, instance) in &cases {
            let mut body = dialect.request();
            (dialect.add_schema)(&mut body, schema.clone());
            let fitting = said(dialect, Scenario::Json, &body);
            assert!(fitting.contains(&instance.to_string()), "{}: {fitting}", dialect.name);
            let prose = said(dialect, Scenario::BadJson, &body);
            assert!(prose.contains(TEXT) && !prose.contains(&instance.to_string()), "{}", dialect.name);
        }
    }
}
