//! Operations on the workflows of a catalog: lists, reading, flags.

use serde_json::{Value, json};
use workflow_service::Code;

use crate::host::Host;

fn create(host: &Host, id: &str, text: &str) -> Value {
    host.data("workflow:create", &json!({ "id": id, "text": text }).to_string())
}

fn ids(list: &Value) -> Vec<&str> {
    list["workflows"].as_array().unwrap().iter().map(|workflow| workflow["id"].as_str().unwrap()).collect()
}

const LOOPED: &str = "\
workflow:
  name: Aardvark
  isDefault: true
  stages: [plan, check]
  loop: { max_iters: 3, fallback_next_stage: plan, stop_when: \"$.done == true\" }
plan: { provider: echo, prompt: Plan }
check: { provider: echo, prompt: Check }
";

#[test]
fn a_list_shows_loops_flags_runs_and_files_that_are_not_yaml() {
    let host = Host::new();
    create(&host, "looped", LOOPED);
    create(&host, "b", "workflow: { name: Zebra, stages: [go] }\ngo: { provider: echo, prompt: Go }\n");
    host.write("workflows/broken.workflow.yml", "workflow: [");
    host.data("workflow:run", r#"{ "id": "b", "runId": "r1" }"#);
    host.drive("r1");
    host.data("workflow:run", r#"{ "id": "b", "runId": "r2" }"#);

    let list = host.data("workflow:list", "");
    assert_eq!(ids(&list), ["b", "broken", "looped"]);
    let [b, broken, looped] = [0, 1, 2].map(|n| &list["workflows"][n]);
    assert_eq!(b["lastRun"]["runId"], "r2");
    assert_eq!(b["activeRuns"], json!(["r2"]));
    assert!(b["lastRun"]["createdAt"].as_str().unwrap().ends_with('Z'));
    assert_eq!(broken["problems"][0]["code"], "bad-yaml");
    assert_eq!(broken["problems"][0]["line"], 1);
    assert_eq!(looped["stages"], json!(["plan", "check"]));
    assert_eq!((&looped["isDefault"], &looped["protected"]), (&true.into(), &false.into()));
    let expected = json!({ "maxIters": 3, "fallbackNextStage": "plan", "stopWhen": "$.done == true" });
    assert_eq!(looped["loop"], expected);
    assert_eq!(looped["lastRun"], Value::Null);

    assert_eq!(ids(&host.data("workflow:list", r#"{ "sort": "name" }"#)), ["looped", "b", "broken"]);
    assert_eq!(ids(&host.data("workflow:list", r#"{ "sort": "lastRun" }"#))[0], "b");
    assert_eq!(ids(&host.data("workflow:list", r#"{ "search": "zEB" }"#)), ["b"]);
}

#[test]
fn the_model_keeps_the_keys_of_the_file_and_has_a_range_for_each_value() {
    let host = Host::new();
    let text = "# é\nworkflow:\n  name: \"Grüße\"   # to all\n  stages: [plan]\nplan:\n  provider: echo\n  on_failure: stop\n  \
                prompt: |\n    One\n    two\n\n# the end\n";
    create(&host, "hello", text);
    let read = host.data("workflow:get", r#"{ "id": "hello" }"#);
    assert_eq!(read["model"]["plan"]["on_failure"], "stop");
    let range = |path: &str| {
        let range = &read["ranges"][path];
        ["line", "column", "endLine", "endColumn"]
            .map(|end| range[end].as_u64().unwrap_or_else(|| panic!("{path}")))
    };
    assert_eq!(range("workflow.name"), [3, 9, 3, 16]);
    assert_eq!(range("workflow.stages[0]"), [4, 12, 4, 16]);
    assert_eq!(range("workflow.stages"), [4, 11, 4, 17]);
    assert_eq!(range("plan.on_failure"), [7, 15, 7, 19]);
    assert_eq!((range("plan.prompt")[2], range("plan.prompt")[3]), (10, 8));
    assert_eq!(range("plan")[2..], [10, 8]);
}

#[test]
fn a_protected_workflow_is_changed_and_deleted_only_after_the_flag_is_removed() {
    let host = Host::new();
    let text = "workflow:\n  name: Kept\n  stages: [greet]\n  protected: true\ngreet: { provider: echo, prompt: Hi }\n";
    let created = create(&host, "kept", text);
    assert_eq!(created["protected"], true);
    let valid = host.data("workflow:validate", &json!({ "id": "kept", "text": text }).to_string());
    assert_eq!(valid, json!({ "valid": true, "diagnostics": [] }));
    let update =
        |text: &str| json!({ "id": "kept", "version": created["version"], "text": text }).to_string();

    let unprotected = text.replace("  protected: true\n", "");
    for other in [text.replace("Hi", "Hello"), unprotected.replace("Hi", "Hello")] {
        let error = host.call("workflow:update", &update(&other)).error.unwrap();
        assert_eq!(error.code, Code::Protected);
        assert!(error.message.contains("`protected: true`"), "{}", error.message);
    }
    assert_eq!(host.call("workflow:delete", r#"{ "id": "kept" }"#).error.unwrap().code, Code::Protected);
    assert_eq!(host.data("workflow:get", r#"{ "id": "kept" }"#)["text"], text);

    assert_eq!(host.data("workflow:update", &update(&unprotected))["protected"], false);
    host.data("workflow:delete", r#"{ "id": "kept" }"#);
}
