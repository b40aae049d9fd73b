//! Operations on roles, profiles, skills, assignments, templates and providers.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use workflow_service::Code;

use crate::host::Host;

#[test]
fn parts_are_written_by_version_listed_and_deleted() {
    let host = Host::new();
    for (kind, name, text, other, file) in [
        ("roles", json!({ "id": "planner" }), "Plan.\n", "Plan well.\n", "roles/planner.md"),
        (
            "profiles",
            json!({ "stage": "plan", "id": "deep" }),
            "graph: [{ id: a, type: run, prompt: Hi }]\n",
            "graph: [{ id: b, type: run, prompt: Hi }]\n",
            "workflows/stages/plan.deep.yml",
        ),
        (
            "skills",
            json!({ "id": "lists" }),
            "Write lists.\n",
            "Write short lists.\n",
            "skills/lists/SKILL.md",
        ),
        (
            "skills",
            json!({ "id": "app" }),
            "{ \"instructions\": \"Write.\" }\n",
            "{ \"instructions\": \"Write more.\" }\n",
            "skills/app.json",
        ),
    ] {
        let call = |operation: &str, members: Value| {
            let mut request = name.clone();
            request.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            host.call(&format!("workflow:{kind}:{operation}"), &request.to_string())
        };
        let code = |operation: &str, members: Value| call(operation, members).error.unwrap().code;
        assert_eq!(code("get", json!({})), Code::NotFound, "{kind}");
        assert_eq!(code("put", json!({ "text": text, "version": "0" })), Code::NotFound, "{kind}");
        let created = crate::host::data(&call("put", json!({ "text": text })));
        assert!(created["origin"].as_str().unwrap().ends_with(file), "{created}");
        assert_eq!(code("put", json!({ "text": other })), Code::Exists, "{kind}");
        assert_eq!(code("put", json!({ "text": other, "version": "0" })), Code::Stale, "{kind}");
        assert!(call("put", json!({ "text": other, "version": created["version"] })).success, "{kind}");
        let read = crate::host::data(&call("get", json!({})));
        assert_eq!((&read["text"], &read["problems"]), (&other.into(), &json!([])), "{kind}");
        let listed = host.data(&format!("workflow:{kind}"), "");
        assert_eq!(listed["items"][0]["id"], name["id"], "{listed}");
        assert!(call("delete", json!({})).success, "{kind}");
        assert_eq!(code("delete", json!({})), Code::NotFound, "{kind}");
        assert_eq!(host.data(&format!("workflow:{kind}"), "")["items"], json!([]));
        assert!(host.files().is_empty(), "{:?}", host.files());
    }
}

#[test]
fn what_is_in_a_part_is_returned_as_json_beside_its_text() {
    let host = Host::new();
    for (operation, request, text, model) in [
        (
            "roles",
            json!({ "id": "lead" }),
            "---\nname: Lead\nskills: [a]\n---\nLead.\n",
            json!({ "name": "Lead", "skills": ["a"] }),
        ),
        ("roles", json!({ "id": "plain" }), "Plan.\n", Value::Null),
        (
            "profiles",
            json!({ "stage": "plan", "id": "deep" }),
            "graph: [{ id: a, type: run }]\n",
            json!({ "graph": [{ "id": "a", "type": "run" }] }),
        ),
        (
            "skills",
            json!({ "id": "lists" }),
            "---\nname: Lists\n---\nWrite lists.\n",
            json!({ "name": "Lists" }),
        ),
        (
            "skills",
            json!({ "id": "app" }),
            "{ \"skillCommand\": \"/app\", \"instructions\": \"Write.\" }\n",
            json!({ "skillCommand": "/app", "instructions": "Write." }),
        ),
        (
            "assignments",
            json!({}),
            "assignments:\n  plan: { provider: echo, role: planner }\n",
            json!({ "assignments": { "plan": { "provider": "echo", "role": "planner" } } }),
        ),
    ] {
        let mut put = request.clone();
        put["text"] = text.into();
        host.data(&format!("workflow:{operation}:put"), &put.to_string());
        let get = if operation == "assignments" {
            "workflow:assignments".into()
        } else {
            format!("workflow:{operation}:get")
        };
        assert_eq!(host.data(&get, &request.to_string())["model"], model, "{operation} {request}");
    }
}

