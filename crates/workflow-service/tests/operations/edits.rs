//! Field edits and copies of workflows.

use serde_json::{Value, json};
use workflow_service::Code;

use crate::host::Host;

const TEXT: &str = "\
# A release
workflow:
  id: release   # fixed
  name: Release
  isDefault: true
  stages: [plan, code]
plan: { provider: echo, prompt: \"Plan\" }   # first

code:
  provider: echo
  prompt: Code   # second
  retries: 2
";

fn created(host: &Host) -> Value {
    host.data("workflow:create", &json!({ "id": "release", "text": TEXT }).to_string())
}

fn update(version: &Value, edits: &Value) -> String {
    json!({ "id": "release", "version": version, "edits": edits }).to_string()
}

#[test]
fn edits_of_fields_leave_every_other_byte_alone() {
    let host = Host::new();
    let version = created(&host)["version"].clone();
    let edits = json!([
        { "path": "workflow.name", "value": "Big release" },
        { "path": "plan.prompt", "value": "Plan it" },
        { "path": "code.retries", "remove": true },
        { "path": "code.on_failure", "value": "continue" },
    ]);
    let updated = host.data("workflow:update", &update(&version, &edits));
    let expected = TEXT
        .replace("name: Release", "name: Big release")
        .replace("\"Plan\"", "Plan it")
        .replace("  retries: 2\n", "  on_failure: continue\n");
    assert_eq!(updated["text"], expected);
    assert_ne!(updated["version"], version);
    assert_eq!(host.data("workflow:get", r#"{ "id": "release" }"#)["text"], expected);
}

#[test]
fn edits_are_all_made_or_none() {
    let host = Host::new();
    let version = created(&host)["version"].clone();
    let good = json!({ "path": "code.prompt", "value": "Other" });
    for (bad, code) in [
        (json!({ "path": "code..prompt", "value": "x" }), Code::InvalidRequest),
        (json!({ "path": "code.timeout", "remove": true }), Code::InvalidDefinition),
        (json!({ "path": "code.providers[3].role", "value": "x" }), Code::InvalidDefinition),
        (json!({ "path": "code.retries", "value": 99 }), Code::InvalidDefinition),
        (json!({ "path": "workflow.id", "value": "other" }), Code::InvalidDefinition),
        (json!({ "path": "code.retries" }), Code::InvalidRequest),
        (json!({ "path": "code.retries", "value": 1, "remove": true }), Code::InvalidRequest),
    ] {
        let answer = host.call("workflow:update", &update(&version, &json!([good, bad])));
        assert_eq!(answer.error.unwrap().code, code, "{bad}");
        assert_eq!(host.data("workflow:get", r#"{ "id": "release" }"#)["text"], TEXT);
    }
    let error = host.call("workflow:update", &update(&"0".into(), &json!([good]))).error.unwrap();
    assert_eq!(error.code, Code::Stale);
}

#[test]
fn an_invalid_text_is_refused_with_its_diagnostics() {
    let host = Host::new();
    let version = created(&host)["version"].clone();
    let edits = json!([{ "path": "code.retries", "value": 99 }]);
    let error = host.call("workflow:update", &update(&version, &edits)).error.unwrap();
    let found = &error.details.unwrap()["diagnostics"][0];
    assert_eq!((&found["code"], &found["path"]), (&"out-of-range".into(), &"code.retries".into()));
    assert_eq!([&found["line"], &found["column"], &found["endLine"], &found["endColumn"]], [12, 12, 12, 14]);
}

#[test]
fn a_text_is_edited_without_being_stored() {
    let host = Host::new();
    let edit = |edits: Value| json!({ "text": TEXT, "edits": edits }).to_string();
    let edits = json!([
        { "path": "code.prompt", "value": "Write it" },
        { "path": "workflow.stages", "value": ["code", "plan"] },
    ]);
    let expected = TEXT.replace("prompt: Code", "prompt: Write it").replace("[plan, code]", "[code, plan]");
    assert_eq!(host.data("workflow:edit", &edit(edits))["text"], expected);
    let edits = json!([{ "path": "code.prompt", "value": "x" }, { "path": "plan.timeout", "remove": true }]);
    let error = host.call("workflow:edit", &edit(edits)).error.unwrap();
    assert_eq!(error.code, Code::InvalidDefinition);
    assert_eq!(error.details, Some(json!({ "edit": 1, "path": "plan.timeout" })));
}

#[test]
fn a_check_returns_the_values_of_the_text_when_they_are_asked_for() {
    let host = Host::new();
    let check = |text: &str| {
        let request = json!({ "id": "release", "text": text, "values": true });
        host.data("workflow:validate", &request.to_string())["values"].clone()
    };
    let values = check(TEXT);
    assert_eq!(values["model"]["code"]["retries"], 2);
    let range = json!({ "line": 12, "column": 12, "endLine": 12, "endColumn": 13 });
    assert_eq!(values["ranges"]["code.retries"], range);
    assert_eq!(values["stages"][0]["onFailure"], "stop");
    // With errors there are no stages, and of a text that is not YAML nothing.
    let values = check(&TEXT.replace("retries: 2", "retries: 99"));
    assert_eq!((&values["model"]["code"]["retries"], &values["stages"]), (&99.into(), &json!([])));
    assert_eq!(check("a: ["), json!({ "model": null, "ranges": {}, "stages": [] }));
}

#[test]
fn a_copy_has_its_own_id_and_is_neither_protected_nor_the_default() {
    let host = Host::new();
    let text = TEXT.replace("isDefault: true", "isDefault: true\n  protected: true");
    host.data("workflow:create", &json!({ "id": "release", "text": text }).to_string());
    let copy = host.data("workflow:duplicate", r#"{ "id": "release", "newId": "second", "name": "Second" }"#);
    let expected = TEXT
        .replace("id: release", "id: second")
        .replace("name: Release", "name: Second")
        .replace("  isDefault: true\n", "");
    assert_eq!((&copy["text"], &copy["protected"]), (&expected.into(), &false.into()));
    host.data("workflow:delete", r#"{ "id": "second" }"#);
}
