//! Exports and imports of workflows.

use std::fs;
use std::path::Path;

use futures::executor::block_on;
use serde_json::{Value, json};
use workflow_core::catalog::templates;
use workflow_service::Code;

use crate::host::Host;

fn export(host: &Host, id: &str) -> Value {
    host.data("workflow:export", &json!({ "id": id }).to_string())
}

fn import(host: &Host, text: &Value) -> Value {
    host.data("workflow:import", &json!({ "text": text }).to_string())
}

fn hash(host: &Host, id: &str) -> String {
    block_on(host.service.engine().load(&id.parse().unwrap())).unwrap().hash().to_string()
}

/// Exports a workflow, imports it into an empty home, and compares what they resolve to.
fn moves(from: &Host, id: &str) -> Value {
    let exported = export(from, id);
    let to = Host::new();
    let imported = import(&to, &exported["text"]);
    assert_eq!(
        (&imported["valid"], &imported["sameBundle"]),
        (&true.into(), &true.into()),
        "{id}: {imported}"
    );
    assert_eq!(hash(&to, id), hash(from, id), "{id}: {}", exported["text"]);
    // What was imported is exported as the same document.
    assert_eq!(export(&to, id)["text"], exported["text"]);
    exported
}

#[test]
fn every_template_and_example_is_the_same_in_another_home() {
    let mut moved = 0;
    for template in templates() {
        let host = Host::new();
        let id = template.id.as_str();
        host.data("workflow:create", &json!({ "id": id, "template": id }).to_string());
        let exported = moves(&host, id);
        assert_eq!(exported["parts"].as_array().unwrap().len(), template.parts.len());
        moved += 1;
    }
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for folder in ["workflows", "graphs/workflows"] {
        for file in fs::read_dir(examples.join(folder)).unwrap() {
            let path = file.unwrap().path();
            let Some(id) = path.file_name().unwrap().to_str().unwrap().strip_suffix(".workflow.yml") else {
                continue;
            };
            let host = Host::new();
            for profile in fs::read_dir(examples.join(folder).join("stages")).into_iter().flatten() {
                let profile = profile.unwrap();
                let name = profile.file_name();
                let text = fs::read_to_string(profile.path()).unwrap();
                host.write(&format!("workflows/stages/{}", name.to_str().unwrap()), &text);
            }
            let others: &[&str] = if id == "rollout-all" { &["rollout"] } else { &[] };
            for id in others.iter().chain([&id]) {
                let text = fs::read_to_string(path.with_file_name(format!("{id}.workflow.yml"))).unwrap();
                host.data("workflow:create", &json!({ "id": id, "text": text }).to_string());
            }
            moves(&host, id);
            moved += 1;
        }
    }
    assert!(moved >= 20, "{moved}");
}