#[test]
fn a_part_with_errors_is_refused_with_its_diagnostics_and_listed_where_it_is_there() {
    let host = Host::new();
    let wrong = json!({ "stage": "plan", "id": "deep", "text": "graph:\n  - { id: a, type: runs }\n" });
    let error = host.call("workflow:profiles:put", &wrong.to_string()).error.unwrap();
    assert_eq!(error.code, Code::InvalidDefinition);
    assert_eq!(error.details.unwrap()["diagnostics"][0]["line"], 2);
    host.write("workflows/stages/plan.deep.yml", "graph:\n  - { id: a, type: runs }\n");
    let listed = host.data("workflow:profiles", "");
    assert_eq!(
        (&listed["items"][0]["stage"], &listed["items"][0]["problems"][0]["line"]),
        (&"plan".into(), &2.into())
    );
    for name in ["a/b", "..", ""] {
        let put = json!({ "id": name, "text": "Hi" });
        let code = host.call("workflow:skills:put", &put.to_string()).error.unwrap().code;
        assert_eq!(code, Code::InvalidDefinition, "{name}");
    }
}

#[test]
fn assignments_are_read_and_replaced() {
    let host = Host::new();
    assert_eq!(host.call("workflow:assignments", "").error.unwrap().code, Code::NotFound);
    let put =
        host.data("workflow:assignments:put", r#"{ "text": "assignments: { plan: { provider: echo } }\n" }"#);
    let text = "workflow: { name: Demo, stages: [plan] }\n";
    let checked = host.data("workflow:validate", &json!({ "id": "demo", "text": text }).to_string());
    assert_eq!(checked, json!({ "valid": true, "diagnostics": [] }));
    assert_eq!(host.data("workflow:assignments", "")["version"], put["version"]);
    host.data("workflow:assignments:delete", "");
}

#[test]
fn each_template_can_be_created_and_run_and_providers_are_listed() {
    let host = Host::new();
    let templates = host.data("workflow:templates", "");
    let ids: BTreeSet<_> =
        templates["templates"].as_array().unwrap().iter().map(|one| one["id"].to_string()).collect();
    assert!(ids.len() >= 4, "{ids:?}");
    for id in &ids {
        let created = host.data("workflow:create", &format!(r#"{{ "id": {id}, "template": {id} }}"#));
        assert_eq!(created["id"].to_string(), *id);
    }
    let missing = host.call("workflow:create", r#"{ "id": "x", "template": "none" }"#).error.unwrap();
    assert_eq!(missing.code, Code::NotFound);
    let both = host
        .call("workflow:create", r#"{ "id": "x", "template": "single-stage", "text": "" }"#)
        .error
        .unwrap();
    assert_eq!(both.code, Code::InvalidRequest);
    let providers = host.data("workflow:providers", "");
    let names = json!([
        { "name": "command", "options": null }, { "name": "demo", "options": null }, { "name": "echo", "options": null },
    ]);
    assert_eq!(providers, json!({ "default": null, "providers": names }));
}

#[test]
fn the_schemas_of_all_files_are_returned_as_they_are_generated() {
    let schemas = Host::new().data("workflow:schemas", "")["schemas"].clone();
    let expected: serde_json::Map<_, _> = workflow_core::schema::schemas()
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    // Keys of files are not renamed.
    assert_eq!(schemas, Value::Object(expected));
    assert!(schemas["workflow"].to_string().contains("max_iters"));
}

#[test]
fn a_list_tells_what_is_protected() {
    let host = Host::new();
    for (id, more) in [("free", ""), ("kept", ", protected: true")] {
        let text =
            format!("workflow: {{ name: N, stages: [a]{more} }}\na: {{ provider: echo, prompt: Hi }}\n");
        host.write(&format!("workflows/{id}.workflow.yml"), &text);
    }
    let listed = host.data("workflow:list", "")["workflows"].clone();
    assert!(listed[0]["readOnly"].is_null(), "{listed}");
    assert!(listed[1]["readOnly"].as_str().unwrap().contains("remove `protected: true`"), "{listed}");
}