#[test]
fn an_export_contains_what_assignments_say_and_the_skills() {
    let host = Host::new();
    host.write(
        "config/assignments.yml",
        "assignments: { plan: { provider: echo, role: planner, profile: deep } }\n",
    );
    host.write("roles/planner.md", "---\nskills: [lists]\n---\nPlan {{vars.x}}.\n");
    host.write("workflows/stages/plan.deep.yml", "graph: [{ id: a, type: run, role: planner }]\n");
    host.write("skills/lists.json", "{ \"id\": \"lists\", \"instructions\": \"Write lists.\" }\n");
    let text = "workflow:\n  id: moved\n  name: Moved\n  stages: [plan]\n";
    host.data("workflow:create", &json!({ "id": "moved", "text": text }).to_string());
    let exported = moves(&host, "moved");
    assert_eq!(exported["parts"], json!(["profile plan.deep", "role planner", "skill lists"]));
    assert_eq!(exported["notes"], json!([]));
    let expected = "\
workflow: |
  workflow:
    id: moved
    name: Moved
    stages: [plan]
  plan: { profile: deep, provider: echo, role: planner }
profiles:
  plan.deep: |
    graph: [{ id: a, type: run, role: planner }]
roles:
  planner: |
    ---
    skills: [lists]
    ---
    Plan {{vars.x}}.
skills:
  lists: |
    { \"id\": \"lists\", \"instructions\": \"Write lists.\" }
";
    let text = exported["text"].as_str().unwrap();
    assert!(text.starts_with(
        "# A workflow with everything that it refers to.\nworkflow_export: 1\nid: moved\nbundle: "
    ));
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn an_import_is_previewed_and_overwrites_nothing() {
    let from = Host::new();
    from.data("workflow:create", r#"{ "id": "plan", "template": "single-stage" }"#);
    let text = export(&from, "plan")["text"].clone();

    let to = Host::new();
    let preview = |host: &Host, new: &str| {
        host.data("workflow:import", &json!({ "text": text, "newId": new, "preview": true }).to_string())
    };
    let states = |answer: &Value| -> Vec<String> {
        let items = answer["items"].as_array().unwrap();
        items.iter().map(|item| format!("{}: {}", item["item"].as_str().unwrap(), item["state"])).collect()
    };
    let seen = preview(&to, "plan");
    assert_eq!(states(&seen), ["workflow plan: \"create\"", "role assistant: \"create\""]);
    assert_eq!(to.data("workflow:list", "")["workflows"], json!([]));

    to.write("roles/assistant.md", "Mine.\n");
    let seen = preview(&to, "plan");
    assert_eq!((&seen["conflicts"], &seen["items"][1]["state"]), (&true.into(), &"conflict".into()));
    assert!(seen["items"][1]["origin"].as_str().unwrap().ends_with("assistant.md"));
    let error = to.call("workflow:import", &json!({ "text": text }).to_string()).error.unwrap();
    assert_eq!(
        (error.code, &error.details.unwrap()["conflicts"]),
        (Code::Exists, &json!(["role assistant"]))
    );
    assert_eq!(to.data("workflow:list", "")["workflows"], json!([]));

    import(&from, &text);
    let again = preview(&from, "plan");
    assert_eq!(states(&again), ["workflow plan: \"same\"", "role assistant: \"same\""]);
    let other = from.data("workflow:import", &json!({ "text": text, "newId": "other" }).to_string());
    assert_eq!(states(&other), ["workflow other: \"create\"", "role assistant: \"same\""]);
    assert_eq!(from.data("workflow:list", "")["workflows"][0]["id"], "other");
}

#[test]
fn workflows_that_nodes_run_move_with_the_one_that_runs_them() {
    let from = Host::new();
    from.write("config/providers.yml", "providers: { quick: { provider: echo, timeout: 60000 } }\n");
    from.write("roles/writer.md", "Write.\n");
    from.write("workflows/stages/outside.run.yml", "graph: [{ id: a, type: workflow, workflow: middle }]\n");
    from.write("workflows/stages/between.run.yml", "graph: [{ id: a, type: workflow, workflow: inner }]\n");
    let stage =
        |id: &str, rest: &str| format!("workflow: {{ name: It, stages: [{id}] }}\n{id}: {{ {rest} }}\n");
    for (id, text) in [
        ("inner", stage("inside", "provider: quick, role: writer")),
        ("middle", stage("between", "provider: echo, profile: run")),
        ("outer", stage("outside", "provider: echo, profile: run")),
    ] {
        from.data("workflow:create", &json!({ "id": id, "text": text }).to_string());
    }
    let exported = moves(&from, "outer");
    let parts =
        ["workflow inner", "workflow middle", "profile between.run", "profile outside.run", "role writer"];
    let mut found: Vec<_> =
        exported["parts"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
    found.sort_unstable_by_key(|part| parts.iter().position(|known| known == part));
    assert_eq!(found, parts);
    let text = exported["text"].as_str().unwrap();
    assert!(!text.contains("quick") && text.contains("\nworkflows:\n  inner: |\n"), "{text}");

    let states = |answer: &Value| -> Vec<String> {
        let items = answer["items"].as_array().unwrap();
        items.iter().map(|item| format!("{}: {}", item["item"].as_str().unwrap(), item["state"])).collect()
    };
    let ask = |host: &Host, new: &str, preview: bool| {
        host.call("workflow:import", &json!({ "text": text, "newId": new, "preview": preview }).to_string())
    };
    // The texts of `inner` differ, and mean the same.
    let again = from.data("workflow:import", &json!({ "text": text, "preview": true }).to_string());
    assert!(states(&again).iter().all(|state| state.ends_with("\"same\"")), "{again}");

    let to = Host::new();
    let seen = to.data("workflow:import", &json!({ "text": text, "preview": true }).to_string());
    assert_eq!(
        states(&seen)[..3],
        ["workflow outer: \"create\"", "workflow inner: \"create\"", "workflow middle: \"create\""]
    );
    assert_eq!((&seen["valid"], to.files()), (&true.into(), Vec::<String>::new()));
    // One that is in the way is enough.
    let mine = stage("inside", "provider: echo, prompt: Mine");
    to.data("workflow:create", &json!({ "id": "inner", "text": mine }).to_string());
    let before = to.files();
    let error = to.call("workflow:import", &json!({ "text": text }).to_string()).error.unwrap();
    assert_eq!(
        (error.code, &error.details.unwrap()["conflicts"]),
        (Code::Exists, &json!(["workflow inner"]))
    );
    assert_eq!(to.files(), before);

    let other = Host::new();
    assert!(ask(&other, "mine", false).success);
    let listed = other.data("workflow:list", "");
    let ids: Vec<_> =
        listed["workflows"].as_array().unwrap().iter().map(|found| found["id"].clone()).collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
    assert!(
        ids.contains(&"mine".into()) && ids.contains(&"middle".into()) && ids.contains(&"inner".into()),
        "{ids:?}"
    );
    assert!(!ask(&Host::new(), "inner", true).success);
}

#[test]
fn hostile_imports_are_refused_and_nothing_is_written() {
    let flow = "workflow: { name: Demo, stages: [a] }\\na: { provider: echo, prompt: Hi }\\n";
    let start = format!("workflow_export: 1\nid: demo\nworkflow: \"{flow}\"\n");
    let with = |rest: &str| format!("{start}{rest}");
    let many = (0..300).map(|n| format!("  r{n}: Hi\n")).collect::<Vec<_>>().concat();
    let bomb: String = "a: &a [x, x, x, x, x, x, x, x]\n".to_owned()
        + &('b'..='k')
            .map(|c| format!("{c}: &{c} [{}]\n", vec![format!("*{}", (c as u8 - 1) as char); 8].join(", ")))
            .collect::<Vec<_>>()
            .concat();
    for (what, text, code) in [
        ("a path", with("roles: { \"../../x\": Hi }\n"), "bad-path"),
        ("an absolute name", with("schemas: { /etc/x.json: \"{}\" }\n"), "bad-path"),
        ("a way up", with("schemas: { schemas/../../x.json: \"{}\" }\n"), "bad-path"),
        ("a drive", with("schemas: { \"C:x.json\": \"{}\" }\n"), "bad-path"),
        ("another kind of file", with("schemas: { config/assignments.yml: \"{}\" }\n"), "bad-path"),
        ("a hidden file", with("schemas: { .git/config: \"{}\" }\n"), "bad-path"),
        ("a profile without a stage", with("profiles: { deep: \"graph: []\" }\n"), "bad-path"),
        ("a path of a workflow", with("workflows: { \"../x\": \"workflow: {}\" }\n"), "bad-id"),
        ("itself", with("workflows: { demo: \"workflow: {}\" }\n"), "duplicate-key"),
        ("a wrong workflow that it runs", with("workflows: { other: \"workflow: {}\" }\n"), "missing-field"),
        ("a skill's path", with("skills: { \"a/b\": Hi }\n"), "bad-path"),
        ("a key twice", with("roles: { a: Hi }\nroles: { b: Hi }\n"), "duplicate-key"),
        ("an alias bomb", with(&bomb), "too-large"),
        ("too many", with(&format!("roles:\n{many}")), "too-large"),
        ("a large file", with(&format!("roles: {{ a: {} }}\n", "x".repeat((1 << 20) + 1))), "too-large"),
        ("a large export", with(&format!("roles: {{ a: {} }}\n", "x".repeat(5 << 20))), "too-large"),
        ("an unknown part", with("secrets: { a: b }\n"), "unknown-key"),
        ("no text", with("roles: { a: [1] }\n"), "wrong-type"),
        ("a newer format", start.replace("export: 1", "export: 2"), "unknown-value"),
        ("no export", "workflow: { name: Demo }\n".to_owned(), "missing-field"),
        ("a bad id", start.replace("id: demo", "id: ../demo"), "bad-id"),
        ("no YAML", "workflow_export: [".to_owned(), "bad-yaml"),
        ("a control character", with("roles: { a: \u{7} }\n"), "control-character"),
        ("a wrong workflow", start.replace("stages: [a]", "stages: []"), "out-of-range"),
    ] {
        let host = Host::new();
        let error = host.call("workflow:import", &json!({ "text": text }).to_string()).error;
        let error = error.unwrap_or_else(|| panic!("{what} was imported"));
        assert_eq!(error.code, Code::InvalidDefinition, "{what}: {}", error.message);
        let found = &error.details.unwrap()["diagnostics"];
        let codes: Vec<_> = found.as_array().unwrap().iter().map(|found| found["code"].clone()).collect();
        assert!(codes.contains(&code.into()), "{what}: {codes:?}");
        assert_eq!(host.files(), Vec::<String>::new(), "{what}");
    }
}

#[cfg(unix)]
#[test]
fn an_import_does_not_write_through_a_link_out_of_the_home() {
    let host = Host::new();
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), host.home.path().join("roles")).unwrap();
    let text = "workflow_export: 1\nid: demo\nworkflow: |\n  workflow: { name: Demo, stages: [a] }\n  a: { provider: \
                echo, role: r }\nroles: { r: Hi }\n";
    assert!(!host.call("workflow:import", &json!({ "text": text }).to_string()).success);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    assert_eq!(host.data("workflow:list", "")["workflows"], json!([]));
}

#[test]
fn an_export_contains_what_names_of_providers_stand_for() {
    let host = Host::new();
    host.write("config/providers.yml", "providers: { quick: { provider: echo, timeout: 60000 } }\n");
    host.write(
        "workflows/stages/code.deep.yml",
        "graph: [{ id: a, type: run, provider: quick }, { id: b, type: run, timeout: 2s }]\n",
    );
    let text = "workflow: { id: moved, name: Moved, stages: [plan, test, code] }
plan: { provider: quick }
test: { providers: [{ provider: quick }, { provider: echo }] }
code: { provider: quick, profile: deep }
";
    host.data("workflow:create", &json!({ "id": "moved", "text": text }).to_string());
    let exported = moves(&host, "moved");
    let text = exported["text"].as_str().unwrap();
    assert!(!text.contains("quick"), "{text}");
    assert_eq!(text.matches("timeout: 60s").count(), 3, "{text}");
}
